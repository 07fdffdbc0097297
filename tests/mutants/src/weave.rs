//! Writes all mutants of a file into it, each behind a question of the environment: `a < b` becomes
//! `(if crate::mutation::on(7) { a > b } else { a < b })`.
//!
//! Only insertions, so that one place can lie in another. Alternatives hold the code as it was: one mutant is on at a time.

use std::collections::BTreeMap;
use std::ops::Range;

use anyhow::{Context, Result};
use proc_macro2::{LineColumn, Span};
use syn::spanned::Spanned;
use syn::visit::{self, Visit};

use crate::mutant::{Mutant, Place};

/// A file with its mutants in it.
pub struct Woven {
    pub text: String,
    /// Where what belongs to a mutant alone stands in `text`, and whose it is.
    pub alternatives: Vec<(Range<usize>, usize)>,
    /// Where the value of a `match` begins in `text` from which a mutant may take an arm, and whose it is.
    pub matched: Vec<(usize, usize)>,
    /// Mutants that never compile: `||` beside a `let`.
    pub impossible: Vec<usize>,
}

/// What is inserted, in the order of the text. At one offset what ends a place comes before what begins one.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    offset: usize,
    begins: bool,
    /// Outer places begin first and end last.
    rank: isize,
}

struct Weaver<'a> {
    source: &'a str,
    lines: Vec<usize>,
    mutants: Vec<&'a Mutant>,
    insertions: BTreeMap<Key, Vec<(String, Option<usize>)>>,
    rank: isize,
    impossible: Vec<usize>,
}

/// Weaves `mutants`, all of one file, into its `source`. Functions that cannot ask (`const`) lose that word.
pub fn weave(source: &str, mutants: Vec<&Mutant>) -> Result<Woven> {
    let file = syn::parse_file(source).context("no Rust")?;
    let lines = std::iter::once(0).chain(source.match_indices('\n').map(|(at, _)| at + 1)).collect();
    let mut weaver = Weaver { source, lines, mutants, insertions: BTreeMap::new(), rank: 0, impossible: Vec::new() };
    weaver.functions();
    weaver.visit_file(&file);
    Ok(weaver.write())
}

impl Weaver<'_> {
    fn offset(&self, at: LineColumn) -> usize {
        let line = self.lines[at.line - 1];
        line + self.source[line..].chars().take(at.column).map(char::len_utf8).sum::<usize>()
    }

    fn range(&self, span: Span) -> Range<usize> {
        self.offset(span.start())..self.offset(span.end())
    }

    fn text(&self, of: &impl Spanned) -> String {
        self.source[self.range(of.span())].to_owned()
    }

    fn at(&self, span: Span, genre: &str) -> Vec<Mutant> {
        let at = span.start();
        let at = Place { line: at.line, column: at.column + 1 };
        self.mutants.iter().filter(|it| it.at == at && it.genre == genre).map(|it| (*it).clone()).collect()
    }

    fn insert(&mut self, offset: usize, begins: bool, rank: isize, parts: Vec<(String, Option<usize>)>) {
        self.insertions.entry(Key { offset, begins, rank }).or_default().extend(parts);
    }

    /// Puts `before` and `after` around a place.
    fn wrap(&mut self, around: Span, before: Vec<(String, Option<usize>)>, after: &str) {
        let range = self.range(around);
        self.rank += 1;
        let rank = self.rank;
        self.insert(range.start, true, rank, before);
        self.insert(range.end, false, -rank, vec![(after.to_owned(), None)]);
    }

    /// Puts a choice around an expression: these alternatives, else what stands there.
    fn choose(&mut self, around: Span, alternatives: Vec<(usize, String)>) {
        let mut before = vec![("(".to_owned(), None)];
        for (id, text) in alternatives {
            before.push((format!("if crate::mutation::on({id}) {{ {text} }} else "), Some(id)));
        }
        before.push(("{ ".to_owned(), None));
        self.wrap(around, before, " })");
    }

    fn functions(&mut self) {
        let values = self.mutants.iter().filter(|it| it.genre == "FnValue" && !it.opaque);
        for it in values.map(|it| (*it).clone()).collect::<Vec<Mutant>>() {
            let offset = self.offset(LineColumn { line: it.at.line, column: it.at.column - 1 });
            let text = format!("if crate::mutation::on({}) {{ return {}; }} ", it.id, it.replacement);
            self.insert(offset, true, 0, vec![(text, Some(it.id))]);
        }
    }

    /// Where a function gives some iterator: both the mutant's and its own, as one type.
    fn iterator(&mut self, body: &syn::Block) {
        let (Some(first), Some(last)) = (body.stmts.first(), body.stmts.last()) else { return };
        let range = self.offset(first.span().start())..self.offset(last.span().end());
        let found = self.at(first.span(), "FnValue").into_iter();
        let found = found.filter(|it| it.opaque && it.replacement.starts_with("::std::iter::"));
        // `&mut T` in place of `&T`, which nothing makes of it inside of an iterator.
        let (leaks, found): (Vec<_>, Vec<_>) = found.partition(|it| it.replacement.contains("leak("));
        self.impossible.extend(leaks.iter().map(|it| it.id));
        if found.is_empty() || self.source[range.clone()].contains("return") {
            return;
        }
        let either = "crate::mutation::Either";
        let mut before = Vec::new();
        for it in &found {
            let text = format!("if crate::mutation::on({}) {{ {either}::Left({}) }} else ", it.id, it.replacement);
            before.push((text, Some(it.id)));
            before.push((format!("{{ {either}::Right("), None));
        }
        before.push(("{ ".to_owned(), None));
        self.rank += 1;
        let rank = self.rank;
        self.insert(range.start, true, rank, before);
        self.insert(range.end, false, -rank, vec![(format!(" }}{}", ") }".repeat(found.len())), None)]);
    }

    fn write(mut self) -> Woven {
        let mut text = String::new();
        let (mut alternatives, mut matched) = (Vec::new(), Vec::new());
        let mut done = 0;
        for (key, parts) in std::mem::take(&mut self.insertions) {
            text.push_str(&self.source[done..key.offset]);
            done = key.offset;
            for (part, whose) in parts {
                let begin = text.len();
                text.push_str(&part);
                if part.is_empty() {
                    matched.extend(whose.map(|id| (begin, id)));
                    continue;
                }
                alternatives.extend(whose.map(|id| (begin..text.len(), id)));
            }
        }
        text.push_str(&self.source[done..]);
        Woven { text, alternatives, matched, impossible: self.impossible }
    }
}

