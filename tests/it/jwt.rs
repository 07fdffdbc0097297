//! Tokens through a real Envoy: algorithms, keys, issuers, claims, and what becomes of verified tokens later.

mod claims;
mod presentation;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::Algorithm;
use p384::ecdsa::signature::Signer as _;
use p384::ecdsa::{Signature, SigningKey};
use serde_json::{Value, json};

use crate::support::policy::{ISSUER, KEY, config, expect_problem, issuer, open_and_guarded, start, token};
use crate::support::tokens::{jwks, now};
use crate::support::{DEADLINE, Gateway, Key, KeyServer, Response, Token, Upstream, wait_for};

const SECRET: Key = Key::Secret(b"a shared secret of sixty-four bytes, which is what HS512 asks for");

#[track_caller]
fn get(gateway: &Gateway, token: &str) -> Response {
    gateway.get("/a").bearer(token).send()
}

#[track_caller]
fn expect_refused(gateway: &Gateway, token: &str, what: &str) {
    let response = get(gateway, token);
    assert_eq!(response.status, 401, "{what}: {response:?}");
    expect_problem(&response, 401, "token-invalid");
}

/// A token with the last bit of byte `at` of its signature flipped.
fn flipped(token: &str, at: usize) -> String {
    let (input, signature) = token.rsplit_once('.').expect("a signature");
    let mut bytes = URL_SAFE_NO_PAD.decode(signature).expect("base64url");
    let last = bytes.len() - 1;
    bytes[at.min(last)] ^= 1;
    format!("{input}.{}", URL_SAFE_NO_PAD.encode(bytes))
}

/// A token with the payload of another.
fn spliced(token: &str, other: &str) -> String {
    let part = |token: &str, nth: usize| token.split('.').nth(nth).expect("three segments").to_owned();
    format!("{}.{}.{}", part(token, 0), part(other, 1), part(token, 2))
}

/// A P-384 key, which the library of the tests cannot make: its JWK and a token.
fn es384(kid: &str) -> (Value, String) {
    let key = SigningKey::from_slice(&[7; 48]).expect("a scalar");
    let point = key.verifying_key().to_encoded_point(false);
    let part = |bytes: Option<&p384::FieldBytes>| URL_SAFE_NO_PAD.encode(bytes.expect("a coordinate"));
    let jwk = json!({
        "kty": "EC", "crv": "P-384", "kid": kid, "alg": "ES384", "use": "sig", "x": part(point.x()), "y": part(point.y()),
    });
    let header = json!({"alg": "ES384", "kid": kid}).to_string();
    let input = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(token().claims.to_string()));
    let signature: Signature = key.sign(input.as_bytes());
    (jwk, format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature.to_bytes())))
}

#[track_caller]
fn check_algorithm(gateway: &Gateway, upstream: &Upstream, name: &str, valid: &str) {
    let other = token().claim("tier", "premium").sign();
    let truncated = &valid[..valid.len() - 2];
    let bare = &valid[..=valid.rfind('.').expect("a signature")];
    let twins = [
        flipped(valid, 0),
        flipped(valid, 20),
        flipped(valid, usize::MAX),
        spliced(valid, &other),
        truncated.to_owned(),
        bare.to_owned(),
    ];
    upstream.forget();
    for twin in &twins {
        expect_refused(gateway, twin, name);
    }
    assert_eq!(upstream.heads(), 0, "{name}");
    assert_eq!(get(gateway, valid).status, 200, "{name}");
    // And once more, now that both the good and the bad are known.
    assert_eq!(get(gateway, valid).status, 200, "{name}");
    expect_refused(gateway, &twins[0], name);
}

#[test]
fn every_public_key_algorithm_is_accepted_and_its_tampered_twins_are_refused() {
    use Algorithm::{ES256, EdDSA, PS256, PS384, PS512, RS256, RS384, RS512};
    let algorithms: [(Key, &[Algorithm]); 3] = [
        (Key::Rsa1, &[RS256, RS384, RS512, PS256, PS384, PS512]),
        (Key::P256No1, &[ES256]),
        (Key::Ed25519No1, &[EdDSA]),
    ];
    let all = || algorithms.iter().flat_map(|(key, algorithms)| algorithms.iter().map(|algorithm| (*key, *algorithm)));
    let (p384, es384) = es384("ES384");
    let mut keys: Vec<Value> =
        all().map(|(key, algorithm)| key.named_for(&format!("{algorithm:?}"), algorithm)).collect();
    keys.push(p384);
    let mut config = open_and_guarded();
    config["issuers"][0]["jwks"] = json!({"inline": jwks(&keys)});
    let (upstream, gateway) = start(config);

    for (key, algorithm) in all() {
        let name = format!("{algorithm:?}");
        check_algorithm(&gateway, &upstream, &name, &Token::education(key, &name).algorithm(algorithm).sign());
    }
    check_algorithm(&gateway, &upstream, "ES384", &es384);
    // The algorithm is the key's: the same RSA key under the name of another algorithm.
    for (kid, algorithm) in [("RS256", RS384), ("PS256", RS256), ("RS512", PS512)] {
        expect_refused(&gateway, &Token::education(Key::Rsa1, kid).algorithm(algorithm).sign(), kid);
    }
}

