//! Associations by the identity of their peers.

use std::{
    future::IntoFuture,
    hash::{Hash, Hasher},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use sctp_service::{
    IncomingAssociation, PeerTable, ServerEvent, Shutdown, Side,
    client::Connect,
    handler::handler_fn,
    serve, serve_association,
    testing::{Connector, InMemory, Network, Peer, ScriptedListener, duplex},
};
use sctp_tokio::ConnectError;
use tokio::time::sleep;
use tower::service_fn;

use crate::{
    echo,
    support::{must, settle},
};

/// A node whose peers say their names first. A second one of a name is refused, unless it insists.
fn start(table: &PeerTable<String>) -> Network {
    let (listener, network) = ScriptedListener::new();
    let table = table.clone();
    let make = service_fn(move |mut incoming: IncomingAssociation| {
        let table = table.clone();
        async move {
            let name = incoming.recv().await.ok_or(Shutdown::AfterAck)?.payload;
            let name = String::from_utf8_lossy(&name).into_owned();
            let insists = name.ends_with('!');
            let name = name.trim_end_matches('!').to_owned();
            match table.claim(name, &incoming) {
                Ok(()) => {}
                Err(claimed) if insists => {
                    assert_eq!(claimed.initiated_by, Side::Peer);
                    claimed.replace(Shutdown::abort("replaced")).unwrap();
                }
                Err(claimed) => {
                    assert!(!claimed.holder.is_closed());
                    return Err(Shutdown::abort("claimed"));
                }
            }
            let _ = incoming.send("welcome").await;
            // A peer that has more to say before it is open.
            if incoming.recv().await.is_none() {
                return Err(Shutdown::AfterAck);
            }
            Ok(handler_fn(echo))
        }
    });
    tokio::spawn(serve(listener, make).into_future());
    network
}

async fn claim(network: &Network, name: &'static str) -> Peer {
    let peer = network.connect().await.unwrap();
    peer.send(name).await;
    peer.expect_message("welcome").await;
    peer
}

fn names(table: &PeerTable<String>) -> Vec<String> {
    let mut names: Vec<_> = table.handles().into_iter().map(|(name, _)| name).collect();
    names.sort();
    names
}

#[tokio::test(start_paused = true)]
async fn entry_is_listed_while_its_association_is_open() {
    let table = PeerTable::new();
    let network = start(&table);
    let ann = "ann".to_owned();
    let waiting = tokio::spawn({
        let (table, ann) = (table.clone(), ann.clone());
        async move { table.wait_for(&ann).await }
    });
    let peer = claim(&network, "ann").await;
    settle().await;
    assert!(table.get(&ann).is_none() && !waiting.is_finished());
    peer.send("open").await;
    let handle = must(waiting).await.unwrap();
    assert!(table.get(&ann).unwrap().same_association(&handle));
    let _bob = claim(&network, "bob").await;
    assert_eq!(names(&table), ["ann"]);

    handle.graceful_shutdown();
    assert!(table.get(&ann).is_none(), "it drains");
    peer.expect_shutdown().await;
    must(handle.closed()).await;
    must(table.vacant(&ann)).await;
}

#[tokio::test(start_paused = true)]
async fn peer_that_leaves_is_listed_no_more() {
    let table = PeerTable::new();
    let network = start(&table);
    let peer = claim(&network, "ann").await;
    peer.send("open").await;
    let handle = must(table.wait_for(&"ann".to_owned())).await;
    handle.expect_shutdown();
    assert!(table.get(&"ann".to_owned()).is_none());
}

/// Whoever waits for the end can claim at once.
#[tokio::test(start_paused = true)]
async fn entry_is_gone_before_closed_resolves() {
    let ends: [fn(&Peer); 3] = [
        |peer| peer.abort("gone"),
        |peer| peer.restart(),
        |peer| peer.lose(),
    ];
    for end in ends {
        let table = PeerTable::new();
        let network = start(&table);
        let ann = "ann".to_owned();
        let peer = claim(&network, "ann").await;
        peer.send("open").await;
        let handle = must(table.wait_for(&ann)).await;
        let watching = tokio::spawn({
            let (table, ann) = (table.clone(), ann.clone());
            async move {
                handle.closed().await;
                table.vacant(&ann).now_or_never_is_some()
            }
        });
        settle().await;
        end(&peer);
        assert!(must(watching).await.unwrap());
    }
}

trait NowOrNever: Future + Sized {
    fn now_or_never_is_some(self) -> bool {
        futures::FutureExt::now_or_never(self).is_some()
    }
}

impl<F: Future> NowOrNever for F {}

#[tokio::test(start_paused = true)]
async fn second_claim_of_an_identity_returns_the_first() {
    let table = PeerTable::new();
    let network = start(&table);
    let first = claim(&network, "ann").await;
    first.send("open").await;
    let second = network.connect().await.unwrap();
    second.send("ann").await;
    second.expect_abort("claimed").await;
    first.send("still here").await;
    first.expect_message("still here").await;
}

#[tokio::test(start_paused = true)]
async fn replaced_association_leaves_the_new_entry() {
    let table = PeerTable::new();
    let network = start(&table);
    let ann = "ann".to_owned();
    let first = claim(&network, "ann").await;
    first.send("open").await;
    let before = must(table.wait_for(&ann)).await;
    let second = claim(&network, "ann!").await;
    first.expect_abort("replaced").await;
    must(before.closed()).await;
    second.send("open").await;
    let after = must(table.wait_for(&ann)).await;
    assert!(!after.same_association(&before));
    assert_eq!(names(&table), ["ann"]);
}

#[tokio::test(start_paused = true)]
async fn replace_fails_if_the_identity_changed_hands() {
    let table = PeerTable::<&str>::new();
    let claims = Arc::new(Mutex::new(Vec::new()));
    let connect = |insists: bool| {
        let (transport, peer) = duplex();
        let (table, claims) = (table.clone(), claims.clone());
        let make = service_fn(move |incoming: IncomingAssociation| {
            let (table, claims) = (table.clone(), claims.clone());
            async move {
                if let Err(claimed) = table.claim("ann", &incoming) {
                    assert_eq!(claimed.initiated_by, Side::Local);
                    match insists {
                        true => claimed.replace(Shutdown::AfterAck).unwrap(),
                        false => claims.lock().unwrap().push(claimed),
                    }
                }
                Ok::<_, Shutdown>(handler_fn(echo))
            }
        });
        tokio::spawn(serve_association(transport, make).into_future());
        peer
    };
    let first = connect(false);
    settle().await;
    let _late = connect(false);
    settle().await;
    let _second = connect(true);
    first.expect_shutdown().await;
    let late = claims.lock().unwrap().pop().unwrap();
    let holder = late.holder.clone();
    let changed = late.replace(Shutdown::AfterAck).unwrap_err();
    assert!(!changed.holder.same_association(&holder));
    assert!(changed.is_open && !changed.holder.is_closed());
    // The second attempt knows the new holder.
    changed.replace(Shutdown::AfterAck).unwrap();
}

#[tokio::test(start_paused = true)]
async fn entry_is_claimed_again_after_a_restart() {
    let table = PeerTable::new();
    let network = start(&table);
    let ann = "ann".to_owned();
    let peer = claim(&network, "ann").await;
    peer.send("open").await;
    let before = must(table.wait_for(&ann)).await;
    peer.restart();
    peer.send("ann").await;
    peer.expect_message("welcome").await;
    peer.send("open").await;
    let after = must(table.wait_for(&ann)).await;
    assert!(!after.same_association(&before));
}

/// The hook hears of the end when the entry is gone, so it can start something new at once.
#[tokio::test(start_paused = true)]
async fn closed_event_comes_when_the_entry_is_gone() {
    let table = PeerTable::new();
    let (transport, peer) = duplex();
    let claiming = table.clone();
    let make = service_fn(move |incoming: IncomingAssociation| {
        let claimed = claiming.claim("ann", &incoming);
        async move {
            claimed.unwrap();
            Ok::<_, Shutdown>(handler_fn(echo))
        }
    });
    let hook = table.clone();
    let serving = serve_association(transport, make).on_event(move |event| {
        if let ServerEvent::Closed { .. } = event {
            assert!(hook.vacant(&"ann").now_or_never_is_some());
        }
    });
    let serving = tokio::spawn(serving.into_future());
    settle().await;
    assert!(table.get(&"ann").is_some());
    peer.shutdown();
    must(serving).await.unwrap();
    assert!(table.vacant(&"ann").now_or_never_is_some());
}

#[test]
fn default_handle_claims_nothing() {
    let table = PeerTable::new();
    let incoming = IncomingAssociation::new(sctp_service::ConnectInfo::default());
    table.claim("ann", &incoming).unwrap();
    assert!(table.vacant(&"ann").now_or_never_is_some());
}

/// The rule of RFC 6733, section 5.6.4.
fn elect(
    table: &PeerTable<&'static str>,
    (here, peer): (&'static str, &'static str),
    incoming: &IncomingAssociation,
) -> Result<(), Shutdown> {
    let refused = || Shutdown::abort("election lost");
    let Err(claimed) = table.claim(peer, incoming) else {
        return Ok(());
    };
    let kept = if here > peer { Side::Peer } else { Side::Local };
    let is_at_once = claimed.initiated_by != incoming.initiated_by();
    if claimed.is_open || !is_at_once || incoming.initiated_by() != kept {
        return Err(refused());
    }
    claimed.replace(refused()).map_err(|_| refused())
}

/// Connects to its peer while there is no association with it.
struct ToPeer(PeerTable<&'static str>, &'static str, Connector);

impl Connect for ToPeer {
    type Transport = InMemory;

    async fn connect(&mut self) -> Result<InMemory, ConnectError> {
        self.2.connect().await
    }

    async fn wanted(&mut self) {
        self.0.vacant(&self.1).await;
    }
}

/// Runs a node that listens and dials. Each opening of an association is counted.
fn node(
    names: (&'static str, &'static str),
    listener: ScriptedListener,
    to_peer: &Network,
) -> (PeerTable<&'static str>, Arc<AtomicU32>) {
    let table = PeerTable::new();
    let electing = table.clone();
    let make = service_fn(move |mut incoming: IncomingAssociation| {
        let table = electing.clone();
        async move {
            if incoming.initiated_by() == Side::Local {
                elect(&table, names, &incoming)?;
                incoming.send("CER").await.map_err(|_| Shutdown::AfterAck)?;
                incoming.recv().await.ok_or(Shutdown::AfterAck)?;
            } else {
                incoming.recv().await.ok_or(Shutdown::AfterAck)?;
                elect(&table, names, &incoming)?;
                incoming.send("CEA").await.map_err(|_| Shutdown::AfterAck)?;
            }
            Ok::<_, Shutdown>(handler_fn(echo))
        }
    });
    let opened = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&opened);
    let dial = ToPeer(table.clone(), names.1, to_peer.connector());
    let server = serve(listener, make)
        .with_dial(dial)
        .on_event(move |event| {
            if let ServerEvent::Open { .. } = event {
                count.fetch_add(1, Ordering::Relaxed);
            }
        });
    tokio::spawn(server.into_future());
    (table, opened)
}

