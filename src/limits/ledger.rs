//! Charges several budgets as one, all or nothing, exactly, with any number of workers racing.
//!
//! Each slot is one compare-and-swap: read, judge, swap, and again if another worker was faster. Charges that reach
//! into several slots take them in one fixed order and give back what they took when a later one refuses. A worker
//! that dies in between leaves its charge: the budget is then short until it drains, never over.

use std::rc::Rc;

use smallvec::{SmallVec, smallvec};

use super::key::{LimitKey, SlotId};
use super::outcome::{Evaluation, Posted, Reservation, Wait};
use super::settle::adjust;
use super::slot::{Record, Seat, Slot};
use super::slots::edit;
use super::{Limit, Usage, level_of};
use crate::values::time::Timestamp;

pub use super::charge::Charge;
pub use super::outcome::{LimitStatus, Outcome, Receipt};
pub use super::settle::{cancel, settle};
pub use super::slots::Slots;
pub use crate::values::shared::StoreError;

/// Charges everything, or nothing if any limit refuses. A denial writes nothing but corrections of times: a dry run
/// calls this as well and passes the request on. Charges of one key are added up.
///
/// # Errors
/// [`StoreError`]: the caller fails closed. What was charged until then stays.
#[inline(never)]
pub fn reserve(slots: &mut impl Slots, charges: &[Charge], now: Timestamp) -> Result<Outcome, StoreError> {
    let mut reservations: SmallVec<[Reservation; 1]> =
        charges.iter().map(|charge| Reservation::new(slots, charge.clone())).collect();
    if let [reservation] = reservations.as_mut_slice()
        && !reservation.evaluations.is_empty()
    {
        let admitted = visit_group(slots, &mut [reservation], true, now)?;
        return Ok(Outcome::new(reservations, admitted, now));
    }
    // Few enough to be put in their places one by one; the sorting of the standard library is 30 KB of code.
    let mut order: Vec<&mut Reservation> = Vec::with_capacity(reservations.len());
    for reservation in reservations.iter_mut().filter(|reservation| !reservation.evaluations.is_empty()) {
        let place = order.partition_point(|before| slot_order(before) <= slot_order(reservation));
        order.insert(place, reservation);
    }
    let mut admitted = true;
    let mut taken = 0_usize;
    for group in order.chunk_by_mut(same_slot) {
        admitted = visit_group(slots, group, admitted, now)?;
        taken = if admitted { taken.saturating_add(group.len()) } else { taken };
    }
    if !admitted {
        for group in order.get_mut(..taken).unwrap_or_default().chunk_by_mut(same_slot) {
            roll_back(slots, group, now)?;
        }
    }
    Ok(Outcome::new(reservations, admitted, now))
}

/// Tells what charging this would come to, and charges nothing. A denial writes what one of [`reserve`] does: where
/// nothing else is ever asked, a clock that was set back would else be met again each time.
///
/// # Errors
/// [`StoreError`]: the caller fails closed.
pub fn peek(slots: &mut impl Slots, charge: Charge, now: Timestamp) -> Result<Outcome, StoreError> {
    let mut reservation = Reservation::new(slots, charge);
    let mut bytes = Vec::new();
    slots.read(reservation.slot.key().as_ref(), &mut bytes)?;
    let before = Slot::parse(bytes);
    let (mut slot, id) = (before.clone(), reservation.slot);
    let group = &mut [&mut reservation];
    if charge_group(&mut slot, group, now) {
        return Ok(Outcome::room());
    }
    slot.clone_from(&before);
    view_group(&mut slot, group, now);
    if slot != before {
        edit(slots, id, |slot, _| view_group(slot, group, now))?;
    }
    Ok(Outcome::new(smallvec![reservation], false, now))
}

/// Charges the charges of one slot, or only judges them if `commit` is false because a slot before has refused.
/// Returns whether all is admitted.
#[inline(never)]
fn visit_group(
    slots: &mut impl Slots,
    group: &mut [&mut Reservation],
    commit: bool,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let Some(id) = slot_of(group) else {
        return Ok(commit);
    };
    let mut admitted = false;
    edit(slots, id, |slot, before| {
        admitted = charge_group(slot, group, now) && commit;
        if !admitted {
            slot.clone_from(before);
        }
        // A lone charge already knows how it stands; of several, a later one may have raised an earlier one's level.
        if !admitted || group.len() > 1 {
            view_group(slot, group, now);
        }
    })?;
    Ok(admitted)
}

/// Takes back what was charged to one slot.
fn roll_back(slots: &mut impl Slots, group: &mut [&mut Reservation], now: Timestamp) -> Result<(), StoreError> {
    let Some(id) = slot_of(group) else {
        return Ok(());
    };
    edit(slots, id, |slot, _| {
        for reservation in group.iter() {
            for (limit, evaluation) in reservation.charge.limits.iter().zip(&reservation.evaluations) {
                adjust(slot, &reservation.charge.key, limit, evaluation, reservation.charge.amount(limit), 0, now);
            }
        }
        view_group(slot, group, now);
    })
}

fn slot_order(reservation: &Reservation) -> (SlotId, LimitKey) {
    (reservation.slot, reservation.charge.key)
}

fn same_slot(a: &&mut Reservation, b: &&mut Reservation) -> bool {
    a.slot == b.slot
}

