//! Peers that this node connects to.

use std::{
    future::pending,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use sctp_service::{
    ConnectInfo, PeerTable,
    client::{Connect, Remote},
};
use sctp_tokio::{Association, ConnectError, SocketBuilder};
use tokio::{sync::watch, time::sleep};

use crate::messages::Cause;

/// Pause before an attempt to connect to a peer that was busy: Tc (RFC 6733, 12).
pub(crate) const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Sets up associations with one peer.
pub(crate) struct Dial {
    pub(crate) known: Arc<Known>,
    pub(crate) peers: PeerTable<String>,
    remote: Remote,
}

impl Dial {
    pub(crate) fn new(
        addrs: Vec<SocketAddr>,
        socket: SocketBuilder,
        peers: PeerTable<String>,
    ) -> Self {
        Self {
            known: Arc::new(Known {
                ips: addrs.iter().map(SocketAddr::ip).collect(),
                is_trying: watch::Sender::new(false),
                last: Mutex::default(),
            }),
            peers,
            remote: Remote::multi_homed(addrs).with_socket(socket),
        }
    }
}

impl Connect for Dial {
    type Transport = Association;

    async fn connect(&mut self) -> Result<Association, ConnectError> {
        self.known.is_trying.send_replace(true);
        let connected = self.remote.connect().await;
        if connected.is_err() {
            self.known.tried();
        }
        connected
    }

    /// Waits as the peer has asked to, and while it has connected itself.
    async fn wanted(&mut self) {
        self.known.tried();
        let (identity, cause) = {
            let last = self.known.last();
            let cause = last.disconnected.as_ref().and_then(|cause| cause.get());
            (last.identity.clone(), cause.copied())
        };
        match cause {
            // It connects to this node, should it change its mind (5.4.3).
            Some(Cause::DoNotWantToTalkToYou) => pending().await,
            Some(Cause::Busy) => {
                sleep(LONGEST_PAUSE).await;
                // Attempts that fail from now on are not about that.
                self.known.last().disconnected = None;
            }
            Some(Cause::Rebooting) | None => {}
        }
        if let Some(identity) = identity {
            self.peers.vacant(&identity).await;
        }
    }

    fn addrs(&self) -> &[SocketAddr] {
        self.remote.addrs()
    }
}

/// Knowledge of a peer to connect to.
pub(crate) struct Known {
    ips: Vec<IpAddr>,
    /// An association is being set up, or waits for the peer's capabilities.
    is_trying: watch::Sender<bool>,
    last: Mutex<Last>,
}

/// Outcome of the last attempt.
#[derive(Default)]
struct Last {
    identity: Option<String>,
    /// The cause that the peer gave for leaving, once it has.
    disconnected: Option<Arc<OnceLock<Cause>>>,
}

impl Known {
    /// Notes who has answered.
    pub(crate) fn answered(&self, identity: String) {
        self.last().identity = Some(identity);
    }

    /// Notes the end of an attempt that was successful.
    pub(crate) fn opened(&self, disconnected: &Arc<OnceLock<Cause>>) {
        self.last().disconnected = Some(Arc::clone(disconnected));
    }

    /// Notes the end of an attempt.
    pub(crate) fn tried(&self) {
        self.is_trying.send_replace(false);
    }

    /// Waits for the outcome of an attempt that competes with an association of a peer: one with the
    /// same peer, or with one of its addresses as long as it is not known who is there.
    pub(crate) async fn outcome(&self, identity: &str, info: &ConnectInfo) {
        let competes = match &self.last().identity {
            Some(known) => known == identity,
            None => {
                let mut addrs = info
                    .peer_addrs()
                    .iter()
                    .map(|addr| addr.ip().to_canonical());
                addrs.any(|ip| self.ips.contains(&ip))
            }
        };
        if competes {
            let mut trying = self.is_trying.subscribe();
            // An error means that nobody tries any more.
            let _ = trying.wait_for(|trying| !trying).await;
        }
    }

    fn last(&self) -> MutexGuard<'_, Last> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn peer_that_was_busy_is_waited_for_once() {
        let mut dial = Dial::new(Vec::new(), SocketBuilder::new(), PeerTable::new());
        dial.known.opened(&Arc::new(Cause::Busy.into()));
        for expected in [LONGEST_PAUSE, Duration::ZERO] {
            let begun = Instant::now();
            dial.wanted().await;
            assert_eq!(begun.elapsed(), expected);
        }
    }
}
