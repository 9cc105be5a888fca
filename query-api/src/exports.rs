//! Exports under way: one at a time per person.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use souk_domain::CustomerId;
use souk_http::Problem;

/// Seconds after which a refused export may be asked for again.
const RETRY_AFTER_S: u32 = 10;

/// The people whose exports are being written.
#[derive(Clone, Default)]
pub(crate) struct Exports {
    under_way: Arc<Mutex<HashSet<CustomerId>>>,
}

/// A person's only export: until it is dropped, there is no other.
pub(crate) struct OnlyExport {
    person: CustomerId,
    exports: Exports,
}

impl Exports {
    /// Begins an export, or refuses it while another of the same person is being written.
    pub(crate) fn begin(&self, person: &CustomerId) -> Result<OnlyExport, Problem> {
        if !self.locked().insert(person.clone()) {
            let detail =
                "an export of yours is being written: one at a time is allowed, read it to its end first";
            return Err(Problem::new("export-in-progress", detail).retry_after(RETRY_AFTER_S));
        }
        Ok(OnlyExport { person: person.clone(), exports: self.clone() })
    }

    fn locked(&self) -> MutexGuard<'_, HashSet<CustomerId>> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for OnlyExport {
    fn drop(&mut self) {
        self.exports.locked().remove(&self.person);
    }
}
