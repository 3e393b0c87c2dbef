//! The node: its peers, and an association with each.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use sctp_examples::{
    diameter::{Fault, Message, avp, command, result},
    line::printable,
    program::say,
};
use sctp_service::{
    AssociationHandle, End, Handler, IncomingAssociation, IntoReply, Ppid, Reply, Router, Shutdown,
    Side, State,
};
use tokio::{
    sync::{Notify, watch},
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval_at, timeout},
};

use crate::{
    Args, Result,
    messages::{Cause, Origin, check_capabilities, decode_request, on_wire},
};

/// Time for a peer to answer what it is asked, and to leave once it has said that it will.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// Time for an application's answer, which may come from behind the peer.
const APPLICATION_TIMEOUT: Duration = Duration::from_secs(30);
/// Time to wait for the outcome of an election.
const ELECTION_TIMEOUT: Duration = Duration::from_secs(2);

pub(crate) struct Node {
    pub(crate) origin: Origin,
    watchdog: Duration,
    ask: Option<Duration>,
    burst: usize,
    /// Turns `true` when this node is to stop.
    pub(crate) stopping: watch::Receiver<bool>,
    /// The peer table (2.6).
    peers: Mutex<HashMap<String, Arc<Peer>>>,
    changed: watch::Sender<()>,
    /// Number of associations on which this node waits for the capabilities of a peer.
    initiated: watch::Sender<usize>,
}

/// Knowledge of a peer that this node has connected to.
#[derive(Default)]
pub(crate) struct Learned {
    pub(crate) identity: Mutex<Option<String>>,
    pub(crate) peer: Mutex<Option<Arc<Peer>>>,
}

/// A peer that has exchanged capabilities, on one association.
pub(crate) struct Peer {
    pub(crate) identity: String,
    realm: String,
    association: AssociationHandle,
    initiated_by: Side,
    /// Notified when requests are served.
    opened: Notify,
    /// Cause of an end for leaving, once it has said so.
    pub(crate) disconnected: OnceLock<Cause>,
}

impl Node {
    pub(crate) fn new(args: &Args, stopping: watch::Receiver<bool>) -> Self {
        Self {
            origin: Origin::new(args.identity.to_ascii_lowercase(), args.realm.clone()),
            watchdog: args.watchdog,
            ask: args.ask,
            burst: args.burst,
            stopping,
            peers: Mutex::default(),
            changed: watch::Sender::new(()),
            initiated: watch::Sender::new(0),
        }
    }

    /// Exchanges capabilities on a new association, and makes the service of the peer. `learned` gets
    /// what is known of a peer that this node has connected to.
    pub(crate) async fn open(
        self: Arc<Self>,
        mut incoming: IncomingAssociation,
        learned: Arc<Learned>,
    ) -> std::result::Result<Router, Shutdown> {
        let exchanged = match incoming.initiated_by() {
            Side::Local => self.initiate(&incoming, &learned).await,
            _ => self.respond(&mut incoming).await,
        };
        let peer = exchanged.map_err(|error| {
            say(format_args!("no capabilities exchanged: {error}"));
            Shutdown::AfterAck
        })?;
        *lock(&learned.peer) = Some(Arc::clone(&peer));
        peer.opened.notify_one();
        let handler = receive.with_state((self, peer));
        Ok(Router::new()
            .route_service(Ppid::DIAMETER, handler.clone())
            .route_service(Ppid::UNSPECIFIED, handler)) // as many nodes send it
    }

    async fn initiate(
        self: &Arc<Self>,
        incoming: &IncomingAssociation,
        learned: &Learned,
    ) -> Result<Arc<Peer>> {
        let request = self.origin.capabilities_request(&incoming.connect_info);
        let initiating = Initiating::new(&self.initiated);
        let answer = incoming
            .request_within(ANSWER_TIMEOUT, on_wire(&request)?)
            .await?;
        let peer = self.accept(incoming, answer.payload, learned);
        drop(initiating);
        peer
    }

