//! Finishes erasures: what the store of keys lists as not yet told everywhere, keys that came back with an
//! older store, people who came back with an older log, and accounts that came back with older credentials.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use souk_command_api::Shop;
use souk_command_api::users::erasure::{forget_customer, forget_order};
use souk_domain::order::Order;
use souk_domain::{CustomerId, OrderId};
use souk_eventsourcing::{Person, Position};
use sqlx::SqlitePool;
use tokio::sync::watch;

use super::{STEP_ROWS_MAX, Standing, Sweep, origin};
use crate::drivers::sealing::SealedAppends;

/// People that one step deals with.
const PEOPLE_MAX: usize = 100;

/// People compared with the credentials at once, and pages of them in one step.
const COMPARED_MAX: usize = 500;
const COMPARED_PAGES_MAX: usize = 20;

/// How long one step waits for appends under way.
const APPENDS_WAIT_MAX: Duration = Duration::from_secs(5);

pub(super) struct Unsettled {
    /// See [`Standing::people`].
    pub(super) people: Arc<tokio::sync::Mutex<()>>,
    /// What may have been sealed before the erasure and is not in the log yet.
    pub(super) sealed_appends: SealedAppends,
    /// How far the read models are: an order placed a moment before its customer was erased must be found.
    pub(super) reached: watch::Receiver<Position>,
    /// Whether they are built.
    pub(super) built: watch::Receiver<bool>,
    /// Where the log ends, and ended when the shop was started.
    pub(super) head: watch::Receiver<Position>,
    pub(super) head_at_start: Position,
    /// The last of the people that are known to be erased and were compared with the store of keys; none
    /// once all were.
    pub(super) compared: Option<String>,
    /// The same of those whom the store of keys has as erased, compared with the log.
    pub(super) told: Option<String>,
    /// The same, compared with the credentials.
    pub(super) forgotten: Option<String>,
}

/// The end of a step with one person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Finished {
    /// Everybody is told that they are forgotten.
    Forgotten,
    /// Nobody is forgotten: a guest's order became a customer's, and needs its own key no more.
    Attached,
    /// The address that an order got after its buyer was erased is forgotten.
    AddressForgotten,
    /// Not everybody is told.
    NotYet,
}

impl Finished {
    /// The end of a key that one order had, by the customer that it has now.
    fn of_order(person: &Person, order: OrderId, customer: Option<&CustomerId>) -> Self {
        match customer {
            _ if *person != order.guest() => Self::AddressForgotten,
            Some(_) => Self::Attached,
            None => Self::Forgotten,
        }
    }
}

#[async_trait]
impl Sweep for Unsettled {
    fn name(&self) -> &'static str {
        "erasure-sweep"
    }

    fn is_woken_by_erasures(&self) -> bool {
        true
    }

    fn alone(&self) -> Option<Arc<tokio::sync::Mutex<()>>> {
        Some(Arc::clone(&self.people))
    }

    async fn step(&mut self, pool: &SqlitePool, shop: &Shop) -> Result<(), sqlx::Error> {
        self.forget_again(shop).await;
        self.destroy_again(pool, shop).await?;
        self.tell_again(pool, shop).await?;
        let unsettled = match shop.people.unsettled(PEOPLE_MAX).await {
            Ok(unsettled) => unsettled,
            Err(error) => {
                tracing::warn!(%error, "erasures are not finished; the next sweep tries again");
                return Ok(());
            }
        };
        if unsettled.is_empty() {
            return Ok(());
        }
        // All of them were erased before this moment.
        let under_way = self.sealed_appends.those_before_now();
        if tokio::time::timeout(APPENDS_WAIT_MAX, under_way).await.is_err() {
            tracing::warn!(
                "erasures are not finished, since the log does not answer; the next sweep tries again"
            );
            return Ok(());
        }
        let head = *self.head.borrow();
        for person in unsettled {
            match self.finish(pool, shop, &person, head).await {
                Ok(Finished::Forgotten) => tracing::info!(%person, "an erasure is finished"),
                Ok(Finished::Attached) => {
                    tracing::info!(%person, "a guest's order is a customer's now; its own key is destroyed");
                }
                Ok(Finished::AddressForgotten) => {
                    tracing::info!(%person, "the address that an erased buyer's order got is forgotten");
                }
                Ok(Finished::NotYet) => {}
                Err(error) => {
                    tracing::warn!(%person, error, "an erasure is not finished; the next sweep tries again");
                }
            }
        }
        Ok(())
    }
}

