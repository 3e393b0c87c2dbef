//! A server whose listening socket comes from a supervisor, as with systemd's socket activation: the
//! server is started when the first peer is there, and that peer is served like any other.
//!
//! Without a supervisor the example plays one: it makes the socket, and starts itself with it.
//!
//! ```text
//! cargo run -p sctp-tokio --example socket_activation
//! ```
//!
//! For systemd, the socket unit says `ListenSequentialPacket=9877` and `SocketProtocol=sctp`; with
//! `ListenStream=` instead, the socket is for `SocketBuilder::listen_one_to_one_from`. The service
//! unit says `StandardInput=socket`.

use std::{
    error::Error,
    net::SocketAddr,
    os::fd::OwnedFd,
    process::{Command, Stdio},
};

use sctp_tokio::{AssocId, Association, SctpListener, Socket, SocketBuilder, sctp_core::Family};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    match activated()? {
        Some(fd) => serve(SocketBuilder::new().listen_from(fd)?).await,
        None => supervise().await,
    }
}

/// Takes the descriptor that a supervisor has passed (`LISTEN_FDS` says that one has): standard
/// input, which can be taken over without unsafe code. For descriptor 3, where systemd passes it
/// unless told otherwise, there are crates such as `listenfd`.
fn activated() -> Result<Option<OwnedFd>, Box<dyn Error>> {
    use std::os::fd::AsFd;
    if std::env::var_os("LISTEN_FDS").is_none() {
        return Ok(None);
    }
    Ok(Some(std::io::stdin().as_fd().try_clone_to_owned()?))
}

async fn serve(mut listener: SctpListener) -> Result<(), Box<dyn Error>> {
    let mut association = listener.accept().await?;
    while let Some(message) = association.recv().await? {
        println!("server: {:?}", message.payload);
        association.send(message.reply("at your service")).await?;
    }
    Ok(())
}

/// Makes the socket, lets a peer come, and only then starts the server.
async fn supervise() -> Result<(), Box<dyn Error>> {
    let socket = Socket::one_to_many(Family::V4)?;
    socket.bind("127.0.0.1:0".parse::<SocketAddr>()?)?;
    socket.listen(16)?;
    let addr = socket.local_addrs(AssocId::FUTURE)?[0];

    let mut client = Association::connect(addr).await?;
    client.send("anybody there?").await?;
    let mut server = Command::new(std::env::current_exe()?)
        .env("LISTEN_FDS", "1")
        .stdin(Stdio::from(OwnedFd::from(socket)))
        .spawn()?;
    if let Some(reply) = client.recv().await? {
        println!("client: {:?}", reply.payload);
    }
    println!("client: {}", client.shutdown().await?);
    println!("server: {}", server.wait()?);
    Ok(())
}
