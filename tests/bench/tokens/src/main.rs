//! Signs the tokens that scripts/bench sends: one payload per line of the standard input, one token per line of the
//! standard output, in the same order.
//!
//! ```text
//! tokens sign RS256|ES256 KEY.pem KID <payloads >tokens
//! tokens jwk RS256|ES256 KEY.pem KID      the public key
//! ```

use std::error::Error;
use std::io::{Read as _, Write as _};
use std::str::FromStr as _;
use std::thread;

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, crypto};
use serde_json::json;

type Failure = Box<dyn Error + Send + Sync>;

fn main() -> Result<(), Failure> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [command, alg, path, kid] = args.as_slice() else {
        return Err("usage: tokens sign|jwk RS256|ES256 KEY.pem KID".into());
    };
    let signer = Signer::new(alg, &std::fs::read(path)?, kid)?;
    let text = match command.as_str() {
        "jwk" => signer.jwk()?,
        "sign" => {
            let mut payloads = String::new();
            std::io::stdin().read_to_string(&mut payloads)?;
            signer.sign_all(&payloads.lines().collect::<Vec<_>>())?
        }
        _ => return Err(format!("there is no command {command}").into()),
    };
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(())
}

struct Signer {
    algorithm: Algorithm,
    key: EncodingKey,
    kid: String,
    header: String,
}

impl Signer {
    fn new(alg: &str, pem: &[u8], kid: &str) -> Result<Self, Failure> {
        let algorithm = Algorithm::from_str(alg)?;
        let key = match algorithm {
            Algorithm::RS256 => EncodingKey::from_rsa_pem(pem)?,
            Algorithm::ES256 => EncodingKey::from_ec_pem(pem)?,
            _ => return Err(format!("{alg} is not RS256 or ES256").into()),
        };
        let header = BASE64_URL_SAFE_NO_PAD.encode(json!({"alg": alg, "kid": kid, "typ": "at+jwt"}).to_string());
        Ok(Self { algorithm, key, kid: kid.to_owned(), header })
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
            let input = format!("{}.{}", self.header, BASE64_URL_SAFE_NO_PAD.encode(payload));
            let signature = crypto::sign(input.as_bytes(), &self.key, self.algorithm)?;
            tokens.extend([input.as_str(), ".", &signature, "\n"]);
        }
        Ok(tokens)
    }
}
