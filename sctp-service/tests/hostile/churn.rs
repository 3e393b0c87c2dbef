//! Associations that come and go.

use futures::future::join_all;
use sctp_tokio::{AbortReason, ConnectError};

use super::*;
use crate::support::{
    leaks::{available, resident},
    server::{Report, echo},
};

/// One association, opened and dropped in one of many manners.
async fn come_and_go(addr: std::net::SocketAddr, manner: usize) {
    let mut peer = must(Association::connect(addr)).await.unwrap();
    let bye = AbortReason::from_static("bye");
    match manner % 8 {
        0 => drop(peer),
        1 => peer.abort(&bye).unwrap(),
        2 => drop(must(peer.shutdown()).await.unwrap()),
        3 => peer.send("unanswered").await.unwrap(),
        4 => {
            peer.send("unread").await.unwrap();
            peer.abort_without_reason().unwrap();
        }
        5 => {
            peer.send("hello").await.unwrap();
            assert_eq!(reply(&mut peer).await.payload, "hello");
            must(peer.shutdown()).await.unwrap();
        }
        6 => {
            for _ in 0..5 {
                peer.send("one of five").await.unwrap();
            }
            reply(&mut peer).await;
            peer.abort(&bye).unwrap();
        }
        _ => {
            // Gone before it has come: the attempt itself is dropped.
            let mut attempt = Box::pin(Association::connect(addr));
            let _ = futures::poll!(&mut attempt);
            drop(attempt);
            drop(peer);
        }
    }
}

both_styles! {
    async fn thousands_in_all_manners(style: Style) {
        const WARM_UP: usize = 200;
        const ASSOCIATIONS: usize = 1000;
        let mut scene = Scene::new(style, echo).await;
        let addr = scene.server.addr;
        let mut before = (0, 0);
        for batch in 0..(WARM_UP + ASSOCIATIONS) / 10 {
            if batch == WARM_UP / 10 {
                before = (resident(), available());
            }
            join_all((0..10).map(|each| come_and_go(addr, batch * 10 + each))).await;
        }
        let mut closed = 0;
        while closed < WARM_UP + ASSOCIATIONS {
            match must(scene.server.reports.recv()).await.unwrap() {
                Report::Closed(..) => closed += 1,
                Report::Up => {}
                Report::Other(other) => panic!("{other}"),
            }
        }
        let grown = resident().saturating_sub(before.0);
        let machine = before.1.saturating_sub(available());
        println!("after {ASSOCIATIONS} associations: {} more in the process, {} in the machine", kib(grown), kib(machine));
        assert!(grown < 4 << 20, "{}", kib(grown));
        assert_eq!(scene.log.alarms(), 0, "{}", scene.log.summary());
        // One line as each comes up, one as it closes: no more, whatever they did.
        let lines = scene.log.count(tracing::Level::INFO);
        // An attempt that was given up may have come up all the same.
        assert!(lines <= 2 * (closed + closed / 8 + 1), "{lines} lines for {closed} associations");
        scene.over().await;
    }

    async fn without_end(style: Style) {
        const LIMIT: usize = 50;
        const ATTEMPTS: usize = 300;
        let config = Config::default().with_max_associations(LIMIT);
        let mut scene = Scene::with(style, config, SocketBuilder::new(), echo).await;
        let mut kept = Vec::new();
        let mut refused = 0;
        for _ in 0..ATTEMPTS {
            match must(Association::connect(scene.server.addr)).await {
                Ok(mut peer) => {
                    if peer.send("in?").await.is_ok() && let Ok(Some(_)) = must(peer.recv()).await {
                        kept.push(peer);
                        continue;
                    }
                    let end = until_end(&mut peer).await.1;
                    assert_eq!(end.reason().unwrap(), "too many associations");
                }
                Err(ConnectError::Closed { end, .. }) => {
                    assert_eq!(end.reason().unwrap(), "too many associations");
                }
                Err(error) => panic!("{error}"),
            }
            refused += 1;
        }
        // The good client is one.
        assert_eq!((kept.len(), refused), (LIMIT - 1, ATTEMPTS - LIMIT + 1));
        // The log says that the limit is reached, at once and then every ten seconds, not how often
        // it was tried.
        let lines = scene.log.times("too many associations, refusing more");
        let turns = 1 + scene.begun.elapsed().as_secs() / 10;
        assert!(lines >= 1 && u64::try_from(lines).unwrap() <= turns, "{lines} in {turns} turns");
        assert_eq!(scene.log.alarms(), lines, "{}", scene.log.summary());
        // There is room again when they go.
        drop(kept);
        for _ in 0..LIMIT - 1 {
            scene.server.closed().await;
        }
        let mut late = scene.connect().await;
        late.send("now?").await.unwrap();
        assert_eq!(reply(&mut late).await.payload, "now?");
        drop(late);
        scene.server.closed().await;
        scene.over().await;
    }
}
