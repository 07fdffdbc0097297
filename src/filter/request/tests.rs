//! The state machine, driven as the shell drives it, without Envoy.
#![allow(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

mod accessors;
mod budgets;
mod cache;
mod charges;
mod denials;
mod dry_run;
mod interleavings;
mod opaque;
mod order;
mod reasons;
mod reply;
mod retirement;
mod retirement_either;
mod rotation;
mod route_limits;
mod setup;
mod stack;
mod student_attacks;
mod waiting;
