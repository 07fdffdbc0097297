//! Whose budget a charge draws on, and in which slot it stands.
//!
//! Two configurations may share one `vm_id` and with it the shared data, so the sizes of the tables and the way
//! from a key to a slot are fixed for good; a change needs another key prefix.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use sha2::{Digest, Sha256};
use siphasher::sip::SipHasher13;

use super::KeyKind;
use crate::values::bytes::is_same;

/// A table of slots. Each slot holds at most [`super::slot::SLOT_BYTES_MAX`] bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    /// Budgets of clients: 128 MiB at most.
    Clients,
    /// Budgets of source addresses: 16 MiB at most. Apart, so that a flood of addresses never touches a client.
    Addresses,
}

impl Table {
    /// How many slots the table has, a power of two.
    pub const fn slots(self) -> u32 {
        match self {
            Self::Clients => 65_536,
            Self::Addresses => 8_192,
        }
    }
}

/// What nobody outside knows, so that nobody can tell which keys share a slot. All workers of a process have the same.
#[derive(Clone, Copy, Default)]
pub struct Secret(pub [u8; 16]);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// The key of a budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LimitKey {
    table: Table,
    tag: [u8; 16],
}

impl LimitKey {
    /// A client of an issuer. Issuers are strangers: the same client id of two issuers is two keys.
    pub fn client(issuer: &str, client: &str) -> Self {
        Self { table: Table::Clients, tag: tag("client", &[issuer.as_bytes(), client.as_bytes()]) }
    }

    /// A district, whichever client asks for it.
    fn district(issuer: &str, district: &str) -> Self {
        Self { table: Table::Clients, tag: tag("district", &[issuer.as_bytes(), district.as_bytes()]) }
    }

    /// A district as one client asks for it.
    fn client_in_district(issuer: &str, client: &str, district: &str) -> Self {
        let parts = [issuer.as_bytes(), client.as_bytes(), district.as_bytes()];
        Self { table: Table::Clients, tag: tag("client-district", &parts) }
    }

    /// A single credential, by its hash.
    fn token(issuer: &str, hash: &[u8]) -> Self {
        Self { table: Table::Clients, tag: tag("token", &[issuer.as_bytes(), hash]) }
    }

    /// A source address in its role `purpose` (failed credentials, or a route's name). An IPv6 address counts as its /64, which
    /// is what one subscriber has. An address that a translator made of an IPv4 address counts as that one.
    pub fn address(purpose: &str, address: IpAddr) -> Self {
        let purpose = purpose.as_bytes();
        let tag = match untranslated(address) {
            IpAddr::V4(v4) => tag("ipv4", &[purpose, &v4.octets()]),
            // NAT64 of one network (RFC 8215): where the IPv4 address stands depends on that network, so all of it counts.
            IpAddr::V6(v6) if matches!(v6.segments(), [0x64, 0xff9b, 1, ..]) => {
                tag("ipv6/128", &[purpose, &v6.octets()])
            }
            IpAddr::V6(v6) => {
                let prefix = u128::from(v6) >> 64;
                tag("ipv6/64", &[purpose, &prefix.to_be_bytes()])
            }
        };
        Self { table: Table::Addresses, tag }
    }

    /// The key of the same client (or district, or token) on one route, by the template of its path.
    #[must_use]
    pub fn on_route(&self, template: &str) -> Self {
        Self { table: self.table, tag: tag("route", &[template.as_bytes(), &self.tag]) }
    }

    /// A key that [`Self::slot_in_tests`] puts into the first slot of clients, told apart by `nth`.
    #[cfg(test)]
    pub(super) fn in_first_slot(nth: u8) -> Self {
        let mut tag = [0; 16];
        tag[15] = nth;
        Self { table: Table::Clients, tag }
    }

    /// The slot, without searching for keys that share one.
    #[cfg(test)]
    pub(super) fn slot_in_tests(&self) -> SlotId {
        match self.tag {
            [0, 0, 0, 0, 0, 0, 0, 0, ..] => SlotId { table: self.table, index: 0 },
            _ => self.slot(&Secret::default()),
        }
    }

