//! Peers of M3UA that start again under their addresses while the other end knows their old
//! association: the word that it has ended is lost.

use std::{net::SocketAddr, sync::Arc};

use m3ua::{M3uaMessage, MessageType, ProtocolData, error_code};
use sctp_tokio::{AbortReason, Association, SocketBuilder};

use super::{
    netns::{NetNs, two_cables},
    support::{
        Program,
        m3ua::{acknowledge, expect, m3ua, receive, send},
        within,
    },
};

fn m3ua_in(namespace: &NetNs, args: &[&str]) -> Program {
    Program::spawn(namespace.command(&m3ua(args)))
}

/// Ends an association at one end, of which the other hears nothing, and sets up another from the
/// same address.
async fn restart(link: &NetNs, old: Association, peer: &str) -> Association {
    let from = old.initial_local_addrs()[0];
    link.tc("qdisc add dev one root netem loss 100%");
    old.abort(&AbortReason::from_static("lost")).unwrap();
    drop(old);
    link.tc("qdisc del dev one root");
    let peer: SocketAddr = peer.parse().unwrap();
    let again = SocketBuilder::new().with_local_addrs([from]);
    within("connect", again.connect(&[peer])).await.unwrap()
}

#[tokio::test]
async fn process_comes_up_again_when_its_gateway_restarts() {
    const PROCESS: &str = "10.1.0.2:2906";
    let (left, right) = two_cables();
    let link = Arc::new(left);
    let args = ["asp", "--connect", "10.1.0.1:2905", "--local", PROCESS];
    let mut asp = m3ua_in(&right, &[&args[..], &["--routing-context", "1"]].concat());
    let cable = Arc::clone(&link);
    let gateway = link.start(async move || {
        let socket = SocketBuilder::new().with_local_addrs(["10.1.0.1:2905".parse().unwrap()]);
        let mut listener = socket.listen().unwrap();
        let mut gateway = within("accept", listener.accept()).await.unwrap();
        // Its port is needed again.
        drop(listener);
        acknowledge(&mut gateway).await;
        let mut gateway = restart(&cable, gateway, PROCESS).await;
        acknowledge(&mut gateway).await;
        within("shutdown", gateway.shutdown()).await.unwrap();
    });
    gateway.await;
    for _ in 0..2 {
        asp.stdout.find("active");
    }
    asp.stdout.find("closed: shut down by peer");
}

#[tokio::test]
async fn process_that_restarts_comes_up_again_at_the_gateway() {
    const GATEWAY: &str = "10.1.0.2:2905";
    let (left, right) = two_cables();
    let link = Arc::new(left);
    let mut sgp = m3ua_in(&right, &["sgp", "--listen", GATEWAY, "--route", "1:1"]);
    sgp.stdout.find("listening on");
    let cable = Arc::clone(&link);
    let process = link.start(async move || {
        let to: SocketAddr = GATEWAY.parse().unwrap();
        let socket = SocketBuilder::new().with_local_addrs(["10.1.0.1:2906".parse().unwrap()]);
        let mut process = within("connect", socket.connect(&[to])).await.unwrap();
        let text = ProtocolData::new(1, 1, 8, 2, 0, 0, b"hello".to_vec());
        let data = M3uaMessage::data(None, Some(1), text, None);
        for round in 0..3 {
            if round > 0 {
                process = restart(&cable, process, GATEWAY).await;
            }
            send(&process, data.encode()).await;
            let error = receive(&mut process).await;
            assert_eq!(error.error_code(), Some(error_code::UNEXPECTED_MESSAGE));
            for (request, ack) in [
                (M3uaMessage::asp_up(None, None), MessageType::AspUpAck),
                (
                    M3uaMessage::asp_active(None, Some(1)),
                    MessageType::AspActiveAck,
                ),
            ] {
                expect(&mut process, &request, ack).await;
                assert_eq!(
                    receive(&mut process).await.message_type,
                    MessageType::Notify
                );
            }
            send(&process, data.encode()).await;
            assert_eq!(receive(&mut process).await.message_type, MessageType::Data);
        }
        within("shutdown", process.shutdown()).await.unwrap();
    });
    process.await;
    sgp.stdout.find("closed 10.1.0.1:2906: shut down by peer");
}
