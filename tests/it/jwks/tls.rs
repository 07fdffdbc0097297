//! Keys that are fetched with TLS, by the cluster that the bootstraps show in a comment.
//!
//! The certificates in `tls/` are of one authority, whose key was thrown away, and of one key that guards nothing. `right.pem` and
//! `wrong.pem` are valid from 2020 to 2120, `expired.pem` was in 2020: `openssl ca -startdate 20200101000000Z -enddate ...`.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::support::process::root;
use crate::support::sample::{key_server, remote_config, token};
use crate::support::{Gateway, KeyServer, Upstream, wait_until};

/// The line before a cluster that is shown in a comment.
const SHOWN: &str = "    # With TLS, as in production, in place of the cluster above:\n";
/// What the log says of a connection that did not come about.
const HANDSHAKE: &str = "whether the TLS handshake failed, the statistics `ssl` of the cluster tell";
const URI: &str = "https://auth.example.com/jwks";

/// A server of keys with a certificate: an Envoy before the one that speaks plain HTTP.
fn tls_server(keys: &KeyServer, certificate: &str) -> Gateway {
    let chain = file(&format!("{certificate}.pem"));
    let own = json!({"certificate_chain": {"filename": chain}, "private_key": {"filename": file("server-key.pem")}});
    let socket = json!({
        "name": "envoy.transport_sockets.tls",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
            "common_tls_context": {"tls_certificates": [own]},
        },
    });
    let builder = Gateway::builder().without_filter().upstream(keys.port());
    builder
        .edit(|bootstrap| {
            bootstrap["static_resources"]["listeners"][0]["filter_chains"][0]["transport_socket"] = socket;
        })
        .start()
}

fn file(name: &str) -> PathBuf {
    root().join("tests/it/jwks/tls").join(name)
}

/// A gateway that fetches its keys from this port; `socket` is the transport socket of the cluster.
fn gateway(port: u16, socket: Option<Value>) -> (Gateway, Upstream) {
    let upstream = Upstream::start();
    let builder = Gateway::builder().config(remote_config(&json!({"uri": URI}))).upstream(upstream.port()).auth(port);
    let builder = builder.edit(move |bootstrap| {
        if let Some(socket) = socket {
            bootstrap["static_resources"]["clusters"][1]["transport_socket"] = socket;
        }
    });
    (builder.start(), upstream)
}

fn checked() -> Value {
    json!({
        "name": "envoy.transport_sockets.tls",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
            "sni": "auth.example.com",
            "common_tls_context": {"validation_context": {
                "trusted_ca": {"filename": file("ca.pem")},
                "match_typed_subject_alt_names": [{"san_type": "DNS", "matcher": {"exact": "auth.example.com"}}],
            }},
        },
    })
}

#[test]
fn keys_come_from_a_server_whose_certificate_is_right_and_from_no_other() {
    let keys = key_server();
    let right = tls_server(&keys, "right");
    let (good, _upstream) = gateway(right.address().port(), Some(checked()));
    wait_until("the keys", || good.get("/a").bearer(token("a").sign()).send().status == 200);

    for (certificate, statistic) in [("wrong", "ssl.fail_verify_san"), ("expired", "ssl.fail_verify_error")] {
        let asked = keys.count();
        let bad = tls_server(&keys, certificate);
        let (gateway, _upstream) = gateway(bad.address().port(), Some(checked()));
        gateway.get("/a").bearer(token("a").sign()).send().expect_status(503);
        check_log(&gateway, HANDSHAKE);
        assert!(gateway.admin().stat(&format!("cluster.auth.{statistic}")) > Some(0), "{certificate}: {statistic}");
        assert_eq!(keys.count(), asked, "{certificate}");
    }
}

#[test]
fn https_over_the_wrong_kind_of_cluster_is_told_in_the_log() {
    let keys = key_server();
    // TLS is spoken to a plain server
    let (plain_server, _upstream) = gateway(keys.port(), Some(checked()));
    plain_server.get("/a").bearer(token("a").sign()).send().expect_status(503);
    check_log(&plain_server, HANDSHAKE);
    assert!(plain_server.admin().stat("cluster.auth.ssl.connection_error") > Some(0));

    // plain HTTP is spoken to a server of TLS
    let server = tls_server(&keys, "right");
    let (plain_cluster, _upstream) = gateway(server.address().port(), None);
    plain_cluster.get("/a").bearer(token("a").sign()).send().expect_status(503);
    check_log(&plain_cluster, "the URI is https, so the cluster needs a transport socket for TLS");
}

/// The log tells what was fetched from where, and this.
#[track_caller]
fn check_log(gateway: &Gateway, text: &str) {
    let line = format!("fetching keys from {URI} (cluster `auth`) failed: ");
    wait_until(text, || gateway.log().lines().any(|it| it.contains(&line) && it.contains(text)));
}

#[test]
fn every_bootstrap_shows_a_cluster_with_tls_that_works() {
    let keys = key_server();
    let server = tls_server(&keys, "right");
    for name in ["education-data-platform", "student-data-api", "district-tokens"] {
        let path = format!("envoy/{name}.yaml");
        let text = std::fs::read_to_string(root().join(&path)).expect("the bootstrap can be read");
        let shown = shown(&text);
        let api = Upstream::start();
        let mut gateway = Gateway::builder().bootstrap_file(&path).port(9200, api.port());
        gateway = gateway.port(443, server.address().port()).port(9100, keys.port());
        // The cluster that is shown takes the name and the place of the plain one.
        gateway = gateway.replace(plain(&text), &shown);
        gateway = gateway.replace("address: auth.example.com", "address: 127.0.0.1");
        gateway = gateway.replace("/etc/ssl/certs/ca-certificates.crt", &file("ca.pem").display().to_string());
        if text.contains("host_env_keys: [PJWT_SECRET]") {
            gateway = gateway.replace(
                "host_env_keys: [PJWT_SECRET]",
                &format!("key_values: {{PJWT_SECRET: \"{}\"}}", "YWFh".repeat(22)),
            );
        }
        let asked = keys.count();
        let gateway = gateway.try_start().unwrap_or_else(|refused| panic!("{path}: {}", refused.log));
        wait_until(&format!("{path} to fetch"), || keys.count() > asked);
        drop(gateway);
    }
}

/// The cluster `auth` of a bootstrap, as it is.
fn plain(text: &str) -> &str {
    let begin = text.find("    - name: auth\n").expect("a cluster `auth`");
    let end = text[begin..].find(SHOWN).expect("a cluster that is shown");
    &text[begin..begin + end]
}

/// The cluster that a bootstrap shows in a comment, without the marks of the comment.
fn shown(text: &str) -> String {
    let (_, rest) = text.split_once(SHOWN).expect("a cluster that is shown");
    let lines = rest.lines().map_while(|line| line.strip_prefix("    # "));
    let cluster = lines.fold(String::new(), |text, line| text + "    " + line + "\n");
    assert!(cluster.starts_with("    - name: auth\n"), "{cluster}");
    assert!(cluster.contains("match_typed_subject_alt_names"));
    cluster
}
