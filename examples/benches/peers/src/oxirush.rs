//! oxirush-sctp 0.1.1: one-to-one sockets, one message a call, or all that is there.

use std::{io, net::SocketAddr};

use oxirush_sctp::{
    ConnectedSocket, NotificationOrData, RcvInfo, ReceivedInto, SendOptions, Socket,
    SocketToAssociation,
};

use crate::{BACKLOG, BUFFER, MAX_MESSAGE, ready};

/// Maximum number of messages answered together, the same as in our own loops.
const BATCH: usize = 64;

pub(crate) async fn serve<F>(address: SocketAddr, echo: fn(ConnectedSocket) -> F) -> io::Result<()>
where
    F: Future<Output = io::Result<()>> + Send + 'static,
{
    let socket = Socket::new_v4(SocketToAssociation::OneToOne)?;
    socket.options().set_nodelay(true)?;
    socket.options().set_recv_buffer_size(BUFFER)?;
    socket.options().set_send_buffer_size(BUFFER)?;
    socket.bind(address)?;
    let listener = socket.listen(BACKLOG)?;
    ready();
    loop {
        let (socket, _) = listener.accept().await?;
        tokio::spawn(echo(socket));
    }
}

fn answer(info: Option<&RcvInfo>) -> SendOptions {
    let options = SendOptions::new();
    info.map_or(options, |info| options.stream(info.sid).ppid(info.ppid))
}

/// `recv_into` and `send`: no allocation.
pub(crate) async fn single(socket: ConnectedSocket) -> io::Result<()> {
    let mut buffer = vec![0; MAX_MESSAGE];
    while let Some(received) = socket.recv_into(&mut buffer).await? {
        if let ReceivedInto::Data { len, rcv_info, .. } = received {
            socket
                .send(&buffer[..len], answer(rcv_info.as_ref()))
                .await?;
        }
    }
    Ok(())
}

/// `recv_many` and `send_many`: recvmmsg, and sendmmsg with `MSG_MORE`.
pub(crate) async fn batched(socket: ConnectedSocket) -> io::Result<()> {
    let mut received = Vec::with_capacity(BATCH);
    while socket.recv_many(&mut received, BATCH).await? > 0 {
        let mut answers: Vec<(&[u8], SendOptions)> = Vec::with_capacity(BATCH);
        answers.extend(received.iter().filter_map(|event| match event {
            NotificationOrData::Data(data) => {
                Some((&data.payload[..], answer(data.rcv_info.as_ref())))
            }
            _ => None,
        }));
        let mut sent = 0;
        while sent < answers.len() {
            sent += socket.send_many(&answers[sent..]).await?;
        }
        drop(answers);
        received.clear();
    }
    Ok(())
}
