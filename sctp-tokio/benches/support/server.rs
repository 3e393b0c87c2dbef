//! A server that is measured, as a child process, and the load on it.

use std::{
    env, fs,
    io::{self, BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use super::{Case, compile, control};

/// What a server is made of.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Program {
    /// A program of the folder `baseline`, and its first argument.
    C(&'static str, Option<&'static str>),
    /// This benchmark itself, called with `--serve NAME PORT`.
    Ours(&'static str),
}

/// The counters of `baseline/count.c`.
const COUNTERS: usize = 8;

/// A running server; it is killed when dropped.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) name: &'static str,
    port: u16,
    ours: bool,
    counters: PathBuf,
    child: Child,
}

/// What one round of load brought.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    /// Messages received and answered in a second.
    pub(crate) rate: f64,
    /// System calls of the server for each message.
    pub(crate) calls: f64,
    /// Allocations of the server for each message; not known of a server in C.
    pub(crate) allocations: Option<f64>,
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
            Program::Ours(role) => {
                let mut command = Command::new(env::current_exe()?);
                command.args(["--serve", role]);
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
        let ours = matches!(program, Program::Ours(_));
        Ok(Self {
            name,
            port,
            ours,
            counters,
            child,
        })
    }

    /// Puts load on it for a while.
    pub(crate) fn measure(
        &self,
        (client, preload): (&Path, &str),
        case: Case,
        time: Duration,
    ) -> io::Result<Sample> {
        let arguments = [
            usize::from(self.port),
            case.associations,
            case.in_flight,
            case.size,
            usize::try_from(time.as_millis()).unwrap_or(usize::MAX),
        ];
        let mut client = Command::new(client)
            .env("LD_PRELOAD", preload)
            .args(arguments.map(|argument| argument.to_string()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut output = expect_ready(&mut client)?;
        let mut input = client.stdin.take().ok_or_else(no_pipe)?;
        let before = self.counts()?;
        input.write_all(b"\n")?;
        let mut line = String::new();
        output.read_line(&mut line)?;
        let after = self.counts()?;
        input.write_all(b"\n")?;
        client.wait()?;
        let numbers: Vec<f64> = line
            .split_whitespace()
            .filter_map(|word| word.parse().ok())
            .collect();
        let [messages, nanoseconds, all] = numbers[..] else {
            return Err(io::Error::other(format!(
                "{}: no result for {case:?}",
                self.name
            )));
        };
        let per_message = |after: u64, before: u64| (after - before) as f64 / all.max(1.0);
        Ok(Sample {
            rate: messages / nanoseconds * 1e9,
            calls: per_message(after.0, before.0),
            allocations: self.ours.then(|| per_message(after.1, before.1)),
        })
    }

    /// How many system calls and allocations there have been.
    fn counts(&self) -> io::Result<(u64, u64)> {
        let allocations = if self.ours {
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

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
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
