//! Cost of the framework itself for each message: instructions and allocations, over a
//! transport in memory, where no kernel drowns them.
//!
//! `cargo bench -p sctp-service --bench framework`, with `-- --quick` to see only that it runs.
//!
//! Instructions are counted by callgrind, in a child process for each subject; without valgrind
//! there are only the allocations. What the transport in memory and the peer cost, measured by
//! a loop without the framework, is subtracted.

mod stacks;

use std::{
    alloc::System,
    collections::VecDeque,
    env,
    error::Error,
    fs,
    future::{IntoFuture, poll_fn},
    hint::black_box,
    io,
    process::Command,
    task::{Context, Poll},
};

use bytes::Bytes;
use sctp_service::{
    Event, KeyRouter, MakeService, Message, Ppid, Request, Router, Transport, serve,
    testing::{InMemory, Peer, ScriptedListener, duplex},
};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use tokio::runtime::{Builder, Runtime};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// A loop over the transport: what is subtracted.
const BARE: &str = "no framework";
const SUBJECTS: [&str; 6] = [
    BARE,
    "a service",
    "a handler",
    "a router",
    "a router by key",
    "five layers",
];
/// Messages before anything is counted: pools and queues have their size then.
const WARM_UP: usize = 1_000;

/// The cost of one message.
#[derive(Clone, Copy, Debug, Default)]
struct Cost {
    instructions: Option<f64>,
    allocations: f64,
}

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = env::args().collect();
    if let Some(at) = args.iter().position(|arg| arg == "--count") {
        let (in_flight, messages) = (args[at + 2].parse()?, args[at + 3].parse()?);
        exchange(&args[at + 1], in_flight, messages)?;
        return Ok(());
    }
    let given = |name: &str| args.iter().any(|arg| arg == name);
    // `cargo bench` says `--bench`; `cargo test --benches` does not.
    let quick = given("--quick") || given("--test") || !given("--bench");
    let messages = if quick { 500 } else { 10_000 };
    print_heading(messages)?;
    for in_flight in [1, 64] {
        let bare = measure(BARE, in_flight, messages)?;
        for subject in SUBJECTS {
            let cost = measure(subject, in_flight, messages)?;
            print_row(subject, in_flight, cost, bare);
        }
    }
    Ok(())
}

fn measure(subject: &str, in_flight: usize, messages: usize) -> Result<Cost, Box<dyn Error>> {
    let cost = exchange(subject, in_flight, messages)?;
    let count = |messages| instructions(subject, in_flight, messages);
    // Two runs, so that starting up cancels out.
    let instructions = match (count(messages)?, count(2 * messages)?) {
        (Some(once), Some(twice)) => Some((twice - once) / messages as f64),
        _ => None,
    };
    Ok(Cost {
        instructions,
        ..cost
    })
}

/// Runs this program under callgrind. `None` without valgrind.
fn instructions(
    subject: &str,
    in_flight: usize,
    messages: usize,
) -> Result<Option<f64>, Box<dyn Error>> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(env::current_exe()?)
        .args([
            "--count",
            subject,
            &in_flight.to_string(),
            &messages.to_string(),
        ])
        .output();
    let output = match output {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        output => output?,
    };
    let text = String::from_utf8_lossy(&output.stderr);
    let count = text
        .lines()
        .find_map(|line| line.split_once("Collected : "));
    match count {
        Some((_, count)) => Ok(Some(count.trim().parse()?)),
        None => Err(format!("callgrind counted nothing: {text}").into()),
    }
}

