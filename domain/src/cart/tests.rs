use std::slice::from_ref;

use jiff::{SignedDuration, Timestamp};
use souk_eventsourcing::Rejection;
use souk_eventsourcing::testkit::{context, fold, given, noon};
use uuid::Uuid;

use super::event::{
    CartLine, CheckedOut, Cleared, GivenBack, ItemAdded, ItemChanged, ItemRemoved, Merged, MergedAway,
    OrderRecalled,
};
use super::state::{MERGES_MAX, ORDERS_OUT_MAX};
use super::*;
use crate::limits::{LINE_UNITS_MAX, LINES_MAX, PRICE_MINOR_MAX, TOTAL_MINOR_MAX};
use crate::money::{Currency, Money};
use crate::order::draft::DraftFields;
use crate::order::event::{Draft, OrderLine};
use crate::{CustomerId, OrderId, ProductId, Sku};

const ORDER: OrderId = OrderId(Uuid::from_u128(9));
const GUEST: CartId = CartId(Uuid::from_u128(5));

pub(super) fn sku(n: u16) -> Sku {
    Sku::parse(&format!("S{n}")).unwrap()
}

fn pounds(amount: i64) -> Money {
    Money::new(amount * 100, Currency::GBP)
}

pub(super) fn line(n: u16, quantity: u32, price: i64) -> CartLine {
    let product = ProductId(Uuid::from_u128(u128::from(n)));
    CartLine { sku: sku(n), product, quantity, unit_price: pounds(price) }
}

pub(super) fn add(n: u16, quantity: u32, price: i64) -> CartCommand {
    let CartLine { sku, product, quantity, unit_price } = line(n, quantity, price);
    CartCommand::Add { sku, product, quantity, unit_price, customer: None }
}

fn added(n: u16, quantity: u32, price: i64) -> CartEvent {
    ItemAdded { line: line(n, quantity, price), customer: None }.into()
}

pub(super) fn customer() -> CustomerId {
    CustomerId::parse("ada").unwrap()
}

fn merge(revision: u64, lines: Vec<CartLine>) -> CartCommand {
    merge_after(revision, lines, None)
}

fn merge_after(revision: u64, lines: Vec<CartLine>, previous_transfer: Option<u64>) -> CartCommand {
    CartCommand::Merge {
        from: GUEST,
        from_revision: revision,
        lines,
        previous_transfer,
        customer: customer(),
    }
}

/// Returns the event of a merge in which all lines fit.
fn merged(from_revision: u64, lines: Vec<CartLine>) -> CartEvent {
    merged_of(from_revision, lines.clone(), lines)
}

fn merged_of(from_revision: u64, fresh: Vec<CartLine>, lines: Vec<CartLine>) -> CartEvent {
    Merged { from: GUEST, from_revision, lines, fresh, customer: customer() }.into()
}

/// Returns an order of lines as they are in a cart.
pub(super) fn draft(order: OrderId, lines: &[CartLine], placed_at: Timestamp) -> Draft {
    Draft::assemble(fields(order, lines, placed_at)).unwrap()
}

fn fields(order: OrderId, lines: &[CartLine], placed_at: Timestamp) -> DraftFields {
    let order_line = |line: &CartLine| OrderLine {
        sku: line.sku.clone(),
        product: line.product,
        name: "Lamp".into(),
        quantity: line.quantity,
        unit_price: line.unit_price,
        shown_price: None,
    };
    DraftFields { lines: lines.iter().map(order_line).collect(), placed_at, ..DraftFields::example(order) }
}

fn checked_out(order: OrderId, lines: &[CartLine]) -> CartEvent {
    CheckedOut { draft: draft(order, lines, noon()), lines: lines.to_vec() }.into()
}

fn check_out(lines: &[CartLine]) -> CartCommand {
    CartCommand::CheckOut { draft: Box::new(draft(ORDER, lines, noon())) }
}

fn recall(order: OrderId) -> CartCommand {
    CartCommand::RecallOrder { order: Some(order) }
}

