//! The tables of fields in the documents are those of the readers: `HALLPASS_BLESS=1` writes them.

use std::fmt::Write as _;
use std::path::PathBuf;

use hallpass::values::schema::{Field, Fields, Presence, Shape};

use crate::support::process::root;

/// Every table of fields, by the heading that it stands under.
pub fn sections() -> impl Iterator<Item = (&'static str, &'static [&'static Fields])> {
    hallpass::config::schema::SECTIONS.into_iter().chain(hallpass::credentials::schema::SECTIONS)
}

/// A field's path, such as `tiers.NAME.limits[].name`.
pub fn path(of: &Fields, field: &Field) -> String {
    [of.path, field.name].join(if of.path.is_empty() { "" } else { "." })
}

/// A document: where it is, and its lines.
struct File {
    path: PathBuf,
    lines: Vec<String>,
}

fn files() -> Vec<File> {
    let in_envoy = std::fs::read_dir(root().join("envoy")).expect("a directory");
    let mut paths: Vec<_> = in_envoy.map(|entry| entry.expect("an entry").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|it| it == "md"));
    paths.push(root().join("README.md"));
    paths.sort();
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).expect("a document can be read");
        File { path, lines: text.lines().map(str::to_owned).collect() }
    };
    paths.into_iter().map(read).collect()
}

impl File {
    /// The line of a heading.
    fn heading(&self, title: &str) -> Option<usize> {
        self.lines.iter().position(|line| line.starts_with('#') && line.trim_start_matches('#').trim() == title)
    }

    /// The first table behind a heading.
    fn table(&self, title: &str) -> Option<std::ops::Range<usize>> {
        let begin = self.heading(title)? + 1;
        let rest = &self.lines[begin..];
        let section = &rest[..rest.iter().position(|line| line.starts_with('#')).unwrap_or(rest.len())];
        let is_head = |line: &String| ["| field |", "| member |"].iter().any(|head| line.starts_with(head));
        let first = begin + section.iter().position(is_head)?;
        let count = self.lines[first..].iter().take_while(|line| line.starts_with('|')).count();
        Some(first..first + count)
    }
}

/// The table of a section, as Markdown; `resolve` gives the target of a reference to another section.
fn table(objects: &[&Fields], head: &str, resolve: &dyn Fn(&str) -> Option<String>) -> Vec<String> {
    let rows = objects.iter().flat_map(|of| of.rows.iter().map(move |field| (of, field)));
    let rows = rows.map(|(of, field)| {
        let cells = [format!("`{}`", path(of, field)), form(of, field), presence(of, field), field.meaning.to_owned()];
        let cells = cells.map(|cell| linked(&cell, resolve).replace('|', "\\|"));
        format!("| {} |", cells.join(" | "))
    });
    [head.to_owned(), "|---|---|---|---|".to_owned()].into_iter().chain(rows).collect()
}

/// What a field holds, in words.
fn form(of: &Fields, field: &Field) -> String {
    match &field.shape {
        Shape::Boolean => "boolean".to_owned(),
        Shape::Number(range) => format!("whole number from {} to {}", grouped(*range.start()), grouped(*range.end())),
        Shape::Duration(range) => format!("duration, `{}` to `{}`", duration(range.start()), duration(range.end())),
        Shape::Words(words) => words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", "),
        Shape::Object(inner) if inner.path.replace("[]", "") != path(of, field).replace("[]", "") => {
            format!("object, with the fields of `{}`", inner.path)
        }
        Shape::Object(inner) => match inner.one_of {
            [] => "object".to_owned(),
            names => format!(
                "object with exactly one of {}",
                names.iter().map(|it| format!("`{it}`")).collect::<Vec<_>>().join(", ")
            ),
        },
        Shape::Text(form)
        | Shape::List(_, _, form)
        | Shape::Map(_, _, form)
        | Shape::Either(_, form)
        | Shape::Document(form) => (*form).to_owned(),
    }
}

/// Whether a field must be given, or what holds otherwise.
fn presence(of: &Fields, field: &Field) -> String {
    match field.presence {
        Presence::Required => "required".to_owned(),
        Presence::Default(json) => format!("`{}`", json.replace('"', "")),
        Presence::Optional(text) => text.to_owned(),
        Presence::OneOf => {
            let others: Vec<_> = of.one_of.iter().filter(|it| **it != field.name).map(|it| format!("`{it}`")).collect();
            format!("this or {}", others.join(" or "))
        }
    }
}

/// `16777216` as `16,777,216`.
fn grouped(number: u32) -> String {
    let digits = number.to_string();
    digits.bytes().enumerate().fold(String::new(), |text, (at, digit)| {
        let comma = if at > 0 && (digits.len() - at).is_multiple_of(3) { "," } else { "" };
        text + comma + &char::from(digit).to_string()
    })
}

