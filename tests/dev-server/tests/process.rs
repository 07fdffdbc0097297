//! The binary as scripts and tests use it: the ready line, the listeners, the end on SIGTERM.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    process::{Child, Command, Stdio},
};

use serde_json::Value;

/// The server, ended also when a test fails.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
    }
}

#[test]
fn ready_line_names_both_listeners_and_sigterm_ends_cleanly() {
    let child =
        Command::new(env!("CARGO_BIN_EXE_dev-server")).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut server = Server(child);
    let mut line = String::new();
    BufReader::new(server.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let ready: Value = serde_json::from_str(&line).unwrap();
    assert!(get(&ready["auth"], "/.well-known/jwks.json", "").contains("\"RS256\""));
    let head = "X-Request-Id: r-1\r\nX-Claim-Schools: oakwood-primary\r\n";
    let path = "/stats/v1/schools/oakwood-primary/attendance?token=secret";
    assert!(get(&ready["api"], path, head).starts_with("HTTP/1.1 200"));
    let head = "X-Request-Id: r-2\r\nX-Claim-Districts: 1503000\r\nX-Claim-Schools: \r\n\
        X-Claim-Permissions: students.read\r\nContent-Type: application/json\r\n";
    assert!(send("POST", &ready["api"], "/v1/students", head, r#"{"limit": 1}"#).contains("\"st-1001\""));

    let id = server.0.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    assert!(server.0.wait().unwrap().success());
    let mut log = String::new();
    server.0.stderr.take().unwrap().read_to_string(&mut log).unwrap();
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    // The template of the route: neither the school nor the query, and nothing of a body.
    let route = "/stats/v1/schools/{school_id}/attendance";
    let expected = [
        serde_json::json!({"request_id": "r-1", "method": "GET", "route": route, "status": 200}),
        serde_json::json!({"request_id": "r-2", "method": "POST", "route": "/v1/students", "status": 200}),
    ];
    assert_eq!(lines, expected);
}

fn get(address: &Value, path: &str, head: &str) -> String {
    send("GET", address, path, head, "")
}

fn send(method: &str, address: &Value, path: &str, head: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(address.as_str().unwrap()).unwrap();
    let fixed = format!("Host: localhost\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
    write!(stream, "{method} {path} HTTP/1.1\r\n{fixed}{head}\r\n{body}").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}
