use jiff::SignedDuration;
use souk_eventsourcing::Personal;
use souk_eventsourcing::testkit::{context, fold, given, noon};
use uuid::Uuid;

use super::draft::{DraftFields, order_code};
use super::event::{
    AddressChanged, Attached, Cancelled, Confirmed, Delivered, Erased, OrderLine, PaidOutside,
    PaymentAwaited, Placed, Reason, ReasonCode, Returned, Reversal, ReversalLine, ShipmentCorrected, Shipped,
};
use super::*;
use crate::address::Address;
use crate::limits::{LINE_UNITS_MAX, LINES_MAX, PRICE_MINOR_MAX};
use crate::money::{Currency, Money};
use crate::{CustomerId, ProductId, ReversalId, Sku};

pub(super) const ORDER: OrderId = OrderId(Uuid::from_u128(1));

pub(super) fn sku(text: &str) -> Sku {
    Sku::parse(text).unwrap()
}

pub(super) fn line(text: &str, quantity: u32, price: i64) -> OrderLine {
    OrderLine {
        sku: sku(text),
        product: ProductId(Uuid::nil()),
        name: text.to_owned(),
        quantity,
        unit_price: Money::new(price, Currency::GBP),
        shown_price: None,
    }
}

pub(super) fn assembled(lines: Vec<OrderLine>) -> Result<Draft, Vec<crate::FieldError>> {
    Draft::assemble(DraftFields { lines, ..DraftFields::example(ORDER) })
}

/// An order of 1,100 pence: three units of A, one of them at a higher price, and two units of B.
fn placed() -> OrderEvent {
    let draft = assembled(vec![line("A", 2, 200), line("B", 2, 150), line("A", 1, 400)]).unwrap();
    Placed { draft }.into()
}

fn awaited() -> OrderEvent {
    PaymentAwaited {}.into()
}

fn confirmed() -> OrderEvent {
    Confirmed { paid_outside: false }.into()
}

fn shipped() -> OrderEvent {
    Shipped { carrier: "post".into(), tracking: "1".into() }.into()
}

pub(super) fn delivered() -> Vec<OrderEvent> {
    vec![placed(), awaited(), confirmed(), shipped(), Delivered {}.into()]
}

fn reason(code: ReasonCode) -> Reason {
    Reason { code, detail: "because".into() }
}

/// A reason with a text that a person entered. In events this text is personal data.
fn personal_reason(code: ReasonCode) -> Reason {
    let Reason { detail, .. } = reason(code);
    Reason { code, detail: detail.of(&ORDER.guest(), "reason") }
}

fn cancel() -> OrderCommand {
    OrderCommand::Cancel { reason: reason(ReasonCode::CancelledByCustomer) }
}

fn cancelled(refund: Option<i64>) -> OrderEvent {
    let id = ReversalId(context(1, noon()).derived_id("reversal"));
    let lines = [("A", 3), ("B", 2)].map(|(text, quantity)| ReversalLine { sku: sku(text), quantity });
    let refund = refund.map(|amount| Money::new(amount, Currency::GBP));
    let reversal = Some(Reversal { id, lines: lines.into(), refund });
    Cancelled { reason: personal_reason(ReasonCode::CancelledByCustomer), failed_skus: Vec::new(), reversal }
        .into()
}

fn give_back(lines: &[(&str, u32)]) -> OrderCommand {
    OrderCommand::Return { lines: lines.iter().map(|(text, units)| (sku(text), *units)).collect() }
}

fn returned(lines: &[(&str, u32)], refund: i64, complete: bool) -> OrderEvent {
    let id = ReversalId(context(1, noon()).derived_id("reversal"));
    let lines = lines.iter().map(|(text, quantity)| ReversalLine { sku: sku(text), quantity: *quantity });
    let value = Some(Money::new(refund, Currency::GBP));
    let refund = value.filter(|refund| refund.amount > 0);
    Returned { reversal: Reversal { id, lines: lines.collect(), refund }, complete, value }.into()
}

