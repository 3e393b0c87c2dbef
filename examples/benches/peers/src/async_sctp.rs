//! async-sctp 1.1.0: one-to-one sockets.

use std::net::SocketAddr;

use async_sctp::{SctpAssociation, SctpConfig, SctpError, SctpListener};

use crate::{BUFFER, ready};

pub(crate) async fn serve(address: SocketAddr) -> Result<(), SctpError> {
    let config = SctpConfig::new()
        .nodelay(true)
        .recv_buf(BUFFER)
        .send_buf(BUFFER);
    let listener = SctpListener::bind_config(address, &config)?;
    ready();
    loop {
        let (association, _) = listener.accept().await?;
        tokio::spawn(echo(association));
    }
}

async fn echo(association: SctpAssociation) -> Result<(), SctpError> {
    loop {
        let (message, info) = association.recv().await?;
        association.send(&message, info.stream, info.ppid).await?;
    }
}
