//! A service for each peer: what is served is a function from an association that came up to the
//! service that it gets. Here that looks the peer up in a list, gives it state of its own, and
//! refuses strangers with a reason before any message of theirs is served.
//!
//! ```text
//! cargo run --bin stateful_peers
//! ```
#![forbid(unsafe_code)]

use std::{
    collections::HashMap,
    error::Error,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use sctp_service::{Handler, IncomingAssociation, Shutdown, State, serve};
use sctp_tokio::{SctpListener, SocketBuilder};
use tower::service_fn;

/// The peers that are known, by address.
type Peers = HashMap<IpAddr, &'static str>;

/// State of one association, reset when the peer restarts.
struct Session {
    peer: &'static str,
    messages: AtomicU64,
}

/// Counts the peer's messages. All its streams share the state.
async fn count(State(session): State<Arc<Session>>) -> String {
    let number = session.messages.fetch_add(1, Ordering::Relaxed) + 1;
    format!("{}, message {number}", session.peer)
}

/// Begins a session, or says why not.
fn session(peers: &Peers, incoming: &IncomingAssociation) -> Result<Arc<Session>, Shutdown> {
    let addr = incoming.connect_info.peer_addr().map(|addr| addr.ip());
    match addr.and_then(|addr| peers.get(&addr)) {
        Some(peer) => Ok(Arc::new(Session {
            peer,
            messages: AtomicU64::new(0),
        })),
        None => Err(Shutdown::abort("your address is not known here")),
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let peers: Arc<Peers> = Arc::new(HashMap::from([
        (IpAddr::from([127, 0, 0, 1]), "north"),
        (IpAddr::from([127, 0, 0, 2]), "south"),
    ]));
    // It runs in the task of the association: it may look into a database, and delays nobody else.
    let make_service = service_fn(move |incoming: IncomingAssociation| {
        let peers = Arc::clone(&peers);
        async move { session(&peers, &incoming).map(|session| count.with_state(session)) }
    });
    let listener = SctpListener::bind("127.0.0.1:0").await?;
    let server = listener.local_addrs()?[0];
    tokio::select! {
        () = serve(listener, make_service) => Ok(()),
        done = clients(server) => done,
    }
}

async fn clients(server: SocketAddr) -> Result<(), Box<dyn Error>> {
    client(server, [127, 0, 0, 1], 3).await?;
    client(server, [127, 0, 0, 2], 1).await?;
    client(server, [127, 0, 0, 3], 1).await
}

/// Sends a few messages from an address, and prints what comes back.
async fn client(server: SocketAddr, from: [u8; 4], messages: u32) -> Result<(), Box<dyn Error>> {
    let socket = SocketBuilder::new().with_local_addrs([SocketAddr::from((from, 0))]);
    let mut association = socket.connect(&[server]).await?;
    let from = IpAddr::from(from);
    for _ in 0..messages {
        // It fails if the refusal is here already, which receiving tells better.
        let _ = association.send("hello").await;
        match association.recv().await {
            Ok(reply) => println!("{from}: {:?}", reply.ok_or("over too early")?.payload),
            Err(end) => {
                println!("{from}: {end}");
                return Ok(());
            }
        }
    }
    println!("{from}: {}", association.shutdown().await?);
    Ok(())
}
