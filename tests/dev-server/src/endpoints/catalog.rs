//! The endpoints, each with what it does and a request that it accepts. A test sends them all.

use super::Endpoint;

pub(super) const PLATFORM: &[Endpoint] = &[
    Endpoint::post(
        "/applications",
        r#"{"name": "mine", "tier": "free", "schools": ["oakwood-primary"]}"#,
        "Registers an application: 201 with client_id and client_secret, which is shown only here. \
         `tier` is any tier of the gateway's configuration.",
    ),
    Endpoint::get("/applications/{client_id}", "The application; Basic with its id and secret.")
        .at("/applications/CLIENT_ID")
        .as_user("CLIENT_ID:CLIENT_SECRET"),
    Endpoint::patch(
        "/applications/{client_id}",
        r#"{"tier": "premium", "schools_add": ["millbrook-academy"], "schools_remove": ["oakwood-primary"]}"#,
        "Changes {tier?, schools_add?, schools_remove?}. Tokens issued before keep what they say.",
    )
    .at("/applications/CLIENT_ID")
    .as_user("CLIENT_ID:CLIENT_SECRET"),
    Endpoint::post(
        "/oauth/token",
        r#"{"client_id": "CLIENT_ID", "client_secret": "CLIENT_SECRET", "audience": "https://api.example.com", "grant_type": "client_credentials"}"#,
        "The client credentials grant, in JSON or as a form; errors of RFC 6749.",
    ),
    Endpoint::get("/.well-known/jwks.json", "The public keys."),
    Endpoint::post(
        "/dev/rotate-keys",
        r#"{"mode": "add", "alg": "ES256"}"#,
        "Signs with a fresh key {mode, alg?}; the old one stays in the key set (add) or goes (replace).",
    ),
    Endpoint::post(
        "/dev/tokens",
        r#"{"claims": {"iss": "https://auth.example.com/", "client_id": "mine", "tier": "free", "schools": [], "exp": 4102444800}}"#,
        "Signs any claims, byte for byte {claims, alg?, kid?, key?, header?}: `alg` may be none, `key` is an HMAC secret or a \
         private key in PEM, null in `header` removes a member.",
    ),
    Endpoint::post(
        "/dev/jwks-fault",
        r#"{"status": 500, "delay_ms": 100, "body": "broken"}"#,
        "The key set misbehaves {status?, delay_ms?, body?}, until null is posted.",
    ),
    Endpoint::get(
        "/dev/stats",
        "Counters: requests for key sets, tokens and lists, and those that reached the data APIs.",
    ),
    Endpoint::get("/dev/requests", "The heads of the last 200 requests that reached the data APIs, and their number."),
    Endpoint::new("DELETE", "/dev/requests", "Forgets them."),
    Endpoint::get("/healthz", "ok, on both listeners; neither counted nor logged."),
];