#[test]
fn every_secret_algorithm_is_accepted_and_its_tampered_twins_are_refused() {
    let mut config = open_and_guarded();
    let Key::Secret(secret) = SECRET else { panic!("a secret") };
    let secrets = ["HS256", "HS384", "HS512"]
        .map(|name| json!({"kid": name, "alg": name, "text": String::from_utf8_lossy(secret)}));
    config["issuers"][0].as_object_mut().unwrap().remove("jwks");
    config["issuers"][0]["secrets"] = json!(secrets);
    let (upstream, gateway) = start(config);

    for (name, algorithm) in [("HS256", Algorithm::HS256), ("HS384", Algorithm::HS384), ("HS512", Algorithm::HS512)] {
        check_algorithm(&gateway, &upstream, name, &Token::education(SECRET, name).algorithm(algorithm).sign());
    }
    expect_refused(&gateway, &Token::education(SECRET, "HS256").sign(), "HS512 with the key of HS256");
    expect_refused(&gateway, &Token::education(Key::Secret(b"a guess"), "HS512").sign(), "another secret");
}

#[test]
fn public_keys_are_no_secrets() {
    let (rsa, p256) = (Key::Rsa1.named("rsa"), Key::P256No1.named("p256"));
    // An oct key of a remote set is ignored.
    let oct = json!({"kty": "oct", "kid": "oct", "alg": "HS256", "k": URL_SAFE_NO_PAD.encode([5; 64])});
    let server = KeyServer::start(&jwks(&[rsa.clone(), p256.clone(), oct]));
    let mut config = open_and_guarded();
    config["issuers"][0]["jwks"] =
        json!({"remote": {"uri": "https://auth.example.com/jwks", "cluster": "auth", "cooldown": "100ms"}});
    let upstream = Upstream::start();
    let gateway = Gateway::builder().config(config).upstream(upstream.port()).auth(server.port()).start();

    let guesses = [
        ("rsa", rsa.to_string().into_bytes()),
        ("rsa", URL_SAFE_NO_PAD.decode(rsa["n"].as_str().unwrap()).unwrap()),
        ("rsa", rsa["n"].as_str().unwrap().as_bytes().to_vec()),
        ("p256", p256.to_string().into_bytes()),
        ("p256", URL_SAFE_NO_PAD.decode(p256["x"].as_str().unwrap()).unwrap()),
        ("oct", vec![5; 64]),
    ];
    for (kid, bytes) in guesses {
        let secret = Key::Secret(Box::leak(bytes.into_boxed_slice()));
        for algorithm in [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512] {
            expect_refused(&gateway, &Token::education(secret, kid).algorithm(algorithm).sign(), kid);
            let unnamed = Token::education(secret, kid).algorithm(algorithm).header("kid", json!(null));
            expect_refused(&gateway, &unnamed.sign(), "no kid");
        }
    }
    assert_eq!(upstream.heads(), 0);
    get(&gateway, &Token::education(Key::Rsa1, "rsa").sign()).expect_status(200);
    get(&gateway, &Token::education(Key::P256No1, "p256").sign()).expect_status(200);
}

