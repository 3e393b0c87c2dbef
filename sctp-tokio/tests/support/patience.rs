//! Bounds for waits: a test that hangs fails, and names what was pending.

use std::{
    any::type_name,
    collections::BTreeMap,
    future::Future,
    panic::Location,
    sync::{Mutex, MutexGuard, Once, PoisonError},
    thread,
    time::{Duration, Instant},
};

/// The real time that a wait may take under whatever clock, in multiples of [`patience`].
///
/// It is reached only where the runtime's own clock stands still: a task never yields, or a thread
/// blocks.
const REAL_TIME: u32 = 4;

/// All waits of this process.
static WAITS: Mutex<BTreeMap<u64, Wait>> = Mutex::new(BTreeMap::new());

#[derive(Clone, Copy)]
struct Wait {
    what: &'static str,
    caller: &'static Location<'static>,
    since: Instant,
}

/// A bound of so many seconds, and of more in the SMP guest: its processors are emulated, and take
/// many times as long.
pub fn scaled(seconds: u64) -> Duration {
    let emulated = std::env::var_os("SCTP_KERNEL_GUEST").is_some_and(|guest| guest == "smp");
    Duration::from_secs(seconds * if emulated { 8 } else { 1 })
}

/// A bound against hanging: nothing takes a tenth of it, and reaching it fails the test.
pub fn patience() -> Duration {
    scaled(30)
}

/// Waits for something that must happen within a time of the runtime's clock.
///
/// Panics if it does not, and names the future and the line that waits for it. If the runtime's clock
/// stands still, a thread ends the process, after listing all waits of this process.
#[track_caller]
pub fn within<F: Future>(limit: Duration, future: F) -> impl Future<Output = F::Output> {
    let caller = Location::caller();
    async move {
        let what = type_name::<F>();
        let _waiting = Waiting::start(what, caller);
        match tokio::time::timeout(limit, future).await {
            Ok(value) => value,
            Err(_) => panic!("pending for {limit:?}, at {caller}: {what}"),
        }
    }
}

/// An entry among the waits.
struct Waiting(u64);

impl Waiting {
    fn start(what: &'static str, caller: &'static Location<'static>) -> Self {
        static WATCH: Once = Once::new();
        WATCH.call_once(|| drop(thread::spawn(watch)));
        let mut waits = lock();
        let number = waits.last_key_value().map_or(0, |(last, _)| last + 1);
        let since = Instant::now();
        waits.insert(
            number,
            Wait {
                what,
                caller,
                since,
            },
        );
        Self(number)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        lock().remove(&self.0);
    }
}

fn lock() -> MutexGuard<'static, BTreeMap<u64, Wait>> {
    WAITS.lock().unwrap_or_else(PoisonError::into_inner)
}

fn watch() {
    let limit = patience() * REAL_TIME;
    loop {
        thread::park_timeout(Duration::from_secs(1));
        let waits = lock();
        if waits.values().any(|wait| wait.since.elapsed() > limit) {
            for Wait {
                what,
                caller,
                since,
            } in waits.values()
            {
                eprintln!("pending for {:?}, at {caller}: {what}", since.elapsed());
            }
            std::process::exit(101);
        }
    }
}
