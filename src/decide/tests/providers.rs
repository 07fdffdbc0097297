//! Key sets and tokens as common identity providers make them: none is refused, and each twin that is not meant for this API is.

use super::*;
use crate::credentials::jwt::signature::HostCrypto;
use crate::credentials::jwt::testing::{RSA_N, RustHost, token_with_header};

/// What a provider publishes and signs.
struct Provider {
    name: &'static str,
    issuer: &'static str,
    audiences: Value,
    claims: Value,
    /// The `kid` of its signing key is `SIGN`.
    keys: Value,
    alg: Alg,
    header: Value,
    /// Without `iss`, `iat` and `exp`.
    payload: Value,
    client: &'static str,
    permissions: &'static str,
}

const CERTIFICATE: &str = "MIIC/TCCAeWgAwIBAgIIUd7j/OIahkYwDQYJKoZIhvcNAQELBQAwLTErMCkGA1UEAxMi";
const THUMBPRINT: &str = "nOo3ZDrODXEK1jKWhXslHR_KXEg";

/// The key that signs, with these members beside its numbers, and another one that signs nothing here.
fn rsa(kid: &str, members: &Value) -> [Value; 2] {
    let key = |kid: &str, n: &str| {
        let mut key = json!({"kty": "RSA", "kid": kid, "n": n, "e": "AQAB"});
        key.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        key
    };
    [key("another", &RSA_N.replacen("ofgW", "ofgX", 1)), key(kid, RSA_N)]
}

fn entra() -> Provider {
    let members = json!({
        "use": "sig", "x5t": THUMBPRINT, "x5c": [CERTIFICATE], "cloud_instance_name": "microsoftonline.com",
        "issuer": "https://login.microsoftonline.com/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0"
    });
    Provider {
        name: "Entra ID",
        issuer: "https://login.microsoftonline.com/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0",
        audiences: json!(["api://students"]),
        claims: json!({"client": "azp", "permissions": "roles"}),
        keys: json!(rsa(THUMBPRINT, &members)),
        alg: Alg::Rs256,
        header: json!({"typ": "JWT", "alg": "RS256", "x5t": THUMBPRINT, "kid": THUMBPRINT, "nonce": "4kd0b-oJ"}),
        payload: json!({
            "aud": "api://students", "nbf": NOW.secs() - 5, "aio": "ASQA2/8TAAAA+x=", "azp": "0f9c-1", "azpacr": "1",
            "oid": "f1", "rh": "0.AX", "roles": ["students.read"], "sub": "f1", "tid": "9188040d", "uti": "a", "ver": "2.0"
        }),
        client: "0f9c-1",
        permissions: "students.read",
    }
}

fn auth0(typ: &str) -> Provider {
    let kid = "NjVBRjY5MDlCMUIwNzU4RTA2QzZFMDQ4QzQ2MDAyQjVDNjk1RTM2Qg";
    Provider {
        name: "Auth0",
        issuer: "https://tenant.eu.auth0.com/",
        audiences: json!(["https://api.example.com"]),
        claims: json!({"client": "azp", "permissions": "permissions", "schools": "https://example.com/schools"}),
        keys: json!(rsa(kid, &json!({"alg": "RS256", "use": "sig", "x5t": kid, "x5c": [CERTIFICATE]}))),
        alg: Alg::Rs256,
        header: json!({"alg": "RS256", "typ": typ, "kid": kid}),
        payload: json!({
            "sub": "auth0|5f7c8ec7c33c6c004bbafe82", "aud": ["https://api.example.com", "https://tenant.eu.auth0.com/userinfo"],
            "azp": "my_client_id", "scope": "openid profile", "permissions": ["students.read", "read:all"],
            "https://example.com/schools": ["oakwood"]
        }),
        client: "my_client_id",
        permissions: "students.read,read:all",
    }
}