fn give_back(order: OrderId, lines: &[CartLine]) -> CartCommand {
    CartCommand::GiveBack { order, lines: lines.to_vec() }
}

fn later(seconds: i64) -> Timestamp {
    noon() + SignedDuration::from_secs(seconds)
}

/// Returns the events of a cart with the maximum number of lines.
fn full() -> Vec<CartEvent> {
    (0..u16::try_from(LINES_MAX).unwrap()).map(|n| added(n, 1, 1)).collect()
}

// Proves: cart.cart-lines
#[test]
fn units_of_a_line_add_up_at_the_newer_price() {
    given::<Cart>(&[]).when(&add(1, 2, 3)).then(&[added(1, 2, 3)]);
    let state = fold::<Cart>(&[added(1, 2, 3), added(1, 1, 4)]);
    let line = state.line(&sku(1)).unwrap();
    assert_eq!((line.quantity, line.unit_price), (3, pounds(4)));
}

// Proves: cart.cart-limits
#[test]
fn a_line_has_between_one_and_the_maximum_number_of_units() {
    given::<Cart>(&[]).when(&add(1, 0, 3)).then_refused("quantity-limit");
    given::<Cart>(&[added(1, 1, 3)]).when(&add(1, LINE_UNITS_MAX, 3)).then_refused("quantity-limit");
    given::<Cart>(&[]).when(&add(1, u32::MAX, 3)).then_refused("quantity-limit");
}

#[test]
fn a_cart_has_one_currency() {
    let CartLine { sku, product, quantity, .. } = line(2, 1, 1);
    let unit_price = Money::new(1, Currency::EUR);
    let euros = CartCommand::Add { sku, product, quantity, unit_price, customer: None };
    given::<Cart>(&[added(1, 1, 3)]).when(&euros).then_refused("currency-mismatch");
    let change = CartCommand::Change { sku: self::sku(1), quantity: 2, unit_price };
    given::<Cart>(&[added(1, 1, 3), added(2, 1, 3)]).when(&change).then_refused("currency-mismatch");
}

#[test]
fn the_currency_of_the_only_line_may_change() {
    let unit_price = Money::new(1, Currency::EUR);
    let changed = ItemChanged { sku: sku(1), quantity: 2, unit_price };
    let change = CartCommand::Change { sku: sku(1), quantity: 2, unit_price };
    given::<Cart>(&[added(1, 1, 3)]).when(&change).then(&[changed.into()]);
}

#[test]
fn a_line_is_changed_and_removed() {
    let change = |quantity| CartCommand::Change { sku: sku(1), quantity, unit_price: pounds(4) };
    let changed = ItemChanged { sku: sku(1), quantity: 5, unit_price: pounds(4) };
    given::<Cart>(&[added(1, 2, 3)]).when(&change(5)).then(&[changed.into()]);
    given::<Cart>(&[added(1, 2, 3)]).when(&change(0)).then(&[ItemRemoved { sku: sku(1) }.into()]);
    given::<Cart>(&[added(1, 5, 4)]).when(&change(5)).then_nothing();
    given::<Cart>(&[added(1, 2, 3)]).when(&change(LINE_UNITS_MAX + 1)).then_refused("quantity-limit");
    given::<Cart>(&[]).when(&change(1)).then_refused("line-not-found");
    given::<Cart>(&[]).when(&CartCommand::Remove { sku: sku(1) }).then_nothing();
}

#[test]
fn merging_a_second_time_does_nothing() {
    let lines = vec![line(1, 2, 3)];
    let merged = merged(4, lines.clone());
    given::<Cart>(&[added(1, 1, 2)]).when(&merge(4, lines.clone())).then(from_ref(&merged));
    given::<Cart>(&[added(1, 1, 2), merged.clone()]).when(&merge(4, lines)).then_nothing();
    let state = fold::<Cart>(&[added(1, 1, 2), merged]);
    assert_eq!(state.line(&sku(1)).unwrap().quantity, 3);
}

