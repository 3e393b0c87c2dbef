//! A pool of three servers, one of which is drained and one killed under load: `pool --help`.
#![forbid(unsafe_code)]

use std::{
    collections::BTreeMap,
    error::Error,
    io::{self, Write},
    net::SocketAddr,
    process::{ExitCode, Stdio},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use clap::Parser;
use sctp_examples::program;
use sctp_service::{
    Payload,
    client::{
        ClientEvent,
        pool::{Pool, PoolEvent, RetryPolicy},
    },
    serve,
};
use sctp_tokio::SctpListener;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader},
    process::{Child, ChildStdin, Command},
    task::JoinSet,
    time::sleep,
};

/// Starts three servers, each a process of its own, and calls them through a pool without a
/// pause. One of them is drained, then another is killed, and the calls that failed are counted:
/// none but those in flight on the one that was killed.
#[derive(Parser)]
struct Args {
    /// Number of calls in flight
    #[arg(long, default_value_t = 48, value_name = "CALLS")]
    in_flight: usize,
    /// Be one of the servers: print the address, and drain when standard input ends
    #[arg(long, hide = true)]
    serve: bool,
}

type Result<T = ()> = std::result::Result<T, Box<dyn Error>>;

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    program::start_log();
    let result = if args.serve {
        be_server().await
    } else {
        play(args.in_flight.max(1)).await
    };
    program::exit("pool", result)
}

async fn play(in_flight: usize) -> Result {
    let (drained, killed, left) = (Server::start()?, Server::start()?, Server::start()?);
    let (mut drained, mut killed, mut left) = (drained.await?, killed.await?, left.await?);
    let pool = Pool::builder()
        // An echo can be repeated. Other requests may have been acted on by the server that shuts down.
        .with_retry(RetryPolicy::new().with_after_shutdown(true))
        .on_event(tell)
        .fixed([drained.addr, killed.addr, left.addr]);
    let mut load = Load::start(&pool, in_flight);

    load.run("three servers").await?;
    drop(drained.input.take());
    let status = drained.child.wait().await?;
    load.run(&format!("one drained ({status})")).await?;
    let failed_before = load.count.failed();
    killed.child.kill().await?;
    load.run("one more killed").await?;
    load.stop().await?;

    drop(pool);
    drop(left.input.take());
    left.child.wait().await?;
    load.judge(failed_before, in_flight)
}

/// Tells what happens to the pool's associations, as a hook.
fn tell(event: &PoolEvent<'_>) {
    let PoolEvent::Client { server, event, .. } = event else {
        return;
    };
    let what = match event {
        ClientEvent::Up { .. } => "up".to_owned(),
        ClientEvent::Closed { end, counts, .. } => {
            let (calls, lost) = (counts.calls, counts.lost_calls);
            format!("{end}, after {calls} calls, of which {lost} were not answered")
        }
        ClientEvent::ConnectFailed {
            failures: 1, error, ..
        } => format!("not to be had: {error}"),
        _ => return,
    };
    program::say(format_args!("  {:?} {what}", server.addrs()));
}

/// One of the servers, seen from the outside.
struct Server {
    addr: SocketAddr,
    child: Child,
    input: Option<ChildStdin>,
}

impl Server {
    fn start() -> Result<impl Future<Output = Result<Self>>> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg("--serve")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        Ok(async move {
            let output = child.stdout.take().ok_or("the server has no output")?;
            let line = BufReader::new(output).lines().next_line().await?;
            Ok(Self {
                addr: line.ok_or("a server could not start")?.parse()?,
                input: child.stdin.take(),
                child,
            })
        })
    }
}

/// One of the servers, from the inside: answers each message with itself, a moment later.
async fn be_server() -> Result {
    let listener = SctpListener::bind("127.0.0.1:0").await?;
    let addr = *listener.local_addrs()?.first().ok_or("no address")?;
    writeln!(io::stdout(), "{addr}")?;
    let input_ends = async {
        // Whatever ends the input, the server is to stop.
        let _ = tokio::io::stdin().read_to_end(&mut Vec::new()).await;
    };
    let service = |Payload(payload): Payload| async {
        sleep(Duration::from_millis(2)).await;
        Payload(payload)
    };
    serve(listener, service)
        .with_graceful_shutdown(input_ends)
        .await;
    Ok(())
}

/// Results of the calls.
#[derive(Default)]
struct Count {
    answered: AtomicUsize,
    failures: Mutex<BTreeMap<String, usize>>,
}

impl Count {
    fn fail(&self, error: String) {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        *failures.entry(error).or_default() += 1;
    }

    fn failed(&self) -> usize {
        let failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        failures.values().sum()
    }
}

/// Callers that call without a pause.
struct Load {
    count: Arc<Count>,
    stop: Arc<AtomicBool>,
    callers: JoinSet<()>,
}

impl Load {
    fn start(pool: &Pool, in_flight: usize) -> Self {
        let (count, stop) = (Arc::new(Count::default()), Arc::new(AtomicBool::new(false)));
        let mut callers = JoinSet::new();
        for caller in 0..in_flight {
            callers.spawn(call(
                pool.clone(),
                caller,
                Arc::clone(&count),
                Arc::clone(&stop),
            ));
        }
        Self {
            count,
            stop,
            callers,
        }
    }

    /// Lets a second pass, and says what came of the calls in it.
    async fn run(&self, what: &str) -> io::Result<()> {
        let (answered, failed) = (
            self.count.answered.load(Ordering::Relaxed),
            self.count.failed(),
        );
        sleep(Duration::from_secs(1)).await;
        let answered = self.count.answered.load(Ordering::Relaxed) - answered;
        let failed = self.count.failed() - failed;
        writeln!(
            io::stdout(),
            "{what}: {answered} calls answered, {failed} failed"
        )
    }

    async fn stop(&mut self) -> Result {
        self.stop.store(true, Ordering::Relaxed);
        while let Some(caller) = self.callers.join_next().await {
            caller?;
        }
        Ok(())
    }

    fn judge(&self, failed_before: usize, in_flight: usize) -> Result {
        let failures = self.count.failures.lock();
        for (error, times) in failures.unwrap_or_else(PoisonError::into_inner).iter() {
            writeln!(io::stdout(), "{times} times: {error}")?;
        }
        let failed = self.count.failed();
        if failed_before > 0 || failed > in_flight {
            return Err("calls were lost that were not in flight on the killed server".into());
        }
        writeln!(
            io::stdout(),
            "no call was lost other than {failed} in flight on the killed server"
        )?;
        Ok(())
    }
}

async fn call(pool: Pool, caller: usize, count: Arc<Count>, stop: Arc<AtomicBool>) {
    let mut number = 0;
    while !stop.load(Ordering::Relaxed) {
        number += 1;
        let text = format!("call {number} of caller {caller}");
        match pool.request(text.clone()).await {
            Ok(reply) if reply.payload == text => {
                count.answered.fetch_add(1, Ordering::Relaxed);
            }
            Ok(reply) => count.fail(format!("a wrong answer: {:?}", reply.payload)),
            Err(error) => count.fail(error.to_string()),
        }
    }
}
