//! Everything that the kernel reports in the life of an association, from its coming up to the
//! message that came back unsent and the peer's abort.
//!
//! ```text
//! cargo run -p sctp-tokio --example notifications
//! ```

use std::error::Error;

use sctp_tokio::{AbortReason, Association, Endpoint, Event, EventSet, Message, SocketBuilder};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // An endpoint tells the coming up too; on an association it is what `connect` waits for.
    let mut server = SocketBuilder::new()
        .with_local_addrs(["127.0.0.1:0".parse()?])
        .with_events(EventSet::all())
        .with_recv_buffer_size(20_000)
        .endpoint()?;
    let peer = server.local_addrs()?;
    let builder = SocketBuilder::new().with_events(EventSet::all());
    let mut client = builder.connect(&peer).await?;

    client.send("hello").await?;
    let id = until_message(&mut server).await?;
    // More than the server has room for, so that some of it is still unsent at the end.
    for number in 0..20 {
        client
            .send(Message::new(vec![0; 5000]).on_stream(number % 10))
            .await?;
    }
    server.abort(id, &AbortReason::from_static("that is too much"))?;
    until_end(&mut client).await?;
    Ok(())
}

async fn until_message(server: &mut Endpoint) -> Result<sctp_tokio::AssocId, Box<dyn Error>> {
    loop {
        let event = server.next_event().await?;
        match event.event {
            Event::Message(message) => {
                println!("server: message {:?}", message.payload);
                return Ok(event.assoc);
            }
            other => println!("server: {other:?}"),
        }
    }
}

async fn until_end(client: &mut Association) -> Result<(), Box<dyn Error>> {
    loop {
        match client.next_event().await? {
            Event::Notification(sctp_tokio::Notification::SendFailed(failed)) => println!(
                "client: {} bytes for stream {} came back, sent: {}",
                failed.payload.len(),
                failed.stream,
                failed.sent
            ),
            Event::Closed(end) => {
                println!("client: {end}");
                return Ok(());
            }
            other => println!("client: {other:?}"),
        }
    }
}
