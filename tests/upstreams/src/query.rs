//! Query strings and form bodies: every value that a server may take for a parameter.
//!
//! Where a server takes one of several values (the first, the last, a list joined by commas) all of them count, so a
//! reader gives each.

use crate::escape::{decode_dropping, decode_or_keep, decode_strictly, decode_with_u, plus_decode};

#[cfg(test)]
mod tests;

/// How one family of servers reads a query.
#[derive(Clone, Copy, Debug)]
pub struct Reader {
    /// Who reads so.
    pub name: &'static str,
    /// Every value of the parameter `name` in a query.
    pub read: fn(query: &str, name: &str) -> Vec<String>,
}

/// Those that look a parameter up by its name.
pub const LOOKUPS: [Reader; 18] = [
    Reader { name: "WHATWG, Django, node:querystring, OpenResty", read: urlencoded },
    Reader { name: "HTML 4, Python up to 3.9.1, Rack 1", read: semicolons },
    Reader { name: "ASP.NET", read: ignoring_case },
    Reader { name: "classic ASP", read: classic_asp },
    Reader { name: "CGI.pm", read: cgi_pm },
    Reader { name: "PHP", read: php },
    Reader { name: "PHP before 8", read: php_before_8 },
    Reader { name: "Rack, Rails", read: rack },
    Reader { name: "qs, Express", read: qs },
    Reader { name: "qs with allowDots, Grails, Spring", read: qs_with_dots },
    Reader { name: "Tomcat, Jetty", read: servlet },
    Reader { name: "Go", read: go },
    Reader { name: "nginx", read: nginx },
    Reader { name: "a C library", read: until_nul },
    Reader { name: "a server behind a proxy that decodes", read: twice },
    Reader { name: "hand-written code", read: every_equals_sign },
    Reader { name: "hand-written code that decodes before it splits", read: decoded_first },
    Reader { name: "the same behind a proxy that decodes", read: decoded_twice_first },
];

/// Those that fill the fields of an object, once the method has told which one: no server reads the method so.
pub const BINDERS: [Reader; 2] = [
    Reader { name: "ASP.NET's binder, for the field of an object", read: aspnet_binder },
    Reader { name: "Spring's data binder", read: spring_binder },
];

/// All of them.
pub fn all() -> impl Iterator<Item = Reader> {
    LOOKUPS.into_iter().chain(BINDERS)
}

/// Names and values, split at the first `=`.
fn parameters(query: &str) -> impl Iterator<Item = (&str, &str)> {
    query.split('&').map(|it| it.split_once('=').unwrap_or((it, "")))
}

/// <https://url.spec.whatwg.org/#urlencoded-parsing>; `new URLSearchParams` drops a `?` before it.
fn urlencoded(query: &str, wanted: &str) -> Vec<String> {
    let pairs = form_urlencoded::parse(query.strip_prefix('?').unwrap_or(query).as_bytes());
    pairs.filter(|(name, _)| name == wanted).map(|(_, value)| value.into_owned()).collect()
}

/// HTML 4.01 appendix B.2.2: `;` is `&`.
fn semicolons(query: &str, wanted: &str) -> Vec<String> {
    urlencoded(&query.replace(';', "&"), wanted)
}

/// `HttpValueCollection`: names in any case, `%uXXXX` as in `HttpUtility.UrlDecode`; several values are joined by commas.
fn ignoring_case(query: &str, wanted: &str) -> Vec<String> {
    let is_wanted = |name: &str| name.to_uppercase() == wanted.to_uppercase();
    parameters(query)
        .filter(|(name, _)| is_wanted(&decode_with_u(name)))
        .map(|(_, value)| decode_with_u(value))
        .collect()
}

/// `ParameterBinder`: where a parameter of the method takes an object, its name and a mark may stand before that of the field.
fn aspnet_binder(query: &str, wanted: &str) -> Vec<String> {
    let wanted = format!(".{}", wanted.to_uppercase());
    let dotted = |name: &str| decode_with_u(name).replace('[', ".").replace(']', "").to_uppercase();
    parameters(query)
        .filter(|(name, _)| format!(".{}", dotted(name)).ends_with(&wanted))
        .map(|(_, value)| decode_with_u(value))
        .collect()
}

/// `Request.QueryString` of IIS: names in any case, stray percent signs vanish.
fn classic_asp(query: &str, wanted: &str) -> Vec<String> {
    let is_wanted = |name: &str| decode_dropping(name).eq_ignore_ascii_case(wanted);
    parameters(query).filter(|(name, _)| is_wanted(name)).map(|(_, value)| decode_dropping(value)).collect()
}

