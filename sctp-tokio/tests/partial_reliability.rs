//! Partially reliable messages beside reliable ones, on a path that loses packets and on one that
//! loses none.
#![cfg(target_os = "linux")] // needs SCTP in the kernel
#![allow(clippy::unwrap_used, reason = "a surprise fails the test")]

mod support;

use std::{net::SocketAddr, time::Duration};

use sctp_tokio::{
    AssocId, Message, Reliability, SocketBuilder,
    options::{AssocInfo, InitMsg, RtoInfo},
};
use support::{
    must,
    netns::{NetNs, two_cables},
};
use tokio::sync::{mpsc, oneshot};

/// Messages of each kind that an association sends.
const COUNT: usize = 10;
/// Payload of a reliable message.
const SHORT: usize = 8;
/// Payload of a message that is sent once, in several chunks.
const LONG: usize = 4000;

/// The number of messages of each kind that arrived.
#[derive(Debug, Default)]
struct Arrived {
    long: usize,
    short: usize,
}

/// Retransmits soon, and does not give up: the network may lose all of the few attempts that are the
/// kernel's default.
fn quick() -> SocketBuilder {
    let millis = Duration::from_millis;
    let timeouts = RtoInfo::new()
        .with_initial(millis(100))
        .with_min(millis(30))
        .with_max(millis(200));
    let init = InitMsg::new()
        .with_max_attempts(100)
        .with_max_timeout(millis(200));
    let persistent = AssocInfo::new().with_max_retransmissions(100);
    SocketBuilder::new()
        .with_init(init)
        .configure(move |socket| {
            socket.set_rto_info(AssocId::FUTURE, &timeouts)?;
            socket.set_assoc_info(AssocId::FUTURE, &persistent)
        })
}

fn delay(ends: [&NetNs; 2], loss: &str) {
    for end in ends {
        end.tc(&format!("qdisc add dev one root netem delay 5ms {loss}"));
    }
}

/// Sends long messages once, each with a reliable short one behind it, over one association after
/// another until `enough`. Returns the counts of the last one.
async fn exchange(
    loss: &'static str,
    long: Message,
    associations: usize,
    enough: impl Fn(&Arrived) -> bool + Send + 'static,
) -> Arrived {
    let (left, right) = two_cables();
    delay([&left, &right], loss);
    let (tell, port) = oneshot::channel();
    let (report, mut arrived) = mpsc::unbounded_channel();
    let serving = right.start(move || async move {
        let addr = "10.1.0.2:0".parse().unwrap();
        let mut listener = quick().with_local_addrs([addr]).listen().unwrap();
        tell.send(listener.local_addrs().unwrap()[0].port())
            .unwrap();
        while let Ok(mut server) = listener.accept().await {
            let mut counts = Arrived::default();
            // An end that the bad cable turned into an ABORT has everything before it.
            while let Ok(Some(message)) = must(server.recv()).await {
                match message.payload.len() {
                    SHORT => counts.short += 1,
                    _ => counts.long += 1,
                }
            }
            if report.send(counts).is_err() {
                break;
            }
        }
    });
    let port = must(port).await.unwrap();
    let sending = left.start(move || async move {
        let peer = SocketAddr::new([10, 1, 0, 2].into(), port);
        let mut last = Arrived::default();
        for _ in 0..associations {
            let mut client = must(quick().connect(&[peer])).await.unwrap();
            for _ in 0..COUNT {
                must(client.send(long.clone())).await.unwrap();
                must(client.send(vec![1; SHORT])).await.unwrap();
            }
            must(client.flushed()).await.unwrap();
            must(client.shutdown()).await.unwrap();
            last = must(arrived.recv()).await.unwrap();
            if enough(&last) {
                break;
            }
        }
        last
    });
    let last = sending.await;
    drop(serving);
    last
}

fn sent_once() -> Message {
    Message::new(vec![9; LONG]).with_reliability(Reliability::Retransmissions(0))
}

#[tokio::test]
async fn reliable_message_behind_abandoned_on_its_stream_is_lost() {
    let arrived = exchange("loss 15%", sent_once(), 30, |arrived| arrived.short < COUNT).await;
    assert!(arrived.short < COUNT, "{arrived:?}");
}

#[tokio::test]
async fn reliable_message_beside_abandoned_on_another_stream_arrives() {
    let long = sent_once().on_stream(1);
    let arrived = exchange("loss 15%", long, 10, |arrived| arrived.short < COUNT).await;
    assert_eq!(arrived.short, COUNT);
}

#[tokio::test]
async fn reliable_message_behind_unordered_abandoned_arrives() {
    let long = sent_once().unordered();
    let arrived = exchange("loss 15%", long, 10, |arrived| arrived.short < COUNT).await;
    assert_eq!(arrived.short, COUNT);
}

#[tokio::test]
async fn long_message_sent_once_is_lost_without_packet_loss() {
    let arrived = exchange("", sent_once(), 30, |arrived| arrived.long < COUNT).await;
    assert!(arrived.long < COUNT, "{arrived:?}");
}
