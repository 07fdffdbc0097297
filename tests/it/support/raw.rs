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
    read_all(&mut stream, |_| false)
}

/// Sends an HTTP/1.1 request as it is and reads the whole answer; add `Connection: close` to the request. The status is the
/// one of the first status line, `None` where there is no answer.
pub fn request(address: SocketAddr, bytes: &[u8]) -> (Option<u16>, String) {
    let mut stream = TcpStream::connect(address).expect("Envoy accepts a connection");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a read timeout");
    let _ = stream.write_all(bytes);
    // Envoy closes a second later: do not wait for that where the length is known and must be met.
    let is_head = bytes.starts_with(b"HEAD ");
    let answer = read_all(&mut stream, |answer| !is_head && is_whole(answer));
    let text = String::from_utf8_lossy(&answer).into_owned();
    let status = text.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)).and_then(|digits| digits.parse().ok());
    (status, text)
}

/// Whether these are a head and as many bytes as it says.
fn is_whole(answer: &[u8]) -> bool {
    let text = String::from_utf8_lossy(answer);
    let Some((head, _)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
    length.is_some_and(|length| answer.len() >= head.len() + 4 + length)
}

fn read_all(stream: &mut TcpStream, is_done: impl Fn(&[u8]) -> bool) -> Vec<u8> {
    let (mut all, mut part) = (Vec::new(), [0; 4096]);
    let start = Instant::now();
    while start.elapsed() < super::DEADLINE && !is_done(&all) {
        match stream.read(&mut part) {
            Ok(0) | Err(_) => break,
            Ok(read) => all.extend_from_slice(&part[..read]),
        }
    }
    all
}