fn keycloak() -> Provider {
    let kid = "FJ86GcF3jTbNLOco4NvZkUCIUmfYCqoqtOQeMfbhNlE";
    let mut keys = rsa(kid, &json!({"alg": "RS256", "use": "sig", "x5c": [CERTIFICATE], "x5t#S256": "a"})).to_vec();
    keys[0]["alg"] = json!("RSA-OAEP");
    keys[0]["use"] = json!("enc");
    keys.push(json!({"kid": "ec", "kty": "EC", "crv": "P-521", "alg": "ES512", "use": "sig", "x": "AA", "y": "AA"}));
    Provider {
        name: "Keycloak",
        issuer: "https://sso.example.com/realms/district",
        audiences: json!(["client"]),
        claims: json!({"client": "azp", "permissions": "/resource_access/students-api/roles"}),
        keys: json!(keys),
        alg: Alg::Rs256,
        header: json!({"alg": "RS256", "typ": "JWT", "kid": kid}),
        payload: json!({
            "jti": "trrtcc:8f5d9d0e-6f0b", "aud": ["realm-management", "client"], "sub": "0a5", "typ": "Bearer",
            "azp": "gradebook", "acr": "1", "allowed-origins": ["/*"], "realm_access": {"roles": ["offline_access"]},
            "resource_access": {"students-api": {"roles": ["students.read"]}, "client": {"roles": ["view-profile"]}},
            "scope": "email profile", "email_verified": false, "clientHost": "10.0.0.1", "client_id": "gradebook"
        }),
        client: "gradebook",
        permissions: "students.read",
    }
}

fn cognito() -> Provider {
    let kid = "1ab+cd/efGHIJKLMNOPQRSTUVWXYZabcdefghijklmn=";
    Provider {
        name: "Cognito",
        issuer: "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_a1B2c3D4e",
        // Access tokens of Cognito have no `aud`.
        audiences: Value::Null,
        claims: json!({"client": "client_id", "permissions": "cognito:groups"}),
        keys: json!(rsa(kid, &json!({"alg": "RS256", "use": "sig"}))),
        alg: Alg::Rs256,
        header: json!({"kid": kid, "alg": "RS256"}),
        payload: json!({
            "sub": "aaaa-bb", "cognito:groups": ["students.read"], "version": 2, "client_id": "1example23456789",
            "origin_jti": "b", "event_id": "c", "token_use": "access", "scope": "openid", "auth_time": NOW.secs() - 9,
            "jti": "d", "username": "e"
        }),
        client: "1example23456789",
        permissions: "students.read",
    }
}

fn okta() -> Provider {
    Provider {
        name: "Okta",
        issuer: "https://dev-1.okta.com/oauth2/default",
        audiences: json!(["api://default"]),
        claims: json!({"client": "cid", "permissions": "scp", "id": "jti"}),
        keys: json!(rsa("w_W6-wXvU5cKbRuHm5mU7lQ1", &json!({"alg": "RS256", "use": "sig"}))),
        alg: Alg::Rs256,
        header: json!({"kid": "w_W6-wXvU5cKbRuHm5mU7lQ1", "alg": "RS256"}),
        payload: json!({
            "ver": 1, "jti": "AT.0mP4JKAZX1iACIT4vbEDF7LpvDVjxypPMf0D7uX39RE", "aud": "api://default", "cid": "0oa1",
            "uid": "00u1", "scp": ["students.read"], "auth_time": NOW.secs() - 9, "sub": "user@example.com"
        }),
        client: "0oa1",
        permissions: "students.read",
    }
}

/// Tokens of Google name nobody's permissions: here a group claim stands for them.
fn google() -> Provider {
    Provider {
        name: "Google",
        issuer: "https://clients.google.com",
        audiences: json!(["1.apps.googleusercontent.com"]),
        claims: json!({"client": "azp", "permissions": "groups"}),
        keys: json!(rsa("f5a1e0e6", &json!({"use": "sig", "alg": "RS256"}))),
        alg: Alg::Rs256,
        header: json!({"alg": "RS256", "kid": "f5a1e0e6", "typ": "JWT"}),
        payload: json!({
            "azp": "1.apps.googleusercontent.com", "aud": "1.apps.googleusercontent.com", "sub": "110169484474386276334",
            "email": "a@example.com", "email_verified": true, "at_hash": "HK6E_P6Dh8Y93mRNtsDB1Q", "hd": "example.com",
            "groups": ["students.read"]
        }),
        client: "1.apps.googleusercontent.com",
        permissions: "students.read",
    }
}

/// As Supabase, Zitadel and others that sign with P-256.
fn p256() -> Provider {
    let mut key: Value = serde_json::from_str(&format!("{{{}}}", jwk_members(Alg::Es256))).unwrap();
    let members = json!({"kid": "b81269f1", "alg": "ES256", "use": "sig", "key_ops": ["verify"], "ext": true});
    key.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    Provider {
        name: "P-256",
        issuer: "https://project.example.co/auth/v1",
        audiences: json!(["authenticated"]),
        claims: json!({"client": "sub", "permissions": "/app_metadata/permissions"}),
        keys: json!([key]),
        alg: Alg::Es256,
        header: json!({"alg": "ES256", "kid": "b81269f1", "typ": "JWT"}),
        payload: json!({
            "aud": "authenticated", "sub": "d2f", "email": "", "phone": "", "user_metadata": {}, "is_anonymous": false,
            "app_metadata": {"permissions": ["students.read"]}, "amr": [{"method": "password", "timestamp": 1}]
        }),
        client: "d2f",
        permissions: "students.read",
    }
}