impl Unsettled {
    /// A sweep that has compared nothing yet.
    pub(super) fn new(standing: &Standing) -> Self {
        let Standing { reached, built, head, head_at_start, sealed_appends, people, .. } = standing.clone();
        let (compared, told) = (Some(String::new()), Some(String::new()));
        let forgotten = Some(String::new());
        Self { people, sealed_appends, reached, built, head, head_at_start, compared, told, forgotten }
    }

    /// Credentials of people whom the store of keys has as erased are deleted again: an older copy may have been
    /// restored. Once after each start. People whose keys came back too are erased again first, and their erasure is
    /// finished like any other.
    async fn forget_again(&mut self, shop: &Shop) {
        for _ in 0..COMPARED_PAGES_MAX {
            let Some(after) = self.forgotten.clone() else { return };
            match self.forget_page(shop, &after).await {
                Ok(last) => self.forgotten = last,
                Err(error) => {
                    tracing::warn!(
                        error,
                        "credentials of erased people may stay; the next sweep tries again"
                    );
                    return;
                }
            }
        }
    }

    /// Deletes what is kept of the next erased people, and returns the last of them.
    async fn forget_page(&self, shop: &Shop, after: &str) -> Result<Option<String>, String> {
        let text = |error: &dyn std::fmt::Display| error.to_string();
        let people = shop.people.erased_after(after, COMPARED_MAX).await.map_err(|error| text(&error))?;
        let customers = people.iter().filter_map(|person| match person.parts() {
            ("customer", id) => CustomerId::parse(id).ok(),
            _ => None,
        });
        let customers: Vec<CustomerId> = customers.collect();
        let kept = shop.accounts.credentials.kept_of(&customers).await.map_err(|error| text(&error))?;
        for customer in kept {
            let origin = origin(shop, self.name());
            forget_customer(shop, &customer, &origin).await.map_err(|problem| problem.detail().to_owned())?;
            tracing::info!(%customer, "credentials that came back with an older file are deleted again");
        }
        Ok(people.last().map(|person| person.as_str().to_owned()))
    }

    /// Keys of people who the log says are erased are destroyed again: an older store may have been
    /// restored. Once after each start.
    async fn destroy_again(&mut self, pool: &SqlitePool, shop: &Shop) -> Result<(), sqlx::Error> {
        let Some(after) = self.compared.as_ref().filter(|_| self.is_everybody_known()) else { return Ok(()) };
        let people: Vec<String> =
            sqlx::query_scalar("SELECT key FROM erased_people WHERE key > $1 ORDER BY key LIMIT $2")
                .bind(after)
                .bind(STEP_ROWS_MAX)
                .fetch_all(pool)
                .await?;
        for name in &people {
            let person = Person::parse(name);
            match shop.people.is_erased(&person).await {
                Ok(true) => {}
                Ok(false) => {
                    if let Err(error) = shop.people.erase(&person, shop.clock.now()).await {
                        tracing::warn!(%person, %error, "a key that came back is not destroyed");
                        return Ok(());
                    }
                    tracing::info!(%person, "a key that came back with an older store is destroyed again");
                }
                Err(error) => {
                    tracing::warn!(%error, "the keys of people can't be read");
                    return Ok(());
                }
            }
        }
        self.compared = people.last().cloned();
        Ok(())
    }

