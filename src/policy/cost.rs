//! Cost: what a request costs, from the route's weight and a number in the request.

use std::fmt;
use std::num::NonZeroU32;

use crate::http::body::Pointer;
use crate::http::query::{self, QueryError};

/// What multiplies the weight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Factor {
    /// Nothing.
    One,
    /// A query parameter that holds a whole number from 1, such as `limit`.
    Query {
        /// The parameter's name.
        name: String,
        /// What the server assumes when the parameter is absent.
        default: NonZeroU32,
    },
    /// A member of the JSON body that holds a whole number from 1. The weight alone is charged before the body is read.
    Body {
        /// Where it stands.
        pointer: Pointer,
        /// What the server assumes when it is absent.
        default: NonZeroU32,
    },
    /// The number of schools asked for (at least 1). Needs a scope rule.
    Schools,
}

/// The cost rule of a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CostRule {
    /// Weight, at least 1.
    pub weight: NonZeroU32,
    /// Factor.
    pub factor: Factor,
}

/// Why the cost of a request cannot be told: 400.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CostError {
    /// The query cannot be read in one way only.
    Query(QueryError),
    /// The parameter stands more than once.
    Repeated,
    /// The value is no whole number from 1, written in digits without a leading zero.
    ///
    /// Zero is refused because servers read it as "no limit".
    Number,
}

/// What a request costs as far as its head tells: weight times factor, at least 1. Numbers beyond `u32` cost `u32::MAX`.
///
/// # Errors
/// The number in the request cannot be told for sure.
pub fn of(rule: &CostRule, query: Option<&str>, school_count: usize) -> Result<u32, CostError> {
    let factor = match &rule.factor {
        Factor::One | Factor::Body { .. } => 1,
        Factor::Query { name, default } => match query {
            Some(query) => number(query, name)?.unwrap_or(default.get()),
            None => default.get(),
        },
        Factor::Schools => u32::try_from(school_count).unwrap_or(u32::MAX).max(1),
    };
    Ok(rule.weight.get().saturating_mul(factor))
}

/// What a request costs once its body is read: `number` stands where the factor looks.
pub fn of_body(rule: &CostRule, number: Option<u32>) -> u32 {
    let factor = match &rule.factor {
        Factor::Body { default, .. } => number.unwrap_or(default.get()),
        Factor::Schools => number.unwrap_or(1),
        Factor::One | Factor::Query { .. } => 1,
    };
    rule.weight.get().saturating_mul(factor.max(1))
}

impl fmt::Display for CostError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Query(error) => error.fmt(f),
            Self::Repeated => f.write_str("cost parameter stands more than once"),
            Self::Number => f.write_str("cost parameter is no whole number from 1"),
        }
    }
}

impl std::error::Error for CostError {}

fn number(query: &str, name: &str) -> Result<Option<u32>, CostError> {
    let values = query::values(query, name).map_err(CostError::Query)?;
    match values.as_slice() {
        [] => Ok(None),
        [digits] => whole_number(digits).map(Some).ok_or(CostError::Number),
        _ => Err(CostError::Repeated),
    }
}

/// The actual cost that the upstream tells: a whole number in plain digits.
pub fn settled(value: &[u8]) -> Option<u32> {
    let digits = std::str::from_utf8(value.trim_ascii()).ok()?;
    let is_number = !digits.is_empty() && digits.bytes().all(|it| it.is_ascii_digit());
    is_number.then(|| digits.parse().unwrap_or(u32::MAX))
}

fn whole_number(digits: &str) -> Option<u32> {
    // A leading zero is octal to some.
    if digits.starts_with('0') || digits.is_empty() || !digits.bytes().all(|it| it.is_ascii_digit()) {
        return None;
    }
    Some(digits.parse().unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests;
