//! Servers by name.

use std::{future::Future, io, net::SocketAddr, time::Duration};

use tokio::{
    sync::watch,
    time::{Instant, MissedTickBehavior, interval_at, timeout},
};

use super::Target;
use crate::driver::timer::later;

/// Looks a name up through the system.
pub(super) async fn system(name: String) -> io::Result<Vec<SocketAddr>> {
    let addrs: Vec<SocketAddr> = tokio::net::lookup_host(&name).await?.collect();
    if addrs.is_empty() {
        let message = format!("{name} has no address");
        return Err(io::Error::new(io::ErrorKind::NotFound, message));
    }
    Ok(addrs)
}

/// Looks up, and then again and again, until nobody watches any more.
pub(super) async fn watch<F, Fut>(
    mut lookup: F,
    interval: Duration,
) -> io::Result<watch::Receiver<Vec<Target>>>
where
    F: FnMut() -> Fut + Send + 'static,
    Fut: Future<Output = io::Result<Vec<SocketAddr>>> + Send,
{
    let interval = interval.max(Duration::from_millis(1));
    let first = timed(lookup(), interval).await?;
    let (servers, watched) = watch::channel(first);
    tokio::spawn(async move {
        let mut ticks = interval_at(later(Instant::now(), interval), interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = servers.closed() => return,
                _ = ticks.tick() => {}
            }
            let found = tokio::select! {
                () = servers.closed() => return,
                found = timed(lookup(), interval) => found,
            };
            match found {
                Ok(found) => {
                    servers.send_if_modified(|known| {
                        let changed = *known != found;
                        *known = found;
                        changed
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot look the servers up, keeping those known")
                }
            }
        }
    });
    Ok(watched)
}

/// The addresses in one order, so that a list is compared as a set.
async fn timed(
    lookup: impl Future<Output = io::Result<Vec<SocketAddr>>>,
    limit: Duration,
) -> io::Result<Vec<Target>> {
    let mut addrs = timeout(limit, lookup).await??;
    addrs.sort_unstable();
    addrs.dedup();
    Ok(addrs.into_iter().map(Target::from).collect())
}
