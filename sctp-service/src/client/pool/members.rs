//! The servers of a pool.

use std::{
    collections::{HashSet, VecDeque},
    convert::Infallible,
    fmt,
    future::Future,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
};

use futures_core::Stream;
use tokio::sync::watch;
use tower::discover::Change;

use super::roll::Roll;
use crate::client::Client;

/// A server of a pool: its address, or all those of a multi-homed one, the primary one first.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Target(Vec<SocketAddr>);

impl Target {
    /// Returns its addresses.
    #[must_use]
    pub fn addrs(&self) -> &[SocketAddr] {
        &self.0
    }
}

impl From<SocketAddr> for Target {
    fn from(addr: SocketAddr) -> Self {
        Self(vec![addr])
    }
}

/// One server that has all these addresses.
impl From<Vec<SocketAddr>> for Target {
    fn from(addrs: Vec<SocketAddr>) -> Self {
        Self(addrs)
    }
}

type Servers = watch::Receiver<Vec<Target>>;
type Changed = Pin<Box<dyn Future<Output = Option<Servers>> + Send>>;

/// Turns the lists of a channel into changes.
pub(super) struct Members {
    /// `None` once the sender has gone.
    changed: Option<Changed>,
    known: HashSet<Target>,
    changes: VecDeque<Change<Target, Target>>,
    make: Box<dyn FnMut(&Target) -> Client + Send>,
    roll: Roll,
}

impl Members {
    pub(super) fn new(
        mut servers: Servers,
        make: Box<dyn FnMut(&Target) -> Client + Send>,
        roll: Roll,
    ) -> Self {
        let mut members = Self {
            changed: None,
            known: HashSet::new(),
            changes: VecDeque::new(),
            make,
            roll,
        };
        members.update(&servers.borrow_and_update());
        members.changed = Some(Box::pin(change(servers)));
        members
    }

    fn update(&mut self, servers: &[Target]) {
        let listed: HashSet<Target> = servers.iter().cloned().collect();
        for gone in self.known.difference(&listed) {
            tracing::info!(server = ?gone.addrs(), "server removed");
            self.changes.push_back(Change::Remove(gone.clone()));
        }
        for new in listed.difference(&self.known) {
            tracing::info!(server = ?new.addrs(), "server added");
            self.changes
                .push_back(Change::Insert(new.clone(), new.clone()));
        }
        self.known = listed;
    }
}

async fn change(mut servers: Servers) -> Option<Servers> {
    servers.changed().await.is_ok().then_some(servers)
}

impl Stream for Members {
    type Item = Result<Change<Target, Client>, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        loop {
            match this.changes.pop_front() {
                Some(Change::Insert(target, _)) => {
                    let client = this.roll.enter(&target, || (this.make)(&target));
                    return Poll::Ready(Some(Ok(Change::Insert(target, client))));
                }
                Some(Change::Remove(target)) => {
                    return Poll::Ready(Some(Ok(Change::Remove(target))));
                }
                None => {}
            }
            let Some(changed) = &mut this.changed else {
                return Poll::Pending;
            };
            match changed.as_mut().poll(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(None) => this.changed = None,
                Poll::Ready(Some(mut servers)) => {
                    let list = servers.borrow_and_update().clone();
                    this.update(&list);
                    this.changed = Some(Box::pin(change(servers)));
                }
            }
        }
    }
}

impl fmt::Debug for Members {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Members").field(&self.known).finish()
    }
}
