//! One socket for all peers, as in the textbook's servers: each message says whose it is. One peer
//! is shut down, and another is aborted with a reason.
//!
//! ```text
//! cargo run -p sctp-tokio --example one_to_many
//! ```

use std::{error::Error, net::SocketAddr};

use sctp_tokio::{AbortReason, Association, Endpoint, Event};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut endpoint = Endpoint::bind("127.0.0.1:0").await?;
    let addr = endpoint.local_addrs()?[0];
    let clients = ["please", "now!"].map(|word| tokio::spawn(client(addr, word)));

    let mut ended = 0;
    while ended < clients.len() {
        let event = endpoint.next_event().await?;
        let id = event.assoc;
        match event.event {
            Event::Message(message) => {
                println!("server: {:?} from association {id}", message.payload);
                if message.payload == "please" {
                    endpoint.send(id, message.reply("goodbye")).await?;
                    endpoint.start_shutdown(id)?;
                } else {
                    endpoint.abort(id, &AbortReason::from_static("not like that"))?;
                }
            }
            Event::Notification(notification) => println!("server: {notification:?}"),
            Event::Closed(end) => {
                println!("server: association {id}: {end}");
                ended += 1;
            }
            _ => {}
        }
    }
    for client in clients {
        client.await?.map_err(|error| error.to_string())?;
    }
    Ok(())
}

async fn client(addr: SocketAddr, word: &str) -> Result<(), Box<dyn Error + Send + Sync>> {
    let mut association = Association::connect(addr).await?;
    association.send(word.to_owned()).await?;
    loop {
        match association.next_event().await? {
            Event::Message(reply) => println!("client {word:?}: {:?}", reply.payload),
            Event::Closed(end) => {
                println!("client {word:?}: {end}");
                return Ok(());
            }
            _ => {}
        }
    }
}