/// An operand of a chain of `&&` is a `let`, which only a condition may hold.
fn holds_let(it: &syn::Expr) -> bool {
    match it {
        syn::Expr::Let(_) => true,
        syn::Expr::Binary(it) => holds_let(&it.left) || holds_let(&it.right),
        _ => false,
    }
}

impl<'ast> Visit<'ast> for Weaver<'_> {
    fn visit_item_fn(&mut self, it: &'ast syn::ItemFn) {
        self.iterator(&it.block);
        visit::visit_item_fn(self, it);
    }

    fn visit_impl_item_fn(&mut self, it: &'ast syn::ImplItemFn) {
        self.iterator(&it.block);
        visit::visit_impl_item_fn(self, it);
    }

    fn visit_expr_binary(&mut self, it: &'ast syn::ExprBinary) {
        let found = self.at(it.op.span(), "BinaryOperator");
        if holds_let(&it.left) || holds_let(&it.right) {
            self.impossible.extend(found.iter().map(|it| it.id));
        } else if !found.is_empty() {
            let (left, right) = (self.text(&it.left), self.text(&it.right));
            let alternatives =
                found.iter().map(|mutant| (mutant.id, format!("{left} {} {right}", mutant.replacement))).collect();
            self.choose(it.span(), alternatives);
        }
        visit::visit_expr_binary(self, it);
    }

    fn visit_expr_unary(&mut self, it: &'ast syn::ExprUnary) {
        let found = self.at(it.op.span(), "UnaryOperator");
        if !found.is_empty() {
            let text = self.text(&it.expr);
            self.choose(it.span(), found.iter().map(|mutant| (mutant.id, text.clone())).collect());
        }
        visit::visit_expr_unary(self, it);
    }

    fn visit_expr_match(&mut self, it: &'ast syn::ExprMatch) {
        let bare = it.arms.iter().filter(|it| it.guard.is_none());
        let ids: Vec<usize> = bare.flat_map(|it| self.at(it.span(), "MatchArm")).map(|it| it.id).collect();
        self.wrap(it.expr.span(), ids.into_iter().map(|id| (String::new(), Some(id))).collect(), "");
        visit::visit_expr_match(self, it);
    }

    fn visit_arm(&mut self, it: &'ast syn::Arm) {
        for mutant in self.at(it.span(), "MatchArm") {
            let part = |text: String| vec![(text, Some(mutant.id))];
            if let Some((_, guard)) = &it.guard {
                self.wrap(guard.span(), part(format!("!crate::mutation::on({}) && (", mutant.id)), ")");
            } else {
                let offset = self.range(it.pat.span()).end;
                self.insert(offset, false, 0, part(format!(" if !crate::mutation::on({})", mutant.id)));
            }
        }
        if let Some((_, guard)) = &it.guard {
            let found = self.at(guard.span(), "MatchArmGuard");
            let alternatives = found.iter().map(|mutant| (mutant.id, mutant.replacement.clone())).collect();
            if !found.is_empty() {
                self.choose(guard.span(), alternatives);
            }
        }
        visit::visit_arm(self, it);
    }

    fn visit_expr_struct(&mut self, it: &'ast syn::ExprStruct) {
        let mut alternatives = Vec::new();
        let whole = self.range(it.span());
        for field in &it.fields {
            for mutant in self.at(field.span(), "StructField") {
                let field = self.range(field.span());
                let rest = self.source[field.end..whole.end].trim_start().trim_start_matches(',');
                alternatives.push((mutant.id, format!("{}{rest}", &self.source[whole.start..field.start])));
            }
        }
        if !alternatives.is_empty() {
            self.choose(it.span(), alternatives);
        }
        visit::visit_expr_struct(self, it);
    }
}

#[cfg(test)]
mod tests;
