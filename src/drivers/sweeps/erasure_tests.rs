//! Tests of erasures during sweeps, and of erasures after older files were restored.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use souk_command_api::Ports;
use souk_command_api::users::erasure::{erase_customer, erase_guest};
use souk_domain::AggregatePorts;
use souk_domain::address::Address;
use souk_domain::order::{Draft, Order, OrderCommand, OrderRejection, OrderStatus};
use souk_domain::order_notes::{OrderNotes, OrderNotesCommand};
use souk_domain::user::command::Registration;
use souk_domain::user::event::UserRole;
use souk_domain::user::{User, UserCommand};
use souk_domain::{CustomerId, Email, EmailHash, NoteId, OrderId, UserId};
use souk_eventsourcing::envelope::Origin;
use souk_eventsourcing::store::FoundCommand;
use souk_eventsourcing::testkit::KeysInMemory;
use souk_eventsourcing::{
    CommandError, CommandPort, CommandRequest, EventStore as _, Loaded, Outcome, PersonKeys as _, Personal,
    RecordedEvent, Revision, StoreError, StreamName,
};
use souk_mail_folder::MailFolder;
use souk_process_managers::sweeps::origin;
use souk_sign_in::Mail;
use souk_sqlite_credentials::CREDENTIALS_FILE;
use tokio::sync::Notify;
use uuid::Uuid;

use super::tests::{ClockAhead, execute_order, guest_order, sweep_context, wait_for_status};
use super::{Sweep as _, credentials, erasures, guests};
use crate::testing::TestShop;

/// Action that runs once, just before a command.
type Before = Mutex<Option<BoxFuture<'static, ()>>>;

/// Command port of orders that runs an action once, just before a matching command.
struct Interrupted {
    orders: Arc<dyn CommandPort<Order>>,
    matches: fn(&OrderCommand) -> bool,
    before: Before,
}

#[async_trait]
impl CommandPort<Order> for Interrupted {
    async fn execute(
        &self,
        request: CommandRequest<OrderCommand>,
    ) -> Result<Outcome<Order>, CommandError<OrderRejection>> {
        let before = self.before.lock().unwrap().take_if(|_| (self.matches)(&request.command));
        if let Some(before) = before {
            before.await;
        }
        self.orders.execute(request).await
    }

    async fn find(
        &self,
        stream: &StreamName,
        origin: &Origin,
    ) -> Result<Option<FoundCommand>, CommandError<OrderRejection>> {
        self.orders.find(stream, origin).await
    }

    async fn load(&self, stream: &StreamName) -> Result<Option<Loaded<Order>>, StoreError> {
        self.orders.load(stream).await
    }

    async fn events(
        &self,
        stream: &StreamName,
        from: Revision,
        limit: usize,
    ) -> Result<Vec<RecordedEvent>, StoreError> {
        self.orders.events(stream, from, limit).await
    }
}

