//! Lists over the network: where they come from, what their entries have in common, and answers that are no list.

use std::time::Duration;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{Answer, DEADLINE, Gateway, KeyServer, wait_for};

/// A source behind the cluster `auth` that is fetched as often as the filter ticks; `extra` goes into it.
pub fn source(uri: &str, extra: &Value) -> Value {
    let mut source = json!({"uri": uri, "cluster": "auth", "cooldown": "100ms", "refresh": "200ms"});
    for (name, value) in extra.as_object().expect("an object") {
        source[name] = value.clone();
    }
    source
}

/// The hash by which a list names a key or a token.
pub fn hash(key: &str) -> String {
    format!("{:x}", Sha256::digest(key))
}

/// A moment of RFC 3339.
pub fn date(seconds: u64) -> String {
    let seconds = i64::try_from(seconds).expect("a moment of our time");
    // `Debug` of a moment in UTC is RFC 3339
    format!("{:?}", chrono::DateTime::from_timestamp(seconds, 0).expect("a moment of our time"))
}

/// Answers that are refused where a list of version 7 was taken: `list` is one of version 8, and longer than any may be with
/// `too_long` spaces behind it. The timeout of the source must be shorter than half a second.
pub fn bad_answers(list: &Value, too_long: usize) -> Vec<(&'static str, Answer)> {
    let with = |member: &str, value: Value| {
        let mut list = list.clone();
        list[member] = value;
        Answer::json(&list)
    };
    let mut unversioned = list.clone();
    unversioned.as_object_mut().expect("an object").remove("version");
    let body = |text: String| Answer::new(200).body(text);
    let text = list.to_string();
    vec![
        ("an older version", with("version", json!(6))),
        ("a version that is text", with("version", json!("8"))),
        ("a version below 0", with("version", json!(-8))),
        ("no version", Answer::json(&unversioned)),
        ("an unknown member", with("more", json!(1))),
        ("a member twice", body(text.replacen("\"version\"", "\"version\":8,\"version\"", 1))),
        ("two documents", body(format!("{text}{text}"))),
        ("a torn document", body(text[..text.len() - 2].to_owned())),
        ("too long", body(format!("{text}{}", " ".repeat(too_long)))),
        ("nothing", Answer::new(200)),
        ("a page", body("<html>login</html>".to_owned())),
        ("an error with a list", Answer { status: 500, ..Answer::json(list) }),
        ("a redirect", Answer { status: 302, ..Answer::json(list) }),
        ("a closed connection", Answer::close()),
        ("silence", Answer::hang()),
        ("too late", Answer::json(list).after(Duration::from_millis(600))),
    ]
}

/// Has `lists` give each of these answers, which the filter must refuse, and `check` look at each. Failures in a row are waited
/// out for longer and longer, so `recover` has a good list taken now and then.
#[track_caller]
pub fn refuse_each(
    gateway: &Gateway,
    lists: &KeyServer,
    answers: Vec<(&str, Answer)>,
    check: impl Fn(&str),
    recover: impl Fn(usize),
) {
    for (nth, (case, answer)) in answers.into_iter().enumerate() {
        refuse(gateway, lists, answer);
        check(case);
        if nth % 3 == 2 {
            recover(nth);
        }
    }
}

/// Has `lists` answer this once more and waits until the filter has said that it refuses it.
#[track_caller]
pub fn refuse(gateway: &Gateway, lists: &KeyServer, answer: Answer) {
    let failures = || gateway.log().matches(" failed: ").count();
    let before = failures();
    lists.answer(answer);
    wait_for("a failed fetch", DEADLINE, || (failures() > before).then_some(()));
}
