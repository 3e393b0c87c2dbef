//! Associations by the identity of their peers.

use std::{
    collections::{HashMap, hash_map},
    fmt,
    hash::Hash,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use sctp_tokio::Side;
use tokio::sync::Notify;

use crate::{AssociationHandle, IncomingAssociation, Shutdown, handle::Observer};

/// Associations by the identity of their peers: Diameter's peer table (RFC 6733, section 2.6).
///
/// A make-service learns the identity of the peer in its handshake, and [claims](Self::claim) the
/// identity for its association. Two nodes that connect to each other at the same time have two
/// associations for a moment. The election of the protocol decides which one is kept, and is up to
/// the caller.
///
/// An end that knows the identity of the peer it connects to claims that identity before it sends
/// its own. If both ends claimed only after receiving the other's answer, each would refuse the
/// association that the other keeps.
///
/// An entry belongs to an association until the association closes or its peer restarts. It is
/// removed before [`closed`](AssociationHandle::closed) resolves.
///
/// Clones share one table. The number of entries is bounded by the number of associations.
///
/// ```
/// use sctp_service::{IncomingAssociation, PeerTable, Shutdown, Side};
///
/// /// Claims the name of the peer, or loses the election (RFC 6733, section 5.6.4): of two associations
/// /// that came up at once, the one is kept that the end with the lower name has set up.
/// fn elect(
///     table: &PeerTable<String>,
///     (here, peer): (&str, &str),
///     incoming: &IncomingAssociation,
/// ) -> Result<(), Shutdown> {
///     let refused = || Shutdown::abort("election lost");
///     let Err(claimed) = table.claim(peer.to_owned(), incoming) else {
///         return Ok(());
///     };
///     let kept = if here > peer { Side::Peer } else { Side::Local };
///     let is_at_once = claimed.initiated_by != incoming.initiated_by();
///     if claimed.is_open || !is_at_once || incoming.initiated_by() != kept {
///         return Err(refused());
///     }
///     claimed.replace(refused()).map_err(|_| refused())
/// }
/// # let _ = elect;
/// ```
pub struct PeerTable<K>(Arc<Shared<K>>);

struct Shared<K> {
    /// Keys are shared, so that user code such as their `Clone` does not run under the lock.
    entries: Mutex<HashMap<Arc<K>, Entry>>,
    /// An entry was added, removed or opened, or its peer has announced its SHUTDOWN.
    changed: Notify,
}

struct Entry {
    association: AssociationHandle,
    initiated_by: Side,
}

impl<K: Clone + Eq + Hash + Send + Sync + 'static> PeerTable<K> {
    /// Creates an empty table.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(Shared {
            entries: Mutex::default(),
            changed: Notify::new(),
        }))
    }

    /// Claims an identity for an association. [`get`](Self::get) returns the association when it is
    /// open.
    ///
    /// Has no effect if the association has already closed.
    ///
    /// # Errors
    ///
    /// Returns an error if another association has the identity.
    pub fn claim(&self, key: K, incoming: &IncomingAssociation) -> Result<(), Claimed<K>> {
        self.0.claim(Claim {
            table: Arc::clone(&self.0),
            key: Arc::new(key),
            association: incoming.handle().clone(),
            initiated_by: incoming.initiated_by(),
        })
    }

    /// Returns the open association with a peer. An association that drains is no longer open.
    #[must_use]
    pub fn get(&self, key: &K) -> Option<AssociationHandle> {
        let entries = self.0.lock();
        let association = &entries.get(key)?.association;
        association.is_open().then(|| association.clone())
    }

    /// Waits until there is an open association with a peer.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
    pub async fn wait_for(&self, key: &K) -> AssociationHandle {
        self.0.wait(|| self.get(key)).await
    }

    /// Waits until no association has the identity. For use in
    /// [`Connect::wanted`](crate::client::Connect::wanted).
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
    pub async fn vacant(&self, key: &K) {
        let is_vacant = || (!self.0.lock().contains_key(key)).then_some(());
        self.0.wait(is_vacant).await;
    }

    /// Returns all open associations.
    #[must_use]
    pub fn handles(&self) -> Vec<(K, AssociationHandle)> {
        let open: Vec<_> = {
            let entries = self.0.lock();
            let open = entries
                .iter()
                .filter(|(_, entry)| entry.association.is_open());
            open.map(|(key, entry)| (Arc::clone(key), entry.association.clone()))
                .collect()
        };
        open.into_iter()
            .map(|(key, association)| (K::clone(&key), association))
            .collect()
    }
}

