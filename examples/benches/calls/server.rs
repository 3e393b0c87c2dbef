//! The server: it echoes short requests, and answers a long one with 1 MiB.

use std::{io, net::SocketAddr};

use bytes::Bytes;
use futures::{SinkExt, StreamExt};
use sctp_service::{Payload, serve};
use sctp_tokio::SocketBuilder;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::codec::{Framed, LengthDelimitedCodec};

/// Request for the long reply. Everything else is echoed.
pub(crate) const LONG: &[u8] = b"long";

/// Length of that reply: the largest message received by default.
pub(crate) const LONG_ANSWER: usize = 1 << 20;

/// Serves on each of these sockets, from tasks of their own, and returns their addresses.
pub(crate) fn start(addr: SocketAddr, sockets: &[SocketBuilder]) -> io::Result<Vec<SocketAddr>> {
    sockets
        .iter()
        .map(|socket| {
            let listener = socket.clone().with_local_addrs([addr]).listen()?;
            let addr = listener.local_addrs()?.remove(0);
            tokio::spawn(serve(listener, answer).into_future());
            Ok(addr)
        })
        .collect()
}

async fn answer(Payload(request): Payload) -> Bytes {
    answer_to(request)
}

fn answer_to(request: Bytes) -> Bytes {
    static ANSWER: [u8; LONG_ANSWER] = [b'x'; LONG_ANSWER];
    match &request[..] {
        LONG => Bytes::from_static(&ANSWER),
        _ => request,
    }
}

/// The same over TCP, in frames with their length before them.
pub(crate) async fn start_tcp(addr: SocketAddr) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind(addr).await?;
    let addr = listener.local_addr()?;
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await?;
            tokio::spawn(answer_frames(stream));
        }
        #[expect(unreachable_code, reason = "it says what the task returns")]
        Ok::<(), io::Error>(())
    });
    Ok(addr)
}

async fn answer_frames(stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut framed = Framed::new(stream, LengthDelimitedCodec::new());
    while let Some(frame) = framed.next().await {
        let answer = answer_to(frame?.freeze());
        framed.send(answer).await?;
    }
    Ok(())
}