    fn accept(
        self: &Arc<Self>,
        incoming: &IncomingAssociation,
        answer: Bytes,
        learned: &Learned,
    ) -> Result<Arc<Peer>> {
        let answer = Message::decode(answer)?;
        let identity = answer.text(avp::ORIGIN_HOST).unwrap_or_default();
        *lock(&learned.identity) = Some(identity.to_ascii_lowercase());
        match answer.number(avp::RESULT_CODE) {
            Some(result::SUCCESS) => {}
            Some(result) => return Err(format!("the peer answers {result}").into()),
            None => return Err("the answer has no result".into()),
        }
        let peer = check_capabilities(&answer).and_then(|names| self.claim(names, incoming));
        peer.map_err(|fault| format!("the answer is refused, {}", fault.result).into())
    }

    async fn respond(self: &Arc<Self>, incoming: &mut IncomingAssociation) -> Result<Arc<Peer>> {
        let received = incoming.recv().await.ok_or("the peer has left")?;
        let (request, checked) = match decode_request(received.payload) {
            Ok(request) => {
                let checked = check_capabilities(&request);
                (request, checked)
            }
            Err(Some((request, fault))) => (request, Err(fault)),
            Err(None) => return Err("message without a header".into()),
        };
        if !request.header.is_request() || request.header.code != command::CAPABILITIES_EXCHANGE {
            return Err(format!("command {} comes first", request.header.code).into());
        }
        let claimed = match checked {
            Ok(names) => {
                self.elect(&names.0).await;
                self.claim(names, incoming)
            }
            Err(fault) => Err(fault),
        };
        let answer = match &claimed {
            Ok(_) => self.origin.answer(&request, result::SUCCESS),
            Err(fault) => self.origin.refusal(&request, fault.clone()),
        };
        let answer = self.origin.capabilities(answer, &incoming.connect_info);
        incoming
            .send(on_wire(&answer)?.with_ppid(received.info.ppid))
            .await?;
        // Nothing on another stream is to overtake the answer.
        incoming.acknowledged().await?;
        claimed.map_err(|fault| format!("the request is answered with {}", fault.result).into())
    }

    /// Waits for the outcome of associations that this node has set up, if one of them would win an
    /// election against one that this peer has: that of the lesser identity stays (5.6.4).
    async fn elect(&self, identity: &str) {
        if *self.origin.host < *identity {
            let mut initiated = self.initiated.subscribe();
            // The claim decides, if the time is up.
            let _ = timeout(ELECTION_TIMEOUT, initiated.wait_for(|number| *number == 0)).await;
        }
    }

    /// Enters a peer into the table. There is one association with each: see [`elect`](Self::elect).
    fn claim(
        self: &Arc<Self>,
        (identity, realm): (String, String),
        incoming: &IncomingAssociation,
    ) -> std::result::Result<Arc<Peer>, Fault> {
        let peer = Arc::new(Peer {
            identity: identity.clone(),
            realm,
            association: incoming.handle().clone(),
            initiated_by: incoming.initiated_by(),
            opened: Notify::new(),
            disconnected: OnceLock::new(),
        });
        let mut peers = lock(&self.peers);
        let lesser = match self.origin.host < identity {
            true => Side::Local,
            false => Side::Peer,
        };
        if self.origin.host == identity {
            return Err(Fault::new(result::UNKNOWN_PEER));
        }
        if let Some(held) = peers
            .get(&identity)
            .filter(|held| !held.association.is_closed())
        {
            if held.initiated_by == peer.initiated_by || peer.initiated_by != lesser {
                return Err(Fault::new(result::ELECTION_LOST));
            }
            // It may have ended by itself.
            let _ = held.association.shutdown(Shutdown::AfterAck);
        }
        peers.insert(identity, Arc::clone(&peer));
        tokio::spawn(Arc::clone(self).watch(Arc::clone(&peer)));
        Ok(peer)
    }

