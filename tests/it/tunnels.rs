//! `WebSocket` over HTTP/2 (RFC 8441, extended CONNECT) and over HTTP/1.1: only where a route allows them, without the headers
//! of the client's own making, and not a byte of the tunnel before the verdict.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use h2::ext::Protocol;
use h2::{RecvStream, SendStream};
use http::{Method, Request};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::support::gateway::Builder;
use crate::support::policy::{ISSUER, KEY, config, expect_no_trap, token, vms};
use crate::support::tokens::jwks;
use crate::support::{Answer, DEADLINE, Gateway, Key, KeyServer, RUNTIME, wait_until};

/// An upstream that switches to WebSocket and then says everything back.
struct Echo {
    port: u16,
    /// The heads of requests.
    heads: Arc<Mutex<Vec<String>>>,
    accepting: JoinHandle<()>,
}

impl Echo {
    fn start() -> Self {
        let listener = RUNTIME.block_on(TcpListener::bind("127.0.0.1:0")).expect("a port is free");
        let port = listener.local_addr().expect("an address").port();
        let heads = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&heads);
        let accepting = RUNTIME.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(echo(stream, Arc::clone(&seen)));
            }
        });
        Self { port, heads, accepting }
    }

    fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn echo(mut stream: TcpStream, heads: Arc<Mutex<Vec<String>>>) {
    loop {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let Ok(byte) = stream.read_u8().await else { return };
            head.push(byte);
        }
        let head = String::from_utf8_lossy(&head).to_ascii_lowercase();
        let switches = head.contains("\r\nupgrade: websocket\r\n");
        heads.lock().unwrap().push(head);
        if switches {
            break;
        }
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    }
    let switched = b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";
    let (mut reading, mut writing) = stream.split();
    if writing.write_all(switched).await.is_ok() {
        let _ = tokio::io::copy(&mut reading, &mut writing).await;
    }
}

/// A gateway that lets clients of HTTP/2 open tunnels; `/ws` allows them, `/open-ws` too and needs no token.
fn gateway(upstream: u16, keys: &KeyServer) -> Gateway {
    let mut config = config(&json!([
        {"match": {"path": "/ws"}, "upgrades": true},
        {"match": {"path": "/open-ws"}, "upgrades": true, "require": []},
        {"match": {"path": "/open/"}, "require": [], "open_subtree": true},
        {"match": {"path": "/"}},
    ]));
    assert_eq!(config["issuers"][0]["issuer"], ISSUER);
    config["issuers"][0]["jwks"] = json!({"remote": {
        "uri": "https://auth.example.com/jwks", "cluster": "auth", "timeout": "15s", "cooldown": "100ms",
    }});
    with_tunnels(Gateway::builder().config(config).upstream(upstream).auth(keys.port()))
}

/// Starts a gateway whose clients may open tunnels.
fn with_tunnels(gateway: Builder) -> Gateway {
    gateway
        .edit_connection_manager(|manager| {
            manager["http2_protocol_options"] = json!({"allow_connect": true});
            manager["upgrade_configs"] = json!([{"upgrade_type": "websocket"}, {"upgrade_type": "CONNECT"}]);
            let routes = manager["route_config"]["virtual_hosts"][0]["routes"].as_array_mut().unwrap();
            routes.insert(0, json!({"match": {"connect_matcher": {}}, "route": {"cluster": "upstream"}}));
        })
        .start()
}