/// Returns ports that run an action once, just before a matching command to an order.
fn with_interruption(
    ports: &Ports,
    matches: fn(&OrderCommand) -> bool,
    before: impl Future<Output = ()> + Send + 'static,
) -> Ports {
    let before = Mutex::new(Some(Box::pin(before) as BoxFuture<'static, ()>));
    let orders = Interrupted { orders: Arc::clone(&ports.aggregates.orders), matches, before };
    Ports {
        aggregates: AggregatePorts { orders: Arc::new(orders), ..ports.aggregates.clone() },
        clock: Arc::new(ClockAhead(SignedDuration::from_hours(1))),
        ..ports.clone()
    }
}

fn email() -> Email {
    Email::parse("ada@example.org").unwrap()
}

/// Creates an account with a proven e-mail address.
async fn account(test: &TestShop) -> CustomerId {
    let ports = &test.shop.ports;
    let user = UserId(Uuid::from_u128(7));
    let alias = ports.people.make_alias(email().hash(&ports.keys.email_hash).as_str()).await.unwrap();
    let registration = Registration {
        user,
        email: email(),
        email_hash: EmailHash::parse(&alias).unwrap(),
        name: "Ada".into(),
        is_verified: true,
        role: UserRole::Customer,
    };
    let register = UserCommand::Register(Box::new(registration));
    ports.aggregates.users.execute(test.request(User::stream(user), register)).await.unwrap();
    user.customer()
}

/// Creates a guest's order with an address. The order has ended, so that it can be attached to a customer.
async fn ended_order(test: &TestShop) -> OrderId {
    let order = OrderId(Uuid::from_u128(8));
    let draft = guest_order(order, &email(), test.shop.ports.clock.now());
    let address = Address { line1: "1 Test St".into(), ..Address::default() };
    let address = Personal::new(order.guest(), "shippingAddress", address);
    let draft = Draft { shipping_address: Some(address), ..draft };
    let place = test.request(Order::stream(order), OrderCommand::Place(Box::new(draft)));
    test.shop.ports.aggregates.orders.execute(place).await.unwrap();
    wait_for_status(test, order, OrderStatus::Cancelled).await;
    order
}

async fn event_types(test: &TestShop, order: OrderId) -> Vec<String> {
    let events = test.shop.log.read_stream(&Order::stream(order), Revision::FIRST, 100).await.unwrap();
    events.iter().map(|event| event.event_type().to_owned()).collect()
}

#[tokio::test]
async fn a_guest_erased_while_the_order_is_being_attached_stays_erased() {
    let test = TestShop::open().await;
    account(&test).await;
    let order = ended_order(&test).await;
    let of_request = test.shop.ports.clone();
    let erasure = async move {
        let origin = origin(&*of_request.clock, "test");
        erase_guest(&of_request, order, &origin).await.unwrap();
    };
    let is_attach = |command: &OrderCommand| matches!(command, OrderCommand::Attach { .. });
    let ports = with_interruption(&test.shop.ports, is_attach, erasure);
    for _ in 0..3 {
        test.sweep_over(guests::UnattachedOrders::new(&sweep_context(&test)), &ports).await;
    }
    let types = event_types(&test, order).await;
    assert!(types.iter().any(|name| name == "order.erased"), "{types:?}");
    assert!(types.iter().all(|name| name != "order.attached"), "{types:?}");
    assert!(ports.people.is_erased(&order.guest()).await.unwrap());
    // A second erasure of the order adds no event.
    execute_order(&test, order, OrderCommand::Erase { person: order.guest() }).await;
    assert_eq!(event_types(&test, order).await, types);
}

#[tokio::test]
async fn a_guest_erasure_is_not_found_if_the_order_was_attached_meanwhile() {
    let test = TestShop::open().await;
    let customer = account(&test).await;
    let order = ended_order(&test).await;
    // The sweep has decrypted the address. It waits until the request is about to send its command.
    let opened = Arc::new(Notify::new());
    let may_continue = Arc::new(Notify::new());
    let is_attach = |command: &OrderCommand| matches!(command, OrderCommand::Attach { .. });
    let sweep_opened = Arc::clone(&opened);
    let sweep_continues = Arc::clone(&may_continue);
    let attaching = with_interruption(&test.shop.ports, is_attach, async move {
        sweep_opened.notify_one();
        sweep_continues.notified().await;
    });
    let pool = super::open(test.shop.read_models.path());
    let mut sweep = guests::UnattachedOrders::new(&sweep_context(&test));
    test.shop.wait_for(test.shop.log.head().await.unwrap()).await;
    let attached = tokio::spawn(async move {
        for _ in 0..3 {
            sweep.step(&pool, &attaching.shop()).await.unwrap();
        }
    });
    opened.notified().await;
    let is_erase = |command: &OrderCommand| matches!(command, OrderCommand::Erase { .. });
    let ports = with_interruption(&test.shop.ports, is_erase, async move {
        may_continue.notify_one();
        attached.await.unwrap();
    });
    let erased = erase_guest(&ports, order, &origin(&*ports.clock, "test")).await;
    assert_eq!(erased.map_err(|problem| problem.code()), Err("not-found"));
    let loaded = ports.aggregates.orders.load(&Order::stream(order)).await.unwrap().unwrap();
    assert_eq!(loaded.state.customer(), Some(&customer));
}

#[tokio::test]
async fn notes_on_an_attached_order_are_sealed_with_the_key_of_the_customer() {
    let test = TestShop::open().await;
    let customer = account(&test).await;
    let order = ended_order(&test).await;
    let ports = &test.shop.ports;
    let stream = OrderNotes::stream(order);
    let text = Personal::new(order.guest(), "text", "call Ada".to_owned());
    let write = OrderNotesCommand::Write { author: CustomerId::parse("ops").unwrap(), text };
    let request = test.request(stream.clone(), write);
    let note = NoteId(request.origin.command_id.derived_id("note"));
    ports.aggregates.order_notes.execute(request).await.unwrap();
    let mut steps = 0;
    while !ports.people.is_erased(&order.guest()).await.unwrap() {
        steps += 1;
        assert!(steps < 100, "the order was not attached");
        test.sweep(guests::UnattachedOrders::new(&sweep_context(&test)), SignedDuration::from_hours(1)).await;
    }
    let events = test.shop.log.read_stream(&stream, Revision::FIRST, 100).await.unwrap();
    let types: Vec<&str> = events.iter().map(RecordedEvent::event_type).collect();
    assert_eq!(types, ["notes.written", "notes.resealed"]);
    let loaded = ports.aggregates.order_notes.load(&stream).await.unwrap().unwrap();
    let stored = loaded.state.text(note).unwrap();
    let keys = ports.people.keys_for_opening(vec![customer.person()]).await.unwrap();
    assert_eq!((stored.person(), stored.reveal(&keys).as_deref()), (&customer.person(), Some("call Ada")));
}

/// Copies the files of the credentials from one folder to another.
fn copy_credentials(from: &Path, to: &Path) {
    for suffix in ["", "-wal", "-shm"] {
        let name = format!("{CREDENTIALS_FILE}{suffix}");
        match std::fs::copy(from.join(&name), to.join(&name)) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                // The write-ahead log of the replaced file must not stay beside the copy.
                let _ = std::fs::remove_file(to.join(&name));
            }
            copied => drop(copied.unwrap()),
        }
    }
}