    /// Keeps the entry of a peer for as long as there is the association, and uses it once it is open.
    async fn watch(self: Arc<Self>, peer: Arc<Peer>) {
        let association = &peer.association;
        tokio::select! {
            () = peer.opened.notified() => self.use_open(&peer).await,
            _ = association.closed() => {}
        }
        lock(&self.peers).retain(|_, held| !held.association.same_association(association));
        self.changed.send_replace(());
    }

    /// Uses an open association to its end.
    async fn use_open(self: &Arc<Self>, peer: &Arc<Peer>) {
        let name = printable(peer.identity.as_bytes());
        let role = match peer.initiated_by {
            Side::Local => "initiator",
            _ => "responder",
        };
        say(format_args!("open {name} ({role})"));
        let association = &peer.association;
        let mut own_reason = "";
        let end = tokio::select! {
            end = association.closed() => end,
            reason = self.keep_alive(peer, &name) => {
                own_reason = reason;
                // It may have ended by itself.
                let _ = association.shutdown(Shutdown::abort(reason));
                association.closed().await
            }
            () = self.keep_asking(peer, &name) => association.closed().await,
            () = self.leave(peer) => association.closed().await,
        };
        let how = match (peer.disconnected.get(), end) {
            (Some(cause), Some(End::Shutdown { .. })) => format!("disconnected {}", cause.name()),
            (_, Some(End::Shutdown { .. })) => "shutdown".to_owned(),
            (_, Some(end @ End::Aborted { .. })) => {
                let reason = end.reason().unwrap_or(own_reason.into());
                format!("aborted {}", printable(&reason))
            }
            _ => "lost".to_owned(),
        };
        say(format_args!("closed {name}: {how}"));
    }

