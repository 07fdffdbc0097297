//! One change of the sample, one problem, with its path. The twins that pass are in `accepted`.

use super::*;

#[test]
fn bad_settings_of_the_top_level_are_refused() {
    let realm = "realm: expected 1 to 256 of printable ASCII without quotes and backslashes, got";
    // A quote would end the quoted string of the challenge.
    refused(&[("/realm", json!("a\"b"))], &format!("{realm} another string"));
    // A line feed would end the header.
    refused(&[("/realm", json!("a\nb"))], &format!("{realm} another string"));
    refused(&[("/realm", json!(""))], &format!("{realm} an empty string"));
    // A dialect of another system.
    refused(
        &[("/errors", json!("one-roster"))],
        "errors: expected `problem-json` or `plain` or `student-data-api` or `oneroster` or `oauth`, got another string",
    );
    refused(&[("/dry_run", json!("true"))], "dry_run: expected a boolean, got a string");
    // YAML writes `off` as a string here, and some writers as false.
    refused(
        &[("/rate_limit_headers", json!(true))],
        "rate_limit_headers: expected `draft-11` or `x-ratelimit` or `off`, got a boolean",
    );
    refused(
        &[("/problem_base", json!("about:blank"))],
        "problem_base: expected the beginning of an http or https URL, at most 256 bytes, got another string",
    );
    // It stands in JSON as it is.
    for base in ["https://a/\"", "https://a/\\", "https://a/ ", "https://a/é"] {
        refused(
            &[("/problem_base", json!(base))],
            "problem_base: expected the beginning of an http or https URL, at most 256 bytes, got another string",
        );
    }
    refused(
        &[("/bounds", json!({"max_token_bytes": 60_001}))],
        "bounds.max_token_bytes: expected a whole number from 128 to 60000, got another number",
    );
    refused(
        &[("/bounds", json!({"max_token_bytes": -1}))],
        "bounds.max_token_bytes: expected a whole number from 128 to 60000, got another number",
    );
    refused(
        &[("/bounds", json!({"max_waiters": 1.5}))],
        "bounds.max_waiters: expected a whole number from 1 to 100000, got another number",
    );
    refused(
        &[("/bounds", json!({"max_retry_after": "0s"}))],
        "bounds.max_retry_after: expected a duration from 1s to 366d, got 0ms",
    );
    refused(&[("/bounds", json!({"max_tokens": 1}))], "bounds.max_tokens: unknown field");
    refused(&[("/filter_state", json!("decision"))], "filter_state: expected an array, got a string");
    // What access logs call it, with `hallpass.` before it, is no name here.
    let facts = "`decision` or `tier` or `client` or `route` or `key` or `cost` or `retirement` or `reason` or `limit` or `would_deny`";
    for unknown in ["hallpass.tier", "", "Tier", "schools"] {
        refused(
            &[("/filter_state", json!(["decision", unknown]))],
            &format!("filter_state[1]: expected {facts}, got another string"),
        );
    }
    refused(&[("/filter_state", json!([null]))], &format!("filter_state[0]: expected {facts}, got null"));
    refused(
        &[("/filter_state", json!(["decision", "tier", "decision"]))],
        "filter_state: expected distinct facts, got one a second time",
    );
    refused(
        &[("/authentication_failures", json!("none"))],
        "authentication_failures: expected an object or `off`, got a string",
    );
    refused(
        &[("/authentication_failures", json!({"requests": 0}))],
        "authentication_failures.requests: expected a whole number from 1 to 1000000000, got another number",
    );
    // The name of this budget is fixed.
    refused(&[("/authentication_failures", json!({"name": "x"}))], "authentication_failures.name: unknown field");
}

