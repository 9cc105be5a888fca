//! Erasure of people.
//!
//! A person is erased at the moment at which their key is destroyed. The other steps, such as ending sessions
//! and deleting mail, follow. The store of keys lists the person until all steps are done, by the request or
//! by the sweep of erasures. For a guest, the erasure is recorded on the order before the key is destroyed.

use std::time::Duration;

use souk_domain::cart::Cart;
use souk_domain::claim::{Claim, ClaimCommand};
use souk_domain::order::{Order, OrderCommand};
use souk_domain::user::{User, UserCommand};
use souk_domain::{CartId, CustomerId, OrderId, UserId};
use souk_eventsourcing::envelope::Origin;
use souk_eventsourcing::{CommandRequest, KeysUnavailable, Outcome, Person, Position};
use souk_http::Problem;

use crate::auth::{addresses, sessions};
use crate::ports::Ports;
use crate::rejected::problem;

/// Time from a failed attempt to destroy a key until the next one.
const DESTROY_RETRY_DELAY: Duration = Duration::from_secs(1);

/// Destroys a customer's key, and ends their account if they have one. Returns the position of the last event
/// that was appended, if any.
pub async fn erase_customer(
    ports: &Ports,
    customer: &CustomerId,
    origin: &Origin,
) -> Result<Option<Position>, Problem> {
    ports.people.erase(&customer.person(), ports.clock.now()).await?;
    let position = forget_customer(ports, customer, origin).await;
    ports.erased.notify_one();
    position
}

/// Returns true if the shop has an account, a key, a cart or an order of a customer, or the customer was
/// erased earlier.
pub async fn is_known(ports: &Ports, customer: &CustomerId) -> Result<bool, Problem> {
    let person = customer.person();
    if ports.people.is_erased(&person).await? {
        return Ok(true);
    }
    if ports.people.to_open(vec![person.clone()]).await?.get(&person).is_some() {
        return Ok(true);
    }
    if let Some(user) = UserId::of_customer(customer)
        && ports.aggregates.users.load(&User::stream(user)).await?.is_some()
    {
        return Ok(true);
    }
    let cart = Cart::stream(CartId::of_customer(customer));
    Ok(ports.aggregates.carts.load(&cart).await?.is_some() || ports.finder.has_orders(customer).await?)
}

/// Does the steps of an erasure that follow the destruction of the key, except for those on orders. Repeating
/// it completes an interrupted erasure.
pub async fn forget_customer(
    ports: &Ports,
    customer: &CustomerId,
    origin: &Origin,
) -> Result<Option<Position>, Problem> {
    sessions::end_all(ports, customer, None).await?;
    let mut position = None;
    if let Some(user) = UserId::of_customer(customer) {
        position = end_account(ports, user, origin).await?;
    }
    let outbox = &ports.accounts.outbox;
    outbox.forget(customer).await.map_err(|error| Problem::internal(&error))?;
    Ok(position)
}

/// Deletes an account's sessions, credentials and mail if the account is erased. Returns true if it is.
///
/// Call it after storing anything about an account outside the log. An erasure that ran at the same time may
/// have deleted the credentials and the mail before this was stored. The sweep of erasures repeats the other
/// steps.
pub async fn delete_if_erased(ports: &Ports, user: UserId) -> Result<bool, Problem> {
    let customer = user.customer();
    let person = customer.person();
    if !ports.people.is_erased(&person).await? {
        return Ok(false);
    }
    ports.people.unsettle(&person).await?;
    ports.erased.notify_one();
    sessions::end_all(ports, &customer, None).await?;
    let account = ports.aggregates.users.load(&User::stream(user)).await?;
    let hashes = match account.as_ref().and_then(|account| account.state.email_hash()) {
        Some(hash) => addresses::hashes_of(ports, hash).await?,
        None => Vec::new(),
    };
    ports.accounts.credentials.forget(&customer, &hashes).await?;
    ports.accounts.outbox.forget(&customer).await.map_err(|error| Problem::internal(&error))?;
    Ok(true)
}