#[test]
fn kid_chooses_the_key() {
    let mut config = open_and_guarded();
    let keys = [Key::P256No1.named("one"), Key::P256No2.named("two"), Key::Rsa1.named("rsa")];
    config["issuers"][0]["jwks"] = json!({"inline": jwks(&keys)});
    let (_upstream, gateway) = start(config);
    let signed = |key: Key, kid: Value| Token::education(key, "").header("kid", kid).sign();

    get(&gateway, &signed(Key::P256No1, json!("one"))).expect_status(200);
    get(&gateway, &signed(Key::P256No2, json!("two"))).expect_status(200);
    // Without a kid exactly one key must have the algorithm.
    get(&gateway, &signed(Key::Rsa1, json!(null))).expect_status(200);
    expect_refused(&gateway, &signed(Key::P256No1, json!(null)), "two keys have ES256");
    for kid in [
        json!("two"),
        json!("three"),
        json!("ONE"),
        json!("one "),
        json!(""),
        json!(1),
        json!({"a": 1}),
        json!(["one"]),
    ] {
        expect_refused(&gateway, &signed(Key::P256No1, kid.clone()), &kid.to_string());
    }
    // The names of attacks are names of no key.
    for kid in ["../../../dev/null", "' or 1=1 --", "one\0", "http://a/", &"k".repeat(10_000)] {
        expect_refused(&gateway, &signed(Key::P256No1, json!(kid)), "a hostile kid");
    }
}

fn two_issuers() -> Value {
    let mut config = config(&json!([
        {"match": {"path": "/one/"}, "issuers": [ISSUER]},
        {"match": {"path": "/two/"}, "issuers": ["https://two.example.com/"]},
        {"match": {"path": "/both/"}},
    ]));
    let mut other = issuer();
    other["issuer"] = json!("https://two.example.com/");
    // The same kid, another key.
    other["jwks"] = json!({"inline": jwks(&[Key::P256No2.named("k")])});
    other["tiers"] = json!(["free"]);
    config["issuers"].as_array_mut().unwrap().push(other);
    config["tiers"] = json!({
        "standard": {"limits": [{"name": "hour", "requests": 3, "per": "1h"}]},
        "free": {"limits": [{"name": "hour", "requests": 3, "per": "1h"}]},
    });
    config
}

#[test]
fn issuers_are_strangers_to_each_other() {
    let (upstream, gateway) = start(two_issuers());
    let of_two = || Token::education(Key::P256No2, "k").claim("iss", "https://two.example.com/").claim("tier", "free");
    let (one, two) = (token().sign(), of_two().sign());
    let send = |path: &str, token: &str| gateway.get(path).bearer(token).send();

    // Keys: a token of one issuer that the other has signed.
    expect_problem(&send("/both/", &of_two().forged_with(KEY).sign()), 401, "token-invalid");
    expect_problem(&send("/both/", &token().forged_with(Key::P256No2).sign()), 401, "token-invalid");
    // Tiers: one that only the other may grant.
    expect_problem(&send("/both/", &of_two().claim("tier", "standard").sign()), 403, "tier-unknown");
    assert_eq!(upstream.heads(), 0);
    // Routes of the other, cold.
    expect_problem(&send("/two/", &one), 401, "token-invalid");
    expect_problem(&send("/one/", &two), 401, "token-invalid");
    assert_eq!(upstream.heads(), 0);

    // Budgets: the same client id twice.
    for _ in 0..3 {
        send("/both/", &one).expect_status(200);
    }
    expect_problem(&send("/one/", &one), 429, "limit-reached");
    send("/two/", &two).expect_status(200);
    // Routes of the other, warm.
    upstream.forget();
    expect_problem(&send("/one/", &two), 401, "token-invalid");
    expect_problem(&send("/two/", &one), 401, "token-invalid");
    assert_eq!(upstream.heads(), 0);
    send("/both/", &two).expect_status(200);
    send("/two/", &two).expect_status(200);
}

#[test]
fn audience_must_be_one_of_ours() {
    let mut config = open_and_guarded();
    config["issuers"][0]["audiences"] = json!(["https://api.example.com", "api"]);
    let (_upstream, gateway) = start(config);
    let with = |audience: Value| token().claim("aud", audience).sign();

    for audience in [json!("api"), json!(["x", "https://api.example.com"]), json!(["api"])] {
        get(&gateway, &with(audience)).expect_status(200);
    }
    for audience in [
        json!(null),
        json!("x"),
        json!(""),
        json!([]),
        json!(["x"]),
        json!(["api", 1]),
        json!(1),
        json!({"api": 1}),
        json!("API"),
    ] {
        expect_refused(&gateway, &with(audience.clone()), &audience.to_string());
    }
}

