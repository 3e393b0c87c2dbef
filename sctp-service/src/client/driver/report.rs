//! Reports of a client to its log and its event hook.

use std::{error::Error, net::SocketAddr, time::Duration};

use sctp_core::{AbortReason, PeerAddrChange};
use sctp_tokio::{ConnectError, End, Received, RecvError};

use crate::{
    ConnectInfo,
    client::event::{ClientCounts, ClientEvent, ClientHook},
    event::CHANGE_LINES,
    log_limit::{LogLimiter, several},
};

/// Tells the log and the event hook what happens to a client.
#[derive(Debug)]
pub(super) struct Reporter {
    hook: ClientHook,
    limits: Limits,
}

/// The limits of what a client logs. They hold across associations: a server that misbehaves may
/// well be connected to often.
#[derive(Debug)]
struct Limits {
    up: LogLimiter,
    closed: LogLimiter,
    restarted: LogLimiter,
    path_changed: LogLimiter,
    receive_failed: LogLimiter,
    connect_failed: LogLimiter,
    uncorrelated: LogLimiter,
    unexpected_reply: LogLimiter,
    unresponsive: LogLimiter,
}

impl Reporter {
    pub(super) fn new(hook: ClientHook) -> Self {
        Self {
            hook,
            limits: Limits {
                up: LogLimiter::with_burst(CHANGE_LINES),
                closed: LogLimiter::with_burst(CHANGE_LINES),
                restarted: LogLimiter::with_burst(CHANGE_LINES),
                path_changed: LogLimiter::with_burst(CHANGE_LINES),
                receive_failed: LogLimiter::new(),
                connect_failed: LogLimiter::new(),
                uncorrelated: LogLimiter::new(),
                unexpected_reply: LogLimiter::new(),
                unresponsive: LogLimiter::new(),
            },
        }
    }

    pub(super) fn up(&self, connect_info: &ConnectInfo) {
        if let Some(occurrences) = self.limits.up.record() {
            let occurrences = several(occurrences);
            tracing::info!(peer = ?connect_info.peer_addrs(), occurrences, "association up");
        }
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
        if let Some(occurrences) = self.limits.closed.record() {
            let occurrences = several(occurrences);
            let reason = reason.map(tracing::field::display);
            tracing::info!(%end, reason, ?lasted, ?counts, occurrences, "association over");
        }
        self.hook.emit(&ClientEvent::Closed {
            connect_info,
            end,
            reason,
            lasted,
            counts,
        });
    }

    pub(super) fn restarted(&self, connect_info: &ConnectInfo) {
        if let Some(occurrences) = self.limits.restarted.record() {
            tracing::info!(occurrences = several(occurrences), "the peer restarted");
        }
        self.hook.emit(&ClientEvent::Restarted { connect_info });
    }

    pub(super) fn path_changed(&self, connect_info: &ConnectInfo, change: &PeerAddrChange) {
        if let Some(occurrences) = self.limits.path_changed.record() {
            let occurrences = several(occurrences);
            tracing::info!(addr = ?change.addr, state = ?change.state, occurrences, "path changed");
        }
        self.hook.emit(&ClientEvent::PathChanged {
            connect_info,
            change,
        });
    }

    pub(super) fn receive_failed(&self, connect_info: &ConnectInfo, error: &RecvError) {
        if let Some(occurrences) = self.limits.receive_failed.record() {
            tracing::warn!(
                error = error as &dyn Error,
                occurrences,
                "receiving failed, aborting"
            );
        }
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
        if let Some(occurrences) = self.limits.connect_failed.record() {
            tracing::warn!(
                error = error as &dyn Error,
                occurrences,
                "cannot set up an association"
            );
        }
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
        if let Some(replies) = self.limits.uncorrelated.record() {
            tracing::warn!(?peer, %stream, %ppid, replies, "a reply to no call, discarding");
        }
    }

    /// A message on a stream for calls that has none: replies can no longer be told apart.
    pub(super) fn unexpected_reply(&self, received: &Received) {
        if let Some(occurrences) = self.limits.unexpected_reply.record() {
            let stream = received.info.stream;
            tracing::warn!(%stream, occurrences, "a reply to no call, aborting");
        }
    }

    /// No stream is left on which the peer answers.
    pub(super) fn unresponsive(&self) {
        if let Some(occurrences) = self.limits.unresponsive.record() {
            tracing::warn!(
                occurrences,
                "the peer answers on no stream any more, aborting"
            );
        }
    }
}
