//! The module and its Envoy as they start, fail, are replaced and end: nothing passes unchecked, and nothing is lost that
//! could be kept.

mod drain;
mod guard;
mod reload;
mod traps;