#[test]
fn an_older_merge_that_arrives_late_does_nothing() {
    let older = merged(4, vec![line(1, 2, 3)]);
    given::<Cart>(from_ref(&older)).when(&merge(3, vec![line(1, 1, 3)])).then_nothing();
    let newer = merged(6, vec![line(2, 1, 3)]);
    given::<Cart>(&[older]).when(&merge_after(6, vec![line(2, 1, 3)], Some(4))).then(&[newer]);
}

#[test]
fn only_the_last_merges_are_remembered() {
    let merges: Vec<CartEvent> = (0..100).map(|revision| merged(revision, vec![line(1, 1, 1)])).collect();
    assert_eq!(fold::<Cart>(&merges).merged.len(), MERGES_MAX);
}

#[test]
fn merging_fills_a_line_up_to_its_limit() {
    let history = [added(1, LINE_UNITS_MAX - 1, 1)];
    let lines = vec![line(1, 9, 2), line(2, LINE_UNITS_MAX, 2), line(2, 7, 2)];
    let merged = merged_of(4, lines.clone(), vec![line(1, 1, 2), line(2, LINE_UNITS_MAX, 2)]);
    given::<Cart>(&history).when(&merge(4, lines)).then(from_ref(&merged));
    let state = fold::<Cart>(&[history[0].clone(), merged]);
    assert!(state.lines().all(|(_, line)| line.quantity == LINE_UNITS_MAX && line.unit_price == pounds(2)));
}

#[test]
fn merging_nothing_does_nothing() {
    given::<Cart>(&[]).when(&merge(4, Vec::new())).then_nothing();
    given::<Cart>(&[]).when(&merge(4, vec![line(1, 0, 1)])).then_nothing();
}

#[test]
fn merging_makes_the_customer_the_owner_of_the_cart() {
    let state = fold::<Cart>(&[merged(4, vec![line(1, 2, 3)]), added(2, 1, 1)]);
    assert_eq!(state.customer(), Some(&customer()));
    assert_eq!(fold::<Cart>(&[added(2, 1, 1)]).customer(), None);
}

/// Returns the code with which lines of another cart are refused before they leave it.
fn refused(history: &[CartEvent], lines: &[CartLine]) -> Option<&'static str> {
    check_merge(&fold::<Cart>(history), lines).err().map(|rejection| rejection.code())
}

#[test]
fn merging_does_not_mix_currencies() {
    let euros = |n| CartLine { unit_price: Money::new(1, Currency::EUR), ..line(n, 1, 1) };
    assert_eq!(refused(&[added(1, 1, 3)], &[euros(2)]), Some("currency-mismatch"));
    assert_eq!(refused(&[], &[euros(2), line(3, 1, 1)]), Some("currency-mismatch"));
    assert_eq!(refused(&[added(2, 1, 3)], &[euros(2)]), None);
}

#[test]
fn lines_that_left_the_other_cart_are_never_refused() {
    let euros = vec![CartLine { unit_price: Money::new(1, Currency::EUR), ..line(2, 1, 1) }];
    let taken_in = merged(4, euros.clone());
    given::<Cart>(&[added(1, 1, 3)]).when(&merge(4, euros)).then(&[taken_in]);
}

#[test]
fn a_merge_that_was_interrupted_takes_no_unit_twice() {
    let interrupted = [merged(4, vec![line(1, 2, 3)])];
    let seen = vec![line(1, 3, 3), line(2, 1, 1)];
    let rest = merged(6, vec![line(1, 1, 3), line(2, 1, 1)]);
    given::<Cart>(&interrupted).when(&merge_after(6, seen.clone(), None)).then(from_ref(&rest));
    given::<Cart>(&interrupted).when(&merge_after(6, seen.clone(), Some(3))).then(&[rest]);
    given::<Cart>(&interrupted).when(&merge_after(6, seen.clone(), Some(4))).then(&[merged(6, seen)]);
}

const OTHER: CartId = CartId(Uuid::from_u128(6));

fn given_away(into: CartId, at_revision: u64, lines: &[CartLine]) -> CartEvent {
    MergedAway { into, at_revision, lines: lines.to_vec(), is_owed: true }.into()
}

