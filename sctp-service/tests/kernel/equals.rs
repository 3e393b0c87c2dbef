//! Nodes that ask and answer on one association, whoever has set it up.

use std::{future::IntoFuture, sync::Arc, time::Duration};

use bytes::Bytes;
use sctp_service::{
    AssociationHandle, Config, End, IncomingAssociation, MakeService, Message, Payload, PeerTable,
    Request, RequestOrder, ServerEvent, Shutdown, Side, ViaMakeService,
    client::{Client, ClientConfig, ClientEvent, Remote},
    handler::handler_fn,
    serve,
};
use sctp_tokio::{AbortReason, SctpListener, SocketBuilder};
use tokio::sync::{Notify, mpsc};
use tower::service_fn;

use crate::{both_styles, must, reply, server::Server, support::leaks::alone, until_end};

/// Asks the peer, and then answers.
async fn ask_back(handle: AssociationHandle, request: Request) -> Bytes {
    handle.request("question").await.unwrap();
    [b"!", &request.payload()[1..5], b"done"].concat().into()
}

/// Turns a request into its reply.
fn answer(request: &[u8]) -> Message {
    Message::new([b"!", &request[1..5], b"answer"].concat()).on_stream(60)
}

both_styles! {
    async fn handlers_that_ask_back_are_all_answered(style: Style) {
        const REQUESTS: u32 = 300;
        let config = Config::new().with_request_order(RequestOrder::Unordered);
        let server = Server::start_correlated(style, config, ask_back);
        let mut peer = server.connect().await;
        for number in 0..REQUESTS {
            let request = [b"?", &number.to_be_bytes()[..]].concat();
            let stream = u16::try_from(number % 50).unwrap();
            must(peer.send(Message::new(request).on_stream(stream))).await.unwrap();
        }
        let mut answered = 0;
        while answered < REQUESTS {
            let received = reply(&mut peer).await.payload;
            match received[0] {
                b'?' => must(peer.send(answer(&received))).await.unwrap(),
                _ => answered += 1,
            }
        }
    }

    async fn drain_waits_for_the_answer_to_a_question(style: Style) {
        let (tell, mut handles) = mpsc::channel(8);
        let handler = async move |handle: AssociationHandle, payload: Bytes| {
            tell.send(handle).await.unwrap();
            payload
        };
        let mut server = Server::start_correlated(style, Config::new(), handler);
        let mut peer = server.connect().await;
        peer.send("hello").await.unwrap();
        reply(&mut peer).await;
        let handle: AssociationHandle = must(handles.recv()).await.unwrap();
        let drain = handle.drain().clone();
        let asking = tokio::spawn(async move { handle.request("question").await });
        let question = reply(&mut peer).await.payload;
        server.stop();
        must(drain.started()).await;
        peer.send(answer(&question)).await.unwrap();
        assert!(must(asking).await.unwrap().unwrap().payload.ends_with(b"answer"));
        assert_eq!(until_end(&mut peer).await.1, End::Shutdown { by: Side::Peer });
        server.stopped().await;
    }
}

/// A client whose server asks a lot, ends the association, and is connected to again.
#[test]
fn client_answers_on_the_association_of_the_request() {
    alone(async {
        const BURST: u32 = 1000;
        let mut listener = SctpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addrs().unwrap()[0];
        let (tell, mut begun) = mpsc::channel(1);
        let release = Arc::new(Notify::new());
        let released = Arc::clone(&release);
        let slow = move |Payload(payload): Payload| {
            let (tell, released) = (tell.clone(), Arc::clone(&released));
            async move {
                if payload.starts_with(b"slow") {
                    tell.send(()).await.unwrap();
                    released.notified().await;
                }
                Payload(payload)
            }
        };
        let client = Client::builder()
            .serving(slow)
            .connect_in_background(Remote::new(addr));
        let mut first = must(listener.accept()).await.unwrap();
        first.send("hello").await.unwrap();
        reply(&mut first).await;
        for _ in 0..3 {
            first.send("slow").await.unwrap();
        }
        must(begun.recv()).await.unwrap();
        first.abort(&AbortReason::from_static("again")).unwrap();
        let second = must(listener.accept()).await.unwrap();
        // One that was still served would be answered now.
        release.notify_one();
        let (sender, mut receiver) = second.split();
        let asking = tokio::spawn(async move {
            for number in 0..BURST {
                must(sender.send(format!("burst {number}"))).await.unwrap();
            }
            sender
        });
        // The answers to the first association's requests would come here.
        for number in 0..BURST {
            let received = must(receiver.recv()).await.unwrap().unwrap();
            assert_eq!(received.payload, format!("burst {number}"));
        }
        drop(must(asking).await.unwrap());
        drop(receiver);
        must(client.graceful_shutdown()).await;
    });
}

