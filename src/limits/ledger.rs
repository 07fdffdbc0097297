//! Charges several budgets as one, all or nothing, exactly, with any number of workers racing.
//!
//! Each slot is one compare-and-swap: read, judge, swap, and again if another worker was faster. Charges that reach
//! into several slots take them in one fixed order and give back what they took when a later one refuses. A worker
//! that dies in between leaves its charge: the budget is then short until it drains, never over.

use std::rc::Rc;

use smallvec::{SmallVec, smallvec};

use super::outcome::{Mark, Posted, Posting, Wait};
use super::owner::{Owner, SlotId};
use super::settle::adjust;
use super::slot::{Record, Seat, Slot};
use super::store::edit;
use super::{Judged, Limit, level_of};
use crate::values::time::Now;

pub use super::charge::Charge;
pub use super::outcome::{Outcome, Receipt, Standing};
pub use super::settle::{cancel, settle};
pub use super::store::{Slots, StoreError, Swap, Version};

/// Charges everything, or nothing if any limit refuses. A denial writes nothing but corrections of times: a dry run
/// calls this as well and passes the request on. Charges of one owner are added up.
///
/// # Errors
/// [`StoreError`]: the caller fails closed. What was charged until then stays.
#[inline(never)]
pub fn reserve(slots: &mut impl Slots, charges: &[Charge], now: Now) -> Result<Outcome, StoreError> {
    let mut postings: SmallVec<[Posting; 1]> =
        charges.iter().map(|charge| Posting::new(slots, charge.clone())).collect();
    if let [posting] = postings.as_mut_slice()
        && !posting.marks.is_empty()
    {
        let admitted = visit_group(slots, &mut [posting], true, now)?;
        return Ok(Outcome::new(postings, admitted, now));
    }
    // Few enough to be put in their places one by one; the sorting of the standard library is 30 KB of code.
    let mut order: Vec<&mut Posting> = Vec::with_capacity(postings.len());
    for posting in postings.iter_mut().filter(|posting| !posting.marks.is_empty()) {
        let place = order.partition_point(|before| slot_order(before) <= slot_order(posting));
        order.insert(place, posting);
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
    Ok(Outcome::new(postings, admitted, now))
}

/// Tells what charging this would come to, and charges nothing. A denial writes what one of [`reserve`] does: where
/// nothing else is ever asked, a clock that was set back would else be met again each time.
///
/// # Errors
/// [`StoreError`]: the caller fails closed.
pub fn foresee(slots: &mut impl Slots, charge: Charge, now: Now) -> Result<Outcome, StoreError> {
    let mut posting = Posting::new(slots, charge);
    let mut bytes = Vec::new();
    slots.read(posting.slot, &mut bytes)?;
    let before = Slot::parse(bytes);
    let (mut slot, id) = (before.clone(), posting.slot);
    let group = &mut [&mut posting];
    if charge_group(&mut slot, group, now) {
        return Ok(Outcome::room());
    }
    slot.clone_from(&before);
    view_group(&mut slot, group, now);
    if slot != before {
        edit(slots, id, |slot, _| view_group(slot, group, now))?;
    }
    Ok(Outcome::new(smallvec![posting], false, now))
}

/// Charges the charges of one slot, or only judges them if `commit` is false because a slot before has refused.
/// Returns whether all is admitted.
#[inline(never)]
fn visit_group(slots: &mut impl Slots, group: &mut [&mut Posting], commit: bool, now: Now) -> Result<bool, StoreError> {
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
fn roll_back(slots: &mut impl Slots, group: &mut [&mut Posting], now: Now) -> Result<(), StoreError> {
    let Some(id) = slot_of(group) else {
        return Ok(());
    };
    edit(slots, id, |slot, _| {
        for posting in group.iter() {
            for (limit, mark) in posting.charge.limits.iter().zip(&posting.marks) {
                adjust(slot, &posting.charge.owner, limit, mark, posting.charge.amount(limit), 0, now);
            }
        }
        view_group(slot, group, now);
    })
}

fn slot_order(posting: &Posting) -> (SlotId, Owner) {
    (posting.slot, posting.charge.owner)
}

fn same_slot(a: &&mut Posting, b: &&mut Posting) -> bool {
    a.slot == b.slot
}

fn slot_of(group: &[&mut Posting]) -> Option<SlotId> {
    group.first().map(|posting| posting.slot)
}

/// Charges every limit of every charge, as far as each admits; returns whether all do.
#[inline(never)]
fn charge_group(slot: &mut Slot, group: &mut [&mut Posting], now: Now) -> bool {
    let mut admitted = true;
    for nth in 0..group.len() {
        let Some(limits) = group.get(nth).map(|posting| Rc::clone(&posting.charge.limits)) else {
            break;
        };
        for (place, limit) in limits.iter().enumerate() {
            let asked = asked_from(group, nth, place, limit.id());
            let Some(posting) = group.get_mut(nth) else {
                break;
            };
            let amount = posting.charge.amount(limit);
            let mark = charge_one(slot, &posting.charge.owner, limit, amount, asked, now);
            admitted &= mark.wait == Wait::None;
            if let Some(slot) = posting.marks.get_mut(place) {
                *slot = mark;
            }
        }
    }
    admitted
}

/// What this limit of the charge and all after it ask of the same budget, in units.
fn asked_from(group: &[&mut Posting], nth: usize, place: usize, id: u32) -> u64 {
    let mut postings = group.iter().skip(nth).peekable();
    let mut asked = 0_u64;
    let mut skip = place;
    while let Some(posting) = postings.next() {
        let same = posting.charge.limits.iter().skip(skip).filter(|limit| limit.id() == id);
        asked = same.fold(asked, |sum, limit| sum.saturating_add(posting.charge.amount(limit).into()));
        skip = 0;
        if postings.peek().is_none_or(|next| next.charge.owner != posting.charge.owner) {
            break;
        }
    }
    asked
}

/// Charges `amount` to one limit if `asked`, which includes it, fits.
fn charge_one(slot: &mut Slot, owner: &Owner, limit: &Limit, amount: u32, asked: u64, now: Now) -> Mark {
    let tag = owner.tag();
    let seat = if amount == 0 { slot.find(tag, limit.id(), now) } else { slot.claim(tag, limit.id(), now) };
    let (at, overflow) = match seat {
        Seat::Own(at) => (Some(at), false),
        Seat::Overflow(at) => (Some(at), true),
        Seat::Vacant => (None, false),
        Seat::Full(free_at) => {
            let free = Wait::Micros(free_at.saturating_sub(now.micros()).max(1));
            let wait = if asked > limit.capacity() { Wait::Never } else { free };
            return Mark { level: limit.level_max(), wait, overflow: true, ..Mark::default() };
        }
    };
    let judged = limit.judge(at.map(|at| slot.get(at)).unwrap_or_default(), now);
    let wait = wait(limit, &judged, amount, asked, now);
    if let (Wait::None, Some(at), 1..) = (wait, at, amount) {
        let after = limit.add(&judged, level_of(amount.into()));
        slot.put(at, after.kept);
        let Record { level, stamp, outflow, refunded, .. } = after.kept;
        let posted = Some(Posted { level, stamp, outflow, refunded });
        return Mark { overflow, posted, ..mark(limit, &after, now) };
    }
    Mark { wait, overflow, ..mark(limit, &judged, now) }
}

/// How long `asked` units must wait; a request that asks for none never waits.
fn wait(limit: &Limit, judged: &Judged, amount: u32, asked: u64, now: Now) -> Wait {
    if amount == 0 {
        return Wait::None;
    }
    if asked > limit.capacity() {
        return Wait::Never;
    }
    let level = judged.counted().saturating_add(level_of(asked));
    match level.saturating_sub(limit.level_max()) {
        0 => Wait::None,
        excess => Wait::Micros(limit.time_to_drain(judged.current, excess, now).max(1)),
    }
}

fn mark(limit: &Limit, judged: &Judged, now: Now) -> Mark {
    let level = judged.counted();
    let reset = if level == 0 { 0 } else { limit.time_to_drain(judged.current, level, now) };
    Mark { level, reset, ..Mark::default() }
}

/// Notes how every limit stands in the slot as it is, and writes what even a denial must write.
#[inline(never)]
fn view_group(slot: &mut Slot, group: &mut [&mut Posting], now: Now) {
    for posting in group {
        let Posting { charge, marks, .. } = &mut **posting;
        for (limit, noted) in charge.limits.iter().zip(marks) {
            let at = match slot.find(charge.owner.tag(), limit.id(), now) {
                Seat::Own(at) | Seat::Overflow(at) => at,
                Seat::Vacant | Seat::Full(_) => {
                    // What a full slot refuses keeps the mark of the refusal.
                    if noted.wait == Wait::None || noted.wait == Wait::Never {
                        *noted = Mark { level: 0, reset: 0, ..*noted };
                    } else {
                        slot.correct(now);
                    }
                    continue;
                }
            };
            let stored = slot.get(at);
            let judged = limit.judge(stored, now);
            if judged.kept != stored {
                slot.put(at, judged.kept);
            }
            let Mark { level, reset, .. } = mark(limit, &judged, now);
            *noted = Mark { level, reset, ..*noted };
        }
    }
}

#[cfg(test)]
mod tests;
