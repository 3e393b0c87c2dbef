//! The `poll_` and `try_` forms, where another test does not use them.
#![cfg(target_os = "linux")] // needs SCTP in the kernel
#![allow(clippy::unwrap_used, reason = "a surprise fails the test")]

mod support;

use std::{
    collections::VecDeque,
    future::poll_fn,
    io,
    task::{Context, Poll},
};

use sctp_tokio::{
    Association, Event, Message, RecvError, SendError, SendHalf, SendInfo, SocketBuilder,
};
use support::{endpoint, must, pair, until_end};

fn would_block<T: std::fmt::Debug>(result: Result<T, RecvError>) -> bool {
    matches!(result, Err(RecvError::Io(error)) if error.kind() == io::ErrorKind::WouldBlock)
}

#[tokio::test]
async fn association_works_when_polled() {
    let (mut client, mut server) = pair().await;
    assert!(would_block(server.try_recv()));
    assert!(would_block(server.try_next_event()));
    let message = Message::new("x");
    must(poll_fn(|cx| client.poll_send(cx, &message)))
        .await
        .unwrap();
    let slices = [io::IoSlice::new(b"y")];
    must(poll_fn(|cx| {
        client.poll_send_vectored(cx, &SendInfo::default(), &slices)
    }))
    .await
    .unwrap();
    let mut queue = VecDeque::from([Message::new("z")]);
    must(poll_fn(|cx| client.poll_send_queue(cx, &mut queue)))
        .await
        .unwrap();
    client.flushed().await.unwrap();
    let first = must(poll_fn(|cx| server.poll_recv(cx))).await.unwrap();
    assert_eq!(first.unwrap().payload, "x");
    let second = must(poll_fn(|cx| server.poll_next_event(cx)))
        .await
        .unwrap();
    assert!(matches!(second, Event::Message(message) if message.payload == "y"));
    assert_eq!(server.try_recv().unwrap().unwrap().payload, "z");
    let (ended, (_, heard)) = must(async {
        tokio::join!(
            poll_fn(|cx| client.poll_shutdown(cx)),
            until_end(&mut server)
        )
    })
    .await;
    assert!(ended.unwrap().is_orderly() && heard.is_orderly());
    assert!(server.try_recv().unwrap().is_none());
}

/// Polling takes `&mut self` everywhere, so that two tasks cannot poll one handle, which keeps one
/// waker. Compiles only with these receivers.
#[test]
fn polls_to_send_borrow_handles_mutably() {
    type Polled = Poll<Result<(), SendError>>;
    type PollSend<T> = fn(&mut T, &mut Context<'_>, &Message) -> Polled;
    type PollSendQueue<T> = fn(&mut T, &mut Context<'_>, &mut VecDeque<Message>) -> Polled;
    type PollFlushed<T> = fn(&mut T, &mut Context<'_>) -> Polled;

    let _: PollSend<Association> = Association::poll_send;
    let _: PollSend<SendHalf> = SendHalf::poll_send;
    let _: PollSendQueue<Association> = Association::poll_send_queue;
    let _: PollSendQueue<SendHalf> = SendHalf::poll_send_queue;
    let _: PollFlushed<Association> = Association::poll_flushed;
}

#[tokio::test]
async fn endpoint_sender_waits_in_each_form() {
    let (mut endpoint, addr) = endpoint().await;
    let mut client = SocketBuilder::new()
        .with_recv_buffer_size(60_000)
        .connect(&[addr])
        .await
        .unwrap();
    let assoc = must(endpoint.next_event()).await.unwrap().assoc;
    let mut polled = endpoint.sender();
    let queued = endpoint.sender();
    let sending = tokio::spawn(async move {
        let message = Message::new(vec![1; 1000]);
        for _ in 0..200 {
            poll_fn(|cx| polled.poll_send(cx, assoc, &message))
                .await
                .unwrap();
        }
        let mut queue: VecDeque<_> = (0..200).map(|_| Message::new(vec![2; 1000])).collect();
        poll_fn(|cx| polled.poll_send_queue(cx, assoc, &mut queue))
            .await
            .unwrap();
        assert!(queue.is_empty());
    });
    let queueing = tokio::spawn(async move {
        let mut queue: VecDeque<_> = (0..200).map(|_| Message::new(vec![3; 1000])).collect();
        queued.send_queue(assoc, &mut queue).await.unwrap();
    });
    let mut counts = [0; 4];
    for _ in 0..600 {
        let message = must(client.recv()).await.unwrap().unwrap();
        counts[usize::from(message.payload[0])] += 1;
    }
    assert_eq!(counts, [0, 200, 200, 200]);
    must(sending).await.unwrap();
    must(queueing).await.unwrap();
    let _: Association = client;
    assert!(matches!(
        endpoint.try_send(assoc, &Message::new("")),
        Err(SendError::Empty)
    ));
}
