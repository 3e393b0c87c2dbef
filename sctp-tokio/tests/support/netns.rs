//! Network namespaces, joined by virtual cables, that go when the test does.
//!
//! A socket belongs to the namespace of the thread that makes it, and the kernel peels off only
//! within it: so each side of such a test has a thread, with a runtime, in its namespace.

use std::{
    fs,
    io::{Read as _, Write as _},
    os::fd::AsFd as _,
    process::{Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use tokio::sync::oneshot;

/// A network namespace with its loopback interface up. It keeps the kernel's defaults.
#[derive(Debug)]
pub struct NetNs {
    name: String,
}

impl NetNs {
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("sctp-test-{}-{count}", std::process::id());
        batch("ip", &[], &format!("netns add {name}"));
        let namespace = Self { name };
        namespace.ip("link set lo up");
        namespace
    }

    /// Runs commands of ip(8) in the namespace, one in a line.
    pub fn ip(&self, lines: &str) {
        batch("ip", &["-n", &self.name], lines);
    }

    /// Runs commands of tc(8) in the namespace, one in a line.
    pub fn tc(&self, lines: &str) {
        batch("tc", &["-n", &self.name], lines);
    }

    /// Sets a parameter of the kernel's SCTP for sockets that are made afterwards.
    pub fn set_sctp(&self, parameter: &str, value: u32) {
        let path = format!("/proc/sys/net/sctp/{parameter}");
        let name = self.name.clone();
        let set = move || {
            enter(&name);
            fs::write(&path, value.to_string()).unwrap();
        };
        std::thread::spawn(set).join().unwrap();
    }

    /// Makes associations of sockets made afterwards end soon when their peer stops answering.
    pub fn set_short_timeouts(&self) {
        self.set_sctp("association_max_retrans", 5);
        for parameter in ["rto_initial", "rto_min", "rto_max"] {
            self.set_sctp(parameter, 200);
        }
    }

    /// Cuts the cables of [`two_cables`].
    pub fn cut_cables(&self) {
        self.ip("link set one down\nlink set two down");
    }

    /// A command that runs inside the namespace.
    pub fn command(&self, command: &Command) -> Command {
        let mut inside = Command::new("ip");
        inside.args(["netns", "exec", &self.name]);
        inside.arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => inside.env(name, value),
                None => inside.env_remove(name),
            };
        }
        inside
    }

    /// Starts a task on a thread of its own inside the namespace. What comes back waits for it,
    /// and panics if it did.
    pub fn start<W, F>(&self, work: W) -> impl Future<Output = F::Output> + use<W, F>
    where
        W: FnOnce() -> F + Send + 'static,
        F: Future<Output: Send + 'static>,
    {
        let (answer, waiting) = oneshot::channel();
        let name = self.name.clone();
        std::thread::spawn(move || {
            enter(&name);
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            let _ = answer.send(runtime.block_on(async { work().await }));
        });
        async move { waiting.await.expect("the task in the namespace panicked") }
    }
}

impl Drop for NetNs {
    fn drop(&mut self) {
        let delete = Command::new("ip")
            .args(["netns", "del", &self.name])
            .status();
        if !std::thread::panicking() {
            assert!(delete.unwrap().success());
        }
    }
}

/// Two namespaces with two cables between them: 10.1.0.1 and 10.1.0.2 at the ends of the first,
/// 10.2.0.1 and 10.2.0.2 at those of the second. The interfaces are called `one` and `two`.
pub fn two_cables() -> (NetNs, NetNs) {
    let (left, right) = (NetNs::new(), NetNs::new());
    cable(&left, &right, "one", "10.1.0");
    cable(&left, &right, "two", "10.2.0");
    (left, right)
}

/// Joins two namespaces by a cable. Both ends have the interface `name`, with the addresses 1 and 2
/// of the network.
pub fn cable(left: &NetNs, right: &NetNs, name: &str, network: &str) {
    let peer = &right.name;
    left.ip(&format!(
        "link add {name} type veth peer name {name} netns {peer}\n\
         addr add {network}.1/24 dev {name}\nlink set {name} up"
    ));
    right.ip(&format!(
        "addr add {network}.2/24 dev {name}\nlink set {name} up"
    ));
}

fn enter(name: &str) {
    let namespace = fs::File::open(format!("/run/netns/{name}")).unwrap();
    move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
}

fn batch(program: &str, args: &[&str], lines: &str) {
    let mut child = Command::new(program)
        .args(args)
        .args(["-batch", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("these tests need iproute2's `{program}`: {error}"));
    child
        .stdin
        .take()
        .unwrap()
        .write_all(lines.as_bytes())
        .unwrap();
    let mut said = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut said)
        .unwrap();
    assert!(
        child.wait().unwrap().success(),
        "{program}, which needs root: {said}\n{lines}"
    );
}
