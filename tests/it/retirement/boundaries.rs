//! Boundaries while requests run: at the second of a date, on every worker, without a restart and without a gap.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::json;

use crate::support::client::race;
use crate::support::retirement::{at, extension, policy, schedule};
use crate::support::{Gateway, Response, Upstream, wait_until};

/// What an answer tells of its phase: announced or not, by which tier, refused or not.
fn phase(response: &Response) -> &'static str {
    let is_told = response.header("deprecation").is_some();
    assert_eq!((response.header("sunset").is_some(), response.headers("link").len()), (is_told, usize::from(is_told)));
    match (response.status, response.header("x-tier").as_deref(), is_told) {
        (200, Some("standard"), false) => "before",
        (200, Some("standard"), true) => "announced",
        (200, Some("trickle"), true) => "throttled",
        (401, None, true) => "refused",
        _ => panic!("{response:?}"),
    }
}

fn clock() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is past 1970")
}

/// Asks on and on until this client is in the last of these phases. Each begins at its second: no answer is early, none late.
/// How many of them are seen depends on how busy the machine is; the last change always is.
#[track_caller]
fn follow(gateway: &Gateway, client: &str, phases: &[(u64, &str)]) {
    let mut seen = Vec::new();
    wait_until(&format!("the last phase of `{client}`"), || {
        let asked = clock();
        let phase = phase(&gateway.get("/a").header("x-api-key", format!("key-{client}")).send());
        let answered = clock();
        let nth = phases.iter().position(|(_, name)| *name == phase).expect("a phase of the client");
        let begun = |moment: Duration| phases.iter().filter(|(begin, _)| *begin <= moment.as_secs()).count() - 1;
        assert!(
            (begun(asked)..=begun(answered)).contains(&nth),
            "{client}: {phase}, asked {asked:?}, told {answered:?}"
        );
        seen.push(nth);
        nth + 1 == phases.len()
    });
    assert!(seen.is_sorted(), "{client}: {seen:?}");
}

#[test]
fn phases_begin_at_their_second_on_every_worker() {
    let upstream = Upstream::answering(|seen| {
        crate::support::Answer::new(200).header("x-tier", &seen.header("x-claim-tier").unwrap_or_default())
    });
    let quiet = policy(&["all", "late"], &schedule(at(3_600), at(3_601), at(3_602)));
    let gateway = Gateway::builder().config(quiet).upstream(upstream.port()).concurrency(2).reloadable();
    let mut gateway = gateway.start();

    // The dates are told now that Envoy serves, however long its start took.
    let [announced, throttled, refused, later] = [2, 3, 4, 5].map(at);
    let mut schedule = schedule(announced, throttled, refused);
    schedule["extensions"] = json!([extension("late", Some(refused), Some(later))]);
    let mut policy = policy(&["all", "late", "new"], &schedule);
    policy["tiers"]["trickle"] = policy["tiers"]["standard"].clone();
    gateway.reload(policy).expect("the dates are taken");
    wait_until("every worker", || {
        let requests = (0..20).map(|_| gateway.get("/a").header("x-api-key", "key-new")).collect();
        race(20, requests).iter().all(|response| response.status == 200 || response.header("deprecation").is_some())
    });

    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let all = [(0, "before"), (announced, "announced"), (throttled, "throttled"), (refused, "refused")];
                follow(&gateway, "all", &all);
            });
        }
        let late = [(0, "before"), (announced, "announced"), (refused, "throttled"), (later, "refused")];
        follow(&gateway, "late", &late);
    });
}
