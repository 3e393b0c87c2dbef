//! One-to-one sockets, TCP's way: a server that accepts and echoes, and a client.
//!
//! They are for interoperation with code that expects such sockets. With `SctpListener` and
//! `Association::connect` the program is the same, and its associations can be aborted with a
//! reason, which Linux cannot do on these.
//!
//! ```text
//! cargo run -p sctp-tokio --example one_to_one
//! ```

use sctp_tokio::{AbortReason, Association, Message, OneToOneListener, SocketBuilder};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

#[tokio::main]
async fn main() -> Result<()> {
    let mut listener = OneToOneListener::bind("127.0.0.1:0").await?;
    let addr = listener.local_addrs()?[0];
    let server = tokio::spawn(async move { echo(listener.accept().await?).await });

    let mut client = SocketBuilder::new().connect_one_to_one(&[addr]).await?;
    println!(
        "client: connected, {} streams out, {} in",
        client.outbound_streams(),
        client.inbound_streams()
    );
    for stream in 0..3 {
        let message = Message::new(format!("hello {stream}")).on_stream(stream);
        client.send(message).await?;
    }
    for _ in 0..3 {
        if let Some(reply) = client.recv().await? {
            println!(
                "client: {:?} on stream {}",
                reply.payload, reply.info.stream
            );
        }
    }
    if let Err(error) = client.abort(&AbortReason::from_static("why not")) {
        println!("client: {error}");
    }
    // Orderly: everything that was sent arrives first.
    println!("client: {}", client.shutdown().await?);
    server.await?
}

async fn echo(mut association: Association) -> Result<()> {
    println!("server: accepted {:?}", association.initial_peer_addrs());
    while let Some(message) = association.recv().await? {
        association
            .send(message.reply(message.payload.clone()))
            .await?;
    }
    if let Some(end) = association.end() {
        println!("server: {end}");
    }
    Ok(())
}
