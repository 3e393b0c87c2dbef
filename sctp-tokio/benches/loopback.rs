//! Echo over loopback: the servers that one can write with this crate, against the same loops in
//! C, under the same load.
//!
//! `cargo bench -p sctp-tokio --bench loopback`, with `-- --quick` to see only that it runs.

mod support;

use std::{alloc::System, env, error::Error, net::Ipv4Addr};

use sctp_tokio::SocketBuilder;
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use support::{
    Case, Effort,
    contest::{Bound, Contest, Reference, Target, print_targets},
    control, make_room, print_heading,
    server::Program,
};

mod servers;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const TEXTBOOK: &str = "C textbook";
const EPOLL: [&str; 2] = ["C epoll, one", "C epoll, drain"];
const BATCH: &str = "C epoll, batch";
const SINGLE: &[&str] = &["Association", "Association, try", "Endpoint"];
const BATCHES: &[&str] = &["Association, batch", "Endpoint, batch"];

const PROGRAMS: &[(&str, Program)] = &[
    (TEXTBOOK, Program::C("textbook", None)),
    (EPOLL[0], Program::C("epoll", Some("one"))),
    (EPOLL[1], Program::C("epoll", Some("drain"))),
    (BATCH, Program::C("epoll", Some("batch"))),
    (SINGLE[0], Program::Ours("association")),
    (SINGLE[1], Program::Ours("association-try")),
    (BATCHES[0], Program::Ours("association-batch")),
    (SINGLE[2], Program::Ours("endpoint")),
    (BATCHES[1], Program::Ours("endpoint-batch")),
];

const REFERENCES: &[Reference] = &[
    Reference {
        heading: "/ textbook",
        servers: &[TEXTBOOK],
    },
    Reference {
        heading: "/ epoll",
        servers: &EPOLL,
    },
    Reference {
        heading: "/ C batch",
        servers: &[BATCH],
    },
];

fn targets() -> Vec<Target> {
    let small = |case: Case| case.in_flight > 1 && case.size <= 1024;
    vec![
        Target {
            what: "single calls at 0.9 of C's epoll loop with single calls",
            servers: SINGLE,
            of: |_| true,
            value: |figures| figures.ratios.get(1).copied(),
            bound: Bound::AtLeast(0.9),
        },
        Target {
            what: "ping-pong at 0.95 of C's epoll loop",
            servers: &["Association", "Association, batch"],
            of: |case| case.in_flight == 1,
            value: |figures| figures.ratios.get(1).copied(),
            bound: Bound::AtLeast(0.95),
        },
        Target {
            what: "batches at 3 times C's single calls, 64 in flight",
            servers: BATCHES,
            of: small,
            value: |figures| figures.ratios.get(1).copied(),
            bound: Bound::AtLeast(3.0),
        },
        Target {
            what: "batches at 0.85 of C's batches, 64 in flight",
            servers: BATCHES,
            of: |case| case.in_flight > 1,
            value: |figures| figures.ratios.get(2).copied(),
            bound: Bound::AtLeast(0.85),
        },
        Target {
            what: "fewer than 0.2 system calls for a message, 64 in flight",
            servers: BATCHES,
            of: small,
            value: |figures| Some(figures.calls),
            bound: Bound::AtMost(0.2),
        },
        Target {
            what: "no allocation for a message",
            servers: &[
                "Association",
                "Association, batch",
                "Endpoint",
                "Endpoint, batch",
            ],
            of: |_| true,
            value: |figures| figures.allocations,
            bound: Bound::AtMost(0.001),
        },
    ]
}

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = env::args().collect();
    if let Some(at) = args.iter().position(|arg| arg == "--serve") {
        let (role, port) = (&args[at + 1], args[at + 2].parse()?);
        return Ok(serve(role, port)?);
    }
    let effort = Effort::from_args();
    make_room()?;
    print_heading("cargo bench -p sctp-tokio --bench loopback", effort);
    let contest = Contest::start(PROGRAMS, REFERENCES, effort)?;
    let sizes = [64, 1024, 16 * 1024];
    let cases: Vec<Case> = [1, 64]
        .into_iter()
        .flat_map(|in_flight| {
            sizes.map(|size| Case {
                associations: 1,
                in_flight,
                size,
            })
        })
        .collect();
    let figures = contest.run(&cases)?;
    contest.print(&figures);
    print_targets(&targets(), &figures);
    Ok(())
}

/// Runs one of our servers until it is killed.
fn serve(role: &str, port: u16) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        tokio::spawn(control::answer(port, ALLOCATOR));
        let builder = SocketBuilder::new()
            .with_local_addrs([(Ipv4Addr::LOCALHOST, port).into()])
            .with_send_buffer_size(4 << 20)
            .with_recv_buffer_size(4 << 20);
        servers::run(role, &builder).await
    })
}
