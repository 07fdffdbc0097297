//! Tokens of which no two are alike, each with a source address that presents it: lines of `ADDRESS TOKEN` without end.
//!
//! The payload is that of the first; what makes the others distinct is the kind:
//!
//! | kind | distinct | addresses |
//! |---|---|---|
//! | `tokens` | `jti`; good tokens of 100 clients | one per client |
//! | `clients` | `client_id` and `jti`; good tokens | one per client |
//! | `kids` | `kid`, and nobody has the key | one per token |
//! | `signatures` | `jti`; each has the signature of another token | one per token |

use serde_json::{Map, Value};

use super::{Failure, Signer};

/// Those who share the tokens of the kind `tokens`.
const CLIENTS: u64 = 100;

pub struct Lines<'a> {
    signer: &'a Signer,
    kind: Kind,
    next: u64,
    payload: Map<String, Value>,
    /// Well-formed, of another token.
    strange: String,
}

#[derive(Clone, Copy)]
enum Kind {
    Tokens,
    Clients,
    Kids,
    Signatures,
}

impl<'a> Lines<'a> {
    pub fn new(signer: &'a Signer, kind: &str, first: u64, payload: &str) -> Result<Self, Failure> {
        let kind = match kind {
            "tokens" => Kind::Tokens,
            "clients" => Kind::Clients,
            "kids" => Kind::Kids,
            "signatures" => Kind::Signatures,
            _ => return Err(format!("there is no kind {kind}").into()),
        };
        let strange = signer.signature("another token")?;
        Ok(Self { signer, kind, next: first, payload: serde_json::from_str(payload)?, strange })
    }

    fn line(&mut self, nth: u64) -> Result<String, Failure> {
        let holder = if matches!(self.kind, Kind::Tokens) { nth % CLIENTS } else { nth };
        self.payload.insert("jti".into(), format!("{nth:032x}").into());
        if matches!(self.kind, Kind::Tokens | Kind::Clients) {
            self.payload.insert("client_id".into(), format!("client-{holder:08}").into());
        }
        let payload = serde_json::to_string(&self.payload)?;
        let input = match self.kind {
            Kind::Kids => self.signer.input(&format!("unknown-{nth:08}"), &payload),
            _ => self.signer.input(&self.signer.kid, &payload),
        };
        let signature = match self.kind {
            Kind::Tokens | Kind::Clients => self.signer.signature(&input)?,
            Kind::Kids | Kind::Signatures => self.strange.clone(),
        };
        // A /64 for each: that is what counts as one address of IPv6.
        let (high, low) = (holder >> 16 & 0xffff, holder & 0xffff);
        Ok(format!("2001:db8:{high:x}:{low:x}::1 {input}.{signature}\n"))
    }
}

impl Iterator for Lines<'_> {
    type Item = Result<String, Failure>;

    fn next(&mut self) -> Option<Self::Item> {
        let nth = self.next;
        self.next = nth.wrapping_add(1);
        Some(self.line(nth))
    }
}
