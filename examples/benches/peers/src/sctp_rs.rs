//! sctp-rs 0.3.1: one-to-one sockets. It has no setting for buffers or `SCTP_NODELAY`, cuts
//! messages at 4096 bytes, and returns `WouldBlock` from an asynchronous send.

use std::{io, net::SocketAddr};

use sctp_rs::{
    ConnectedSocket, NotificationOrData, SendData, SendInfo, Socket, SocketToAssociation,
};

use crate::{BACKLOG, ready};

pub(crate) async fn serve(address: SocketAddr) -> io::Result<()> {
    let socket = Socket::new_v4(SocketToAssociation::OneToOne)?;
    socket.bind(address)?;
    let listener = socket.listen(BACKLOG)?;
    ready();
    loop {
        let (socket, _) = listener.accept().await?;
        tokio::spawn(echo(socket));
    }
}

async fn echo(socket: ConnectedSocket) -> io::Result<()> {
    socket.sctp_request_rcvinfo(true)?;
    loop {
        let NotificationOrData::Data(data) = socket.sctp_recv().await? else {
            continue;
        };
        // The end of an association is an empty message.
        if data.payload.is_empty() {
            return Ok(());
        }
        let snd_info = data.rcv_info.map(|info| SendInfo {
            sid: info.sid,
            ppid: info.ppid,
            ..SendInfo::default()
        });
        let answer = SendData {
            payload: data.payload,
            snd_info,
        };
        while let Err(error) = socket.sctp_send(answer.clone()).await {
            if error.kind() != io::ErrorKind::WouldBlock {
                return Err(error);
            }
            // There is no way to wait for room.
            tokio::task::yield_now().await;
        }
    }
}
