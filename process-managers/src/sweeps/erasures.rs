//! Repetition of erasures after a start, because older copies of files may have been restored: of the
//! credentials, of the store of keys, or of the log. Each check compares all erased people once, page by page.
//! [`crate::erasure::complete`] finishes the erasures that the store of keys lists as unfinished.

use std::collections::BTreeSet;

use souk_domain::CustomerId;
use souk_eventsourcing::{KeysUnavailable, Person};

use super::SweepError;
use crate::erasure::ErasedSubject;
use crate::ports::ShopPorts;

/// Name of the sweep.
pub const NAME: &str = "erasure-sweep";

/// Returns the customers among these erased people of whom the credentials still have data: an older copy of
/// the credentials was restored.
///
/// If an older store of keys was restored too, it does not list these people as erased. Then
/// [`destroy_restored`] finds them, and the completion of their erasure deletes their credentials.
pub async fn with_credentials(ports: &ShopPorts, erased: &[Person]) -> Result<Vec<CustomerId>, SweepError> {
    let customers = erased.iter().filter_map(|person| match ErasedSubject::of(person) {
        Ok(ErasedSubject::Customer(customer)) => Some(customer),
        _ => None,
    });
    let customers: Vec<CustomerId> = customers.collect();
    Ok(ports.credentials.accounts_with_data(&customers).await?)
}

/// Destroys the key of a person whose erasure is in the log again, if the store of keys does not list the
/// person as erased: an older store of keys was restored. Returns true if it was.
pub async fn destroy_restored(ports: &ShopPorts, erased_in_log: &Person) -> Result<bool, KeysUnavailable> {
    if ports.people.is_erased(erased_in_log).await? {
        return Ok(false);
    }
    ports.people.erase(erased_in_log, ports.clock.now()).await?;
    Ok(true)
}

/// Marks the erasures that are missing in the log as unfinished: an older log was restored.
pub async fn reopen_unfinished(
    ports: &ShopPorts,
    erased: &[Person],
    erased_in_log: &BTreeSet<String>,
) -> Result<(), KeysUnavailable> {
    for person in erased.iter().filter(|person| !erased_in_log.contains(person.as_str())) {
        ports.people.reopen_erasure(person).await?;
    }
    Ok(())
}
