//! Forgetting somebody. The one act that counts is that their key is destroyed; everything that follows is
//! listed by the store of keys until it is done, by this request or by the sweep behind it.

use souk_domain::cart::Cart;
use souk_domain::claim::{Claim, ClaimCommand};
use souk_domain::order::{Order, OrderCommand};
use souk_domain::user::{User, UserCommand};
use souk_domain::{CartId, CustomerId, OrderId, UserId};
use souk_eventsourcing::envelope::Origin;
use souk_eventsourcing::{CommandRequest, Person, Position};
use souk_web::Problem;

use crate::auth::{addresses, sessions};
use crate::rejected::problem;
use crate::shop::Shop;

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
    let origin = origin.step(&format!("erase {order}"));
    let erase = OrderCommand::Erase { person: person.clone() };
    let erase = CommandRequest::new(Order::stream(order), erase, origin);
    Ok(shop.orders.execute(erase).await.map_err(problem)?.position)
}

/// Destroys the key of an order of a guest's.
pub async fn erase_guest(shop: &Shop, order: OrderId, origin: &Origin) -> Result<Position, Problem> {
    let person = order.guest();
    shop.people.erase(&person, shop.clock.now()).await?;
    let position = forget_order(shop, order, &person, origin).await;
    shop.erased.notify_one();
    position
}
