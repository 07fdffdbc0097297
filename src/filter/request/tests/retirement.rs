//! Credentials that retire: phases by the moment of arrival, harder limits, the end, and what every answer tells.

use serde_json::{Value, json};

use crate::answer::denial::Denial;
use crate::credentials::retirement::Phase;
use crate::filter::request::testing::{End, Exchange, START, Stack, key, token};

fn date(after: u64) -> String {
    let moment = chrono::DateTime::from_timestamp(i64::try_from(START.secs() + after).unwrap(), 0).unwrap();
    // `Debug` of a moment in UTC is RFC 3339.
    format!("{moment:?}")
}

/// Announced after 10 seconds, limited harder after 20, the end after 30; `acme` has ten seconds more for each.
fn schedule() -> Value {
    json!({
        "announced": date(10), "throttled_from": date(20), "throttled_tier": "trickle", "refused_from": date(30),
        "link": "https://docs.example.com/tokens", "replacement": "district tokens",
        "extensions": [{"client": "acme", "throttled_from": date(30), "refused_from": date(40)}],
    })
}

fn trickle() -> Value {
    json!({"limits": [{"name": "rate", "requests": 1, "per": "1m"}]})
}

/// Keys retire by the schedule: `globex` by that of all, `acme` by its own.
fn keys(changes: &[(&str, Value)]) -> Stack {
    let inline = json!({"keys": [key("acme1", "acme", "starter"), key("globex", "globex", "starter")]});
    let all = [("/tiers/trickle", trickle()), ("/api_keys", json!({"inline": inline, "retirement": schedule()}))];
    Stack::new(&[&all, changes].concat())
}

/// Tokens retire by the schedule; the route takes tokens alone.
fn tokens(changes: &[(&str, Value)]) -> Stack {
    let all = [
        ("/tiers/trickle", trickle()),
        ("/issuers/0/default_tier", json!("starter")),
        ("/issuers/0/retirement", schedule()),
        ("/routes", json!([{"match": {"path": "/plain"}}])),
    ];
    Stack::new(&[&all, changes].concat())
}

fn of(client: &str) -> String {
    token(&json!({"client": client}))
}

fn tier(stack: &Stack, exchange: &Exchange) -> String {
    exchange.request.tier().map_or_else(String::new, |tier| stack.worker.config.tiers[tier].name.clone())
}

/// At this second: the verdict, the tier, and the phase; only from the announcement on do answers tell.
#[track_caller]
fn check(stack: &mut Stack, exchange: &Exchange, verdict: &str, of_tier: &str, phase: Phase) {
    assert_eq!(exchange.verdict(), verdict);
    assert_eq!(tier(stack, exchange), of_tier);
    let notice = exchange.request.retirement().unwrap();
    assert_eq!(notice.phase, phase);
    assert_eq!(notice.fields().is_some(), phase != Phase::Before);
    let name = |phase: Phase| format!("class=.=api_keys;.;phase=.={};.;", phase.name());
    let tokens = |phase: Phase| format!("class=.=students.example.com;.;phase=.={};.;", phase.name());
    let (mut counted, mut others) = (0, 0);
    let counts: Vec<_> = stack.worker.metrics.drain().collect();
    for (at, by) in counts {
        let metric = &stack.worker.metrics.list()[at].name;
        if let Some(labels) = metric.strip_prefix("hallpass.retirement_total.") {
            let is_this = [name(phase), tokens(phase)].iter().any(|it| it == labels);
            *(if is_this { &mut counted } else { &mut others }) += by;
        }
    }
    assert_eq!((counted, others), (1, 0), "counted once, by its phase");
}

/// Whether a token is what the refusal says has retired; `None`: it is another answer.
fn retired_token(exchange: &Exchange) -> Option<bool> {
    match &exchange.end {
        End::Deny(Denial::CredentialRetired(retired)) => Some(retired.is_token),
        _ => None,
    }
}