async fn end_account(ports: &Ports, user: UserId, origin: &Origin) -> Result<Option<Position>, Problem> {
    let stream = User::stream(user);
    let before = ports.aggregates.users.load(&stream).await?;
    let hash = before.as_ref().and_then(|before| before.state.email_hash());
    let hashes = match hash {
        Some(hash) => addresses::hashes_of(ports, hash).await?,
        None => Vec::new(),
    };
    ports.accounts.credentials.forget(&user.customer(), &hashes).await?;
    let Some(hash) = hash else { return Ok(None) };
    // The alias is deleted before the claim is released: `sign_up` relies on this order.
    ports.people.delete_alias(hash.as_str()).await?;
    let erase = CommandRequest::new(stream.clone(), UserCommand::Erase, origin.step("erase user"));
    let erased = ports.aggregates.users.execute(erase).await.map_err(problem)?;
    let release = ClaimCommand::Release { owner: stream.to_string(), epoch: erased.state.epoch() };
    let release = CommandRequest::new(Claim::of_email(hash), release, origin.step("release e-mail address"));
    let released = ports.aggregates.claims.execute(release).await.map_err(problem)?;
    Ok(Some(erased.position.max(released.position)))
}

/// Records on an order that a person is erased, if the order has personal data of this person.
pub async fn forget_order(
    ports: &Ports,
    order: OrderId,
    person: &Person,
    origin: &Origin,
) -> Result<Position, Problem> {
    Ok(record_on_order(ports, order, person, origin).await?.position)
}

async fn record_on_order(
    ports: &Ports,
    order: OrderId,
    person: &Person,
    origin: &Origin,
) -> Result<Outcome<Order>, Problem> {
    let origin = origin.step(&format!("erase {order}"));
    let erase = OrderCommand::Erase { person: person.clone() };
    let erase = CommandRequest::new(Order::stream(order), erase, origin);
    ports.aggregates.orders.execute(erase).await.map_err(problem)
}

/// Erases the guest of an order.
///
/// The erasure is recorded on the order first, and then the key is destroyed. The sweep that attaches guests'
/// orders to customers may have decrypted the e-mail address already, to seal it with the customer's key; it
/// can't attach an order on which an erasure is recorded. An order that was attached before belongs to a
/// customer, and is reported as not found. The erasure is completed even if the client disconnects. After a
/// crash, the next start destroys the keys of all people whose erasure is in the log.
pub async fn erase_guest(ports: &Ports, order: OrderId, origin: &Origin) -> Result<Position, Problem> {
    let task_ports = ports.clone();
    let origin = origin.clone();
    let erasure = tokio::spawn(async move {
        let person = order.guest();
        let outcome = record_on_order(&task_ports, order, &person, &origin).await?;
        if outcome.state.customer().is_some() {
            return Err(Problem::new("not-found", "there is no such order"));
        }
        destroy_key(&task_ports, &person).await?;
        Ok(outcome.position)
    });
    erasure.await.map_err(|error| Problem::internal(&error))?
}

/// Destroys the key of a person whose erasure is in the log. If the first attempt fails, this function
/// returns the error, and a task repeats the attempt until the shop stops: the client can't repeat the
/// request, since it no longer finds the order.
async fn destroy_key(ports: &Ports, person: &Person) -> Result<(), KeysUnavailable> {
    let destroyed = ports.people.erase(person, ports.clock.now()).await;
    ports.erased.notify_one();
    if destroyed.is_err() {
        let task_ports = ports.clone();
        let person = person.clone();
        tokio::spawn(async move {
            let mut stopping = task_ports.stopping.clone();
            loop {
                tokio::select! {
                    () = tokio::time::sleep(DESTROY_RETRY_DELAY) => {}
                    // Also ends when the sender is dropped, which happens only when the shop stops.
                    _ = stopping.wait_for(|is_stopping| *is_stopping) => return,
                }
                match task_ports.people.erase(&person, task_ports.clock.now()).await {
                    Ok(()) => break,
                    Err(error) => {
                        tracing::warn!(%person, %error, "a key could not be destroyed; the next attempt follows");
                    }
                }
            }
            task_ports.erased.notify_one();
        });
    }
    destroyed
}
