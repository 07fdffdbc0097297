//! Strict reading of what clients send: head, path, query, body, `Basic`, request id; and what is stripped from it.

pub mod basic;
pub mod body;
pub mod head;
pub mod path;
pub mod query;
pub mod request_id;
pub mod strip;
