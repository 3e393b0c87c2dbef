//! Two ends that serve and ask each other.

use std::{future::IntoFuture, sync::Arc};

use sctp_service::{
    AssociationHandle, Config, Message, Payload, Request, RequestOrder, serve, serve_association,
    testing::ScriptedListener,
};
use tokio::{
    sync::{Semaphore, mpsc},
    task::JoinSet,
};

use crate::{by_header, call};

/// Answers a request as its correlation wants it.
fn answer(request: &Request) -> Message {
    let payload = request.payload();
    Message::new([b"!", &payload[1..5], b"ok"].concat()).on_stream(request.info().stream)
}

#[tokio::test(start_paused = true)]
async fn ends_that_flood_each_other_are_all_answered() {
    const QUESTIONS: usize = 1000;
    let (listener, network) = ScriptedListener::new();
    let (tell, mut handles) = mpsc::channel::<AssociationHandle>(10_000);
    let handler = async move |handle: AssociationHandle, request: Request| {
        let answer = answer(&request);
        let _ = tell.send(handle).await;
        sctp_service::ReplyMessage::from(answer)
    };
    let server = serve(listener, handler.clone()).with_correlation(by_header());
    tokio::spawn(server.into_future());
    let mut connector = network.connector();
    let association = sctp_service::client::Connect::connect(&mut connector)
        .await
        .unwrap();
    let mut dialling = serve_association(association, handler).with_correlation(by_header());
    let dialled = dialling.handle();
    tokio::spawn(dialling.into_future());

    let asked = call(&dialled, "who are you?");
    let accepted = handles.recv().await.unwrap();
    asked.await.unwrap().unwrap();

    let mut calls = JoinSet::new();
    let places = Arc::new(Semaphore::new(300));
    for handle in [&dialled, &accepted] {
        for _ in 0..QUESTIONS {
            let (handle, places) = (handle.clone(), Arc::clone(&places));
            calls.spawn(async move {
                let _place = places.acquire_owned().await;
                handle.request("?").await.unwrap()
            });
        }
    }
    assert_eq!(calls.join_all().await.len(), 2 * QUESTIONS);
}

/// In order of their streams such handlers would wait for each other: the question that a handler
/// waits for is behind the request that it serves.
#[tokio::test(start_paused = true)]
async fn handlers_that_call_back_are_answered_on_both_ends() {
    /// Asks back as often as the request says, and answers with the number of answers.
    async fn ping(handle: AssociationHandle, request: Request) -> Payload {
        let depth = request.payload()[5] - b'0';
        let header = request.payload().slice(1..5);
        if depth > 0 {
            let deeper = Message::new(vec![b'0' + depth - 1]).on_stream(request.info().stream);
            handle.request(deeper).await.unwrap();
        }
        Payload([b"!", &header[..], b"ok"].concat().into())
    }
    let (listener, network) = ScriptedListener::new();
    let config = Config::new().with_request_order(RequestOrder::Unordered);
    let server = serve(listener, ping)
        .with_config(config.clone())
        .with_correlation(by_header());
    tokio::spawn(server.into_future());
    let mut connector = network.connector();
    let association = sctp_service::client::Connect::connect(&mut connector)
        .await
        .unwrap();
    let mut dialling = serve_association(association, ping)
        .with_config(config)
        .with_correlation(by_header());
    let handle = dialling.handle();
    tokio::spawn(dialling.into_future());
    let mut calls = JoinSet::new();
    for _ in 0..16 {
        let handle = handle.clone();
        calls.spawn(async move { handle.request("6").await.unwrap() });
    }
    assert_eq!(calls.join_all().await.len(), 16);
}
