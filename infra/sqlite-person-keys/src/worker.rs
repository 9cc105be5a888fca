//! A thread with a connection that takes requests until nobody can ask any more.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread::JoinHandle;

use souk_eventsourcing::KeysUnavailable;
use tokio::sync::mpsc;

/// Requests that may wait; more wait for a place.
const QUEUE_MAX: usize = 1_024;
/// Requests that are worked on at once.
const AT_ONCE_MAX: usize = 256;

/// The way to a thread; dropping it ends the thread, after what waits.
pub(crate) struct Worker<R> {
    queue: Option<mpsc::Sender<R>>,
    thread: Option<JoinHandle<()>>,
}

impl<R: Send + 'static> Worker<R> {
    /// Starts a thread that hands over whatever waits, together.
    pub(crate) fn start<S: Send + 'static>(
        name: &str,
        mut state: S,
        work: impl Fn(&mut S, Vec<R>) + Send + 'static,
    ) -> std::io::Result<Self> {
        let (queue, mut waiting) = mpsc::channel::<R>(QUEUE_MAX);
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(move || {
            while let Some(first) = waiting.blocking_recv() {
                let mut requests = vec![first];
                while requests.len() < AT_ONCE_MAX
                    && let Ok(next) = waiting.try_recv()
                {
                    requests.push(next);
                }
                // Requests that a panic leaves without an answer are told that the keys are unavailable.
                if catch_unwind(AssertUnwindSafe(|| work(&mut state, requests))).is_err() {
                    tracing::error!("requests for keys of people were not answered: a panic");
                }
            }
        })?;
        Ok(Self { queue: Some(queue), thread: Some(thread) })
    }

    pub(crate) async fn send(&self, request: R) -> Result<(), KeysUnavailable> {
        let queue = self.queue.as_ref().ok_or_else(stopped)?;
        queue.send(request).await.map_err(|_| stopped())
    }
}

impl<R> Drop for Worker<R> {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has said so; there is nothing to add while dropping.
            let _ = thread.join();
        }
    }
}

pub(crate) fn stopped() -> KeysUnavailable {
    KeysUnavailable("their thread has stopped".to_owned())
}

pub(crate) fn failed(error: &rusqlite::Error) -> KeysUnavailable {
    KeysUnavailable(error.to_string())
}
