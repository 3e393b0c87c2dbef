//! The program `m3ua`, and the ends of M3UA that tests play themselves.

use std::process::Command;

use m3ua::{M3uaMessage, MessageType};
use sctp_service::Ppid;
use sctp_tokio::{Association, Message};

use super::within;

/// The program, which is not started yet.
pub(crate) fn m3ua(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_m3ua"));
    command.env_remove("RUST_LOG").args(args);
    command
}

pub(crate) async fn send(peer: &Association, octets: Vec<u8>) {
    let message = Message::new(octets).with_ppid(Ppid::M3UA);
    within("send", peer.send(message)).await.unwrap();
}

pub(crate) async fn receive(peer: &mut Association) -> M3uaMessage {
    let received = within("recv", peer.recv()).await.unwrap().unwrap();
    assert_eq!(received.info.ppid, Ppid::M3UA);
    M3uaMessage::decode(&received.payload).unwrap()
}

/// Sends a message, and expects this one in return.
pub(crate) async fn expect(
    peer: &mut Association,
    sent: &M3uaMessage,
    answer: MessageType,
) -> M3uaMessage {
    send(peer, sent.encode()).await;
    let received = receive(peer).await;
    assert_eq!(received.message_type, answer, "{received:?}");
    received
}

/// Plays a gateway that takes a process up and active.
pub(crate) async fn acknowledge(process: &mut Association) {
    for (request, ack) in [
        (MessageType::AspUp, M3uaMessage::asp_up_ack(None)),
        (
            MessageType::AspActive,
            M3uaMessage::asp_active_ack(None, Some(1)),
        ),
    ] {
        assert_eq!(receive(process).await.message_type, request);
        send(process, ack.encode()).await;
    }
}
