//! Gives back what a request did not need after all, and charges what it cost beyond the estimate.
//!
//! Net of all refunds, any window still admits no more than its limit: what of a charge may have drained already is
//! not given back.

use super::key::LimitKey;
use super::outcome::{Evaluation, Posted, Receipt, Reservation};
use super::slot::{REFUND_STEP, Record, Seat, Slot};
use super::slots::{Slots, edit};
use super::{Limit, Window, level_of};
use crate::values::shared::StoreError;
use crate::values::time::Timestamp;

/// Gives back the whole charge: never what of it must have drained since; of a calendar quota only within the period that
/// was charged.
///
/// # Errors
/// [`StoreError`]: what was not given back stays charged.
pub fn cancel(slots: &mut impl Slots, receipt: Receipt, now: Timestamp) -> Result<(), StoreError> {
    settle_each(slots, receipt, now, |_, _| 0)
}

/// Replaces the cost that was charged by the actual one. Less is given back as by [`cancel`]; more is charged as far
/// as the limit has room, since the request has been served. A limit that was charged nothing stays as it is.
///
/// # Errors
/// [`StoreError`]: what was not settled stays as charged.
pub fn settle(slots: &mut impl Slots, receipt: Receipt, cost: u32, now: Timestamp) -> Result<(), StoreError> {
    settle_each(slots, receipt, now, |limit, charged| limit.amount(charged, cost))
}

/// Settles every limit on what `actual` makes of the amount charged.
#[expect(clippy::needless_pass_by_value, reason = "a receipt is used up")]
#[inline(never)]
fn settle_each(
    slots: &mut impl Slots,
    receipt: Receipt,
    now: Timestamp,
    actual: impl Fn(&Limit, u32) -> u32,
) -> Result<(), StoreError> {
    for Reservation { charge, slot, evaluations } in &receipt.reservations {
        let change = |limit: &Limit| {
            let charged = charge.amount(limit);
            (charged, actual(limit, charged))
        };
        if charge.limits.iter().map(change).all(|(charged, actual)| charged == 0 || charged == actual) {
            continue;
        }
        edit(slots, *slot, |slot, _| {
            for (limit, evaluation) in charge.limits.iter().zip(evaluations) {
                let (charged, actual) = change(limit);
                adjust(slot, &charge.key, limit, evaluation, charged, actual, now);
            }
        })?;
    }
    Ok(())
}

/// Changes what was charged to one limit from `charged` units to `actual`.
#[inline(never)]
pub(super) fn adjust(
    slot: &mut Slot,
    key: &LimitKey,
    limit: &Limit,
    evaluation: &Evaluation,
    charged: u32,
    actual: u32,
    now: Timestamp,
) {
    let Some(posted) = evaluation.posted else { return };
    let at = match slot.find(key.tag(), limit.id(), now) {
        Seat::Own(at) if !evaluation.overflow => at,
        Seat::Overflow(at) if evaluation.overflow => at,
        _ => return,
    };
    let stored = slot.get(at);
    if actual > charged {
        let usage = limit.evaluate(stored, now);
        let room = limit.level_max().saturating_sub(usage.counted());
        let more = level_of(actual.saturating_sub(charged).into()).min(room);
        slot.put(at, limit.add(&usage, more).kept);
        return;
    }
    let back = level_of(charged.saturating_sub(actual).into());
    let back = back.min(refundable(limit, stored, posted, charged, now)).min(stored.level);
    // Nothing was charged since: an undoing, which concerns no older receipt.
    let is_last = stored.level.saturating_add(stored.outflow_since(posted.outflow)) == posted.level;
    // In whole steps, or what is counted would fall behind what is given back.
    let back = if is_last { back } else { back.saturating_sub(back % REFUND_STEP) };
    let left = if is_last { stored } else { stored.with_refund(back) };
    let level = stored.level.saturating_sub(back);
    // Where nothing is in use any more, there is nothing to keep the place for.
    let clear_at = if level == 0 { left.stamp } else { left.clear_at };
    slot.put(at, Record { level, clear_at, ..left });
}

/// What of a charge can still be in use, in micro-units.
fn refundable(limit: &Limit, stored: Record, posted: Posted, charged: u32, now: Timestamp) -> u64 {
    match limit.window {
        Window::Calendar { .. } if stored.stamp == posted.stamp => posted.level,
        Window::Calendar { .. } => 0,
        // The clock was set back since.
        Window::Bucket { .. } if stored.stamp < posted.stamp => 0,
        Window::Bucket { .. } => {
            let at = stored.stamp.max(now.micros());
            // By the clock, in case the entry was dropped and begun anew; by the outflow, which also knows the other
            // refunds and the other tiers' faster draining, and in addition what no one has drained yet.
            let by_clock = limit.drained_in(at.saturating_sub(posted.stamp));
            let pending = limit.drained_in(at.saturating_sub(stored.stamp));
            let left = stored.outflow_since(posted.outflow).saturating_add(pending);
            let drained = stored.drained_since(posted.outflow, posted.refunded).saturating_add(pending);
            // Nobody knows whose refunds the others were: of charges before this one, they brought its turn to drain
            // nearer. But no more of it has drained than has drained at all.
            let behind_others = posted.level.saturating_sub(by_clock.max(left));
            behind_others.max(level_of(charged.into()).saturating_sub(by_clock.max(drained)))
        }
    }
}
