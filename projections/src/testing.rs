//! Test tools: hand-written histories of events, and the rows that a projector computes from them.

use std::fmt::Write as _;

use souk_domain::money::Currency;
use souk_domain::order::Order;
use souk_domain::order::event::{Draft, OrderLine};
use souk_domain::user::UserEvent;
use souk_domain::user::event::{Registered, UserRole};
use souk_domain::{Address, CustomerId, EmailHash, Money, OrderId, OrderRef, ProductId, Sku, UserId};
use souk_eventsourcing::envelope::Origin;
use souk_eventsourcing::projection_runtime::ErasedProjector;
use souk_eventsourcing::projection_runtime::ProjectorFold;
use souk_eventsourcing::projector::{ModelChange, Projector, Value};
use souk_eventsourcing::testkit::{noon, sealed};
use souk_eventsourcing::{
    Actor, CorrelationId, EventPayload, Personal, Position, RecordedEvent, Revision, StreamName, Timestamp,
};
use uuid::Uuid;

/// Log in memory. Each event is one minute later than the one before.
#[derive(Default)]
pub(crate) struct History {
    events: Vec<RecordedEvent>,
}

impl History {
    /// Appends an event to a stream.
    #[expect(clippy::needless_pass_by_value, reason = "tests are easier to read without references")]
    pub(crate) fn then(mut self, stream: &StreamName, event: impl EventPayload) -> Self {
        let at = self.now();
        let new = self.origin().envelope(stream, 0, &event, at);
        self.push(stream, new);
        self
    }

    /// Appends a `noted` event, as a repeatable command does that changes nothing.
    pub(crate) fn noted(mut self, stream: &StreamName) -> Self {
        let new = self.origin().noted(stream, self.now());
        self.push(stream, new);
        self
    }

    fn now(&self) -> Timestamp {
        let minutes = i64::try_from(self.events.len()).unwrap();
        noon() + jiff::SignedDuration::from_mins(minutes)
    }

    fn origin(&self) -> Origin {
        let id = Uuid::from_u128(self.events.len() as u128 + 1);
        Origin::new(id, Actor::new("admin", "ops"), CorrelationId::from(id))
    }

    fn push(&mut self, stream: &StreamName, event: souk_eventsourcing::NewEvent) {
        let event = sealed(vec![event]).remove(0);
        let revision = self.events.iter().filter(|event| event.stream == *stream).count() as u64;
        let position = Position(self.events.len() as u64 + 1);
        self.events.push(RecordedEvent {
            position,
            stream: stream.clone(),
            revision: Revision(revision),
            event,
        });
    }
}

fn fold(projector: &mut dyn ErasedProjector, events: &[RecordedEvent]) -> ModelChange {
    projector.plan(events).unwrap();
    let reached = events.last().map_or(Position::START, |event| event.position);
    let change = projector.fold(Vec::new(), reached).unwrap();
    projector.committed();
    change
}

/// Applies a history as one page, as a rebuild does.
pub(crate) fn at_once<P: Projector>(history: &History) -> ModelChange {
    fold(&mut *ProjectorFold::<P>::boxed(), &history.events)
}

/// Returns a row after a history; `None` if the row does not exist.
pub(crate) fn row<P: Projector>(history: &History, key: &str) -> Option<P::Row> {
    let change = at_once::<P>(history).rows.into_iter().find(|change| change.key == key)?;
    change.content.map(|(document, _)| serde_json::from_slice(&document).unwrap())
}

/// Returns a text with the changes of each event, in the order of the history.
pub(crate) fn changes_as_text<P: Projector>(history: &History) -> String {
    let mut projector = ProjectorFold::<P>::boxed();
    let mut text = String::new();
    for event in &history.events {
        let change = fold(&mut *projector, std::slice::from_ref(event));
        writeln!(text, "{} {} {}", event.position, event.stream, event.event_type()).unwrap();
        for row in change.rows {
            let Some((document, columns)) = row.content else {
                writeln!(text, "    {} goes", row.key).unwrap();
                continue;
            };
            writeln!(text, "    {} {}", row.key, String::from_utf8(document).unwrap()).unwrap();
            let columns = P::MODEL.columns.iter().zip(columns).map(|(column, value)| match value {
                Value::Null => format!("{}=null", column.name),
                Value::Text(value) => format!("{}={value:?}", column.name),
                Value::Integer(value) => format!("{}={value}", column.name),
            });
            let columns: Vec<String> = columns.collect();
            if !columns.is_empty() {
                writeln!(text, "      {}", columns.join(" ")).unwrap();
            }
        }
        for sum in change.sums {
            writeln!(text, "    {} {} {:+} {:?}", sum.sum, sum.key, sum.contributors, sum.deltas).unwrap();
        }
    }
    text
}

/// Compares the changes of a history with a snapshot. The name of the snapshot contains the model's version.
macro_rules! golden {
    ($projector:ty, $history:expr) => {{
        let model = <$projector as souk_eventsourcing::projector::Projector>::MODEL;
        let name = format!("{}_v{}", model.name, model.version);
        insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
            insta::assert_snapshot!(name, $crate::testing::changes_as_text::<$projector>(&$history));
        });
    }};
}
pub(crate) use golden;

pub(crate) fn pence(amount: i64) -> Money {
    Money::new(amount, Currency::GBP)
}

pub(crate) fn sku(text: &str) -> Sku {
    Sku::parse(text).unwrap()
}

pub(crate) fn ada() -> CustomerId {
    CustomerId::parse("ada").unwrap()
}

pub(crate) fn email_hash() -> EmailHash {
    EmailHash::of(&[1; 32], "ada@example.org")
}

/// Returns the event of Ada's registration.
pub(crate) fn registered(user: UserId) -> UserEvent {
    Registered {
        email: Personal::new(user.person(), "email", "ada@example.org".to_owned()),
        email_hash: email_hash(),
        name: Personal::new(user.person(), "name", "Ada".to_owned()),
        is_verified: false,
        role: UserRole::Customer,
    }
    .into()
}

pub(crate) fn product(number: u128) -> ProductId {
    ProductId(Uuid::from_u128(number))
}

pub(crate) fn order(number: u128) -> OrderId {
    OrderId(Uuid::from_u128(number))
}

pub(crate) fn order_ref(text: &str) -> OrderRef {
    OrderRef::parse(text).unwrap()
}

pub(crate) fn order_stream(number: u128) -> StreamName {
    Order::stream(order(number))
}

pub(crate) fn address(name: &str) -> Address {
    let text = str::to_owned;
    Address {
        name: text(name),
        line1: text("1 Test St"),
        city: text("London"),
        country: text("GB"),
        ..Address::default()
    }
}

/// Returns Ada's order of two lines and three units, with a total of £6.10.
pub(crate) fn draft(number: u128) -> Draft {
    let line = |text: &str, quantity, amount| OrderLine {
        sku: sku(text),
        product: product(1),
        name: format!("Thing {text}"),
        quantity,
        unit_price: pence(amount),
        shown_price: None,
    };
    Draft {
        order: order(number),
        code: "SK-7F3K-9QXM".to_owned(),
        customer: Some(ada()),
        cart: None,
        email: None,
        email_hash: None,
        shipping_address: Some(Personal::new(ada().person(), "shippingAddress", address("Ada"))),
        lines: vec![line("A1", 2, 255), line("B2", 1, 100)],
        charges: Vec::new(),
        total: pence(610),
        payment_token: Some("tok_ok".into()),
        placed_at: noon(),
        pay_by: noon() + jiff::SignedDuration::from_mins(15),
    }
}
