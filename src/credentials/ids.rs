//! A list of ids that a token grants (schools, districts, permissions): for membership and for the header.
//!
//! The ids stand in the header alone. A table of places in it tells whether it has one: a request that asks for one of
//! thousands touches three lines of memory, not as many as a search by halves would.

use std::hash::{BuildHasher, RandomState};
use std::rc::Rc;

use crate::values::bytes::is_same;

#[cfg(test)]
mod tests;

/// Places of a list that is searched from its beginning, which takes less than a hash.
const SMALL: usize = 8;

/// How a list is written into a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListFormat {
    /// `a,b`
    Comma,
    /// `["a","b"]`
    Json,
}

/// A set of ids; may be empty, which means none.
#[derive(Clone, Debug)]
pub struct Ids {
    header: Rc<[u8]>,
    /// Where the ids stand in the header: a power of two of places, of which at least half are free, or none.
    places: Rc<[Place]>,
    /// Lists come from issuers and operators, but ids may be chosen by others.
    hasher: RandomState,
}

/// Where an id stands; of no length: free.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    start: u32,
    len: u16,
    /// Of the hash, what the place does not tell.
    tag: u16,
}

impl Ids {
    /// From values that have passed [`crate::values::text::is_school`], in the order in which to forward them.
    pub fn new(ids: &[String], format: ListFormat) -> Self {
        let (begin, between, end) = match format {
            ListFormat::Comma => ("", ",", ""),
            // The values need no escapes: they have neither quotes nor backslashes nor control characters.
            ListFormat::Json if ids.is_empty() => ("[", "", "]"),
            ListFormat::Json => ("[\"", "\",\"", "\"]"),
        };
        let header = [begin, &ids.join(between), end].concat();
        let count = if ids.is_empty() { 0 } else { ids.len().saturating_mul(2).next_power_of_two() };
        let mut places = vec![Place::default(); count];
        let hasher = RandomState::new();
        let mut start = begin.len();
        for id in ids {
            let hash = hash(&hasher, count, id);
            let free = steps(hash, count).find(|at| places.get(*at).is_some_and(|place| place.len == 0));
            if let Some(place) = free.and_then(|at| places.get_mut(at)) {
                *place = Place::new(start, id.len(), hash);
            }
            start = start.saturating_add(id.len()).saturating_add(between.len());
        }
        Self { header: header.into_bytes().into(), places: places.into(), hasher }
    }

    /// Whether the set has this id; compared byte by byte.
    pub fn contains(&self, id: &str) -> bool {
        let hash = hash(&self.hasher, self.places.len(), id);
        let places = steps(hash, self.places.len()).map_while(|at| self.places.get(at).filter(|place| place.len > 0));
        places.filter(|place| place.tag == tag(hash) && usize::from(place.len) == id.len()).any(|place| {
            let start = place.start as usize;
            self.header.get(start..start.saturating_add(id.len())).is_some_and(|own| is_same(own, id.as_bytes()))
        })
    }

    /// The value of the header for the upstream, complete.
    pub fn header(&self) -> &[u8] {
        &self.header
    }

    /// About how much memory it takes, bytes.
    pub fn weight(&self) -> usize {
        size_of_val(&*self.places).saturating_add(self.header.len())
    }
}

/// The header tells all: no id has in it what stands between two.
impl PartialEq for Ids {
    fn eq(&self, other: &Self) -> bool {
        self.header == other.header
    }
}

impl Eq for Ids {}

impl Place {
    /// What is longer than any id may be is never found.
    fn new(start: usize, len: usize, hash: u64) -> Self {
        match (u32::try_from(start), u16::try_from(len)) {
            (Ok(start), Ok(len)) => Self { start, len, tag: tag(hash) },
            _ => Self::default(),
        }
    }
}

fn hash(hasher: &RandomState, count: usize, id: &str) -> u64 {
    if count > SMALL { hasher.hash_one(id) } else { 0 }
}

fn tag(hash: u64) -> u16 {
    u16::try_from(hash >> 48).unwrap_or_default()
}

/// All places of a table of `count`, from the one that the hash names on.
fn steps(hash: u64, count: usize) -> impl Iterator<Item = usize> {
    let mask = count.saturating_sub(1);
    let first = usize::try_from(hash & 0xffff_ffff).unwrap_or_default();
    (0..count).map(move |step| first.wrapping_add(step) & mask)
}
