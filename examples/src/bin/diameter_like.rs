//! Requests in both directions of one association, told apart by an identifier:
//! `diameter_like --help`.
#![forbid(unsafe_code)]

use std::{error::Error, future::IntoFuture, process::ExitCode};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use clap::Parser;
use sctp_examples::program;
use sctp_service::{
    AssociationHandle, Config, Correlation, Correlator, Identity, IncomingAssociation, MakeService,
    Message, PeerTable, Received, RequestOrder, Serve, Shutdown, Side, ViaMakeService, Waiting,
    client::Remote, handler::handler_fn, serve,
};
use sctp_tokio::{Ppid, SctpListener};
use tokio::sync::oneshot;
use tower::service_fn;

/// Plays a conversation between two Diameter-like nodes over one association: they exchange
/// their names, each sends requests, each answers the other's, and one says goodbye.
///
/// A message has Diameter's header (RFC 6733, section 3). A reply carries its request's
/// hop-by-hop identifier, so it may come in any order and on any stream, and the R flag tells
/// requests from answers.
#[derive(Parser)]
struct Args {}

type Result<T = ()> = std::result::Result<T, Box<dyn Error>>;

#[tokio::main]
async fn main() -> ExitCode {
    Args::parse();
    program::start_log();
    program::exit("diameter_like", play().await)
}

async fn play() -> Result {
    let (server, client) = (Node::new("server"), Node::new("client"));
    let listener = SctpListener::bind("127.0.0.1:0").await?;
    let addr = *listener.local_addrs()?.first().ok_or("no address")?;
    tokio::spawn(server.serve(listener).into_future());
    // A node listens and connects alike.
    let listener = SctpListener::bind("127.0.0.1:0").await?;
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = client
        .serve(listener)
        .with_dial(Remote::new(addr))
        .with_graceful_shutdown(async { drop(stopped.await) });
    let serving = tokio::spawn(serving.into_future());

    let to_server = client.peers.wait_for(&"server".to_owned()).await;
    let to_client = server.peers.wait_for(&"client".to_owned()).await;
    let (watched, notice, session) = tokio::try_join!(
        request(&to_server, WATCHDOG, "are you there?"),
        request(&to_client, 258, "your session has expired"),
        request(&to_server, 272, "a session, please"),
    )?;
    for (who, answer) in [("client", watched), ("server", notice), ("client", session)] {
        say(who, &format!("is answered: {answer}"));
    }
    let _ = stop.send(());
    if let Some(end) = to_server.closed().await {
        say("client", &format!("the association is over: {end}"));
    }
    Ok(serving.await?)
}

/// One end: serves the requests of its peers, and knows them by their names.
#[derive(Clone)]
struct Node {
    name: &'static str,
    peers: PeerTable<String>,
}

impl Node {
    fn new(name: &'static str) -> Self {
        Self {
            name,
            peers: PeerTable::new(),
        }
    }

    fn serve(
        &self,
        listener: SctpListener,
    ) -> Serve<SctpListener, impl MakeService<ViaMakeService>, ViaMakeService> {
        let node = self.clone();
        let make_service = service_fn(move |mut incoming: IncomingAssociation| {
            let node = node.clone();
            async move {
                let peer = node.exchange_capabilities(&mut incoming).await;
                let peer = peer.ok_or(Shutdown::abort("no capabilities exchange"))?;
                node.peers
                    .claim(peer, &incoming)
                    .map_err(|_| Shutdown::abort("election lost"))?;
                let handler = async move |peer: AssociationHandle, payload: Bytes| {
                    answer(node.name, &peer, payload)
                };
                Ok::<_, Shutdown>(handler_fn(handler))
            }
        });
        serve(listener, make_service)
            // Diameter knows no order between requests.
            .with_config(Config::new().with_request_order(RequestOrder::Unordered))
            .with_correlation(Correlation::by_key(|_| HopByHop))
            .on_drain(async |peer| {
                // Without an answer the association is shut down all the same.
                let _ = request(&peer, DISCONNECT, "goodbye").await;
            })
    }

    /// Tells the peer the name of this node, and returns the peer's.
    async fn exchange_capabilities(&self, incoming: &mut IncomingAssociation) -> Option<String> {
        let name = self.name.as_bytes();
        let mut peer = if incoming.initiated_by() == Side::Local {
            let ask = Message::new(Header::request(CAPABILITIES).encode(name));
            let answer = incoming.request(ask.with_ppid(Ppid::DIAMETER)).await;
            answer.ok()?.payload
        } else {
            let received = incoming.recv().await?;
            let header = Header::decode(&mut received.payload.clone())?;
            let answer = received.reply(header.answer().encode(name));
            incoming.send(answer).await.ok()?;
            // A request on another stream is not to overtake the answer.
            incoming.acknowledged().await.ok()?;
            received.payload
        };
        let header = Header::decode(&mut peer)?;
        (header.code == CAPABILITIES).then(|| String::from_utf8_lossy(&peer).into_owned())
    }
}

