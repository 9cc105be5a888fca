use std::slice::from_ref;

use jiff::{SignedDuration, Timestamp};
use souk_eventsourcing::testkit::{context, fold, given, noon};

use super::event::{Adjusted, Confirmed, Counted, Expired, Released, Reserved, Restocked};
use super::*;
use crate::OrderRef;
use crate::limits::{EXPIRE_MAX, LINE_UNITS_MAX, STOCK_UNITS_MAX};

fn order(name: &str) -> OrderRef {
    OrderRef::parse(name).unwrap()
}

fn later(seconds: i64) -> Timestamp {
    noon() + SignedDuration::from_secs(seconds)
}

fn counted(on_hand: i64) -> StockEvent {
    Counted { on_hand }.into()
}

fn reserved(name: &str, quantity: u32) -> StockEvent {
    Reserved { order: order(name), quantity, expires_at: later(60) }.into()
}

fn reserve(name: &str, quantity: u32) -> StockCommand {
    StockCommand::Reserve { order: order(name), quantity, expires_at: later(60) }
}

fn confirm(name: &str) -> StockCommand {
    StockCommand::Confirm { order: order(name) }
}

fn release(name: &str) -> StockCommand {
    StockCommand::Release { order: order(name) }
}

// Proves: inventory.reserving
#[test]
fn units_are_reserved_while_there_are_enough() {
    given::<Stock>(&[counted(5)]).when(&reserve("a", 5)).then(&[reserved("a", 5)]);
    given::<Stock>(&[counted(5), reserved("a", 3)]).when(&reserve("b", 3)).then_refused("insufficient-stock");
    given::<Stock>(&[]).when(&reserve("a", 1)).then_refused("insufficient-stock");
}

// Proves: inventory.reserving-once
#[test]
fn reserving_again_for_the_same_order_does_nothing() {
    given::<Stock>(&[counted(5), reserved("a", 3)]).when(&reserve("a", 3)).then_nothing();
    given::<Stock>(&[counted(5), reserved("a", 3)]).when(&reserve("a", 2)).then_refused("reservation-exists");
}

// Proves: inventory.confirming
#[test]
fn confirmed_units_leave_the_shelf_and_cannot_be_released() {
    let confirmed: StockEvent = Confirmed { order: order("a"), quantity: 3 }.into();
    given::<Stock>(&[counted(5), reserved("a", 3)]).when(&confirm("a")).then(from_ref(&confirmed));
    let history = [counted(5), reserved("a", 3), confirmed];
    given::<Stock>(&history).when(&release("a")).then_refused("reservation-not-open");
    let state = fold::<Stock>(&history);
    assert_eq!((state.on_hand(), state.reserved()), (2, 0));
}

// Proves: inventory.expiry
#[test]
fn a_confirmation_of_an_overdue_reservation_is_refused() {
    given::<Stock>(&[counted(5), reserved("a", 3)])
        .at(later(60))
        .when(&confirm("a"))
        .then_refused("reservation-expired");
}

// Proves: inventory.releasing
#[test]
fn released_units_are_available_again() {
    let released = Released { order: order("a"), quantity: 3 };
    given::<Stock>(&[counted(5), reserved("a", 3)]).when(&release("a")).then(&[released.into()]);
}

// Proves: inventory.expiry
#[test]
fn overdue_reservations_expire_when_another_order_needs_the_units() {
    let expired = Expired { order: order("a"), quantity: 3 };
    let next = Reserved { order: order("b"), quantity: 4, expires_at: later(60) };
    given::<Stock>(&[counted(5), reserved("a", 3)])
        .at(later(60))
        .when(&reserve("b", 4))
        .then(&[expired.into(), next.into()]);
}

#[test]
fn only_overdue_reservations_expire() {
    let history = [counted(5), reserved("a", 3)];
    given::<Stock>(&history).when(&StockCommand::ExpireDue).then_nothing();
    let expired = Expired { order: order("a"), quantity: 3 };
    given::<Stock>(&history).at(later(61)).when(&StockCommand::ExpireDue).then(&[expired.into()]);
}

// Proves: inventory.stock-below-reserved
#[test]
fn a_count_below_the_reserved_units_is_refused() {
    let history = [counted(5), reserved("a", 3)];
    given::<Stock>(&history).when(&StockCommand::Count { on_hand: 2 }).then_refused("stock-below-reserved");
    given::<Stock>(&history).when(&StockCommand::Count { on_hand: -1 }).then_refused("invalid-quantity");
    given::<Stock>(&history).when(&StockCommand::Count { on_hand: 5 }).then_nothing();
    given::<Stock>(&[]).when(&StockCommand::Count { on_hand: 0 }).then(&[counted(0)]);
}

// Proves: inventory.counting
#[test]
fn adjustments_have_a_lower_and_an_upper_limit() {
    let adjust = |change| StockCommand::Adjust { change, reason: "delivery".into() };
    let adjusted = Adjusted { change: 5, reason: "delivery".into() };
    given::<Stock>(&[]).when(&adjust(5)).then(&[adjusted.into()]);
    given::<Stock>(&[counted(5)]).when(&adjust(0)).then_refused("invalid-quantity");
    given::<Stock>(&[counted(5)]).when(&adjust(-6)).then_refused("stock-below-reserved");
    given::<Stock>(&[counted(5), reserved("a", 3)]).when(&adjust(-3)).then_refused("stock-below-reserved");
    given::<Stock>(&[counted(5)]).when(&adjust(i64::MAX)).then_refused("invalid-quantity");
    given::<Stock>(&[counted(5)]).when(&adjust(i64::MIN)).then_refused("stock-below-reserved");
}

