//! The echo server and its client, run as programs.
#![allow(
    dead_code,
    unused_imports,
    reason = "each test binary uses a part of it"
)]
#![allow(
    clippy::unwrap_used,
    reason = "the lint's exception for tests does not see helpers"
)]

pub(crate) mod in_process;
pub(crate) mod m3ua;
mod program;

use std::{ffi::OsStr, fmt, process::Command, time::Duration};

use tokio::time::timeout;

pub(crate) use program::{PATIENCE, Program};

/// Awaits a step of a test, and fails with its name if it takes too long.
pub(crate) async fn within<F: Future>(step: &str, future: F) -> F::Output {
    match timeout(PATIENCE, future).await {
        Ok(output) => output,
        Err(_) => panic!("{step} is still pending after {PATIENCE:?}"),
    }
}

/// Expects that a future does not complete for so long.
pub(crate) async fn pending<T: fmt::Debug>(
    step: &str,
    time: Duration,
    future: impl Future<Output = T>,
) {
    if let Ok(output) = timeout(time, future).await {
        panic!("{step} has ended: {output:?}");
    }
}

/// An echo server, listening.
pub(crate) struct Server {
    pub(crate) program: Program,
    /// Address of the listener.
    pub(crate) addrs: Vec<String>,
}

impl Server {
    /// Starts it on a port of loopback that the kernel chooses.
    pub(crate) fn start(args: &[&str]) -> Self {
        Self::on(&["127.0.0.1:0"], args)
    }

    pub(crate) fn on(listen: &[&str], args: &[&str]) -> Self {
        let mut command = echo_server();
        for addr in listen {
            command.args(["--listen", addr]);
        }
        command.args(args);
        Self::of(Program::spawn(command))
    }

    /// A server that was started some other way.
    pub(crate) fn of(mut program: Program) -> Self {
        let line = program.stdout.next();
        let addrs = line.strip_prefix("listening on ").unwrap();
        Self {
            addrs: addrs.split(' ').map(str::to_owned).collect(),
            program,
        }
    }

    pub(crate) fn addr(&self) -> &str {
        &self.addrs[0]
    }

    pub(crate) fn port(&self) -> &str {
        self.addr().rsplit_once(':').unwrap().1
    }

    /// Waits until the log tells the end of an association, and returns that line.
    #[track_caller]
    pub(crate) fn closed(&mut self) -> String {
        self.program.stderr.find("association closed")
    }

    /// A client of this server.
    pub(crate) fn client(&self, args: &[&str]) -> Program {
        client(&[self.addr()], args)
    }
}

pub(crate) fn echo_server() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_echo-server"));
    command.env_remove("RUST_LOG");
    command
}

pub(crate) fn echo_client() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_echo-client"));
    command.env_remove("RUST_LOG");
    command
}

pub(crate) fn client<S: AsRef<OsStr>>(server: &[S], args: &[&str]) -> Program {
    let mut command = echo_client();
    command.args(server).args(args);
    Program::spawn(command)
}
