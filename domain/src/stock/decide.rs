//! Decides commands to the stock of a SKU.

use jiff::Timestamp;

use crate::OrderRef;
use crate::limits::{EXPIRE_MAX, LINE_UNITS_MAX, STOCK_UNITS_MAX};

use super::command::StockCommand;
use super::event::{Adjusted, Confirmed, Counted, Expired, Released, Reserved, Restocked, StockEvent};
use super::rejection::StockRejection;
use super::state::{Reservation, StockState, is_covered};

type Decision = Result<Vec<StockEvent>, StockRejection>;

/// Returns the events of a command at a time, or the reason why it is refused.
pub fn decide(state: &StockState, command: &StockCommand, now: Timestamp) -> Decision {
    match command {
        StockCommand::Count { on_hand } => count(state, *on_hand),
        StockCommand::Adjust { change, reason } => adjust(state, *change, reason),
        StockCommand::Reserve { order, quantity, expires_at } => {
            reserve(state, order, *quantity, *expires_at, now)
        }
        StockCommand::Release { order } => release(state, order),
        StockCommand::Confirm { order } => confirm(state, order, now),
        StockCommand::ExpireDue => Ok(expire_due(state, now)),
        StockCommand::Restock { order, quantity } => restock(state, order, *quantity),
    }
}

fn count(state: &StockState, on_hand: i64) -> Decision {
    if on_hand < 0 {
        return Err(StockRejection::InvalidQuantity(format!("a count of {on_hand} units is not possible")));
    }
    check_on_hand(state, on_hand)?;
    if state.counted && state.on_hand == on_hand {
        return Ok(Vec::new());
    }
    Ok(vec![Counted { on_hand }.into()])
}

fn adjust(state: &StockState, change: i64, reason: &str) -> Decision {
    if change == 0 {
        return Err(StockRejection::InvalidQuantity("a change of 0 units is not allowed".to_owned()));
    }
    check_on_hand(state, state.on_hand.saturating_add(change))?;
    Ok(vec![Adjusted { change, reason: reason.to_owned() }.into()])
}

fn check_on_hand(state: &StockState, on_hand: i64) -> Result<(), StockRejection> {
    if on_hand > STOCK_UNITS_MAX {
        let detail = format!("{on_hand} units would be on hand, but at most {STOCK_UNITS_MAX} are allowed");
        return Err(StockRejection::InvalidQuantity(detail));
    }
    if is_covered(on_hand, state.reserved) {
        return Ok(());
    }
    Err(StockRejection::BelowReserved { on_hand, reserved: state.reserved })
}

fn reserve(
    state: &StockState,
    order: &OrderRef,
    quantity: u32,
    expires_at: Timestamp,
    now: Timestamp,
) -> Decision {
    check_units(quantity)?;
    let mut freed = 0;
    let mut events = Vec::new();
    match state.open.get(order) {
        // An overdue reservation of the same order expires, and a new one begins.
        Some(held) if held.expires_at <= now => {
            freed = i64::from(held.quantity);
            events.push(expired(order, held));
        }
        Some(held) if held.quantity == quantity => return Ok(Vec::new()),
        Some(held) => return Err(StockRejection::ReservationExists { quantity: held.quantity }),
        None => {}
    }
    let reserved = Reserved { order: order.clone(), quantity, expires_at };
    let missing = i64::from(quantity) - state.available();
    if missing <= freed {
        events.push(reserved.into());
        return Ok(events);
    }
    // Overdue reservations expire, oldest first, if that frees enough units.
    for (owner, overdue) in state.overdue(now).filter(|(owner, _)| *owner != order).take(EXPIRE_MAX) {
        freed += i64::from(overdue.quantity);
        events.push(expired(owner, overdue));
        if freed >= missing {
            events.push(reserved.into());
            return Ok(events);
        }
    }
    Err(StockRejection::Insufficient { requested: quantity, available: state.available() })
}

fn check_units(quantity: u32) -> Result<(), StockRejection> {
    if (1..=LINE_UNITS_MAX).contains(&quantity) {
        return Ok(());
    }
    Err(StockRejection::InvalidQuantity(format!(
        "{quantity} units were requested, but 1 to {LINE_UNITS_MAX} are allowed"
    )))
}

fn release(state: &StockState, order: &OrderRef) -> Decision {
    let held = open(state, order)?;
    Ok(vec![Released { order: order.clone(), quantity: held.quantity }.into()])
}

fn confirm(state: &StockState, order: &OrderRef, now: Timestamp) -> Decision {
    let held = open(state, order)?;
    if held.expires_at <= now {
        return Err(StockRejection::ReservationExpired { expired_at: held.expires_at });
    }
    Ok(vec![Confirmed { order: order.clone(), quantity: held.quantity }.into()])
}

fn restock(state: &StockState, order: &OrderRef, quantity: u32) -> Decision {
    check_units(quantity)?;
    check_on_hand(state, state.on_hand.saturating_add(i64::from(quantity)))?;
    Ok(vec![Restocked { order: order.clone(), quantity }.into()])
}

fn open<'a>(state: &'a StockState, order: &OrderRef) -> Result<&'a Reservation, StockRejection> {
    state.open.get(order).ok_or(StockRejection::ReservationNotOpen)
}

fn expire_due(state: &StockState, now: Timestamp) -> Vec<StockEvent> {
    state.overdue(now).take(EXPIRE_MAX).map(|(order, held)| expired(order, held)).collect()
}

fn expired(order: &OrderRef, held: &Reservation) -> StockEvent {
    Expired { order: order.clone(), quantity: held.quantity }.into()
}
