//! `cost` of a route: a weight, or a weight times a number of the request.

use std::num::NonZeroU32;

use super::reader::{Object, Reader};
use super::schema::routes::{COST, COST_FACTOR, COST_RULE};
use super::scope;
use crate::policy::cost::{CostRule, Factor};

const FIELDS: &[&str] = &COST_RULE.names::<{ COST_RULE.count() }>();
const TIMES_FIELDS: &[&str] = &COST_FACTOR.names::<{ COST_FACTOR.count() }>();

/// Reads `cost`; absent: 1.
#[inline(never)]
pub(super) fn read(fields: &Object<'_>) -> Option<CostRule> {
    let weight = |reader: &Reader<'_>| reader.integer(COST).and_then(NonZeroU32::new);
    let Some(reader) = fields.get("cost") else {
        return Some(CostRule { weight: NonZeroU32::MIN, factor: Factor::One });
    };
    if reader.value().is_number() {
        return Some(CostRule { weight: weight(&reader)?, factor: Factor::One });
    }
    if !reader.value().is_object() {
        reader.expected("a whole number or an object");
        return None;
    }
    let fields = reader.object(FIELDS)?;
    let weight = fields.field("weight", NonZeroU32::MIN, weight);
    let factor = fields.field("times", Factor::One, factor);
    Some(CostRule { weight: weight?, factor: factor? })
}

#[inline(never)]
fn factor(reader: &Reader<'_>) -> Option<Factor> {
    if !reader.value().is_object() {
        reader.word(&[("schools", ())])?;
        return Some(Factor::Schools);
    }
    let fields = reader.object(TIMES_FIELDS)?;
    let default = fields.required("default").and_then(|default| default.integer(COST).and_then(NonZeroU32::new));
    if fields.get("body").is_some() && fields.get("query").is_none() {
        let pointer = fields.required("body").and_then(|body| scope::pointer(&body));
        return Some(Factor::Body { pointer: pointer?, default: default? });
    }
    if fields.get("body").is_some() {
        fields.problem("body", "expected `query` or `body`, got both");
        return None;
    }
    let name = fields.required("query").and_then(|name| scope::parameter(&name));
    Some(Factor::Query { name: name?, default: default? })
}