// Proves: orders.merged-lines
#[test]
fn lines_of_one_sku_and_one_price_are_merged_and_a_sku_is_reserved_once() {
    let draft =
        assembled(vec![line("A", 1, 200), line("B", 2, 150), line("A", 1, 200), line("A", 1, 400)]).unwrap();
    assert_eq!(draft.lines, [line("A", 2, 200), line("B", 2, 150), line("A", 1, 400)]);
    assert_eq!(draft.reservations(), [(sku("A"), 3), (sku("B"), 2)]);
    assert_eq!(draft.total, Money::new(1_100, Currency::GBP));
}

// Proves: orders.order-limits
#[test]
fn a_draft_reports_all_errors_at_once_with_their_fields() {
    let euros = OrderLine { unit_price: Money::new(1, Currency::EUR), ..line("C", 1, 1) };
    let lines = vec![line("A", 0, 1), line("B", LINE_UNITS_MAX, 1), line("B", 1, 2), line("D", 1, -1), euros];
    let errors = assembled(lines).unwrap_err();
    let found: Vec<_> = errors.iter().map(|error| (error.pointer.as_str(), error.code)).collect();
    let expected = [
        ("/lines/0/quantity", "out-of-range"),
        ("/lines/2/quantity", "out-of-range"),
        ("/lines/3/unitPrice/amount", "out-of-range"),
        ("/lines/4/unitPrice/currency", "currency-mismatch"),
    ];
    assert_eq!(found, expected);
}

// Proves: orders.order-limits
#[test]
fn a_draft_has_limits_for_its_number_of_lines_and_its_total() {
    assert_eq!(assembled(Vec::new()).unwrap_err()[0].pointer, "/lines");
    let many = (0..=LINES_MAX).map(|n| line(&n.to_string(), 1, 1)).collect();
    assert_eq!(assembled(many).unwrap_err()[0].pointer, "/lines");
    let expensive = vec![line("A", LINE_UNITS_MAX, PRICE_MINOR_MAX)];
    assert_eq!(assembled(expensive).unwrap_err()[0].code, "total-too-large");
}

#[test]
fn an_order_code_has_a_fixed_form_without_ambiguous_letters() {
    let code = order_code(ORDER);
    assert_eq!(code, order_code(ORDER));
    let shape: String = code.chars().map(|c| if c == '-' { '-' } else { 'x' }).collect();
    assert_eq!((shape.as_str(), &code[..3]), ("xx-xxxx-xxxx", "SK-"));
    assert!(!code[3..].contains(['I', 'L', 'O', 'U']), "{code}");
}

// Proves: orders.placed-once
#[test]
fn an_order_is_placed_once() {
    let OrderEvent::Placed(event) = placed() else { unreachable!() };
    let place = OrderCommand::Place(Box::new(event.draft));
    given::<Order>(&[]).when(&place).then(&[placed()]);
    given::<Order>(&[placed()]).when(&place).then_nothing();
    given::<Order>(&[]).when(&cancel()).then_refused("order-not-found");
}

// Proves: orders.cancel-before-confirmation
#[test]
fn a_cancellation_before_confirmation_takes_effect_at_the_confirmation() {
    let requested =
        || event::CancellationRequested { reason: personal_reason(ReasonCode::CancelledByCustomer) }.into();
    given::<Order>(&[placed()]).when(&cancel()).then(&[requested()]);
    given::<Order>(&[placed(), requested()]).when(&cancel()).then_nothing();
    let confirm = OrderCommand::Confirm { paid_outside: false };
    let both = [confirmed(), cancelled(Some(1_100))];
    given::<Order>(&[placed(), awaited(), requested()]).when(&confirm).then(&both);
}