    /// The slot that holds the key's entry. Strangers choose addresses, of which they have whole networks, and some choose
    /// the names of clients: without the secret anyone could crowd the slot of somebody else.
    pub fn slot(&self, secret: &Secret) -> SlotId {
        let hash = SipHasher13::new_with_key(&secret.0).hash(&self.tag);
        let last = u64::from(self.table.slots().saturating_sub(1));
        SlotId { table: self.table, index: u32::try_from(hash & last).unwrap_or_default() }
    }

    /// A number that is another one for nearly every key, and has nothing to do with the slot.
    pub(super) fn number(&self) -> u32 {
        self.tag.last_chunk().map_or(0, |tail| u32::from_le_bytes(*tail))
    }

    /// What tells the key's entry from others in its slot.
    pub(super) const fn tag(&self) -> &[u8; 16] {
        &self.tag
    }
}

/// Whose budgets the requests with one credential draw on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitKeys {
    client: LimitKey,
    /// The district, and the client in it; `None`: the credential opens none, or more than one.
    district: Option<(LimitKey, LimitKey)>,
    token: Option<LimitKey>,
}

impl LimitKeys {
    /// The keys of `client` of `issuer`, which opens `districts`; `token` is the hash of the credential, unless its holder
    /// can have any number of them made (a JWT).
    pub fn new(issuer: &str, client: &str, districts: Option<&[String]>, token: Option<&[u8]>) -> Self {
        let district = match districts {
            Some([only]) => {
                Some((LimitKey::district(issuer, only), LimitKey::client_in_district(issuer, client, only)))
            }
            _ => None,
        };
        Self {
            client: LimitKey::client(issuer, client),
            district,
            token: token.map(|hash| LimitKey::token(issuer, hash)),
        }
    }

    /// Whose budget a limit draws on. What a credential cannot tell (which of several districts, which token) is
    /// counted for its client, under the limit's name, so that no limit is without a budget.
    pub fn of(&self, by: KeyKind) -> LimitKey {
        let other = match by {
            KeyKind::Client => None,
            KeyKind::District => self.district.map(|(district, _)| district),
            KeyKind::ClientDistrict => self.district.map(|(_, both)| both),
            KeyKind::Token => self.token,
        };
        other.unwrap_or(self.client)
    }
}

/// One slot of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SlotId {
    table: Table,
    index: u32,
}

impl SlotId {
    /// The key of the slot in shared data.
    pub fn key(self) -> SlotKey {
        let mut text = match self.table {
            Table::Clients => *b"hallpass2/c/00000000",
            Table::Addresses => *b"hallpass2/a/00000000",
        };
        let mut rest = self.index;
        for digit in text.iter_mut().rev().take(8) {
            *digit = char::from_digit(rest & 0xf, 16).and_then(|c| u8::try_from(c).ok()).unwrap_or(b'0');
            rest >>= 4;
        }
        SlotKey(text)
    }
}

/// A key such as `hallpass2/c/000012ab`: the version of the layout, the table, the index in hexadecimal.
#[derive(Clone, Copy, Debug)]
pub struct SlotKey([u8; 20]);

impl SlotKey {
    /// A key that was written before.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// A number that is another one for nearly every key: its last four digits, spread (Knuth, volume 3, 6.4).
    pub(super) fn number(&self) -> u32 {
        let digits = self.0.last_chunk().map_or(0, |tail| u32::from_le_bytes(*tail));
        digits.wrapping_mul(0x9e37_79b9) >> 16
    }
}

impl PartialEq for SlotKey {
    /// In blocks: `memcmp` goes byte by byte in wasm.
    fn eq(&self, other: &Self) -> bool {
        is_same(&self.0, &other.0)
    }
}

impl Eq for SlotKey {}

