//! Golden logs: logs that earlier versions of the program wrote, and runs that continue with them.

use std::collections::BTreeMap;

use bytes::Bytes;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;
use souk_domain::cart::CartEvent;
use souk_domain::order::{Draft, OrderEvent};
use souk_domain::payment::PaymentEvent;
use souk_domain::{AggregateCommand, OrderId, PaymentId, PersonalText};
use souk_eventsourcing::process::{Decision, Incoming, Input, Output, Process, RecordedOutput};
use souk_eventsourcing::testkit::key_of;
use souk_eventsourcing::{
    Actor, CommandId, CorrelationId, DecodeError, EventId, NewEvent, Position, RecordedEvent, Revision,
    StreamName,
};
use souk_process_managers::ProviderCall;
use souk_process_managers::checkout::{Checkout, CheckoutEvent, CheckoutMove, CheckoutState, CheckoutStep};
use uuid::Uuid;

use crate::disk::Disk;
use crate::process::{AnyProcess, PROCESSES, SimulatedProcess};
use crate::world::World;
use souk_shop_model::provider::{Hold, Provider};

/// Line of a golden log.
#[derive(Deserialize)]
struct Line<'a> {
    run: String,
    #[serde(borrow)]
    event: Event<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event<'a> {
    position: u64,
    stream: StreamName,
    revision: u64,
    id: Uuid,
    #[serde(rename = "eventType")]
    kind: String,
    schema_version: u16,
    recorded_at: Timestamp,
    actor: String,
    correlation_id: CorrelationId,
    causation_id: Option<Uuid>,
    command_id: Uuid,
    content_type: String,
    #[serde(borrow)]
    data: &'a RawValue,
}

/// Parses a golden file. Returns its logs; the key of a log is the name of its run.
pub fn logs(text: &str) -> BTreeMap<String, Vec<RecordedEvent>> {
    let mut logs: BTreeMap<String, Vec<RecordedEvent>> = BTreeMap::new();
    for line in text.lines() {
        let Line { run, event } = serde_json::from_str(line).unwrap();
        logs.entry(run).or_default().push(event.into());
    }
    logs
}

impl From<Event<'_>> for RecordedEvent {
    fn from(event: Event<'_>) -> Self {
        let new = NewEvent {
            id: EventId(event.id),
            event_type: event.kind.into(),
            schema_version: event.schema_version,
            recorded_at: event.recorded_at,
            actor: Actor::parse(&event.actor),
            correlation_id: event.correlation_id,
            causation_id: event.causation_id.map(EventId),
            command_id: CommandId(event.command_id),
            request_hash: None,
            reply_to: None,
            content_type: event.content_type.into(),
            data: Bytes::copy_from_slice(event.data.get().as_bytes()),
        };
        Self {
            position: Position(event.position),
            stream: event.stream,
            revision: Revision(event.revision),
            event: new,
        }
    }
}

/// Program that continues with a golden log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// Current version of the program.
    Current,
    /// A version whose checkout sends one more command with every move that sends commands.
    OneCommandMore,
}

impl Program {
    /// Returns the processes of this program.
    pub(crate) fn processes(self) -> Vec<Box<dyn AnyProcess>> {
        let of_program = |fresh: &fn() -> Box<dyn AnyProcess>| {
            let process = fresh();
            let has_more = self == Self::OneCommandMore && process.name() == Checkout::NAME;
            if has_more { SimulatedProcess::<CheckoutWithExtraCommand>::boxed() } else { process }
        };
        PROCESSES.iter().map(of_program).collect()
    }
}

/// Checkout process that sends one more command with every move that sends commands.
struct CheckoutWithExtraCommand;

impl Process for CheckoutWithExtraCommand {
    const NAME: &'static str = Checkout::NAME;
    const TRANSITION: &'static str = Checkout::TRANSITION;
    const VERSION: u32 = Checkout::VERSION;
    type State = CheckoutState;
    type Event = CheckoutEvent;
    type Step = CheckoutStep;
    type Move = CheckoutMove;
    type Command = AggregateCommand;
    type Effect = ProviderCall;