/// `CGI::parse_params`: splits at `[&;]`; `CGI::Util::unescape` knows `%uXXXX`.
fn cgi_pm(query: &str, wanted: &str) -> Vec<String> {
    let query = query.replace(';', "&");
    parameters(&query)
        .filter(|(name, _)| decode_with_u(name) == wanted)
        .map(|(_, value)| decode_with_u(value))
        .collect()
}

/// The keys that a name such as `a[b][]` leads through: `a`, `b`, and nothing for "the next one".
fn keys(name: &str) -> Vec<String> {
    let (base, mut rest) = name.split_at(name.find('[').unwrap_or(name.len()));
    let mut keys = vec![base.to_owned()];
    while let Some((key, tail)) = rest.strip_prefix('[').and_then(|it| it.split_once(']')) {
        keys.push(key.to_owned());
        rest = tail;
    }
    keys
}

/// The keys of the parameter that an application asks for; `ids[]` is the list `ids`.
fn wanted_keys(wanted: &str) -> Vec<String> {
    let mut keys = keys(wanted);
    while keys.len() > 1 && keys.last().is_some_and(String::is_empty) {
        keys.pop();
    }
    keys
}

/// `php_register_variable_ex` in `main/php_variables.c`: the name ends at NUL, leading spaces go, `.` and space become `_`
/// before the first bracket, brackets make arrays, a bracket that never closes becomes `_`.
fn php(query: &str, wanted: &str) -> Vec<String> {
    php_with(query, wanted, false)
}

/// The same, where what follows a bracket that never closes keeps its dots (up to PHP 7) or loses them (later).
fn php_before_8(query: &str, wanted: &str) -> Vec<String> {
    php_with(query, wanted, true)
}

fn php_with(query: &str, wanted: &str, keeps_rest: bool) -> Vec<String> {
    let mut values = Vec::new();
    for (name, value) in parameters(query) {
        let name = plus_decode(name);
        let name = name.trim_start_matches(' ').split('\0').next().unwrap_or_default();
        if php_keys(name, keeps_rest).starts_with(&wanted_keys(wanted)) {
            values.push(plus_decode(value));
        }
    }
    values
}

fn php_keys(name: &str, keeps_rest: bool) -> Vec<String> {
    let mangle = |text: &str| text.replace(['.', ' '], "_");
    match name.split_once('[') {
        // A name that begins with a bracket is no array.
        Some(("", _)) | None => vec![mangle(name)],
        Some((base, rest)) if rest.contains(']') => {
            let mut all = keys(&format!("[{rest}"));
            all[0] = mangle(base);
            all
        }
        Some((base, rest)) => {
            let rest = if keeps_rest { rest.to_owned() } else { mangle(rest) };
            vec![format!("{}_{rest}", mangle(base))]
        }
    }
}

/// `Rack::QueryParser#_normalize_params`, Rack 1 to 3: leading brackets are dropped (Rack 2), what follows a name in
/// brackets makes arrays and hashes, and whatever else follows it is a key of its own.
fn rack(query: &str, wanted: &str) -> Vec<String> {
    let mut values = Vec::new();
    for parameter in query.split(['&', ';']) {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let name = plus_decode(name);
        let name = name.trim_start_matches(['[', ']', ' ']);
        let all: Vec<String> = name.split(['[', ']']).map(str::to_owned).collect();
        let all: Vec<String> = match all.split_first() {
            Some((base, rest)) => {
                std::iter::once(base.clone()).chain(rest.iter().filter(|it| !it.is_empty()).cloned()).collect()
            }
            None => all,
        };
        if all.starts_with(&wanted_keys(wanted)) {
            values.push(plus_decode(value));
        }
    }
    values
}

/// `qs.parse` as Express calls it: `%5B` and `%5D` are brackets before anything is split, `a[b]`, `a[]`, `[a]`.
fn qs(query: &str, wanted: &str) -> Vec<String> {
    qs_with(query, wanted, false)
}

/// The same with `allowDots`; Grails and Spring nest at dots as well.
fn qs_with_dots(query: &str, wanted: &str) -> Vec<String> {
    qs_with(query, wanted, true)
}

