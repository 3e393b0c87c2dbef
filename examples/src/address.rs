//! From the names that people type to addresses.

use std::{io, net::SocketAddr};

use tokio::net::lookup_host;

/// Finds the first address of each HOST:PORT.
///
/// # Errors
///
/// When one of them does not resolve, with its name.
pub async fn resolve(names: &[String]) -> io::Result<Vec<SocketAddr>> {
    let mut addrs = Vec::new();
    for name in names {
        let failed = |error: io::Error| {
            io::Error::new(error.kind(), format!("cannot resolve {name}: {error}"))
        };
        let nothing = || failed(io::Error::other("it has no address"));
        let mut found = lookup_host(name).await.map_err(failed)?;
        addrs.push(found.next().ok_or_else(nothing)?);
    }
    Ok(addrs)
}