#[test]
fn bad_issuers_are_refused() {
    refused(&[("/issuers/0/issuer", json!(null))], "issuers[0].issuer: missing");
    refused(&[("/issuers/0/issuer", json!(""))], "issuers[0].issuer: expected an issuer's name, got an empty string");
    // The same issuer twice: whose keys would count?
    let second = sample()["issuers"][0].clone();
    refused(&[("/issuers/-", second)], "issuers[1].issuer: expected distinct issuers, got that of issuers[0] again");
    refused(
        &[("/issuers/0/audiences", json!("https://api.example.com"))],
        "issuers[0].audiences: expected an array, got a string",
    );
    // An empty list would accept every token, or none: who writes it means one of both.
    refused(
        &[("/issuers/0/audiences", json!([]))],
        "issuers[0].audiences: expected at least one audience, got none; leave it out to accept every token",
    );
    refused(&[("/issuers/0/audiences/0", json!(7))], "issuers[0].audiences[0]: expected an audience, got a number");
    refused(
        &[("/issuers/0/audiences/-", json!("https://api.example.com"))],
        "issuers[0].audiences[1]: expected distinct strings, got one a second time",
    );
    refused(
        &[("/issuers/0/clock_skew", json!("6m"))],
        "issuers[0].clock_skew: expected a duration from 0ms to 5m, got 6m",
    );
    refused(
        &[("/issuers/0/max_lifetime", json!("367d"))],
        "issuers[0].max_lifetime: expected a duration from 1s to 366d, got 367d",
    );
    refused(
        &[("/issuers/0/required_claims", json!(["jti", "sub", "jti"]))],
        "issuers[0].required_claims[2]: expected distinct claims, got one a second time",
    );
    let claim = "expected a claim's name, or a JSON Pointer such as `/org/schools`, got another string";
    // `~2` is no escape of JSON Pointer.
    refused(&[("/issuers/0/required_claims", json!(["/a~2"]))], &format!("issuers[0].required_claims[0]: {claim}"));
    refused(&[("/issuers/0/claims/roles", json!("roles"))], "issuers[0].claims.roles: unknown field");
    refused(&[("/issuers/0/issuers", json!(1))], "issuers[0].issuers: unknown field; did you mean `issuer`?");
    // Nothing of `by` is left.
    refused(&[("/tiers/free/limits/0/zz", json!(1))], "tiers.free.limits[0].zz: unknown field");
    refused(&[("/issuers", json!({}))], "issuers: expected an array, got an object");
}

#[test]
fn bad_grants_are_refused() {
    refused(&[("/issuers/0/tiers/1", json!("gold"))], "issuers[0].tiers[1]: expected one of `tiers`, got `gold`");
    refused(&[("/issuers/0/tiers", json!([]))], "issuers[0].tiers: expected at least one tier, got none");
    refused(
        &[("/issuers/0/tiers", json!(["free", "premium", "premium", "free"]))],
        "issuers[0].tiers[2]: expected distinct tiers, got one a second time",
    );
    // Every token names its tier, so that a default would never count.
    refused(
        &[("/issuers/0/default_tier", json!("free"))],
        "issuers[0].default_tier: expected none beside `claims.tier`, the claim that tokens must carry",
    );
    refused(
        &[("/issuers/0/claims/tier", json!(null))],
        "issuers[0].claims.tier: missing; give the claim's name, or a `default_tier`",
    );
    // A default that the issuer may not grant.
    refused(
        &[
            ("/issuers/0/claims/tier", json!(null)),
            ("/issuers/0/tiers", json!(["free"])),
            ("/issuers/0/default_tier", json!("premium")),
        ],
        "issuers[0].default_tier: expected one of the issuer's `tiers`",
    );
    refused(
        &[("/issuers/0/schools", json!(["a,b"]))],
        "issuers[0].schools[0]: expected a school id, got another string",
    );
    // A bound on schools that nobody reads.
    refused(
        &[
            ("/issuers/0/schools", json!(["a"])),
            ("/issuers/0/claims/schools", json!(null)),
            ("/routes/0/scope", json!(null)),
        ],
        "issuers[0].schools: expected `claims.schools` as well, without which no school is read",
    );
}

