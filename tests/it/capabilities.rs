//! The capability allow list for the module, `envoy/capabilities.yaml`: what it needs, no more and no less.
//!
//! Envoy gives a plugin with such a list no other host function, and calls none but those callbacks. A callback that the list
//! lacks is not called, and Envoy says nothing: without the guard behind the filter, everything would pass.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use serde_json::json;
use wasmparser::{Parser, Payload};

use crate::support::body_scope::{GRANTED, SECRET, api_key, token};
use crate::support::client::RequestBuilder;
use crate::support::gateway::Builder;
use crate::support::process::{faulty_wasm, root, wasm};
use crate::support::{Answer, Gateway, RUNTIME, Upstream, wait_until};

const FILE: &str = "envoy/student-data-api.yaml";
const LIST: &str = "envoy/capabilities.yaml";
/// Around the list.
const BEGIN: &str =
    "# What the module and Envoy may call in each other: written by a test, see tests/it/capabilities.rs.";
const END: &str = "# The end of that list.";
/// Writes the list.
const BLESS: &str = "HALLPASS_BLESS=1 cargo test --workspace --test it list_is_what_the_module_needs";
/// Of a line of YAML, characters.
const LINE_MAX: usize = 120;
/// The line before the configuration of the VM.
const VM: &str = "                        vm_config:\n";
const GUARD: &str = "string_match: {exact: allow}";
/// Principals that let everything pass, in place of the guard's.
const NO_GUARD: &str = "string_match: {exact: allow}\n                              - any: true";
/// A body of a district that the token does not approve.
const FOREIGN: &str = r#"{"districtlea":"1504000"}"#;

#[test]
fn list_is_what_the_module_needs() {
    let (needed, path) = (needed(&wasm()), root().join(LIST));
    let text = std::fs::read_to_string(&path).expect("the list can be read");
    if std::env::var_os("HALLPASS_BLESS").is_some() {
        std::fs::write(&path, with_list(&text, &needed)).expect("the list can be written");
    } else {
        assert_eq!(listed(&text), needed, "{LIST}: scripts/build && {BLESS}");
    }
}

#[test]
fn bootstraps_load_without_a_warning() {
    for (name, secret) in [("education-data-platform", false), ("student-data-api", true), ("district-tokens", false)] {
        let gateway = Gateway::builder().bootstrap_file(format!("envoy/{name}.yaml"));
        let gateway = if secret { with_secret(gateway) } else { gateway };
        let log = gateway.start().log();
        assert!(!log.contains("eprecated"), "{name}: {log}");
    }
}

#[test]
fn module_of_the_other_tests_needs_the_same() {
    assert_eq!(needed(&faulty_wasm()), needed(&wasm()));
}

#[test]
fn list_that_forgets_the_request_opens_the_gateway_and_the_guard_closes_it() {
    let forgotten = "proxy_on_request_headers";

    // This is why there is a guard. Should it fail some day, Envoy has learnt to fail closed.
    let open = Student::start(Some(forgotten), false);
    open.gateway.get("/nowhere").send().expect_status(200);
    assert_eq!(open.api.heads(), 1);

    let guarded = Student::start(Some(forgotten), true);
    guarded.gateway.get("/nowhere").send().expect_status(403);
    guarded.gateway.get("/healthz").send().expect_status(403);
    assert_eq!(guarded.api.heads(), 0);

    let whole = Student::start(None, true);
    whole.gateway.get("/nowhere").send().expect_status(404);
    whole.gateway.get("/healthz").send().expect_status(200);
    assert_eq!(whole.api.heads(), 1);
}

#[test]
fn list_counts_in_the_vm_configuration_too_where_envoy_knows_it_there() {
    let list = list(26).replace("proxy_on_request_headers: {}", "no_request_headers: {}");
    let (api, auth) = (Upstream::start(), Upstream::start());
    let gateway = plain(&api, &auth).replace(VM, &[VM, &list].concat());

    match gateway.try_start() {
        Ok(gateway) => gateway.get("/healthz").send().expect_status(403),
        Err(refused) => {
            // Protobuf varies the spaces of its messages on purpose.
            let words: Vec<&str> = refused.log.split_whitespace().collect();
            assert!(words.join(" ").contains("no such field"), "{}", refused.log);
            return;
        }
    };
    assert_eq!(api.heads(), 0);
}

