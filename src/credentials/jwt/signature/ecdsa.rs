//! ECDSA signatures as JWS has them (RFC 7518 section 3.4): `r || s`, both of full length, both in `1..n`.
//!
//! Hosts want DER (RFC 3279 section 2.2.3). A high `s` is valid: JWS asks for no normal form.

use spki::der::asn1::{AnyRef, UintRef};
use spki::der::{self, Encode as _, Tag};

/// Order of P-256 (FIPS 186-5).
const P256_N: [u8; 32] = *b"\xff\xff\xff\xff\x00\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff\
\xbc\xe6\xfa\xad\xa7\x17\x9e\x84\xf3\xb9\xca\xc2\xfc\x63\x25\x51";

/// Order of P-384 (FIPS 186-5).
const P384_N: [u8; 48] =
    *b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\
\xc7\x63\x4d\x81\xf4\x37\x2d\xdf\x58\x1a\x0d\xb2\x48\xb0\xa7\x7a\xec\xec\x19\x6a\xcc\xc5\x29\x73";

/// A curve whose signatures are checked before anyone verifies them.
#[derive(Clone, Copy)]
pub(super) enum Curve {
    P256,
    P384,
}

impl Curve {
    const fn order(self) -> &'static [u8] {
        match self {
            Self::P256 => &P256_N,
            Self::P384 => &P384_N,
        }
    }

    /// The DER form, or `None` unless both numbers have their full length and are in range.
    pub(super) fn signature_der(self, raw: &[u8]) -> Option<Vec<u8>> {
        let order = self.order();
        let (r, s) = raw.split_at_checked(order.len())?;
        let in_range = |number: &[u8]| number.len() == order.len() && number < order && number.iter().any(|&b| b != 0);
        if !in_range(r) || !in_range(s) {
            return None;
        }
        to_der(r, s).ok()
    }
}

fn to_der(r: &[u8], s: &[u8]) -> der::Result<Vec<u8>> {
    let mut numbers = UintRef::new(r)?.to_der()?;
    UintRef::new(s)?.encode_to_vec(&mut numbers)?;
    AnyRef::new(Tag::Sequence, &numbers)?.to_der()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

    use super::Curve;

    #[test]
    fn both_numbers_are_at_least_one_and_below_the_order() {
        for curve in [Curve::P256, Curve::P384] {
            let order = curve.order();
            let number = |last: u8| [&vec![0; order.len() - 1][..], &[last]].concat();
            let below = [&order[..order.len() - 1], &[order[order.len() - 1] - 1]].concat();
            let numbers = [(number(0), false), (number(1), true), (below, true), (order.to_vec(), false)];
            for (r, is_r_good) in &numbers {
                for (s, is_s_good) in &numbers {
                    let is_good = curve.signature_der(&[r.as_slice(), s].concat()).is_some();
                    assert_eq!(is_good, *is_r_good && *is_s_good, "{r:?} {s:?}");
                }
            }
            // One byte too few, and one too many.
            let one = [number(1), number(1)].concat();
            assert!(
                curve.signature_der(&one[1..]).is_none() && curve.signature_der(&[&one[..], &[0]].concat()).is_none()
            );
        }
    }
}
