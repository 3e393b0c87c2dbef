//! The servers of a pool.

use std::{
    collections::{HashMap, HashSet, VecDeque},
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

use super::{PoolEvent, clients::ClientSet, event::PoolHook};
use crate::{
    client::{Client, ClientBuilder},
    executor::Spawner,
};

/// Server of a pool: its address, or all addresses of a multi-homed server, the primary one first.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Target(Vec<SocketAddr>);

impl Target {
    /// Returns the addresses of the server.
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

/// Creates one server with all these addresses.
impl From<Vec<SocketAddr>> for Target {
    fn from(addrs: Vec<SocketAddr>) -> Self {
        Self(addrs)
    }
}

/// Makes the client of a server, of a builder that is set up for it.
pub(super) type Make = Box<dyn FnMut(&Target, ClientBuilder) -> Client + Send>;

/// A listed server. A server that is removed and listed again is a new member.
#[derive(Clone)]
pub(super) struct Member {
    number: u64,
    pub(super) server: Target,
    pub(super) client: Client,
}

/// Keeps a client for each listed server, even without calls, since servers can send requests.
pub(super) struct Membership {
    servers: watch::Receiver<Vec<Target>>,
    members: watch::Sender<Vec<Member>>,
    last_number: u64,
    client: ClientBuilder,
    make: Make,
    hook: PoolHook,
    clients: ClientSet,
    spawner: Spawner,
}

impl Membership {
    /// Creates the membership with the servers that are listed now.
    pub(super) fn new(
        servers: watch::Receiver<Vec<Target>>,
        client: ClientBuilder,
        make: Make,
        hook: PoolHook,
        clients: ClientSet,
        spawner: Spawner,
    ) -> Self {
        let mut membership = Self {
            servers,
            members: watch::channel(Vec::new()).0,
            last_number: 0,
            client,
            make,
            hook,
            clients,
            spawner,
        };
        membership.update();
        membership
    }

    /// Returns the members as a stream of changes for the balancer.
    pub(super) fn balanced(&self) -> Members {
        let mut watched = self.members.subscribe();
        let mut members = Members::default();
        members.update(&watched.borrow_and_update());
        members.changed = Some(Box::pin(change(watched)));
        members
    }

    /// Returns the members that there are now, and later.
    pub(super) fn watched(&self) -> Watched {
        self.members.subscribe()
    }

    /// Follows the list until the pool ends.
    pub(super) async fn run(mut self) {
        let mut listing = true;
        while !self.clients.is_stopped() {
            tokio::select! {
                biased;
                () = self.clients.stopped() => {}
                () = self.members.closed() => break,
                changed = self.servers.changed(), if listing => match changed {
                    Ok(()) => self.update(),
                    // The last list is kept.
                    Err(_) => listing = false,
                },
            }
        }
        self.remove(&HashSet::new());
    }

    fn update(&mut self) {
        let listed: HashSet<Target> = self.servers.borrow_and_update().iter().cloned().collect();
        self.remove(&listed);
        let known: HashSet<Target> = self
            .members
            .borrow()
            .iter()
            .map(|member| member.server.clone())
            .collect();
        let added: Vec<Member> = listed
            .difference(&known)
            .map(|server| self.add(server))
            .collect();
        if !added.is_empty() {
            self.members.send_modify(|members| members.extend(added));
        }
    }

    fn add(&mut self, server: &Target) -> Member {
        tracing::info!(server = ?server.addrs(), "server added");
        self.hook.emit(&PoolEvent::Added { server });
        let hook = self.hook.of_client(server);
        let builder = self.client.clone();
        let builder = builder.of_pool(hook, self.spawner.clone());
        let client = (self.make)(server, builder);
        self.clients.enter(server, &client);
        self.last_number += 1;
        Member {
            number: self.last_number,
            server: server.clone(),
            client,
        }
    }

    /// Removes members that are not listed: first from the balancer, so that it chooses none that
    /// is being shut down.
    fn remove(&self, listed: &HashSet<Target>) {
        let mut gone = Vec::new();
        self.members.send_if_modified(|members| {
            gone.extend(members.extract_if(.., |member| !listed.contains(&member.server)));
            !gone.is_empty()
        });
        for member in gone {
            let server = &member.server;
            tracing::info!(server = ?server.addrs(), "server removed");
            self.hook.emit(&PoolEvent::Removed { server });
            // The balancer may have a handle until there is a call.
            member.client.ending().begin();
        }
    }
}

pub(super) type Watched = watch::Receiver<Vec<Member>>;
type Changed = Pin<Box<dyn Future<Output = Option<Watched>> + Send>>;

/// Stream of changes of the members, for the balancer.
#[derive(Default)]
pub(super) struct Members {
    /// `None` once the membership has ended.
    changed: Option<Changed>,
    known: HashMap<Target, u64>,
    changes: VecDeque<Change<Target, Client>>,
}

impl Members {
    fn update(&mut self, members: &[Member]) {
        let listed: HashSet<u64> = members.iter().map(|member| member.number).collect();
        let gone = self
            .known
            .extract_if(|_, number| !listed.contains(number))
            .map(|(server, _)| Change::Remove(server));
        self.changes.extend(gone);
        for member in members {
            let server = &member.server;
            if self.known.insert(server.clone(), member.number).is_none() {
                let insert = Change::Insert(server.clone(), member.client.clone());
                self.changes.push_back(insert);
            }
        }
    }
}

async fn change(mut members: Watched) -> Option<Watched> {
    members.changed().await.is_ok().then_some(members)
}

impl Stream for Members {
    type Item = Result<Change<Target, Client>, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        loop {
            if let Some(change) = this.changes.pop_front() {
                return Poll::Ready(Some(Ok(change)));
            }
            let Some(changed) = &mut this.changed else {
                return Poll::Pending;
            };
            match changed.as_mut().poll(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(None) => this.changed = None,
                Poll::Ready(Some(mut watched)) => {
                    let members = watched.borrow_and_update().clone();
                    this.update(&members);
                    this.changed = Some(Box::pin(change(watched)));
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
