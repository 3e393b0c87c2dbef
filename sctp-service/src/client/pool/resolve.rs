//! Lookup of a pool's servers by name.

use std::{error::Error, future::Future, io, net::SocketAddr, time::Duration};

use tokio::{
    sync::watch,
    time::{Instant, MissedTickBehavior, interval_at, timeout},
};

use super::{PoolEvent, Target, event::PoolHook};
use crate::{executor::Spawner, log_limit::LogLimiter, timer::later};

/// Resolves a name with the system's resolver.
pub(super) async fn system(name: String) -> io::Result<Vec<SocketAddr>> {
    match tokio::net::lookup_host(&name).await {
        Ok(addrs) => Ok(addrs.collect()),
        // What the resolver says does not name the server.
        Err(error) => Err(io::Error::new(
            error.kind(),
            format!("cannot resolve {name}: {error}"),
        )),
    }
}

/// Repeats a lookup at an interval until all receivers are dropped.
pub(super) async fn watch<F, Fut>(
    mut lookup: F,
    interval: Duration,
    hook: PoolHook,
    spawner: &Spawner,
) -> io::Result<watch::Receiver<Vec<Target>>>
where
    F: FnMut() -> Fut + Send + 'static,
    Fut: Future<Output = io::Result<Vec<SocketAddr>>> + Send,
{
    let interval = interval.max(Duration::from_millis(1));
    let failed = move |error: &io::Error| hook.emit(&PoolEvent::LookupFailed { error });
    let first = timed(lookup(), interval).await.inspect_err(&failed)?;
    let (servers, watched) = watch::channel(first);
    spawner.spawn(async move {
        let mut ticks = interval_at(later(Instant::now(), interval), interval);
        let lookup_failed = LogLimiter::default();
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
                    if let Some(times) = lookup_failed.record() {
                        tracing::warn!(
                            error = &error as &dyn Error,
                            failed = times,
                            "lookup failed, keeping known servers"
                        );
                    }
                    failed(&error);
                }
            }
        }
    });
    Ok(watched)
}

/// Returns the sorted addresses, so that lists compare as sets. An empty result is a failure: a
/// name server that has lost its data, or has none yet, answers so, and working servers would be
/// removed.
async fn timed(
    lookup: impl Future<Output = io::Result<Vec<SocketAddr>>>,
    limit: Duration,
) -> io::Result<Vec<Target>> {
    let mut addrs = timeout(limit, lookup).await??;
    if addrs.is_empty() {
        let message = "lookup found no server";
        return Err(io::Error::new(io::ErrorKind::NotFound, message));
    }
    addrs.sort_unstable();
    addrs.dedup();
    Ok(addrs.into_iter().map(Target::from).collect())
}

#[cfg(test)]
mod tests {
    use std::future::ready;

    use super::*;

    const INTERVAL: Duration = Duration::from_secs(10);

    fn addr(server: u8) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, server], 9877))
    }

    #[tokio::test(start_paused = true)]
    async fn failed_or_empty_lookup_keeps_the_list() {
        let answers: [io::Result<Vec<SocketAddr>>; 5] = [
            Ok(vec![addr(1), addr(2)]),
            Ok(Vec::new()),
            Err(io::ErrorKind::TimedOut.into()),
            Ok(vec![addr(2), addr(1), addr(1)]),
            Ok(vec![addr(3)]),
        ];
        let mut answers = answers.into_iter();
        let lookup = move || ready(answers.next().unwrap_or_else(|| Ok(Vec::new())));
        let hook = PoolHook::default();
        let spawner = Spawner::default();
        let mut servers = watch(lookup, INTERVAL, hook, &spawner)
            .await
            .expect("the first list");
        let both = [addr(1).into(), addr(2).into()];
        assert_eq!(*servers.borrow_and_update(), both);
        let began = Instant::now();
        servers.changed().await.expect("a list that is watched");
        assert_eq!(began.elapsed(), 4 * INTERVAL);
        assert_eq!(*servers.borrow_and_update(), [addr(3).into()]);
        tokio::time::sleep(10 * INTERVAL).await;
        assert!(!servers.has_changed().expect("a list that is watched"));
    }
}
