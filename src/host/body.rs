//! The body of a request that is held: how much of it is there, and whether it has ended.
//!
//! Envoy tells the length with every piece; the bytes are read once, when the body is whole. A body may end with a
//! piece, with an empty piece, or with trailers, and it may do so while the request still waits for keys.

use crate::host::abi::{self, BufferType};
use crate::host::status::Status;

/// What is known of the body.
#[derive(Debug, Default)]
pub struct BodyBuffer {
    len: usize,
    ended: bool,
    /// The longest body, once the request machine asked for one.
    max: Option<usize>,
}

/// What can be said about a body that was asked for.
#[derive(Debug)]
pub enum Buffered {
    /// More of it must come.
    More,
    /// It is longer than asked for.
    TooBig,
    /// All of it.
    Whole(Vec<u8>),
}

impl BodyBuffer {
    /// Notes that `len` bytes are buffered, and whether no more will come.
    pub fn note(&mut self, len: Option<usize>, ended: bool) {
        self.len = len.unwrap_or(self.len);
        self.ended |= ended;
    }

    /// Notes that a body of at most `max` bytes is asked for.
    pub fn ask(&mut self, max: usize) {
        self.max = Some(max);
    }

    /// Looks at the body if it was asked for and not told yet; what is told once is not told again.
    ///
    /// # Errors
    /// The host does not hand over what it has announced.
    #[inline(never)]
    pub fn look(&mut self) -> Result<Buffered, Status> {
        let Some(max) = self.max else {
            return Ok(Buffered::More);
        };
        if self.len > max {
            self.max = None;
            return Ok(Buffered::TooBig);
        }
        if !self.ended {
            return Ok(Buffered::More);
        }
        self.max = None;
        match abi::buffer(BufferType::RequestBody, 0, max.saturating_add(1)) {
            Ok(bytes) if bytes.len() == self.len => Ok(Buffered::Whole(bytes)),
            // Nothing was ever buffered.
            Err(_) if self.len == 0 => Ok(Buffered::Whole(Vec::new())),
            Ok(_) => Err(Status::InternalFailure),
            Err(status) => Err(status),
        }
    }
}