// Proves: orders.cancel-restocks-and-refunds
#[test]
fn a_confirmed_order_is_cancelled_at_once_with_a_reversal() {
    given::<Order>(&[placed(), awaited(), confirmed()]).when(&cancel()).then(&[cancelled(Some(1_100))]);
    let outside = [placed(), awaited(), PaidOutside {}.into(), Confirmed { paid_outside: true }.into()];
    given::<Order>(&outside).when(&cancel()).then(&[cancelled(None)]);
    let already_cancelled = [placed(), awaited(), confirmed(), cancelled(Some(1_100))];
    given::<Order>(&already_cancelled).when(&cancel()).then_nothing();
    given::<Order>(&delivered()).when(&cancel()).then_refused("order-not-cancellable");
}

#[test]
fn captured_money_is_refunded_even_if_the_order_was_marked_as_paid_outside() {
    let captured_and_outside = [placed(), awaited(), PaidOutside {}.into(), confirmed()];
    given::<Order>(&captured_and_outside).when(&cancel()).then(&[cancelled(Some(1_100))]);
}

#[test]
fn only_a_reserved_order_can_be_confirmed_or_paid_outside() {
    let confirm = OrderCommand::Confirm { paid_outside: false };
    given::<Order>(&[placed()]).when(&confirm).then_refused("order-not-reserved");
    given::<Order>(&[placed(), awaited()]).when(&confirm).then(&[confirmed()]);
    given::<Order>(&[placed(), awaited(), confirmed()]).when(&confirm).then_nothing();
    let outside = OrderCommand::MarkPaidOutside;
    given::<Order>(&[placed()]).when(&outside).then_refused("order-not-payable");
    given::<Order>(&[placed(), awaited()]).when(&outside).then(&[PaidOutside {}.into()]);
    given::<Order>(&[placed(), awaited(), confirmed()]).when(&outside).then_nothing();
}

#[test]
fn a_failure_ends_an_order_once_and_never_ends_a_confirmed_order() {
    let fail = |code| OrderCommand::Fail { reason: reason(code), failed_skus: Vec::new() };
    let timed_out: OrderEvent = event::TimedOut { reason: reason(ReasonCode::PaymentTimedOut) }.into();
    let history = [placed(), timed_out.clone()];
    given::<Order>(&history[..1]).when(&fail(ReasonCode::PaymentTimedOut)).then(&[timed_out]);
    given::<Order>(&history).when(&fail(ReasonCode::PaymentDeclined)).then_nothing();
    let confirmed = [placed(), awaited(), confirmed()];
    given::<Order>(&confirmed).when(&fail(ReasonCode::PaymentDeclined)).then_refused("order-settled");
    given::<Order>(&history).when(&OrderCommand::AwaitPayment).then_refused("order-settled");
    assert_eq!(fold::<Order>(&history).status(), Some(OrderStatus::TimedOut));
}

// Proves: orders.ship-once
#[test]
fn only_a_confirmed_order_is_shipped_and_only_once() {
    let ship = |tracking: &str| OrderCommand::Ship { carrier: "post".into(), tracking: tracking.into() };
    given::<Order>(&[placed(), awaited()]).when(&ship("1")).then_refused("order-not-shippable");
    given::<Order>(&delivered()[..3]).when(&ship("1")).then(&[shipped()]);
    given::<Order>(&delivered()[..4]).when(&ship("1")).then_nothing();
    given::<Order>(&delivered()[..4]).when(&ship("2")).then_refused("order-not-shippable");
    given::<Order>(&delivered()[..3]).when(&OrderCommand::Deliver).then_refused("order-not-deliverable");
    let address = OrderCommand::ChangeAddress { address: Box::default() };
    given::<Order>(&delivered()[..4]).when(&address).then_refused("order-not-changeable");
}