/// Exchanges messages with a server in memory, and says what each cost.
fn exchange(subject: &str, in_flight: usize, messages: usize) -> io::Result<Cost> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let peer = match subject {
        BARE => {
            let _guard = runtime.enter();
            let (transport, peer) = duplex();
            tokio::spawn(echo(transport));
            peer
        }
        "a service" => serve_in_memory(&runtime, stacks::Inline)?,
        "a handler" => serve_in_memory(&runtime, stacks::echo)?,
        "a router" => serve_in_memory(&runtime, routed())?,
        "a router by key" => serve_in_memory(&runtime, routed_by_key())?,
        "five layers" => serve_in_memory(&runtime, stacks::layered())?,
        other => return Err(io::Error::other(format!("there is no subject {other}"))),
    };
    runtime.block_on(async {
        ping(&peer, in_flight, WARM_UP).await;
        let region = Region::new(ALLOCATOR);
        ping(&peer, in_flight, messages).await;
        let change = region.change();
        let allocations = change.allocations + change.reallocations;
        Ok(Cost {
            instructions: None,
            allocations: allocations as f64 / messages as f64,
        })
    })
}

fn serve_in_memory<K: 'static>(
    runtime: &Runtime,
    make_service: impl MakeService<K>,
) -> io::Result<Peer> {
    let _guard = runtime.enter();
    let (listener, network) = ScriptedListener::new();
    tokio::spawn(serve(listener, make_service).into_future());
    runtime.block_on(network.connect())
}

/// The handler behind a router, by PPID.
fn routed() -> Router {
    Router::new().route(Ppid::new(0), stacks::echo)
}

/// The handler behind two routers, by PPID and by the first byte.
fn routed_by_key() -> Router {
    let keys = KeyRouter::new(|request: &Request| request.payload().first().copied());
    Router::new().nest(Ppid::new(0), keys.route(b'x', stacks::echo))
}

/// Sends messages, as many at once as may be in flight, and waits for their echoes.
async fn ping(peer: &Peer, in_flight: usize, messages: usize) {
    let payload = Bytes::from_static(&[b'x'; 64]);
    for _ in 0..messages / in_flight {
        for _ in 0..in_flight {
            peer.try_send(payload.clone());
        }
        for _ in 0..in_flight {
            black_box(peer.recv().await);
        }
    }
}

/// The loop without the framework: reads what is there, and sends it back.
async fn echo(mut transport: InMemory) {
    let mut answers = VecDeque::new();
    poll_fn(|cx| poll_echo(&mut transport, &mut answers, cx)).await;
}

fn poll_echo(
    transport: &mut InMemory,
    answers: &mut VecDeque<Message>,
    cx: &mut Context<'_>,
) -> Poll<()> {
    loop {
        match transport.poll_next_event(cx) {
            Poll::Ready(Ok(Event::Message(received))) => {
                let info = received.info.reply();
                answers.push_back(Message::new(received.payload).with_info(info));
            }
            Poll::Ready(Ok(Event::Closed(_)) | Err(_)) => return Poll::Ready(()),
            Poll::Ready(Ok(_)) => {}
            Poll::Pending => break,
        }
    }
    // There is room for all that the peer can have in flight.
    while let Poll::Ready(Err(_)) = transport.poll_send(cx, answers) {}
    Poll::Pending
}

fn print_heading(messages: usize) -> io::Result<()> {
    let date = Command::new("date")
        .args(["-u", "+%Y-%m-%d %H:%M UTC"])
        .output()?;
    println!(
        "\ncargo bench -p sctp-service --bench framework, kernel {}, {}: {messages} messages of 64 bytes, the \
         transport in memory; in brackets without its share and the peer's\n",
        fs::read_to_string("/proc/sys/kernel/osrelease")?.trim(),
        String::from_utf8_lossy(&date.stdout).trim(),
    );
    println!("| served by | in flight | instructions/message | allocations/message |");
    println!("|---|---:|---:|---:|");
    Ok(())
}

fn print_row(subject: &str, in_flight: usize, cost: Cost, bare: Cost) {
    let instructions = match (cost.instructions, bare.instructions) {
        (Some(all), Some(bare)) => format!("{all:.0} ({:.0})", all - bare),
        _ => "no valgrind".to_owned(),
    };
    println!(
        "| {subject} | {in_flight} | {instructions} | {:.3} ({:.3}) |",
        cost.allocations,
        cost.allocations - bare.allocations,
    );
}