#[test]
fn bad_sources_of_keys_are_refused() {
    let remote = "/issuers/0/jwks/remote";
    let one = "issuers[0]: expected exactly one of `jwks`, `secrets`, `tokens`, got";
    refused(&[("/issuers/0/jwks", json!(null))], &format!("{one} 0"));
    refused(&[("/issuers/0/secrets", json!([]))], &format!("{one} 2"));
    refused(
        &[("/issuers/0/jwks/inline", json!({"keys": []}))],
        "issuers[0].jwks: expected exactly one of `inline`, `remote`, got 2",
    );
    refused(
        &[("/issuers/0/jwks", json!({"inline": 5}))],
        "issuers[0].jwks.inline: expected a JWKS, as an object or as a string, got a number",
    );
    refused(
        &[("/issuers/0/jwks", json!({"inline": {"keys": []}}))],
        "issuers[0].jwks.inline: key set has no usable key",
    );
    // The key of RFC 7517 appendix A, cut to 31 bytes.
    let weak = json!({"keys": [{"kty": "oct", "alg": "HS256", "k": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}]});
    refused(
        &[("/issuers/0/jwks", json!({"inline": weak}))],
        "issuers[0].jwks.inline: key set has bad keys: key 0: secret is too short (expected 32 bytes, got 31)",
    );
    let at = |field: &str| format!("{remote}/{field}");
    refused(&[(&at("cluster"), json!(null))], "issuers[0].jwks.remote.cluster: missing");
    // Envoy reads it as no timeout at all.
    refused(
        &[(&at("timeout"), json!("0ms"))],
        "issuers[0].jwks.remote.timeout: expected a duration from 1ms to 1m, got 0ms",
    );
    refused(
        &[(&at("timeout"), json!("61s"))],
        "issuers[0].jwks.remote.timeout: expected a duration from 1ms to 1m, got 61s",
    );
    refused(
        &[(&at("cooldown"), json!("99ms"))],
        "issuers[0].jwks.remote.cooldown: expected a duration from 100ms to 1h, got 99ms",
    );
    refused(
        &[(&at("refresh"), json!("1s"))],
        "issuers[0].jwks.remote.refresh: expected at least `cooldown` (2s), got 1s",
    );
    refused(
        &[(&at("max_stale"), json!("9m"))],
        "issuers[0].jwks.remote.max_stale: expected at least `refresh` (10m), got 9m",
    );
    // A refresh beyond the default of `max_stale`.
    refused(
        &[(&at("refresh"), json!("25h")), (&at("max_stale"), json!(null))],
        "issuers[0].jwks.remote.max_stale: expected at least `refresh` (25h), got 1d",
    );
    for duration in
        ["2", "s", "", "2 s", "-2s", "2.5s", "2S", "2w", "٢s", "99999999999999999999s", "18446744073709551615d"]
    {
        let problem = "issuers[0].jwks.remote.timeout: expected a duration such as `500ms`, `2s`, `10m`, `24h` or `7d`, got another string";
        refused(&[(&at("timeout"), json!(duration))], problem);
    }
}

#[test]
fn bad_uris_are_refused() {
    let uris = [
        // Not absolute.
        "/jwks.json",
        "auth.example.com/jwks.json",
        // Another scheme.
        "file:///etc/passwd",
        "ftp://auth.example.com/",
        // Credentials would end up in `:authority`.
        "https://user:secret@auth.example.com/",
        // A fragment is never sent.
        "https://auth.example.com/#keys",
        // Bytes that end a header, and others that are no part of a URI.
        "https://auth.example.com/\r\nx: y",
        "https://auth.example.com/a b",
        "https://auth.example.com/\\",
        "https://müller.example/",
        // No host.
        "https://",
        "https:///jwks",
        "https://:443/",
        // A port that is none.
        "https://auth.example.com:99999/",
        "https://auth.example.com:0/",
        "https://auth.example.com:/",
    ];
    for uri in uris {
        let problem = "issuers[0].jwks.remote.uri: expected an absolute URI such as `https://auth.example.com/jwks.json`, got another string";
        refused(&[("/issuers/0/jwks/remote/uri", json!(uri))], problem);
    }
}

#[test]
fn bad_secrets_are_refused_without_showing_them() {
    let canary = "canary-canary";
    let check = |secret: Value, problem: &str| {
        refused(&[("/issuers/0/jwks", json!(null)), ("/issuers/0/secrets", json!([secret]))], problem);
        assert!(!problem.contains(canary));
    };
    // Too short for the hash.
    check(
        json!({"alg": "HS256", "text": canary}),
        "issuers[0].secrets: key set has bad keys: key 0: secret is too short (expected 32 bytes, got 13)",
    );
    check(
        json!({"alg": "HS256", "base64": canary}),
        "issuers[0].secrets[0].base64: expected base64, got another string",
    );
    check(
        json!({"alg": "none", "text": canary}),
        "issuers[0].secrets[0].alg: expected `HS256` or `HS384` or `HS512`, got another string",
    );
    check(
        json!({"alg": "RS256", "text": canary}),
        "issuers[0].secrets[0].alg: expected `HS256` or `HS384` or `HS512`, got another string",
    );
    check(json!({"alg": "HS256"}), "issuers[0].secrets[0]: expected exactly one of `base64`, `text`, `env`, got 0");
    check(
        json!({"alg": "HS256", "text": canary, "base64": canary}),
        "issuers[0].secrets[0]: expected exactly one of `base64`, `text`, `env`, got 2",
    );
    check(json!(canary), "issuers[0].secrets[0]: expected an object, got a string");
    check(json!({"alg": "HS256", "text": [canary]}), "issuers[0].secrets[0].text: expected a secret, got an array");
}
