//! Cost: what a request costs, from the route's weight and a number in the request.

use std::num::NonZeroU32;

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
    /// The number of schools asked for (at least 1). Needs a scope rule.
    Schools,
}

/// The cost rule of a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Weight, at least 1.
    pub weight: NonZeroU32,
    /// Factor.
    pub factor: Factor,
}