#[test]
fn claims_are_found_by_pointer() {
    let mut config = open_and_guarded();
    config["issuers"][0]["claims"] =
        json!({"client": "/app/id", "tier": "https://example.com/tier", "schools": "/grants/0/schools"});
    let (upstream, gateway) = start(config);
    let claims = json!({
        "iss": ISSUER,
        "exp": now() + 60,
        "app": {"id": "nested"},
        "https://example.com/tier": "standard",
        "grants": [{"schools": ["elm-park"]}],
        // decoys at the usual places
        "client_id": "decoy", "tier": "decoy", "schools": ["decoy"],
    });

    get(&gateway, &Token::new(KEY, "k", claims.clone()).sign()).expect_status(200);
    let seen = upstream.last();
    assert_eq!(seen.headers("x-claim-client-id"), ["nested"]);
    assert_eq!(seen.headers("x-claim-tier"), ["standard"]);
    assert_eq!(seen.headers("x-claim-schools"), ["elm-park"]);
    for (name, value) in
        [("app", json!({})), ("app", json!("nested")), ("grants", json!([])), ("grants", json!({"0": 1}))]
    {
        expect_refused(&gateway, &Token::new(KEY, "k", claims.clone()).claim(name, value).sign(), name);
    }
}

#[test]
fn cached_token_is_refused_from_the_second_it_expires() {
    let (upstream, gateway) = start(open_and_guarded());
    let exp = now() + 4;
    let short = token().claim("exp", exp).sign();

    get(&gateway, &short).expect_status(200);
    get(&gateway, &short).expect_status(200);
    assert!(gateway.metric_of_cache("hit") >= 1);
    let refused = wait_for("the expiry", DEADLINE, || {
        let before = now();
        let response = get(&gateway, &short);
        assert!(response.status == 200 || now() >= exp, "refused too early");
        assert!(response.status != 200 || before <= exp, "passed too late");
        (response.status != 200).then_some(response)
    });
    expect_problem(&refused, 401, "token-expired");
    upstream.forget();
    expect_problem(&get(&gateway, &short), 401, "token-expired");
    assert_eq!(upstream.heads(), 0);
}

#[test]
fn token_is_valid_from_its_nbf_with_skew() {
    let mut config = open_and_guarded();
    config["issuers"][0]["clock_skew"] = json!("60s");
    let (_upstream, gateway) = start(config);

    get(&gateway, &token().claim("nbf", now() + 30).claim("iat", now() + 30).sign()).expect_status(200);
    get(&gateway, &token().claim("exp", now() - 30).sign()).expect_status(200);
    expect_refused(&gateway, &token().claim("nbf", now() + 120).sign(), "nbf in the future");
    expect_refused(&gateway, &token().claim("iat", now() + 120).sign(), "iat in the future");
    expect_problem(&get(&gateway, &token().claim("exp", now() - 61).sign()), 401, "token-expired");
}

#[test]
fn key_that_left_the_key_set_takes_its_tokens_along() {
    let server = KeyServer::start(&jwks(&[Key::P256No1.named("old"), Key::P256No2.named("new")]));
    let mut config = open_and_guarded();
    config["issuers"][0]["jwks"] = json!({"remote": {
        "uri": "https://auth.example.com/jwks", "cluster": "auth", "refresh": "200ms", "cooldown": "100ms",
    }});
    let upstream = Upstream::start();
    let gateway = Gateway::builder().config(config).upstream(upstream.port()).auth(server.port()).start();
    let (old, new) = (Token::education(Key::P256No1, "old").sign(), Token::education(Key::P256No2, "new").sign());
    for token in [&old, &old, &new] {
        get(&gateway, token).expect_status(200);
    }

    server.serve(&jwks(&[Key::P256No2.named("new")]));
    let refused = wait_for("the key to go", DEADLINE, || Some(get(&gateway, &old)).filter(|it| it.status != 200));
    expect_problem(&refused, 401, "token-invalid");
    get(&gateway, &new).expect_status(200);
    // The same kid for another key.
    server.serve(&jwks(&[Key::P256No1.named("new")]));
    let refused = wait_for("the key to change", DEADLINE, || Some(get(&gateway, &new)).filter(|it| it.status != 200));
    expect_problem(&refused, 401, "token-invalid");
    get(&gateway, &Token::education(Key::P256No1, "new").sign()).expect_status(200);
}

impl Gateway {
    /// How often the cache of tokens had this result, as of the last flush of at least one.
    fn metric_of_cache(&self, result: &str) -> u64 {
        let name = format!("wasmcustom.hallpass.token_cache_total.result=.={result};.;: ");
        wait_for(&name, DEADLINE, || {
            let stats = self.admin().get("/stats").ok()?.text();
            let value = stats.lines().find_map(|line| line.strip_prefix(&name)?.parse().ok())?;
            (value > 0).then_some(value)
        })
    }
}