    /// Asks a silent peer if it is there, until it does not answer (RFC 3539). Returns the reason to
    /// abort the association for.
    async fn keep_alive(&self, peer: &Peer, name: &str) -> &'static str {
        let request = self.origin.watchdog_request();
        loop {
            peer.association.silent_for(self.watchdog).await;
            match self.ask(peer, &request, self.watchdog * 2).await {
                Ok(_) => say(format_args!("watchdog {name} answered")),
                Err(_) => return "no watchdog answer",
            }
        }
    }

    /// Sends accounting requests, every so often.
    async fn keep_asking(self: &Arc<Self>, peer: &Arc<Peer>, name: &str) {
        let Some(every) = self.ask else {
            return std::future::pending().await;
        };
        let mut times = interval_at(Instant::now() + every, every);
        times.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            times.tick().await;
            let mut calls = JoinSet::new();
            for _ in 0..self.burst {
                let (node, peer, name) = (Arc::clone(self), Arc::clone(peer), name.to_owned());
                calls.spawn(async move {
                    let request = node.origin.accounting_request(&peer.realm);
                    let code = request.header.code;
                    match node.ask(&peer, &request, APPLICATION_TIMEOUT).await {
                        Ok(result) => say(format_args!("{name} answers {code}: {result}")),
                        Err(error) => say(format_args!("{name} does not answer {code}: {error}")),
                    }
                });
            }
            calls.join_all().await;
        }
    }

    /// Makes a call, and returns the Result-Code of the answer.
    async fn ask(&self, peer: &Peer, request: &Message, time: Duration) -> Result<u32> {
        let answer = peer
            .association
            .request_within(time, on_wire(request)?)
            .await?;
        let answer = Message::decode(answer.payload)?;
        Ok(answer
            .number(avp::RESULT_CODE)
            .ok_or("the answer has no result")?)
    }

    /// Says goodbye when this node stops, and ends the association in order.
    async fn leave(&self, peer: &Peer) {
        let mut stopping = self.stopping.clone();
        // An error means that the program has ended.
        let _ = stopping.wait_for(|stopping| *stopping).await;
        let cause = Cause::Rebooting;
        if peer.disconnected.set(cause).is_ok() {
            let request = self.origin.disconnect_request(cause);
            // Without an answer it ends all the same.
            let _ = self.ask(peer, &request, ANSWER_TIMEOUT).await;
        }
        peer.association.graceful_shutdown();
    }

    /// Resolves when this node stops, and has left every peer.
    pub(crate) async fn disconnected(&self) {
        let mut stopping = self.stopping.clone();
        let _ = stopping.wait_for(|stopping| *stopping).await;
        let mut changed = self.changed.subscribe();
        let left = changed.wait_for(|()| lock(&self.peers).is_empty());
        let _ = timeout(ANSWER_TIMEOUT, left).await;
    }

    /// Waits while a peer has an association.
    pub(crate) async fn vacant(&self, identity: &str) {
        let mut changed = self.changed.subscribe();
        let _ = changed
            .wait_for(|()| !lock(&self.peers).contains_key(identity))
            .await;
    }

    /// Answers a request of an open peer.
    fn answer(&self, peer: &Peer, request: &Message) -> Message {
        match request.header.code {
            command::CAPABILITIES_EXCHANGE
            | command::DEVICE_WATCHDOG
            | command::DISCONNECT_PEER
                if request.header.application != 0 =>
            {
                self.origin
                    .refusal(request, Fault::new(result::APPLICATION_UNSUPPORTED))
            }
            command::CAPABILITIES_EXCHANGE => {
                let answer = self.origin.answer(request, result::SUCCESS);
                let info = peer.association.connect_info().cloned();
                self.origin.capabilities(answer, &info.unwrap_or_default())
            }
            command::DEVICE_WATCHDOG => self.base(request, &[]),
            command::DISCONNECT_PEER => {
                let answer = self.base(request, &[avp::DISCONNECT_CAUSE]);
                if let Some(cause) = Cause::of(request) {
                    let _ = peer.disconnected.set(cause);
                    peer.association.expect_shutdown();
                }
                answer
            }
            command::ACCOUNTING => self.origin.account(request),
            _ => self
                .origin
                .refusal(request, Fault::new(result::COMMAND_UNSUPPORTED)),
        }
    }

    /// Answers a request of the base protocol, with these AVPs and its origin.
    fn base(&self, request: &Message, required: &[u32]) -> Message {
        let required = [&[avp::ORIGIN_HOST, avp::ORIGIN_REALM], required].concat();
        match request
            .require(&required)
            .and_then(|()| request.at_most_once(&required))
        {
            Ok(()) => self.origin.answer(request, result::SUCCESS),
            Err(fault) => self.origin.refusal(request, fault),
        }
    }
}

/// Counts an association on which this node waits for the capabilities of a peer.
struct Initiating<'a>(&'a watch::Sender<usize>);

impl<'a> Initiating<'a> {
    fn new(number: &'a watch::Sender<usize>) -> Self {
        number.send_modify(|number| *number += 1);
        Self(number)
    }
}

impl Drop for Initiating<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|number| *number -= 1);
    }
}

async fn receive(State((node, peer)): State<(Arc<Node>, Arc<Peer>)>, octets: Bytes) -> Reply {
    let answer = match decode_request(octets) {
        Ok(request) => {
            let code = request.header.code;
            if !matches!(code, command::DEVICE_WATCHDOG | command::DISCONNECT_PEER) {
                let name = printable(peer.identity.as_bytes());
                say(format_args!("asked by {name}: {code}"));
            }
            node.answer(&peer, &request)
        }
        Err(Some((request, fault))) => node.origin.refusal(&request, fault),
        Err(None) => return Shutdown::abort("message without a header").into_reply(),
    };
    match answer.encode() {
        Ok(octets) => Reply::new(octets),
        Err(error) => Shutdown::abort(error.to_string()).into_reply(),
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