#[test]
fn a_cart_gives_all_its_lines_to_one_other_cart() {
    let away = |into, at_revision| CartCommand::GiveAway { into, at_revision };
    let history = [added(1, 3, 1), given_away(OTHER, 0, &[line(1, 3, 1)]), added(2, 1, 1)];
    given::<Cart>(&history[..1]).when(&away(OTHER, 0)).then(&history[1..2]);
    given::<Cart>(&history[..2]).when(&away(GUEST, 1)).then_nothing();
    given::<Cart>(&history).when(&away(GUEST, 2)).then(&[given_away(GUEST, 2, &[line(2, 1, 1)])]);
}

#[test]
fn lines_that_were_given_away_stay_owed_to_their_cart() {
    let history = [
        added(1, 3, 1),
        given_away(OTHER, 0, &[line(1, 3, 1)]),
        added(2, 1, 1),
        given_away(OTHER, 2, &[line(2, 1, 1)]),
    ];
    let state = fold::<Cart>(&history);
    let owed: Vec<_> =
        state.transfers_to(OTHER).map(|transfer| (transfer.at_revision, transfer.previous)).collect();
    assert_eq!(owed, [(0, None), (2, Some(0))]);
    assert_eq!(state.transfers_to(OTHER).next().unwrap().lines, [line(1, 3, 1)]);
    assert_eq!(state.transfers_to(GUEST).count(), 0);
}

#[test]
fn lines_that_the_other_cart_took_in_first_are_not_owed() {
    let event = r#"{"into":"00000000-0000-0000-0000-000000000006","atRevision":4,"lines":[]}"#;
    let mut away: MergedAway = serde_json::from_str(event).unwrap();
    away.lines = vec![line(1, 1, 1)];
    let state = fold::<Cart>(&[added(1, 3, 1), away.into()]);
    assert_eq!((state.cart_lines(), state.transfers_to(OTHER).count()), (vec![line(1, 2, 1)], 0));
}

#[test]
fn clearing_removes_every_line_and_forgets_the_last_order() {
    let cleared = Cleared { skus: vec![sku(1), sku(2)] };
    given::<Cart>(&[added(2, 1, 1), added(1, 1, 1)]).when(&CartCommand::Clear).then(&[cleared.into()]);
    given::<Cart>(&[]).when(&CartCommand::Clear).then_nothing();
    let lines = [line(1, 2, 3)];
    let nothing: CartEvent = Cleared { skus: Vec::new() }.into();
    let ordered = [added(1, 2, 3), checked_out(ORDER, &lines), nothing.clone()];
    given::<Cart>(&ordered[..2]).when(&CartCommand::Clear).then(&[nothing]);
    given::<Cart>(&ordered).when(&CartCommand::Clear).then_nothing();
    given::<Cart>(&ordered).when(&check_out(&lines)).then_refused("cart-empty");
}

// Proves: cart.cart-limits
#[test]
fn a_full_cart_accepts_more_units_but_no_more_lines() {
    let next = u16::try_from(LINES_MAX).unwrap();
    given::<Cart>(&full()).when(&add(0, 1, 1)).then(&[added(0, 1, 1)]);
    given::<Cart>(&full()).when(&add(next, 1, 1)).then_refused("cart-full");
    assert_eq!(refused(&full(), &[line(0, 1, 1), line(next, 1, 1)]), Some("cart-full"));
}

// Proves: cart.cart-is-emptied
#[test]
fn ordering_empties_the_cart() {
    let lines = [line(1, 2, 3)];
    let history = [added(1, 2, 3), checked_out(ORDER, &lines)];
    given::<Cart>(&history[..1]).when(&check_out(&lines)).then(&history[1..]);
    assert!(fold::<Cart>(&history).is_empty());
    given::<Cart>(&[]).when(&check_out(&lines)).then_refused("cart-empty");
}