#[tokio::test(start_paused = true)]
async fn simultaneous_dials_keep_one_association() {
    let (listener_a, to_a) = ScriptedListener::new();
    let (listener_b, to_b) = ScriptedListener::new();
    let (table_a, opened_a) = node(("a", "b"), listener_a, &to_b);
    let (table_b, opened_b) = node(("b", "a"), listener_b, &to_a);
    let kept = must(table_a.wait_for(&"b")).await;
    must(table_b.wait_for(&"a")).await;
    sleep(Duration::from_secs(60)).await;
    assert!(!kept.is_closed());
    assert_eq!(opened_a.load(Ordering::Relaxed), 1);
    assert_eq!(opened_b.load(Ordering::Relaxed), 1);
    // That of the lesser name has set it up.
    assert_eq!(kept.connect_info().unwrap().initiated_by(), Side::Local);
    let known = table_b.get(&"a").unwrap();
    assert_eq!(known.connect_info().unwrap().initiated_by(), Side::Peer);
}

/// An identity whose clone looks into the table.
struct Curious(u8, PeerTable<Self>);

impl Clone for Curious {
    fn clone(&self) -> Self {
        // Takes the lock of the table.
        assert!(!format!("{:?}", self.1).is_empty());
        Self(self.0, self.1.clone())
    }
}

