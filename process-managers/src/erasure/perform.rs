//! Performance of the steps of an erasure with the ports of the shop.

use souk_domain::claim::{Claim, ClaimCommand};
use souk_domain::order::{Order, OrderCommand, OrderRejection};
use souk_domain::user::{User, UserCommand};
use souk_domain::{CustomerId, EmailHash, OrderId, UserId};
use souk_eventsourcing::envelope::Origin;
use souk_eventsourcing::{CommandError, CommandRequest, Outcome, Person, Position};
use souk_sign_in::end_all_sessions;

use super::ErasureError;
use super::steps::{ErasureStep, account_steps, customer_steps};
use crate::ports::ShopPorts;

/// Destroys a customer's key, and ends their account if they have one. Returns the position of the last event
/// that was appended, if any. After [`ErasureError::KeyNotDestroyed`], nothing is left to do for the sweep.
pub async fn erase_customer(
    ports: &ShopPorts,
    customer: &CustomerId,
    origin: &Origin,
) -> Result<Option<Position>, ErasureError> {
    perform(ports, &customer_steps(customer), origin).await
}

/// Ends the account of a customer whose key is destroyed. Returns the position of the last event that was
/// appended, if any.
pub async fn forget_customer(
    ports: &ShopPorts,
    customer: &CustomerId,
    origin: &Origin,
) -> Result<Option<Position>, ErasureError> {
    perform(ports, &account_steps(customer), origin).await
}

/// Erases the guest of an order. Returns the position of `order.erased`; `None` if the order belongs to a
/// customer, and has no guest any more.
///
/// The erasure is recorded on the order first, and then the key is destroyed. The sweep that attaches guests'
/// orders to customers may have decrypted the e-mail address already, to seal it with the customer's key; it
/// can't attach an order on which an erasure is recorded. After [`ErasureError::KeyNotDestroyed`], the erasure
/// is recorded, and only the destruction of the key is left.
pub async fn erase_guest(
    ports: &ShopPorts,
    order: OrderId,
    origin: &Origin,
) -> Result<Option<Position>, ErasureError> {
    let guest = order.guest();
    let outcome = erase_order(ports, order, &guest, origin).await?;
    if outcome.state.customer().is_some() {
        return Ok(None);
    }
    destroy_key(ports, &guest).await?;
    Ok(Some(outcome.position))
}

/// Records on an order that a person is erased, if the order has personal data of this person.
pub async fn erase_order(
    ports: &ShopPorts,
    order: OrderId,
    person: &Person,
    origin: &Origin,
) -> Result<Outcome<Order>, CommandError<OrderRejection>> {
    let origin = step_of_order(order, origin);
    let erase = OrderCommand::Erase { person: person.clone() };
    let request = CommandRequest::new(Order::stream(order), erase, origin).repeatable();
    ports.aggregates.orders.execute(request).await
}

/// Returns true if an earlier request of the same origin recorded an erasure on the order.
pub async fn was_erased_by(
    ports: &ShopPorts,
    order: OrderId,
    origin: &Origin,
) -> Result<bool, CommandError<OrderRejection>> {
    let origin = step_of_order(order, origin);
    Ok(ports.aggregates.orders.find(&Order::stream(order), &origin).await?.is_some())
}

fn step_of_order(order: OrderId, origin: &Origin) -> Origin {
    origin.follow_up(&format!("erase {order}"))
}

/// Marks the erasure of an account as unfinished. Returns false if the account is not erased.
pub async fn reopen_erasure_if_erased(ports: &ShopPorts, user: UserId) -> Result<bool, ErasureError> {
    let person = user.customer().person();
    let is_erased = ports.people.is_erased(&person).await?;
    if is_erased {
        ports.people.reopen_erasure(&person).await?;
    }
    Ok(is_erased)
}

/// Deletes the sessions, credentials and mail of an erased account.
pub async fn delete_account_data(ports: &ShopPorts, user: UserId) -> Result<(), ErasureError> {
    let customer = user.customer();
    end_sessions(ports, &customer).await?;
    let alias = email_alias(ports, user).await?;
    delete_credentials(ports, user, alias.as_ref()).await?;
    ports.outbox.forget(&customer).await?;
    Ok(())
}

