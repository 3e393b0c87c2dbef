//! The server on a one-to-one socket.

use sctp_service::{Config, End, IntoReply, Payload, Reply, Shutdown, Side, serve};
use sctp_tokio::{Association, OneToOneListener};
use tokio::sync::oneshot;

use crate::{must, reply, until_end};

async fn echo(Payload(payload): Payload) -> Reply {
    match &payload[..] {
        b"quit" => Reply::new("bye").with_shutdown(Shutdown::AfterAck),
        b"abort" => Shutdown::abort("cannot be sent").into_reply(),
        _ => Reply::new(payload),
    }
}

/// An abort is one, though its reason cannot be sent; and all else is as on other sockets.
#[tokio::test]
async fn one_to_one_sockets_support_both_terminations() {
    let listener = OneToOneListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addrs().unwrap()[0];
    let (stop, stopped) = oneshot::channel::<()>();
    let server = serve(listener, echo)
        .with_config(Config::default())
        .with_graceful_shutdown(async { drop(stopped.await) });
    let server = tokio::spawn(server.into_future());

    let mut client = Association::connect(addr).await.unwrap();
    client.send("quit").await.unwrap();
    let (messages, end) = until_end(&mut client).await;
    assert_eq!(messages, ["bye"]);
    assert_eq!(end, End::Shutdown { by: Side::Peer });

    let mut client = Association::connect(addr).await.unwrap();
    client.send("abort").await.unwrap();
    let (_, end) = until_end(&mut client).await;
    assert!(matches!(end, End::Aborted { by: Side::Peer, .. }), "{end}");
    assert!(end.reason().unwrap_or_default().is_empty(), "{end}");

    let mut client = Association::connect(addr).await.unwrap();
    client.send("hello").await.unwrap();
    reply(&mut client).await;
    stop.send(()).unwrap();
    assert_eq!(
        until_end(&mut client).await.1,
        End::Shutdown { by: Side::Peer }
    );
    must(server).await.unwrap();
}
