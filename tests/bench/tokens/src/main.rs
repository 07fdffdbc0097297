//! Signs the tokens that scripts/bench and scripts/soak send, one per line of the standard output.
//!
//! ```text
//! tokens sign RS256|ES256 KEY.pem KID <payloads               as many as there are payloads, in their order
//! tokens jwk RS256|ES256 KEY.pem KID                          the public key
//! tokens stream RS256|ES256|HS256 KEY KID KIND FIRST <payload  distinct ones without end, see `stream.rs`
//! ```
//!
//! The key of HS256 is a file that holds the secret.

mod stream;

use std::error::Error;
use std::io::{BufWriter, ErrorKind, Read as _, Write as _};
use std::str::FromStr as _;
use std::thread;

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, crypto};
use serde_json::json;

type Failure = Box<dyn Error + Send + Sync>;

fn main() -> Result<(), Failure> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [command, alg, path, kid, rest @ ..] = args.as_slice() else {
        return Err("usage: tokens sign|jwk|stream RS256|ES256|HS256 KEY KID [KIND FIRST]".into());
    };
    let signer = Signer::new(alg, &std::fs::read(path)?, kid)?;
    let mut out = BufWriter::new(std::io::stdout());
    match (command.as_str(), rest) {
        ("jwk", []) => out.write_all(signer.jwk()?.as_bytes())?,
        ("sign", []) => {
            let payloads = stdin()?;
            out.write_all(signer.sign_all(&payloads.lines().collect::<Vec<_>>())?.as_bytes())?;
        }
        ("stream", [what, first]) => {
            let lines = stream::Lines::new(&signer, what, first.parse()?, &stdin()?)?;
            return write_until_closed(lines, out);
        }
        _ => return Err(format!("there is no such command: {command}").into()),
    }
    out.flush()?;
    Ok(())
}

fn stdin() -> Result<String, Failure> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text)?;
    Ok(text)
}

/// Whoever reads has had enough when it closes the pipe.
fn write_until_closed(lines: stream::Lines<'_>, mut out: impl std::io::Write) -> Result<(), Failure> {
    for line in lines {
        match out.write_all(line?.as_bytes()) {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => break,
            written => written?,
        }
    }
    Ok(())
}

struct Signer {
    algorithm: Algorithm,
    key: EncodingKey,
    kid: String,
    alg: String,
}

impl Signer {
    fn new(alg: &str, key: &[u8], kid: &str) -> Result<Self, Failure> {
        let algorithm = Algorithm::from_str(alg)?;
        let key = match algorithm {
            Algorithm::RS256 => EncodingKey::from_rsa_pem(key)?,
            Algorithm::ES256 => EncodingKey::from_ec_pem(key)?,
            Algorithm::HS256 => EncodingKey::from_secret(key),
            _ => return Err(format!("{alg} is not RS256, ES256 or HS256").into()),
        };
        Ok(Self { algorithm, key, kid: kid.to_owned(), alg: alg.to_owned() })
    }

    fn jwk(&self) -> Result<String, Failure> {
        let mut jwk = Jwk::from_encoding_key(&self.key, self.algorithm)?;
        jwk.common.key_id = Some(self.kid.clone());
        Ok(serde_json::to_string(&jwk)? + "\n")
    }

    /// On all cores: a signature of RSA takes about a millisecond.
    fn sign_all(&self, payloads: &[&str]) -> Result<String, Failure> {
        let threads = thread::available_parallelism().map_or(1, usize::from);
        let share = payloads.len().div_ceil(threads).max(1);
        thread::scope(|scope| {
            let parts: Vec<_> = payloads.chunks(share).map(|part| scope.spawn(move || self.sign_part(part))).collect();
            parts.into_iter().map(|part| part.join().map_err(|_| "a thread panicked")?).collect()
        })
    }

    fn sign_part(&self, payloads: &[&str]) -> Result<String, Failure> {
        let mut tokens = String::new();
        for payload in payloads {
            let input = self.input(&self.kid, payload);
            tokens.extend([input.as_str(), ".", &self.signature(&input)?, "\n"]);
        }
        Ok(tokens)
    }

    /// What is signed.
    fn input(&self, kid: &str, payload: &str) -> String {
        let header = json!({"alg": self.alg, "kid": kid, "typ": "at+jwt"}).to_string();
        format!("{}.{}", BASE64_URL_SAFE_NO_PAD.encode(header), BASE64_URL_SAFE_NO_PAD.encode(payload))
    }

    fn signature(&self, input: &str) -> Result<String, Failure> {
        Ok(crypto::sign(input.as_bytes(), &self.key, self.algorithm)?)
    }
}
