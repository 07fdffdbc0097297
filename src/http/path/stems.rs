//! Stems of segments: what tells at once that a path is of none of most patterns, so that many routes cost little more
//! than few.
//!
//! In a path without `%` and `;`, a segment that any server may take for a literal differs from it at most in case and in
//! what follows a dot or a colon (see [`Fit::Loose`](super::Fit::Loose)); so the two have one stem: a hash of what stands
//! before the first such mark, in lower case. The opposite does not hold: stems only say what cannot be.

use super::RawPath;

#[cfg(test)]
mod tests;

/// Segments that are looked at; those after them are compared by [`Pattern::fit`](super::Pattern::fit) alone.
const SEGMENTS_MAX: usize = 16;

/// The stems of a path.
#[derive(Clone, Copy, Debug)]
pub struct Stems {
    stems: [u32; SEGMENTS_MAX],
    /// How many there are; `None`: the path can be read in too many ways to tell.
    count: Option<usize>,
}

/// The stems of a pattern; `None` for a variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PatternStems(Box<[Option<u32>]>);

impl Stems {
    /// Those of the path.
    pub fn of(path: &RawPath<'_>) -> Self {
        let mut stems = [0; SEGMENTS_MAX];
        let mut segments = path.path.bytes().skip(1);
        let mut rest = stems.iter_mut();
        let mut count = 0_usize;
        for place in rest.by_ref() {
            let (stem, has_next) = stem(&mut segments);
            *place = stem;
            count = count.saturating_add(1);
            if !has_next {
                break;
            }
        }
        Self { stems, count: path.plain.then_some(count) }
    }
}

impl PatternStems {
    /// Those of segments, `None` for a variable.
    pub(super) fn of<'a>(segments: impl Iterator<Item = Option<&'a str>>) -> Self {
        let stems = segments.take(SEGMENTS_MAX).map(|literal| literal.map(|text| stem(&mut text.bytes()).0));
        Self(stems.collect())
    }

    /// Whether a path with these stems may fit; `false` is for sure.
    #[inline]
    pub(super) fn may_fit(&self, path: &Stems) -> bool {
        let Some(count) = path.count else {
            return true;
        };
        // Most differ in the first that is no variable; a loop, as iterators are calls where size counts.
        for (mine, its) in self.0.iter().zip(&path.stems) {
            if mine.is_some_and(|mine| mine != *its) {
                return false;
            }
        }
        count >= self.0.len()
    }
}

/// The stem of the next segment (FNV-1a), and whether another one follows.
fn stem(bytes: &mut impl Iterator<Item = u8>) -> (u32, bool) {
    let mut hash = 0x811c_9dc5_u32;
    let mut is_over = false;
    for byte in bytes {
        match byte {
            b'/' => return (hash, true),
            b'.' | b':' => is_over = true,
            _ if is_over => {}
            _ => hash = (hash ^ u32::from(byte.to_ascii_lowercase())).wrapping_mul(0x0100_0193),
        }
    }
    (hash, false)
}
