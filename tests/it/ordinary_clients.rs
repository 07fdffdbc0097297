//! What ordinary clients send passes: the heads of browsers, libraries and probes, names of hosts, queries.

use serde_json::{Value, json};

use crate::support::policy::{config, token};
use crate::support::{Gateway, Upstream, raw};

const TARGET: &str = "/query?school_id=oakwood-primary";

fn routes() -> Value {
    json!([
        {"match": {"path": "/query"}, "scope": {"schools": {"query": "school_id"}}},
        {"match": {"path": "/filter"}, "scope": {"schools": {"query": "filter[school_id]"}}},
        {"match": {"path": "/ids"}, "scope": {"schools": {"query": "ids[]"}}},
        {"match": {"path": "/top"}, "cost": {"times": {"query": "$top", "default": 1}}},
        {"match": {"path": "/page"}, "cost": {"times": {"query": "page[size]", "default": 1}}},
    ])
}

/// As the ready bootstraps set Envoy.
fn start() -> (Upstream, Gateway) {
    let upstream = Upstream::start();
    let mut policy = config(&routes());
    policy["tiers"]["standard"]["max_cost"] = json!(100);
    let gateway = Gateway::builder()
        .config(policy)
        .upstream(upstream.port())
        .edit_connection_manager(|manager| {
            manager["merge_slashes"] = json!(true);
            manager["path_with_escaped_slashes_action"] = json!("REJECT_REQUEST");
            manager["common_http_protocol_options"] = json!({"headers_with_underscores_action": "REJECT_REQUEST"});
            manager["http_protocol_options"]["ignore_http_11_upgrade"] = json!([{"prefix": "TLS/"}]);
        })
        .start();
    (upstream, gateway)
}

/// Sends a GET with these lines, and a token.
#[track_caller]
fn check_passes(gateway: &Gateway, upstream: &Upstream, target: &str, lines: &[&str]) {
    let host = if lines.iter().any(|line| line.starts_with("Host:")) { "" } else { "Host: api.example.com\r\n" };
    let bearer = format!("Authorization: Bearer {}", token().sign());
    let head = format!("GET {target} HTTP/1.1\r\n{host}{bearer}\r\n{}\r\n\r\n", lines.join("\r\n"));
    let (status, answer) = raw::request(gateway.address(), head.as_bytes());
    assert_eq!(status, Some(200), "{head}\n{answer}");
    assert_eq!(upstream.last().target, target);
}

#[test]
fn what_ordinary_clients_send_passes() {
    let (upstream, gateway) = start();
    check_heads(&upstream, &gateway);
    check_hosts(&upstream, &gateway);
    check_queries(&upstream, &gateway);
}

#[track_caller]
fn check_heads(upstream: &Upstream, gateway: &Gateway) {
    upstream.forget();
    let h2c = "HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA";
    for lines in [
        // curl, plain and with `--http2`
        &["User-Agent: curl/8.5.0", "Accept: */*"][..],
        &["User-Agent: curl/8.5.0", "Accept: */*", "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", h2c],
        // Java's HttpClient asks for HTTP/2 in its first request, and of old for no body
        &[
            "Connection: Upgrade, HTTP2-Settings",
            "Content-Length: 0",
            h2c,
            "Upgrade: h2c",
            "User-Agent: Java-http-client/11",
        ],
        // Apache HttpClient from 5.4 on asks for TLS
        &[
            "Accept-Encoding: gzip, x-gzip, deflate",
            "Upgrade: TLS/1.2",
            "Connection: Upgrade",
            "User-Agent: Apache-HttpClient/5.4",
        ],
        // LWP
        &["TE: deflate,gzip;q=0.3", "Connection: TE, close", "User-Agent: libwww-perl/6.67"],
        // requests, aiohttp, Ruby, Go, PHP, okhttp, .NET
        &[
            "User-Agent: python-requests/2.32",
            "Accept-Encoding: gzip, deflate",
            "Accept: */*",
            "Connection: keep-alive",
        ],
        &["Accept: */*", "Accept-Encoding: gzip;q=1.0,deflate;q=0.6,identity;q=0.3", "User-Agent: Ruby"],
        &["User-Agent: Go-http-client/1.1", "Accept-Encoding: gzip"],
        &["User-Agent: GuzzleHttp/7", "Accept: application/json", "Content-Type: application/json"],
        &["Connection: Keep-Alive", "Accept-Encoding: gzip", "User-Agent: okhttp/4.12.0"],
        &[
            "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00",
            "Request-Id: |1.2.",
            "Correlation-Context: a=b",
        ],
        // a GET that names a type and a charset, as of axios and Spring's RestTemplate
        &["Accept: application/json, text/plain, */*", "Content-Type: application/json;charset=UTF-8"],
        &["Content-Type: application/json; charset=utf-8", "Content-Length: 0"],
        // browsers
        &[
            "Connection: keep-alive",
            "Cache-Control: max-age=0",
            "Upgrade-Insecure-Requests: 1",
            "sec-ch-ua: \"Chromium\";v=\"130\", \"Not?A_Brand\";v=\"99\"",
            "Accept: text/html,application/xhtml+xml;q=0.9,image/avif,*/*;q=0.8",
            "Accept-Encoding: gzip, deflate, br, zstd",
            "Accept-Language: de-DE,de;q=0.9",
            "Sec-Fetch-Site: cross-site",
            "Referer: https://app.example.com/?school_id=elm-park",
            "Cookie: _ga=GA1.1.1; session=abc==; theme=\"dark\"",
            "If-None-Match: W/\"abc\"",
            "If-Modified-Since: Sun, 01 Nov 2026 00:00:00 GMT",
        ],
        &[
            "Origin: https://app.example.com",
            "Sec-Fetch-Mode: cors",
            "TE: trailers",
            "Priority: u=4",
            "DNT: 1",
            "Pragma: no-cache",
        ],
        // a mobile one that goes on with a download; behind a proxy
        &["Range: bytes=100-", "If-Range: \"abc\"", "Accept-Encoding: identity", "Save-Data: on"],
        &[
            "Proxy-Connection: keep-alive",
            "Via: 1.1 proxy",
            "X-Forwarded-For: 192.0.2.1",
            "X-Forwarded-Proto: https",
            "X-Forwarded-Prefix: /api",
        ],
        // probes
        &["Host: 10.1.2.3:8080", "User-Agent: kube-probe/1.31", "Accept: */*", "Connection: close"],
        &[
            "Host: 10.1.2.3",
            "User-Agent: ELB-HealthChecker/2.0",
            "Connection: close",
            "Accept-Encoding: gzip, compressed",
        ],
    ] {
        check_passes(gateway, upstream, TARGET, lines);
    }
}

