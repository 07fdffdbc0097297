use crate::mutant::{Mutant, Place};

use super::*;

fn mutant(id: usize, genre: &str, column: usize, replacement: &str) -> Mutant {
    Mutant {
        id,
        file: String::new(),
        at: Place { line: 1, column },
        genre: genre.to_owned(),
        replacement: replacement.to_owned(),
        name: String::new(),
        opaque: false,
        function_at: None,
    }
}

#[track_caller]
fn check(source: &str, mutants: &[(&str, &str, &str)], expected: &str) {
    let mutants: Vec<Mutant> = mutants
        .iter()
        .enumerate()
        .map(|(nth, (genre, place, replacement))| mutant(nth + 1, genre, source.find(place).unwrap() + 1, replacement))
        .collect();
    let woven = weave(source, mutants.iter().collect()).unwrap();
    assert_eq!(woven.text.replace("crate::mutation::", ""), expected);
}

#[test]
fn every_kind_of_mutant_is_behind_its_number() {
    // A whole function.
    check("fn f() -> u8 { 7 }", &[("FnValue", "7", "1")], "fn f() -> u8 { if on(1) { return 1; } 7 }");
    // Two for one operator.
    check(
        "fn f() -> bool { a < b }",
        &[("BinaryOperator", "< b", "=="), ("BinaryOperator", "< b", ">")],
        "fn f() -> bool { (if on(1) { a == b } else if on(2) { a > b } else { a < b }) }",
    );
    // One within another: the outer one holds the inner as it was.
    check(
        "fn f() -> u8 { a + b * c }",
        &[("BinaryOperator", "+", "-"), ("BinaryOperator", "*", "/")],
        "fn f() -> u8 { (if on(1) { a - b * c } else { a + (if on(2) { b / c } else { b * c }) }) }",
    );
    check("fn f() -> bool { !a }", &[("UnaryOperator", "!", "")], "fn f() -> bool { (if on(1) { a } else { !a }) }");
    // An arm without a guard, and one with.
    check(
        "fn f() { match x { 1 => {} _ => {} } }",
        &[("MatchArm", "1 =>", "")],
        "fn f() { match x { 1 if !on(1) => {} _ => {} } }",
    );
    check(
        "fn f() { match x { 1 if g => {} _ => {} } }",
        &[("MatchArm", "1 if", ""), ("MatchArmGuard", "g =>", "true")],
        "fn f() { match x { 1 if !on(1) && ((if on(2) { true } else { g })) => {} _ => {} } }",
    );
    check(
        "fn f() { S { a: 1, b: 2, ..d } }",
        &[("StructField", "a:", ""), ("StructField", "b:", "")],
        "fn f() { (if on(1) { S {  b: 2, ..d } } else if on(2) { S { a: 1,  ..d } } else { S { a: 1, b: 2, ..d } }) }",
    );
}

#[test]
fn what_cannot_ask_is_left_as_it_is() {
    // `let` stands in conditions only.
    let chain = "fn f() { if let Some(a) = b && c {} }";
    check(chain, &[("BinaryOperator", "&&", "||")], chain);
}

#[test]
fn iterator_of_a_mutant_is_of_one_type_with_the_own_one() {
    let source = "fn f() -> impl Iterator { let a = b; a.iter() }";
    let at = |id, replacement: &str| {
        let column = source.find("let").unwrap() + 1;
        Mutant { opaque: true, ..mutant(id, "FnValue", column, replacement) }
    };
    let empty = at(1, "::std::iter::empty()");
    let leak = at(2, "::std::iter::once(Vec::leak(vec![1]))");
    let woven = weave(source, vec![&empty, &leak]).unwrap();
    assert_eq!(
        woven.text.replace("crate::mutation::", ""),
        "fn f() -> impl Iterator { if on(1) { Either::Left(::std::iter::empty()) } else { Either::Right({ let a = b; \
         a.iter() }) } }"
    );
    assert_eq!(woven.impossible, [2]);
}

#[test]
fn let_in_a_chain_allows_no_or() {
    let source = "fn f() { if let Some(a) = b && c {} }";
    let it = mutant(1, "BinaryOperator", source.find("&&").unwrap() + 1, "||");
    let woven = weave(source, vec![&it]).unwrap();
    assert_eq!((woven.text.as_str(), woven.impossible.as_slice()), (source, &[1][..]));
}
