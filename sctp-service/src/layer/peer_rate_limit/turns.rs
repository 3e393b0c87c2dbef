//! Order in which waiting requests of one association take their tokens.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::{Semaphore, SemaphorePermit};

/// The associations that have requests which wait for a token, by the
/// [identifier](crate::AssociationHandle::id) of their handles.
///
/// Shared by all services of a layer: a service that is cloned for each request, as behind
/// [`from_fn`](crate::layer::from_fn()) or in a router, cannot keep what concerns the association.
/// There are no more entries than requests that wait.
#[derive(Clone, Default)]
pub(super) struct Turns(Arc<Mutex<HashMap<u64, Arc<Semaphore>>>>);

/// The place of one request among those of its association; dropped when the request has its token.
pub(super) struct Turn {
    association: u64,
    semaphore: Arc<Semaphore>,
    turns: Turns,
}

impl Turns {
    /// Returns `true` if a request of this association waits.
    pub(super) fn is_waiting(&self, association: u64) -> bool {
        self.lock().contains_key(&association)
    }

    pub(super) fn enter(&self, association: u64) -> Turn {
        let mut turns = self.lock();
        let semaphore = turns
            .entry(association)
            .or_insert_with(|| Arc::new(Semaphore::new(1)));
        Turn {
            association,
            semaphore: Arc::clone(semaphore),
            turns: self.clone(),
        }
    }

    /// A panic cannot leave the map inconsistent, so poisoning is ignored.
    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Arc<Semaphore>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turn {
    /// Waits until the requests before this one have their tokens, or were dropped.
    pub(super) async fn come(&self) -> Option<SemaphorePermit<'_>> {
        self.semaphore.acquire().await.ok()
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        const MAP_AND_THIS: usize = 2;
        let mut turns = self.turns.lock();
        if Arc::strong_count(&self.semaphore) == MAP_AND_THIS {
            turns.remove(&self.association);
        }
    }
}

impl fmt::Debug for Turns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Turns").finish_non_exhaustive()
    }
}
