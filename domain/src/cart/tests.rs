use std::collections::BTreeMap;

use jiff::SignedDuration;
use proptest::prelude::*;
use souk_eventsourcing::testkit::{context, fold, given, noon};
use uuid::Uuid;

use super::event::{CartLine, CheckedOut, GivenBack, ItemAdded, ItemChanged, ItemRemoved, Merged};
use super::*;
use crate::limits::LINE_UNITS_MAX;
use crate::money::{Currency, Money};
use crate::names::{CustomerId, OrderId, ProductId, Sku};
use crate::order::event::{Draft, OrderLine};

const ORDER: OrderId = OrderId(Uuid::from_u128(9));
const GUEST: CartId = CartId(Uuid::from_u128(5));

fn sku(n: u8) -> Sku {
    Sku::parse(&format!("S{n}")).unwrap()
}

fn pounds(amount: i64) -> Money {
    Money::new(amount * 100, Currency::GBP)
}

fn line(n: u8, quantity: u32, price: i64) -> CartLine {
    let product = ProductId(Uuid::from_u128(u128::from(n)));
    CartLine { sku: sku(n), product, quantity, unit_price: pounds(price) }
}

fn add(n: u8, quantity: u32, price: i64) -> CartCommand {
    let CartLine { sku, product, quantity, unit_price } = line(n, quantity, price);
    CartCommand::Add { sku, product, quantity, unit_price, customer: None }
}

fn added(n: u8, quantity: u32, price: i64) -> CartEvent {
    ItemAdded { line: line(n, quantity, price), customer: None }.into()
}

fn customer() -> CustomerId {
    CustomerId::parse("ada").unwrap()
}

fn merge(revision: u64, lines: Vec<CartLine>) -> CartCommand {
    CartCommand::Merge { from: GUEST, from_revision: revision, lines, customer: customer() }
}

fn draft(lines: &[CartLine]) -> Draft {
    let order_line = |line: &CartLine| OrderLine {
        sku: line.sku.clone(),
        product: line.product,
        name: "Lamp".into(),
        quantity: line.quantity,
        unit_price: line.unit_price,
    };
    let parts = crate::order::draft::Parts {
        lines: lines.iter().map(order_line).collect(),
        placed_at: noon(),
        ..crate::order::draft::Parts::example(ORDER)
    };
    Draft::assemble(parts).unwrap()
}

#[test]
fn units_of_a_line_add_up_at_the_newer_price() {
    given::<Cart>(&[]).when(&add(1, 2, 3)).then(&[added(1, 2, 3)]);
    let state = fold::<Cart>(&[added(1, 2, 3), added(1, 1, 4)]);
    let line = state.line(&sku(1)).unwrap();
    assert_eq!((line.quantity, line.unit_price), (3, pounds(4)));
}

#[test]
fn no_line_has_no_units_or_absurdly_many() {
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
}

#[test]
fn a_line_is_changed_and_removed() {
    let change = |quantity| CartCommand::Change { sku: sku(1), quantity, unit_price: pounds(4) };
    let changed = ItemChanged { sku: sku(1), quantity: 5, unit_price: pounds(4) };
    given::<Cart>(&[added(1, 2, 3)]).when(&change(5)).then(&[changed.into()]);
    given::<Cart>(&[added(1, 2, 3)]).when(&change(0)).then(&[ItemRemoved { sku: sku(1) }.into()]);
    given::<Cart>(&[]).when(&change(1)).then_refused("line-not-found");
    given::<Cart>(&[]).when(&CartCommand::Remove { sku: sku(1) }).then_nothing();
}

#[test]
fn merging_a_second_time_does_nothing() {
    let lines = vec![line(1, 2, 3)];
    let merged: CartEvent =
        Merged { from: GUEST, from_revision: 4, lines: lines.clone(), customer: customer() }.into();
    given::<Cart>(&[added(1, 1, 2)]).when(&merge(4, lines.clone())).then(&[merged.clone()]);
    given::<Cart>(&[added(1, 1, 2), merged.clone()]).when(&merge(4, lines)).then_nothing();
    let state = fold::<Cart>(&[added(1, 1, 2), merged]);
    assert_eq!(state.line(&sku(1)).unwrap().quantity, 3);
}