    /// Erasures that the log doesn't know of are told once more: an older log may have been restored. Once
    /// after each start.
    async fn tell_again(&mut self, pool: &SqlitePool, shop: &Shop) -> Result<(), sqlx::Error> {
        let Some(after) = self.told.as_ref().filter(|_| self.is_everybody_known()) else { return Ok(()) };
        let unavailable = |error| tracing::warn!(%error, "the keys of people can't be read");
        let Ok(people) = shop.people.erased_after(after, PEOPLE_MAX).await.map_err(unavailable) else {
            return Ok(());
        };
        let Some(last) = people.last().map(|person| person.as_str().to_owned()) else {
            self.told = None;
            return Ok(());
        };
        let known: HashSet<String> =
            sqlx::query_scalar("SELECT key FROM erased_people WHERE key > $1 AND key <= $2")
                .bind(after)
                .bind(&last)
                .fetch_all(pool)
                .await?
                .into_iter()
                .collect();
        for person in people.iter().filter(|person| !known.contains(person.as_str())) {
            if shop.people.unsettle(person).await.map_err(unavailable).is_err() {
                return Ok(());
            }
        }
        self.told = Some(last);
        Ok(())
    }

    /// Read models that are being built don't know everybody yet who the log says is erased.
    fn is_everybody_known(&self) -> bool {
        *self.built.borrow() && *self.reached.borrow() >= self.head_at_start
    }

    /// Tells everybody; `head` is where the log ended when all that was sealed before the
    /// erasure was in it.
    async fn finish(
        &self,
        pool: &SqlitePool,
        shop: &Shop,
        person: &Person,
        head: Position,
    ) -> Result<Finished, String> {
        let mut finished = Finished::Forgotten;
        let text = |error: &dyn std::fmt::Display| error.to_string();
        let problem = |problem: souk_http::Problem| problem.detail().to_owned();
        let origin = origin(shop, self.name());
        // Once more: a crash may have left the key in the store's write-ahead log.
        shop.people.erase(person, shop.clock.now()).await.map_err(|error| text(&error))?;
        match person.parts() {
            ("customer", id) => {
                let customer = CustomerId::parse(id).map_err(|error| text(&error))?;
                forget_customer(shop, &customer, &origin).await.map_err(problem)?;
                // Before the orders are looked for: what comes meanwhile may not be among them.
                let are_all_there = *self.reached.borrow() >= head;
                let mut last = String::new();
                loop {
                    let statement = sqlx::query_scalar::<_, String>(include_str!("erasures.sql"));
                    let statement = statement.bind(id).bind(&last).bind(STEP_ROWS_MAX);
                    let orders = statement.fetch_all(pool).await.map_err(|error| text(&error))?;
                    let Some(end) = orders.last() else { break };
                    last.clone_from(end);
                    for order in orders.iter().filter_map(|order| order.parse().ok()).map(OrderId) {
                        // One that was a guest's has things under a key of its own still, if a crash kept it.
                        let guest = order.guest();
                        let own = shop.people.to_open(vec![guest.clone()]).await;
                        if own.map_err(|error| text(&error))?.get(&guest).is_some() {
                            let erased = shop.people.erase(&guest, shop.clock.now()).await;
                            erased.map_err(|error| text(&error))?;
                        }
                        forget_order(shop, order, person, &origin).await.map_err(problem)?;
                    }
                }
                if !are_all_there {
                    return Ok(Finished::NotYet);
                }
            }
            ("order" | OrderId::READDRESSED, id) => {
                let order = id.parse().map(OrderId).map_err(|error: uuid::Error| text(&error))?;
                // An order that was never placed has nothing to forget.
                let placed = shop.orders.load(&Order::stream(order)).await.map_err(|error| text(&error))?;
                if let Some(placed) = placed {
                    finished = Finished::of_order(person, order, placed.state.customer());
                    forget_order(shop, order, person, &origin).await.map_err(problem)?;
                }
            }
            _ => {}
        }
        shop.people.settle(person).await.map_err(|error| text(&error))?;
        Ok(finished)
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn the_key_of_an_order_that_was_attached_ends_as_no_erasure() {
        let order = OrderId(Uuid::from_u128(8));
        let ada = CustomerId::parse("ada").unwrap();
        let guest = order.guest();
        assert_eq!(Finished::of_order(&guest, order, None), Finished::Forgotten);
        assert_eq!(Finished::of_order(&guest, order, Some(&ada)), Finished::Attached);
        let address = order.readdressed();
        assert_eq!(Finished::of_order(&address, order, None), Finished::AddressForgotten);
    }
}
