//! The node: an association with each of its peers.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use sctp_examples::{
    diameter::{Fault, Message, avp, command, result},
    line::printable,
    program::{note, say},
};
use sctp_service::{
    Handler, IncomingAssociation, IntoReply, PeerTable, Ppid, Reply, Router, Shutdown, Side, State,
};
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use crate::{
    Args, Result,
    answers::{self, check_capabilities, decode_request},
    dial::Known,
    messages::{Cause, Origin, on_wire},
    peer::Peer,
};

pub(crate) struct Node {
    pub(crate) origin: Origin,
    pub(crate) watchdog: Duration,
    pub(crate) ask: Option<Duration>,
    pub(crate) burst: usize,
    /// Time limit for the exchange of capabilities. An election waits for a fifth of it.
    handshake_timeout: Duration,
    peers: PeerTable<String>,
    /// The peers that this node connects to.
    dials: Vec<Arc<Known>>,
    /// A task for each association.
    watches: TaskTracker,
}

impl Node {
    pub(crate) fn new(args: &Args, peers: PeerTable<String>, dials: Vec<Arc<Known>>) -> Self {
        Self {
            origin: Origin::new(args.identity.to_ascii_lowercase(), args.realm.clone()),
            watchdog: args.watchdog,
            ask: args.ask,
            burst: args.burst,
            handshake_timeout: args.handshake_timeout,
            peers,
            dials,
            watches: TaskTracker::new(),
        }
    }

    /// Exchanges capabilities on a new association, and makes the service of the peer. `dial` is what
    /// is known of a peer that this node connects to.
    pub(crate) async fn open(
        self: Arc<Self>,
        mut incoming: IncomingAssociation,
        dial: Option<Arc<Known>>,
    ) -> std::result::Result<Router, Shutdown> {
        let exchanged = match incoming.initiated_by() {
            Side::Local => self.initiate(&incoming, dial.as_deref()).await,
            Side::Peer => self.respond(&mut incoming).await,
        };
        if let Some(dial) = dial {
            if let Ok(peer) = &exchanged {
                dial.opened(&peer.disconnected);
            }
            dial.tried();
        }
        let peer = Arc::new(exchanged.map_err(|error| {
            note(format_args!("no capabilities exchanged: {error}"));
            Shutdown::AfterAck
        })?);
        self.watches
            .spawn(Arc::clone(&peer).watch(Arc::clone(&self), incoming.initiated_by()));
        let handler = receive.with_state((self, peer));
        Ok(Router::new()
            .route_service(Ppid::DIAMETER, handler.clone())
            .route_service(Ppid::UNSPECIFIED, handler)) // as many nodes send it
    }

    async fn initiate(&self, incoming: &IncomingAssociation, dial: Option<&Known>) -> Result<Peer> {
        let request = self.origin.capabilities_request(&incoming.connect_info);
        let answer = incoming
            .request_within(self.handshake_timeout, on_wire(&request)?)
            .await?;
        let answer = Message::decode(answer.payload)?;
        let identity = answer.text(avp::ORIGIN_HOST).map(str::to_ascii_lowercase);
        if let (Some(dial), Some(identity)) = (dial, identity) {
            dial.answered(identity);
        }
        match answer.number(avp::RESULT_CODE) {
            Some(result::SUCCESS) => {}
            Some(result) => return Err(format!("the peer answers {result}").into()),
            None => return Err("the answer has no result".into()),
        }
        let peer = check_capabilities(&answer).and_then(|names| self.claim(names, incoming));
        peer.map_err(|fault| format!("the answer is refused, {}", fault.result).into())
    }

    async fn respond(&self, incoming: &mut IncomingAssociation) -> Result<Peer> {
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
                self.elect(&names.0, incoming).await;
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

    /// Waits for what this node sets up with the same peer, where that would win the election: of two
    /// associations the one is kept that the lesser identity has set up (5.6.4).
    async fn elect(&self, identity: &str, incoming: &IncomingAssociation) {
        if *self.origin.host < *identity {
            let outcomes = async {
                for dial in &self.dials {
                    dial.outcome(identity, &incoming.connect_info).await;
                }
            };
            // The claim decides, if the time is up.
            let _ = timeout(self.handshake_timeout / 5, outcomes).await;
        }
    }

    /// Enters a peer into the table. One that is open keeps its association (5.6).
    fn claim(
        &self,
        (identity, realm): (String, String),
        incoming: &IncomingAssociation,
    ) -> std::result::Result<Peer, Fault> {
        let lost = || Fault::new(result::ELECTION_LOST);
        let (host, side) = (&self.origin.host, incoming.initiated_by());
        if *host == identity {
            return Err(Fault::new(result::UNKNOWN_PEER));
        }
        let kept = if *host < identity {
            Side::Local
        } else {
            Side::Peer
        };
        if let Err(claimed) = self.peers.claim(identity.clone(), incoming) {
            if claimed.is_open || claimed.initiated_by == side || side != kept {
                return Err(lost());
            }
            claimed.replace(Shutdown::AfterAck).map_err(|_| lost())?;
        }
        Ok(Peer {
            name: printable(identity.as_bytes()),
            realm,
            association: incoming.handle().clone(),
            disconnected: Arc::default(),
        })
    }

    /// Waits until the last end is printed. No association is left.
    pub(crate) async fn finished(&self) {
        self.watches.close();
        self.watches.wait().await;
    }
}

/// Serves an open peer.
async fn receive(State((node, peer)): State<(Arc<Node>, Arc<Peer>)>, octets: Bytes) -> Reply {
    let answer = match decode_request(octets) {
        Ok(request) => {
            let code = request.header.code;
            if !matches!(code, command::DEVICE_WATCHDOG | command::DISCONNECT_PEER) {
                say(format_args!("asked by {}: {code}", peer.name));
            }
            let info = peer.association.connect_info().cloned();
            let answer = answers::answer(&node.origin, &info.unwrap_or_default(), &request);
            if code == command::DISCONNECT_PEER
                && answer.number(avp::RESULT_CODE) == Some(result::SUCCESS)
                && let Some(cause) = Cause::of(&request)
            {
                // It may announce it twice.
                let _ = peer.disconnected.set(cause);
                peer.association.expect_shutdown();
            }
            answer
        }
        Err(Some((request, fault))) => node.origin.refusal(&request, fault),
        Err(None) => return Shutdown::abort("message without a header").into_reply(),
    };
    match answer.encode() {
        Ok(octets) => Reply::new(octets),
        Err(error) => Shutdown::abort(error.to_string()).into_reply(),
    }
}
