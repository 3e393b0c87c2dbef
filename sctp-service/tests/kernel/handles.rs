//! Messages that the server begins, and ends that it asks for, on the wire.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::Relaxed},
};

use bytes::Bytes;
use sctp_service::{AssociationHandle, Config, End, Message, Ppid, SendError, Shutdown, Side};
use sctp_tokio::{Association, SocketBuilder};
use tokio::sync::mpsc;

use crate::{
    both_styles, must, reply,
    server::{Server, Style, quick},
    support::leaks::{Leaks, descriptors, eventually},
    until_end,
};

/// A server that echoes, and hands out the handle of each request.
fn start(style: Style, config: Config) -> (Server, mpsc::Receiver<AssociationHandle>) {
    start_with(style, config, SocketBuilder::new())
}

fn start_with(
    style: Style,
    config: Config,
    socket: SocketBuilder,
) -> (Server, mpsc::Receiver<AssociationHandle>) {
    let (tell, handles) = mpsc::channel(10);
    let service = async move |handle: AssociationHandle, payload: Bytes| {
        tell.send(handle).await.unwrap();
        payload
    };
    let server = Server::start_with(style, config, socket, service);
    (server, handles)
}

/// Asks, and returns the handle that came with the request.
async fn ask(
    client: &mut Association,
    handles: &mut mpsc::Receiver<AssociationHandle>,
) -> AssociationHandle {
    client.send("hello").await.unwrap();
    reply(client).await;
    must(handles.recv()).await.unwrap()
}

both_styles! {
    async fn a_push_arrives_as_it_was_made(style: Style) {
        let (server, mut handles) = start(style, Config::new());
        let mut client = server.connect().await;
        let handle = ask(&mut client, &mut handles).await;
        let message = Message::new("news").on_stream(5).with_ppid(Ppid::NGAP).unordered();
        must(handle.send(message)).await.unwrap();
        let received = reply(&mut client).await;
        assert_eq!(received.payload, "news");
        assert_eq!(received.info.stream.get(), 5);
        assert_eq!(received.info.ppid, Ppid::NGAP);
        assert!(received.info.unordered);
    }

    async fn an_orderly_end_comes_behind_what_was_pushed(style: Style) {
        let (server, mut handles) = start(style, Config::new());
        let mut client = server.connect().await;
        let handle = ask(&mut client, &mut handles).await;
        for number in 0..20 {
            must(handle.send(number.to_string())).await.unwrap();
        }
        handle.shutdown(Shutdown::AfterAck).unwrap();
        let (messages, end) = until_end(&mut client).await;
        let expected: Vec<_> = (0..20).map(|number| number.to_string()).collect();
        assert_eq!(messages, expected);
        assert_eq!(end, End::Shutdown { by: Side::Peer });
        assert_eq!(must(handle.closed()).await, Some(End::Shutdown { by: Side::Local }));
    }

    async fn an_abort_carries_its_reason(style: Style) {
        let (server, mut handles) = start(style, Config::new());
        let mut client = server.connect().await;
        let handle = ask(&mut client, &mut handles).await;
        handle.shutdown(Shutdown::abort("licence expired")).unwrap();
        let (_, end) = until_end(&mut client).await;
        assert_eq!(end.reason().unwrap(), "licence expired");
        must(handle.closed()).await.unwrap();
        assert!(matches!(handle.try_send("late").map_err(SendError::from), Err(SendError::Closed(_))));
    }

    async fn only_too_long_messages_are_refused(style: Style) {
        let (server, mut handles) = start(style, Config::new());
        let mut client = server.connect().await;
        let handle = ask(&mut client, &mut handles).await;
        let (mut fits, mut too_long) = (1, 16 << 20);
        while fits + 1 < too_long {
            let len = (fits + too_long) / 2;
            match handle.try_send(vec![b'x'; len]).map_err(SendError::from) {
                Err(SendError::TooLarge { .. }) => too_long = len,
                other => {
                    other.unwrap();
                    fits = len;
                    assert_eq!(reply(&mut client).await.payload.len(), len);
                }
            }
        }
        println!("the longest message has {fits} bytes");
        assert!(fits > 100_000, "{fits}");
        assert!(handle.send(Message::new("x").on_stream(60_000)).await.is_err());
        ask(&mut client, &mut handles).await;
    }

    /// The client reads nothing for so long that a shared socket would be full for everybody.
    async fn slow_peer_receives_the_rest_later(style: Style) {
        let (server, mut handles) = start_with(style, Config::new(), quick());
        let lazy = SocketBuilder::new().with_recv_buffer_size(60_000);
        let mut client = must(lazy.connect(&[server.addr])).await.unwrap();
        let handle = ask(&mut client, &mut handles).await;
        let mut other = server.connect().await;
        ask(&mut other, &mut handles).await;
        let before = descriptors();
        let done = Arc::new(AtomicBool::new(false));
        let (pushing, pushed) = (handle.clone(), Arc::clone(&done));
        let pushing = tokio::spawn(async move {
            for number in 0..200_u32 {
                let mut payload = vec![b'x'; 8_000];
                payload[..4].copy_from_slice(&number.to_be_bytes());
                pushing.send(payload).await.unwrap();
            }
            pushed.store(true, Relaxed);
        });
        // Others are served meanwhile.
        for _ in 0..100 {
            ask(&mut other, &mut handles).await;
        }
        assert!(!done.load(Relaxed), "1.6 megabytes were taken that nobody read");
        if style == Style::OneToMany {
            // It has left the shared socket, and its handle goes with it.
            eventually(|| descriptors() > before).await;
        }
        for number in 0..200_u32 {
            let received = reply(&mut client).await;
            assert_eq!(received.payload[..4], number.to_be_bytes());
        }
        must(pushing).await.unwrap();
        must(handle.send("behind them")).await.unwrap();
        assert_eq!(reply(&mut client).await.payload, "behind them");
    }

    async fn a_handle_that_is_kept_holds_nothing_open(style: Style) {
        let before = Leaks::now();
        let (mut server, mut handles) = start(style, Config::new());
        let mut client = server.connect().await;
        let handle = ask(&mut client, &mut handles).await;
        must(handle.send("news")).await.unwrap();
        assert_eq!(reply(&mut client).await.payload, "news");
        must(client.shutdown()).await.unwrap();
        drop(client);
        assert_eq!(must(handle.closed()).await, Some(End::Shutdown { by: Side::Peer }));
        server.stop();
        server.stopped().await;
        before.is_back().await;
        assert!(handle.is_closed());
    }
}

