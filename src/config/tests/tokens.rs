//! Issuers whose tokens are listed.

use super::*;
use crate::config::Source;

fn entry() -> Value {
    json!({
        "sha256": "62af8704764faf8ea82fc61ce9c4c3908b6cb97d463a634e9e587d7c885db0ef",
        "client": "reader", "district": "d1", "schools": ["s1"], "tier": "free"
    })
}

fn inline() -> Value {
    json!({"issuer": "district-tokens", "tokens": {"inline": {"tokens": [entry()]}}})
}

fn remote() -> Value {
    json!({"issuer": "district-tokens", "tiers": ["free"], "tokens": {"remote": {
        "uri": "https://tokens.example.com/tokens.json", "cluster": "tokens"
    }}})
}

#[test]
fn list_is_inline_or_remote() {
    let config = accepted(&[("/issuers/-", inline())]);
    let Some(Source::Inline(list)) = config.issuers[1].tokens() else { panic!("not inline") };
    assert_eq!((list.len(), config.issuers[1].tiers.len()), (1, 3));
    assert!(config.issuers[1].keys().is_none());
    let config = accepted(&[("/issuers/-", remote())]);
    let Some(Source::Remote(remote)) = config.issuers[1].tokens() else { panic!("not remote") };
    assert_eq!((remote.path.as_str(), remote.refresh.as_secs(), remote.max_stale.as_secs()), ("/tokens.json", 10, 600));
    assert_eq!(config.issuers[1].tiers, [0]);
    assert_eq!(config.warnings, Vec::<String>::new());
    // alone, and as the issuer of the clients of API keys
    accepted(&[("/issuers/0", inline())]);
    let keys = json!({"issuer": "district-tokens", "inline": {"keys": []}});
    assert_eq!(accepted(&[("/issuers/-", inline()), ("/api_keys", keys)]).api_keys.unwrap().issuer, Some(1));
}

#[test]
fn routes_take_listed_tokens_like_others() {
    let config = accepted(&[("/issuers/-", inline())]);
    assert_eq!(config.routes[0].issuers, [0, 1]);
    let config = accepted(&[("/issuers/-", inline()), ("/routes/0/issuers", json!(["district-tokens"]))]);
    assert_eq!(config.routes[0].issuers, [1]);
    let districts = json!({"districts": {"query": "d"}, "schools": {"query": "s"}});
    accepted(&[
        ("/issuers/-", inline()),
        ("/routes/0/issuers", json!(["district-tokens"])),
        ("/routes/0/scope", districts),
    ]);
    refused(
        &[
            ("/issuers/-", inline()),
            ("/routes/0/issuers", json!(["district-tokens"])),
            ("/routes/0/permissions", json!(["read"])),
        ],
        "routes[0].permissions: expected `claims.permissions` at the issuer `district-tokens`",
    );
}

#[test]
fn nothing_about_signed_tokens_stands_beside_a_list() {
    for (field, value) in [
        ("jwks", json!({"remote": {"uri": "https://a/", "cluster": "a"}})),
        ("secrets", json!([])),
        ("audiences", json!(["a"])),
        ("clock_skew", json!("1s")),
        ("max_lifetime", json!("1h")),
        ("required_claims", json!(["jti"])),
        ("claims", json!({"tier": "tier"})),
        ("default_tier", json!("free")),
        ("schools", json!(["s1"])),
        ("revocations", json!({"inline": {}})),
    ] {
        let problem = format!("issuers[1].{field}: expected none beside `tokens`, where the list says everything");
        refused(&[("/issuers/-", inline()), (&format!("/issuers/1/{field}"), value)], &problem);
    }
}

#[test]
fn bad_lists_are_refused_with_their_place() {
    fn at(pointer: &str, value: Value) -> [(&str, Value); 2] {
        [("/issuers/-", inline()), (pointer, value)]
    }
    let list = "/issuers/1/tokens/inline";
    let (tier, more) = (format!("{list}/tokens/0/tier"), format!("{list}/tokens/-"));
    for (changes, problem) in [
        (at("/issuers/1/tokens", json!({})), "issuers[1].tokens: expected exactly one of `inline`, `remote`, got 0"),
        (at("/issuers/1/tokens", json!([])), "issuers[1].tokens: expected an object, got an array"),
        (at(list, json!({})), "issuers[1].tokens.inline: `tokens`: expected an array"),
        (at(&tier, json!("gold")), "issuers[1].tokens.inline: `tokens[0].tier`: expected one of `tiers`"),
        (at(&more, entry()), "issuers[1].tokens.inline: `tokens[1].sha256`: expected a hash that no other token has"),
        (at("/issuers/1/tiers", json!(["gold"])), "issuers[1].tiers[0]: expected one of `tiers`, got `gold`"),
        (at("/issuers/1/tokens/extra", json!(1)), "issuers[1].tokens.extra: unknown field"),
    ] {
        refused(&changes, problem);
    }
    let other = json!({"issuer": "others", "tokens": {"inline": {"tokens": []}}});
    refused(
        &[("/issuers/-", inline()), ("/issuers/-", other)],
        "issuers[2]: `tokens`: expected one issuer with a list of tokens, got issuers[1] as well",
    );
}
