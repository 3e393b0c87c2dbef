//! Handles in the hands of several threads, while the association ends.

use std::time::Duration;

use sctp_service::{
    AssociationHandle, Config, SendError, Shutdown,
    testing::{Duplex, Peer},
};
use tokio::{
    runtime::Builder,
    task::{JoinSet, yield_now},
};

use crate::{
    Handles,
    support::{on, within},
};

const TASKS: u16 = 4;
const ROUNDS: u32 = 100;

/// No step takes that long; what was lost would take for ever.
const PATIENCE: Duration = Duration::from_secs(60);

/// Pushes numbers until it is told that no more are taken, and answers how many were.
async fn push_on(handle: AssociationHandle, stream: u16) -> u32 {
    let mut accepted = 0_u32;
    loop {
        match within(
            PATIENCE,
            handle.send(on(stream, accepted.to_be_bytes().to_vec())),
        )
        .await
        {
            Ok(()) => accepted += 1,
            Err(SendError::ShuttingDown | SendError::Closed(_)) => return accepted,
            Err(error) => panic!("{error}"),
        }
        if accepted.is_multiple_of(7) {
            yield_now().await;
        }
    }
}

/// Reads until the end, and begins one on the way. Answers how many messages came.
async fn read(peer: &Peer, at: u32, mut end: impl FnMut()) -> u32 {
    let mut next = [0_u32; TASKS as usize + 1];
    let mut read = 0;
    while let Some(message) = within(PATIENCE, peer.recv()).await {
        let expected = &mut next[usize::from(message.info.stream.get())];
        assert_eq!(message.payload[..], expected.to_be_bytes());
        *expected += 1;
        read += 1;
        if read == at {
            end();
        }
    }
    read
}

fn count(closed: &str, name: &str) -> u32 {
    let (_, rest) = closed.split_once(&format!(" {name}: ")).unwrap();
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap()
}

async fn round(number: u32) {
    let mut server = Handles::new(
        Config::new()
            .with_outbound_queue(3)
            .with_outbound_queue_bytes(20),
    );
    let settings = Duplex::new().with_capacity(2);
    let peer = server.server.network.connect_with(settings).await.unwrap();
    let handle = server.ask(&peer).await;
    let mut tasks = JoinSet::new();
    for stream in 1..=TASKS {
        tasks.spawn(push_on(handle.clone(), stream));
    }
    let in_order = number.is_multiple_of(2);
    let read = read(&peer, 5 + number % 50, || {
        let handle = handle.clone();
        let end = match in_order {
            true => Shutdown::AfterAck,
            false => Shutdown::abort("enough"),
        };
        tokio::task::spawn_blocking(move || handle.shutdown(end).unwrap());
    })
    .await;
    within(PATIENCE, handle.closed()).await.unwrap();
    let mut accepted = 0;
    while let Some(task) = within(PATIENCE, tasks.join_next()).await {
        accepted += task.unwrap();
    }
    let mut closed = server.server.log.closed();
    while closed.is_empty() {
        yield_now().await;
        closed = server.server.log.closed();
    }
    assert_eq!(count(&closed, "sends"), accepted, "{closed}");
    let discarded = count(&closed, "discarded_sends");
    // One more was the answer to the first request.
    assert_eq!(count(&closed, "sent") - 1 + discarded, accepted, "{closed}");
    if in_order {
        assert_eq!((read, discarded), (accepted, 0), "{closed}");
    }
}

#[test]
fn sends_from_threads_are_all_accounted_for() {
    let workers = Builder::new_multi_thread()
        .worker_threads(4)
        .enable_all()
        .build()
        .unwrap();
    workers.block_on(async {
        for number in 0..ROUNDS {
            round(number).await;
        }
    });
}
