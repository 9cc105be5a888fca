//! Forgetting somebody. The one act that counts is that their key is destroyed; everything that follows is
//! listed by the store of keys until it is done, by this request or by the sweep behind it. The order of a guest is told
//! before that.

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
use crate::rejected::problem;
use crate::shop::Shop;

/// The time until a key that could not be destroyed is tried again.
const DESTROY_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// Destroys a customer's key, and ends their account if they have one.
pub async fn erase_customer(
    shop: &Shop,
    customer: &CustomerId,
    origin: &Origin,
) -> Result<Option<Position>, Problem> {
    shop.people.erase(&customer.person(), shop.clock.now()).await?;
    let position = forget_customer(shop, customer, origin).await;
    shop.erased.notify_one();
    position
}

/// Returns true if there is something to forget of a customer, or they were forgotten before: an account, a key, a cart
/// or an order.
pub async fn is_known(shop: &Shop, customer: &CustomerId) -> Result<bool, Problem> {
    let person = customer.person();
    if shop.people.is_erased(&person).await? {
        return Ok(true);
    }
    if shop.people.to_open(vec![person.clone()]).await?.get(&person).is_some() {
        return Ok(true);
    }
    if let Some(user) = UserId::of_customer(customer)
        && shop.accounts.users.load(&User::stream(user)).await?.is_some()
    {
        return Ok(true);
    }
    let cart = Cart::stream(CartId::of_customer(customer));
    Ok(shop.carts.load(&cart).await?.is_some() || shop.finder.has_orders(customer).await?)
}

/// What follows from a customer's erasure, their orders aside: a repeat does what is left of it.
pub async fn forget_customer(
    shop: &Shop,
    customer: &CustomerId,
    origin: &Origin,
) -> Result<Option<Position>, Problem> {
    sessions::end_all(shop, customer, None).await?;
    let mut reached = None;
    if let Some(user) = UserId::of_customer(customer) {
        reached = end_account(shop, user, origin).await?;
    }
    let outbox = &shop.accounts.outbox;
    outbox.forget(customer).await.map_err(|error| Problem::internal(&error))?;
    Ok(reached)
}

/// Looks again at an account after something about it was kept beside the log. An erasure that destroyed the key
/// meanwhile may have gone through the credentials and the mail before that was kept, so it goes now; the sweep does
/// what is left of it. Returns true if the account is erased.
pub async fn look_again(shop: &Shop, user: UserId) -> Result<bool, Problem> {
    let customer = user.customer();
    let person = customer.person();
    if !shop.people.is_erased(&person).await? {
        return Ok(false);
    }
    shop.people.unsettle(&person).await?;
    shop.erased.notify_one();
    sessions::end_all(shop, &customer, None).await?;
    let account = shop.accounts.users.load(&User::stream(user)).await?;
    let hashes = match account.as_ref().and_then(|account| account.state.email_hash()) {
        Some(hash) => addresses::hashes_of(shop, hash).await?,
        None => Vec::new(),
    };
    shop.accounts.credentials.forget(&customer, &hashes).await?;
    shop.accounts.outbox.forget(&customer).await.map_err(|error| Problem::internal(&error))?;
    Ok(true)
}

async fn end_account(shop: &Shop, user: UserId, origin: &Origin) -> Result<Option<Position>, Problem> {
    let stream = User::stream(user);
    let before = shop.accounts.users.load(&stream).await?;
    let hash = before.as_ref().and_then(|before| before.state.email_hash());
    let hashes = match hash {
        Some(hash) => addresses::hashes_of(shop, hash).await?,
        None => Vec::new(),
    };
    shop.accounts.credentials.forget(&user.customer(), &hashes).await?;
    let Some(hash) = hash else { return Ok(None) };
    // Before the claim is released: see `sign_up`.
    shop.people.delete_alias(hash.as_str()).await?;
    let erase = CommandRequest::new(stream.clone(), UserCommand::Erase, origin.step("erase user"));
    let erased = shop.accounts.users.execute(erase).await.map_err(problem)?;
    let release = ClaimCommand::Release { owner: stream.to_string(), epoch: erased.state.epoch() };
    let release = CommandRequest::new(Claim::of_email(hash), release, origin.step("release e-mail address"));
    let released = shop.claims.execute(release).await.map_err(problem)?;
    Ok(Some(erased.position.max(released.position)))
}

/// Says on an order that somebody is erased, in case it tells about them.
pub async fn forget_order(
    shop: &Shop,
    order: OrderId,
    person: &Person,
    origin: &Origin,
) -> Result<Position, Problem> {
    Ok(tell_order(shop, order, person, origin).await?.position)
}

async fn tell_order(
    shop: &Shop,
    order: OrderId,
    person: &Person,
    origin: &Origin,
) -> Result<Outcome<Order>, Problem> {
    let origin = origin.step(&format!("erase {order}"));
    let erase = OrderCommand::Erase { person: person.clone() };
    let erase = CommandRequest::new(Order::stream(order), erase, origin);
    shop.orders.execute(erase).await.map_err(problem)
}

/// Erases the guest of an order, and destroys the key.
///
/// The order is told first. The sweep that attaches orders may have opened the address already, to seal it under the
/// key of a customer: an order that was told is attached to nobody any more. An order that was attached before is no
/// guest's, as for a lookup. All of it is done also when the client goes away, and the start after a crash destroys
/// the keys of everybody whom the log names as erased.
pub async fn erase_guest(shop: &Shop, order: OrderId, origin: &Origin) -> Result<Position, Problem> {
    let of_task = shop.clone();
    let origin = origin.clone();
    let erased = tokio::spawn(async move {
        let person = order.guest();
        let told = tell_order(&of_task, order, &person, &origin).await?;
        if told.state.customer().is_some() {
            return Err(Problem::new("not-found", "there is no such order"));
        }
        destroy(&of_task, &person).await?;
        Ok(told.position)
    });
    erased.await.map_err(|error| Problem::internal(&error))?
}

/// Destroys the key of a person who the log says is erased. A try that fails is repeated until the shop stops: the
/// client, who is told of the failure, finds no order any more that it could name again.
async fn destroy(shop: &Shop, person: &Person) -> Result<(), KeysUnavailable> {
    let destroyed = shop.people.erase(person, shop.clock.now()).await;
    shop.erased.notify_one();
    if destroyed.is_err() {
        let of_task = shop.clone();
        let person = person.clone();
        tokio::spawn(async move {
            let mut stopping = of_task.stopping.clone();
            loop {
                tokio::select! {
                    () = tokio::time::sleep(DESTROY_AGAIN_AFTER) => {}
                    // Its sender goes only with the shop.
                    _ = stopping.wait_for(|is_stopping| *is_stopping) => return,
                }
                match of_task.people.erase(&person, of_task.clock.now()).await {
                    Ok(()) => break,
                    Err(error) => {
                        tracing::warn!(%person, %error, "a key is not destroyed; it is tried again");
                    }
                }
            }
            of_task.erased.notify_one();
        });
    }
    destroyed
}
