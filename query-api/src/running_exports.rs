//! Running exports of personal data: one at a time per person.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use souk_domain::CustomerId;
use souk_http::Problem;

/// Seconds after which the client may try again if another export is running.
const RETRY_AFTER_S: u32 = 10;

/// People whose exports are running.
#[derive(Clone, Default)]
pub(crate) struct RunningExports {
    people: Arc<Mutex<HashSet<CustomerId>>>,
}

/// Permit to write the export of a person. While it exists, a second export of the same person is refused.
pub(crate) struct ExportPermit {
    person: CustomerId,
    exports: RunningExports,
}

impl RunningExports {
    /// Returns a permit for an export, or a 429 problem if another export of the same person is running.
    pub(crate) fn begin(&self, person: &CustomerId) -> Result<ExportPermit, Problem> {
        if !self.locked().insert(person.clone()) {
            let detail = "another export of your data is running: read it to the end or close it first";
            return Err(Problem::new("export-in-progress", detail).retry_after(RETRY_AFTER_S));
        }
        Ok(ExportPermit { person: person.clone(), exports: self.clone() })
    }

    fn locked(&self) -> MutexGuard<'_, HashSet<CustomerId>> {
        self.people.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for ExportPermit {
    fn drop(&mut self) {
        self.exports.locked().remove(&self.person);
    }
}
