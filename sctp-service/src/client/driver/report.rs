//! What the log and the event hook hear of a client.

use std::{error::Error, net::SocketAddr, time::Duration};

use sctp_core::{AbortReason, PeerAddrChange};
use sctp_tokio::{ConnectError, End, Received, RecvError};

use crate::{
    ConnectInfo,
    client::event::{ClientCounts, ClientEvent, ClientHook},
    log_limit::LogLimiter,
};

/// Tells the log and the event hook what happens to a client.
#[derive(Debug)]
pub(super) struct Reporter {
    hook: ClientHook,
    /// Across associations: a server that answers wrongly may well be connected to often.
    uncorrelated: LogLimiter,
}

impl Reporter {
    pub(super) fn new(hook: ClientHook) -> Self {
        Self {
            hook,
            uncorrelated: LogLimiter::default(),
        }
    }

    pub(super) fn up(&self, connect_info: &ConnectInfo) {
        tracing::info!(peer = ?connect_info.peer_addrs(), "association up");
        self.hook.emit(&ClientEvent::Up { connect_info });
    }

    pub(super) fn closed(
        &self,
        connect_info: &ConnectInfo,
        end: &End,
        reason: Option<&AbortReason>,
        lasted: Duration,
        counts: &ClientCounts,
    ) {
        let shown = reason.map(tracing::field::display);
        tracing::info!(%end, reason = shown, ?lasted, ?counts, "association over");
        self.hook.emit(&ClientEvent::Closed {
            connect_info,
            end,
            reason,
            lasted,
            counts,
        });
    }

    pub(super) fn restarted(&self, connect_info: &ConnectInfo) {
        tracing::info!("the peer restarted");
        self.hook.emit(&ClientEvent::Restarted { connect_info });
    }

    pub(super) fn path_changed(&self, connect_info: &ConnectInfo, change: &PeerAddrChange) {
        tracing::info!(addr = ?change.addr, state = ?change.state, "path changed");
        self.hook.emit(&ClientEvent::PathChanged {
            connect_info,
            change,
        });
    }

    pub(super) fn receive_failed(&self, connect_info: &ConnectInfo, error: &RecvError) {
        tracing::warn!(error = error as &dyn Error, "receiving failed, aborting");
        self.hook.emit(&ClientEvent::ReceiveFailed {
            connect_info,
            error,
        });
    }

    pub(super) fn connect_failed(
        &self,
        addrs: &[SocketAddr],
        error: &ConnectError,
        failures: u32,
        next: Option<Duration>,
    ) {
        tracing::warn!(error = error as &dyn Error, "cannot set up an association");
        self.hook.emit(&ClientEvent::ConnectFailed {
            addrs,
            error,
            failures,
            next,
        });
    }

    /// A reply whose identifier no call has: it is late, or the server answers with a wrong one, of
    /// which nothing else tells.
    pub(super) fn uncorrelated(&self, connect_info: &ConnectInfo, received: &Received) {
        let (stream, ppid) = (received.info.stream, received.info.ppid);
        let peer = connect_info.peer_addr();
        if let Some(replies) = self.uncorrelated.record() {
            tracing::warn!(?peer, %stream, %ppid, replies, "a reply to no call, discarding");
        }
    }
}
