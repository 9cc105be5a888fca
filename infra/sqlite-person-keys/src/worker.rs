//! A thread that owns a database connection and works on requests until every sender is dropped.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread::JoinHandle;

use souk_eventsourcing::KeysUnavailable;
use tokio::sync::mpsc;

/// Capacity of the queue. Further senders wait for a free place.
const QUEUE_MAX: usize = 1_024;
/// Limit of requests that the thread takes from the queue at once.
const AT_ONCE_MAX: usize = 256;

/// A handle to the thread. When it is dropped, the thread works on the queued requests and then ends.
pub(crate) struct Worker<R> {
    queue: Option<mpsc::Sender<R>>,
    thread: Option<JoinHandle<()>>,
}

impl<R: Send + 'static> Worker<R> {
    /// Starts a thread that calls `work` with all requests that wait in the queue.
    pub(crate) fn start<S: Send + 'static>(
        name: &str,
        mut state: S,
        work: impl Fn(&mut S, Vec<R>) + Send + 'static,
    ) -> std::io::Result<Self> {
        let (queue, mut requests_waiting) = mpsc::channel::<R>(QUEUE_MAX);
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(move || {
            while let Some(first) = requests_waiting.blocking_recv() {
                let mut requests = vec![first];
                while requests.len() < AT_ONCE_MAX
                    && let Ok(next) = requests_waiting.try_recv()
                {
                    requests.push(next);
                }
                // A panic drops the reply senders: their callers get `KeysUnavailable`.
                if catch_unwind(AssertUnwindSafe(|| work(&mut state, requests))).is_err() {
                    tracing::error!("requests for person keys failed: the thread panicked");
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
            // A panic of the thread is already logged.
            let _ = thread.join();
        }
    }
}

pub(crate) fn stopped() -> KeysUnavailable {
    KeysUnavailable("the thread of the person keys has stopped".to_owned())
}

pub(crate) fn failed(error: &rusqlite::Error) -> KeysUnavailable {
    KeysUnavailable(error.to_string())
}
