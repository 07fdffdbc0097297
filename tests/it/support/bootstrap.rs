//! The bootstrap of Envoy: a small one made here, or a file of `envoy/` with ports and the path of the filter replaced.

use std::path::Path;

use serde_json::{Value, json};

/// Name of the filter in the made bootstrap.
pub const FILTER: &str = "hallpass";

/// How the filter gets its configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    /// JSON in a `google.protobuf.StringValue`.
    Text,
    /// A `google.protobuf.Struct`.
    Struct,
}

/// What the made bootstrap is made of.
#[derive(Clone, Debug)]
pub struct Plan {
    pub config: Value,
    pub wire: Wire,
    pub stop_iteration: bool,
    pub wasm: bool,
    pub module: std::path::PathBuf,
    pub reloadable: bool,
    pub upstream: u16,
    pub auth: u16,
}

/// A made bootstrap; `dir` receives the access log and, for a reloadable filter, its configuration.
pub fn made(plan: &Plan, dir: &Path) -> Value {
    let mut filters = Vec::new();
    if plan.wasm && plan.reloadable {
        filters.push(json!({
            "name": FILTER,
            "config_discovery": {
                "config_source": {
                    "resource_api_version": "V3",
                    "path_config_source": {"path": extension_path(dir), "watched_directory": {"path": dir.join("ecds")}},
                },
                "type_urls": ["type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm"],
            },
        }));
    } else if plan.wasm {
        filters.push(json!({"name": FILTER, "typed_config": wasm_filter(plan)}));
    }
    filters.push(json!({
        "name": "envoy.filters.http.router",
        "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"},
    }));
    // as in envoy/*.yaml
    let tags = ["decision", "tier", "limit", "result", "issuer", "list", "class", "phase", "reason"]
        .map(|name| json!({"tag_name": name, "regex": format!(r"({name}=\.=(.*?);\.;)")}));
    json!({
        "node": {"id": "test", "cluster": "test"},
        "admin": {"address": address(0)},
        "static_resources": {
            "listeners": [{
                "name": "main",
                "address": address(0),
                // No other Envoy may take the same port, and every worker gets its share of the connections.
                "enable_reuse_port": false,
                "connection_balance_config": {"exact_balance": {}},
                "filter_chains": [{"filters": [{
                    "name": "envoy.filters.network.http_connection_manager",
                    "typed_config": connection_manager(&filters, dir),
                }]}],
            }],
            "clusters": [cluster("upstream", plan.upstream), cluster("auth", plan.auth)],
        },
        "stats_flush_interval": "0.2s",
        "stats_config": {"stats_tags": tags},
    })
}

fn connection_manager(filters: &[Value], dir: &Path) -> Value {
    json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "main",
        "codec_type": "AUTO",
        "http_protocol_options": {"enable_trailers": true},
        "normalize_path": true,
        "use_remote_address": true,
        "always_set_request_id_in_response": true,
        "stream_idle_timeout": "15s",
        "access_log": [{
            "name": "envoy.access_loggers.file",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
                "path": dir.join("access.log"),
                "log_format": {"json_format": {
                    "method": "%REQ(:METHOD)%",
                    "status": "%RESPONSE_CODE%",
                    "details": "%RESPONSE_CODE_DETAILS%",
                    "flags": "%RESPONSE_FLAGS%",
                    "request_id": "%REQ(X-REQUEST-ID)%",
                    "tier": "%FILTER_STATE(wasm.hallpass.tier:PLAIN)%",
                    "client": "%FILTER_STATE(wasm.hallpass.client:PLAIN)%",
                    "route": "%FILTER_STATE(wasm.hallpass.route:PLAIN)%",
                    "decision": "%FILTER_STATE(wasm.hallpass.decision:PLAIN)%",
                    "retirement": "%FILTER_STATE(wasm.hallpass.retirement:PLAIN)%",
                    "reason": "%FILTER_STATE(wasm.hallpass.reason:PLAIN)%",
                    "limit": "%FILTER_STATE(wasm.hallpass.limit:PLAIN)%",
                    "would_deny": "%FILTER_STATE(wasm.hallpass.would_deny:PLAIN)%",
                }},
            },
        }],
        "route_config": {
            "virtual_hosts": [{
                "name": "all",
                "domains": ["*"],
                "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "upstream", "timeout": "15s"}}],
            }],
        },
        "http_filters": filters,
    })
}