// Proves: orders.returns-dearest-first
#[test]
fn the_most_expensive_units_of_a_sku_are_returned_first() {
    given::<Order>(&delivered()).when(&give_back(&[("A", 2)])).then(&[returned(&[("A", 2)], 600, false)]);
    let partly: Vec<_> = delivered().into_iter().chain([returned(&[("A", 2)], 600, false)]).collect();
    let rest = [("A", 1), ("B", 2)];
    given::<Order>(&partly).when(&give_back(&rest)).then(&[returned(&rest, 500, true)]);
    given::<Order>(&partly).when(&give_back(&[("A", 2)])).then_refused("return-exceeds-order");
    given::<Order>(&partly).when(&give_back(&[("C", 1)])).then_refused("return-exceeds-order");
    given::<Order>(&delivered()[..3]).when(&give_back(&rest)).then_refused("order-not-returnable");
}

// Proves: orders.returns-undelivered
#[test]
fn goods_can_be_returned_before_the_order_is_marked_as_delivered() {
    let all = [("A", 3), ("B", 2)];
    let shipped = &delivered()[..4];
    given::<Order>(shipped).when(&give_back(&all)).then(&[returned(&all, 1_100, true)]);
    let partly: Vec<_> = shipped.iter().cloned().chain([returned(&[("A", 1)], 400, false)]).collect();
    given::<Order>(&partly).when(&OrderCommand::Deliver).then(&[Delivered {}.into()]);
}

// Proves: orders.paid-outside
#[test]
fn a_return_of_an_order_paid_outside_has_a_value_but_no_refund() {
    let mut history = delivered();
    history[2] = Confirmed { paid_outside: true }.into();
    let back = |lines: &[(&str, u32)], price, complete| {
        let OrderEvent::Returned(event) = returned(lines, price, complete) else { unreachable!() };
        OrderEvent::from(Returned { reversal: Reversal { refund: None, ..event.reversal }, ..event })
    };
    let first = back(&[("A", 2)], 600, false);
    given::<Order>(&history).when(&give_back(&[("A", 2)])).then(std::slice::from_ref(&first));
    let partly: Vec<_> = history.into_iter().chain([first]).collect();
    let rest = [("A", 1), ("B", 2)];
    given::<Order>(&partly).when(&give_back(&rest)).then(&[back(&rest, 500, true)]);
}

// Proves: orders.correct-shipment
#[test]
fn a_shipment_can_be_corrected_until_all_goods_are_returned() {
    let correct = |carrier: Option<&str>, tracking: Option<&str>| OrderCommand::CorrectShipment {
        carrier: carrier.map(str::to_owned),
        tracking: tracking.map(str::to_owned),
    };
    let corrected = |carrier: &str, tracking: &str| {
        OrderEvent::from(ShipmentCorrected { carrier: carrier.into(), tracking: tracking.into() })
    };
    let shipped = &delivered()[..4];
    given::<Order>(shipped).when(&correct(None, Some("2"))).then(&[corrected("post", "2")]);
    given::<Order>(shipped).when(&correct(Some("bike"), None)).then(&[corrected("bike", "1")]);
    given::<Order>(shipped).when(&correct(None, None)).then_nothing();
    let again: Vec<_> = delivered().into_iter().chain([corrected("post", "2")]).collect();
    given::<Order>(&again).when(&correct(None, Some("2"))).then_nothing();
    given::<Order>(&again).when(&correct(None, Some("1"))).then(&[corrected("post", "1")]);
    given::<Order>(&delivered()[..3]).when(&correct(None, Some("2"))).then_refused("order-not-shipped");
    let back = returned(&[("A", 3), ("B", 2)], 1_100, true);
    let all_returned: Vec<_> = delivered().into_iter().chain([back]).collect();
    given::<Order>(&all_returned).when(&correct(None, Some("2"))).then_refused("order-not-shipped");
}

#[test]
fn if_a_return_names_a_sku_twice_its_units_are_added_up() {
    given::<Order>(&delivered()).when(&give_back(&[("B", 1), ("B", 2)])).then_refused("return-exceeds-order");
    given::<Order>(&delivered()).when(&give_back(&[("B", 1), ("B", 1)])).then(&[returned(
        &[("B", 2)],
        300,
        false,
    )]);
}