#[test]
fn an_order_must_have_exactly_the_lines_of_the_cart() {
    let lines = [line(1, 2, 3)];
    given::<Cart>(&[added(1, 3, 3)]).when(&check_out(&lines)).then_refused("cart-changed");
    given::<Cart>(&[added(2, 2, 3)]).when(&check_out(&lines)).then_refused("cart-changed");
    given::<Cart>(&[added(1, 2, 3), added(2, 1, 3)]).when(&check_out(&lines)).then_refused("cart-changed");
    // The units of a SKU at two prices are added.
    let split = [line(1, 5, 3), line(1, 2, 4)];
    given::<Cart>(&[added(1, 2, 3)]).when(&check_out(&split)).then_refused("cart-changed");
}

// Proves: orders.second-click
#[test]
fn a_second_checkout_within_a_minute_returns_the_same_order() {
    let lines = [line(1, 2, 3)];
    let history = [added(1, 2, 3), checked_out(ORDER, &lines)];
    let recalled = OrderRecalled { order: ORDER };
    given::<Cart>(&history).at(later(60)).when(&recall(ORDER)).then(&[recalled.into()]);
    given::<Cart>(&history).at(later(61)).when(&recall(ORDER)).then_refused("cart-empty");
    given::<Cart>(&history).when(&check_out(&lines)).then_refused("cart-empty");
    // A request that differs from the one before does not return its order.
    for order in [None, Some(OrderId(Uuid::from_u128(10)))] {
        given::<Cart>(&history).when(&CartCommand::RecallOrder { order }).then_refused("cart-empty");
    }
    // A cart with lines is ordered, not recalled.
    given::<Cart>(&[added(1, 2, 3)]).when(&recall(ORDER)).then_refused("cart-changed");
    let state = fold::<Cart>(&history);
    assert_eq!(state.recent_order(later(60)), Some(ORDER));
    assert_eq!(state.recent_order(later(61)), None);
}

#[test]
fn adding_lines_after_an_order_makes_the_next_checkout_a_new_order() {
    let lines = [line(1, 2, 3)];
    let put_in =
        [added(2, 1, 1), merged(4, lines.to_vec()), GivenBack { order: ORDER, lines: lines.to_vec() }.into()];
    for event in put_in {
        let history = [added(1, 2, 3), checked_out(ORDER, &lines), event];
        assert_eq!(fold::<Cart>(&history).recent_order(noon()), None);
    }
    let taken_out_again = [checked_out(ORDER, &lines), added(2, 1, 1), ItemRemoved { sku: sku(2) }.into()];
    given::<Cart>(&taken_out_again).when(&recall(ORDER)).then_refused("cart-empty");
}

#[test]
fn the_most_expensive_cart_is_refused_without_an_overflow() {
    let unit_price = Money::new(PRICE_MINOR_MAX, Currency::GBP);
    let expensive = |n| CartLine { unit_price, ..line(n, LINE_UNITS_MAX, 1) };
    let history: Vec<CartEvent> = (0..u16::try_from(LINES_MAX).unwrap())
        .map(|n| ItemAdded { line: expensive(n), customer: None }.into())
        .collect();
    let errors = Draft::assemble(fields(ORDER, &fold::<Cart>(&history).cart_lines(), noon())).unwrap_err();
    assert_eq!(errors[0].code, "total-too-large");
}

// Proves: cart.lines-come-back
#[test]
fn the_lines_of_a_failed_order_are_put_back_once() {
    let lines = [line(1, 2, 3)];
    let given_back: CartEvent = GivenBack { order: ORDER, lines: lines.to_vec() }.into();
    let history = [added(1, 2, 3), checked_out(ORDER, &lines), given_back];
    given::<Cart>(&history[..2]).when(&give_back(ORDER, &lines)).then(&history[2..]);
    given::<Cart>(&history).when(&give_back(ORDER, &lines)).then_nothing();
    assert_eq!(fold::<Cart>(&history).cart_lines(), lines);
}