fn slot_of(group: &[&mut Reservation]) -> Option<SlotId> {
    group.first().map(|reservation| reservation.slot)
}

/// Charges every limit of every charge, as far as each admits; returns whether all do.
#[inline(never)]
fn charge_group(slot: &mut Slot, group: &mut [&mut Reservation], now: Timestamp) -> bool {
    let mut admitted = true;
    for nth in 0..group.len() {
        let Some(limits) = group.get(nth).map(|reservation| Rc::clone(&reservation.charge.limits)) else {
            break;
        };
        for (place, limit) in limits.iter().enumerate() {
            let asked = asked_from(group, nth, place, limit.id());
            let Some(reservation) = group.get_mut(nth) else {
                break;
            };
            let amount = reservation.charge.amount(limit);
            let evaluation = charge_one(slot, &reservation.charge.key, limit, amount, asked, now);
            admitted &= evaluation.wait == Wait::None;
            if let Some(slot) = reservation.evaluations.get_mut(place) {
                *slot = evaluation;
            }
        }
    }
    admitted
}

/// What this limit of the charge and all after it ask of the same budget, in units.
fn asked_from(group: &[&mut Reservation], nth: usize, place: usize, id: u32) -> u64 {
    let mut reservations = group.iter().skip(nth).peekable();
    let mut asked = 0_u64;
    let mut skip = place;
    while let Some(reservation) = reservations.next() {
        let same = reservation.charge.limits.iter().skip(skip).filter(|limit| limit.id() == id);
        asked = same.fold(asked, |sum, limit| sum.saturating_add(reservation.charge.amount(limit).into()));
        skip = 0;
        if reservations.peek().is_none_or(|next| next.charge.key != reservation.charge.key) {
            break;
        }
    }
    asked
}

/// Charges `amount` to one limit if `asked`, which includes it, fits.
fn charge_one(slot: &mut Slot, key: &LimitKey, limit: &Limit, amount: u32, asked: u64, now: Timestamp) -> Evaluation {
    let tag = key.tag();
    let seat = if amount == 0 { slot.find(tag, limit.id(), now) } else { slot.claim(tag, limit.id(), now) };
    let (at, overflow) = match seat {
        Seat::Own(at) => (Some(at), false),
        Seat::Overflow(at) => (Some(at), true),
        Seat::Vacant => (None, false),
        Seat::Full(free_at) => {
            let free = Wait::Micros(free_at.saturating_sub(now.micros()).max(1));
            let wait = if asked > limit.capacity() { Wait::Never } else { free };
            return Evaluation { level: limit.level_max(), wait, overflow: true, ..Evaluation::default() };
        }
    };
    let usage = limit.evaluate(at.map(|at| slot.get(at)).unwrap_or_default(), now);
    let wait = wait(limit, &usage, amount, asked, now);
    if let (Wait::None, Some(at), 1..) = (wait, at, amount) {
        let after = limit.add(&usage, level_of(amount.into()));
        slot.put(at, after.kept);
        let Record { level, stamp, outflow, refunded, .. } = after.kept;
        let posted = Some(Posted { level, stamp, outflow, refunded });
        return Evaluation { overflow, posted, ..evaluation(limit, &after, now) };
    }
    Evaluation { wait, overflow, ..evaluation(limit, &usage, now) }
}

/// How long `asked` units must wait; a request that asks for none never waits.
fn wait(limit: &Limit, usage: &Usage, amount: u32, asked: u64, now: Timestamp) -> Wait {
    if amount == 0 {
        return Wait::None;
    }
    if asked > limit.capacity() {
        return Wait::Never;
    }
    let level = usage.counted().saturating_add(level_of(asked));
    match level.saturating_sub(limit.level_max()) {
        0 => Wait::None,
        excess => Wait::Micros(limit.time_to_drain(usage.current, excess, now).max(1)),
    }
}

fn evaluation(limit: &Limit, usage: &Usage, now: Timestamp) -> Evaluation {
    let level = usage.counted();
    let reset = if level == 0 { 0 } else { limit.time_to_drain(usage.current, level, now) };
    Evaluation { level, reset, ..Evaluation::default() }
}

/// Notes how every limit stands in the slot as it is, and writes what even a denial must write.
#[inline(never)]
fn view_group(slot: &mut Slot, group: &mut [&mut Reservation], now: Timestamp) {
    for reservation in group {
        let Reservation { charge, evaluations, .. } = &mut **reservation;
        for (limit, noted) in charge.limits.iter().zip(evaluations) {
            let at = match slot.find(charge.key.tag(), limit.id(), now) {
                Seat::Own(at) | Seat::Overflow(at) => at,
                Seat::Vacant | Seat::Full(_) => {
                    // What a full slot refuses keeps the mark of the refusal.
                    if noted.wait == Wait::None || noted.wait == Wait::Never {
                        *noted = Evaluation { level: 0, reset: 0, ..*noted };
                    } else {
                        slot.correct(now);
                    }
                    continue;
                }
            };
            let stored = slot.get(at);
            let usage = limit.evaluate(stored, now);
            if usage.kept != stored {
                slot.put(at, usage.kept);
            }
            let Evaluation { level, reset, .. } = evaluation(limit, &usage, now);
            *noted = Evaluation { level, reset, ..*noted };
        }
    }
}

#[cfg(test)]
mod tests;
