//! Inboxes that take no more.

use std::time::Duration;

use sctp_service::{
    Inbox,
    client::{Client, ClientEvent},
    testing::Peer,
};
use tokio::time::Instant;

use crate::{
    events::Heard,
    identifiers::keyed,
    support::{client_with, must, settle},
};

/// A client with an inbox for one message, its server, what was reported as unsolicited, and the
/// counts of discarded requests.
fn client() -> (Client, Inbox, Peer, Heard<String>, Heard<u64>) {
    let (unsolicited, discarded) = (Heard::default(), Heard::default());
    let (heard, counted) = (unsolicited.clone(), discarded.clone());
    let (builder, inbox) = keyed().with_inbox(1);
    let builder = builder.on_event(move |event| match event {
        ClientEvent::Unsolicited { received, .. } => {
            heard.push(String::from_utf8_lossy(&received.payload).into_owned());
        }
        ClientEvent::Closed { counts, .. } => counted.push(counts.discarded_requests),
        _ => {}
    });
    let (client, peer) = client_with(builder, 2);
    (client, inbox, peer, unsolicited, discarded)
}

#[tokio::test(start_paused = true)]
async fn shutdown_with_a_full_inbox_discards_and_counts() {
    let (client, mut inbox, peer, unsolicited, discarded) = client();
    for text in ["0000Qone", "0000Qtwo", "0000Qthree"] {
        peer.send(text).await;
    }
    settle().await;
    assert_eq!(unsolicited.take(), [""; 0]);
    let began = Instant::now();
    let end = must(client.graceful_shutdown()).await.unwrap();
    assert!(end.is_orderly(), "{end}");
    assert!(began.elapsed() < Duration::from_secs(1));
    assert_eq!(must(inbox.recv()).await.unwrap().payload(), "0000Qone");
    assert_eq!(unsolicited.take(), ["0000Qtwo", "0000Qthree"]);
    assert_eq!(discarded.take(), [2]);
}

#[tokio::test(start_paused = true)]
async fn full_inbox_holds_messages_back_until_there_is_room() {
    let (client, mut inbox, peer, unsolicited, discarded) = client();
    for text in ["0000Qone", "0000Qtwo", "0000Qthree"] {
        peer.send(text).await;
    }
    settle().await;
    for text in ["0000Qone", "0000Qtwo", "0000Qthree"] {
        assert_eq!(must(inbox.recv()).await.unwrap().payload(), text);
    }
    must(client.graceful_shutdown()).await.unwrap();
    assert_eq!(unsolicited.take(), [""; 0]);
    assert_eq!(discarded.take(), [0]);
}

#[tokio::test(start_paused = true)]
async fn messages_for_a_dropped_inbox_are_reported_and_counted() {
    let (client, inbox, peer, unsolicited, discarded) = client();
    peer.send("0000Qone").await;
    settle().await;
    drop(inbox);
    for text in ["0000Qtwo", "0000Qthree"] {
        peer.send(text).await;
    }
    settle().await;
    assert_eq!(unsolicited.take(), ["0000Qtwo", "0000Qthree"]);
    must(client.graceful_shutdown()).await.unwrap();
    assert_eq!(discarded.take(), [2]);
}