#[track_caller]
fn check_hosts(upstream: &Upstream, gateway: &Gateway) {
    upstream.forget();
    for host in [
        "API.Example.com:443",
        "localhost",
        "api.v1",
        "web-1",
        "1.example.com",
        "edp_gateway_1:8080",
        "gateway.ns.svc.cluster.local:15008",
        "xn--bcher-kva.example",
        "192.0.2.10:10000",
        "[::1]:10000",
        "[2001:db8::1:2]",
    ] {
        check_passes(gateway, upstream, TARGET, &[&format!("Host: {host}")]);
    }
}

#[track_caller]
fn check_queries(upstream: &Upstream, gateway: &Gateway) {
    upstream.forget();
    for query in [
        "fields[students]=name,grade&sort=-name&page[number]=2&page%5Bsize%5D=25",
        "grade[]=7&grade[]=8&grade%5B%5D=9&tags[0]=a&where[name][like]=M%25",
        "from=2026-11-01T00:00:00+01:00&to=2026-11-22T00%3A00%3A00%2B01%3A00",
        "q=Smith+%26+Sons&name=M%C3%BCller&city=%E6%9D%B1%E4%BA%AC&emoji=%F0%9F%8E%93",
        "empty=&flag&=&&a=b=c&email=a%40b.example&_=1700000000000&callback=jQuery1_2",
        "$select=id,name&$filter=grade%20eq%207&%24top=5&@odata=1&path=/a/b&url=https://a.example/?b=c",
        "search={%22a%22:%20[1,2]}&school=x&schools=y&id=7&schoolIdentifier=z&method=a",
    ] {
        check_passes(gateway, upstream, &format!("{TARGET}&{query}"), &[]);
    }
    // Names that clients escape.
    for target in [
        "/filter?filter[school_id]=oakwood-primary",
        "/filter?filter%5Bschool_id%5D=oakwood-primary&filter%5Bgrade%5D=7",
        "/ids?ids%5B%5D=oakwood-primary&ids%5B%5D=ravenscroft-high",
        "/top?%24top=1&%24skip=2",
        "/page?page%5Bsize%5D=1&page%5Bnumber%5D=2",
    ] {
        check_passes(gateway, upstream, target, &[]);
    }
    // What they name is judged as ever.
    for (target, status) in [
        ("/filter?filter%5Bschool_id%5D=elm-park", 403),
        ("/filter?filter%5Bschool_id%5D=oakwood-primary&filter[school_id]=elm-park", 403),
        ("/filter?filter%5Bsch%6Fol_id%5D=oakwood-primary", 400),
        ("/top?%24top=101", 429),
        ("/page?page%5Bsize%5D=0", 400),
    ] {
        let response = gateway.get(target).bearer(token().sign()).send();
        assert_eq!(response.status, status, "{target}: {response:?}");
    }
}