#[test]
fn a_count_above_the_limit_is_refused() {
    let count = |on_hand| StockCommand::Count { on_hand };
    given::<Stock>(&[]).when(&count(STOCK_UNITS_MAX)).then(&[counted(STOCK_UNITS_MAX)]);
    given::<Stock>(&[]).when(&count(STOCK_UNITS_MAX + 1)).then_refused("invalid-quantity");
}

#[test]
fn a_reservation_has_between_one_and_the_maximum_number_of_units() {
    for quantity in [0, LINE_UNITS_MAX + 1, u32::MAX] {
        given::<Stock>(&[counted(STOCK_UNITS_MAX)])
            .when(&reserve("a", quantity))
            .then_refused("invalid-quantity");
    }
}

#[test]
fn overdue_reservations_stay_open_if_their_units_are_not_enough() {
    let history = [counted(5), reserved("a", 3)];
    given::<Stock>(&history).at(later(60)).when(&reserve("b", 6)).then_refused("insufficient-stock");
    let refused =
        Stock::decide(&fold::<Stock>(&history), &reserve("b", 6), &context(1, later(60))).unwrap_err();
    assert_eq!(refused.to_string(), "6 units were requested, but only 2 are available");
}

#[test]
fn only_as_many_overdue_reservations_expire_as_needed() {
    let held = |name: &str, seconds| Reserved { order: order(name), quantity: 2, expires_at: later(seconds) };
    let history = [counted(4), held("young", 20).into(), held("old", 10).into()];
    let expired = Expired { order: order("old"), quantity: 2 };
    let next = Reserved { order: order("b"), quantity: 1, expires_at: later(60) };
    given::<Stock>(&history).at(later(30)).when(&reserve("b", 1)).then(&[expired.into(), next.into()]);
}

#[test]
fn one_command_expires_the_oldest_reservations_up_to_a_limit() {
    let count = i64::try_from(EXPIRE_MAX).unwrap() + 5;
    let held = (0..count).map(|n| Reserved {
        order: order(&n.to_string()),
        quantity: 1,
        expires_at: later(count - n),
    });
    let history: Vec<StockEvent> =
        std::iter::once(counted(count)).chain(held.map(StockEvent::from)).collect();
    let state = fold::<Stock>(&history);
    let sweep = Stock::decide(&state, &StockCommand::ExpireDue, &context(1, later(count))).unwrap();
    let expired = |n: i64| Expired { order: order(&n.to_string()), quantity: 1 }.into();
    assert_eq!(sweep, (5..count).rev().map(expired).collect::<Vec<StockEvent>>());
    let rest = sweep.iter().fold(state, Stock::evolve);
    let sweep = Stock::decide(&rest, &StockCommand::ExpireDue, &context(2, later(count))).unwrap();
    assert_eq!(sweep.len(), 5);
}

#[test]
fn an_order_without_a_reservation_cannot_release_or_confirm_one() {
    for command in [release("a"), confirm("a")] {
        given::<Stock>(&[counted(5), reserved("b", 1)]).when(&command).then_refused("reservation-not-open");
    }
}

#[test]
fn an_order_can_reserve_again_after_a_release() {
    let released = Released { order: order("a"), quantity: 3 };
    let history = [counted(5), reserved("a", 3), released.into()];
    given::<Stock>(&history).when(&reserve("a", 4)).then(&[reserved("a", 4)]);
}

#[test]
fn restocked_units_are_on_hand_up_to_the_limit() {
    let restock = |quantity| StockCommand::Restock { order: order("a"), quantity };
    let restocked: StockEvent = Restocked { order: order("a"), quantity: 2 }.into();
    given::<Stock>(&[counted(5)]).when(&restock(2)).then(from_ref(&restocked));
    assert_eq!(fold::<Stock>(&[counted(5), restocked]).on_hand(), 7);
    given::<Stock>(&[counted(5)]).when(&restock(0)).then_refused("invalid-quantity");
    given::<Stock>(&[counted(STOCK_UNITS_MAX)]).when(&restock(1)).then_refused("invalid-quantity");
}

#[test]
fn an_order_can_reserve_again_after_its_reservation_is_overdue() {
    let history = [counted(5), reserved("a", 3)];
    let again = |quantity| StockCommand::Reserve { order: order("a"), quantity, expires_at: later(120) };
    let anew = |quantity| StockEvent::from(Reserved { order: order("a"), quantity, expires_at: later(120) });
    let expired = || StockEvent::from(Expired { order: order("a"), quantity: 3 });
    for quantity in [3, 5] {
        given::<Stock>(&history).at(later(60)).when(&again(quantity)).then(&[expired(), anew(quantity)]);
    }
    given::<Stock>(&history).at(later(60)).when(&again(6)).then_refused("insufficient-stock");
    given::<Stock>(&history).at(later(59)).when(&again(3)).then_nothing();
}
