//! Starts everything that a run consists of, and watches over it to the end.

use std::{
    sync::{
        Arc,
        mpsc::{self, RecvTimeoutError},
    },
    thread,
    time::{Duration, Instant},
};

use sctp_service::testing::{Network, ScriptedListener};
use tokio::{runtime::Handle, sync::oneshot, task::JoinSet, time::sleep};

use crate::{
    callers::Caller,
    client, duel,
    equals::{self, EQUALS, Equals},
    fault::Kind,
    peer, pool, pushers,
    rng::Rng,
    run::Run,
    scripted, server,
    watch::{INTERVAL, Look},
};

/// Servers that are served; one more is by hand.
const SERVERS: u16 = 3;
/// Threads that push, and as many tasks.
const PUSHERS: u32 = 2;
/// Threads with a driver of their own, and as many that complete what its calls wait for.
const DUELS: u32 = 1;
/// The callers of a client or a pool.
const CALLERS: u32 = 6;

/// Tasks that ask on accepted associations, and as many threads.
const ASKERS: u32 = 2;
/// Callers of handlers that ask back.
const BACK: u32 = 16;

/// Clients, pools, peers by hand, and ends that connect to their equals, for each thread of the
/// runtime.
const CLIENTS: u32 = 2;
const POOLS: u32 = 1;
const PEERS: u32 = 2;
const DIALS: u32 = 1;

/// The longest time for the last calls, pushes and ends. A hang is reported long before.
const WIND_UP: Duration = Duration::from_secs(90);
/// The looks after the first fault, to list everything else that is pending.
const LAST_LOOKS: u32 = 10;

type Servers = Vec<(u16, Arc<Network>)>;

/// A run that has begun.
struct Execution {
    run: Arc<Run>,
    runtime: Handle,
    rng: Rng,
    callers: u32,
    serving: JoinSet<()>,
    tasks: JoinSet<()>,
}

/// Runs for a time, or until the first fault.
///
/// The calling thread only looks, since it must see a runtime that stands still.
pub(crate) fn execute(runtime: &Handle, seed: u64, threads: usize, time: Duration) -> Arc<Run> {
    // More threads than that cannot be.
    let workers = u32::try_from(threads).unwrap_or(u32::MAX >> 8);
    let callers = workers * ((CLIENTS + POOLS + DIALS) * CALLERS + PEERS) + 2 * ASKERS + BACK;
    let run = Run::new(seed, threads, callers);
    let mut execution = Execution {
        run: Arc::clone(&run),
        runtime: runtime.clone(),
        rng: Rng::new(seed),
        callers: 0,
        serving: JoinSet::new(),
        tasks: JoinSet::new(),
    };
    execution.start(workers);
    let (done, ended) = mpsc::channel();
    runtime.spawn(async move {
        execution.wait().await;
        // An error means that nothing is waited for any more.
        let _ = done.send(());
    });
    watch(&run, &ended, Instant::now() + time);
    run
}

/// Looks until everything has ended, or some time after the first fault.
fn watch(run: &Run, ended: &mpsc::Receiver<()>, end: Instant) {
    let mut look = Look::new();
    let mut last_looks = LAST_LOOKS;
    while let Err(RecvTimeoutError::Timeout) = ended.recv_timeout(INTERVAL) {
        look.look(&run.watch, &run.ledger, &run.faults);
        run.book.settle(&run.watch, &run.faults);
        let now = Instant::now();
        if now >= end + WIND_UP {
            run.faults.add(Kind::Hung, "the end of the run");
        }
        if run.faults.any() {
            last_looks -= 1;
            if last_looks == 0 {
                break;
            }
        }
        if now >= end || run.faults.any() {
            run.end();
        }
    }
}