/// The typed configuration of the filter.
pub fn wasm_filter(plan: &Plan) -> Value {
    let configuration = match plan.wire {
        Wire::Text => json!({
            "@type": "type.googleapis.com/google.protobuf.StringValue",
            "value": match &plan.config {
                // text as it is, so that a test can send what is no JSON
                Value::String(text) => text.clone(),
                config => config.to_string(),
            },
        }),
        Wire::Struct => {
            json!({"@type": "type.googleapis.com/google.protobuf.Struct", "value": plan.config})
        }
    };
    let config = json!({
        "name": FILTER,
        "root_id": FILTER,
        "configuration": configuration,
        "failure_policy": "FAIL_RELOAD",
        "allow_on_headers_stop_iteration": plan.stop_iteration,
        "vm_config": {
            "vm_id": FILTER,
            "runtime": "envoy.wasm.runtime.v8",
            "code": {"local": {"filename": plan.module}},
        },
    });
    json!({"@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm", "config": config})
}

/// Where a reloadable filter has its configuration.
pub fn extension_path(dir: &Path) -> std::path::PathBuf {
    dir.join("ecds/filter.json")
}

/// The file of a reloadable filter.
pub fn extension(plan: &Plan) -> Value {
    json!({"resources": [{
        "@type": "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig",
        "name": FILTER,
        "typed_config": wasm_filter(plan),
    }]})
}

/// A static cluster at a port of this machine.
pub fn cluster(name: &str, port: u16) -> Value {
    json!({
        "name": name,
        "type": "STATIC",
        "connect_timeout": "1s",
        // trailers of HTTP/1.1 go through
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                "explicit_http_config": {"http_protocol_options": {"enable_trailers": true}},
            },
        },
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address(port)}}]}],
        },
    })
}

fn address(port: u16) -> Value {
    json!({"socket_address": {"address": "127.0.0.1", "port_value": port}})
}

/// A bootstrap of `envoy/`: the ports in `ports` (from, to) are replaced, and the texts in `texts`; every other port
/// becomes one that the system chooses, and every path of the filter becomes the one under test.
pub fn from_file(text: &str, wasm: &Path, ports: &[(u16, u16)], texts: &[(String, String)]) -> String {
    for (from, _) in ports {
        assert!(text.contains(&format!("port_value: {from}")), "the bootstrap has no `port_value: {from}`");
    }
    let mut text = text.to_owned();
    for (from, to) in texts {
        assert!(text.contains(from.as_str()), "the bootstrap has no `{from}`");
        text = text.replace(from, to);
    }
    text.lines().map(|line| from_line(line, ports, wasm) + "\n").collect()
}

fn from_line(line: &str, ports: &[(u16, u16)], wasm: &Path) -> String {
    let (mut line, mut rest) = (line.to_owned(), String::new());
    if let Some(at) = line.find("port_value:") {
        let head = at + "port_value:".len();
        let digits = line[head..].trim_start().chars().take_while(char::is_ascii_digit).collect::<String>();
        let space = line[head..].len() - line[head..].trim_start().len();
        let from: u16 = digits.parse().expect("a port is a number");
        let to = ports.iter().find(|(port, _)| *port == from).map_or(0, |(_, to)| *to);
        let (before, after) = (&line[..head], &line[head + space + digits.len()..]);
        (line, rest) = (format!("{before} {to}"), after.to_owned());
    }
    if let Some(at) = line.find("filename:").filter(|_| line.contains("hallpass.wasm")) {
        let end = line.find("hallpass.wasm").unwrap() + "hallpass.wasm".len();
        let tail = line[end..].trim_start_matches(['"', '\'']).to_owned();
        line = format!("{} \"{}\"{tail}", &line[..at + "filename:".len()], wasm.display());
    }
    line + &rest
}