/// `.NET`: a thumbprint in the header, dates of all kinds, scopes as an array.
fn identity_server() -> Provider {
    Provider {
        name: "IdentityServer",
        issuer: "https://identity.example.com",
        audiences: json!(["students-api"]),
        claims: json!({"client": "client_id", "permissions": "scope"}),
        keys: json!(rsa("6F8A0B1C2D3E4F5061728394A5B6C7D8E9F0A1B2RS256", &json!({"alg": "RS256", "use": "sig"}))),
        alg: Alg::Rs256,
        header: json!({
            "alg": "RS256", "kid": "6F8A0B1C2D3E4F5061728394A5B6C7D8E9F0A1B2RS256", "x5t": THUMBPRINT, "typ": "at+jwt"
        }),
        payload: json!({
            "nbf": NOW.secs(), "aud": ["students-api", "https://identity.example.com/resources"], "client_id": "reader",
            "scope": ["students.read"], "jti": "0F", "amr": ["pwd"], "idp": "local"
        }),
        client: "reader",
        permissions: "students.read",
    }
}

fn all() -> [Provider; 9] {
    [entra(), auth0("JWT"), auth0("at+jwt"), keycloak(), cognito(), okta(), google(), p256(), identity_server()]
}

impl Provider {
    fn config(&self) -> Value {
        let mut issuer = json!({
            "issuer": self.issuer, "jwks": {"remote": {"uri": "https://auth.example.com/keys", "cluster": "auth"}},
            "claims": self.claims, "default_tier": "standard", "max_lifetime": "1h"
        });
        if !self.audiences.is_null() {
            issuer["audiences"] = self.audiences.clone();
        }
        json!({
            "issuers": [issuer],
            "tiers": {"standard": {"limits": []}},
            "routes": [{"match": {"path": "/stats"}, "permissions": ["students.read"]}]
        })
    }

    fn verdict(&self, changes: &Value, host: &dyn HostCrypto) -> Verdict {
        let mut payload = self.payload.clone();
        let own = json!({"iss": self.issuer, "iat": NOW.secs() - 5, "exp": NOW.secs() + 3_595});
        for members in [&own, changes] {
            payload.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        }
        let token = token_with_header(self.alg, &self.header.to_string(), &payload.to_string());
        let bearer = format!("Bearer {token}");
        let keys = json!({"keys": self.keys}).to_string();
        let call = Call { head: &head("GET", "/stats", bearer.as_bytes()), ..Call::default() };
        decide(self.config().to_string().as_bytes(), &[(DocumentId::Keys(0), keys.as_bytes())], &call, host, NOW)
            .unwrap()
    }
}

#[test]
fn tokens_of_common_providers_pass() {
    for provider in all() {
        for host in [&RustHost as &dyn HostCrypto, &NoHost] {
            let verdict = provider.verdict(&json!({}), host);
            let Verdict::Pass(passed) = verdict else { panic!("{}: {verdict:?}", provider.name) };
            assert_eq!(passed.client.as_deref(), Some(provider.client), "{}", provider.name);
            let permissions = format!("set x-claim-permissions: {}", provider.permissions);
            assert!(shown(&passed.head).contains(&permissions), "{}", provider.name);
        }
    }
}

#[test]
fn tokens_of_common_providers_that_are_not_meant_are_refused() {
    for provider in all() {
        let issuer = provider.issuer;
        let toggled = issuer.strip_suffix('/').map_or_else(|| format!("{issuer}/"), str::to_owned);
        let rows = [
            (json!({"exp": NOW.secs() - 31}), "token-expired"),
            (json!({"iat": NOW.secs() + 31}), "token-invalid"),
            // Another spelling of the issuer.
            (json!({"iss": toggled}), "token-invalid"),
            (json!({"iss": issuer.to_uppercase()}), "token-invalid"),
            (json!({"exp": NOW.secs() + 3_596}), "token-invalid"),
        ];
        for (changes, expected) in rows {
            assert_eq!(code(&provider.verdict(&changes, &NoHost)), expected, "{} {changes}", provider.name);
        }
        if !provider.audiences.is_null() {
            let verdict = provider.verdict(&json!({"aud": "https://graph.example.com"}), &NoHost);
            assert_eq!(code(&verdict), "token-invalid", "{}", provider.name);
        }
    }
}