fn qs_with(query: &str, wanted: &str, allows_dots: bool) -> Vec<String> {
    let mut values = Vec::new();
    for parameter in query.trim_start_matches('?').split('&') {
        let opened = replace_escape(&replace_escape(parameter, "%5b", "["), "%5d", "]");
        let (name, value) = match opened.split_once("]=") {
            Some((name, value)) => (format!("{name}]"), value.to_owned()),
            None => {
                opened.split_once('=').map_or((opened.clone(), String::new()), |(n, v)| (n.to_owned(), v.to_owned()))
            }
        };
        let name = decode_or_keep(&name);
        let name = if allows_dots { dots_to_brackets(&name) } else { name };
        let all: Vec<String> = match keys(&name).as_slice() {
            [base, rest @ ..] if base.is_empty() && !rest.is_empty() => rest.to_vec(),
            all => all.to_vec(),
        };
        if all.starts_with(&wanted_keys(wanted)) {
            values.push(decode_or_keep(&value));
        }
    }
    values
}

fn replace_escape(text: &str, escape: &str, by: &str) -> String {
    text.replace(escape, by).replace(&escape.to_ascii_uppercase(), by)
}

/// `a.b.c` as `a[b][c]`.
fn dots_to_brackets(name: &str) -> String {
    let mut parts = name.split('.');
    let base = parts.next().unwrap_or_default().to_owned();
    parts.fold(base, |all, part| match part.split_once('[') {
        Some((key, rest)) => format!("{all}[{key}][{rest}"),
        None => format!("{all}[{part}]"),
    })
}

/// `WebDataBinder`: `!name` gives a default, `_name` marks a field.
fn spring_binder(query: &str, wanted: &str) -> Vec<String> {
    let is_wanted = |name: &str| [name.strip_prefix('!'), name.strip_prefix('_'), Some(name)].contains(&Some(wanted));
    form_urlencoded::parse(query.as_bytes())
        .filter(|(name, _)| is_wanted(name))
        .map(|(_, value)| value.into_owned())
        .collect()
}

/// `Parameters.processParameters` of Tomcat: a parameter with a bad escape is skipped.
fn servlet(query: &str, wanted: &str) -> Vec<String> {
    let decode = |text: &str| decode_strictly(&text.replace('+', " "));
    parameters(query)
        .filter(|(name, _)| decode(name).is_some_and(|it| it == wanted))
        .filter_map(|(_, it)| decode(it))
        .collect()
}

/// `net/url.ParseQuery` from Go 1.17 on: a parameter with `;` or a bad escape is skipped.
fn go(query: &str, wanted: &str) -> Vec<String> {
    let whole: Vec<&str> = query.split('&').filter(|it| !it.contains(';')).collect();
    servlet(&whole.join("&"), wanted)
}

/// `ngx_http_arg` (`$arg_name`): in any case, not decoded; whoever gets it decodes.
fn nginx(query: &str, wanted: &str) -> Vec<String> {
    parameters(query)
        .filter(|(name, _)| name.eq_ignore_ascii_case(wanted))
        .map(|(_, value)| decode_strictly(value).unwrap_or_default())
        .filter(|value| !value.is_empty())
        .collect()
}

/// Texts that end at NUL.
fn until_nul(query: &str, wanted: &str) -> Vec<String> {
    let cut = |text: &str| plus_decode(text).split('\0').next().unwrap_or_default().to_owned();
    parameters(query).filter(|(name, _)| cut(name) == wanted).map(|(_, value)| cut(value)).collect()
}

/// Decodes what was decoded.
fn twice(query: &str, wanted: &str) -> Vec<String> {
    let decode = |text: &str| plus_decode(&plus_decode(text));
    parameters(query).filter(|(name, _)| decode(name) == wanted).map(|(_, value)| decode(value)).collect()
}

/// Splits at every `=` and takes the second part.
fn every_equals_sign(query: &str, wanted: &str) -> Vec<String> {
    query
        .split('&')
        .map(|it| it.split('=').collect::<Vec<_>>())
        .filter(|parts| plus_decode(parts[0]) == wanted)
        .map(|parts| plus_decode(parts.get(1).unwrap_or(&"")))
        .collect()
}

/// Splits what it has decoded.
fn decoded_first(query: &str, wanted: &str) -> Vec<String> {
    let query = plus_decode(query);
    let pairs = parameters(&query).filter(|(name, _)| *name == wanted);
    pairs.map(|(_, value)| value.to_owned()).collect()
}

fn decoded_twice_first(query: &str, wanted: &str) -> Vec<String> {
    decoded_first(&plus_decode(query), wanted)
}
