//! The README's server, as it is run from there.
#![allow(clippy::unwrap_used, reason = "a surprise fails the test")]

mod support;

use std::{process::Command, time::Duration};

use sctp_tokio::{Association, End, Event, Message, Side};
use support::{Program, within};
use tokio::time::sleep;

/// The port is the program's own, and nobody else's in this guest: hence one test, and no more.
const ADDR: &str = "127.0.0.1:9877";

#[tokio::test]
async fn hello_server_replies_terminates_and_drains() {
    for signal in ["INT", "TERM"] {
        let mut server = Program::spawn(Command::new(env!("CARGO_BIN_EXE_hello-server")));
        let mut stays = connect().await;
        ask(&mut stays, "you", "hello, you").await;

        let mut quits = connect().await;
        ask(&mut quits, "quit", "goodbye").await;
        assert_eq!(end(&mut quits).await, End::Shutdown { by: Side::Peer });

        let mut aborts = connect().await;
        aborts.send("abort").await.unwrap();
        assert_eq!(end(&mut aborts).await.reason().unwrap(), "as you wish");

        server.signal(signal);
        assert_eq!(end(&mut stays).await, End::Shutdown { by: Side::Peer });
        server.exits_with(0);
    }
}

/// The server says nothing when it listens, so this asks until it does.
async fn connect() -> Association {
    let listening = async {
        loop {
            match Association::connect(ADDR).await {
                Ok(association) => return association,
                Err(_) => sleep(Duration::from_millis(2)).await,
            }
        }
    };
    within("connect", listening).await
}

async fn ask(association: &mut Association, name: &'static str, answer: &str) {
    let question = Message::new(name).on_stream(3);
    association.send(question).await.unwrap();
    let reply = within("recv", association.recv()).await;
    let reply = reply.unwrap().unwrap();
    assert_eq!(
        (&*reply.payload, reply.info.stream.get()),
        (answer.as_bytes(), 3)
    );
}

async fn end(association: &mut Association) -> End {
    let ended = async {
        loop {
            if let Event::Closed(end) = association.next_event().await.unwrap() {
                return end;
            }
        }
    };
    within("the end", ended).await
}