impl Execution {
    fn start(&mut self, workers: u32) {
        let servers = self.start_servers();
        let mut all = servers.clone();
        all.push(self.start_scripted());
        for name in 0..workers * CLIENTS {
            let (run, callers, rng) = self.with_callers();
            self.spawn(client::run(run, name, all.clone(), callers, rng));
        }
        for name in 0..workers * POOLS {
            let (run, callers, rng) = self.with_callers();
            self.spawn(pool::run(run, name, all.clone(), callers, rng));
        }
        let network = self.start_equals(workers);
        let mut served = servers;
        served.push((EQUALS, network));
        for _ in 0..workers * PEERS {
            let caller = self.caller();
            let (run, rng) = self.shared();
            self.spawn(peer::run(run, served.clone(), caller, rng));
        }
        for pusher in 0..PUSHERS {
            let (run, rng) = self.shared();
            self.spawn(pushers::run(run, format!("task {pusher} that pushes"), rng));
            let (run, rng) = self.shared();
            let name = format!("thread {pusher} that pushes");
            self.start_thread(pushers::run(run, name, rng));
        }
        for name in 0..DUELS {
            let (run, rng) = self.shared();
            self.start_thread(duel::run(run, format!("duel {name}"), rng));
        }
    }

    fn start_servers(&mut self) -> Servers {
        let mut servers = Servers::new();
        for server in 0..SERVERS {
            let (listener, network) = ScriptedListener::new();
            let network = Arc::new(network);
            servers.push((server, Arc::clone(&network)));
            let (run, rng) = self.shared();
            let task = server::run(run, server, network, listener, rng);
            self.serving.spawn_on(task, &self.runtime);
        }
        servers
    }

    fn start_scripted(&mut self) -> (u16, Arc<Network>) {
        let (listener, network) = ScriptedListener::new();
        let (run, rng) = self.shared();
        let task = scripted::run(run, listener, rng);
        self.serving.spawn_on(task, &self.runtime);
        (SERVERS, Arc::new(network))
    }

    fn start_equals(&mut self, workers: u32) -> Arc<Network> {
        let (listener, network) = ScriptedListener::new();
        let (network, equals) = (Arc::new(network), Arc::new(Equals::default()));
        let (run, rng) = self.shared();
        let server = Arc::clone(&network);
        let task = equals::serve_all(run, Arc::clone(&equals), server, listener, rng);
        self.serving.spawn_on(task, &self.runtime);
        for name in 0..workers * DIALS {
            let (run, callers, rng) = self.with_callers();
            let network = Arc::clone(&network);
            self.spawn(equals::dial(run, name, network, callers, rng));
        }
        for _ in 0..ASKERS {
            for on_thread in [true, false] {
                let caller = self.caller();
                let (run, rng) = self.shared();
                let asking = equals::ask(run, Arc::clone(&equals), caller, rng);
                match on_thread {
                    true => self.start_thread(asking),
                    false => self.spawn(asking),
                }
            }
        }
        for _ in 0..BACK {
            let caller = self.caller();
            self.run.askers.add(caller);
        }
        network
    }

    /// Runs a future on a thread of its own.
    fn start_thread(&mut self, future: impl Future<Output = ()> + Send + 'static) {
        let runtime = self.runtime.clone();
        let (done, ended) = oneshot::channel::<()>();
        thread::spawn(move || {
            let _done = done;
            runtime.block_on(future);
        });
        self.spawn(async { drop(ended.await) });
    }

    fn spawn(&mut self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn_on(task, &self.runtime);
    }

    fn shared(&mut self) -> (Arc<Run>, Rng) {
        (Arc::clone(&self.run), self.rng.fork())
    }

    fn with_callers(&mut self) -> (Arc<Run>, Vec<Caller>, Rng) {
        let callers = (0..CALLERS).map(|_| self.caller()).collect();
        let (run, rng) = self.shared();
        (run, callers, rng)
    }

    fn caller(&mut self) -> Caller {
        let id = self.callers;
        self.callers += 1;
        Caller::new(&self.run, id, self.rng.fork())
    }

    /// Waits until all tasks have ended, and all pushes are accounted for.
    async fn wait(mut self) {
        self.join().await;
        self.run.desert();
        std::mem::swap(&mut self.tasks, &mut self.serving);
        self.join().await;
        while !self.run.book.is_empty() {
            sleep(INTERVAL).await;
        }
    }

    async fn join(&mut self) {
        while let Some(ended) = self.tasks.join_next().await {
            if let Err(error) = ended {
                let line = format!("a task of the run: {error}");
                self.run.faults.add(Kind::Lost, line);
            }
        }
    }
}
