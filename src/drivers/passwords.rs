//! Passwords are hashed on a thread of their own: a storm of sign-ins waits for it, and for nothing that
//! serves the shop.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

use async_trait::async_trait;
use souk_priority::lower_thread;
use souk_sign_in::password::{Compared, Hashing, HashingFailed, TooManyWait};
use souk_sign_in::{Password, Passwords};
use tokio::sync::oneshot;

/// Passwords that may wait; those beyond are asked to come back.
const WAITING_MAX: usize = 200;

enum Work {
    Hash(Password, oneshot::Sender<Result<String, HashingFailed>>),
    Compare(Password, Option<String>, oneshot::Sender<Compared>),
    #[cfg(test)]
    Panic,
}

/// The way to the thread, which ends when nobody can ask any more.
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
                tracing::debug!(%error, "passwords are hashed at the shop's own priority");
            }
            work(&hashing, &waiting);
        })?;
        Ok(Self { queue })
    }

    fn send(&self, work: Work) -> Result<(), TooManyWait> {
        self.queue.try_send(work).map_err(|error| match error {
            TrySendError::Full(_) | TrySendError::Disconnected(_) => TooManyWait,
        })
    }
}

/// A panic on one password loses its answer, which its sender takes for too much work, and no other.
fn work(hashing: &Hashing, waiting: &Receiver<Work>) {
    while let Ok(work) = waiting.recv() {
        if catch_unwind(AssertUnwindSafe(|| work_on(hashing, work))).is_err() {
            tracing::error!("a password could not be hashed or compared: a panic");
        }
    }
}

fn work_on(hashing: &Hashing, work: Work) {
    // The sender may have gone away: then there is nothing to compute.
    match work {
        Work::Hash(password, answer) if !answer.is_closed() => {
            let _ = answer.send(hashing.hash(&password));
        }
        Work::Compare(password, hash, answer) if !answer.is_closed() => {
            let _ = answer.send(hashing.compare(&password, hash.as_deref()));
        }
        Work::Hash(..) | Work::Compare(..) => {}
        #[cfg(test)]
        Work::Panic => panic!("a bug"),
    }
}

#[async_trait]
impl Passwords for HashingThread {
    async fn hash(&self, password: Password) -> Result<String, TooManyWait> {
        let (answer, answered) = oneshot::channel();
        self.send(Work::Hash(password, answer))?;
        let hashed = answered.await.map_err(|_| TooManyWait)?;
        hashed.map_err(|error| {
            tracing::error!(%error, "a password was not hashed");
            TooManyWait
        })
    }

    async fn compare(&self, password: Password, hash: Option<String>) -> Result<Compared, TooManyWait> {
        let (answer, answered) = oneshot::channel();
        self.send(Work::Compare(password, hash, answer))?;
        answered.await.map_err(|_| TooManyWait)
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
    async fn a_storm_waits_up_to_a_limit() {
        let hashing = Hashing::new(Cost { memory_kib: 4 * 1024, passes: 8 }).unwrap();
        let thread = HashingThread::start(hashing).unwrap();
        let (answer, _kept) = oneshot::channel();
        let one = || Password::typed("x".to_owned());
        thread.send(Work::Hash(one(), answer)).unwrap();
        let mut kept = Vec::new();
        let refused = (0..=WAITING_MAX + 1).find(|_| {
            let (answer, answered) = oneshot::channel();
            kept.push(answered);
            thread.send(Work::Hash(one(), answer)).is_err()
        });
        assert!(refused.is_some());
    }
}
