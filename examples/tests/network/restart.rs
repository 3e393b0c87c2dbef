//! Peers of M3UA that start again under their addresses while the other end knows their old
//! association: the word that it has ended is lost.

use std::{net::SocketAddr, process::Command, sync::Arc};

use m3ua::{M3uaMessage, MessageType, ProtocolData, error_code};
use sctp_tokio::{AbortReason, Association, Message, Ppid, SocketBuilder};

use super::{
    netns::{NetNs, two_cables},
    support::{Program, within},
};

fn m3ua(namespace: &NetNs, args: &[&str]) -> Program {
    let mut command = Command::new(env!("CARGO_BIN_EXE_m3ua"));
    command.args(args);
    Program::spawn(namespace.command(&command))
}

async fn receive(peer: &mut Association) -> M3uaMessage {
    let received = within("recv", peer.recv()).await.unwrap().unwrap();
    M3uaMessage::decode(&received.payload).unwrap()
}

async fn send(peer: &Association, message: &M3uaMessage) {
    let message = Message::new(message.encode()).with_ppid(Ppid::M3UA);
    within("send", peer.send(message)).await.unwrap();
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
    let again = SocketBuilder::new().bind([from]);
    within("connect", again.connect(&[peer])).await.unwrap()
}

/// Plays a gateway that takes one process up and active.
async fn take_up(gateway: &mut Association) {
    for (request, ack) in [
        (MessageType::AspUp, M3uaMessage::asp_up_ack(None)),
        (
            MessageType::AspActive,
            M3uaMessage::asp_active_ack(None, Some(1)),
        ),
    ] {
        assert_eq!(receive(gateway).await.message_type, request);
        send(gateway, &ack).await;
    }
}

#[tokio::test]
async fn process_comes_up_again_when_its_gateway_restarts() {
    const PROCESS: &str = "10.1.0.2:2906";
    let (left, right) = two_cables();
    let link = Arc::new(left);
    let args = ["asp", "--connect", "10.1.0.1:2905", "--local", PROCESS];
    let mut asp = m3ua(&right, &[&args[..], &["--routing-context", "1"]].concat());
    let cable = Arc::clone(&link);
    let gateway = link.start(async move || {
        let socket = SocketBuilder::new().bind(["10.1.0.1:2905".parse().unwrap()]);
        let mut listener = socket.listen().unwrap();
        let mut gateway = within("accept", listener.accept()).await.unwrap();
        // Its port is needed again.
        drop(listener);
        take_up(&mut gateway).await;
        let mut gateway = restart(&cable, gateway, PROCESS).await;
        take_up(&mut gateway).await;
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
    let mut sgp = m3ua(&right, &["sgp", "--listen", GATEWAY, "--route", "1:1"]);
    sgp.stdout.find("listening on");
    let cable = Arc::clone(&link);
    let process = link.start(async move || {
        let to: SocketAddr = GATEWAY.parse().unwrap();
        let socket = SocketBuilder::new().bind(["10.1.0.1:2906".parse().unwrap()]);
        let mut process = within("connect", socket.connect(&[to])).await.unwrap();
        let text = ProtocolData::new(1, 1, 8, 2, 0, 0, b"hello".to_vec());
        let data = M3uaMessage::data(None, Some(1), text, None);
        for round in 0..3 {
            if round > 0 {
                process = restart(&cable, process, GATEWAY).await;
            }
            send(&process, &data).await;
            let error = receive(&mut process).await;
            assert_eq!(error.error_code(), Some(error_code::UNEXPECTED_MESSAGE));
            for (request, ack) in [
                (M3uaMessage::asp_up(None, None), MessageType::AspUpAck),
                (
                    M3uaMessage::asp_active(None, Some(1)),
                    MessageType::AspActiveAck,
                ),
            ] {
                send(&process, &request).await;
                assert_eq!(receive(&mut process).await.message_type, ack);
                assert_eq!(
                    receive(&mut process).await.message_type,
                    MessageType::Notify
                );
            }
            send(&process, &data).await;
            assert_eq!(receive(&mut process).await.message_type, MessageType::Data);
        }
        within("shutdown", process.shutdown()).await.unwrap();
    });
    process.await;
    sgp.stdout.find("closed 10.1.0.1:2906: shut down by peer");
}