#[test]
fn a_draft_is_decoded_as_it_was_encoded() {
    use souk_eventsourcing::EventPayload;
    // A token would be decoded as sealed data, which differs from the plain token.
    let fields = DraftFields { payment_token: None, ..DraftFields::example(ORDER) };
    let draft = Draft::assemble(DraftFields { lines: vec![line("A", 2, 200)], ..fields }).unwrap();
    let event: OrderEvent = event::Placed { draft }.into();
    assert_eq!(OrderEvent::decode(event.event_type(), 1, &event.encode()), Ok(event));
    assert_eq!(DraftFields::example(ORDER).pay_by - SignedDuration::from_secs(900), noon());
}

// Proves: orders.ship-needs-an-address
#[test]
fn an_order_whose_buyer_is_erased_is_not_shipped_until_it_has_a_new_address() {
    let fields = DraftFields { shipping_address: Some(Address::default()), ..DraftFields::example(ORDER) };
    let draft = Draft::assemble(DraftFields { lines: vec![line("A", 1, 100)], ..fields }).unwrap();
    let erased: OrderEvent = Erased { person: ORDER.guest() }.into();
    let history = vec![Placed { draft }.into(), awaited(), confirmed(), erased.clone()];
    let ship = OrderCommand::Ship { carrier: "post".into(), tracking: "1".into() };
    let erase = OrderCommand::Erase { person: ORDER.guest() };
    given::<Order>(&history[..3]).when(&erase).then(&[erased]);
    given::<Order>(&history).when(&erase).then_nothing();
    given::<Order>(&history).when(&ship).then_refused("order-address-erased");
    let address = Personal::new(ORDER.readdressed(), "shippingAddress", Address::default());
    let changed: OrderEvent = AddressChanged { address }.into();
    let change = OrderCommand::ChangeAddress { address: Box::default() };
    given::<Order>(&history).when(&change).then(std::slice::from_ref(&changed));
    let readdressed: Vec<_> = history.into_iter().chain([changed]).collect();
    given::<Order>(&readdressed).when(&ship).then(&[shipped()]);
}

#[test]
fn a_guests_order_is_attached_to_a_customer_once() {
    let customer = CustomerId::parse("ada").unwrap();
    let attach = |name: &str| OrderCommand::Attach {
        customer: CustomerId::parse(name).unwrap(),
        email: None,
        shipping_address: None,
    };
    let attached: OrderEvent = Attached { customer, email: None, shipping_address: None }.into();
    given::<Order>(&[placed()]).when(&attach("ada")).then(std::slice::from_ref(&attached));
    given::<Order>(&[placed(), attached.clone()]).when(&attach("bob")).then_nothing();
    // An erasure of the former guest does not erase the customer.
    let erase = OrderCommand::Erase { person: ORDER.guest() };
    given::<Order>(&[placed(), attached]).when(&erase).then_nothing();
    let erased: OrderEvent = Erased { person: ORDER.guest() }.into();
    given::<Order>(&[placed(), erased]).when(&attach("ada")).then_nothing();
}

#[test]
fn events_with_texts_beyond_the_limits_are_still_decoded() {
    let detail = format!("{}\u{202e}gone", " ".repeat(1_000_000));
    let reason = Reason { code: ReasonCode::CancelledByCustomer, detail: detail.into() };
    let event: OrderEvent =
        Cancelled { reason: reason.clone(), failed_skus: Vec::new(), reversal: None }.into();
    let OrderEvent::Cancelled(cancelled) = &event else { panic!("the event is a cancellation") };
    let written = serde_json::to_vec(cancelled).unwrap();
    let read: Cancelled = serde_json::from_slice(&written).unwrap();
    assert_eq!(read.reason, reason);
    let state = fold::<Order>(&[placed(), awaited(), read.into()]);
    assert_eq!(state.status(), Some(OrderStatus::Cancelled));
}
