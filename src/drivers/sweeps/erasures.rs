//! Sweep that finishes erasures. It handles erasures that the store of keys lists as unfinished. After each
//! start it also repeats erasures that a restored backup undid: in the store of keys, in the log, or in the
//! credentials.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use souk_command_api::Ports;
use souk_command_api::users::erasure::{forget_customer, forget_order};
use souk_domain::order::Order;
use souk_domain::{CustomerId, OrderId};
use souk_eventsourcing::{Person, Position};
use sqlx::SqlitePool;
use tokio::sync::watch;

use super::{STEP_ROWS_MAX, Sweep, SweepContext, origin};
use crate::drivers::sealing::SealedAppends;

/// Maximum number of people that one step handles.
const PEOPLE_MAX: usize = 100;

/// Maximum number of people in one comparison with the credentials.
const COMPARED_MAX: usize = 500;
/// Maximum number of comparisons with the credentials in one step.
const COMPARED_PAGES_MAX: usize = 20;

/// Maximum time that one step waits for running appends.
const APPENDS_WAIT_MAX: Duration = Duration::from_secs(5);

pub(super) struct UnfinishedErasures {
    /// Lock of the sweeps that change people, see [`SweepContext::people_lock`].
    pub(super) people_lock: Arc<tokio::sync::Mutex<()>>,
    /// Running appends with personal data. Their events may be sealed with a key that was destroyed
    /// meanwhile.
    pub(super) sealed_appends: SealedAppends,
    /// Position that the read models have reached. It tells whether they contain the orders that were placed
    /// just before the erasure of their customer.
    pub(super) reached: watch::Receiver<Position>,
    /// True if the read models are built.
    pub(super) built: watch::Receiver<bool>,
    /// Current end of the log.
    pub(super) head: watch::Receiver<Position>,
    /// End of the log when the shop was started.
    pub(super) head_at_start: Position,
    /// Last person whose erasure in the log was compared with the store of keys. Empty before the first
    /// comparison, `None` after all were compared.
    pub(super) keys_checked: Option<String>,
    /// Last person whose erasure in the store of keys was compared with the log. Empty before the first
    /// comparison, `None` after all were compared.
    pub(super) log_checked: Option<String>,
    /// Last person whose erasure in the store of keys was compared with the credentials. Empty before the
    /// first comparison, `None` after all were compared.
    pub(super) credentials_checked: Option<String>,
}

/// Result of handling one person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PersonOutcome {
    /// The erasure is complete.
    Erased,
    /// No person was erased: a guest's order was attached to a customer and no longer needs its own key.
    Attached,
    /// The address that an order got after the erasure of its buyer is erased.
    AddressErased,
    /// The erasure is not complete yet.
    Incomplete,
}

impl PersonOutcome {
    /// Returns the outcome for `person`, whose destroyed key was made for one order. `customer` is the
    /// customer that the order has now.
    fn of_order(person: &Person, order: OrderId, customer: Option<&CustomerId>) -> Self {
        match customer {
            _ if *person != order.guest() => Self::AddressErased,
            Some(_) => Self::Attached,
            None => Self::Erased,
        }
    }
}

#[async_trait]
impl Sweep for UnfinishedErasures {
    fn name(&self) -> &'static str {
        "erasure-sweep"
    }

    fn is_woken_by_erasures(&self) -> bool {
        true
    }

    fn exclusive_lock(&self) -> Option<Arc<tokio::sync::Mutex<()>>> {
        Some(Arc::clone(&self.people_lock))
    }

    async fn step(&mut self, pool: &SqlitePool, ports: &Ports) -> Result<(), sqlx::Error> {
        self.recheck_credentials(ports).await;
        self.recheck_keys(pool, ports).await?;
        self.recheck_log(pool, ports).await?;
        let unsettled = match ports.people.unsettled(PEOPLE_MAX).await {
            Ok(unsettled) => unsettled,
            Err(error) => {
                tracing::warn!(%error, "erasures could not be finished; the sweep will try again");
                return Ok(());
            }
        };
        if unsettled.is_empty() {
            return Ok(());
        }
        // The keys of these people are destroyed. Only appends that are running now may be sealed with them.
        let pending = self.sealed_appends.wait_for_pending();
        if tokio::time::timeout(APPENDS_WAIT_MAX, pending).await.is_err() {
            tracing::warn!(
                "erasures could not be finished, because the log does not respond; the sweep will try again"
            );
            return Ok(());
        }
        let head = *self.head.borrow();
        for person in unsettled {
            match self.finish(pool, ports, &person, head).await {
                Ok(PersonOutcome::Erased) => tracing::info!(%person, "an erasure is finished"),
                Ok(PersonOutcome::Attached) => {
                    tracing::info!(
                        %person,
                        "a guest's order was attached to a customer; the order's own key is destroyed"
                    );
                }
                Ok(PersonOutcome::AddressErased) => {
                    tracing::info!(%person, "the new address of an erased buyer's order is erased");
                }
                Ok(PersonOutcome::Incomplete) => {}
                Err(error) => {
                    tracing::warn!(%person, error, "an erasure could not be finished; the sweep will try again");
                }
            }
        }
        Ok(())
    }
}

