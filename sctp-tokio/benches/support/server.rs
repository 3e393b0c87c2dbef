//! A server that is measured, as a child process, and the load on it.

use std::{
    env, fs,
    io::{self, BufRead, BufReader, Write},
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::Duration,
};

use super::{Case, compile, control};

/// Kind of a server.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Program {
    /// A program of the folder `baseline`, and its first argument.
    C(&'static str, Option<&'static str>),
    /// This benchmark itself, called with `--serve NAME PORT`.
    Ours(&'static str),
    /// The same, for a server of TCP.
    OursOverTcp(&'static str),
    /// A server on another library, called with `NAME PORT`.
    Peer(&'static str),
}

/// After so many seconds without an end, the client gives up; with many associations, later.
const PATIENCE: [usize; 2] = [30, 90];

/// Ends a client that has waited too long.
const SIGALRM: i32 = 14;

/// The counters of `baseline/count.c`.
const COUNTERS: usize = 8;

/// A running server; it is killed when dropped.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) name: &'static str,
    port: u16,
    is_tcp: bool,
    counts_allocations: bool,
    counters: PathBuf,
    child: Child,
}

/// Result of one round of load.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    /// Messages received and answered in a second.
    pub(crate) rate: f64,
    /// System calls of the server for each message.
    pub(crate) calls: f64,
    /// Allocations of the server for each message; not known of a server in C.
    pub(crate) allocations: Option<f64>,
    /// From a message to its echo: half, 99 and 99.9 of a hundred took no longer.
    pub(crate) latency: [Duration; 3],
    /// Processor time of the server, to a hundredth of a second.
    pub(crate) cpu: Duration,
    /// Number of messages in that time.
    pub(crate) messages: f64,
    /// Connecting all associations.
    pub(crate) connecting: Duration,
}

impl Server {
    /// Starts a server and waits until it listens.
    pub(crate) fn start(
        name: &'static str,
        program: Program,
        port: u16,
        preload: &str,
    ) -> io::Result<Self> {
        let mut command = match program {
            Program::C(source, mode) => {
                let mut command = Command::new(compile::program(source)?);
                command.args(mode);
                command
            }
            Program::Ours(role) | Program::OursOverTcp(role) => {
                let mut command = Command::new(env::current_exe()?);
                command.args(["--serve", role]);
                command
            }
            Program::Peer(role) => {
                let mut command = Command::new(peers());
                command.arg(role);
                command
            }
        };
        let counters = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("calls.{port}"));
        fs::write(&counters, [0; COUNTERS * size_of::<u64>()])?;
        let mut child = command
            .arg(port.to_string())
            .env(
                "LD_PRELOAD",
                format!("{} {}", compile::library("count")?.display(), preload),
            )
            .env("SYSCALL_COUNTS", &counters)
            .stdout(Stdio::piped())
            .spawn()?;
        expect_ready(&mut child)?;
        Ok(Self {
            name,
            port,
            is_tcp: matches!(program, Program::OursOverTcp(_)),
            counts_allocations: !matches!(program, Program::C(..)),
            counters,
            child,
        })
    }

    /// Puts load on it for a while.
    pub(crate) fn measure(
        &self,
        client: (&Path, &str),
        case: Case,
        time: Duration,
    ) -> io::Result<Sample> {
        self.measure_and(client, case, time, || Ok(()))
    }

    /// The same; what is to be done before the associations end is done then.
    pub(crate) fn measure_and(
        &self,
        (client, preload): (&Path, &str),
        case: Case,
        time: Duration,
        before_the_end: impl FnOnce() -> io::Result<()>,
    ) -> io::Result<Sample> {
        let arguments = [
            usize::from(self.port),
            case.associations,
            case.in_flight,
            case.size,
            usize::try_from(time.as_millis()).unwrap_or(usize::MAX),
        ];
        let patience = PATIENCE[usize::from(case.associations > 1_000)];
        let mut client = Command::new(client)
            .env("LD_PRELOAD", preload)
            .args(arguments.map(|argument| argument.to_string()))
            .arg(if self.is_tcp { "tcp" } else { "sctp" })
            .arg(patience.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut output = match expect_ready(&mut client) {
            Ok(output) => output,
            Err(error) => {
                // Its patience has an end, so this has.
                judge(client.wait()?, patience)?;
                return Err(error);
            }
        };
        let mut input = client.stdin.take().ok_or_else(no_pipe)?;
        let before = (self.counts()?, self.cpu()?);
        input.write_all(b"\n")?;
        let mut line = String::new();
        output.read_line(&mut line)?;
        let after = (self.counts()?, self.cpu()?);
        before_the_end()?;
        // One that failed has said why, and is gone.
        let _ = input.write_all(b"\n");
        judge(client.wait()?, patience)?;
        self.sample(case, &line, before, after)
    }

    fn sample(&self, case: Case, line: &str, before: Usage, after: Usage) -> io::Result<Sample> {
        let numbers: Vec<f64> = line
            .split_whitespace()
            .filter_map(|word| word.parse().ok())
            .collect();
        let [messages, nanoseconds, all, p50, p99, p999, connecting] = numbers[..] else {
            return Err(io::Error::other(format!(
                "{}: no result for {case:?}",
                self.name
            )));
        };
        let per_message = |after: u64, before: u64| (after - before) as f64 / all.max(1.0);
        let time = |nanoseconds: f64| Duration::from_secs_f64(nanoseconds.max(0.0) / 1e9);
        Ok(Sample {
            rate: messages / nanoseconds.max(1.0) * 1e9,
            calls: per_message(after.0.0, before.0.0),
            allocations: self
                .counts_allocations
                .then(|| per_message(after.0.1, before.0.1)),
            latency: [p50, p99, p999].map(time),
            cpu: after.1.saturating_sub(before.1),
            messages: all,
            connecting: time(connecting),
        })
    }

    /// Numbers of system calls and allocations so far.
    fn counts(&self) -> io::Result<(u64, u64)> {
        let allocations = if self.counts_allocations {
            control::allocations(self.port)?
        } else {
            0
        };
        let bytes = fs::read(&self.counters)?;
        let calls = bytes
            .chunks_exact(size_of::<u64>())
            .filter_map(|chunk| chunk.try_into().ok())
            .map(u64::from_ne_bytes);
        Ok((calls.sum(), allocations))
    }
}

