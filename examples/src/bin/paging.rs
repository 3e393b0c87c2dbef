//! A server that begins: subscribers attach, and a network has calls for them. A subscriber says its
//! name in the handshake, by which it is found in a table. A page is a call on a stream of its own, and
//! the subscriber answers it there. Whose subscription ends is told so in an ABORT.
//!
//! ```text
//! cargo run --bin paging
//! ```
#![forbid(unsafe_code)]

use std::{error::Error, net::SocketAddr};

use sctp_service::{
    ByStream, IncomingAssociation, PeerTable, Ppid, SendError, Shutdown, StreamId,
    handler::handler_fn, serve,
};
use sctp_tokio::{Association, Message, RecvError, SctpListener};
use tower::service_fn;

type Result<T = ()> = std::result::Result<T, Box<dyn Error>>;

const ATTACH: Ppid = Ppid::new(1);
const PAGE: Ppid = Ppid::new(2);
/// Pages have a stream to themselves: a long answer to something else does not hold them up.
const PAGES: StreamId = StreamId::new(1);

/// Subscribers that can be paged.
#[derive(Clone, Default)]
struct Network(PeerTable<String>);

impl Network {
    /// Takes part in the handshake of a subscriber.
    async fn attach(
        &self,
        incoming: &mut IncomingAssociation,
    ) -> std::result::Result<(), Shutdown> {
        let hello = incoming.recv().await.ok_or(Shutdown::AfterAck)?;
        if hello.info.ppid != ATTACH {
            return Err(Shutdown::abort("attach first"));
        }
        let name = String::from_utf8_lossy(&hello.payload).into_owned();
        let answer = hello.reply(format!("attached as {name}"));
        self.0
            .claim(name, incoming)
            .map_err(|_| Shutdown::abort("attached already"))?;
        // An error means that the association is gone, and this future with it.
        let _ = incoming.send(answer).await;
        Ok(())
    }

    /// Pages a subscriber, and returns its answer.
    async fn page(&self, name: &str, text: &str) -> Result<String> {
        let peer = self.0.get(&name.to_owned());
        let peer = peer.ok_or(SendError::NoAssociation)?;
        let page = Message::new(text.to_owned())
            .on_stream(PAGES)
            .with_ppid(PAGE);
        let answer = peer.request(page).await?;
        Ok(String::from_utf8_lossy(&answer.payload).into_owned())
    }

    fn end_subscription(&self, name: &str) -> Result {
        let peer = self.0.get(&name.to_owned());
        let peer = peer.ok_or(SendError::NoAssociation)?;
        Ok(peer.shutdown(Shutdown::abort("your subscription has ended"))?)
    }
}

#[tokio::main]
async fn main() -> Result {
    let listener = SctpListener::bind("127.0.0.1:0").await?;
    let server = listener.local_addrs()?[0];
    let network = Network::default();
    let attaching = network.clone();
    let make_service = service_fn(move |mut incoming: IncomingAssociation| {
        let network = attaching.clone();
        async move {
            network.attach(&mut incoming).await?;
            // Subscribers ask nothing.
            Ok::<_, Shutdown>(handler_fn(async || Shutdown::abort("unexpected request")))
        }
    });
    let calls = ByStream::on(PAGES.get()..=PAGES.get());
    tokio::select! {
        () = serve(listener, make_service).with_correlation(calls).into_future() => Ok(()),
        done = run(server, &network) => done,
    }
}

async fn run(server: SocketAddr, network: &Network) -> Result {
    let mut ann = subscribe(server, "ann").await?;
    let (answer, ()) = tokio::try_join!(network.page("ann", "bob is calling"), take(&mut ann))?;
    println!("network: {answer}");
    if let Err(error) = network.page("bob", "ann is calling").await {
        println!("network: bob cannot be paged: {error}");
    }
    network.end_subscription("ann")?;
    match ann.recv().await {
        Err(RecvError::Closed(end)) => println!("ann: {end}"),
        other => return Err(format!("expected the end, not {other:?}").into()),
    }
    Ok(())
}

async fn subscribe(server: SocketAddr, name: &'static str) -> Result<Association> {
    let mut subscriber = Association::connect(server).await?;
    subscriber
        .send(Message::new(name).with_ppid(ATTACH))
        .await?;
    let reply = subscriber.recv().await?.ok_or("over too early")?;
    println!("{name}: {:?}", reply.payload);
    Ok(subscriber)
}

/// Takes a call that a subscriber is paged for.
async fn take(subscriber: &mut Association) -> Result {
    let page = subscriber.recv().await?.ok_or("over too early")?;
    println!(
        "ann: {} {:?} on stream {}",
        page.info.ppid, page.payload, page.info.stream
    );
    Ok(subscriber.send(page.reply("ann takes it")).await?)
}
