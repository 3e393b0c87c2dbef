//! The tool, run as a program.
#![allow(dead_code, reason = "each test binary uses a part of it")]
#![allow(
    clippy::unwrap_used,
    reason = "the lint's exception for tests does not see helpers"
)]

#[path = "../../../tests/support/in_process.rs"]
pub(crate) mod in_process;
#[path = "../../../../sctp-tokio/tests/support/netns.rs"]
#[allow(unreachable_pub, reason = "shared with sctp-tokio's tests")]
pub(crate) mod netns;
#[path = "../../../tests/support/program.rs"]
mod program;

use std::{
    fs,
    path::PathBuf,
    process::{Child, Command, ExitStatus},
    sync::{
        atomic::{AtomicUsize, Ordering},
        mpsc::channel,
    },
    thread,
    time::Instant,
};

use sctp_tokio::{Association, options::InitMsg};
use serde_json::Value;

use netns::NetNs;
pub(crate) use program::{PATIENCE, Program};

/// Does a step of a test that may block for ever, in a thread, and fails if it takes too long.
#[track_caller]
pub(crate) fn within<T: Send + 'static>(
    step: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> T {
    let (sender, receiver) = channel();
    thread::spawn(move || sender.send(work()));
    match receiver.recv_timeout(PATIENCE) {
        Ok(done) => done,
        Err(error) => panic!("{step}: {error}"),
    }
}

/// Waits for the end of a program, and kills it if it takes too long.
#[track_caller]
pub(crate) fn wait(child: &mut Child) -> ExitStatus {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if Instant::now() >= deadline {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("the program does not end");
        }
        thread::yield_now();
    }
}

pub(crate) fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sctp"));
    command.args(args);
    command
}

/// Runs the tool.
pub(crate) fn sctp(args: &[&str]) -> Program {
    Program::spawn(command(args))
}

/// Runs the tool in a namespace.
pub(crate) fn sctp_in(namespace: &NetNs, args: &[&str]) -> Program {
    Program::spawn(namespace.command(&command(args)))
}

/// A network in which 10.3.0.2 gets every packet and answers none.
pub(crate) fn silence() -> NetNs {
    let namespace = NetNs::new();
    namespace.ip("link add quiet type dummy\naddr add 10.3.0.1/24 dev quiet\nlink set quiet up");
    namespace
}

/// Has a client between two namespaces get one echo, then cuts their cables.
#[track_caller]
pub(crate) fn echo_then_cut(client: &mut Program, namespace: &NetNs) {
    client.line("hello");
    assert_eq!(client.stdout.next(), "hello");
    namespace.cut_cables();
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

    /// `sctp send` to this server.
    pub(crate) fn client(&self, args: &[&str]) -> Program {
        sctp(&[&["send", self.addr()], args].concat())
    }

    /// Runs `sctp send` to its end, with this standard input, and returns the printed replies.
    #[track_caller]
    pub(crate) fn send(&self, input: impl AsRef<[u8]>, args: &[&str]) -> String {
        sctp_with(input, &[&["send", self.addr()], args].concat(), 0)
    }

    /// Waits for the line about the end of an association.
    #[track_caller]
    pub(crate) fn closed(&mut self) -> String {
        self.program.stderr.find("association closed")
    }
}

/// A server in this process, in which each association is served by a function. Returns its address.
pub(crate) fn serve<F>(serve: impl Fn(Association) -> F + Send + 'static) -> String
where
    F: Future<Output = ()> + Send + 'static,
{
    serve_with(InitMsg::new(), serve)
}

pub(crate) fn serve_with<F>(
    init: InitMsg,
    serve: impl Fn(Association) -> F + Send + 'static,
) -> String
where
    F: Future<Output = ()> + Send + 'static,
{
    let addr = in_process::start(async move |addr| {
        let mut listener = in_process::loopback().with_init(init).listen().unwrap();
        addr.send(listener.local_addrs().unwrap()[0]).unwrap();
        loop {
            tokio::spawn(serve(listener.accept().await.unwrap()));
        }
    });
    addr.to_string()
}

/// `sctp load`, with its result in a file.
pub(crate) struct Load {
    pub(crate) program: Program,
    file: File,
}

impl Load {
    /// Starts it. Its progress goes to standard error, line by line.
    pub(crate) fn start(addr: &str, args: &[&str]) -> Self {
        let file = File::new("json");
        let fixed = ["load", addr, "--json", file.path()];
        Self {
            program: sctp(&[&fixed[..], args].concat()),
            file,
        }
    }

    /// Waits for its end, and returns the result.
    #[track_caller]
    pub(crate) fn ends_with(&mut self, status: i32) -> Value {
        self.program.exits_with(status);
        serde_json::from_str(&fs::read_to_string(self.file.path()).unwrap()).unwrap()
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
