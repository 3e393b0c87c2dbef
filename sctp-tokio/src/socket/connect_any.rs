//! Connecting to the first of several hosts that answers (RFC 8305).

use std::{
    fmt,
    future::poll_fn,
    iter,
    pin::{Pin, pin},
    task::{Poll, ready},
    time::Duration,
};

use tokio::{net::ToSocketAddrs, time::sleep};

use super::{
    connect::connect,
    setup::{SocketConfig, resolve},
};
use crate::{
    association::{recv_half::RecvHalf, shared::Style},
    error::ConnectError,
};

/// Delay before the next attempt starts ("Connection Attempt Delay", RFC 8305 section 5).
const STAGGER: Duration = Duration::from_millis(250);

/// Tries addresses concurrently, with staggered starts.
pub(crate) async fn connect_any(
    config: &SocketConfig,
    addrs: impl ToSocketAddrs + fmt::Debug,
) -> Result<RecvHalf, ConnectError> {
    let (first, rest) = resolve(addrs).await.map_err(ConnectError::Io)?;
    let attempt = |addr| async move { connect(config, &[addr], Style::OneToMany).await };
    let stagger = match has_exclusive_port(config) {
        true => Duration::MAX,
        false => STAGGER,
    };
    race(attempt(first), rest.into_iter().map(attempt), stagger).await
}

/// Returns `true` if sockets with this configuration cannot be bound at the same time.
fn has_exclusive_port(config: &SocketConfig) -> bool {
    let shares = config.reuse_address || config.reuse_port;
    !shares && config.local_addrs.iter().any(|addr| addr.port() != 0)
}

/// Runs attempts concurrently, and drops the others when one succeeds. The next one starts
/// `stagger` after the last one, or when an attempt fails.
///
/// # Errors
///
/// Returns the error of the attempt that failed last.
async fn race<F, T, E>(
    first: F,
    mut rest: impl Iterator<Item = F>,
    stagger: Duration,
) -> Result<T, E>
where
    F: Future<Output = Result<T, E>>,
{
    let mut running: Vec<Pin<Box<F>>> = Vec::from_iter(iter::once(Box::pin(first)));
    let mut due = pin!(sleep(stagger));
    poll_fn(|cx| {
        loop {
            let mut at = 0;
            while let Some(attempt) = running.get_mut(at) {
                match attempt.as_mut().poll(cx) {
                    Poll::Pending => at += 1,
                    Poll::Ready(Ok(up)) => return Poll::Ready(Ok(up)),
                    Poll::Ready(Err(error)) => {
                        running.swap_remove(at);
                        if let Some(next) = rest.next() {
                            running.push(Box::pin(next));
                            due.set(sleep(stagger));
                        } else if running.is_empty() {
                            return Poll::Ready(Err(error));
                        }
                    }
                }
            }
            ready!(due.as_mut().poll(cx));
            let Some(next) = rest.next() else {
                return Poll::Pending;
            };
            running.push(Box::pin(next));
            due.set(sleep(stagger));
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use tokio::time::Instant;

    use super::*;

    /// Names of attempts that ended, with the time in milliseconds.
    type Log = RefCell<Vec<(&'static str, u128)>>;

    struct Logged<'a>(&'a Log, &'static str, Instant);

    impl Drop for Logged<'_> {
        fn drop(&mut self) {
            self.0
                .borrow_mut()
                .push((self.1, self.2.elapsed().as_millis()));
        }
    }

    /// Runs attempts, each with its duration in milliseconds and its success, and returns the
    /// result and the log.
    async fn run(
        attempts: &[(&'static str, u64, bool)],
        stagger: Duration,
    ) -> (
        Result<&'static str, &'static str>,
        Vec<(&'static str, u128)>,
    ) {
        let (log, began) = (Log::default(), Instant::now());
        let start = |&(name, millis, succeeds): &(&'static str, u64, bool)| {
            let logged = Logged(&log, name, began);
            async move {
                let _logged = logged;
                sleep(Duration::from_millis(millis)).await;
                if succeeds { Ok(name) } else { Err(name) }
            }
        };
        let mut attempts = attempts.iter().map(start);
        let first = attempts.next().unwrap();
        let result = race(first, attempts, stagger).await;
        (result, log.into_inner())
    }

    #[tokio::test(start_paused = true)]
    async fn silent_attempt_is_overtaken_and_dropped() {
        let (result, log) = run(&[("silent", 60_000, false), ("good", 10, true)], STAGGER).await;
        assert_eq!(result, Ok("good"));
        assert_eq!(log, [("good", 260), ("silent", 260)]);
    }

    #[tokio::test(start_paused = true)]
    async fn slow_attempt_goes_on_beside_the_next() {
        let (result, log) = run(&[("slow", 300, true), ("slower", 100, true)], STAGGER).await;
        assert_eq!(result, Ok("slow"));
        assert_eq!(log, [("slow", 300), ("slower", 300)]);
    }

    #[tokio::test(start_paused = true)]
    async fn failed_attempt_is_followed_at_once() {
        let attempts = [
            ("refused", 5, false),
            ("good", 5, true),
            ("unused", 0, true),
        ];
        let (result, log) = run(&attempts, STAGGER).await;
        assert_eq!(result, Ok("good"));
        assert_eq!(log, [("refused", 5), ("good", 10)]);
    }

    #[tokio::test(start_paused = true)]
    async fn last_failure_is_the_error() {
        let attempts = [("silent", 900, false), ("refused", 5, false)];
        let (result, log) = run(&attempts, STAGGER).await;
        assert_eq!(result, Err("silent"));
        assert_eq!(log, [("refused", 255), ("silent", 900)]);
    }

    #[tokio::test(start_paused = true)]
    async fn attempts_follow_each_other_without_a_stagger() {
        let attempts = [("silent", 900, false), ("good", 5, true)];
        let (result, log) = run(&attempts, Duration::MAX).await;
        assert_eq!(result, Ok("good"));
        assert_eq!(log, [("silent", 900), ("good", 905)]);
    }
}
