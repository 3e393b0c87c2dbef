//! An association over two paths. The client prints what happens to them while messages flow, and
//! makes the other path the primary one in between.
//!
//! The addresses of loopback, 127.0.0.1 and 127.0.0.2, stand for two networks. To see a path fail
//! use addresses of two real ones, and take one down.
//!
//! Both ends bind to the addresses of their networks and not to the wildcard address. The wildcard
//! announces all addresses of a machine, and a common one, such as that of a container bridge, shuts
//! the second of two such peers out.
//!
//! ```text
//! cargo run -p sctp-tokio --example multihoming [LOCAL1 LOCAL2]
//! ```

use std::{
    error::Error,
    net::{IpAddr, SocketAddr},
};

use sctp_tokio::{Association, Control, Event, Notification, SctpListener, SocketBuilder};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut ips: Vec<IpAddr> = Vec::new();
    for arg in std::env::args().skip(1) {
        ips.push(arg.parse()?);
    }
    if ips.is_empty() {
        ips = vec![[127, 0, 0, 1].into(), [127, 0, 0, 2].into()];
    }
    let any_port = || ips.iter().map(|&ip| SocketAddr::new(ip, 0));
    let listener = SocketBuilder::new().with_local_addrs(any_port()).listen()?;
    let server = listener.local_addrs()?;
    tokio::spawn(echo(listener));

    let builder = SocketBuilder::new().with_local_addrs(any_port());
    let mut client = builder.connect(&server).await?;
    let control = client.control();
    show("connected", &control)?;
    for number in 0..6u32 {
        if number == 3 {
            let other = *control.peer_addrs()?.last().ok_or("no address")?;
            control.set_primary_addr(other)?;
            // Asks for an answer on every path now, and not after the usual 30 seconds.
            control.request_heartbeat(None)?;
            show("switched", &control)?;
        }
        client.send(format!("message {number}")).await?;
        wait_for_reply(&mut client).await?;
    }
    println!("{}", client.shutdown().await?);
    Ok(())
}

async fn wait_for_reply(client: &mut Association) -> Result<(), Box<dyn Error>> {
    loop {
        match client.next_event().await? {
            Event::Message(reply) => {
                println!("{:?}", reply.payload);
                return Ok(());
            }
            Event::Notification(Notification::PeerAddrChange(change)) => {
                println!("path to {:?}: {:?}", change.addr, change.state);
            }
            Event::Closed(end) => return Err(end.to_string().into()),
            _ => {}
        }
    }
}

fn show(what: &str, control: &Control) -> std::io::Result<()> {
    println!(
        "{what}, primary path to {:?}",
        control.status()?.primary.addr
    );
    for addr in control.peer_addrs()? {
        let path = control.path_info(addr)?;
        println!(
            "  {addr}: {:?}, retransmits after {:?}",
            path.state, path.retransmission_timeout
        );
    }
    Ok(())
}

async fn echo(mut listener: SctpListener) -> Result<(), Box<dyn Error + Send + Sync>> {
    let mut association = listener.accept().await?;
    while let Some(message) = association.recv().await? {
        association
            .send(message.reply(message.payload.clone()))
            .await?;
    }
    Ok(())
}
