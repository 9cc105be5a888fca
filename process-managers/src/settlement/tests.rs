use souk_eventsourcing::envelope::{Actor, Origin};
use souk_eventsourcing::process::{Input, Output, Process, Step};
use souk_eventsourcing::testkit::{noon, run_process};
use souk_eventsourcing::{CorrelationId, Position, RecordedEvent, Revision};
use uuid::Uuid;

use super::*;
use souk_domain::money::{Currency, Money};
use souk_domain::payment::event::{
    RefundFailed, RefundRequested, Refunded, VoidFailed, VoidRequested, Voided,
};
use souk_domain::payment::{Payment, PaymentEvent};
use souk_domain::{OrderId, PaymentId, RefundId, VoidId};

const ORDER: OrderId = OrderId(Uuid::from_u128(1));
const VOID: VoidId = VoidId(Uuid::from_u128(2));
const REFUND: RefundId = RefundId(Uuid::from_u128(3));

fn recorded(event: impl Into<PaymentEvent>) -> RecordedEvent {
    let stream = Payment::stream(PaymentId::of(ORDER));
    let id = Uuid::from_u128(9);
    let origin = Origin::new(id, Actor::new("test", "t"), CorrelationId::from(id));
    let event = origin.envelope(&stream, 0, &event.into(), noon());
    RecordedEvent { position: Position(1), stream, revision: Revision::FIRST, event }
}

fn read(event: impl Into<PaymentEvent>) -> Incoming<SettlementEvent> {
    Settlement::read(&recorded(event)).unwrap().unwrap()
}

fn amount() -> Money {
    Money::new(500, Currency::GBP)
}

fn void_requested() -> VoidRequested {
    VoidRequested {
        order: ORDER,
        void: VOID,
        provider_payment_id: "p".into(),
        amount: amount(),
        attempt: 2,
        retries: None,
    }
}

fn refund_requested() -> RefundRequested {
    RefundRequested {
        order: ORDER,
        refund: REFUND,
        provider_payment_id: "p".into(),
        amount: amount(),
        reason: String::new(),
        attempt: 3,
        retries: None,
        requested_at: None,
    }
}

#[test]
fn a_void_or_refund_request_leads_to_one_provider_call() {
    for (request, expected) in [
        (
            read(void_requested()),
            ProviderCall::Void {
                payment: PaymentId::of(ORDER),
                provider_payment_id: "p".into(),
                void: VOID,
                attempt: 2,
            },
        ),
        (
            read(refund_requested()),
            ProviderCall::Refund {
                payment: PaymentId::of(ORDER),
                provider_payment_id: "p".into(),
                refund: REFUND,
                amount: amount(),
                attempt: 3,
            },
        ),
    ] {
        assert!(request.starts);
        let mut state = SettlementState::default();
        let outputs = run_process::<Settlement>(&mut state, &[Input::Event(request.event)], noon());
        let [Output::Effect(step)] = outputs[0][..] else { panic!("{outputs:?}") };
        assert_eq!(Settlement::effect(&state, &step), Some(expected));
        assert_eq!(SettlementStep::parse(step.name(), step.number()), Some(step));
        assert!(!Settlement::is_ended(&state));
    }
}

#[test]
fn any_answer_to_a_request_ends_its_settlement() {
    let refund_failed =
        RefundFailed { order: ORDER, refund: REFUND, code: String::new(), detail: String::new() };
    let void_failed = VoidFailed { order: ORDER, void: VOID, code: String::new(), detail: String::new() };
    let refunded =
        Refunded { order: ORDER, refund: REFUND, amount: amount(), provider_refund_id: "r".into() };
    let pairs = [
        (read(void_requested()), read(Voided { order: ORDER, void: VOID })),
        (read(void_requested()), read(void_failed)),
        (read(refund_requested()), read(refunded)),
        (read(refund_requested()), read(refund_failed)),
    ];
    for (request, answer) in pairs {
        assert_eq!(request.instance, answer.instance);
        assert!(!answer.starts, "an answer never starts a settlement");
        let mut state = SettlementState::default();
        let inputs = [Input::Event(request.event), Input::Event(answer.event)];
        run_process::<Settlement>(&mut state, &inputs, noon());
        assert!(Settlement::is_ended(&state));
    }
}
