//! One request as a state machine, what one worker keeps between requests, and what it counts.

pub mod caller;
pub mod document;
pub mod metrics;
pub mod request;
pub mod worker;
