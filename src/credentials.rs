//! What clients show, and what says whether it is good: JWTs, API keys, opaque tokens, revocation, retirement, and how
//! the lists and key sets behind them are read and kept fresh.

pub mod api_key;
pub mod cache;
pub mod fetch;
pub mod grant;
pub mod ids;
pub mod jwt;
pub mod list;
pub mod opaque;
pub mod reason;
pub mod retirement;
pub mod revocation;
pub mod schema;
