//! A client that sends bytes as they are, for what no HTTP library would send.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// Sends `bytes`, closes the sending side if `close`, and reads until the peer closes or nothing comes for `quiet`.
pub fn exchange(address: SocketAddr, bytes: &[u8], close: bool, quiet: Duration) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).expect("Envoy accepts a connection");
    stream.set_read_timeout(Some(quiet)).expect("a read timeout");
    // Envoy may answer and close before it has read all: what it said counts, not the error.
    let _ = stream.write_all(bytes);
    if close {
        let _ = stream.shutdown(Shutdown::Write);
    }
    read_all(&mut stream)
}

/// Sends an HTTP/1.1 request as it is and reads the whole answer; add `Connection: close` to the request. The status is the
/// one of the first status line, `None` where there is no answer.
pub fn request(address: SocketAddr, bytes: &[u8]) -> (Option<u16>, String) {
    let answer = exchange(address, bytes, false, Duration::from_secs(20));
    let text = String::from_utf8_lossy(&answer).into_owned();
    let status = text.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)).and_then(|digits| digits.parse().ok());
    (status, text)
}

fn read_all(stream: &mut TcpStream) -> Vec<u8> {
    let (mut all, mut part) = (Vec::new(), [0; 4096]);
    let start = Instant::now();
    while start.elapsed() < super::DEADLINE {
        match stream.read(&mut part) {
            Ok(0) | Err(_) => break,
            Ok(read) => all.extend_from_slice(&part[..read]),
        }
    }
    all
}