/// What a client asks for by extended CONNECT.
struct Tunnel {
    status: u16,
    sending: SendStream<Bytes>,
    receiving: RecvStream,
    driver: JoinHandle<()>,
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// CONNECT over HTTP/2 with this `:protocol`, if any, and headers; `early` is sent before there is an answer.
async fn connect(
    gateway: &Gateway,
    protocol: Option<&'static str>,
    path: &str,
    headers: &[(&str, &str)],
    early: &'static str,
) -> Result<Tunnel, String> {
    let stream = TcpStream::connect(gateway.address()).await.map_err(|error| error.to_string())?;
    let (client, connection) = h2::client::handshake(stream).await.map_err(|error| error.to_string())?;
    let driver = tokio::spawn(async move { drop(connection.await) });
    let mut client = client.ready().await.map_err(|error| error.to_string())?;
    while protocol.is_some() && !client.is_extended_connect_protocol_enabled() {
        // Envoy's settings are on their way.
        tokio::task::yield_now().await;
    }
    let target = protocol.map_or_else(|| "api.example.com:443".to_owned(), |_| format!("http://api.example.com{path}"));
    let mut request = Request::builder().method(Method::CONNECT).uri(target);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let mut request = request.body(()).map_err(|error| error.to_string())?;
    if let Some(protocol) = protocol {
        request.extensions_mut().insert(Protocol::from_static(protocol));
    }
    let (response, mut sending) = client.send_request(request, false).map_err(|error| error.to_string())?;
    if !early.is_empty() {
        sending.send_data(Bytes::from_static(early.as_bytes()), false).map_err(|error| error.to_string())?;
    }
    let (head, receiving) = response.await.map_err(|error| error.to_string())?.into_parts();
    Ok(Tunnel { status: head.status.as_u16(), sending, receiving, driver })
}

fn open(gateway: &Gateway, path: &str, headers: &[(&str, &str)]) -> Result<Tunnel, String> {
    let tunnel = connect(gateway, Some("websocket"), path, headers, "");
    RUNTIME.block_on(async { tokio::time::timeout(DEADLINE, tunnel).await }).expect("an answer in time")
}

impl Tunnel {
    /// The next so many bytes of the tunnel.
    #[track_caller]
    fn read(&mut self, count: usize) -> String {
        let mut read = Vec::new();
        RUNTIME.block_on(async {
            while read.len() < count {
                let piece = tokio::time::timeout(DEADLINE, self.receiving.data()).await.expect("an answer in time");
                let piece = piece.expect("the tunnel is open").expect("the tunnel is open");
                let _ = self.receiving.flow_control().release_capacity(piece.len());
                read.extend_from_slice(&piece);
            }
        });
        String::from_utf8(read).expect("text")
    }

