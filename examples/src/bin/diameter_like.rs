//! Requests in both directions of one association, told apart by an identifier:
//! `diameter_like --help`.
#![forbid(unsafe_code)]

use std::{
    error::Error,
    future::IntoFuture,
    io::{self, Write},
    process::ExitCode,
};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use clap::Parser;
use sctp_service::{
    AssociationHandle, Config, Correlation, Correlator, Identity, Message, Received, RequestOrder,
    Waiting, serve_association,
};
use sctp_tokio::{Association, Ppid, SctpListener};
use tracing_subscriber::EnvFilter;

/// Plays a conversation between two Diameter-like nodes over one association: each sends
/// requests, and each answers the other's.
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
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::from_default_env())
        .with_writer(io::stderr)
        .init();
    match play().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody can be told if standard error is gone.
            let _ = writeln!(io::stderr(), "diameter_like: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn play() -> Result {
    let mut listener = SctpListener::bind("127.0.0.1:0").await?;
    let addr = *listener.local_addrs()?.first().ok_or("no address")?;
    let (accepted, connected) = tokio::try_join!(
        async { listener.accept().await.map_err(Box::<dyn Error>::from) },
        async { Association::connect(addr).await.map_err(Box::from) },
    )?;
    // From here on the two ends are alike.
    let server = node("server", accepted);
    let client = node("client", connected);

    let (location, notice, session) = tokio::try_join!(
        request(&client, 280, "are you there?"),
        request(&server, 258, "your session has expired"),
        request(&client, 272, "a session, please"),
    )?;
    for (who, answer) in [
        ("client", location),
        ("server", notice),
        ("client", session),
    ] {
        say(who, &format!("is answered: {answer}"));
    }
    client.graceful_shutdown();
    if let Some(end) = client.closed().await {
        say("client", &format!("the association is over: {end}"));
    }
    Ok(())
}

/// One end: serves the requests of its peer. Returns a handle to make requests with.
fn node(name: &'static str, association: Association) -> AssociationHandle {
    let handler = async move |payload: Bytes| answer(name, payload);
    let mut node = serve_association(association, handler)
        // Diameter knows no order between requests.
        .with_config(Config::new().with_request_order(RequestOrder::Unordered))
        .with_correlation(Correlation::by_key(|_| HopByHop));
    let handle = node.handle();
    tokio::spawn(node.into_future());
    handle
}

async fn request(node: &AssociationHandle, code: u32, text: &str) -> Result<String> {
    // Requests of one kind go on one stream, and a lost one holds up no others.
    let stream = u16::try_from(code % 10)?;
    let message = Message::new(Header::request(code).encode(text.as_bytes()))
        .on_stream(stream)
        .with_ppid(Ppid::DIAMETER);
    let mut answer = node.request(message).await?.payload;
    Header::decode(&mut answer).ok_or("the answer has no header")?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

fn answer(name: &str, mut payload: Bytes) -> Option<Bytes> {
    let header = Header::decode(&mut payload)?;
    let text = String::from_utf8_lossy(&payload);
    say(name, &format!("is asked, command {}: {text}", header.code));
    let answer = format!("yes to \"{text}\"");
    Some(header.answer().encode(answer.as_bytes()))
}

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
    // A demo that nobody reads has no reason to fail.
    let _ = writeln!(io::stdout(), "{who}  {text}");
}
