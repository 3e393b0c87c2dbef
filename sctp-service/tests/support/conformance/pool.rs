//! A pool of servers, each reached as a single one is.

use std::{collections::HashMap, net::SocketAddr};

use sctp_service::{
    Config, End, Side,
    client::{
        Client,
        pool::{Pool, Target},
    },
};
use tokio::sync::watch;

use super::{config, server::Server};
use crate::{
    must,
    world::{Place, run},
};

fn pool(places: [&Place; 2]) -> Pool {
    let targets: Vec<Target> = (1..=2)
        .map(|n| SocketAddr::from(([192, 0, 2, n], 9877)).into())
        .collect();
    let connectors = places.map(Place::connector);
    let mut connectors: HashMap<Target, _> = targets.iter().cloned().zip(connectors).collect();
    let builder = Pool::builder().with_client(Client::builder().with_config(config()));
    builder.watch_with(watch::channel(targets).1, move |target, client| {
        client.connect_in_background(connectors.remove(target).unwrap())
    })
}

#[test]
fn pool_loses_no_call_to_a_server_that_drains() {
    run(async {
        let (first, listener) = Place::new();
        let mut drained = Server::start_with(listener, Config::new(), "first");
        let (second, listener) = Place::new();
        let mut left = Server::start_with(listener, Config::new(), "second");
        let pool = pool([&first, &second]);
        // So many at once that both have some.
        let calls: Vec<_> = (0..50)
            .map(|_| {
                let pool = pool.clone();
                tokio::spawn(async move { must(pool.request("wait")).await })
            })
            .collect();
        drained.await_waiting(5).await;
        left.await_waiting(5).await;
        drained.begin_stop();
        must(drained.stopped()).await;
        for _ in 0..20 {
            let reply = must(pool.request("who")).await.unwrap();
            assert_eq!(reply.payload, "second");
        }
        left.begin_stop();
        for call in calls {
            assert_eq!(must(call).await.unwrap().unwrap().payload, "wait");
        }
        must(left.stopped()).await;
        for (target, end) in must(pool.graceful_shutdown()).await {
            assert_eq!(end, Some(End::Shutdown { by: Side::Peer }), "{target:?}");
        }
    });
}
