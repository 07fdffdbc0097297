//! What a request asks of budgets.

use std::rc::Rc;

use super::Limit;
use super::key::LimitKey;

/// What a request asks of the budgets of one key.
#[derive(Clone, Debug)]
pub struct Charge {
    /// Whose budgets.
    pub key: LimitKey,
    /// All of them must admit; at most [`super::LIMITS_MAX`], with distinct names.
    pub limits: Rc<[Limit]>,
    /// Amount under limits that count requests.
    pub requests: u32,
    /// Amount under limits that count cost.
    pub cost: u32,
}

impl Charge {
    /// What it counts under a limit.
    pub(super) fn amount(&self, limit: &Limit) -> u32 {
        limit.amount(self.requests, self.cost)
    }
}
