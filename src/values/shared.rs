//! Shared data: values by key, which all workers of a process read and write, and the one loop that changes them.
//!
//! A write is a compare-and-swap: it succeeds only if nobody has written since the read that it builds on.

use std::fmt;

pub mod memory;

/// How often a change is tried. Every lost race is another worker's success, so this is never reached in practice.
const TRIES_MAX: u32 = 1_000;

/// Which state of a value was read; a swap succeeds only on that state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// There was none: the swap must create it.
    Absent,
    /// The host's compare-and-swap number.
    Cas(u32),
}

/// How a swap ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Swap {
    /// Written.
    Done,
    /// Another worker was faster; nothing was written.
    Lost,
}

/// Values by key that all workers share.
pub trait SharedData {
    /// The value that this worker wrote last, where it may still be the current one: only a swap tells whether it is. A value
    /// is recalled once after each write.
    fn recall(&mut self, _key: &[u8]) -> Option<(Vec<u8>, Version)> {
        None
    }

    /// Replaces the contents of `into` with the value, empty if there is none.
    ///
    /// # Errors
    /// [`StoreError::Host`] if the host refuses.
    fn read(&mut self, key: &[u8], into: &mut Vec<u8>) -> Result<Version, StoreError>;

    /// Writes `bytes` if the value is still in the state that `version` names.
    ///
    /// # Errors
    /// [`StoreError::Host`] if the host refuses for any other reason than a lost race.
    fn swap(&mut self, key: &[u8], bytes: &[u8], version: Version) -> Result<Swap, StoreError>;
}

impl<S: SharedData> SharedData for &mut S {
    fn recall(&mut self, key: &[u8]) -> Option<(Vec<u8>, Version)> {
        (**self).recall(key)
    }

    fn read(&mut self, key: &[u8], into: &mut Vec<u8>) -> Result<Version, StoreError> {
        (**self).read(key, into)
    }

    fn swap(&mut self, key: &[u8], bytes: &[u8], version: Version) -> Result<Swap, StoreError> {
        (**self).swap(key, bytes, version)
    }
}

/// Why shared data could not be read or changed. The caller fails closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreError {
    /// The host refused a read or a write.
    Host,
    /// Other workers were faster, time and again.
    Contended,
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Host => "the host refused access to shared data",
            Self::Contended => "shared data stayed contended",
        })
    }
}

impl std::error::Error for StoreError {}

/// What an edit did to a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edit {
    /// The value is to be written.
    Changed,
    /// The value stays as it is.
    Kept,
}

/// Changes a value. `edit` gets the value, empty if there is none, and may run several times; only the last run counts. `bytes`
/// is the buffer; afterwards it holds the value. That a value stays as it is, is never decided on one that was only recalled.
///
/// # Errors
/// What `edit` fails with, or [`StoreError`].
pub fn update<E: From<StoreError>>(
    data: &mut impl SharedData,
    key: &[u8],
    bytes: &mut Vec<u8>,
    mut edit: impl FnMut(&mut Vec<u8>) -> Result<Edit, E>,
) -> Result<(), E> {
    let mut recalled = data.recall(key);
    for _ in 0..TRIES_MAX {
        let is_recalled = recalled.is_some();
        let version = if let Some((written, version)) = recalled.take() {
            *bytes = written;
            version
        } else {
            bytes.clear();
            data.read(key, bytes)?
        };
        let is_done = match edit(bytes)? {
            Edit::Changed => data.swap(key, bytes, version)? == Swap::Done,
            Edit::Kept => !is_recalled,
        };
        if is_done {
            return Ok(());
        }
    }
    Err(StoreError::Contended.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_have_texts_of_their_own() {
        let (host, contended) = (StoreError::Host.to_string(), StoreError::Contended.to_string());
        assert_eq!(host, "the host refused access to shared data");
        assert_eq!(contended, "shared data stayed contended");
    }
}

#[cfg(test)]
pub(crate) mod testing;