impl AsRef<[u8]> for SlotKey {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// The IPv4 address in the last 32 bits, where the prefix says that one stands there: mapped (`::ffff:0:0/96`), compatible
/// (`::/96`), translated by SIIT (`::ffff:0:0:0/96`, RFC 2765) or by NAT64 (`64:ff9b::/96`, RFC 6052).
fn untranslated(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(v6) => match v6.segments() {
            [0, 0, 0, 0, 0, 0 | 0xffff, ..] | [0, 0, 0, 0, 0xffff, 0, ..] | [0x64, 0xff9b, 0, 0, 0, 0, ..] => {
                let [.., a, b, c, d] = v6.octets();
                Ipv4Addr::new(a, b, c, d).into()
            }
            _ => address,
        },
        IpAddr::V4(_) => address,
    }
}

/// The first 16 bytes of SHA-256 over a kind and parts, each with its length, so that no two lists of parts
/// are written alike.
fn tag(kind: &str, parts: &[&[u8]]) -> [u8; 16] {
    let mut hash = Sha256::new_with_prefix(b"hallpass owner");
    for part in std::iter::once(&kind.as_bytes()).chain(parts) {
        hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
        hash.update(part);
    }
    hash.finalize().first_chunk().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> LimitKey {
        LimitKey::address("failed", text.parse().unwrap())
    }

    #[test]
    fn issuers_and_clients_are_told_apart() {
        assert_eq!(LimitKey::client("a", "b"), LimitKey::client("a", "b"));
        for other in [
            LimitKey::client("a", "c"),
            LimitKey::client("c", "b"),
            LimitKey::client("ab", ""),
            LimitKey::client("", "ab"),
        ] {
            assert_ne!(LimitKey::client("a", "b"), other);
        }
    }

    #[test]
    fn every_kind_of_budget_has_owners_of_its_own() {
        let one = [String::from("d1")];
        let keys = LimitKeys::new("i", "c", Some(&one), Some(b"hash"));
        let kinds = [KeyKind::Client, KeyKind::District, KeyKind::ClientDistrict, KeyKind::Token];
        for (at, kind) in kinds.into_iter().enumerate() {
            for other in kinds.iter().skip(at + 1) {
                assert_ne!(keys.of(kind), keys.of(*other), "{kind:?} and {other:?}");
            }
        }
        assert_eq!(keys.of(KeyKind::Client), LimitKey::client("i", "c"));
    }

    #[track_caller]
    fn share(by: KeyKind, expected: bool, one: &LimitKeys, other: &LimitKeys) {
        assert_eq!(one.of(by) == other.of(by), expected, "{by:?}");
    }

    #[test]
    fn budgets_are_shared_by_what_they_count_by() {
        let of =
            |client, district: &str, token| LimitKeys::new("i", client, Some(&[district.to_owned()]), Some(&[token]));
        let base = of("c", "d1", 1);
        // Another token of the same client for the same district.
        let token = of("c", "d1", 2);
        // The same client for another district.
        let district = of("c", "d2", 3);
        // Another client for the same district.
        let client = of("b", "d1", 4);
        let shared = [
            (KeyKind::Client, [true, true, false]),
            (KeyKind::District, [true, false, true]),
            (KeyKind::ClientDistrict, [true, false, false]),
            (KeyKind::Token, [false, false, false]),
        ];
        for (by, expected) in shared {
            for (expected, other) in expected.into_iter().zip([&token, &district, &client]) {
                share(by, expected, &base, other);
            }
        }
        let stranger = LimitKeys::new("other", "c", Some(&["d1".to_owned()]), Some(&[1]));
        for by in [KeyKind::Client, KeyKind::District, KeyKind::ClientDistrict, KeyKind::Token] {
            share(by, false, &base, &stranger);
        }
    }

    #[test]
    fn what_a_credential_cannot_tell_counts_for_the_client() {
        let two = ["d1".to_owned(), "d2".to_owned()];
        for districts in [None, Some(&[][..]), Some(&two[..])] {
            let keys = LimitKeys::new("i", "c", districts, None);
            for by in [KeyKind::Client, KeyKind::District, KeyKind::ClientDistrict, KeyKind::Token] {
                assert_eq!(keys.of(by), LimitKey::client("i", "c"), "{by:?} of {districts:?}");
            }
        }
    }

    #[test]
    fn addresses_count_per_subscriber() {
        assert_eq!(address("2001:db8::1"), address("2001:db8::ffff:0:0:2"), "one /64");
        assert_ne!(address("2001:db8::1"), address("2001:db8:0:1::1"), "the next /64");
        assert_ne!(address("192.0.2.1"), address("192.0.2.2"), "two IPv4 addresses");
        assert_ne!(address("192.0.2.1"), LimitKey::address("login", "192.0.2.1".parse().unwrap()), "two purposes");
    }

    #[test]
    fn ipv4_address_inside_of_ipv6_counts_as_itself() {
        for (text, is_embedded) in [
            ("::ffff:192.0.2.1", true),      // mapped, as a socket of both families shows it
            ("::192.0.2.1", true),           // compatible
            ("::ffff:0:192.0.2.1", true),    // SIIT
            ("64:ff9b::192.0.2.1", true),    // NAT64, well-known prefix
            ("64:ff9b::1:192.0.2.1", false), // beside the well-known prefix
            ("64:ff9b:1::192.0.2.1", false), // NAT64 of one network: a key of its own
            ("2001:db8::192.0.2.1", false),  // somebody's own numbering
            ("::fffe:192.0.2.1", false),     // no such prefix
            ("::1:ffff:192.0.2.1", false),   // no such prefix
        ] {
            assert_eq!(address(text) == address("192.0.2.1"), is_embedded, "{text}");
        }
    }

    #[test]
    fn addresses_behind_a_translator_do_not_share_one_budget() {
        let [one, other] = ["192.0.2.1", "192.0.2.2"];
        for prefix in ["::ffff:", "::", "::ffff:0:", "64:ff9b::", "64:ff9b:1::", "64:ff9b:1:fffe::"] {
            assert_ne!(address(&format!("{prefix}{one}")), address(&format!("{prefix}{other}")), "{prefix}");
        }
        // RFC 6052 puts the address elsewhere under a shorter prefix: here /48, around the octet that is always 0
        assert_ne!(address("64:ff9b:1:c000:2:100::"), address("64:ff9b:1:c000:2:200::"));
        assert_ne!(address("64:ff9b:1::192.0.2.1"), address("64:ff9b:1:1::192.0.2.1"), "two prefixes of one network");
    }

    /// What shares a slot under one secret, as an attacker would look for it, is apart under another.
    #[track_caller]
    fn check_slots_of(table: Table) {
        let key = |nth: u32| LimitKey { table, tag: u128::from(nth).to_le_bytes() };
        let home = |secret: u8, it: LimitKey| it.slot(&Secret([secret; 16]));
        let shared: Vec<LimitKey> =
            (1..table.slots().saturating_mul(20)).map(key).filter(|it| home(1, *it) == home(1, key(0))).collect();
        assert!(shared.len() > 8, "enough to crowd a slot: {}", shared.len());
        assert!(shared.into_iter().filter(|it| home(2, *it) == home(2, key(0))).count() <= 2);
    }

    #[test]
    fn nobody_can_tell_which_owners_share_a_slot() {
        check_slots_of(Table::Addresses);
        check_slots_of(Table::Clients);
    }

    #[test]
    fn secret_is_shown_nowhere() {
        assert_eq!(format!("{:?}", Secret([7; 16])), "Secret(..)");
    }

    #[test]
    fn keys_are_short_and_distinct() {
        let id = |table, index| SlotId { table, index };
        assert_eq!(id(Table::Clients, 0x12ab).key().as_ref(), b"hallpass2/c/000012ab");
        assert_eq!(id(Table::Addresses, 8_191).key().as_ref(), b"hallpass2/a/00001fff");
    }

    #[test]
    fn slots_stay_inside_their_table() {
        let far = (0..5_000).map(|n| LimitKey::client("i", &n.to_string()).slot(&Secret::default()).index).max();
        assert!((60_000..65_536).contains(&far.unwrap()));
        let far =
            (0..5_000u32).map(|n| LimitKey::address("p", IpAddr::V4(n.into())).slot(&Secret::default()).index).max();
        assert!((8_000..8_192).contains(&far.unwrap()));
    }
}
