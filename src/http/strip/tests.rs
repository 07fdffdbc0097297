use super::{Connection, StripSet, connection};
use crate::http::head::Head;

fn set() -> StripSet {
    StripSet::new(["x-claim-schools", "edu-tier", "x-actual-cost"])
}

#[track_caller]
fn check(names: &[&str], is_removed: bool) {
    for name in names {
        assert_eq!(set().contains(name.as_bytes()), is_removed, "{name}");
    }
}

#[test]
fn claim_headers_are_removed_in_every_spelling() {
    // Any case, and what CGI folds together.
    check(&["x-claim-schools", "X-Claim-Schools", "x_claim_schools", "x-claim_schools"], true);
    check(&["x.claim.schools", "x claim!schools", "X_CLAIM_CLIENT_ID"], true);
    // Default names, even if renamed.
    check(&["x-claim-tier", "x-claim-client-id", "x-claim-districts", "x-claim-permissions"], true);
    // Names from the configuration: a renamed one, and the settlement.
    check(&["edu-tier", "EDU_TIER", "x_actual_cost"], true);
}

#[test]
fn overrides_of_path_and_method_are_removed() {
    check(&["x-http-method-override", "X_HTTP_Method_Override", "x-http-method"], true);
    check(&["x-method-override", "x-original-method", "x-forwarded-method"], true);
    check(&["x-original-url", "x-original-uri", "x-rewrite-url", "x-forwarded-uri"], true);
    check(&["x-forwarded-path", "x-script-name"], true);
    // Gunicorn cuts `SCRIPT_NAME` off the path.
    check(&["SCRIPT_NAME", "script-name", "PATH_INFO", "path.info"], true);
    check(&["X-UP-Devcap-Post-Charset", "x_up_devcap_post_charset"], true);
}

#[test]
fn overrides_of_the_host_are_removed_where_hosts_are_judged() {
    let names =
        ["x-forwarded-host", "X_Forwarded_Host", "x-original-host", "x-host", "forwarded", "x-forwarded-server"];
    let set = StripSet::with_hosts(["edu-tier"]);
    for name in names {
        assert!(set.contains(name.as_bytes()), "{name}");
    }
    assert!(set.contains(b"edu_tier") && set.contains(b"x-claim-tier"));
    assert!(!set.contains(b"host") && !set.contains(b"x-forwarded-for"));
    // Its twin: no route asks for a host.
    check(&names, false);
}

#[test]
fn trailers_say_nothing_about_what_the_head_was_judged_by() {
    let set = set().judging(["x-school-id", "x-api-key"]);
    let judged = ["x-school-id", "X_School_Id", "authorization", "x-api-key", "x-request-id", "x-claim-tier"];
    // What the head was routed and its body was read by.
    let framed = ["content-type", "Content_Type", "content-encoding", "transfer-encoding", "content-length", "host"];
    let head = Head::from_pairs(&[judged, framed].concat().into_iter().map(|name| (name, "a")).collect::<Vec<_>>());
    assert_eq!(set.trailers_to_remove(&head).count(), judged.len() + framed.len());
    // Their twins: other trailers; and in the head these stay.
    let others = Head::from_pairs(&[("x-checksum", "a"), ("x-school", "a")]);
    assert_eq!(set.trailers_to_remove(&others).count(), 0);
    assert!(set.names_to_remove(&head).eq([&b"x-claim-tier"[..], b"Content_Type"]));
}

#[test]
fn request_id_stays_and_its_other_spellings_go() {
    check(&["x_request_id", "X-Request_Id", "x.request.id"], true);
    check(&["x-request-id", "X-Request-Id"], false);
}

#[test]
fn what_tells_of_the_body_has_one_spelling() {
    // Where a server folds names, these say where the body ends: what follows is a request that nobody has judged.
    check(&["Transfer_Encoding", "transfer.encoding", "content_length", "CONTENT_LENGTH"], true);
    // How it is read.
    check(&["Content_Type", "content!type", "content_encoding"], true);
    check(&["Transfer-Encoding", "content-length", "Content-Type", "content-encoding"], false);
}

#[test]
fn other_headers_stay() {
    check(&[":method", ":path", ":authority", "authorization", "x-request-id", ""], false);
    // As long as a protected one.
    check(&["x-forwarded-for", "x-forwarded-proto"], false);
    // A character more, a letter less, a dash less.
    check(&["x-claim-schools-", "x-claim-school", "xclaimschools"], false);
    check(&[&"x".repeat(100)], false);
}

#[test]
fn name_longer_than_the_mask_is_removed() {
    let long = format!("x-{}", "a".repeat(100));
    let set = StripSet::new([long.as_str()]);
    assert!(set.contains(long.to_uppercase().as_bytes()));
    assert!(!set.contains(format!("{long}a").as_bytes()));
}

#[test]
fn duplicates_are_all_named_as_they_are_spelled() {
    let names = [":path", "x-claim-schools", "accept", "X_Claim_Schools", "x-claim-schools"];
    let head = Head::from_pairs(&names.map(|name| (name, "a")));
    let set = set();
    let removed: Vec<_> = set.names_to_remove(&head).collect();
    assert_eq!(removed, [names[1].as_bytes(), names[3].as_bytes(), names[4].as_bytes()]);
    // Its twin: nothing to remove.
    let head = Head::from_pairs(&[(":path", "/"), ("accept", "*/*")]);
    assert_eq!(set.names_to_remove(&head).count(), 0);
}

#[track_caller]
fn check_connection(pairs: &[(&str, &str)], expected: Connection) {
    assert_eq!(connection(&Head::from_pairs(pairs)), expected, "{pairs:?}");
}

const GET: (&str, &str) = (":method", "GET");
const CONNECT: (&str, &str) = (":method", "CONNECT");
const WEBSOCKET: (&str, &str) = ("upgrade", "websocket");

#[test]
fn ordinary_request_is_plain() {
    check_connection(&[GET], Connection::Plain);
    check_connection(&[GET, ("connection", "keep-alive")], Connection::Plain);
    check_connection(&[GET, ("connection", "Close")], Connection::Plain);
}

#[test]
fn upgrades_are_seen() {
    let check = |pairs: &[(&str, &str)], rewrite| {
        check_connection(pairs, Connection::Upgrade { rewrite });
    };
    check(&[GET, WEBSOCKET, ("connection", "Upgrade")], false);
    // Also without `Connection`, and as extended CONNECT.
    check(&[GET, WEBSOCKET], false);
    check(&[CONNECT, (":protocol", "websocket")], false);
    // Lists more than `upgrade`; nominates a claim header for deletion.
    check(&[GET, WEBSOCKET, ("connection", "keep-alive, upgrade")], true);
    check(&[GET, WEBSOCKET, ("connection", "upgrade, x-claim-schools")], true);
    check(&[GET, WEBSOCKET, ("connection", "upgrade"), ("connection", "x-a")], true);
}

#[test]
fn tunnels_and_tricks_are_hostile() {
    let check = |pairs: &[(&str, &str)]| check_connection(pairs, Connection::Hostile);
    check(&[CONNECT]);
    check(&[(":method", "connect")]);
    // `:protocol` without CONNECT, and twice.
    check(&[GET, (":protocol", "websocket")]);
    check(&[CONNECT, (":protocol", "a"), (":protocol", "b")]);
    // Two upgrades.
    check(&[GET, WEBSOCKET, ("upgrade", "h2c")]);
    // A nomination that Envoy has left.
    check(&[GET, ("connection", "x-claim-schools")]);
}