#[test]
fn lines_that_are_put_back_are_added_to_newer_ones() {
    let lines = [line(1, 2, 3)];
    let history = [added(1, 2, 3), checked_out(ORDER, &lines), added(1, LINE_UNITS_MAX - 1, 4)];
    let given_back = GivenBack { order: ORDER, lines: vec![line(1, 1, 4)] };
    given::<Cart>(&history).when(&give_back(ORDER, &lines)).then(&[given_back.into()]);
}

#[test]
fn lines_that_are_put_back_into_a_full_cart_are_not_lost() {
    let next = u16::try_from(LINES_MAX).unwrap();
    let lines = [line(next, 2, 3)];
    let history: Vec<CartEvent> = std::iter::once(checked_out(ORDER, &lines)).chain(full()).collect();
    let given_back: CartEvent = GivenBack { order: ORDER, lines: lines.to_vec() }.into();
    given::<Cart>(&history).when(&give_back(ORDER, &lines)).then(from_ref(&given_back));
    let overfull: Vec<CartEvent> = history.into_iter().chain([given_back]).collect();
    given::<Cart>(&overfull).when(&add(next + 1, 1, 1)).then_refused("cart-full");
    assert_eq!(refused(&overfull, &[line(0, 1, 1)]), None);
}

#[test]
fn only_lines_of_recent_orders_from_this_cart_are_put_back() {
    given::<Cart>(&[added(1, 1, 5)]).when(&give_back(ORDER, &[line(1, 2, 3)])).then_nothing();
    let order = |n: u128| OrderId(Uuid::from_u128(n));
    let lines = [line(1, 1, 1)];
    let orders = 0..=u128::try_from(ORDERS_OUT_MAX).unwrap();
    let history: Vec<CartEvent> =
        orders.flat_map(|n| [added(1, 1, 1), checked_out(order(n), &lines)]).collect();
    given::<Cart>(&history).when(&give_back(order(0), &lines)).then_nothing();
    let state = fold::<Cart>(&history);
    let events = Cart::decide(&state, &give_back(order(1), &lines), &context(1, noon())).unwrap();
    assert_eq!(events, [GivenBack { order: order(1), lines: lines.to_vec() }.into()]);
}

#[test]
fn a_product_with_exactly_one_line_is_found_by_its_id() {
    let state = fold::<Cart>(&[added(1, 1, 5), added(2, 1, 5)]);
    assert_eq!(state.line_of_product(ProductId(Uuid::from_u128(2))), Some(&sku(2)));
    assert_eq!(state.line_of_product(ProductId(Uuid::from_u128(3))), None);
    let other_variant = CartLine { sku: sku(7), ..line(1, 1, 5) };
    let both = fold::<Cart>(&[added(1, 1, 5), ItemAdded { line: other_variant, customer: None }.into()]);
    assert_eq!(both.line_of_product(ProductId(Uuid::from_u128(1))), None);
}

// Proves: cart.cart-limits
#[test]
fn the_total_of_a_cart_is_limited_like_that_of_an_order() {
    let highest_price = TOTAL_MINOR_MAX / 100;
    let full = || added(1, 1, highest_price);
    given::<Cart>(&[]).when(&add(1, 1, highest_price)).then(&[full()]);
    given::<Cart>(&[]).when(&add(1, 1, highest_price + 1)).then_refused("total-too-large");
    given::<Cart>(&[full()]).when(&add(2, 1, 1)).then_refused("total-too-large");
    given::<Cart>(&[full()]).when(&add(1, 1, highest_price)).then_refused("total-too-large");
    let change = |quantity| CartCommand::Change { sku: sku(1), quantity, unit_price: pounds(highest_price) };
    given::<Cart>(&[full()]).when(&change(2)).then_refused("total-too-large");
    assert_eq!(refused(&[full()], &[line(2, 1, 1)]), Some("total-too-large"));
    // An older cart that exceeds the limit can be made cheaper.
    let over = added(1, 9, highest_price);
    let set = ItemChanged { sku: sku(1), quantity: 8, unit_price: pounds(highest_price) }.into();
    given::<Cart>(&[over]).when(&change(8)).then(&[set]);
}
