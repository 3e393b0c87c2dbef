//! Servers behind the proxy, and the choice among them.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use clap::ValueEnum;
use sctp_tokio::{Association, SocketBuilder, options::InitMsg};
use tokio::time::Instant;

use crate::address;

/// Time for which a server that could not be reached is tried last.
const AVOIDED_FOR: Duration = Duration::from_secs(1);

/// Way to choose a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Balance {
    /// The servers in turn
    RoundRobin,
    /// The server with the fewest associations of this proxy
    LeastLoad,
}

#[derive(Debug)]
pub(super) struct Backends {
    list: Vec<Arc<Backend>>,
    balance: Balance,
    turn: AtomicUsize,
    sockets: SocketBuilder,
}

#[derive(Debug)]
struct Backend {
    /// HOST:PORT, and further addresses of the same server.
    addrs: Vec<String>,
    associations: AtomicUsize,
    failed_at: Mutex<Option<Instant>>,
}

/// Numbers of streams of an association with a client.
#[derive(Clone, Copy, Debug)]
pub(super) struct Streams {
    pub(super) inbound: u16,
    pub(super) outbound: u16,
}

/// Permit of an association at its server, until it is dropped.
#[derive(Debug)]
pub(super) struct Permit(Arc<Backend>);

impl Permit {
    fn take(backend: &Arc<Backend>) -> Self {
        backend.associations.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(backend))
    }

    /// The server as the command line names it.
    pub(super) fn name(&self) -> String {
        self.0.addrs.join(",")
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.associations.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Backends {
    pub(super) fn new(to: &[String], balance: Balance, sockets: SocketBuilder) -> Self {
        let backend = |name: &String| {
            Arc::new(Backend {
                addrs: name.split(',').map(str::to_owned).collect(),
                associations: AtomicUsize::new(0),
                failed_at: Mutex::new(None),
            })
        };
        Self {
            list: to.iter().map(backend).collect(),
            balance,
            turn: AtomicUsize::new(0),
            sockets,
        }
    }

    /// Sets an association up with the first server that takes it. Each is tried once.
    ///
    /// It has as many outbound streams as the client has, if the server allows them, and never
    /// more inbound streams than there are to the client.
    pub(super) async fn connect(&self, client: Streams) -> Result<(Association, Permit), String> {
        let init = InitMsg::new()
            .with_outbound_streams(client.inbound)
            .with_max_inbound_streams(client.outbound);
        let sockets = self.sockets.clone().with_init(init);
        let mut last = "no server".to_owned();
        for backend in self.order() {
            // Others that choose meanwhile see it.
            let permit = Permit::take(&backend);
            // Names are looked up each time: servers come and go.
            match address::connect(&sockets, &backend.addrs).await {
                Ok(association) => {
                    backend.note_failure(None);
                    return Ok((association, permit));
                }
                Err(error) => {
                    backend.note_failure(Some(Instant::now()));
                    last = error.to_string();
                }
            }
        }
        Err(last)
    }

    /// The servers in the order in which they are to be tried.
    fn order(&self) -> Vec<Arc<Backend>> {
        let mut list = self.list.clone();
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let count = list.len().max(1);
        list.rotate_left(turn % count);
        // Both sorts keep the order of equals.
        if self.balance == Balance::LeastLoad {
            list.sort_by_key(|backend| backend.associations.load(Ordering::Relaxed));
        }
        let now = Instant::now();
        list.sort_by_key(|backend| backend.is_avoided(now));
        list
    }
}

impl Backend {
    fn note_failure(&self, at: Option<Instant>) {
        *self
            .failed_at
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = at;
    }

    fn is_avoided(&self, now: Instant) -> bool {
        let failed_at = self
            .failed_at
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        failed_at.is_some_and(|at| now.duration_since(at) < AVOIDED_FOR)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(backends: &Backends) -> String {
        let order = backends.order();
        order
            .iter()
            .map(|backend| backend.addrs.join(","))
            .collect()
    }

    #[tokio::test]
    async fn servers_take_turns_and_failed_ones_come_last() {
        let to = ["a", "b", "c"].map(str::to_owned);
        let backends = Backends::new(&to, Balance::RoundRobin, SocketBuilder::new());
        assert_eq!([names(&backends), names(&backends)], ["abc", "bca"]);
        backends.list[2].note_failure(Some(Instant::now()));
        assert_eq!(names(&backends), "abc");
        backends.list[0].note_failure(Some(Instant::now()));
        assert_eq!(names(&backends), "bac");
    }

    #[tokio::test]
    async fn least_loaded_server_comes_first() {
        let to = ["a", "b", "c"].map(str::to_owned);
        let backends = Backends::new(&to, Balance::LeastLoad, SocketBuilder::new());
        let permits = [0, 0, 1].map(|index| Permit::take(&backends.list[index]));
        assert_eq!(names(&backends), "cba");
        drop(permits);
        // All are equal: in turn.
        assert_eq!(names(&backends), "bca");
    }
}
