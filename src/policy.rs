//! What the operator wants of a request: which route it takes, which schools it asks for, what it costs.

pub mod cost;
pub mod route;
pub mod scope;
