//! The clients that a pool has made, and their end.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use sctp_tokio::End;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use super::Target;
use crate::client::{Cause, Client, handle::Ending};

/// The clients of a pool that have not ended: those of the servers that are listed, and those
/// that finish their last calls. It does not keep them: the balancer has the handles.
#[derive(Clone, Default)]
pub(super) struct Roll {
    clients: Arc<Mutex<Vec<Entry>>>,
    stopped: CancellationToken,
}

type Entry = (Target, Ending);

impl Roll {
    /// Enters a client. If the pool was shut down while it was made, so is the client.
    pub(super) fn enter(&self, target: &Target, client: &Client) {
        let ending = client.ending();
        let mut clients = self.lock();
        if self.stopped.is_cancelled() {
            ending.begin();
        } else {
            clients.retain(|(_, ending)| !ending.is_over());
        }
        clients.push((target.clone(), ending));
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stopped.is_cancelled()
    }

    /// Resolves when the pool is shut down.
    pub(super) fn stopped(&self) -> WaitForCancellationFutureOwned {
        self.stopped.clone().cancelled_owned()
    }

    /// Why one of the servers has no association, if it is known.
    pub(super) fn trouble(&self) -> Option<Cause> {
        self.lock().iter().find_map(|(_, ending)| ending.trouble())
    }

    /// Ends every client, and says how the last association of each ended.
    pub(super) async fn shut_down(&self) -> Vec<(Target, Option<End>)> {
        let mut clients = self.stop();
        let mut ends = Vec::with_capacity(clients.len());
        for (target, ending) in &mut clients {
            ends.push((target.clone(), ending.ended().await));
        }
        ends
    }

    fn stop(&self) -> Vec<Entry> {
        let mut clients = self.lock();
        if !self.stopped.is_cancelled() {
            clients.retain(|(_, ending)| !ending.is_over());
            self.stopped.cancel();
        }
        for (_, ending) in clients.iter() {
            ending.begin();
        }
        clients.clone()
    }

    /// The list is whole between two calls, whatever panicked: it is changed in one step.
    fn lock(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Shows each server, and what its client is doing.
impl fmt::Debug for Roll {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let clients = self.lock();
        let clients = clients.iter();
        f.debug_map()
            .entries(clients.map(|(target, ending)| (target.addrs(), ending)))
            .finish()
    }
}