pub(super) const VENDORS: &[Endpoint] = &[
    Endpoint::get(
        "/v1/keys.json",
        "For the gateway: {version, keys: [{id, client, sha256, tier, not_before?, not_after?}]}.",
    ),
    Endpoint::get(
        "/v1/revocations.json",
        "For the gateway: {version, tokens: [jti], clients: [{client, issued_until}]}.",
    ),
    Endpoint::post(
        "/dev/vendors",
        r#"{"vendor": "mine", "tier": "starter", "districts": ["1503000"], "schools": [], "permissions": ["students.read"], "users": [{"email": "me@mine.example", "password": "secret"}]}"#,
        "Opens a client: 201. Passwords are kept as Argon2id hashes.",
    ),
    Endpoint::post(
        "/dev/keys",
        r#"{"client": "reading-lab"}"#,
        "Makes a key {client, tier?, not_before?, not_after?}: 201 with `key`, which is shown only here. The client's tier is \
         the default.",
    ),
    Endpoint::post(
        "/dev/keys/rotate",
        r#"{"id": "KEY_ID", "at": "2100-01-01T00:00:00Z"}"#,
        "Makes the next key {id, at?}: 201. It works from now on; the old one ends at that time, or now.",
    ),
    Endpoint::post(
        "/dev/scope",
        r#"{"vendor": "reading-lab", "districts": ["1504000"]}"#,
        "Changes the access scope {vendor, districts?, schools?, permissions?}; what the vendor was issued up to now is void.",
    ),
    Endpoint::post("/dev/revoke", r#"{"jti": "TOKEN_ID"}"#, "Voids one token."),
    Endpoint::post(
        "/dev/permission-tokens",
        r#"{"claims": {"iss": "https://students.example.com/", "vendor": "reading-lab", "exp": 4102444800}}"#,
        "Signs any claims as the login would, byte for byte.",
    ),
    Endpoint::post("/dev/keys-fault", r#"{"status": 500}"#, "The list of keys misbehaves, until null is posted."),
    Endpoint::post("/dev/revocations-fault", r#"{"status": 500}"#, "The list of revocations misbehaves, likewise."),
];

pub(super) const DISTRICTS: &[Endpoint] = &[
    Endpoint::get(
        "/v1/district-tokens.json",
        "For the gateway: {version, tokens: [{sha256, client, district, schools, tier, not_after?}]}.",
    ),
    Endpoint::post(
        "/dev/district-applications",
        r#"{"application": "mine", "tier": "standard"}"#,
        "Registers an application: 201 with `secret`, which is shown only here.",
    ),
    Endpoint::post(
        "/dev/districts/share",
        r#"{"application": "gradebook", "district": "1503000"}"#,
        "A district signs up {application, district, schools?, tier?, not_after?}: 201. All its schools and the application's \
         tier are the defaults.",
    ),
    Endpoint::get(
        "/oauth/tokens",
        "The application's own list {data: [{district, schools, access_token}]}; Basic with its name and secret.",
    )
    .as_user("gradebook:gradebook-development-only"),
    Endpoint::post(
        "/dev/districts/withdraw",
        r#"{"application": "gradebook", "district": "1503000"}"#,
        "The district shares no more: the token leaves both lists.",
    ),
    Endpoint::post(
        "/dev/district-tokens-fault",
        r#"{"status": 500}"#,
        "The gateway's list misbehaves, until null is posted.",
    ),
];

const SCHOOLS: &[(&str, &str)] = &[("X-Claim-Schools", "oakwood-primary,ravenscroft-high")];
const DISTRICT: &[(&str, &str)] = &[("X-Claim-Districts", "1503000"), ("X-Claim-Schools", "15030001,15030002")];

pub(super) const API: &[Endpoint] = &[
    Endpoint::get("/stats/v1/schools", "The approved schools.").with(SCHOOLS),
    Endpoint::get("/stats/v1/schools/{school_id}/attendance", "One school by day.")
        .at("/stats/v1/schools/oakwood-primary/attendance")
        .with(SCHOOLS),
    Endpoint::get("/stats/v1/attendance/summary", "One school, or all approved ones.")
        .at("/stats/v1/attendance/summary?school_id=oakwood-primary")
        .with(SCHOOLS),
    Endpoint::get(
        "/stats/v1/attendance/daily",
        "One school by day, on a route whose school the gateway does not know.",
    )
    .at("/stats/v1/attendance/daily?school_id=oakwood-primary")
    .with(SCHOOLS),
    Endpoint::get("/stats/v1/attendance/records", "Records, with X-Actual-Cost: one each.")
        .at("/stats/v1/attendance/records?limit=25")
        .with(SCHOOLS),
    Endpoint::get("/stats/v1/broken", "Always 500."),
    Endpoint::post(
        "/v1/login",
        r#"{"email": "integrations@reading-lab.example", "password": "reading-lab-development-only"}"#,
        "{actionOk, token} for a user of the client in X-Claim-Client-Id.",
    )
    .with(&[("X-Claim-Client-Id", "reading-lab")]),
    Endpoint::post(
        "/v1/students",
        r#"{"limit": 25, "districtlea": "1503000"}"#,
        "Invented students {limit?, districtlea?, schoolleas?} within the forwarded scope.",
    )
    .with(&[
        ("X-Claim-Districts", "1503000"),
        ("X-Claim-Schools", "15040001"),
        ("X-Claim-Permissions", "students.read"),
    ]),
    Endpoint::get("/districts/v1/schools", "The shared schools.").with(DISTRICT),
    Endpoint::get("/districts/v1/students", "The students of a shared school.")
        .at("/districts/v1/students?school_id=15030001")
        .with(DISTRICT),
    Endpoint::get("/districts/v1/{district_id}/students", "The students of all shared schools of a district.")
        .at("/districts/v1/1503000/students")
        .with(DISTRICT),
    Endpoint::get("/echo/{*rest}", "Any method: what arrived, its head, trailers, length and SHA-256 of the body.")
        .at("/echo/anything"),
];
