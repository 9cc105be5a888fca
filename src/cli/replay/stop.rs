//! Ctrl-C and SIGTERM. A command that applies events stops after the current page. Any other command ends at
//! once.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// Number of [`Stop`] values, that is, of tasks that a signal stops gracefully.
static WAITING: AtomicUsize = AtomicUsize::new(0);
static SIGNALLED: OnceLock<watch::Receiver<bool>> = OnceLock::new();
/// Exit status of a command that a signal ended.
const INTERRUPTED: i32 = 130;

/// Receiver of the first signal. While it exists, the first signal does not end the program.
pub(super) struct Stop(watch::Receiver<bool>);

/// Starts to listen for signals.
pub(super) fn on_signal() -> Stop {
    let signalled = SIGNALLED.get_or_init(|| {
        let (sender, receiver) = watch::channel(false);
        tokio::spawn(listen(sender));
        receiver
    });
    WAITING.fetch_add(1, Ordering::SeqCst);
    Stop(signalled.clone())
}

async fn listen(signalled: watch::Sender<bool>) {
    let (Ok(mut interrupt), Ok(mut terminate)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return;
    };
    loop {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        if WAITING.load(Ordering::SeqCst) == 0 || *signalled.borrow() {
            std::process::exit(INTERRUPTED);
        }
        signalled.send_replace(true);
    }
}

impl Stop {
    /// Returns after the first signal.
    pub(super) async fn wait(&mut self) {
        if self.0.wait_for(|signalled| *signalled).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl Drop for Stop {
    fn drop(&mut self) {
        WAITING.fetch_sub(1, Ordering::SeqCst);
    }
}