    fn event_types() -> Vec<&'static str> {
        Checkout::event_types()
    }

    fn read(event: &RecordedEvent) -> Result<Option<Incoming<CheckoutEvent>>, DecodeError> {
        Checkout::read(event)
    }

    fn decide(state: &CheckoutState, now: Timestamp) -> Option<Decision<CheckoutMove, CheckoutStep>> {
        let mut decision = Checkout::decide(state, now)?;
        if decision.outputs.iter().any(|output| matches!(output, Output::Command(_))) {
            decision.outputs.push(Output::Command(CheckoutStep::AwaitPayment));
        }
        Some(decision)
    }

    fn take_in(state: CheckoutState, input: &Input<CheckoutEvent, CheckoutStep>) -> CheckoutState {
        Checkout::take_in(state, input)
    }

    fn enter(state: CheckoutState, next_move: &CheckoutMove) -> CheckoutState {
        Checkout::enter(state, next_move)
    }

    fn enter_version_1(
        state: CheckoutState,
        inputs: &[Input<CheckoutEvent, CheckoutStep>],
        outputs: &mut [RecordedOutput],
    ) -> CheckoutState {
        Checkout::enter_version_1(state, inputs, outputs)
    }

    fn is_ended(state: &CheckoutState) -> bool {
        Checkout::is_ended(state)
    }

    fn command(state: &CheckoutState, step: &CheckoutStep) -> Option<AggregateCommand> {
        Checkout::command(state, step)
    }

    fn effect(state: &CheckoutState, step: &CheckoutStep) -> Option<ProviderCall> {
        Checkout::effect(state, step)
    }
}

impl World {
    /// Opens a shop with the log of an earlier program, and with a provider that knows the payments of this
    /// log.
    pub(crate) fn resume(log: Vec<RecordedEvent>, seed: u64, processes: Vec<Box<dyn AnyProcess>>) -> Self {
        let mut world = Self::empty(seed, processes);
        world.now = log.last().map_or(world.now, |last| last.event.recorded_at);
        world.provider = provider_of(&log);
        world.orders = orders_of(&log);
        // The log contains the command ids of an earlier run, so the new ids begin far above them.
        world.commands = 1 << 64;
        world.disk = Disk::with(log);
        world.kill();
        world
    }
}

/// Returns the orders that were placed, or whose cart was checked out.
fn orders_of(log: &[RecordedEvent]) -> Vec<Draft> {
    let mut drafts: BTreeMap<OrderId, Draft> = BTreeMap::new();
    for recorded in log {
        let draft = match recorded.event_type() {
            "order.placed" => match recorded.decode().unwrap() {
                OrderEvent::Placed(event) => event.draft,
                other => panic!("{other:?}"),
            },
            "cart.checked-out" => match recorded.decode().unwrap() {
                CartEvent::CheckedOut(event) => event.draft,
                other => panic!("{other:?}"),
            },
            _ => continue,
        };
        drafts.insert(draft.order, draft);
    }
    drafts.into_values().collect()
}

/// Returns a provider with the holds, captures and refunds that the payment events of a log record.
fn provider_of(log: &[RecordedEvent]) -> Provider {
    let mut provider = Provider::default();
    let mut tokens = BTreeMap::new();
    let mut payment_ids = BTreeMap::new();
    let mut voids = BTreeMap::new();
    let is_payment_event = |event: &&RecordedEvent| event.stream.category() == "payment" && !event.is_noted();
    for recorded in log.iter().filter(is_payment_event) {
        match recorded.decode::<PaymentEvent>().unwrap() {
            PaymentEvent::Requested(event) => drop(tokens.insert(event.order, event.token)),
            PaymentEvent::Authorized(event) => {
                payment_ids.insert(event.order, event.provider_payment_id.clone());
                let hold = hold(PaymentId::of(event.order), event.amount, &tokens[&event.order]);
                provider.holds.insert(event.provider_payment_id, hold);
            }
            PaymentEvent::VoidRequested(event) => {
                voids.insert(event.void, event.provider_payment_id.clone());
                let hold = hold(PaymentId::of(event.order), event.amount, &tokens[&event.order]);
                provider.holds.entry(event.provider_payment_id).or_insert(hold);
            }
            PaymentEvent::Voided(event) => {
                provider.holds.get_mut(&voids[&event.void]).unwrap().is_held = false;
            }
            PaymentEvent::Captured(event) => {
                let hold = provider.holds.get_mut(&payment_ids[&event.order]).unwrap();
                hold.is_held = false;
                hold.captured = event.amount.amount;
            }
            PaymentEvent::Refunded(event) => {
                let hold = provider.holds.get_mut(&payment_ids[&event.order]).unwrap();
                hold.refunds.insert(event.refund, event.amount.amount);
            }
            _ => {}
        }
    }
    provider
}

fn hold(payment: PaymentId, amount: souk_domain::Money, token: &PersonalText) -> Hold {
    let keys = token.person().map(|person| (person.clone(), key_of(person))).into_iter().collect();
    let token = token.reveal(&keys).expect("the keys of golden logs are never destroyed");
    Hold { payment, amount, is_held: true, captured: 0, refunds: BTreeMap::new(), token }
}