#[test]
fn ordering_empties_the_cart_and_a_second_click_means_the_same_order() {
    let lines = vec![line(1, 2, 3)];
    let order = draft(&lines);
    let checked_out: CartEvent = CheckedOut { draft: order.clone(), lines }.into();
    let check_out = CartCommand::CheckOut { draft: Box::new(order) };
    given::<Cart>(&[added(1, 2, 3)]).when(&check_out).then(&[checked_out.clone()]);
    given::<Cart>(&[]).when(&check_out).then_refused("cart-empty");
    given::<Cart>(&[added(1, 3, 3)]).when(&check_out).then_refused("cart-changed");
    let state = fold::<Cart>(&[added(1, 2, 3), checked_out.clone()]);
    assert!(state.is_empty());
    assert_eq!(state.recent_order(noon() + SignedDuration::from_secs(59)), Some(ORDER));
    assert_eq!(state.recent_order(noon() + SignedDuration::from_secs(61)), None);
    let newer = fold::<Cart>(&[added(1, 2, 3), checked_out, added(2, 1, 1)]);
    assert_eq!(newer.recent_order(noon()), None);
}

#[test]
fn the_lines_of_a_failed_order_come_back_once() {
    let give_back = CartCommand::GiveBack { order: ORDER, lines: vec![line(1, 2, 3)] };
    let given_back: CartEvent = GivenBack { order: ORDER, lines: vec![line(1, 2, 3)] }.into();
    given::<Cart>(&[added(1, 1, 5)]).when(&give_back).then(&[given_back.clone()]);
    given::<Cart>(&[given_back.clone()]).when(&give_back).then_nothing();
    let state = fold::<Cart>(&[added(1, 1, 5), given_back]);
    assert_eq!(state.line(&sku(1)).unwrap().quantity, 3);
}

#[test]
fn a_product_with_one_line_is_found_by_its_id() {
    let state = fold::<Cart>(&[added(1, 1, 5), added(2, 1, 5)]);
    assert_eq!(state.line_of_product(ProductId(Uuid::from_u128(2))), Some(&sku(2)));
    assert_eq!(state.line_of_product(ProductId(Uuid::from_u128(3))), None);
}

#[derive(Clone, Debug)]
enum Act {
    Add(u8, u32),
    Change(u8, u32),
    Remove(u8),
    Clear,
    Merge(u64, Vec<(u8, u32)>),
    GiveBack(u8, u32),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        (0..5_u8, 0..4_u32).prop_map(|(n, units)| Act::Add(n, units)),
        (0..5_u8, 0..4_u32).prop_map(|(n, units)| Act::Change(n, units)),
        (0..5_u8).prop_map(Act::Remove),
        Just(Act::Clear),
        (0..6_u64, prop::collection::vec((0..5_u8, 1..4_u32), 0..3)).prop_map(|(revision, lines)| Act::Merge(revision, lines)),
        (0..5_u8, 1..4_u32).prop_map(|(n, units)| Act::GiveBack(n, units)),
    ]
}

proptest! {
    /// Against a plain model: units by SKU. No line is lost or doubled.
    #[test]
    fn a_cart_holds_what_was_put_in_and_not_taken_out(acts in prop::collection::vec(act(), 1..60)) {
        let mut state = CartState::default();
        let mut model = BTreeMap::<Sku, u32>::new();
        let (mut merged_up_to, mut given_back) = (None, false);
        for act in acts {
            let (command, lines) = match act {
                Act::Add(n, units) => (add(n, units, 1), vec![(n, units)]),
                Act::Change(n, units) => {
                    if let Some(present) = model.get_mut(&sku(n)) { *present = units; }
                    (CartCommand::Change { sku: sku(n), quantity: units, unit_price: pounds(1) }, Vec::new())
                }
                Act::Remove(n) => { model.remove(&sku(n)); (CartCommand::Remove { sku: sku(n) }, Vec::new()) }
                Act::Clear => { model.clear(); (CartCommand::Clear, Vec::new()) }
                Act::Merge(revision, lines) => {
                    let is_new = !lines.is_empty() && merged_up_to.is_none_or(|seen| seen < revision);
                    if is_new { merged_up_to = Some(revision); }
                    let command = merge(revision, lines.iter().map(|(n, units)| line(*n, *units, 1)).collect());
                    (command, if is_new { lines } else { Vec::new() })
                }
                Act::GiveBack(n, units) => {
                    let lines = if given_back { Vec::new() } else { vec![(n, units)] };
                    given_back = true;
                    (CartCommand::GiveBack { order: ORDER, lines: vec![line(n, units, 1)] }, lines)
                }
            };
            for (n, units) in lines {
                *model.entry(sku(n)).or_default() += units;
            }
            model.retain(|_, units| *units > 0);
            let events = Cart::decide(&state, &command, &context(1, noon())).unwrap_or_default();
            state = events.iter().fold(state, Cart::evolve);
            let held: BTreeMap<Sku, u32> = state.lines().map(|(sku, line)| (sku.clone(), line.quantity)).collect();
            prop_assert_eq!(&held, &model);
        }
    }
}