// Proves: users.erasure-survives-restores
#[tokio::test]
async fn restored_credentials_of_erased_accounts_are_deleted_again() {
    let test = TestShop::open().await;
    let data = test.shop.folder.path().to_owned();
    let older = tempfile::tempdir().unwrap();
    let customer = account(&test).await;
    let credentials = &test.shop.ports.accounts.credentials;
    credentials.set_password(&customer, "a hash").await.unwrap();
    let name = email().hash(&test.shop.ports.keys.email_hash);
    let alias = test.shop.ports.people.alias_of(name.as_str()).await.unwrap().unwrap();
    credentials.keep_email(&customer, &name, &EmailHash::parse(&alias).unwrap(), None).await.unwrap();
    let test = test.reopened(async || copy_credentials(&data, older.path())).await;
    let ports = &test.shop.ports;
    erase_customer(ports, &customer, &origin(&*ports.clock, "test")).await.unwrap();
    let people = std::slice::from_ref(&customer);
    assert_eq!(ports.accounts.credentials.accounts_with_data(people).await.unwrap(), []);
    // The erasure is complete before the older file is restored.
    while !ports.people.incomplete_erasures(1).await.unwrap().is_empty() {
        test.sweep(erasures::UnfinishedErasures::new(&sweep_context(&test)), SignedDuration::ZERO).await;
    }
    let test = test.reopened(async || copy_credentials(older.path(), &data)).await;
    test.sweep(erasures::UnfinishedErasures::new(&sweep_context(&test)), SignedDuration::ZERO).await;
    let credentials = &test.shop.ports.accounts.credentials;
    assert_eq!(credentials.accounts_with_data(people).await.unwrap(), []);
    assert_eq!(credentials.email_alias(&name).await.unwrap(), None);
}

#[tokio::test]
async fn mail_of_an_erased_person_is_deleted_after_a_start() {
    let test = TestShop::open().await;
    let ports = &test.shop.ports;
    let gone = CustomerId::parse("gone").unwrap();
    let here = CustomerId::parse("here").unwrap();
    // Separate keys, so that no other sweep notices the erasure.
    let keys = Arc::new(KeysInMemory::default());
    keys.erase(&gone.person(), ports.clock.now()).await.unwrap();
    for user in [&gone, &here] {
        let mail = Mail { user: user.clone(), to: email(), subject: "Hello".into(), text: "One".into() };
        ports.accounts.outbox.send(mail).await.unwrap();
    }
    let mail = MailFolder::new(test.shop.folder.path(), Arc::clone(&ports.clock));
    let sweep = credentials::ExpiredCredentials { mail, next: Timestamp::UNIX_EPOCH };
    test.sweep_over(sweep, &Ports { people: keys, ..ports.clone() }).await;
    assert_eq!(ports.accounts.outbox.sent_to(&gone).await.unwrap(), []);
    assert_eq!(ports.accounts.outbox.sent_to(&here).await.unwrap().len(), 1);
}
