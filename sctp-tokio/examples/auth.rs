//! Messages that only the holder of a shared key can have sent (RFC 4895), and the change of that
//! key while the association is up.
//!
//! Both ends must allow it. Here each socket does so by itself; for all sockets of the system the
//! sysctl `net.sctp.auth_enable=1` turns it on.
//!
//! ```text
//! cargo run -p sctp-tokio --example auth
//! ```

use std::error::Error;

use sctp_tokio::{AssocId, Association, EventSet, SocketBuilder};

/// The chunk that carries messages (RFC 9260 section 3.3.1).
const DATA: u8 = 0;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let builder = SocketBuilder::new()
        .with_events(EventSet::all())
        .configure(|socket| {
            socket.set_auth_supported(true)?;
            // Refuse every DATA chunk that is not authenticated.
            socket.add_auth_chunk(DATA)?;
            socket.set_auth_key(AssocId::FUTURE, 1, b"known to both")?;
            socket.set_active_auth_key(AssocId::FUTURE, 1)
        });
    let mut listener = builder
        .clone()
        .with_local_addrs(["127.0.0.1:0".parse()?])
        .listen()?;
    let peer = listener.local_addrs()?;
    let (client, server) = tokio::join!(builder.connect(&peer), listener.accept());
    let (mut client, mut server) = (client?, server?);
    let socket = client.socket().ok_or("the association has ended")?;
    println!(
        "the server wants these chunks authenticated: {:?}",
        socket.peer_auth_chunks(client.id())?
    );
    talk(&client, &mut server, "with key 1").await?;

    // First both ends have the new key, then they use it, then the old one goes.
    let ends = [client.control(), server.control()];
    for end in &ends {
        end.set_auth_key(2, b"known to both, and newer")?;
    }
    for end in &ends {
        end.set_active_auth_key(2)?;
        end.deactivate_auth_key(1)?;
        end.delete_auth_key(1)?;
    }
    talk(&client, &mut server, "with key 2").await?;
    println!("client: {}", client.shutdown().await?);
    Ok(())
}

async fn talk(
    client: &Association,
    server: &mut Association,
    text: &'static str,
) -> Result<(), Box<dyn Error>> {
    client.send(text).await?;
    let message = server.recv().await?.ok_or("the client has gone")?;
    println!("server: {:?}", message.payload);
    // A key must not go while something sent with it is under way.
    client.flushed().await?;
    Ok(())
}