/// A server that answers on the wrong stream leaves a trace.
#[test]
fn reply_on_an_idle_call_stream_is_reported() {
    alone(async {
        let mut listener = SctpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addrs().unwrap()[0];
        tokio::spawn(async move {
            let mut association = listener.accept().await.unwrap();
            while let Ok(Some(_)) = association.recv().await {
                let _ = association.send("on stream 0").await;
            }
        });
        let (tell, mut told) = mpsc::unbounded_channel();
        let config = ClientConfig::new().with_call_timeout(Duration::from_millis(300));
        let client = Client::builder()
            .with_config(config)
            .on_event(move |event| {
                if let ClientEvent::Unsolicited { .. } = event {
                    let _ = tell.send(());
                }
            })
            .connect(Remote::new(addr));
        let client = must(client).await.unwrap();
        must(client.request("hello")).await.unwrap_err();
        must(told.recv()).await.unwrap();
        must(client.graceful_shutdown()).await;
    });
}

/// Two nodes that dial each other from the ports on which they listen need a kernel that lets them.
#[test]
fn dialling_from_the_listening_port_fails() {
    alone(async {
        let listener = SocketBuilder::new()
            .with_local_addrs(["127.0.0.1:0".parse().unwrap()])
            .listen()
            .unwrap();
        let here = listener.local_addrs().unwrap()[0];
        let peer = SctpListener::bind("127.0.0.2:0").await.unwrap();
        let there = peer.local_addrs().unwrap()[0];
        let socket = SocketBuilder::new().with_local_addrs([here]);
        let (tell, mut told) = mpsc::unbounded_channel();
        let server = serve(listener, async |payload: Payload| payload)
            .with_dial(Remote::new(there).with_socket(socket))
            .on_event(move |event| {
                if let ServerEvent::ConnectFailed { error, addrs, .. } = event {
                    assert_eq!(**addrs, [there]);
                    let _ = tell.send(error.to_string());
                }
            });
        let serving = tokio::spawn(server.into_future());
        let error = must(told.recv()).await.unwrap();
        assert!(error.contains("in use"), "{error}");
        serving.abort();
        let _ = serving.await;
    });
}

/// A node that dials another, and has the association again after its end.
#[test]
fn lost_dialled_association_is_set_up_again() {
    /// A make-service that claims the other's name.
    fn claiming(
        table: &PeerTable<&'static str>,
        peer: &'static str,
    ) -> impl MakeService<ViaMakeService> + use<> {
        let table = table.clone();
        service_fn(move |mut incoming: IncomingAssociation| {
            let table = table.clone();
            async move {
                incoming
                    .send("hello")
                    .await
                    .map_err(|_| Shutdown::AfterAck)?;
                incoming.recv().await.ok_or(Shutdown::AfterAck)?;
                let acknowledged = incoming.acknowledged().await;
                acknowledged.map_err(|_| Shutdown::AfterAck)?;
                table
                    .claim(peer, &incoming)
                    .map_err(|_| Shutdown::abort("claimed"))?;
                Ok::<_, Shutdown>(handler_fn(async |payload: Payload| payload))
            }
        })
    }

    alone(async {
        let (near, far) = (PeerTable::new(), PeerTable::new());
        let listener = SctpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addrs().unwrap()[0];
        let other = serve(listener, claiming(&far, "near"));
        let other = tokio::spawn(other.into_future());
        let listener = SctpListener::bind("127.0.0.1:0").await.unwrap();
        let node = serve(listener, claiming(&near, "far")).with_dial(Remote::new(addr));
        let node = tokio::spawn(node.into_future());
        for _ in 0..3 {
            let here = must(near.wait_for(&"far")).await;
            let there = must(far.wait_for(&"near")).await;
            let sides = [&here, &there].map(|end| end.connect_info().unwrap().initiated_by());
            assert_eq!(sides, [Side::Local, Side::Peer]);
            there.shutdown(Shutdown::abort("again")).unwrap();
            must(here.closed()).await.unwrap();
            must(there.closed()).await.unwrap();
        }
        for task in [node, other] {
            task.abort();
            let _ = task.await;
        }
    });
}
