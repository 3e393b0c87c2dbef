//! Streams that begin again and streams that are added while the association is up (RFC 6525).
//!
//! Both ends must allow it. Here each socket does so by itself; for all sockets of the system the
//! sysctl `net.sctp.reconf_enable=1` turns it on.
//!
//! ```text
//! cargo run -p sctp-tokio --example stream_reset
//! ```

use std::error::Error;

use sctp_tokio::{
    AssocId, Association, Event, Message, Notification, SocketBuilder, StreamId,
    options::{ResetDirection, StreamResetPolicy},
};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let builder = SocketBuilder::new().configure(|socket| {
        socket.set_reconfig_supported(true)?;
        socket.set_stream_reset_policy(AssocId::FUTURE, StreamResetPolicy::all())
    });
    let mut listener = builder
        .clone()
        .with_local_addrs(["127.0.0.1:0".parse()?])
        .listen()?;
    let peer = listener.local_addrs()?;
    let (client, server) = tokio::join!(builder.connect(&peer), listener.accept());
    let (mut client, mut server) = (client?, server?);

    for _ in 0..3 {
        client.send(Message::new("before").on_stream(1)).await?;
        show(&mut server).await?;
    }
    // A stream can only begin again once everything sent on it is acknowledged.
    client.flushed().await?;
    let control = client.control();
    control.reset_streams(ResetDirection::Outgoing, &[StreamId::new(1)])?;
    println!("client: {:?}", answer(&mut client).await?);
    client.send(Message::new("after").on_stream(1)).await?;
    show(&mut server).await?;

    control.add_streams(0, 2)?;
    println!("client: {:?}", answer(&mut client).await?);
    let streams = client.outbound_streams();
    println!("client: {streams} streams now");
    client
        .send(Message::new("on a new one").on_stream(streams - 1))
        .await?;
    show(&mut server).await?;
    println!("client: {}", client.shutdown().await?);
    Ok(())
}

/// Waits for the notification that tells how the request went.
async fn answer(association: &mut Association) -> Result<Notification, Box<dyn Error>> {
    loop {
        match association.next_event().await? {
            Event::Notification(
                answer @ (Notification::StreamReset(_) | Notification::StreamChange(_)),
            ) => return Ok(answer),
            Event::Closed(end) => return Err(end.to_string().into()),
            _ => {}
        }
    }
}

async fn show(server: &mut Association) -> Result<(), Box<dyn Error>> {
    let message = server.recv().await?.ok_or("the client has gone")?;
    let info = &message.info;
    println!(
        "server: {:?}, stream {}, sequence number {}",
        message.payload, info.stream, info.ssn
    );
    Ok(())
}
