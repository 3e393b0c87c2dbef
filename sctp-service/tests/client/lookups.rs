//! Pools whose servers are looked up.

use std::{
    future::{pending, ready},
    io,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use sctp_service::{Cause, client::pool::Pool};
use tokio::{sync::watch, time::sleep};

use crate::{
    pool::{Fleet, addr, call, calls, targets},
    support::must,
};

#[tokio::test(start_paused = true)]
async fn only_the_first_failed_lookup_is_an_error() {
    let interval = Duration::from_secs(10);
    let refused = || async { Err(io::ErrorKind::NotFound.into()) };
    let error = Pool::builder()
        .resolve(refused, interval)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
    let hangs = || pending::<io::Result<Vec<SocketAddr>>>();
    let error = must(Pool::builder().resolve(hangs, interval))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);

    let lookups = Arc::new(Mutex::new(0));
    let count = Arc::clone(&lookups);
    let once = move || {
        let mut count = count.lock().unwrap();
        *count += 1;
        ready(match *count {
            1 => Ok(vec![addr(1)]),
            _ => Err(io::ErrorKind::NotFound.into()),
        })
    };
    // Nothing listens anywhere: what matters is that the list is kept and asked for again.
    let pool = Pool::builder().resolve(once, interval).await.unwrap();
    sleep(Duration::from_secs(35)).await;
    assert_eq!(*lookups.lock().unwrap(), 4);
    drop(pool);
    sleep(Duration::from_secs(35)).await;
    assert_eq!(*lookups.lock().unwrap(), 4, "nobody needs it any more");
}

#[tokio::test]
async fn names_are_looked_up_through_the_system() {
    let second = Duration::from_secs(1);
    assert!(Pool::builder().dns("127.0.0.1:9877", second).await.is_ok());
    let error = Pool::builder().dns("no port", second).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
}

#[tokio::test(start_paused = true)]
async fn lookup_that_finds_nothing_at_first_is_an_error() {
    let interval = Duration::from_secs(10);
    let nothing = || ready(Ok(Vec::new()));
    let error = Pool::builder()
        .resolve(nothing, interval)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
    assert_eq!(error.to_string(), "lookup found no server");
}

#[tokio::test(start_paused = true)]
async fn empty_list_in_a_channel_removes_all_servers() {
    let fleet = Fleet::of([1]);
    let (servers, watched) = watch::channel(targets([1]));
    let pool = fleet.pool(Pool::builder(), watched);
    let before = calls(&pool, 1).await;
    let peer = fleet.peer(1).unwrap();
    must(peer.recv()).await.unwrap();
    servers.send(Vec::new()).unwrap();
    let error = must(call(&pool)).await.unwrap().unwrap_err();
    assert!(matches!(error.cause(), Cause::Unavailable(None)), "{error}");
    assert_eq!(error.to_string(), "no server ready in time (not sent)");
    drop(before);
}

#[tokio::test]
async fn name_that_does_not_resolve_is_in_the_error() {
    let name = "no-such-host.invalid:9877";
    let pool = Pool::builder().dns(name, Duration::from_secs(60)).await;
    let error = pool.unwrap_err().to_string();
    assert!(
        error.contains("cannot resolve no-such-host.invalid:9877: "),
        "{error}"
    );
}
