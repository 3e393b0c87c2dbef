//! From the names that people type to addresses and associations.

use std::{io, net::SocketAddr, time::Duration};

use clap::Args;
use sctp_tokio::{Association, ConnectError, SocketBuilder, options::InitMsg};
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
            .with_local_addrs(bind.map(|ip| SocketAddr::new(*ip, 0)))
            .with_init(init)
            .with_max_message_size(self.max_message_size as usize)
            .with_connect_timeout(self.connect_timeout);
        connect(&sockets, &self.addr).await
    }
}

/// Addresses of a peer.
#[derive(Clone, Debug)]
pub(crate) enum Target {
    /// Those of one name, which may be different hosts.
    Any(Vec<SocketAddr>),
    /// Those of one multi-homed host.
    All(Vec<SocketAddr>),
}

impl Target {
    /// Finds the addresses of a name, or the first one of each of several names.
    pub(crate) async fn find(names: &[String]) -> Result<Self, Failure> {
        match names {
            [only] => Ok(Self::Any(lookup(only).await?.collect())),
            names => resolve(names).await.map(Self::All),
        }
    }

    /// Sets an association up. Of the addresses of one name, the first that answers is used.
    pub(crate) async fn connect(
        &self,
        sockets: &SocketBuilder,
    ) -> Result<Association, ConnectError> {
        match self {
            Self::Any(addrs) => sockets.connect_any(&addrs[..]).await,
            Self::All(addrs) => sockets.connect(addrs).await,
        }
    }

    /// Sets an association up on a one-to-one socket, trying the addresses of one name in turn.
    pub(crate) async fn connect_one_to_one(
        &self,
        sockets: &SocketBuilder,
    ) -> Result<Association, ConnectError> {
        let (addrs, last) = match self {
            Self::Any(addrs) => (&addrs[..], addrs.len().saturating_sub(1)),
            Self::All(addrs) => return sockets.connect_one_to_one(addrs).await,
        };
        for addr in &addrs[..last] {
            if let Ok(association) = sockets.connect_one_to_one(&[*addr]).await {
                return Ok(association);
            }
        }
        sockets.connect_one_to_one(&addrs[last..]).await
    }
}

/// Sets an association up with the peer of these names.
pub(crate) async fn connect(
    sockets: &SocketBuilder,
    names: &[String],
) -> Result<Association, Failure> {
    let target = Target::find(names).await?;
    target.connect(sockets).await.map_err(Failure::from)
}

/// Returns the addresses in one line.
pub(crate) fn list(addrs: &[SocketAddr]) -> String {
    let addrs: Vec<_> = addrs.iter().map(ToString::to_string).collect();
    addrs.join(" ")
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
