//! From the names that people type to addresses and associations.

use std::{io, net::SocketAddr, time::Duration};

use clap::Args;
use sctp_tokio::{Association, SocketBuilder, options::InitMsg};
use tokio::net::lookup_host;

use crate::{
    parse,
    status::{FAILED, Failure},
};

/// Address of a peer, and limits of the association with it.
#[derive(Args, Clone, Debug)]
pub(crate) struct Peer {
    /// The peer's address, HOST:PORT; further ones are other addresses of the same peer
    #[arg(required = true, value_name = "ADDR")]
    addr: Vec<String>,
    /// Send from this address; several joined by commas make this end multi-homed
    #[arg(long, value_name = "IP[,IP...]", value_parser = parse::source)]
    bind: Option<parse::Source>,
    /// Number of outbound streams to ask for [default: 128]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    streams: Option<u16>,
    /// Give up connecting after this time
    #[arg(long, value_name = "TIME", value_parser = parse::some_duration, default_value = "5s")]
    connect_timeout: Duration,
    /// Abort a peer that sends longer messages than this
    #[arg(long, value_name = "BYTES", value_parser = parse::bytes, default_value = "1M")]
    max_message_size: u32,
}

impl Peer {
    /// Sets an association up, which asks for this stream unless the user limits the streams.
    pub(crate) async fn connect(&self, stream: u16) -> Result<Association, Failure> {
        let bind = self.bind.iter().flat_map(|source| &source.0);
        let enough = stream
            .saturating_add(1)
            .max(SocketBuilder::OUTBOUND_STREAMS);
        let init = InitMsg::new().with_outbound_streams(self.streams.unwrap_or(enough));
        let sockets = SocketBuilder::new()
            .bind(bind.map(|ip| SocketAddr::new(*ip, 0)))
            .with_init(init)
            .with_max_message_size(self.max_message_size as usize)
            .with_connect_timeout(self.connect_timeout);
        let connected = match &self.addr[..] {
            // The addresses of one name may be different hosts, and are tried one after the other.
            [only] => {
                let addrs: Vec<_> = lookup(only).await?.collect();
                sockets.connect_any(&addrs[..]).await
            }
            addrs => sockets.connect(&resolve(addrs).await?).await,
        };
        connected.map_err(Failure::from)
    }
}

/// Finds the first address of each HOST:PORT.
pub(crate) async fn resolve(names: &[String]) -> Result<Vec<SocketAddr>, Failure> {
    let mut addrs = Vec::new();
    for name in names {
        addrs.extend(lookup(name).await?.next());
    }
    Ok(addrs)
}

/// Finds the addresses of a HOST:PORT, at least one.
async fn lookup(name: &str) -> Result<impl Iterator<Item = SocketAddr> + use<'_>, Failure> {
    let failed = |error: io::Error| Failure::new(FAILED, format!("cannot resolve {name}: {error}"));
    let mut found = lookup_host(name).await.map_err(failed)?.peekable();
    match found.peek() {
        Some(_) => Ok(found),
        None => Err(failed(io::Error::other("it has no address"))),
    }
}
