use souk_eventsourcing::process::{Input, Output, Process, Step};
use souk_eventsourcing::testkit::{noon, run_process};
use uuid::Uuid;

use super::step::ReversalStep::{Refund, Restock};
use super::*;
use souk_domain::money::{Currency, Money};
use souk_domain::order::event::{Reversal, ReversalLine};
use souk_domain::payment::{Payment, PaymentCommand};
use souk_domain::stock::StockCommand;
use souk_domain::{OrderId, PaymentId, RefundId, ReversalId, Sku};

type In = Input<ReversalEvent, ReversalStep>;

const ORDER: OrderId = OrderId(Uuid::from_u128(1));
const REVERSAL: ReversalId = ReversalId(Uuid::from_u128(2));

fn begun(refund: Option<Money>) -> In {
    let lines = [("A", 2), ("B", 1)].map(|(text, quantity)| (Sku::parse(text).unwrap(), quantity));
    let lines = lines.map(|(sku, quantity)| ReversalLine { sku, quantity }).into();
    Input::Event(ReversalEvent { order: ORDER, reversal: Reversal { id: REVERSAL, lines, refund } })
}

fn three_pounds() -> Money {
    Money::new(300, Currency::GBP)
}

fn after(inputs: &[In]) -> (ReversalState, Vec<Output<ReversalStep>>) {
    let mut state = ReversalState::default();
    let outputs = run_process::<ReversalProcess>(&mut state, inputs, noon());
    (state, outputs.into_iter().flatten().collect())
}

// Proves: orders.cancel-restocks-and-refunds
#[test]
fn the_refund_and_all_restocks_are_requested_at_once() {
    let expected = [Refund, Restock(0), Restock(1)].map(Output::Command);
    let (state, outputs) = after(&[begun(Some(three_pounds()))]);
    assert_eq!(outputs, expected);
    let Some(AggregateCommand::Payment(payment, PaymentCommand::Refund { refund, amount, capped, .. })) =
        ReversalProcess::command(&state, &Refund)
    else {
        panic!("a refund is a command to the payment");
    };
    assert_eq!(payment, Payment::stream(PaymentId::of(ORDER)));
    assert_eq!((refund, amount), (RefundId(REVERSAL.0), Some(three_pounds())));
    assert!(capped, "the amount is limited to what earlier refunds have left");
    let Some(AggregateCommand::Stock(stock, command)) = ReversalProcess::command(&state, &Restock(1)) else {
        panic!("a restock is a command to the stock");
    };
    assert_eq!((stock.id(), command), ("B", StockCommand::Restock { order: ORDER.into(), quantity: 1 }));
}

// Proves: orders.paid-outside
#[test]
fn the_lines_of_an_order_paid_outside_the_shop_are_restocked_without_a_refund() {
    assert_eq!(after(&[begun(None)]).1, [Restock(0), Restock(1)].map(Output::Command));
}

#[test]
fn a_reversal_ends_with_its_last_answer_even_if_the_refund_is_refused() {
    let refused = Input::Refused { step: Refund, code: "payment-not-captured".into(), detail: String::new() };
    let inputs =
        [begun(Some(three_pounds())), refused, Input::Done(Restock(0)), Input::Unchanged(Restock(1))];
    assert!(!ReversalProcess::is_ended(&after(&inputs[..3]).0));
    assert!(ReversalProcess::is_ended(&after(&inputs).0));
    assert_eq!(after(&inputs).1.len(), 3);
}

#[test]
fn every_step_is_parsed_from_its_name_and_number() {
    for step in [Refund, Restock(7)] {
        assert_eq!(ReversalStep::parse(step.name(), step.number()), Some(step));
    }
}