/// System calls and allocations, and time of the processor.
type Usage = ((u64, u64), Duration);

impl Server {
    /// Processor time so far, to a hundredth of a second.
    pub(crate) fn cpu(&self) -> io::Result<Duration> {
        let stat = self.proc("stat")?;
        // The name of the program is in brackets, and may hold anything.
        let rest = stat.rsplit(')').next().unwrap_or_default();
        let fields: Vec<&str> = rest.split_whitespace().collect();
        let ticks = |field: usize| fields.get(field)?.parse::<u64>().ok();
        let ticks = ticks(11).zip(ticks(12)).map(|(user, system)| user + system);
        let ticks = ticks.ok_or_else(|| io::Error::other(format!("unexpected: {stat}")))?;
        Ok(Duration::from_millis(10 * ticks))
    }

    /// Its memory that is not of a file, in bytes.
    pub(crate) fn memory(&self) -> io::Result<u64> {
        let status = self.proc("status")?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("RssAnon:"));
        let kibibytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
        kibibytes
            .map(|kibibytes: u64| kibibytes * 1024)
            .ok_or_else(|| io::Error::other("the kernel does not tell RssAnon"))
    }

    fn proc(&self, file: &str) -> io::Result<String> {
        fs::read_to_string(format!("/proc/{}/{file}", self.child.id()))
    }

    /// Tells it to end in good order, and waits until it has.
    pub(crate) fn drain(&self) -> io::Result<()> {
        let pid = self.child.id().to_string();
        Command::new("kill").args(["-TERM", &pid]).status()?;
        loop {
            // What has ended stays there until its parent, this process, waits for it.
            let stat = self.proc("stat")?;
            let rest = stat.rsplit(") ").next().unwrap_or_default();
            match (rest.starts_with('Z'), rest.trim_end().ends_with(" 0")) {
                (false, _) => thread::yield_now(),
                (true, true) => return Ok(()),
                (true, false) => return Err(io::Error::other(format!("{} failed", self.name))),
            }
        }
    }
}

/// The program with the servers on other libraries; `examples/benches/peers/build` makes it.
pub(crate) fn peers() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("../echo-peers/release/echo-peers")
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Says what was wrong if the client did not end well; more is on its standard error.
fn judge(status: ExitStatus, patience: usize) -> io::Result<()> {
    match (status.success(), status.signal()) {
        (true, _) => Ok(()),
        (false, Some(SIGALRM)) => Err(io::Error::new(
            io::ErrorKind::TimedOut,
            format!("not all echoes came within {patience} s"),
        )),
        (false, _) => Err(io::Error::other(format!("the client failed: {status}"))),
    }
}

/// Reads the line that says that a child is ready.
fn expect_ready(child: &mut Child) -> io::Result<BufReader<std::process::ChildStdout>> {
    let mut output = BufReader::new(child.stdout.take().ok_or_else(no_pipe)?);
    let mut line = String::new();
    output.read_line(&mut line)?;
    if line.trim() == "ready" {
        Ok(output)
    } else {
        Err(io::Error::other("a server or client did not get ready"))
    }
}

fn no_pipe() -> io::Error {
    io::Error::other("a child without its pipes")
}
