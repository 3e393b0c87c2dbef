//! Unsolicited messages of a pool's servers, and the events of a pool.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use sctp_service::{
    Inbox, Request,
    client::{
        Client,
        pool::{Pool, PoolBuilder, Target},
    },
};
use tokio::sync::watch;

use super::{config, events::pool_hook};
use crate::{
    must,
    world::{Hand, Listener, Place, run},
};

fn pool_builder() -> PoolBuilder {
    Pool::builder().with_client(Client::builder().with_config(config()))
}

fn target(server: u8) -> Target {
    SocketAddr::from(([192, 0, 2, server], 9877)).into()
}

/// Three servers, of which the first two are listed.
struct World {
    places: Arc<Mutex<HashMap<Target, Place>>>,
    listeners: Vec<Listener>,
    list: watch::Sender<Vec<Target>>,
    listed: watch::Receiver<Vec<Target>>,
}

impl World {
    fn new() -> Self {
        let mut places = HashMap::new();
        let mut listeners = Vec::new();
        for server in 1..=3 {
            let (place, listener) = Place::new();
            places.insert(target(server), place);
            listeners.push(listener);
        }
        let (list, listed) = watch::channel(vec![target(1), target(2)]);
        Self {
            places: Arc::new(Mutex::new(places)),
            listeners,
            list,
            listed,
        }
    }

    fn pool_with_inbox(&self) -> (Pool, Inbox) {
        let (builder, inbox) = pool_builder().with_inbox(64);
        (self.pool(builder), inbox)
    }

    fn pool(&self, builder: PoolBuilder) -> Pool {
        let places = Arc::clone(&self.places);
        builder.watch_with(self.listed.clone(), move |target, client| {
            client.connect_in_background(places.lock().unwrap()[target].connector())
        })
    }

    async fn accept(&mut self, server: u8) -> Hand {
        must(Hand::accept(&mut self.listeners[usize::from(server) - 1])).await
    }
}

/// Expects a message from this server, of which the pool has the association.
async fn expect(inbox: &mut Inbox, pool: &Pool, server: u8, payload: &str) -> Request {
    let request = must(inbox.recv()).await.unwrap();
    assert_eq!(request.payload(), payload);
    let association = pool.client(&target(server)).unwrap().association();
    assert!(request.association().same_association(&association));
    request
}

#[test]
fn messages_of_all_servers_arrive_across_associations() {
    run(async {
        let mut world = World::new();
        let (pool, mut inbox) = world.pool_with_inbox();
        // No call has been made, and none will be.
        let (first, mut second) = (must(world.accept(1)).await, must(world.accept(2)).await);
        first.send(0, "one").await;
        let before = expect(&mut inbox, &pool, 1, "one").await;
        assert_eq!(before.stream().get(), 0);
        second.send(0, "two").await;
        let two = expect(&mut inbox, &pool, 2, "two").await;
        // An answer goes to the one that asked.
        must(two.association().send("noted")).await.unwrap();
        assert_eq!(must(second.recv()).await, (0, "noted".into()));
        // Another association with the same server.
        first.abort("enough");
        let first = must(world.accept(1)).await;
        first.send(0, "one again").await;
        let after = expect(&mut inbox, &pool, 1, "one again").await;
        assert!(!before.association().same_association(after.association()));
        must(before.association().send("too late"))
            .await
            .unwrap_err();
        // Another server, and one that is listed no more.
        world.list.send(vec![target(1), target(3)]).unwrap();
        assert!(second.end().await.is_orderly());
        let third = must(world.accept(3)).await;
        third.send(0, "three").await;
        expect(&mut inbox, &pool, 3, "three").await;
        let mut servers = pool.servers();
        servers.sort_by_key(|server| server.addrs()[0]);
        assert_eq!(servers, [target(1), target(3)]);
        assert!(pool.client(&target(2)).is_none());
        let ends = must(pool.graceful_shutdown()).await;
        assert_eq!(ends.len(), 2, "{ends:?}");
        assert!(must(inbox.recv()).await.is_none());
    });
}

#[test]
fn message_sent_before_its_server_was_removed_arrives() {
    run(async {
        let mut world = World::new();
        let (pool, mut inbox) = world.pool_with_inbox();
        let mut first = must(world.accept(1)).await;
        let mut second = must(world.accept(2)).await;
        first.send(0, "farewell").await;
        first.send(0, "and again").await;
        expect(&mut inbox, &pool, 1, "farewell").await;
        world.list.send(vec![target(2)]).unwrap();
        assert!(first.end().await.is_orderly());
        assert_eq!(must(inbox.recv()).await.unwrap().payload(), "and again");
        second.send(0, "still here").await;
        expect(&mut inbox, &pool, 2, "still here").await;
        drop(pool);
        assert!(second.end().await.is_orderly());
        assert!(must(inbox.recv()).await.is_none());
    });
}

#[test]
fn hook_receives_servers_and_their_associations() {
    run(async {
        let mut world = World::new();
        let (hook, mut events) = pool_hook();
        let pool = world.pool(pool_builder().on_event(hook));
        let (first, mut second) = (must(world.accept(1)).await, must(world.accept(2)).await);
        events
            .expect_all(&["1 added", "1 up", "2 added", "2 up"])
            .await;
        first.abort("enough");
        let nothing = "0 calls, 0 answered, 0 late, 0/0 discarded, 0 lost, 0 unsent";
        let aborted = format!("1 aborted by peer, reason \"enough\": {nothing}");
        events.expect(&[&aborted, "1 up"]).await;
        let _first = must(world.accept(1)).await;
        world.list.send(vec![target(1)]).unwrap();
        assert!(second.end().await.is_orderly());
        let removed = format!("2 shut down: {nothing}");
        events.expect(&["2 removed", &removed]).await;
        must(pool.graceful_shutdown()).await;
        let closed = format!("1 shut down: {nothing}");
        events.expect_all(&["1 removed", &closed]).await;
    });
}

#[test]
fn hook_receives_outage_and_recovery() {
    run(async {
        let mut world = World::new();
        drop(world.listeners.drain(..));
        let (hook, mut events) = pool_hook();
        let builder = pool_builder().with_ready_timeout(Duration::from_millis(20));
        let pool = world.pool(builder.on_event(hook));
        for _ in 0..3 {
            must(pool.request("x")).await.unwrap_err();
        }
        let heard = |line: &String| line.starts_with("pool ");
        let mut next = async || loop {
            let line = events.next().await;
            if heard(&line) {
                return line;
            }
        };
        let told = next().await;
        assert!(
            told.starts_with("pool unavailable: no association: association refused"),
            "{told}"
        );
        assert!(told.contains("association refused"), "{told}");
        let place = world.places.lock().unwrap().remove(&target(1)).unwrap();
        let _server = super::server::Server::start(place.listen());
        let mut failed = 3;
        while must(pool.request("x")).await.is_err() {
            failed += 1;
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(next().await, format!("pool available, {failed} failed"));
    });
}
