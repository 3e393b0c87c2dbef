//! Tasks that accept and dial for a server.

use std::{convert::Infallible, future::Future};

use tokio::{select, sync::mpsc};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::Spawner;

/// The loops of a server, which end when this is dropped.
pub(super) struct Loops {
    spawner: Spawner,
    dropped: CancellationToken,
    _guard: DropGuard,
    /// Each loop has a clone. The channel is closed when the last has ended.
    running: Option<mpsc::Sender<Infallible>>,
    ended: mpsc::Receiver<Infallible>,
}

impl Loops {
    pub(super) fn new(spawner: Spawner) -> Self {
        let dropped = CancellationToken::new();
        let (running, ended) = mpsc::channel(1);
        Self {
            spawner,
            _guard: dropped.clone().drop_guard(),
            dropped,
            running: Some(running),
            ended,
        }
    }

    pub(super) fn spawn(&self, run: impl Future<Output = ()> + Send + 'static) {
        let running = Running(self.running.clone());
        let dropped = self.dropped.clone();
        self.spawner.spawn(async move {
            let _running = running;
            select! {
                biased;
                () = dropped.cancelled_owned() => {}
                () = run => {}
            }
        });
    }

    /// Waits for the end of all loops. None is spawned later.
    pub(super) async fn ended(&mut self) {
        self.running = None;
        // Nothing is ever sent.
        let _ = self.ended.recv().await;
    }
}

/// A loop that has not ended.
struct Running(
    #[expect(dead_code, reason = "closes the channel")] Option<mpsc::Sender<Infallible>>,
);

impl Drop for Running {
    fn drop(&mut self) {
        if std::thread::panicking() {
            tracing::error!("an accept loop panicked");
        }
    }
}