impl UnfinishedErasures {
    /// Creates a sweep that has compared nothing yet.
    pub(super) fn new(context: &SweepContext) -> Self {
        let SweepContext { reached, built, head, head_at_start, sealed_appends, people_lock, .. } =
            context.clone();
        Self {
            people_lock,
            sealed_appends,
            reached,
            built,
            head,
            head_at_start,
            keys_checked: Some(String::new()),
            log_checked: Some(String::new()),
            credentials_checked: Some(String::new()),
        }
    }

    /// Deletes the credentials of erased people again, once after each start, because an older copy of the
    /// credentials may have been restored. If an older store of keys was restored too, it does not list these
    /// people as erased. Then [`Self::recheck_keys`] erases them, and [`Self::finish`] deletes their
    /// credentials.
    async fn recheck_credentials(&mut self, ports: &Ports) {
        for _ in 0..COMPARED_PAGES_MAX {
            let Some(after) = self.credentials_checked.clone() else { return };
            match self.delete_credentials(ports, &after).await {
                Ok(last) => self.credentials_checked = last,
                Err(error) => {
                    tracing::warn!(
                        error,
                        "credentials of erased people may still exist; the sweep will try again"
                    );
                    return;
                }
            }
        }
    }

    /// Deletes the credentials of the next erased people. Returns the last of these people; `None` if there
    /// was none.
    async fn delete_credentials(&self, ports: &Ports, after: &str) -> Result<Option<String>, String> {
        let people = ports.people.erased_after(after, COMPARED_MAX).await.map_err(text)?;
        let customers = people.iter().filter_map(|person| match person.parts() {
            ("customer", id) => CustomerId::parse(id).ok(),
            _ => None,
        });
        let customers: Vec<CustomerId> = customers.collect();
        let kept = ports.accounts.credentials.accounts_with_data(&customers).await.map_err(text)?;
        for customer in kept {
            let origin = origin(ports, self.name());
            forget_customer(ports, &customer, &origin)
                .await
                .map_err(|problem| problem.detail().to_owned())?;
            tracing::info!(%customer, "restored credentials of an erased person were deleted again");
        }
        Ok(people.last().map(|person| person.as_str().to_owned()))
    }

    /// Destroys restored keys of people whose erasure is in the log, once after each start, because an older
    /// store of keys may have been restored.
    async fn recheck_keys(&mut self, pool: &SqlitePool, ports: &Ports) -> Result<(), sqlx::Error> {
        let Some(after) = self.keys_checked.as_ref().filter(|_| self.has_all_erasures()) else {
            return Ok(());
        };
        let people: Vec<String> =
            sqlx::query_scalar("SELECT key FROM erased_people WHERE key > $1 ORDER BY key LIMIT $2")
                .bind(after)
                .bind(STEP_ROWS_MAX)
                .fetch_all(pool)
                .await?;
        for name in &people {
            let person = Person::parse(name);
            match ports.people.is_erased(&person).await {
                Ok(true) => {}
                Ok(false) => {
                    if let Err(error) = ports.people.erase(&person, ports.clock.now()).await {
                        tracing::warn!(%person, %error, "a restored key of an erased person could not be destroyed");
                        return Ok(());
                    }
                    tracing::info!(%person, "a restored key of an erased person was destroyed again");
                }
                Err(error) => {
                    tracing::warn!(%error, "the keys of people can't be read");
                    return Ok(());
                }
            }
        }
        self.keys_checked = people.last().cloned();
        Ok(())
    }