impl<K: Clone + Eq + Hash + Send + Sync + 'static> Shared<K> {
    fn claim(&self, claim: Claim<K>) -> Result<(), Claimed<K>> {
        let mut entries = self.lock();
        match entries.get(&claim.key) {
            Some(entry) if !entry.association.same_association(&claim.association) => {
                return Err(Claimed::new(entry, claim));
            }
            Some(_) => return Ok(()),
            None => {}
        }
        self.enter(&mut entries, claim);
        drop(entries);
        self.changed.notify_waiters();
        Ok(())
    }

    /// Enters a claim, possibly replacing another. Returns `false` if its association has already
    /// closed. Lock order: the table, then the association.
    fn enter(&self, entries: &mut HashMap<Arc<K>, Entry>, claim: Claim<K>) -> bool {
        let watch = Arc::new(Watch {
            table: Arc::downgrade(&claim.table),
            key: Arc::clone(&claim.key),
            association: claim.association.id(),
        });
        let is_live = claim
            .association
            .state()
            .is_some_and(|state| state.observe(watch));
        if is_live {
            let entry = Entry {
                association: claim.association,
                initiated_by: claim.initiated_by,
            };
            entries.insert(claim.key, entry);
        }
        is_live
    }

    async fn wait<R>(&self, mut look: impl FnMut() -> Option<R>) -> R {
        loop {
            let mut changed = pin!(self.changed.notified());
            // Before the look, or a change between the two would go unnoticed.
            changed.as_mut().enable();
            if let Some(result) = look() {
                return result;
            }
            changed.await;
        }
    }
}

impl<K> Shared<K> {
    /// A panic cannot leave the table half changed, so poisoning is ignored.
    fn lock(&self) -> MutexGuard<'_, HashMap<Arc<K>, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Removes the entry of an association when it ends.
struct Watch<K> {
    table: Weak<Shared<K>>,
    key: Arc<K>,
    association: u64,
}

impl<K: Eq + Hash + Send + Sync> Observer for Watch<K> {
    fn changed(&self) {
        if let Some(table) = self.table.upgrade() {
            table.changed.notify_waiters();
        }
    }

    fn ended(&self) {
        let Some(table) = self.table.upgrade() else {
            return;
        };
        let mut entries = table.lock();
        let removed = match entries.entry(Arc::clone(&self.key)) {
            hash_map::Entry::Occupied(entry)
                if entry.get().association.id() == self.association =>
            {
                Some(entry.remove_entry())
            }
            _ => None,
        };
        drop(entries);
        drop(removed);
        table.changed.notify_waiters();
    }
}

/// A claim to be entered.
struct Claim<K> {
    table: Arc<Shared<K>>,
    key: Arc<K>,
    association: AssociationHandle,
    initiated_by: Side,
}

/// Error of [`PeerTable::claim`]: another association has the identity.
#[non_exhaustive]
pub struct Claimed<K> {
    /// The association that has the identity.
    pub holder: AssociationHandle,
    /// The association is open: its handshake has completed, and it does not drain.
    pub is_open: bool,
    /// The end that initiated that association.
    pub initiated_by: Side,
    claim: Box<Claim<K>>,
}

impl<K> Claimed<K> {
    fn new(entry: &Entry, claim: Claim<K>) -> Self {
        Self {
            holder: entry.association.clone(),
            is_open: entry.association.is_open(),
            initiated_by: entry.initiated_by,
            claim: Box::new(claim),
        }
    }
}

impl<K: Clone + Eq + Hash + Send + Sync + 'static> Claimed<K> {
    /// Takes the identity over, and closes the association that had it. Has no effect if the
    /// claiming association has closed meanwhile.
    ///
    /// # Errors
    ///
    /// Returns an error if a third association has taken the identity meanwhile.
    pub fn replace(self, end: Shutdown) -> Result<(), Self> {
        let table = Arc::clone(&self.claim.table);
        let mut entries = table.lock();
        if let Some(entry) = entries.get(&self.claim.key)
            && !entry.association.same_association(&self.holder)
        {
            return Err(Self::new(entry, *self.claim));
        }
        let is_entered = table.enter(&mut entries, *self.claim);
        drop(entries);
        if !is_entered {
            return Ok(());
        }
        table.changed.notify_waiters();
        // An error means that it has just ended.
        let _ = self.holder.shutdown(end);
        Ok(())
    }
}

impl<K: Clone + Eq + Hash + Send + Sync + 'static> Default for PeerTable<K> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K> Clone for PeerTable<K> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<K> fmt::Debug for PeerTable<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PeerTable")
            .field("entries", &self.0.lock().len())
            .finish()
    }
}

impl<K> fmt::Debug for Claimed<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claimed")
            .field("holder", &self.holder)
            .field("is_open", &self.is_open)
            .field("initiated_by", &self.initiated_by)
            .finish_non_exhaustive()
    }
}

impl<K> fmt::Display for Claimed<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("identity claimed by another association")
    }
}

impl<K> std::error::Error for Claimed<K> {}
