//! Cost of serving on the kernel: `serve` and `serve_endpoint` against a loop over
//! `Association`, as ratios within one run.
//!
//! `cargo bench -p sctp-service --bench serve`, with `-- --quick` to see only that it runs.

#[path = "../../sctp-tokio/benches/servers/mod.rs"]
mod servers;
mod stacks;
#[path = "../../sctp-tokio/benches/support/mod.rs"]
mod support;

use std::{alloc::System, env, error::Error, io, net::Ipv4Addr};

use sctp_service::{MakeService, serve, serve_endpoint};
use sctp_tokio::SocketBuilder;
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use support::{
    Case, Effort,
    contest::{Bound, Contest, Reference, Target, print_targets},
    control, make_room, print_heading,
    server::Program,
};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const RAW: &str = "Association, batch";
const SERVED: [&str; 4] = [
    "serve, a service",
    "serve, a handler",
    "serve, five layers",
    "serve_endpoint, a handler",
];

const PROGRAMS: &[(&str, Program)] = &[
    ("C epoll, batch", Program::C("epoll", Some("batch"))),
    (RAW, Program::Ours("association-batch")),
    (SERVED[0], Program::Ours("inline")),
    (SERVED[1], Program::Ours("handler")),
    (SERVED[2], Program::Ours("layers")),
    (SERVED[3], Program::Ours("shared")),
];

const REFERENCES: &[Reference] = &[Reference {
    heading: "/ Association",
    servers: &[RAW],
}];

const TARGETS: &[Target] = &[
    Target {
        what: "an empty stack at 0.9 of the loop over Association",
        servers: &[SERVED[0], SERVED[1]],
        of: |_| true,
        value: |figures| figures.ratios.first().copied(),
        bound: Bound::AtLeast(0.9),
    },
    Target {
        what: "five layers at 0.8 of the loop over Association",
        servers: &[SERVED[2]],
        of: |_| true,
        value: |figures| figures.ratios.first().copied(),
        bound: Bound::AtLeast(0.8),
    },
    Target {
        what: "one allocation for a message",
        servers: &[SERVED[0], SERVED[1]],
        of: |_| true,
        value: |figures| figures.allocations,
        bound: Bound::AtMost(1.0),
    },
];

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = env::args().collect();
    if let Some(at) = args.iter().position(|arg| arg == "--serve") {
        let (role, port) = (&args[at + 1], args[at + 2].parse()?);
        return Ok(serve_as(role, port)?);
    }
    let effort = Effort::from_args();
    make_room()?;
    print_heading("cargo bench -p sctp-service --bench serve", effort);
    let contest = Contest::start(PROGRAMS, REFERENCES, effort)?;
    let mut cases = Vec::new();
    for associations in [1, 64] {
        for in_flight in [1, 64] {
            cases.extend([64, 1024].map(|size| Case {
                associations,
                in_flight,
                size,
            }));
        }
    }
    let figures = contest.run(&cases)?;
    contest.print(&figures);
    print_targets(TARGETS, &figures);
    Ok(())
}

/// Runs one of our servers until it is killed.
fn serve_as(role: &str, port: u16) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        tokio::spawn(control::answer(port, ALLOCATOR));
        let builder = SocketBuilder::new()
            .with_local_addrs([(Ipv4Addr::LOCALHOST, port).into()])
            .with_send_buffer_size(4 << 20)
            .with_recv_buffer_size(4 << 20);
        match role {
            "inline" => serve_all(&builder, stacks::Inline).await,
            "handler" => serve_all(&builder, stacks::echo).await,
            "layers" => serve_all(&builder, stacks::layered()).await,
            "shared" => {
                let endpoint = servers::ready(builder.endpoint()?);
                serve_endpoint(endpoint, stacks::echo).await;
                Ok(())
            }
            raw => servers::run(raw, &builder).await,
        }
    })
}

async fn serve_all<K: 'static>(
    builder: &SocketBuilder,
    make_service: impl MakeService<K>,
) -> io::Result<()> {
    serve(servers::ready(builder.listen()?), make_service).await;
    Ok(())
}
