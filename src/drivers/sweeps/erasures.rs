//! Sweep that finishes erasures. It handles erasures that the store of keys lists as unfinished. After each
//! start it also repeats erasures that a restored backup undid: in the store of keys, in the log, or in the
//! credentials.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use souk_domain::{CustomerId, OrderId};
use souk_eventsourcing::{Person, Position};
use souk_process_managers::ShopPorts;
use souk_process_managers::erasure::{
    CustomerOrders, ErasureError, ErasureOutcome, complete, forget_customer,
};
use souk_process_managers::sweeps::erasures::{NAME, destroy_restored, reopen_unfinished, with_credentials};
use souk_process_managers::sweeps::{SweepError, origin};
use sqlx::SqlitePool;
use tokio::sync::watch;

use super::{STEP_ROWS_MAX, Sweep, SweepContext};
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

#[async_trait]
impl Sweep for UnfinishedErasures {
    fn name(&self) -> &'static str {
        NAME
    }

    fn is_woken_by_erasures(&self) -> bool {
        true
    }

    fn exclusive_lock(&self) -> Option<Arc<tokio::sync::Mutex<()>>> {
        Some(Arc::clone(&self.people_lock))
    }

    async fn step(&mut self, pool: &SqlitePool, ports: &ShopPorts) -> Result<(), sqlx::Error> {
        self.recheck_credentials(ports).await;
        self.recheck_keys(pool, ports).await?;
        self.recheck_log(pool, ports).await?;
        let incomplete = match ports.people.incomplete_erasures(PEOPLE_MAX).await {
            Ok(incomplete) => incomplete,
            Err(error) => {
                tracing::warn!(%error, "erasures could not be finished; the sweep will try again");
                return Ok(());
            }
        };
        if incomplete.is_empty() {
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
        let orders = OrderRows { pool, reached: &self.reached, head: *self.head.borrow() };
        for person in incomplete {
            let completed = complete(ports, &person, &orders, &origin(&*ports.clock, NAME)).await;
            log(&person, completed);
        }
        Ok(())
    }
}

fn log(person: &Person, completed: Result<ErasureOutcome, ErasureError>) {
    match completed {
        Ok(ErasureOutcome::Erased) => tracing::info!(%person, "an erasure is finished"),
        Ok(ErasureOutcome::Attached) => {
            tracing::info!(
                %person,
                "a guest's order was attached to a customer; the order's own key is destroyed"
            );
        }
        Ok(ErasureOutcome::AddressErased) => {
            tracing::info!(%person, "the new address of an erased buyer's order is erased");
        }
        Ok(ErasureOutcome::Incomplete) => {}
        Err(error) => {
            let error = error.to_string();
            tracing::warn!(%person, error, "an erasure could not be finished; the sweep will try again");
        }
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

    /// Deletes the credentials of erased people again, once after each start.
    async fn recheck_credentials(&mut self, ports: &ShopPorts) {
        for _ in 0..COMPARED_PAGES_MAX {
            let Some(after) = self.credentials_checked.clone() else { return };
            match delete_credentials(ports, &after).await {
                Ok(last) => self.credentials_checked = last,
                Err(error) => {
                    let error = error.as_str();
                    tracing::warn!(
                        error,
                        "credentials of erased people may still exist; the sweep will try again"
                    );
                    return;
                }
            }
        }
    }

    /// Destroys restored keys of people whose erasure is in the log, once after each start.
    async fn recheck_keys(&mut self, pool: &SqlitePool, ports: &ShopPorts) -> Result<(), sqlx::Error> {
        let Some(after) = self.keys_checked.as_ref().filter(|_| self.has_all_erasures()) else {
            return Ok(());
        };
        let names: Vec<String> =
            sqlx::query_scalar("SELECT key FROM erased_people WHERE key > $1 ORDER BY key LIMIT $2")
                .bind(after)
                .bind(STEP_ROWS_MAX)
                .fetch_all(pool)
                .await?;
        for person in names.iter().map(|name| Person::parse(name)) {
            match destroy_restored(ports, &person).await {
                Ok(false) => {}
                Ok(true) => tracing::info!(%person, "a restored key of an erased person was destroyed again"),
                Err(error) => {
                    tracing::warn!(%person, %error, "it is unknown if a restored key of an erased person is destroyed");
                    return Ok(());
                }
            }
        }
        self.keys_checked = names.last().cloned();
        Ok(())
    }

    /// Marks erasures that are missing in the log as unfinished, once after each start.
    async fn recheck_log(&mut self, pool: &SqlitePool, ports: &ShopPorts) -> Result<(), sqlx::Error> {
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
        let in_log: BTreeSet<String> =
            sqlx::query_scalar("SELECT key FROM erased_people WHERE key > $1 AND key <= $2")
                .bind(after)
                .bind(&last)
                .fetch_all(pool)
                .await?
                .into_iter()
                .collect();
        if reopen_unfinished(ports, &people, &in_log).await.map_err(warn).is_ok() {
            self.log_checked = Some(last);
        }
        Ok(())
    }

    /// Returns true if the read models contain all erasures that were in the log at the start.
    fn has_all_erasures(&self) -> bool {
        *self.built.borrow() && *self.reached.borrow() >= self.head_at_start
    }
}

/// Deletes the restored credentials of the next erased people. Returns the last of these people; `None` if
/// there was none.
async fn delete_credentials(ports: &ShopPorts, after: &str) -> Result<Option<String>, SweepError> {
    let people = ports.people.erased_after(after, COMPARED_MAX).await?;
    for customer in with_credentials(ports, &people).await? {
        forget_customer(ports, &customer, &origin(&*ports.clock, NAME)).await?;
        tracing::info!(%customer, "restored credentials of an erased person were deleted again");
    }
    Ok(people.last().map(|person| person.as_str().to_owned()))
}

/// Orders of customers in the read models.
struct OrderRows<'a> {
    pool: &'a SqlitePool,
    reached: &'a watch::Receiver<Position>,
    /// Position at or before which every event is that is sealed with a destroyed key.
    head: Position,
}

#[async_trait]
impl CustomerOrders for OrderRows<'_> {
    fn has_all(&self) -> bool {
        *self.reached.borrow() >= self.head
    }

    async fn after(
        &self,
        customer: &CustomerId,
        after: Option<OrderId>,
    ) -> Result<Vec<OrderId>, ErasureError> {
        let after = after.map(|order| order.to_string()).unwrap_or_default();
        let statement = sqlx::query_scalar::<_, String>(include_str!("erasures.sql"));
        let statement = statement.bind(customer.as_str()).bind(after).bind(STEP_ROWS_MAX);
        let keys = statement.fetch_all(self.pool).await;
        let keys = keys.map_err(|error| ErasureError::ReadModels(error.to_string()))?;
        // An unreadable key must not stop the erasure of the other orders.
        Ok(keys.iter().filter_map(|key| OrderId::parse(key).ok()).collect())
    }
}
