//! SIGTERM to a server process under load: what it has read it answers, every reply arrives, each
//! client sees an orderly end, and the process ends with 0.
#![allow(clippy::unwrap_used, reason = "a surprise fails the test")]

mod support;

use std::{collections::HashMap, sync::Arc, time::Duration};

use sctp_tokio::{
    AssocId, Association, End, Event, Message, Side, SocketBuilder, options::RtoInfo,
};
use support::{Server, within};
use tokio::sync::Semaphore;

const CLIENTS: usize = 6;
const STREAMS: u16 = 4;

/// Messages that do not fit into the shared receive buffer are sent again, after a pause of 1, 2,
/// 4 and so on seconds by default: on a slow machine more than the server gives an association to end.
fn client() -> SocketBuilder {
    let timeouts = RtoInfo::new()
        .with_initial(Duration::from_millis(100))
        .with_min(Duration::from_millis(100))
        .with_max(Duration::from_millis(200));
    SocketBuilder::new().configure(move |socket| socket.set_rto_info(AssocId::FUTURE, &timeouts))
}

/// Asks without end, and returns its port and how many answers came before the end. Each answer
/// is the next of its stream.
async fn load(mut peer: Association, answered: Arc<Semaphore>) -> (u16, usize, End) {
    let port = peer.control().local_addrs().unwrap()[0].port();
    let sender = peer.sender();
    let asking = tokio::spawn(async move {
        for number in 0u32.. {
            let stream = u16::try_from(number % u32::from(STREAMS)).unwrap();
            let question = [&number.to_be_bytes()[..], &[b'q'; 500]].concat();
            let question = Message::new(question).on_stream(stream);
            if sender.send(question).await.is_err() {
                return;
            }
        }
    });
    let mut next: Vec<u32> = (0..u32::from(STREAMS)).collect();
    let mut answers = 0;
    let end = loop {
        match peer.next_event().await.unwrap() {
            Event::Message(answer) => {
                let stream = usize::from(answer.info.stream.get());
                let number = u32::from_be_bytes(*answer.payload.first_chunk().unwrap());
                assert_eq!(number, next[stream], "lost or out of order on {stream}");
                next[stream] += u32::from(STREAMS);
                answers += 1;
                answered.add_permits(1);
            }
            Event::Closed(end) => break end,
            _ => {}
        }
    };
    asking.await.unwrap();
    (port, answers, end)
}

/// Returns the counts in the server's log by name, for each port of a peer.
fn counts(log: &str) -> HashMap<u16, HashMap<String, usize>> {
    let closed = log
        .lines()
        .filter(|line| line.contains("association closed"));
    let read = closed.map(|line| {
        let (_, port) = line.split_once("peer=127.0.0.1:").unwrap();
        let port = port.split_once('}').unwrap().0.parse().unwrap();
        let (_, counts) = line.split_once("requests=").unwrap();
        let counts = format!("requests={counts}");
        let named = counts.split_whitespace().map(|count| {
            let (name, value) = count.split_once('=').unwrap();
            (name.to_owned(), value.parse().unwrap())
        });
        (port, named.collect())
    });
    read.collect()
}

async fn sigterm_under_load(style: &str) {
    let mut server = Server::start(&["--style", style]);
    let answered = Arc::new(Semaphore::new(0));
    let mut loads = Vec::new();
    for _ in 0..CLIENTS {
        let peer = client()
            .connect(&[server.addr().parse().unwrap()])
            .await
            .unwrap();
        loads.push(tokio::spawn(load(peer, Arc::clone(&answered))));
    }
    let under_way = answered.acquire_many(2000);
    drop(within("answers", under_way).await.unwrap());
    server.program.terminate();
    let mut came = HashMap::new();
    for ended in loads {
        let (port, answers, end) = within("the end", ended).await.unwrap();
        assert_eq!(end, End::Shutdown { by: Side::Peer });
        came.insert(port, answers);
    }
    server.program.exits_with(0);

    let log = server.program.stderr.text();
    let counts = counts(&log);
    assert_eq!(counts.len(), CLIENTS, "{log}");
    for (port, answers) in came {
        let counts = &counts[&port];
        assert_eq!(counts["sent"], answers, "a reply was lost: {counts:?}");
        assert_eq!(
            counts["requests"], answers,
            "a call had no reply: {counts:?}"
        );
        // Requests that the clients go on sending are read until the end, and not served.
        for thrown_away in ["discarded_replies", "dropped_calls"] {
            assert_eq!(counts[thrown_away], 0, "{counts:?}");
        }
    }
}

#[tokio::test]
async fn sigterm_under_load_loses_no_reply_of_peeled_off_associations() {
    sigterm_under_load("peel-off").await;
}

#[tokio::test]
async fn sigterm_under_load_loses_no_reply_of_associations_on_one_socket() {
    sigterm_under_load("one-to-many").await;
}
