//! TCP, for scale: frames with their length before them, as many as are there answered together.

use std::{io, net::Ipv4Addr};

use bytes::Bytes;
use futures::{FutureExt, SinkExt, StreamExt};
use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::codec::{Framed, LengthDelimitedCodec};

use crate::servers;

pub(crate) async fn serve(port: u16) -> io::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    SockRef::from(&listener).set_recv_buffer_size(4 << 20)?;
    SockRef::from(&listener).set_send_buffer_size(4 << 20)?;
    let listener = servers::ready(listener);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(echo(stream));
    }
}

async fn echo(stream: TcpStream) -> io::Result<()> {
    let mut framed = Framed::new(stream, LengthDelimitedCodec::new());
    while let Some(frame) = framed.next().await {
        framed.feed(frame?.freeze()).await?;
        while let Some(Some(frame)) = framed.next().now_or_never() {
            framed.feed(frame?.freeze()).await?;
        }
        SinkExt::<Bytes>::flush(&mut framed).await?;
    }
    Ok(())
}
