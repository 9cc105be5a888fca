//! Cheap password hashes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use souk_sign_in::password::{Comparison, Cost, Hashing, TooManyWaiting};
use souk_sign_in::{Password, Passwords};

/// Hashes passwords in the current thread, and counts the comparisons.
pub(crate) struct CountedHashing {
    hashing: Hashing,
    comparisons: Arc<AtomicU64>,
}

impl CountedHashing {
    /// Creates a hashing that adds each comparison to a counter.
    pub(crate) fn new(comparisons: Arc<AtomicU64>) -> Self {
        Self { hashing: Hashing::new(Cost { memory_kib: 64, passes: 1 }).unwrap(), comparisons }
    }
}

#[async_trait]
impl Passwords for CountedHashing {
    async fn hash(&self, password: Password) -> Result<String, TooManyWaiting> {
        Ok(self.hashing.hash(&password).unwrap())
    }

    async fn compare(&self, password: Password, hash: Option<String>) -> Result<Comparison, TooManyWaiting> {
        self.comparisons.fetch_add(1, Ordering::Relaxed);
        Ok(self.hashing.compare(&password, hash.as_deref()))
    }
}