fn duration(it: &std::time::Duration) -> String {
    let ms = it.as_millis();
    let units = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];
    let (unit, length) =
        units.into_iter().find(|(_, length)| ms > 0 && ms.is_multiple_of(*length)).unwrap_or(("s", 1_000));
    format!("{}{unit}", ms / length)
}

/// `[Title]` outside of code, where a section has that title, as a link to it.
fn linked(text: &str, resolve: &dyn Fn(&str) -> Option<String>) -> String {
    let mut out = String::new();
    for (at, part) in text.split('`').enumerate() {
        out.push_str(if at == 0 { "" } else { "`" });
        if at % 2 == 1 {
            out.push_str(part);
            continue;
        }
        let mut pieces = part.split('[');
        out.push_str(pieces.next().unwrap_or_default());
        for piece in pieces {
            let target = piece.split_once(']').and_then(|(title, rest)| Some((title, resolve(title)?, rest)));
            let (title, target, rest) = target.unwrap_or_else(|| panic!("no section for `[{piece}`"));
            write!(out, "[{title}]({target}){rest}").expect("a string takes all");
        }
    }
    out
}

/// The target of a link from one document to the section of a title in any.
fn target(files: &[File], from: &File, title: &str) -> Option<String> {
    let to = files.iter().find(|file| file.heading(title).is_some())?;
    let kept = title.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    let slug: String = kept.map(|c| if c == ' ' { '-' } else { c.to_ascii_lowercase() }).collect();
    let file = |path: &PathBuf| path.file_name().expect("a name").to_string_lossy().into_owned();
    let prefix = match (from.path.parent() == to.path.parent(), from.path == to.path) {
        (_, true) => String::new(),
        (true, false) => file(&to.path),
        (false, false) if to.path.parent() == Some(root()) => format!("../{}", file(&to.path)),
        (false, false) => format!("envoy/{}", file(&to.path)),
    };
    Some(format!("{prefix}#{slug}"))
}

#[test]
fn tables_of_the_documents_are_those_of_the_readers() {
    let files = files();
    let is_blessed = std::env::var_os("HALLPASS_BLESS").is_some();
    let mut edits = Vec::new();
    for (title, objects) in sections() {
        let found: Vec<_> = files.iter().enumerate().filter_map(|(nth, it)| Some((nth, it.table(title)?))).collect();
        let [(nth, lines)] = found.as_slice() else { panic!("not one table of fields under `{title}`") };
        let file = &files[*nth];
        let wanted = table(objects, &file.lines[lines.start], &|it| target(&files, file, it));
        if is_blessed {
            edits.push((*nth, lines.clone(), wanted));
            continue;
        }
        for (line, wanted) in file.lines[lines.clone()].iter().zip(&wanted) {
            assert_eq!(line, wanted, "{} under `{title}`; HALLPASS_BLESS=1 writes the table", file.path.display());
        }
        assert_eq!(lines.len(), wanted.len(), "rows under `{title}`; HALLPASS_BLESS=1 writes the table");
    }
    // From the end, so that the lines before stay where they are.
    edits.sort_by_key(|(nth, lines, _)| (*nth, std::cmp::Reverse(lines.start)));
    let mut texts: Vec<Vec<String>> = files.iter().map(|file| file.lines.clone()).collect();
    for (nth, lines, wanted) in edits {
        texts[nth].splice(lines, wanted);
    }
    for (file, lines) in files.iter().zip(texts).filter(|(file, lines)| file.lines != *lines) {
        std::fs::write(&file.path, lines.join("\n") + "\n").expect("a document can be written");
    }
}

/// Every object that the tables name has a table.
#[test]
fn no_object_lacks_a_table() {
    fn objects<'a>(shape: &'a Shape, found: &mut Vec<&'a Fields>) {
        match shape {
            Shape::Object(inner) => found.push(inner),
            Shape::List(inner, ..) | Shape::Map(inner, ..) => objects(inner, found),
            Shape::Either(shapes, _) => shapes.iter().for_each(|inner| objects(inner, found)),
            _ => {}
        }
    }
    let known: Vec<&Fields> = sections().flat_map(|(_, objects)| objects.iter().copied()).collect();
    let mut named = Vec::new();
    for field in known.iter().flat_map(|of| of.rows) {
        objects(&field.shape, &mut named);
    }
    assert!(named.len() > 20);
    for object in named {
        let has_table = known.iter().any(|it| it.path == object.path && it.rows.len() == object.rows.len());
        assert!(has_table, "`{}` has no table", object.path);
    }
    for of in known {
        let alternatives = of.rows.iter().filter(|field| matches!(field.presence, Presence::OneOf));
        assert_eq!(
            alternatives.map(|it| it.name).collect::<std::collections::BTreeSet<_>>(),
            of.one_of.iter().copied().collect(),
            "{}",
            of.path
        );
    }
}
