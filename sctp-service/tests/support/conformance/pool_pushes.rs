//! Unsolicited messages of a pool's servers, and the events of a pool.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use sctp_service::client::{
    Client,
    pool::{Pool, PoolPush, PoolPushes, Target},
};
use tokio::sync::watch;

use super::{config, events::pool_hook};
use crate::{
    must,
    world::{Hand, Listener, Place, run},
};

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

    fn pool(&self, builder: sctp_service::client::pool::PoolBuilder) -> Pool {
        let places = Arc::clone(&self.places);
        let client = Client::builder().with_config(config());
        let builder = builder.with_client(client);
        builder.watch_with(self.listed.clone(), move |target, client| {
            client.connect_in_background(places.lock().unwrap()[target].connector())
        })
    }

    async fn accept(&mut self, server: u8) -> Hand {
        must(Hand::accept(&mut self.listeners[usize::from(server) - 1])).await
    }
}

async fn next(pushes: &mut PoolPushes) -> PoolPush {
    must(pushes.recv()).await.unwrap()
}

async fn expect(pushes: &mut PoolPushes, server: u8, payload: &str) {
    let push = next(pushes).await;
    assert_eq!(
        (&push.server, &push.received.payload[..]),
        (&target(server), payload.as_bytes())
    );
}

#[test]
fn pushes_of_all_servers_come_whatever_associations_and_servers_come_and_go() {
    run(async {
        let mut world = World::new();
        let pool = world.pool(Pool::builder());
        let mut pushes = pool.pushes().unwrap();
        assert!(pool.pushes().is_none());
        // No call has been made, and none will be.
        let (first, second) = (must(world.accept(1)).await, must(world.accept(2)).await);
        first.send(0, "one").await;
        let push = next(&mut pushes).await;
        assert_eq!(push.server, target(1));
        assert_eq!(push.received.payload, "one");
        assert_eq!(push.received.info.stream.get(), 0);
        let before = push.connect_info;
        second.send(0, "two").await;
        expect(&mut pushes, 2, "two").await;
        // An answer to one of them goes to no other.
        let client = pool.client(&target(2)).unwrap();
        must(client.send("noted")).await.unwrap();
        let mut second = second;
        assert_eq!(must(second.recv()).await, (0, "noted".into()));
        // Another association with the same server.
        first.abort("enough");
        let first = must(world.accept(1)).await;
        first.send(0, "one again").await;
        let push = next(&mut pushes).await;
        assert_eq!(
            (push.server, push.received.payload),
            (target(1), "one again".into())
        );
        assert_ne!(push.connect_info, before);
        // Another server, and one that is listed no more.
        world.list.send(vec![target(1), target(3)]).unwrap();
        assert!(second.end().await.is_orderly());
        let third = must(world.accept(3)).await;
        third.send(0, "three").await;
        expect(&mut pushes, 3, "three").await;
        let mut servers = pool.servers();
        servers.sort_by_key(|server| server.addrs()[0]);
        assert_eq!(servers, [target(1), target(3)]);
        assert!(pool.client(&target(2)).is_none());
        let ends = must(pool.graceful_shutdown()).await;
        assert_eq!(ends.len(), 2, "{ends:?}");
        assert_eq!(must(pushes.recv()).await, None);
        assert_eq!(pushes.lost(), 0);
    });
}

#[test]
fn messages_of_a_removed_server_are_received() {
    run(async {
        let mut world = World::new();
        let pool = world.pool(Pool::builder());
        let mut pushes = pool.pushes().unwrap();
        drop(pool);
        let mut first = must(world.accept(1)).await;
        let mut second = must(world.accept(2)).await;
        first.send(0, "farewell").await;
        first.send(0, "and again").await;
        expect(&mut pushes, 1, "farewell").await;
        world.list.send(vec![target(2)]).unwrap();
        assert!(first.end().await.is_orderly());
        expect(&mut pushes, 1, "and again").await;
        second.send(0, "still here").await;
        expect(&mut pushes, 2, "still here").await;
        drop(pushes);
        assert!(second.end().await.is_orderly());
    });
}

#[test]
fn hook_hears_of_servers_and_of_their_associations() {
    run(async {
        let mut world = World::new();
        let (hook, mut events) = pool_hook();
        let pool = world.pool(Pool::builder().on_event(hook));
        let (first, mut second) = (must(world.accept(1)).await, must(world.accept(2)).await);
        events
            .expect_all(&["1 added", "1 up", "2 added", "2 up"])
            .await;
        first.abort("enough");
        let nothing = "0 calls, 0 answered, 0 late, 0/0 pushes lost, 0 lost, 0 unsent";
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
fn hook_hears_when_no_server_is_ready_and_when_one_is() {
    run(async {
        let mut world = World::new();
        drop(world.listeners.drain(..));
        let (hook, mut events) = pool_hook();
        let builder = Pool::builder().with_ready_timeout(Duration::from_millis(20));
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
