//! lksctp 0.2.0: one-to-one sockets, one buffer for each, no allocation.

use std::{io, net::SocketAddr};

use lksctp::{Family, RecvMsg, SctpListener, SctpStream, SendInfo};

use crate::{BACKLOG, BUFFER, MAX_MESSAGE, ready};

pub(crate) async fn serve(address: SocketAddr) -> io::Result<()> {
    let listener = SctpListener::builder(Family::Ipv4)?
        .nodelay(true)?
        .recv_buffer_size(BUFFER)?
        .send_buffer_size(BUFFER)?
        .bindx(&[address])?
        .listen(BACKLOG)?;
    ready();
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(echo(stream));
    }
}

async fn echo(stream: SctpStream) -> io::Result<()> {
    let mut buffer = vec![0; MAX_MESSAGE];
    // The library leaves it to its user to put parts together.
    let mut have = 0;
    loop {
        let RecvMsg::Data { len, info, eor } = stream.recv_msg(&mut buffer[have..]).await? else {
            continue;
        };
        let Some(info) = info else { return Ok(()) };
        have += len;
        if !eor {
            continue;
        }
        let answer = SendInfo {
            sid: info.sid,
            ppid: info.ppid,
            ..SendInfo::default()
        };
        stream.send_msg(&buffer[..have], &answer).await?;
        have = 0;
    }
}
