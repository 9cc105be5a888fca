//! Ctrl-C and SIGTERM: folding ends behind the page that is under way, anything else ends at once.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// Those who can be stopped in good order.
static WAITING: AtomicUsize = AtomicUsize::new(0);
static ASKED: OnceLock<watch::Receiver<bool>> = OnceLock::new();
/// The exit status of a command that a signal ended.
const INTERRUPTED: i32 = 130;

/// Somebody who can be stopped in good order, as long as this lives.
pub(super) struct Stop(watch::Receiver<bool>);

/// Listens from now on.
pub(super) fn asked() -> Stop {
    let asked = ASKED.get_or_init(|| {
        let (sender, receiver) = watch::channel(false);
        tokio::spawn(listen(sender));
        receiver
    });
    WAITING.fetch_add(1, Ordering::SeqCst);
    Stop(asked.clone())
}

async fn listen(asked: watch::Sender<bool>) {
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
        if WAITING.load(Ordering::SeqCst) == 0 || *asked.borrow() {
            std::process::exit(INTERRUPTED);
        }
        asked.send_replace(true);
    }
}

impl Stop {
    /// Returns once somebody asked.
    pub(super) async fn wait(&mut self) {
        if self.0.wait_for(|asked| *asked).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl Drop for Stop {
    fn drop(&mut self) {
        WAITING.fetch_sub(1, Ordering::SeqCst);
    }
}