    /// Marks erasures that are missing in the log as unfinished, once after each start, because an older log
    /// may have been restored.
    async fn recheck_log(&mut self, pool: &SqlitePool, ports: &Ports) -> Result<(), sqlx::Error> {
        let Some(after) = self.log_checked.as_ref().filter(|_| self.has_all_erasures()) else {
            return Ok(());
        };
        let warn = |error| tracing::warn!(%error, "the store of person keys is unavailable");
        let Ok(people) = ports.people.erased_after(after, PEOPLE_MAX).await.map_err(warn) else {
            return Ok(());
        };
        let Some(last) = people.last().map(|person| person.as_str().to_owned()) else {
            self.log_checked = None;
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
            if ports.people.unsettle(person).await.map_err(warn).is_err() {
                return Ok(());
            }
        }
        self.log_checked = Some(last);
        Ok(())
    }

    /// Returns true if the read models contain all erasures that were in the log at the start.
    fn has_all_erasures(&self) -> bool {
        *self.built.borrow() && *self.reached.borrow() >= self.head_at_start
    }

    /// Finishes the erasure of one person. Every event that is sealed with the destroyed key is at or before
    /// position `head`.
    async fn finish(
        &self,
        pool: &SqlitePool,
        ports: &Ports,
        person: &Person,
        head: Position,
    ) -> Result<PersonOutcome, String> {
        let mut outcome = PersonOutcome::Erased;
        let problem = |problem: souk_http::Problem| problem.detail().to_owned();
        let origin = origin(ports, self.name());
        // The key is destroyed once more, because a crash may have left it in the write-ahead log of the
        // store.
        ports.people.erase(person, ports.clock.now()).await.map_err(text)?;
        match person.parts() {
            ("customer", id) => {
                let customer = CustomerId::parse(id).map_err(text)?;
                forget_customer(ports, &customer, &origin).await.map_err(problem)?;
                // Checked before the query, because the query may miss orders that arrive during it.
                let has_all_orders = *self.reached.borrow() >= head;
                let mut last = String::new();
                loop {
                    let statement = sqlx::query_scalar::<_, String>(include_str!("erasures.sql"));
                    let statement = statement.bind(id).bind(&last).bind(STEP_ROWS_MAX);
                    let orders = statement.fetch_all(pool).await.map_err(text)?;
                    let Some(end) = orders.last() else { break };
                    last.clone_from(end);
                    for order in orders.iter().filter_map(|order| order.parse().ok()).map(OrderId) {
                        // A guest's order has its own key. A crash may have prevented its destruction.
                        let guest = order.guest();
                        let own = ports.people.to_open(vec![guest.clone()]).await;
                        if own.map_err(text)?.get(&guest).is_some() {
                            let erased = ports.people.erase(&guest, ports.clock.now()).await;
                            erased.map_err(text)?;
                        }
                        forget_order(ports, order, person, &origin).await.map_err(problem)?;
                    }
                }
                if !has_all_orders {
                    return Ok(PersonOutcome::Incomplete);
                }
            }
            ("order" | OrderId::READDRESSED, id) => {
                let order = id.parse().map(OrderId).map_err(text)?;
                // An order that was never placed contains no personal data.
                let placed = ports.aggregates.orders.load(&Order::stream(order)).await.map_err(text)?;
                if let Some(placed) = placed {
                    outcome = PersonOutcome::of_order(person, order, placed.state.customer());
                    forget_order(ports, order, person, &origin).await.map_err(problem)?;
                }
            }
            _ => {}
        }
        ports.people.settle(person).await.map_err(text)?;
        Ok(outcome)
    }
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn destroying_the_key_of_an_attached_order_is_not_an_erasure() {
        let order = OrderId(Uuid::from_u128(8));
        let ada = CustomerId::parse("ada").unwrap();
        let guest = order.guest();
        assert_eq!(PersonOutcome::of_order(&guest, order, None), PersonOutcome::Erased);
        assert_eq!(PersonOutcome::of_order(&guest, order, Some(&ada)), PersonOutcome::Attached);
        let address = order.readdressed();
        assert_eq!(PersonOutcome::of_order(&address, order, None), PersonOutcome::AddressErased);
    }
}
