//! A peer, and the use of the association with it.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use sctp_examples::{
    diameter::{Message, avp},
    line::printable,
    program::{note, say},
};
use sctp_service::{AbortReason, AssociationHandle, Cause as CallCause, End, Shutdown, Side};
use tokio::{
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval_at},
};

use crate::{
    Result,
    messages::{Cause, Origin, on_wire},
    node::Node,
};

/// Time for a peer to answer what it is asked.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// Time for an application's answer, which may come from behind the peer.
const APPLICATION_TIMEOUT: Duration = Duration::from_secs(30);

/// A peer that has exchanged capabilities, on one association.
pub(crate) struct Peer {
    /// Its identity, printable.
    pub(crate) name: String,
    pub(crate) realm: String,
    pub(crate) association: AssociationHandle,
    /// Cause for leaving, once the peer has announced that.
    pub(crate) disconnected: Arc<OnceLock<Cause>>,
}

impl Peer {
    /// Uses an association to its end.
    pub(crate) async fn watch(self: Arc<Self>, node: Arc<Node>, initiated_by: Side) {
        let (association, name) = (&self.association, &self.name);
        let role = match initiated_by {
            Side::Local => "initiator",
            Side::Peer => "responder",
        };
        say(format_args!("open {name} ({role})"));
        let end = tokio::select! {
            end = association.closed() => end,
            () = association.drain().started() => association.closed().await,
            () = self.keep_alive(&node) => association.closed().await,
            () = self.keep_asking(&node) => association.closed().await,
        };
        let how = self.how(end.as_ref());
        say(format_args!("closed {name}: {how}"));
    }

    /// Describes how the association has ended.
    fn how(&self, end: Option<&End>) -> String {
        // A drain says goodbye, unless the peer has.
        let rebooting = || {
            self.association
                .drain()
                .is_started()
                .then_some(Cause::Rebooting)
        };
        let cause = self.disconnected.get().copied().or_else(rebooting);
        match (end, cause) {
            (Some(End::Shutdown { .. }), Some(cause)) => format!("disconnected {}", cause.name()),
            (Some(End::Shutdown { .. }), None) => "shutdown".to_owned(),
            (Some(end @ End::Aborted { .. }), _) => {
                let own = || self.association.abort_reason().map(AbortReason::into_bytes);
                match end.reason().or_else(own) {
                    Some(reason) if !reason.is_empty() => format!("aborted {}", printable(&reason)),
                    _ => "aborted without a reason".to_owned(),
                }
            }
            _ => "lost".to_owned(),
        }
    }

    /// Asks a silent peer if it is there (RFC 3539), and aborts one that does not answer. Ends when
    /// the association is about to.
    async fn keep_alive(&self, node: &Node) {
        // A new request each time, which has an End-to-End Identifier of its own (3).
        while let Ok(message) = on_wire(&node.origin.watchdog_request()) {
            self.association.silent_for(node.watchdog).await;
            let answer = self.association.request_within(node.watchdog * 2, message);
            match answer.await {
                Ok(_) => say(format_args!("watchdog {} answered", self.name)),
                Err(error) => {
                    if matches!(error.cause(), CallCause::TimedOut) {
                        // It may have ended by itself.
                        let reason = Shutdown::abort("no watchdog answer");
                        let _ = self.association.shutdown(reason);
                    }
                    return;
                }
            }
        }
    }

    /// Sends accounting requests, every so often.
    async fn keep_asking(self: &Arc<Self>, node: &Arc<Node>) {
        let Some(every) = node.ask else {
            return std::future::pending().await;
        };
        let mut times = interval_at(Instant::now() + every, every);
        times.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            times.tick().await;
            let mut calls = JoinSet::new();
            for _ in 0..node.burst {
                let (peer, node) = (Arc::clone(self), Arc::clone(node));
                calls.spawn(async move { peer.account(&node).await });
            }
            calls.join_all().await;
        }
    }

    /// Sends an accounting request, and prints the result.
    async fn account(&self, node: &Node) {
        let request = node.origin.accounting_request(&self.realm);
        let (name, code) = (&self.name, request.header.code);
        match ask(&self.association, &request, APPLICATION_TIMEOUT).await {
            Ok(result) => say(format_args!("{name} answers {code}: {result}")),
            Err(error) => note(format_args!("{name} does not answer {code}: {error}")),
        }
    }
}

/// Says goodbye to a peer when this node stops.
pub(crate) async fn disconnect(origin: &Origin, association: &AssociationHandle) {
    let request = origin.disconnect_request(Cause::Rebooting);
    // Without an answer the association ends all the same.
    let _ = ask(association, &request, ANSWER_TIMEOUT).await;
}

/// Makes a call, and returns the Result-Code of the answer.
async fn ask(association: &AssociationHandle, request: &Message, time: Duration) -> Result<u32> {
    let answer = association.request_within(time, on_wire(request)?).await?;
    let answer = Message::decode(answer.payload)?;
    Ok(answer
        .number(avp::RESULT_CODE)
        .ok_or("the answer has no result")?)
}
