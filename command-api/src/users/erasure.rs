//! Erasures that HTTP requests begin. The steps are in `souk_process_managers::erasure`; this module wakes the
//! sweep that completes them, and turns failures into problems.

use std::time::Duration;

use souk_domain::cart::Cart;
use souk_domain::user::User;
use souk_domain::{CartId, CustomerId, OrderId, UserId};
use souk_eventsourcing::envelope::Origin;
use souk_eventsourcing::{Person, Position};
use souk_http::Problem;
use souk_process_managers::erasure::{self, ErasureError};

use crate::auth::sessions::sessions_problem;
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
    let erased = erasure::erase_customer(&ports.shop(), customer, origin).await;
    // While the person has a key, they are not erased, and the sweep has nothing to do.
    if !matches!(erased, Err(ErasureError::KeyNotDestroyed(_))) {
        ports.erased.notify_one();
    }
    erased.map_err(erasure_problem)
}

/// Returns true if the shop has an account, a key, a cart or an order of a customer, or the customer was
/// erased earlier.
pub async fn is_known(ports: &Ports, customer: &CustomerId) -> Result<bool, Problem> {
    let person = customer.person();
    if ports.people.is_erased(&person).await? {
        return Ok(true);
    }
    if ports.people.keys_for_opening(vec![person.clone()]).await?.get(&person).is_some() {
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

/// Deletes an account's sessions, credentials and mail if the account is erased. Returns true if it is.
///
/// Call it after storing anything about an account outside the log. An erasure that ran at the same time may
/// have deleted the credentials and the mail before this was stored. The sweep of erasures repeats the other
/// steps; it is woken first, since the client may disconnect during the deletions.
pub async fn delete_if_erased(ports: &Ports, user: UserId) -> Result<bool, Problem> {
    if !erasure::reopen_erasure_if_erased(&ports.shop(), user).await.map_err(erasure_problem)? {
        return Ok(false);
    }
    ports.erased.notify_one();
    erasure::delete_account_data(&ports.shop(), user).await.map_err(erasure_problem)?;
    Ok(true)
}

/// Records on an order that a person is erased, if the order has personal data of this person.
pub async fn erase_order(
    ports: &Ports,
    order: OrderId,
    person: &Person,
    origin: &Origin,
) -> Result<(), Problem> {
    erasure::erase_order(&ports.shop(), order, person, origin).await.map_err(problem)?;
    Ok(())
}

/// Returns true if an earlier request with the same idempotency key erased the guest of the order.
pub async fn was_erased_by(ports: &Ports, order: OrderId, origin: &Origin) -> Result<bool, Problem> {
    erasure::was_erased_by(&ports.shop(), order, origin).await.map_err(problem)
}

/// Erases the guest of an order. An order that was attached to a customer is reported as not found.
///
/// The erasure is completed even if the client disconnects. After a crash, the next start destroys the keys of
/// all people whose erasure is in the log.
pub async fn erase_guest(ports: &Ports, order: OrderId, origin: &Origin) -> Result<Position, Problem> {
    let task_ports = ports.clone();
    let origin = origin.clone();
    let task = tokio::spawn(async move {
        let erased = erasure::erase_guest(&task_ports.shop(), order, &origin).await;
        match &erased {
            Ok(Some(_)) => task_ports.erased.notify_one(),
            Err(ErasureError::KeyNotDestroyed(_)) => {
                tokio::spawn(destroy_key(task_ports, order.guest()));
            }
            // No guest is erased, so the sweep has nothing to do.
            Ok(None) | Err(_) => {}
        }
        erased
    });
    let erased = task.await.map_err(|error| Problem::internal(&error))?;
    erased.map_err(erasure_problem)?.ok_or_else(|| Problem::new("not-found", "there is no such order"))
}

/// Repeats the attempt to destroy the key of a person whose erasure is in the log, until it succeeds or the
/// shop stops. A client without an idempotency key can't repeat the request, since it no longer finds the
/// order.
async fn destroy_key(ports: Ports, person: Person) {
    let mut stopping = ports.stopping.clone();
    loop {
        tokio::select! {
            () = tokio::time::sleep(DESTROY_RETRY_DELAY) => {}
            // Also ends when the sender is dropped, which happens only when the shop stops.
            _ = stopping.wait_for(|is_stopping| *is_stopping) => return,
        }
        match ports.people.erase(&person, ports.clock.now()).await {
            Ok(()) => break,
            Err(error) => {
                tracing::warn!(%person, %error, "a key could not be destroyed; the next attempt follows");
            }
        }
    }
    ports.erased.notify_one();
}

/// Returns the problem for an erasure that failed.
fn erasure_problem(error: ErasureError) -> Problem {
    match error {
        ErasureError::KeyNotDestroyed(error) | ErasureError::Keys(error) => error.into(),
        ErasureError::Log(error) => error.into(),
        ErasureError::Credentials(error) => error.into(),
        ErasureError::Sessions(error) => sessions_problem(error),
        ErasureError::User(error) => problem(error),
        ErasureError::Claim(error) => problem(error),
        ErasureError::Order(error) => problem(error),
        error @ (ErasureError::Mail(_) | ErasureError::ReadModels(_) | ErasureError::Malformed(_)) => {
            Problem::internal(&error)
        }
    }
}
