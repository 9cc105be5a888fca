//! Thread that hashes passwords. During a storm of sign-ins only the sign-ins wait for it, not other
//! requests.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

use async_trait::async_trait;
use souk_priority::lower_thread;
use souk_sign_in::password::{Comparison, Hashing, HashingFailed, TooManyWaiting};
use souk_sign_in::{Password, Passwords};
use tokio::sync::oneshot;

/// Maximum number of passwords in the queue. Further requests are refused and may retry.
const WAITING_MAX: usize = 200;

enum Work {
    Hash(Password, oneshot::Sender<Result<String, HashingFailed>>),
    Compare(Password, Option<String>, oneshot::Sender<Comparison>),
    #[cfg(test)]
    Panic,
}

/// Handle of the hashing thread. The thread ends when the handle is dropped.
pub struct HashingThread {
    queue: SyncSender<Work>,
}

impl HashingThread {
    /// Starts the thread.
    pub fn start(hashing: Hashing) -> std::io::Result<Self> {
        let (queue, waiting) = sync_channel(WAITING_MAX);
        let thread = std::thread::Builder::new().name("passwords".to_owned());
        thread.spawn(move || {
            if let Err(error) = lower_thread() {
                tracing::debug!(%error, "the priority of the password thread can't be lowered");
            }
            work(&hashing, &waiting);
        })?;
        Ok(Self { queue })
    }

    fn send(&self, work: Work) -> Result<(), TooManyWaiting> {
        self.queue.try_send(work).map_err(|error| match error {
            TrySendError::Full(_) | TrySendError::Disconnected(_) => TooManyWaiting,
        })
    }
}

/// Handles the queue. A panic loses only the result of one password; its caller gets `TooManyWaiting`.
fn work(hashing: &Hashing, waiting: &Receiver<Work>) {
    while let Ok(work) = waiting.recv() {
        if catch_unwind(AssertUnwindSafe(|| work_on(hashing, work))).is_err() {
            tracing::error!("panic while hashing or comparing a password: this is a bug");
        }
    }
}

fn work_on(hashing: &Hashing, work: Work) {
    // If the caller has gone away, the result is not needed.
    match work {
        Work::Hash(password, sender) if !sender.is_closed() => {
            let _ = sender.send(hashing.hash(&password));
        }
        Work::Compare(password, hash, sender) if !sender.is_closed() => {
            let _ = sender.send(hashing.compare(&password, hash.as_deref()));
        }
        Work::Hash(..) | Work::Compare(..) => {}
        #[cfg(test)]
        Work::Panic => panic!("a bug"),
    }
}

#[async_trait]
impl Passwords for HashingThread {
    async fn hash(&self, password: Password) -> Result<String, TooManyWaiting> {
        let (sender, receiver) = oneshot::channel();
        self.send(Work::Hash(password, sender))?;
        let hashed = receiver.await.map_err(|_| TooManyWaiting)?;
        hashed.map_err(|error| {
            tracing::error!(%error, "a password was not hashed");
            TooManyWaiting
        })
    }

    async fn compare(&self, password: Password, hash: Option<String>) -> Result<Comparison, TooManyWaiting> {
        let (sender, receiver) = oneshot::channel();
        self.send(Work::Compare(password, hash, sender))?;
        receiver.await.map_err(|_| TooManyWaiting)
    }
}

#[cfg(test)]
mod tests {
    use souk_sign_in::password::Cost;

    use super::*;

    #[tokio::test]
    async fn passwords_are_hashed_and_compared_on_a_thread_that_survives_a_panic() {
        let hashing = Hashing::new(Cost { memory_kib: 64, passes: 1 }).unwrap();
        let thread = HashingThread::start(hashing).unwrap();
        let password = || Password::typed("correct horse battery".to_owned());
        let hash = thread.hash(password()).await.unwrap();
        thread.send(Work::Panic).unwrap();
        assert!(thread.compare(password(), Some(hash)).await.unwrap().is_right);
        assert!(!thread.compare(password(), None).await.unwrap().is_right);
    }

    #[tokio::test]
    async fn the_password_queue_has_a_limit() {
        let hashing = Hashing::new(Cost { memory_kib: 4 * 1024, passes: 8 }).unwrap();
        let thread = HashingThread::start(hashing).unwrap();
        let (sender, _receiver) = oneshot::channel();
        let one = || Password::typed("x".to_owned());
        thread.send(Work::Hash(one(), sender)).unwrap();
        let mut receivers = Vec::new();
        let refused = (0..=WAITING_MAX + 1).find(|_| {
            let (sender, receiver) = oneshot::channel();
            receivers.push(receiver);
            thread.send(Work::Hash(one(), sender)).is_err()
        });
        assert!(refused.is_some());
    }
}
