//! The load generator against servers that behave, and servers that do not.
#![allow(
    clippy::unwrap_used,
    reason = "the lint's exception for tests does not see helpers"
)]

mod figures;
mod open_loop;
#[path = "../support/mod.rs"]
mod support;
mod trouble;

use std::{
    collections::BTreeMap,
    fs,
    net::SocketAddr,
    process::Command,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use sctp_tokio::{AbortReason, Association, Event, SocketBuilder, options::InitMsg};
use serde_json::Value;
use support::{File, Program, Server, nobody};
use tokio::sync::watch;

fn command(server: &str, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sctp"));
    command.args(["load", server]).args(args);
    command
}

/// Runs the load generator. Its progress goes to standard error, line by line.
fn load(server: &str, args: &[&str]) -> Program {
    Program::spawn(command(server, args))
}

/// Runs it to its end, and returns what it wrote as JSON.
#[track_caller]
fn result(server: &str, args: &[&str], status: i32) -> Value {
    let file = File::new("json");
    let args = [args, &["--json", file.path()]].concat();
    load(server, &args).exits_with(status);
    json(&file)
}

fn json(file: &File) -> Value {
    serde_json::from_str(&fs::read_to_string(file.path()).unwrap()).unwrap()
}

/// A program that signals can be sent to.
struct Signalled {
    program: Program,
    id: String,
}

impl Signalled {
    fn spawn(command: &Command) -> Self {
        let mut shell = Command::new("sh");
        shell.args(["-c", r#"echo $$; exec "$0" "$@""#]);
        shell.arg(command.get_program()).args(command.get_args());
        let mut program = Program::spawn(shell);
        let id = program.stdout.next();
        Self { program, id }
    }

    fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.id);
        assert!(
            Command::new("sh")
                .args(["-c", &kill])
                .status()
                .unwrap()
                .success()
        );
    }
}

/// The causes and their counts in a part of a result.
fn causes(value: &Value) -> BTreeMap<String, u64> {
    serde_json::from_value(value.clone()).unwrap()
}

/// A server in this process, in which each association is served by a function.
fn serve<F>(serve: impl Fn(Association) -> F + Send + 'static) -> SocketAddr
where
    F: Future<Output = ()> + Send + 'static,
{
    serve_with(InitMsg::new(), serve)
}

fn serve_with<F>(init: InitMsg, serve: impl Fn(Association) -> F + Send + 'static) -> SocketAddr
where
    F: Future<Output = ()> + Send + 'static,
{
    let (sender, receiver) = std::sync::mpsc::channel();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let sockets = SocketBuilder::new().bind([SocketAddr::from(([127, 0, 0, 1], 0))]);
            let mut listener = sockets.with_init(init).listen().unwrap();
            sender.send(listener.local_addrs().unwrap()[0]).unwrap();
            loop {
                let association = listener.accept().await.unwrap();
                tokio::spawn(serve(association));
            }
        });
    });
    receiver.recv().unwrap()
}

/// Echoes so many messages. Whether they came.
async fn echo(association: &mut Association, messages: usize) -> bool {
    for _ in 0..messages {
        let Ok(Some(message)) = association.recv().await else {
            return false;
        };
        let echo = message.reply(message.payload.clone());
        if association.send(echo).await.is_err() {
            return false;
        }
    }
    true
}

/// A server in this process, with all associations on one socket.
fn serve_on_one_socket() -> SocketAddr {
    let (sender, receiver) = std::sync::mpsc::channel();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let sockets = SocketBuilder::new().bind([SocketAddr::from(([127, 0, 0, 1], 0))]);
            let mut endpoint = sockets.endpoint().unwrap();
            sender.send(endpoint.local_addrs().unwrap()[0]).unwrap();
            loop {
                let event = endpoint.next_event().await.unwrap();
                if let Event::Message(message) = event.event {
                    let echo = message.reply(message.payload.clone());
                    endpoint.send(event.assoc, echo).await.unwrap();
                }
            }
        });
    });
    receiver.recv().unwrap()
}
