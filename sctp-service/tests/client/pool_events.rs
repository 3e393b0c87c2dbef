//! Events of a pool, and unsolicited messages of its servers, beyond what is tested on
//! both transports.

use std::{
    io,
    sync::{Arc, OnceLock},
    time::Duration,
};

use sctp_service::{
    Message,
    client::{
        Client,
        pool::{Pool, PoolEvent},
    },
    testing::InMemory,
};
use sctp_tokio::ConnectError;
use tokio::{sync::watch, time::sleep};

use crate::{
    events::Heard,
    pool::{Fleet, addr, answer, call, calls, targets},
    support::{must, settle},
};

#[tokio::test(start_paused = true)]
async fn hooks_of_client_and_pool_are_called() {
    let heard = Heard::default();
    let (pools, clients, servers) = (heard.clone(), heard.clone(), heard.clone());
    let builder = Pool::builder()
        .with_client(Client::builder().on_event(move |_| clients.push("all servers' clients")))
        .on_event(move |event| {
            if let PoolEvent::Client { .. } = event {
                pools.push("the pool");
            }
        });
    let (_list, listed) = watch::channel(targets([1, 2]));
    let _pool = builder.watch_with(listed, move |target, client| {
        let servers = servers.clone();
        let client = match *target == addr(1).into() {
            true => client.on_event(move |_| servers.push("this server's client")),
            false => client,
        };
        client.connect_in_background(|| {
            std::future::ready(Err::<InMemory, _>(ConnectError::Refused {
                peer: Vec::new(),
            }))
        })
    });
    settle().await;
    let mut heard = heard.take();
    heard.sort_unstable();
    let expected = [
        "all servers' clients",
        "all servers' clients",
        "the pool",
        "the pool",
        "this server's client",
    ];
    assert_eq!(heard, expected);
}

/// Nothing is locked that what a hook may want to look at would wait for.
#[tokio::test(start_paused = true)]
async fn hook_may_shut_its_pool_down() {
    let fleet = Fleet::of(1..=2);
    let (list, listed) = watch::channel(targets([1]));
    let pool: Arc<OnceLock<Pool>> = Arc::default();
    let (seen, heard) = (Arc::clone(&pool), Heard::default());
    let hook = heard.clone();
    let builder = Pool::builder().on_event(move |event| {
        if let Some(pool) = seen.get() {
            hook.push(format!("{pool:?}"));
            drop(pool.servers());
            if let PoolEvent::Added { .. } = event {
                let pool = pool.clone();
                tokio::spawn(async move { must(pool.graceful_shutdown()).await });
            }
        }
    });
    let made = fleet.pool(builder, listed);
    pool.set(made.clone()).unwrap();
    settle().await;
    list.send(targets([2])).unwrap();
    settle().await;
    assert!(format!("{made:?}").contains("stopped: true"));
    must(made.graceful_shutdown()).await;
    // 1: up, removed, closed; 2: added, perhaps up and closed, removed.
    assert!(heard.take().len() >= 5);
}

#[tokio::test(start_paused = true)]
async fn unused_server_is_connected_and_shut_down() {
    let fleet = Fleet::of(1..=2);
    let (list, listed) = watch::channel(targets([1]));
    let pool = fleet.pool(Pool::builder(), listed);
    settle().await;
    let first = fleet.peer(1).unwrap();
    list.send(targets([2])).unwrap();
    settle().await;
    first.expect_shutdown().await;
    let second = fleet.peer(2).unwrap();
    // Listed again, it is another one.
    list.send(targets([1, 2])).unwrap();
    settle().await;
    let again = fleet.peer(1).unwrap();
    assert!(!Arc::ptr_eq(&first, &again));
    let calls = calls(&pool, 8).await;
    assert_eq!(answer(&again, 1).await + answer(&second, 2).await, 8);
    for call in calls {
        must(call).await.unwrap().unwrap();
    }
    drop(pool);
    settle().await;
    again.expect_shutdown().await;
    second.expect_shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn failed_lookup_is_reported_with_its_error() {
    let heard = Heard::default();
    let hook = heard.clone();
    let mut answers = vec![Err(io::ErrorKind::TimedOut.into()), Ok(vec![addr(1)])];
    let lookup = move || std::future::ready(answers.pop().unwrap_or_else(|| Ok(Vec::new())));
    let pool = Pool::builder()
        .on_event(move |event| {
            if let PoolEvent::LookupFailed { error, .. } = event {
                assert_eq!(event.server(), None);
                hook.push(error.kind());
            }
        })
        .resolve(lookup, Duration::from_secs(10));
    let _pool = must(pool).await.unwrap();
    sleep(Duration::from_secs(25)).await;
    let expected = [io::ErrorKind::TimedOut, io::ErrorKind::NotFound];
    assert_eq!(heard.take(), expected);
}

#[tokio::test(start_paused = true)]
async fn server_that_sends_without_end_leaves_room_for_others() {
    let fleet = Fleet::of(1..=3);
    let (builder, mut inbox) = Pool::builder().with_inbox(6);
    let pool = fleet.fixed(builder, 1..=3);
    settle().await;
    let peers = [1, 2, 3].map(|server| fleet.peer(server).unwrap());
    for ((peer, messages), server) in peers.iter().zip([100, 1, 100]).zip(1..) {
        for message in 0..messages {
            peer.send(Message::new(vec![server, message]).on_stream(0))
                .await;
        }
        settle().await;
    }
    let mut heard = Vec::new();
    for _ in 0..201 {
        let request = must(inbox.recv()).await.unwrap();
        heard.push((request.payload()[0], request.payload()[1]));
    }
    // Those who waited for room have it before the first again.
    assert!(heard[..16].contains(&(2, 0)), "{heard:?}");
    assert!(heard[..16].contains(&(3, 0)), "{heard:?}");
    for server in [1, 3] {
        let mut messages = heard.iter().filter(|(from, _)| *from == server);
        assert!((0..100).all(|message| messages.next() == Some(&(server, message))));
    }
    // Replies were not held up.
    let one = call(&pool);
    settle().await;
    for (peer, server) in peers.iter().zip(1..) {
        answer(peer, server).await;
    }
    must(one).await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn hooks_of_a_pool_are_called_in_order() {
    let heard = Heard::default();
    let (first, second) = (heard.clone(), heard.clone());
    let note = |heard: Heard<&'static str>, name| {
        move |event: &PoolEvent<'_>| {
            if let PoolEvent::Added { .. } = event {
                heard.push(name);
            }
        }
    };
    let builder = Pool::builder()
        .on_event(note(first, "first"))
        .on_event(|_| panic!("a hook that panics keeps no other from being called"))
        .on_event(note(second, "second"));
    let _pool = Fleet::of([1]).fixed(builder, [1]);
    assert_eq!(heard.take(), ["first", "second"]);
}