impl PartialEq for Curious {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Eq for Curious {}

impl Hash for Curious {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

#[test]
fn key_is_cloned_outside_of_the_lock() {
    let (done, result) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        runtime.block_on(async {
            let table = PeerTable::new();
            let claiming = table.clone();
            let make = service_fn(move |incoming: IncomingAssociation| {
                let key = Curious(1, claiming.clone());
                claiming.claim(key, &incoming).unwrap();
                async { Ok::<_, Shutdown>(handler_fn(echo)) }
            });
            let (transport, peer) = duplex();
            tokio::spawn(serve_association(transport, make).into_future());
            table.wait_for(&Curious(1, table.clone())).await;
            assert_eq!(table.handles().len(), 1);
            peer.abort("gone");
            table.vacant(&Curious(1, table.clone())).await;
        });
        done.send(()).unwrap();
    });
    let result = result.recv_timeout(Duration::from_secs(30));
    result.expect("a lock is taken twice");
}

#[tokio::test(start_paused = true)]
async fn association_that_has_ended_replaces_nobody() {
    let table = PeerTable::<&'static str>::new();
    let (tell, mut losers) = tokio::sync::mpsc::unbounded_channel();
    let (listener, network) = ScriptedListener::new();
    let claiming = table.clone();
    let make = service_fn(move |incoming: IncomingAssociation| {
        let claimed = claiming.claim("bob", &incoming);
        let refused = claimed.is_err();
        if let Err(claimed) = claimed {
            tell.send(claimed).unwrap();
        }
        async move {
            match refused {
                true => Err(Shutdown::abort("claimed")),
                false => Ok(handler_fn(echo)),
            }
        }
    });
    tokio::spawn(serve(listener, make).into_future());
    let holder = network.connect().await.unwrap();
    let handle = must(table.wait_for(&"bob")).await;
    let loser = network.connect().await.unwrap();
    loser.expect_abort("claimed").await;
    settle().await;
    let claimed = must(losers.recv()).await.unwrap();
    claimed.replace(Shutdown::abort("replaced")).unwrap();
    settle().await;
    assert!(!handle.is_closed());
    assert!(table.get(&"bob").unwrap().same_association(&handle));
    holder.send("hello").await;
    holder.expect_message("hello").await;
}
