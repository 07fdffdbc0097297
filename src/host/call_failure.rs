//! Why a call-out brought no document, for the log: whether Envoy did not send it, the server was not reached, or the server
//! answered something else.

use crate::host::status::Status;

/// Most bytes of Envoy's own text that go into the log.
pub const TEXT_BYTES_MAX: usize = 400;

/// What an answer means to plain HTTP: a server of TLS answers it with 400, or hangs up.
const NEEDS_TLS: &str = "; the URI is https, so the cluster needs a transport socket for TLS";
/// Envoy does not tell a handshake that failed from a port that nobody listens at.
const SEE_STATISTICS: &str = "; whether the TLS handshake failed, the statistics `ssl` of the cluster tell";

/// Why Envoy did not send a call-out. A cluster that it does not have is a bad argument to it; a cluster without an endpoint
/// fails inside of the call.
pub fn not_sent(status: Status, cluster: &str) -> String {
    let cluster = cluster.escape_debug();
    match status {
        Status::BadArgument => format!("there is no cluster `{cluster}`"),
        Status::InternalFailure => format!("cluster `{cluster}` has no endpoint that Envoy may ask"),
        refused => format!("Envoy refused the call-out to cluster `{cluster}`: {refused}"),
    }
}

/// Why an answer with a status other than 200 came. `is_of_server`: the server sent it, and not Envoy in its place, which
/// says in the `text` of the body what went wrong on the way. `scheme` is that of the URI.
pub fn refused(status: &[u8], is_of_server: bool, text: &[u8], scheme: &str) -> String {
    let status = String::from_utf8_lossy(status);
    let text = String::from_utf8_lossy(text.get(..TEXT_BYTES_MAX).unwrap_or(text));
    let reason = if is_of_server {
        format!("the server answered with status {status}")
    } else {
        format!("no answer of the server, Envoy says ({status}): {}", text.escape_debug())
    };
    let hint = if scheme != "https" {
        ""
    } else if is_of_server {
        if status == "400" { NEEDS_TLS } else { "" }
    } else if text.contains("connection failure") {
        SEE_STATISTICS
    } else if text.contains("connection termination") || text.contains("protocol error") {
        NEEDS_TLS
    } else {
        ""
    };
    reason + hint
}

#[cfg(test)]
mod tests {
    use super::{NEEDS_TLS, SEE_STATISTICS, Status, not_sent, refused};

    #[test]
    fn call_out_that_was_not_sent_names_the_cluster() {
        assert_eq!(not_sent(Status::BadArgument, "auth\n"), "there is no cluster `auth\\n`");
        assert_eq!(not_sent(Status::InternalFailure, "auth"), "cluster `auth` has no endpoint that Envoy may ask");
        assert_eq!(not_sent(Status::Empty, "auth"), "Envoy refused the call-out to cluster `auth`: empty");
    }

    #[test]
    fn answers_of_envoy_are_told_apart_from_those_of_the_server() {
        let refused = |status: &str, is_of_server, text: &str, scheme| {
            refused(status.as_bytes(), is_of_server, text.as_bytes(), scheme)
        };
        for scheme in ["http", "https"] {
            assert_eq!(refused("503", true, "connection failure", scheme), "the server answered with status 503");
            let expected = "no answer of the server, Envoy says (504): upstream request timeout";
            assert_eq!(refused("504", false, "upstream request timeout", scheme), expected);
        }
        // what may come of a cluster and a URI that do not fit, by scheme
        for (status, is_of_server, text, hint) in [
            ("400", true, "", NEEDS_TLS),
            ("503", false, "reset reason: connection termination", NEEDS_TLS),
            ("503", false, "reset reason: remote connection failure", SEE_STATISTICS),
        ] {
            let plain = refused(status, is_of_server, text, "http");
            assert!(!plain.contains("TLS"), "{plain}");
            assert_eq!(refused(status, is_of_server, text, "https"), plain + hint);
        }
    }

    #[test]
    fn text_of_envoy_is_bounded_and_escaped() {
        let line = refused(b"503", false, &[b'\n'; 1_000], "http");
        assert!(line.len() < 1_000 && !line.contains('\n'), "{line}");
    }
}
