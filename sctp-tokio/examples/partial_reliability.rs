//! Messages with a lifetime beside reliable ones (PR-SCTP, RFC 3758 and 7496).
//!
//! The receiver does not read for a while, so its window closes. Messages that have waited longer
//! than their lifetime are abandoned and come back to the sender. The reliable messages all arrive.
//!
//! The two kinds have a stream each: Linux may not deliver what follows an abandoned message on the
//! same ordered stream, reliable messages included.
//!
//! ```text
//! cargo run -p sctp-tokio --example partial_reliability
//! ```

use std::{error::Error, time::Duration};

use sctp_tokio::{Event, Message, Notification, Reliability, SocketBuilder};

const COUNT: u32 = 40;
const RELIABLE: u16 = 0;
const FLEETING: u16 = 1;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // A receiver with little room.
    let mut listener = SocketBuilder::new()
        .with_local_addrs(["127.0.0.1:0".parse()?])
        .with_recv_buffer_size(20_000)
        .listen()?;
    let peer = listener.local_addrs()?;
    let builder = SocketBuilder::new();
    let (client, server) = tokio::join!(builder.connect(&peer), listener.accept());
    let (mut client, mut server) = (client?, server?);

    let lifetime = Reliability::Lifetime(Duration::from_millis(50));
    for number in 0..COUNT {
        let message = Message::new(vec![u8::try_from(number)?; 2000]);
        let message = match number % 2 {
            0 => message.on_stream(RELIABLE),
            _ => message.on_stream(FLEETING).with_reliability(lifetime),
        };
        client.send(message).await?;
    }
    println!("sent {COUNT} messages, every other one with a lifetime of 50 ms");

    // The lifetimes pass while the receiver does not read.
    tokio::time::sleep(Duration::from_millis(200)).await;
    let reader = tokio::spawn(async move {
        let (mut reliable, mut fleeting) = (0, 0);
        while let Ok(Some(message)) = server.recv().await {
            match message.stream().get() {
                RELIABLE => reliable += 1,
                _ => fleeting += 1,
            }
        }
        (reliable, fleeting)
    });

    client.start_shutdown()?;
    let mut given_up = 0;
    loop {
        match client.next_event().await? {
            Event::Notification(Notification::SendFailed(failed)) if failed.last_fragment => {
                given_up += 1
            }
            Event::Closed(end) => {
                println!("client: {end}; {given_up} messages were given up and came back");
                break;
            }
            _ => {}
        }
    }
    let (reliable, fleeting) = reader.await?;
    println!("server: {reliable} reliable messages, and {fleeting} of the others");
    Ok(())
}