/// Client, seconds after the start, verdict, tier, phase.
type Row = (&'static str, u64, &'static str, &'static str, Phase);

const ROWS: [Row; 12] = [
    ("globex", 0, "pass", "starter", Phase::Before),
    ("globex", 9, "pass", "starter", Phase::Before),
    ("globex", 10, "pass", "starter", Phase::Announced),
    ("globex", 19, "pass", "starter", Phase::Announced),
    ("globex", 20, "pass", "trickle", Phase::Throttled),
    ("globex", 29, "pass", "trickle", Phase::Throttled),
    ("globex", 30, "credential-retired", "trickle", Phase::Refused),
    // the extension
    ("acme", 20, "pass", "starter", Phase::Announced),
    ("acme", 29, "pass", "starter", Phase::Announced),
    ("acme", 30, "pass", "trickle", Phase::Throttled),
    ("acme", 39, "pass", "trickle", Phase::Throttled),
    ("acme", 40, "credential-retired", "trickle", Phase::Refused),
];

#[test]
fn key_goes_through_its_phases() {
    for (client, after, verdict, of_tier, phase) in ROWS {
        let mut stack = keys(&[]);
        stack.sleep(after);
        let exchange = stack.login(if client == "acme" { "acme1" } else { client });
        check(&mut stack, &exchange, verdict, of_tier, phase);
        assert_eq!(retired_token(&exchange), (phase == Phase::Refused).then_some(false));
        // Beside a token it is the key's class that counts.
        let exchange = stack.get(if client == "acme" { "acme1" } else { client }, &of(client));
        if verdict == "pass" && of_tier == "trickle" {
            assert_eq!(exchange.verdict(), "limit-reached", "the login used it up");
        } else {
            assert_eq!(exchange.verdict(), verdict);
        }
    }
}

#[test]
fn token_goes_through_its_phases_also_from_the_cache() {
    for (client, after, verdict, of_tier, phase) in ROWS {
        let mut stack = tokens(&[]);
        stack.sleep(after);
        let exchange = stack.get("", &of(client));
        check(&mut stack, &exchange, verdict, of_tier, phase);
        assert_eq!(retired_token(&exchange), (phase == Phase::Refused).then_some(true));
    }
    // One token, verified once, across all boundaries.
    let mut stack = tokens(&[]);
    let good = of("globex");
    for (after, verdict) in [(0, "pass"), (10, "pass"), (19, "pass"), (20, "limit-reached"), (30, "credential-retired")]
    {
        stack.now = START;
        stack.sleep(after);
        assert_eq!(stack.get("", &good).verdict(), verdict, "after {after} s");
    }
}

#[test]
fn harder_limits_see_what_was_used_before() {
    // Three of five per minute are used: more than the harder tier ever holds.
    let mut stack = keys(&[]);
    stack.sleep(19);
    for _ in 0..3 {
        assert_eq!(stack.get("globex", &of("globex")).verdict(), "pass");
    }
    stack.sleep(1);
    stack.counted("");
    let spent = stack.get("globex", &of("globex"));
    check(&mut stack, &spent, "limit-reached", "trickle", Phase::Throttled);
    // Whose own date is later goes on as before.
    assert_eq!(stack.login("acme1").verdict(), "pass");
}

#[test]
fn retired_key_is_refused_whatever_stands_beside_it() {
    let mut stack = keys(&[]);
    stack.sleep(30);
    for beside in ["", "x", &of("globex"), &of("acme")] {
        let exchange = stack.get("globex", beside);
        assert_eq!((exchange.verdict(), exchange.trace.len()), ("credential-retired", 0), "{beside}: charged nothing");
    }
    // What is no key is none, before and after the end; and no phase is counted.
    stack.counted("");
    assert_eq!(stack.get("nobody", "").verdict(), "key-refused");
    assert_eq!(stack.counted("hallpass.retirement_total"), 0);
}

#[test]
fn what_is_no_valid_token_is_no_retired_one() {
    let mut stack = tokens(&[("/authentication_failures", json!("off"))]);
    stack.sleep(30);
    let expired = token(&json!({"client": "globex", "exp": START.secs() - 60}));
    let (good, other) = (of("globex"), of("acme"));
    let forged = format!("{}.{}", good.rsplit_once('.').unwrap().0, other.rsplit_once('.').unwrap().1);
    for (bad, verdict) in [("x", "token-invalid"), (&expired, "token-expired"), (&forged, "token-invalid")] {
        let exchange = stack.get("", bad);
        assert_eq!(exchange.verdict(), verdict);
        assert!(exchange.request.retirement().is_none(), "{bad}");
    }
    assert_eq!(stack.counted("hallpass.retirement_total"), 0);
    assert_eq!(stack.get("", &of("globex")).verdict(), "credential-retired");
}

#[test]
fn replies_carry_the_fields_from_the_announcement_on() {
    let mut stack = keys(&[]);
    for (after, told) in [(9, false), (1, true), (9, true)] {
        stack.sleep(after);
        let mut exchange = stack.login("globex");
        assert_eq!(exchange.verdict(), "pass");
        let edits = stack.reply(&mut exchange, 304, None);
        let field = |name: &str| edits.fields.iter().find(|(it, _)| *it == name).map(|(_, value)| value.as_str());
        assert_eq!(field("deprecation").is_some(), told);
        assert_eq!((field("sunset").is_some(), edits.link.is_some()), (told, told));
        if told {
            assert_eq!(field("deprecation"), Some("@1780228810"));
            assert_eq!(field("sunset"), Some("Sun, 31 May 2026 12:00:30 GMT"));
        }
    }
    // The client's own end.
    let mut exchange = stack.login("acme1");
    let edits = stack.reply(&mut exchange, 200, None);
    assert!(edits.fields.contains(&("sunset", "Sun, 31 May 2026 12:00:40 GMT".to_owned())), "{:?}", edits.fields);
}

#[test]
fn every_denial_after_the_key_is_known_tells() {
    let told = |exchange: &Exchange| exchange.request.retirement().is_some_and(|notice| notice.fields().is_some());
    let mut stack = keys(&[]);
    stack.sleep(10);
    let good = of("globex");
    for (exchange, verdict) in [
        (stack.get("globex", ""), "token-missing"),
        (stack.get("globex", "x"), "token-invalid"),
        (stack.get("globex", &of("acme")), "client-mismatch"),
        (stack.students("globex", &good, "["), "body-malformed"),
        (stack.students("globex", &good, r#"{"d": "d2"}"#), "district-out-of-scope"),
        (stack.students("globex", &good, r#"{"d": "d1"}"#), "limit-reached"),
    ] {
        assert_eq!(exchange.verdict(), verdict);
        assert!(told(&exchange), "{verdict}");
    }
    // Before it is known nobody is told.
    assert!(!told(&stack.get("nobody", &good)));
    assert!(!told(&stack.send("GET", "/nothing", "globex", "", &[], true)));
}

#[test]
fn request_is_judged_by_its_arrival() {
    let mut stack = keys(&[("/tiers/trickle/limits", json!([]))]);
    stack.sleep(29);
    let headers = [("content-type", "application/json")];
    let mut waits = stack.send("POST", "/students", "globex", &of("globex"), &headers, false);
    assert_eq!(waits.verdict(), "body");
    // Its body ends after the end of its key: it passes, and new requests do not.
    stack.sleep(2);
    stack.body(&mut waits, br#"{"d": "d1"}"#);
    assert_eq!(waits.verdict(), "pass");
    assert_eq!(waits.request.retirement().unwrap().phase, Phase::Throttled);
    assert_eq!(stack.get("globex", &of("globex")).verdict(), "credential-retired");
    // An hour later, the clock set back to before the end: it counts as it stands.
    stack.now = START;
    assert_eq!(stack.get("globex", &of("globex")).verdict(), "pass");
}

#[test]
fn dry_run_counts_and_lets_pass() {
    for (changes, verdict, reported) in [
        (vec![], "credential-retired", 0),
        (vec![("/dry_run", json!(true))], "pass", 1),
        // the tier that holds is the harder one
        (vec![("/tiers/trickle", json!({"limits": [], "dry_run": true}))], "pass", 1),
        (vec![("/tiers/starter/dry_run", json!(true))], "credential-retired", 0),
    ] {
        for mut stack in [keys(&changes), tokens(&changes)] {
            stack.sleep(30);
            let exchange = if stack.worker.config.api_keys.as_ref().is_some_and(|keys| keys.retirement.is_some()) {
                stack.login("globex")
            } else {
                stack.get("", &of("globex"))
            };
            assert_eq!((exchange.verdict(), tier(&stack, &exchange)), (verdict, "trickle".to_owned()), "{changes:?}");
            assert!(exchange.request.retirement().unwrap().fields().is_some());
            let name = "hallpass.dry_run_denials_total.decision=.=credential-retired";
            assert_eq!(stack.counted(name), reported, "{changes:?}");
        }
    }
    // Without a harder tier it is the credential's own that may report only.
    let mut bare = schedule();
    for field in ["throttled_from", "throttled_tier", "extensions"] {
        bare.as_object_mut().unwrap().remove(field);
    }
    let mut stack = keys(&[("/api_keys/retirement", bare), ("/tiers/starter/dry_run", json!(true))]);
    stack.sleep(30);
    assert_eq!(stack.login("globex").verdict(), "pass");
}

#[test]
fn unknown_tier_is_not_made_known_by_a_harder_one() {
    let mut stack = Stack::new(&[
        ("/tiers/trickle", trickle()),
        ("/issuers/0/retirement", schedule()),
        ("/issuers/0/claims", json!({"client": "client", "tier": "plan"})),
        ("/routes", json!([{"match": {"path": "/plain"}}])),
    ]);
    stack.sleep(20);
    assert_eq!(stack.get("", &token(&json!({"plan": "gold"}))).verdict(), "tier-unknown");
    assert_eq!(stack.get("", &token(&json!({"plan": "starter", "client": "globex"}))).verdict(), "pass");
}

#[test]
fn of_a_key_and_a_token_the_sooner_end_is_told_and_both_are_counted() {
    let mut bare = schedule();
    for field in ["throttled_from", "throttled_tier", "extensions"] {
        bare.as_object_mut().unwrap().remove(field);
    }
    bare["refused_from"] = json!(date(25));
    let mut stack = keys(&[("/issuers/0/retirement", bare)]);
    stack.sleep(24);
    let mut exchange = stack.get("globex", &of("globex"));
    assert_eq!(exchange.verdict(), "pass");
    let edits = stack.reply(&mut exchange, 200, None);
    assert!(edits.fields.contains(&("sunset", "Sun, 31 May 2026 12:00:25 GMT".to_owned())), "{:?}", edits.fields);
    assert_eq!(stack.counted("hallpass.retirement_total.class=.=api_keys;.;phase=.=throttled"), 1);
    stack.sleep(1);
    // The key would do for another five seconds, the token no more.
    assert_eq!(stack.get("acme1", &of("acme")).verdict(), "credential-retired");
    assert_eq!(stack.counted("hallpass.retirement_total.class=.=students.example.com;.;phase=.=refused"), 1);
}