#[test]
#[ignore = "starts one Envoy for each capability; scripts/test --long"]
fn whatever_the_list_forgets_nothing_passes_that_must_not() {
    let mut idle = Vec::new();
    for name in needed(&wasm()) {
        println!("without {name}");
        let student = match Student::try_start(Some(&name), true) {
            Ok(student) => student,
            Err(log) => {
                assert!(!log.is_empty(), "{name}: Envoy ends without a word");
                continue;
            }
        };
        let sent: Vec<_> =
            student.bad().into_iter().map(|request| request.timeout(Duration::from_secs(4)).spawn()).collect();
        // Whatever the answer, or none at all: it must not get through.
        RUNTIME.block_on(async {
            for answer in sent {
                drop(answer.await);
            }
        });
        assert_eq!(student.api.heads(), 0, "without {name}: {:?}", student.api.seen());
        if student.good().timeout(Duration::from_secs(4)).try_send().is_ok_and(|answer| answer.status == 200) {
            idle.push(name);
        }
    }
    // What the SDK brings and this walk does not use.
    println!("served without: {}", idle.join(" "));
    assert!(!idle.iter().any(|name| name == "proxy_on_request_headers"), "the walk sees nothing");
}

/// The Student Data API as it is shipped, but for what its list forgets.
struct Student {
    api: Upstream,
    gateway: Gateway,
    _auth: Upstream,
}

impl Student {
    fn start(forgotten: Option<&str>, guarded: bool) -> Self {
        Self::try_start(forgotten, guarded).unwrap_or_else(|log| panic!("{log}"))
    }

    fn try_start(forgotten: Option<&str>, guarded: bool) -> Result<Self, String> {
        let keys = json!({"version": 1, "keys": [api_key("acme", "key-of-acme", "professional")]});
        let voids = json!({"version": 1, "tokens": [], "clients": []});
        let auth = Upstream::answering(move |seen| match seen.target.as_str() {
            "/v1/keys.json" => Answer::json(&keys),
            "/v1/revocations.json" => Answer::json(&voids),
            _ => Answer::new(404),
        });
        let api = Upstream::start();
        let mut gateway = builder(&api, &auth).replace("stream_idle_timeout: 30s", "stream_idle_timeout: 2s");
        if let Some(name) = forgotten {
            // Envoy knows nothing of that name and does not say so.
            gateway = gateway.replace(&format!("{name}: {{}}"), &format!("no_{name}: {{}}"));
        }
        if !guarded {
            gateway = gateway.replace(GUARD, NO_GUARD);
        }
        let gateway = gateway.try_start().map_err(|refused| refused.log)?;
        let student = Self { api, gateway, _auth: auth };
        if forgotten.is_none() {
            wait_until("keys and revocations", || student.good().send().status == 200);
            student.api.forget();
        }
        Ok(student)
    }

    fn bare(&self, body: &str) -> RequestBuilder {
        let request = self.gateway.request("POST", "/v1/students").header("content-type", "application/json");
        request.body(body.to_owned())
    }

    fn good(&self) -> RequestBuilder {
        self.bare(GRANTED).header("x-api-key", "key-of-acme").bearer(token().sign())
    }

    /// Requests that must not pass: without credentials, without a token, forged, out of scope, with trailers.
    fn bad(&self) -> Vec<RequestBuilder> {
        let forged = token().header("alg", json!("none")).sign();
        let http2 = self.gateway.client().http2();
        let trailing = http2.request("POST", "/v1/students").header("content-type", "application/json");
        let trailing = trailing.header("x-api-key", "key-of-acme").bearer(token().sign());
        vec![
            self.bare(GRANTED),
            self.bare(GRANTED).header("x-api-key", "key-of-acme"),
            self.bare(GRANTED).header("x-api-key", "key-of-acme").bearer(forged),
            self.bare(GRANTED).header("x-api-key", "key-of-other").bearer(token().sign()),
            self.bare(FOREIGN).header("x-api-key", "key-of-acme").bearer(token().sign()),
            self.bare("").header("x-api-key", "key-of-acme").bearer(token().sign()),
            trailing.pieces(vec![Bytes::from_static(FOREIGN.as_bytes())], &[("x-claim-districts", "1504000")]),
            self.gateway.get("/nowhere"),
        ]
    }
}

