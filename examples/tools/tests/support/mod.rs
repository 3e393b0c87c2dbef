//! The tool, run as a program.
#![allow(dead_code, reason = "each test binary uses a part of it")]
#![allow(
    clippy::unwrap_used,
    reason = "the lint's exception for tests does not see helpers"
)]

#[path = "../../../tests/support/program.rs"]
mod program;

use std::{
    fs,
    path::PathBuf,
    process::Command,
    sync::atomic::{AtomicUsize, Ordering},
};

pub(crate) use program::Program;

pub(crate) fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sctp"));
    command.args(args);
    command
}

/// Runs the tool.
pub(crate) fn sctp(args: &[&str]) -> Program {
    Program::spawn(command(args))
}

/// Runs the tool to its end, with this standard input, and returns its standard output.
#[track_caller]
pub(crate) fn sctp_with(input: impl AsRef<[u8]>, args: &[&str], status: i32) -> String {
    let mut program = sctp(args);
    program.write(input.as_ref());
    program.end_of_input();
    program.exits_with(status);
    program.stdout.text()
}

/// Runs the tool to its end, and returns what it said on standard error.
#[track_caller]
pub(crate) fn fails(args: &[&str], status: i32) -> String {
    let mut program = sctp(args);
    program.exits_with(status);
    program.stderr.text()
}

/// `sctp listen`, listening.
pub(crate) struct Server {
    pub(crate) program: Program,
    addr: String,
}

impl Server {
    /// Starts it on a port of loopback that the kernel chooses.
    #[track_caller]
    pub(crate) fn start(args: &[&str]) -> Self {
        Self::on("127.0.0.1:0", args)
    }

    #[track_caller]
    pub(crate) fn on(addr: &str, args: &[&str]) -> Self {
        Self::of(sctp(&[&["listen", addr], args].concat()))
    }

    /// A server that was started some other way.
    #[track_caller]
    pub(crate) fn of(mut program: Program) -> Self {
        let line = program.stderr.find("listening on ");
        let (_, addr) = line.rsplit_once(' ').unwrap();
        Self {
            addr: addr.to_owned(),
            program,
        }
    }

    /// One that echoes and prints nothing.
    #[track_caller]
    pub(crate) fn echo() -> Self {
        Self::start(&["--echo", "--quiet"])
    }

    pub(crate) fn addr(&self) -> &str {
        &self.addr
    }

    pub(crate) fn port(&self) -> &str {
        self.addr.rsplit_once(':').unwrap().1
    }

    /// Waits for the line about the end of an association.
    #[track_caller]
    pub(crate) fn closed(&mut self) -> String {
        self.program.stderr.find("association closed")
    }
}

/// An address where nobody listens.
pub(crate) fn nobody() -> String {
    Server::echo().addr().to_owned()
}

/// A file of this test's own, removed at its end.
pub(crate) struct File(PathBuf);

impl File {
    pub(crate) fn new(extension: &str) -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("sctp-{}-{number}.{extension}", std::process::id());
        Self(PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name))
    }

    pub(crate) fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for File {
    fn drop(&mut self) {
        // It may never have been written.
        let _ = fs::remove_file(&self.0);
    }
}
