//! Contestants.

use crate::{
    args::{Args, Mode},
    support::{Case, is_guest, server::Program},
};

/// One server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Contestant {
    pub(crate) name: &'static str,
    pub(crate) program: Program,
    pub(crate) kind: Kind,
    /// Loads under which it cannot work, whoever writes the server, and why.
    pub(crate) cannot: Option<Cannot>,
    /// The same loop in C, on the same sort of socket: where that collapses, it is the kernel's
    /// doing.
    pub(crate) alike: &'static [&'static str],
    /// Creates sockets under `net.sctp.sndbuf_policy=1`.
    pub(crate) has_own_buffers: bool,
}

type Cannot = (fn(Case) -> bool, &'static str);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    C,
    Ours,
    Peer,
    Tcp,
}

/// Contestant that ratios refer to.
pub(crate) const TEXTBOOK: &str = "C textbook";
pub(crate) const BATCH: &str = "C epoll, batch";
pub(crate) const EPOLL: &str = "C epoll";
/// On a socket that all associations share: waiting in the receive itself, and with epoll.
pub(crate) const SHARED: &str = "C shared, batch";
const SHARED_EPOLL: &str = "C shared, epoll";
pub(crate) const ENDPOINT: &str = "Endpoint";
/// The same where each association has a send buffer of its own.
pub(crate) const ENDPOINT_OWN: &str = "Endpoint, policy 1";
pub(crate) const ASSOCIATION: &str = "Association";
pub(crate) const SINGLE: &str = "Association, single";
pub(crate) const SERVE: &str = "serve";
pub(crate) const SERVE_ENDPOINT: &str = "serve_endpoint";
/// Other libraries, one message a call; and the one that has batches.
pub(crate) const OTHERS: &[&str] = &["sctp-rs", "async-sctp", "lksctp", "oxirush, single"];
pub(crate) const OTHER_BATCH: &str = "oxirush, batch";

const CUT: Cannot = (
    |case| case.size > 4096,
    "sctp-rs cuts messages at 4096 bytes and does not tell",
);

const ALL: &[Contestant] = &[
    c(TEXTBOOK, "textbook", None),
    c(EPOLL, "epoll", Some("drain")),
    c(BATCH, "epoll", Some("batch")),
    c(SHARED, "shared", Some("batch")),
    shared(ENDPOINT, false),
    ours(ASSOCIATION, "association-batch"),
    ours(SINGLE, "association"),
    ours(SERVE, "handler"),
    ours("serve, 5 layers", "layers"),
    ours(SERVE_ENDPOINT, "shared"),
    peer(OTHERS[0], "sctp-rs", Some(CUT)),
    peer(OTHERS[1], "async-sctp", None),
    peer(OTHERS[2], "lksctp", None),
    peer(OTHERS[3], "oxirush", None),
    peer(OTHER_BATCH, "oxirush-batch", None),
    Contestant {
        name: "TCP, tokio",
        program: Program::OursOverTcp("tcp"),
        kind: Kind::Tcp,
        cannot: None,
        alike: &[],
        has_own_buffers: false,
    },
];

const SCALE: &[Contestant] = &[
    c(TEXTBOOK, "textbook", None),
    c(BATCH, "epoll", Some("batch")),
    c(SHARED, "shared", Some("batch")),
    c(SHARED_EPOLL, "shared", Some("epoll")),
    shared(ENDPOINT, false),
    shared(ENDPOINT_OWN, true),
    ours(ASSOCIATION, "association-batch"),
    ours(SERVE, "handler"),
];

const DESIGNS: &[Contestant] = &[
    c(BATCH, "epoll", Some("batch")),
    ours(ASSOCIATION, "association-batch"),
    ours("Association, one task", "association-one-task"),
    ours("Association, threads", "association-threads"),
    ours(SERVE, "handler"),
    ours("serve, future unboxed", "inline"),
    ours("serve, threads", "threads"),
];

const SMP: &[Contestant] = &[
    c(TEXTBOOK, "textbook", None),
    c(BATCH, "epoll", Some("batch")),
    ours(ASSOCIATION, "association-batch"),
    ours(SERVE, "handler"),
    ours("serve, threads", "threads"),
    ours("serve, sharded", "sharded"),
];

/// Those who are wanted.
pub(crate) fn chosen(args: &Args) -> Vec<Contestant> {
    let all = match args.mode {
        Mode::Designs => DESIGNS,
        Mode::Scale => SCALE,
        Mode::Smp => SMP,
        Mode::Table => ALL,
    };
    let is_wanted = |name: &str| {
        let mut texts = args.servers.iter();
        args.servers.is_empty() || texts.any(|text| name.contains(text))
    };
    all.iter()
        .filter(|contestant| !contestant.has_own_buffers || is_guest())
        .filter(|contestant| args.with_peers || contestant.kind != Kind::Peer)
        .filter(|contestant| is_wanted(contestant.name))
        .copied()
        .collect()
}

const fn c(name: &'static str, source: &'static str, mode: Option<&'static str>) -> Contestant {
    Contestant {
        name,
        program: Program::C(source, mode),
        kind: Kind::C,
        cannot: None,
        alike: &[],
        has_own_buffers: false,
    }
}

const fn ours(name: &'static str, role: &'static str) -> Contestant {
    Contestant {
        name,
        program: Program::Ours(role),
        kind: Kind::Ours,
        cannot: None,
        alike: &[],
        has_own_buffers: false,
    }
}

/// `Endpoint`. With buffers of its own nothing is alike: it has to answer.
const fn shared(name: &'static str, has_own_buffers: bool) -> Contestant {
    Contestant {
        alike: if has_own_buffers {
            &[]
        } else {
            &[SHARED, SHARED_EPOLL]
        },
        has_own_buffers,
        ..ours(name, "endpoint-batch")
    }
}

const fn peer(name: &'static str, role: &'static str, cannot: Option<Cannot>) -> Contestant {
    Contestant {
        name,
        program: Program::Peer(role),
        kind: Kind::Peer,
        cannot,
        alike: &[],
        has_own_buffers: false,
    }
}