/// Performs steps one after the other. Returns the position of the last event that they appended, if any.
pub(super) async fn perform(
    ports: &ShopPorts,
    steps: &[ErasureStep],
    origin: &Origin,
) -> Result<Option<Position>, ErasureError> {
    let mut last = None;
    for step in steps {
        last = last.max(perform_step(ports, step, origin).await?);
    }
    Ok(last)
}

async fn perform_step(
    ports: &ShopPorts,
    step: &ErasureStep,
    origin: &Origin,
) -> Result<Option<Position>, ErasureError> {
    match step {
        ErasureStep::DestroyKey(person) => destroy_key(ports, person).await?,
        ErasureStep::DestroyGuestKey(order) => {
            let guest = order.guest();
            if ports.people.keys_for_opening(vec![guest.clone()]).await?.get(&guest).is_some() {
                destroy_key(ports, &guest).await?;
            }
        }
        ErasureStep::EndSessions(customer) => end_sessions(ports, customer).await?,
        ErasureStep::EraseAccount(user) => return erase_account(ports, *user, origin).await,
        ErasureStep::DeleteMail(customer) => ports.outbox.forget(customer).await?,
        ErasureStep::EraseOrder(order, person) => {
            return Ok(Some(erase_order(ports, *order, person, origin).await?.position));
        }
    }
    Ok(None)
}

async fn destroy_key(ports: &ShopPorts, person: &Person) -> Result<(), ErasureError> {
    ports.people.erase(person, ports.clock.now()).await.map_err(ErasureError::KeyNotDestroyed)
}

async fn end_sessions(ports: &ShopPorts, customer: &CustomerId) -> Result<(), ErasureError> {
    end_all_sessions(&*ports.credentials, &*ports.denials, customer, None, &|| ports.clock.now()).await?;
    Ok(())
}

/// Deletes the credentials of an account whose e-mail address has this alias. Without an account there may be
/// credentials too.
async fn delete_credentials(
    ports: &ShopPorts,
    user: UserId,
    alias: Option<&EmailHash>,
) -> Result<(), ErasureError> {
    let hashes = match alias {
        Some(alias) => hashes_of(ports, alias.clone()).await?,
        None => Vec::new(),
    };
    ports.credentials.forget(&user.customer(), &hashes).await?;
    Ok(())
}

async fn erase_account(
    ports: &ShopPorts,
    user: UserId,
    origin: &Origin,
) -> Result<Option<Position>, ErasureError> {
    let alias = email_alias(ports, user).await?;
    delete_credentials(ports, user, alias.as_ref()).await?;
    let Some(alias) = alias else { return Ok(None) };
    // The alias is deleted before the claim is released: a new account with the address relies on this order.
    ports.people.delete_alias(alias.as_str()).await?;
    let stream = User::stream(user);
    let erase = CommandRequest::new(stream.clone(), UserCommand::Erase, origin.follow_up("erase user"));
    let erased = ports.aggregates.users.execute(erase).await?;
    let release = ClaimCommand::Release { owner: stream.to_string(), epoch: erased.state.epoch() };
    let origin = origin.follow_up("release e-mail address");
    let release = CommandRequest::new(Claim::of_email(&alias), release, origin);
    let released = ports.aggregates.claims.execute(release).await?;
    Ok(Some(erased.position.max(released.position)))
}

/// Returns the alias of an account's e-mail address; `None` if the account does not exist. An erased account
/// still has the alias that it gave up.
async fn email_alias(ports: &ShopPorts, user: UserId) -> Result<Option<EmailHash>, ErasureError> {
    let account = ports.aggregates.users.load(&User::stream(user)).await?;
    Ok(account.and_then(|account| account.state.email_hash().cloned()))
}

/// Returns all hashes under which sign-in events of an account may be recorded: its alias, and the keyed hash
/// of its address for events from before the account existed.
async fn hashes_of(ports: &ShopPorts, alias: EmailHash) -> Result<Vec<EmailHash>, ErasureError> {
    let email_hash = ports.people.name_of(alias.as_str()).await?;
    let mut hashes = vec![alias];
    if let Some(email_hash) = email_hash {
        let email_hash = EmailHash::parse(&email_hash);
        hashes.push(email_hash.map_err(|error| ErasureError::Malformed(error.to_string()))?);
    }
    Ok(hashes)
}
