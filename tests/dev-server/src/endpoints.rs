//! What this server offers: the list at `/`, and the accepted body that a refusal shows.

mod catalog;
#[cfg(test)]
mod tests;

use std::{fmt, net::SocketAddr};

use axum::{Router, http::Method, routing::get};
use serde_json::value::RawValue;

use self::catalog::{API, DISTRICTS, PLATFORM, VENDORS};

const INTRODUCTION: &str = "\
The neighbours of hallpass in the local stack, for development only: the authorization server, and the data APIs behind \
the gateway.\nUPPER_CASE stands for what an earlier answer gave. Times are RFC 3339; a member with `?` may be left out.\n";

/// One endpoint, with a request that it accepts.
#[derive(Clone, Copy)]
pub(crate) struct Endpoint {
    method: &'static str,
    /// The template of the route.
    path: &'static str,
    /// Where the example goes: the path with its parameters filled in, and a query.
    target: &'static str,
    headers: &'static [(&'static str, &'static str)],
    /// Credentials for Basic.
    user: Option<&'static str>,
    /// JSON.
    body: Option<&'static str>,
    about: &'static str,
}

impl Endpoint {
    const fn new(method: &'static str, path: &'static str, about: &'static str) -> Self {
        Self { method, path, target: path, headers: &[], user: None, body: None, about }
    }

    const fn get(path: &'static str, about: &'static str) -> Self {
        Self::new("GET", path, about)
    }

    const fn post(path: &'static str, body: &'static str, about: &'static str) -> Self {
        Self { body: Some(body), ..Self::new("POST", path, about) }
    }

    const fn patch(path: &'static str, body: &'static str, about: &'static str) -> Self {
        Self { body: Some(body), ..Self::new("PATCH", path, about) }
    }

    const fn at(self, target: &'static str) -> Self {
        Self { target, ..self }
    }

    const fn as_user(self, user: &'static str) -> Self {
        Self { user: Some(user), ..self }
    }

    const fn with(self, headers: &'static [(&'static str, &'static str)]) -> Self {
        Self { headers, ..self }
    }

    /// The example as a command.
    fn curl(&self, address: SocketAddr) -> String {
        let method = match (self.method, self.body) {
            ("GET", None) | ("POST", Some(_)) => String::new(),
            (method, _) => format!(" -X {method}"),
        };
        let user = self.user.map(|user| format!(" -u {user}")).unwrap_or_default();
        let mut command = format!("curl -s{method} 'http://{address}{}'{user}", self.target);
        for (name, value) in self.headers {
            command.extend([" -H '", name, ": ", value, "'"]);
        }
        if let Some(body) = self.body {
            command.extend([" -H 'Content-Type: application/json' -d '", body, "'"]);
        }
        command
    }
}

/// A body that the endpoint of this method and template accepts.
pub(crate) fn accepted_body(method: &Method, path: &str) -> Option<&'static RawValue> {
    let groups = [PLATFORM, VENDORS, DISTRICTS, API];
    let endpoint = groups.into_iter().flatten().find(|it| it.method == method.as_str() && it.path == path)?;
    serde_json::from_str(endpoint.body?).ok()
}

/// `GET /` on both listeners.
pub(crate) fn router(auth: SocketAddr, api: SocketAddr) -> Router {
    Router::new().route("/", get(async move || Listing { auth, api }.to_string()))
}

/// The text of the list.
struct Listing {
    auth: SocketAddr,
    api: SocketAddr,
}

impl fmt::Display for Listing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(INTRODUCTION)?;
        let groups = [
            ("Authorization server of the Education Data Platform", self.auth, PLATFORM),
            ("Vendors of the Student Data API: a vendor's id is its client in keys and tokens", self.auth, VENDORS),
            ("District tokens: one for each application and district that shares with it", self.auth, DISTRICTS),
            ("Data APIs: behind the gateway, a token or key stands in place of the X-Claim headers", self.api, API),
        ];
        for (title, address, endpoints) in groups {
            write!(f, "\n{title}\n")?;
            for endpoint in endpoints {
                let Endpoint { method, path, about, .. } = endpoint;
                write!(f, "\n{method} {path}\n    {about}\n    {}\n", endpoint.curl(address))?;
            }
        }
        Ok(())
    }
}