async fn request(peer: &AssociationHandle, code: u32, text: &str) -> Result<String> {
    // Requests of one kind go on one stream, and a lost one holds up no others.
    let stream = u16::try_from(code % 10)?;
    let message = Message::new(Header::request(code).encode(text.as_bytes()))
        .on_stream(stream)
        .with_ppid(Ppid::DIAMETER);
    let mut answer = peer.request(message).await?.payload;
    Header::decode(&mut answer).ok_or("the answer has no header")?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

fn answer(name: &str, peer: &AssociationHandle, mut payload: Bytes) -> Option<Bytes> {
    let header = Header::decode(&mut payload)?;
    let text = String::from_utf8_lossy(&payload);
    say(name, &format!("is asked, command {}: {text}", header.code));
    if header.code == DISCONNECT {
        // The peer shuts down when it has the answer (RFC 6733, section 5.4).
        peer.expect_shutdown();
    }
    let answer = format!("yes to \"{text}\"");
    Some(header.answer().encode(answer.as_bytes()))
}

/// Command codes (RFC 6733, section 3.1).
const CAPABILITIES: u32 = 257;
const WATCHDOG: u32 = 280;
const DISCONNECT: u32 = 282;

/// The part of Diameter's header that this needs.
#[derive(Clone, Copy)]
struct Header {
    is_request: bool,
    code: u32,
    hop_by_hop: [u8; 4],
}

impl Header {
    const LEN: usize = 20;
    const VERSION: u8 = 1;
    const REQUEST: u8 = 0x80;
    const HOP_BY_HOP: std::ops::Range<usize> = 12..16;

    fn request(code: u32) -> Self {
        Self {
            is_request: true,
            code,
            hop_by_hop: [0; 4],
        }
    }

    fn answer(self) -> Self {
        Self {
            is_request: false,
            ..self
        }
    }

    fn encode(self, body: &[u8]) -> Bytes {
        let mut bytes = BytesMut::with_capacity(Self::LEN + body.len());
        bytes.put_u8(Self::VERSION);
        bytes.put_uint((Self::LEN + body.len()) as u64, 3);
        bytes.put_u8(if self.is_request { Self::REQUEST } else { 0 });
        bytes.put_uint(self.code.into(), 3);
        bytes.put_u32(0); // the application
        bytes.put_slice(&self.hop_by_hop);
        bytes.put_u32(0); // the end-to-end identifier
        bytes.put_slice(body);
        bytes.freeze()
    }

    /// Takes the header off a message.
    fn decode(message: &mut Bytes) -> Option<Self> {
        if message.len() < Self::LEN {
            return None;
        }
        let mut header = message.split_to(Self::LEN);
        let hop_by_hop = header.get(Self::HOP_BY_HOP)?.try_into().ok()?;
        header.advance(4); // the version and the length
        let flags = header.get_u8();
        Some(Self {
            is_request: flags & Self::REQUEST != 0,
            code: u32::try_from(header.get_uint(3)).ok()?,
            hop_by_hop,
        })
    }
}

/// Finds the call of a reply by its hop-by-hop identifier.
struct HopByHop;

impl Correlator for HopByHop {
    type Key = [u8; 4];

    fn stamp(
        &mut self,
        number: u32,
        message: &mut Message,
    ) -> std::result::Result<[u8; 4], Box<dyn Error + Send + Sync>> {
        let key = number.to_be_bytes();
        let mut bytes = BytesMut::from(message.payload.clone());
        bytes
            .get_mut(Header::HOP_BY_HOP)
            .ok_or("the request has no header")?
            .copy_from_slice(&key);
        message.payload = bytes.freeze();
        Ok(key)
    }

    fn identify(&mut self, received: &Received, _: Waiting<'_, [u8; 4]>) -> Identity<[u8; 4]> {
        match Header::decode(&mut received.payload.clone()) {
            Some(header) if !header.is_request => Identity::Reply(header.hop_by_hop),
            _ => Identity::Request,
        }
    }
}

fn say(who: &str, text: &str) {
    program::say(format_args!("{who}  {text}"));
}