/// Tasks on several threads push through one handle, while the association's task answers.
fn pushing_at_once(style: Style) {
    const TASKS: u16 = 8;
    const EACH: u32 = 300;
    let workers = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(4)
        .enable_all()
        .build()
        .unwrap();
    let scenario = async {
        let (server, mut handles) = start(
            style,
            Config::new()
                .with_outbound_queue(5)
                .with_outbound_queue_bytes(1_000),
        );
        let mut client = server.connect().await;
        let handle = ask(&mut client, &mut handles).await;
        let mut tasks = tokio::task::JoinSet::new();
        for stream in 1..=TASKS {
            let handle = handle.clone();
            tasks.spawn(async move {
                for number in 0..EACH {
                    let message = Message::new(number.to_be_bytes().to_vec()).on_stream(stream);
                    handle.send(message).await.unwrap();
                }
            });
        }
        let mut next = [0_u32; TASKS as usize + 1];
        for _ in 0..u32::from(TASKS) * EACH {
            if next[0] % 10 == 0 {
                client.send("hello").await.unwrap();
                must(handles.recv()).await.unwrap();
            }
            next[0] += 1;
            let received = loop {
                let received = reply(&mut client).await;
                if received.payload != "hello" {
                    break received;
                }
            };
            let expected = &mut next[usize::from(received.info.stream.get())];
            assert_eq!(received.payload[..], expected.to_be_bytes());
            *expected += 1;
        }
        assert_eq!(next[1..], [EACH; TASKS as usize]);
        while let Some(done) = tasks.join_next().await {
            done.unwrap();
        }
    };
    workers.block_on(scenario);
}

#[test]
fn tasks_of_several_threads_push_at_once_peel_off() {
    pushing_at_once(Style::PeelOff);
}

#[test]
fn tasks_of_several_threads_push_at_once_one_to_many() {
    pushing_at_once(Style::OneToMany);
}
