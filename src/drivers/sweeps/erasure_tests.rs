//! Erasures that meet sweeps half-way, and what comes back with older files.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use souk_command_api::Shop;
use souk_command_api::users::erasure::{erase_customer, erase_guest};
use souk_domain::address::Address;
use souk_domain::order::{Draft, Order, OrderCommand, OrderRejection, OrderStatus};
use souk_domain::user::command::Registration;
use souk_domain::user::event::UserRole;
use souk_domain::user::{User, UserCommand};
use souk_domain::{CustomerId, Email, EmailHash, OrderId, UserId};
use souk_eventsourcing::envelope::Origin;
use souk_eventsourcing::store::FoundCommand;
use souk_eventsourcing::testkit::KeysInMemory;
use souk_eventsourcing::{
    CommandError, CommandPort, CommandRequest, EventStore as _, Loaded, Outcome, PersonKeys as _, Personal,
    RecordedEvent, Revision, StoreError, StreamName,
};
use souk_mail_folder::MailFolder;
use souk_sign_in::Mail;
use souk_sqlite_credentials::CREDENTIALS_FILE;
use tokio::sync::Notify;
use uuid::Uuid;

use super::tests::{Ahead, guests_order, standing, tell_order, until};
use super::{Sweep as _, credentials, erasures, guests, origin};
use crate::testing::TestShop;

/// What happens just before a command.
type Before = Mutex<Option<BoxFuture<'static, ()>>>;

/// Orders at which something happens once, between the reading of what a command goes by and the command itself.
struct Meanwhile {
    orders: Arc<dyn CommandPort<Order>>,
    is_meant: fn(&OrderCommand) -> bool,
    before: Before,
}