    #[track_caller]
    fn write(&mut self, text: &'static str) {
        self.sending.send_data(Bytes::from_static(text.as_bytes()), false).expect("the tunnel is open");
    }
}

#[test]
fn websocket_over_http2_opens_only_where_the_route_allows_it_and_after_the_verdict() {
    let (echo, keys) = (Echo::start(), KeyServer::start(&jwks(&[KEY.named("k")])));
    let gateway = gateway(echo.port, &keys);
    let before = vms(&gateway);
    check_routes(&gateway, &echo);
    check_waiting(&gateway, &echo, &keys);
    expect_no_trap(&gateway, before);
}

#[track_caller]
fn check_routes(gateway: &Gateway, echo: &Echo) {
    let bearer = format!("Bearer {}", token().sign());
    let forged = format!("Bearer {}", token().forged_with(Key::P256No2).sign());
    let good = ("authorization", bearer.as_str());

    for (path, headers, status) in [
        // routes that do not allow it, also where no token is needed
        ("/a", vec![good], 403),
        ("/open/a", vec![], 403),
        // one that does, to others than may pass it
        ("/ws", vec![], 401),
        ("/ws", vec![("authorization", forged.as_str())], 401),
        // Envoy makes it `/a`
        ("/ws/%2e%2e/a", vec![good], 403),
    ] {
        let answered = open(gateway, path, &headers).map(|tunnel| tunnel.status);
        assert_eq!(answered, Ok(status), "{path}");
    }
    // CONNECT without a protocol, and with another one
    for protocol in [None, Some("connect-udp"), Some("h2c")] {
        let tunnel = RUNTIME.block_on(connect(gateway, protocol, "/ws", &[good], "early"));
        let answered = tunnel.map(|tunnel| tunnel.status);
        assert!(answered.as_ref().map_or(true, |status| (400..500).contains(status)), "{protocol:?}: {answered:?}");
    }
    assert_eq!(echo.heads(), Vec::<String>::new());

    for (path, headers) in [("/ws", vec![good]), ("/open-ws", vec![])] {
        let spoofs = [
            ("x-claim-schools", "all"),
            ("x_claim_tier", "premium"),
            ("x-http-method-override", "DELETE"),
            ("x-original-url", "/admin"),
        ];
        let headers: Vec<_> = headers.into_iter().chain(spoofs).collect();
        let mut tunnel = open(gateway, path, &headers).expect("a tunnel");
        assert_eq!(tunnel.status, 200, "{path}");
        tunnel.write("to and ");
        tunnel.write("fro");
        assert_eq!(tunnel.read("to and fro".len()), "to and fro");

        let head = echo.heads().pop().unwrap();
        assert!(head.starts_with(&format!("get {path} http/1.1\r\n")), "{head}");
        let of_token = path == "/ws";
        assert_eq!(head.contains("\r\nx-claim-schools: oakwood-primary,ravenscroft-high\r\n"), of_token, "{head}");
        assert_eq!(head.matches("claim").count(), if of_token { 3 } else { 0 }, "{head}");
        for word in ["override", "original-url", "admin", "premium", ": all"] {
            assert!(!head.contains(word), "`{word}` in {head}");
        }
    }
    assert_eq!(echo.heads().len(), 2);
}

/// While the keys are fetched, nothing of a tunnel goes ahead.
#[track_caller]
fn check_waiting(gateway: &Gateway, echo: &Echo, keys: &KeyServer) {
    const SLOW: Duration = Duration::from_millis(700);
    let passed = echo.heads().len();

    // What is sent before the verdict on a request that then passes reaches the upstream in Envoy 1.40, in 1.36 nowhere.
    for (set, early, status) in
        [(vec![KEY.named("k")], "early", 401), (vec![KEY.named("k"), Key::P256No2.named("new")], "", 200)]
    {
        let asked = keys.count();
        keys.answer(Answer::json(&jwks(&set)).after(SLOW));
        let bearer = format!("Bearer {}", token().forged_with(Key::P256No2).header("kid", "new").sign());
        let headers = [("authorization", bearer.as_str())];
        let seen = || echo.heads().len();
        std::thread::scope(|scope| {
            let opening = scope.spawn(|| RUNTIME.block_on(connect(gateway, Some("websocket"), "/ws", &headers, early)));
            wait_until("the fetch", || keys.count() > asked);
            assert_eq!(seen(), passed, "nothing before the verdict");
            let mut tunnel = opening.join().unwrap().expect("an answer");
            assert_eq!(tunnel.status, status);
            if status == 200 {
                tunnel.write("late");
                assert_eq!(tunnel.read("late".len()), "late");
            }
        });
        assert_eq!(seen(), passed + usize::from(status == 200));
    }
}

/// Scope and cost rules that read the query or the path hold for upgrades, whose stream is no body.
#[test]
fn websockets_pass_the_rules_of_a_query_and_of_a_path() {
    let (echo, keys) = (Echo::start(), KeyServer::start(&jwks(&[KEY.named("k")])));
    let of_query = json!({"schools": {"query": "school_id"}});
    let cost = json!({"times": {"query": "limit", "default": 1}});
    let config = config(&json!([
        {"match": {"path": "/ws"}, "upgrades": true, "scope": of_query, "cost": cost},
        {"match": {"path": "/ws/{school}"}, "upgrades": true, "scope": {"schools": {"path": "school"}}},
    ]));
    let gateway = with_tunnels(Gateway::builder().config(config).upstream(echo.port).auth(keys.port()));
    let bearer = format!("Bearer {}", token().sign());
    let good = ("authorization", bearer.as_str());
    for (path, over_http2, over_http1) in [
        ("/ws?school_id=oakwood-primary&limit=5", 200, 101),
        ("/ws/oakwood-primary", 200, 101),
        ("/ws?school_id=elsewhere", 403, 403),
        ("/ws?limit=5", 403, 403),
        ("/ws?school_id=oakwood-primary&limit=x", 400, 400),
        ("/ws/elsewhere", 403, 403),
    ] {
        let mut tunnel = open(&gateway, path, &[good]).expect("an answer");
        assert_eq!(tunnel.status, over_http2, "{path}");
        if tunnel.status == 200 {
            tunnel.write("to and fro");
            assert_eq!(tunnel.read("to and fro".len()), "to and fro");
        }
        let upgrade = "connection: upgrade\r\nupgrade: websocket\r\n";
        assert_eq!(answered(&gateway, path, &bearer, upgrade), over_http1, "{path}");
    }
    // A body that the head announces is one, and its fields may override the query.
    let announced = "connection: upgrade\r\nupgrade: websocket\r\ncontent-length: 5\r\n";
    let path = "/ws?school_id=oakwood-primary&limit=5";
    assert!((400..500).contains(&answered(&gateway, path, &bearer, announced)), "a body");
}

/// The status of what HTTP/1.1 answers to a GET with these headers.
#[track_caller]
fn answered(gateway: &Gateway, path: &str, bearer: &str, headers: &str) -> u16 {
    let request = format!("GET {path} HTTP/1.1\r\nhost: api.example.com\r\nauthorization: {bearer}\r\n{headers}\r\n");
    let answer = RUNTIME.block_on(async {
        let mut stream = TcpStream::connect(gateway.address()).await.expect("a connection");
        stream.write_all(request.as_bytes()).await.expect("the request is sent");
        let mut answer = vec![0; "HTTP/1.1 200".len()];
        let read = tokio::time::timeout(DEADLINE, stream.read_exact(&mut answer)).await;
        read.expect("an answer in time").expect("an answer");
        answer
    });
    let answer = String::from_utf8(answer).expect("text");
    answer.rsplit(' ').next().expect("a part").parse().expect("a status")
}
