//! Accept and dial tasks of a server.

use std::{convert::Infallible, future::Future};

use tokio::{select, sync::mpsc};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{executor::Spawner, panics::caught};

/// Loops of a server, which end when this value is dropped.
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
        let running = self.running.clone();
        let dropped = self.dropped.clone();
        self.spawner.spawn(async move {
            let run = caught(run, |error| {
                tracing::error!(%error, "accept or dial task ended early");
            });
            select! {
                biased;
                () = dropped.cancelled_owned() => {}
                () = run => {}
            }
            drop(running);
        });
    }

    /// Waits for the end of all loops. None is spawned later.
    pub(super) async fn ended(&mut self) {
        self.running = None;
        // Nothing is ever sent.
        let _ = self.ended.recv().await;
    }
}