#[async_trait]
impl CommandPort<Order> for Meanwhile {
    async fn execute(
        &self,
        request: CommandRequest<OrderCommand>,
    ) -> Result<Outcome<Order>, CommandError<OrderRejection>> {
        let before = self.before.lock().unwrap().take_if(|_| (self.is_meant)(&request.command));
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

/// A shop in which something happens just before a command to an order.
fn with_meanwhile(
    shop: &Shop,
    is_meant: fn(&OrderCommand) -> bool,
    before: impl Future<Output = ()> + Send + 'static,
) -> Shop {
    let before = Mutex::new(Some(Box::pin(before) as BoxFuture<'static, ()>));
    let orders = Meanwhile { orders: Arc::clone(&shop.orders), is_meant, before };
    Shop { orders: Arc::new(orders), clock: Arc::new(Ahead(SignedDuration::from_hours(1))), ..shop.clone() }
}

fn email() -> Email {
    Email::parse("ada@example.org").unwrap()
}

/// An account whose address is proven.
async fn account(test: &TestShop) -> CustomerId {
    let shop = &test.shop.shop;
    let user = UserId(Uuid::from_u128(7));
    let alias = shop.people.make_alias(email().hash(&shop.keys.email_hash).as_str()).await.unwrap();
    let registration = Registration {
        user,
        email: email(),
        email_hash: EmailHash::parse(&alias).unwrap(),
        name: "Ada".into(),
        is_verified: true,
        role: UserRole::Customer,
    };
    let register = UserCommand::Register(Box::new(registration));
    shop.accounts.users.execute(test.request(User::stream(user), register)).await.unwrap();
    user.customer()
}

/// A guest's order with an address, which has ended, so that it may become a customer's.
async fn ended_order(test: &TestShop) -> OrderId {
    let order = OrderId(Uuid::from_u128(8));
    let draft = guests_order(order, &email(), test.shop.shop.clock.now());
    let address = Address { line1: "1 Test St".into(), ..Address::default() };
    let address = Personal::new(order.guest(), "shippingAddress", address);
    let draft = Draft { shipping_address: Some(address), ..draft };
    let place = test.request(Order::stream(order), OrderCommand::Place(Box::new(draft)));
    test.shop.shop.orders.execute(place).await.unwrap();
    until(test, order, OrderStatus::Cancelled).await;
    order
}

async fn event_types(test: &TestShop, order: OrderId) -> Vec<String> {
    let events = test.shop.log.read_stream(&Order::stream(order), Revision::FIRST, 100).await.unwrap();
    events.iter().map(|event| event.event_type().to_owned()).collect()
}

#[tokio::test]
async fn a_guest_who_is_erased_while_the_order_is_attached_stays_erased() {
    let test = TestShop::open().await;
    account(&test).await;
    let order = ended_order(&test).await;
    let of_request = test.shop.shop.clone();
    let erasure = async move {
        let origin = origin(&of_request, "test");
        erase_guest(&of_request, order, &origin).await.unwrap();
    };
    let is_attach = |command: &OrderCommand| matches!(command, OrderCommand::Attach { .. });
    let shop = with_meanwhile(&test.shop.shop, is_attach, erasure);
    for _ in 0..3 {
        test.sweep_over(guests::Unattached::new(&standing(&test)), &shop).await;
    }
    let types = event_types(&test, order).await;
    assert!(types.iter().any(|name| name == "order.erased"), "{types:?}");
    assert!(types.iter().all(|name| name != "order.attached"), "{types:?}");
    assert!(shop.people.is_erased(&order.guest()).await.unwrap());
    // Nothing that the shop says of the order later is under a key of the guest's.
    tell_order(&test, order, OrderCommand::Erase { person: order.guest() }).await;
    assert_eq!(event_types(&test, order).await, types);
}

#[tokio::test]
async fn a_guest_whose_order_is_attached_while_they_ask_to_be_erased_is_told_that_it_is_no_guests() {
    let test = TestShop::open().await;
    let customer = account(&test).await;
    let order = ended_order(&test).await;
    // The sweep has opened the address, and waits until the request is about to tell the order.
    let opened = Arc::new(Notify::new());
    let goes_on = Arc::new(Notify::new());
    let is_attach = |command: &OrderCommand| matches!(command, OrderCommand::Attach { .. });
    let told_of = (Arc::clone(&opened), Arc::clone(&goes_on));
    let attaching = with_meanwhile(&test.shop.shop, is_attach, async move {
        told_of.0.notify_one();
        told_of.1.notified().await;
    });
    let pool = super::open(test.shop.read_models.path());
    let mut sweep = guests::Unattached::new(&standing(&test));
    test.shop.wait_for(test.shop.log.head().await.unwrap()).await;
    let attached = tokio::spawn(async move {
        for _ in 0..3 {
            sweep.step(&pool, &attaching).await.unwrap();
        }
    });
    opened.notified().await;
    let is_erase = |command: &OrderCommand| matches!(command, OrderCommand::Erase { .. });
    let shop = with_meanwhile(&test.shop.shop, is_erase, async move {
        goes_on.notify_one();
        attached.await.unwrap();
    });
    let erased = erase_guest(&shop, order, &origin(&shop, "test")).await;
    assert_eq!(erased.map_err(|problem| problem.code()), Err("not-found"));
    let loaded = shop.orders.load(&Order::stream(order)).await.unwrap().unwrap();
    assert_eq!(loaded.state.customer(), Some(&customer));
}

/// Copies the files of the credentials from one folder to another.
fn copy_credentials(from: &Path, to: &Path) {
    for suffix in ["", "-wal", "-shm"] {
        let name = format!("{CREDENTIALS_FILE}{suffix}");
        match std::fs::copy(from.join(&name), to.join(&name)) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                // A write-ahead log of other credentials does not stay beside these.
                let _ = std::fs::remove_file(to.join(&name));
            }
            copied => drop(copied.unwrap()),
        }
    }
}

#[tokio::test]
async fn accounts_that_come_back_with_older_credentials_are_deleted_again() {
    let test = TestShop::open().await;
    let data = test.shop.folder.path().to_owned();
    let older = tempfile::tempdir().unwrap();
    let customer = account(&test).await;
    let credentials = &test.shop.shop.accounts.credentials;
    credentials.set_password(&customer, "a hash").await.unwrap();
    let name = email().hash(&test.shop.shop.keys.email_hash);
    let alias = test.shop.shop.people.alias_of(name.as_str()).await.unwrap().unwrap();
    credentials.keep_email(&customer, &name, &EmailHash::parse(&alias).unwrap(), None).await.unwrap();
    let test = test.reopened(async || copy_credentials(&data, older.path())).await;
    let shop = &test.shop.shop;
    erase_customer(shop, &customer, &origin(shop, "test")).await.unwrap();
    let people = std::slice::from_ref(&customer);
    assert_eq!(shop.accounts.credentials.kept_of(people).await.unwrap(), []);
    // Nothing is left to do about the erasure when the older file comes.
    while !shop.people.unsettled(1).await.unwrap().is_empty() {
        test.sweep(erasures::Unsettled::new(&standing(&test)), SignedDuration::ZERO).await;
    }
    let test = test.reopened(async || copy_credentials(older.path(), &data)).await;
    test.sweep(erasures::Unsettled::new(&standing(&test)), SignedDuration::ZERO).await;
    let credentials = &test.shop.shop.accounts.credentials;
    assert_eq!(credentials.kept_of(people).await.unwrap(), []);
    assert_eq!(credentials.email_alias(&name).await.unwrap(), None);
}

#[tokio::test]
async fn mail_of_somebody_who_is_erased_is_removed_after_a_start() {
    let test = TestShop::open().await;
    let shop = &test.shop.shop;
    let gone = CustomerId::parse("gone").unwrap();
    let here = CustomerId::parse("here").unwrap();
    // Keys of its own, so that no other sweep knows of the erasure.
    let keys = Arc::new(KeysInMemory::default());
    keys.erase(&gone.person(), shop.clock.now()).await.unwrap();
    for user in [&gone, &here] {
        let mail = Mail { user: user.clone(), to: email(), subject: "Hello".into(), text: "One".into() };
        shop.accounts.outbox.send(mail).await.unwrap();
    }
    let mail = MailFolder::new(test.shop.folder.path(), Arc::clone(&shop.clock));
    let sweep = credentials::Expired { mail, next: Timestamp::UNIX_EPOCH };
    test.sweep_over(sweep, &Shop { people: keys, ..shop.clone() }).await;
    assert_eq!(shop.accounts.outbox.sent_to(&gone).await.unwrap(), []);
    assert_eq!(shop.accounts.outbox.sent_to(&here).await.unwrap().len(), 1);
}
