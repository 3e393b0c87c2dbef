//! A server that begins: subscribers attach, and a network has calls for them. Each association's
//! handle is kept under its subscriber's name; a page goes out through it, on a stream of its own,
//! and what the subscriber answers comes to the service like any message. Whose subscription ends
//! is told so in an ABORT.
//!
//! ```text
//! cargo run --bin paging
//! ```
#![forbid(unsafe_code)]

use std::{
    collections::HashMap,
    error::Error,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use sctp_service::{AssociationHandle, Ppid, Router, SendError, Shutdown, State, StreamId, serve};
use sctp_tokio::{Association, Message, RecvError, SctpListener};
use tokio::sync::mpsc;

type Result<T = ()> = std::result::Result<T, Box<dyn Error>>;

const ATTACH: Ppid = Ppid::new(1);
const PAGE: Ppid = Ppid::new(2);
/// Pages have a stream to themselves: a long answer to something else does not hold them up.
const PAGES: StreamId = StreamId::new(1);

/// Subscribers that can be paged, and the answers to pages.
#[derive(Clone)]
struct Network {
    attached: Arc<Mutex<HashMap<String, AssociationHandle>>>,
    answers: mpsc::Sender<String>,
}

impl Network {
    async fn page(&self, name: &str, text: &str) -> std::result::Result<(), SendError> {
        // Of nobody, if nobody has this name: then it answers that there is no association.
        let peer = self.attached().get(name).cloned().unwrap_or_default();
        let page = Message::new(text.to_owned())
            .on_stream(PAGES)
            .with_ppid(PAGE);
        peer.send(page).await
    }

    fn end_subscription(&self, name: &str) -> std::result::Result<(), SendError> {
        let peer = self.attached().get(name).cloned().unwrap_or_default();
        peer.shutdown(Shutdown::abort("your subscription has ended"))
    }

    /// Forgets a subscriber whose association is over, unless it has attached anew.
    async fn watch(self, name: String, peer: AssociationHandle) {
        let end = peer.closed().await;
        let mut attached = self.attached();
        if attached
            .get(&name)
            .is_some_and(|held| held.same_association(&peer))
        {
            attached.remove(&name);
            let how = end.map_or("gone".to_owned(), |end| end.to_string());
            println!("server: {name} is detached: {how}");
        }
    }

    fn attached(&self) -> MutexGuard<'_, HashMap<String, AssociationHandle>> {
        self.attached.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The answer is pushed and not returned: whoever is registered can be paged, and must not be before it
/// has the answer. No `await` is between the last two lines: were the association to end in it, the call
/// would be dropped there, and nobody would forget the subscriber.
async fn attach(State(network): State<Network>, peer: AssociationHandle, name: String) {
    let answer = Message::new(format!("attached as {name}")).with_ppid(ATTACH);
    if peer.send(answer).await.is_ok() {
        network.attached().insert(name.clone(), peer.clone());
        tokio::spawn(network.watch(name, peer));
    }
}

/// Answers nothing: this is an answer itself.
async fn page_answered(State(network): State<Network>, answer: String) {
    // An error means that nobody asks any more.
    let _ = network.answers.send(answer).await;
}

#[tokio::main]
async fn main() -> Result {
    let listener = SctpListener::bind("127.0.0.1:0").await?;
    let server = listener.local_addrs()?[0];
    let (answers, mut answered) = mpsc::channel(16);
    let network = Network {
        attached: Arc::default(),
        answers,
    };
    let router = Router::new()
        .route(ATTACH, attach)
        .route(PAGE, page_answered)
        .with_state(network.clone());
    tokio::select! {
        () = serve(listener, router) => Ok(()),
        done = run(server, &network, &mut answered) => done,
    }
}

async fn run(
    server: SocketAddr,
    network: &Network,
    answered: &mut mpsc::Receiver<String>,
) -> Result {
    let mut ann = subscribe(server, "ann").await?;
    network.page("ann", "bob is calling").await?;
    let page = ann.recv().await?.ok_or("over too early")?;
    println!(
        "ann: {} {:?} on stream {}",
        page.info.ppid, page.payload, page.info.stream
    );
    ann.send(Message::new("ann takes it").with_ppid(PAGE))
        .await?;
    println!("network: {}", answered.recv().await.ok_or("no answer")?);
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
