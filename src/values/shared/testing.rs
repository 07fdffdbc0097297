//! What tests of shared data have in common.
#![allow(clippy::arithmetic_side_effects)]

use super::StoreError;

/// Lets shared data fail from some call on.
#[derive(Clone, Debug, Default)]
pub(crate) struct Failing {
    /// Calls that succeed before every other fails.
    pub(crate) after: Option<usize>,
}

impl Failing {
    pub(crate) fn call(&mut self) -> Result<(), StoreError> {
        match &mut self.after {
            None => Ok(()),
            Some(0) => Err(StoreError::Host),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
        }
    }
}