/// With the list where every version takes it.
fn builder(api: &Upstream, auth: &Upstream) -> Builder {
    plain(api, auth).replace(VM, &[&list(24), VM].concat())
}

fn plain(api: &Upstream, auth: &Upstream) -> Builder {
    with_secret(Gateway::builder().bootstrap_file(FILE).port(9200, api.port()).port(9100, auth.port()))
}

fn with_secret(gateway: Builder) -> Builder {
    gateway.replace("host_env_keys: [PJWT_SECRET]", &format!("key_values: {{PJWT_SECRET: \"{SECRET}\"}}"))
}

/// The list, indented.
fn list(indent: usize) -> String {
    let text = std::fs::read_to_string(root().join(LIST)).expect("the list can be read");
    let (_, rest) = text.split_once(&format!("{BEGIN}\n")).expect("its begin");
    let (list, _) = rest.split_once(END).expect("its end");
    list.lines().fold(String::new(), |text, line| text + &" ".repeat(indent) + line + "\n")
}

/// The host functions that a module imports, and the callbacks that it exports.
fn needed(module: &std::path::Path) -> BTreeSet<String> {
    /// Envoy resolves these whatever the list says.
    const ALWAYS: [&str; 2] = ["proxy_on_memory_allocate", "proxy_abi_version_0_2_1"];
    let bytes = std::fs::read(module).expect("the module can be read");
    let mut names = BTreeSet::new();
    for payload in Parser::new(0).parse_all(&bytes) {
        match payload.expect("a valid module") {
            Payload::ImportSection(imports) => {
                names.extend(imports.into_iter().map(|import| import.expect("an import").name.to_owned()));
            }
            Payload::ExportSection(exports) => {
                let exports = exports.into_iter().map(|export| export.expect("an export").name.to_owned());
                names.extend(exports.filter(|name| name.starts_with("proxy_")));
            }
            _ => {}
        }
    }
    names.retain(|name| !ALWAYS.contains(&name.as_str()));
    assert!(names.contains("proxy_on_request_headers"), "{names:?}");
    names
}

/// The file with this list in place of its own.
fn with_list(bootstrap: &str, needed: &BTreeSet<String>) -> String {
    let (before, rest) = bootstrap.split_once(BEGIN).expect("a list of capabilities");
    let (_, after) = rest.split_once(END).expect("the end of the list");
    let indent = &before[before.rfind('\n').map_or(0, |at| at + 1)..];
    let mut lines = vec![
        BEGIN.to_owned(),
        format!("{indent}capability_restriction_config:"),
        format!("{indent}  allowed_capabilities:"),
        format!("{indent}    {{"),
    ];
    for (nth, name) in needed.iter().enumerate() {
        let item = format!("{name}: {{}}{}", if nth + 1 < needed.len() { "," } else { "}" });
        match lines.last_mut() {
            Some(line) if line.ends_with('{') => *line += &item,
            Some(line) if line.len() + 1 + item.len() <= LINE_MAX => line.extend([" ", &item]),
            _ => lines.push(format!("{indent}     {item}")),
        }
    }
    lines.push(format!("{indent}{END}"));
    format!("{before}{}{after}", lines.join("\n"))
}

/// The list of the file.
#[track_caller]
fn listed(bootstrap: &str) -> BTreeSet<String> {
    let (_, rest) = bootstrap.split_once("allowed_capabilities:\n").expect("a list of capabilities");
    let (list, _) = rest.split_once("}}\n").expect("the end of the list");
    let items = list.trim_start().trim_start_matches('{').split(',');
    let names: Vec<&str> = items.map(|item| item.split(':').next().unwrap_or_default().trim()).collect();
    let set: BTreeSet<String> = names.iter().map(|&name| name.to_owned()).collect();
    assert_eq!(set.len(), names.len(), "a capability stands twice: {names:?}");
    set
}
