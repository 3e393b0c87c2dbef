//! The smallest service: an async function from a message to a reply. Its arguments are what it
//! wants to know of the message, its result is what is sent, and whether the association ends.
//!
//! A client in the same program greets on two streams, then asks for the end.
//!
//! ```text
//! cargo run --bin hello_service
//! ```
#![forbid(unsafe_code)]

use std::{error::Error, net::SocketAddr};

use sctp_service::{Payload, Shutdown, StreamId, serve};
use sctp_tokio::{Association, Event, Message, SctpListener};

/// Greets on the stream that the name came on. `quit` is answered, and then, once the answer is
/// acknowledged, the association is shut down.
async fn hello(stream: StreamId, Payload(name): Payload) -> (String, Option<Shutdown>) {
    match &name[..] {
        b"quit" => ("goodbye".to_owned(), Some(Shutdown::AfterAck)),
        name => (format!("hello, {} on {stream}", name.escape_ascii()), None),
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let listener = SctpListener::bind("127.0.0.1:0").await?;
    let server = listener.local_addrs()?[0];
    tokio::select! {
        () = serve(listener, hello) => Ok(()), // never: nothing tells it to stop
        done = client(server) => done,
    }
}

/// Sends a few messages, and prints what comes back until the association is over.
async fn client(server: SocketAddr) -> Result<(), Box<dyn Error>> {
    let mut association = Association::connect(server).await?;
    for (stream, text) in [(1, "Ada"), (2, "Grace"), (1, "quit")] {
        association
            .send(Message::new(text).on_stream(stream))
            .await?;
    }
    loop {
        match association.next_event().await? {
            Event::Message(reply) => {
                println!("stream {}: {:?}", reply.info.stream, reply.payload);
            }
            Event::Closed(end) => {
                println!("the association is over: {end}");
                return Ok(());
            }
            _ => {}
        }
    }
}
