//! The load of the side-by-side benchmark must not take a wrong echo for a right one.
#![allow(
    clippy::unwrap_used,
    reason = "the lint's exception for tests does not see helpers"
)]

#[allow(dead_code, reason = "the benchmark compiles more than this test")]
#[path = "../../sctp-tokio/benches/support/compile.rs"]
mod compile;
#[path = "support/mod.rs"]
mod support;

use std::{os::unix::process::ExitStatusExt, path::PathBuf, process::Command, sync::LazyLock};

use bytes::{Bytes, BytesMut};
use sctp_tokio::Association;
use support::{Program, in_process};

const SIGALRM: i32 = 14;

/// The echoes of one message, and whether it is the one that a lie is about.
type Lie = fn(Bytes) -> Vec<Bytes>;

#[test]
fn right_echo_is_counted() {
    for size in [1, 8, 64, 65_536] {
        let mut client = client(|message| vec![message], size);
        assert_eq!(client.stdout.find("ready"), "ready");
        client.line("");
        let result = client.stdout.next();
        let messages = result.split(' ').next().unwrap();
        assert!(messages.parse::<u64>().unwrap() > 0, "{result}");
        client.line("");
        client.exits_with(0);
    }
}

#[test]
fn wrong_echo_is_not() {
    let lies: [(&str, Lie, &str); 7] = [
        (
            "a bit flipped",
            |message| vec![flipped(&message, 40)],
            "other content",
        ),
        (
            "the last bit flipped",
            |message| vec![flipped(&message, 63)],
            "other content",
        ),
        (
            "another association's",
            |message| vec![flipped(&message, 0)],
            "another message",
        ),
        ("missing", |_| vec![], "another message"),
        (
            "twice",
            |message| vec![message.clone(), message],
            "another message",
        ),
        ("cut", |message| vec![message.slice(..63)], "too short"),
        (
            "longer",
            |message| vec![[&message[..], b"x"].concat().into()],
            "too long",
        ),
    ];
    for (what, lie, complaint) in lies {
        let mut client = client(lie, 64);
        let status = client.status();
        let said = client.stderr.text();
        assert_eq!(status.code(), Some(1), "{what}: {said}");
        assert!(said.contains(complaint), "{what}: {said}");
        assert_eq!(client.stdout.text(), "", "{what}");
    }
}

#[test]
fn wrong_part_of_a_long_echo_is_not() {
    let mut client = client(|message| vec![flipped(&message, 65_000)], 65_536);
    assert_eq!(client.status().code(), Some(1));
    assert!(client.stderr.text().contains("other content"));
}

#[test]
fn echo_that_never_comes_is_waited_for_in_vain() {
    let port = serve(|_| vec![], usize::MAX);
    let mut client = Program::spawn(command(port, 64, 1));
    let status = client.status();
    assert_eq!(status.signal(), Some(SIGALRM), "{status}");
    assert_eq!(client.stdout.text(), "");
}

/// The client, under way against a server that lies about its tenth message.
fn client(lie: Lie, size: usize) -> Program {
    Program::spawn(command(serve(lie, 1), size, 20))
}

/// One association, 8 messages in flight, 50 ms, with so many seconds' patience in all.
fn command(port: u16, size: usize, patience: u32) -> Command {
    static CLIENT: LazyLock<PathBuf> = LazyLock::new(|| compile::program("client").unwrap());
    let mut command = Command::new(&*CLIENT);
    command.args([port.to_string(), "1".into(), "8".into(), size.to_string()]);
    command.args(["50", "sctp", &patience.to_string()]);
    command
}

fn flipped(message: &[u8], at: usize) -> Bytes {
    let mut message = BytesMut::from(message);
    message[at] ^= 1;
    message.freeze()
}

/// A server that echoes nine messages, lies about so many, and echoes what is left.
fn serve(lie: Lie, lies: usize) -> u16 {
    let addr = in_process::start(async move |addr| {
        let sockets = in_process::loopback()
            .with_send_buffer_size(1 << 20)
            .with_recv_buffer_size(1 << 20);
        let mut listener = sockets.listen().unwrap();
        addr.send(listener.local_addrs().unwrap()[0]).unwrap();
        let association = listener.accept().await.unwrap();
        echo(association, lie, lies).await;
    });
    addr.port()
}

async fn echo(mut association: Association, lie: Lie, lies: usize) {
    let mut number = 0_usize;
    while let Ok(Some(received)) = association.recv().await {
        let is_lie = (9..lies.saturating_add(9)).contains(&number);
        let echoes = match is_lie {
            true => lie(received.payload.clone()),
            false => vec![received.payload.clone()],
        };
        number += 1;
        for payload in echoes {
            if association.send(received.reply(payload)).await.is_err() {
                return;
            }
        }
    }
}
