//! How a limit is told to clients: the parts of its `RateLimit` fields that never change, written once.

use std::time::Duration;

use crate::values::time::seconds_up;

/// Between the limits of a field.
pub(crate) const SEPARATOR: &str = ", ";

/// The parts of one limit, each with the separator before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PolicyTemplate {
    /// Its part of `RateLimit-Policy`; without the number of seconds where the window has not always the same length.
    pub(crate) policy: Box<str>,
    /// Its part of `RateLimit`, up to the number that remains.
    pub(crate) state: Box<str>,
}

impl PolicyTemplate {
    /// Of a limit that holds `capacity`; `window` is the time from empty to full, if that is always the same.
    pub(super) fn new(name: &str, capacity: u64, window: Option<Duration>) -> Self {
        let window = window.map_or_else(String::new, |window| seconds_up(window).to_string());
        Self {
            policy: format!("{SEPARATOR}\"{name}\";q={capacity};w={window}").into(),
            state: format!("{SEPARATOR}\"{name}\";r=").into(),
        }
    }
}
