//! What goes wrong: imports that fail or hand over nonsense, a clock that jumps.
//!
//! A host that says `Ok` has done what it was asked to, but for bytes that it hands over: those may be anything. One
//! that says anything else has done nothing.

use std::collections::BTreeMap;

use crate::breach::Breach;
use crate::rng::Rng;

/// Statuses that no call of ours may rely on not to see.
const STATUSES: [u32; 17] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 99, 255, 0x8000_0000, u32::MAX];
/// The imports, for those that fail always.
const IMPORTS: [&str; 19] = [
    "proxy_call_foreign_function",
    "proxy_close_stream",
    "proxy_continue_stream",
    "proxy_define_metric",
    "proxy_get_buffer_bytes",
    "proxy_get_current_time_nanoseconds",
    "proxy_get_header_map_pairs",
    "proxy_get_header_map_value",
    "proxy_get_property",
    "proxy_get_shared_data",
    "proxy_http_call",
    "proxy_log",
    "proxy_record_metric",
    "proxy_remove_header_map_value",
    "proxy_replace_header_map_value",
    "proxy_send_local_response",
    "proxy_set_effective_context",
    "proxy_set_property",
    "proxy_set_shared_data",
];

/// What goes wrong.
#[derive(Clone, Debug)]
pub struct Chaos {
    rng: Rng,
    /// Of a thousand calls, how many fail.
    failures: usize,
    /// Of a thousand calls that hand over bytes, how many hand over others.
    lies: usize,
    /// Of a thousand looks at the clock, how many see it jump.
    jumps: usize,
    /// Of a thousand swaps, how many another worker wins.
    lost_swaps: usize,
    /// Imports that always answer this.
    forced: BTreeMap<String, u32>,
}

/// Bytes in place of those that were asked for.
#[derive(Clone, Debug)]
pub enum Lie {
    /// These.
    Bytes(Vec<u8>),
    /// A null pointer with this length.
    Null(u32),
}

impl Chaos {
    /// Everything goes well.
    pub fn none() -> Self {
        Self { rng: Rng::new(0), failures: 0, lies: 0, jumps: 0, lost_swaps: 0, forced: BTreeMap::new() }
    }

    /// Whatever this seed brings; one in five brings nothing.
    pub fn of(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let mut chaos = Self::none();
        if !rng.chance(200) {
            chaos.failures = *rng.pick(&[0, 0, 2, 10, 50, 300]);
            chaos.lies = *rng.pick(&[0, 0, 5, 30, 200]);
            chaos.jumps = *rng.pick(&[0, 0, 0, 20, 300]);
            chaos.lost_swaps = *rng.pick(&[0, 0, 0, 100, 1000]);
            if rng.chance(150) {
                let (import, status) = (*rng.pick(&IMPORTS), *rng.pick(&STATUSES));
                if import != "proxy_http_call" || is_allowed_of_call_outs(status) {
                    chaos.forced.insert(import.to_owned(), status);
                }
            }
        }
        chaos.rng = rng;
        chaos
    }

    /// Has an import answer this status from now on; 0: what it would.
    pub fn force(&mut self, import: &str, status: u32) {
        self.forced.remove(import);
        if status != 0 {
            self.forced.insert(import.to_owned(), status);
        }
    }

    /// The status by which a call fails.
    pub fn failure(&mut self, import: &str) -> Option<u32> {
        if let Some(status) = self.forced.get(import) {
            return Some(*status);
        }
        // WASI and standard error are the libc's: see `Breach`.
        if !import.starts_with("proxy_") {
            return None;
        }
        if import == "proxy_set_shared_data" && self.rng.chance(self.lost_swaps) {
            return Some(crate::imports::status::CAS_MISMATCH);
        }
        if !self.rng.chance(self.failures) {
            return None;
        }
        let status = *self.rng.pick(&STATUSES);
        if import == "proxy_http_call" && !is_allowed_of_call_outs(status) {
            return Some(crate::imports::status::INTERNAL);
        }
        Some(status)
    }

    /// What is handed over in place of `bytes`.
    pub fn lie(&mut self, import: &str, bytes: &[u8]) -> Option<Lie> {
        if !self.rng.chance(self.lies) {
            return None;
        }
        let rng = &mut self.rng;
        if import == "proxy_call_foreign_function" {
            // Never a yes: a host that calls forged signatures good is believed.
            let answers: [&[u8]; 6] = [b"", b"\xff", b"\x08\x00", b"\x12\x03bad", b"\x0a\x01\x01", b"\x08"];
            return Some(Lie::Bytes(rng.pick(&answers).to_vec()));
        }
        Some(match rng.below(8) {
            0 => Lie::Null(*rng.pick(&[0, 1, 17, 65_536, u32::MAX])),
            1 => Lie::Bytes(Vec::new()),
            2 => Lie::Bytes(vec![b'a'; 1 << (12 + rng.below(10))]),
            3 if import == "proxy_get_header_map_pairs" => Lie::Bytes(odd_pairs(rng)),
            _ => Lie::Bytes(rng.mutated(bytes.to_vec())),
        })
    }

    /// What the clock says.
    pub fn time(&mut self, clock: &mut u64) -> u64 {
        const SECOND: u64 = 1_000_000_000;
        if self.rng.chance(self.jumps) {
            let by = self.rng.number() % self.rng.pick(&[SECOND, 60 * SECOND, 86_400 * SECOND, u64::MAX]);
            *clock = match self.rng.below(6) {
                0 | 1 => clock.saturating_add(by),
                2 | 3 => clock.saturating_sub(by),
                4 => *self.rng.pick(&[0, 1, u64::MAX]),
                _ => crate::host::START * SECOND,
            };
        }
        *clock
    }
}

fn is_allowed_of_call_outs(status: u32) -> bool {
    use crate::imports::status::{BAD_ARGUMENT, INTERNAL};
    matches!(status, BAD_ARGUMENT | INTERNAL) || !Breach::CallOutStatus.is_excepted()
}

/// A head that no codec would let through.
fn odd_pairs(rng: &mut Rng) -> Vec<u8> {
    let names: [&[u8]; 12] = [
        b":path",
        b":method",
        b":authority",
        b"authorization",
        b"x-api-key",
        b"",
        b"\xff",
        b"x_claim_schools",
        b"X-Claim-Schools",
        b"connection",
        b"upgrade",
        b"x-request-id",
    ];
    let values: [&[u8]; 12] = [
        b"/",
        b"/stats/v1/x",
        b"GET",
        b"POST",
        b"",
        b"\xff\xfe",
        b"a\r\nb: c",
        b"a\0b",
        b"Bearer x.y.z",
        b"Bearer ",
        b"upgrade",
        b"*",
    ];
    let pairs = (0..rng.below(12)).map(|_| (rng.pick(&names).to_vec(), rng.pick(&values).to_vec())).collect();
    let mut bytes = crate::wire::write_pairs(&pairs);
    if rng.chance(300) {
        let counts = [0, 1, 1025, 0x1fff_ffff, 0x2000_0000, u32::MAX];
        bytes.splice(..4, rng.pick(&counts).to_le_bytes());
    }
    bytes
}
