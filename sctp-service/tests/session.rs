//! Whatever happens in whatever order: what the session promises holds.
#![allow(clippy::unwrap_used, reason = "a surprise fails the test")]

mod support;

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use bytes::Bytes;
use proptest::prelude::*;
use sctp_service::{Config, Message, Reply, Request, RequestOrder, Shutdown, testing::Duplex};
use support::{Server, must, on, settle};
use tokio::time::sleep;

/// The next action of the peer or the clock.
#[derive(Clone, Debug)]
enum Step {
    /// Sends a request that is answered after some milliseconds with some messages.
    Request {
        stream: u16,
        millis: u64,
        replies: u8,
        as_stream: bool,
    },
    /// Sends a request whose reply ends the association.
    Quit {
        stream: u16,
        millis: u64,
        abort: bool,
    },
    /// Sends a request whose handler panics.
    Panic {
        stream: u16,
    },
    /// Reads up to so many replies.
    Read(usize),
    /// Lets time pass.
    Wait(u64),
    Restart,
    Shutdown,
    Abort,
    Lose,
}

fn step() -> impl Strategy<Value = Step> {
    let stream = 0..4u16;
    prop_oneof![
        20 => (stream.clone(), 0..20u64, 0..4u8, any::<bool>()).prop_map(
            |(stream, millis, replies, as_stream)| Step::Request { stream, millis, replies, as_stream }
        ),
        8 => (0..20usize).prop_map(Step::Read),
        8 => (0..30u64).prop_map(Step::Wait),
        1 => (stream.clone(), 0..20u64, any::<bool>())
            .prop_map(|(stream, millis, abort)| Step::Quit { stream, millis, abort }),
        1 => stream.prop_map(|stream| Step::Panic { stream }),
        1 => Just(Step::Restart),
        1 => Just(Step::Shutdown),
        1 => Just(Step::Abort),
        1 => Just(Step::Lose),
    ]
}

/// Counts the calls that are alive, so that none can leak.
struct Alive(Arc<AtomicUsize>);

impl Alive {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Relaxed);
        Self(Arc::clone(count))
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

/// Does what its request says: `life.number.millis.replies.kind`.
async fn serve(request: Request, alive: Arc<AtomicUsize>) -> Reply {
    let alive = Alive::new(&alive);
    let text = String::from_utf8(request.into_payload().into()).unwrap();
    let script = text.clone();
    let mut parts = script.split('.').skip(2);
    let mut number = || parts.next().unwrap().parse::<u64>().unwrap();
    let (millis, replies) = (number(), number());
    if millis > 0 {
        sleep(Duration::from_millis(millis)).await;
    }
    let answers = (0..replies).map(move |part| format!("{text}.{part}"));
    match parts.next().unwrap() {
        "stream" => Reply::stream(futures::stream::unfold(
            (answers, alive),
            |(mut answers, alive)| async {
                sleep(Duration::from_millis(1)).await;
                answers.next().map(|answer| (answer, (answers, alive)))
            },
        )),
        "quit" => answers.collect::<Reply>().with_shutdown(Shutdown::AfterAck),
        "abort" => answers
            .collect::<Reply>()
            .with_shutdown(Shutdown::abort("asked to")),
        "panic" => panic!("asked to"),
        _ => answers.collect(),
    }
}

/// A peer that checks what it reads.
struct Checker {
    /// In which life a peer is; replies to an earlier one must never arrive.
    life: u32,
    number: u32,
    /// The last request and part that was answered on each stream.
    answered: HashMap<u16, (u32, u32)>,
}

impl Checker {
    fn message(&mut self, stream: u16, millis: u64, replies: u8, kind: &str) -> Message {
        self.number += 1;
        on(
            stream,
            format!("{}.{}.{millis}.{replies}.{kind}", self.life, self.number),
        )
    }

    fn check(&mut self, message: &Message) {
        let text = std::str::from_utf8(&message.payload).unwrap();
        let parts: Vec<_> = text.split('.').collect();
        let number = |index: usize| parts[index].parse::<u32>().unwrap();
        let (life, request, part) = (number(0), number(1), number(5));
        assert_eq!(life, self.life, "a reply to an earlier life");
        assert_ne!(parts[4], "abort", "a message beside an abort");
        let stream = message.info.stream.get();
        let before = self.answered.insert(stream, (request, part));
        assert!(
            before < Some((request, part)),
            "{before:?} before {text} on stream {stream}"
        );
    }
}

async fn run(steps: Vec<Step>, config: Config, capacity: usize) {
    let alive = Arc::new(AtomicUsize::new(0));
    let calls = Arc::clone(&alive);
    let mut server = Server::with_config(config, move |request: Request| {
        serve(request, Arc::clone(&calls))
    });
    let settings = Duplex::new().with_capacity(capacity);
    let peer = server.network.connect_with(settings).await.unwrap();
    let mut checker = Checker {
        life: 0,
        number: 0,
        answered: HashMap::new(),
    };
    for step in steps {
        match step {
            Step::Request {
                stream,
                millis,
                replies,
                as_stream,
            } => {
                let kind = if as_stream { "stream" } else { "all" };
                peer.try_send(checker.message(stream, millis, replies, kind));
            }
            Step::Quit {
                stream,
                millis,
                abort,
            } => {
                let kind = if abort { "abort" } else { "quit" };
                peer.try_send(checker.message(stream, millis, 2, kind));
            }
            Step::Panic { stream } => {
                peer.try_send(checker.message(stream, 1, 0, "panic"));
            }
            Step::Read(count) => {
                for _ in 0..count {
                    settle().await;
                    if let Some(message) = peer.try_recv() {
                        checker.check(&message);
                    }
                }
            }
            Step::Wait(millis) => sleep(Duration::from_millis(millis)).await,
            Step::Restart => {
                // What was delivered is read; what comes after the restart is of the new life.
                while let Some(message) = peer.try_recv() {
                    checker.check(&message);
                }
                peer.restart();
                // The server hears of it when it has read so far. Until then it answers the
                // earlier life, and cannot know better.
                let heard = || {
                    server
                        .log
                        .lines()
                        .iter()
                        .any(|line| line.contains("Counts"))
                        || server.log.count("restarted") > checker.life
                };
                while !heard() {
                    settle().await;
                    while peer.try_recv().is_some() {}
                }
                while peer.try_recv().is_some() {}
                if server.log.count("restarted") == checker.life {
                    continue;
                }
                checker.life += 1;
                checker.answered.clear();
            }
            Step::Shutdown => peer.shutdown(),
            Step::Abort => peer.abort("peer"),
            Step::Lose => peer.lose(),
        }
    }
    server.stop();
    while let Some(message) = must(peer.recv()).await {
        checker.check(&message);
    }
    let log = server.log.clone();
    // It resolves only when every permit is back.
    must(server.stopped()).await;
    assert_eq!(alive.load(Relaxed), 0, "a call is left: {log:?}");
    assert_eq!(
        log.lines()
            .iter()
            .filter(|line| line.contains("Counts"))
            .count(),
        1,
        "{log:?}"
    );
}

fn config() -> impl Strategy<Value = (Config, usize)> {
    let ordering = prop_oneof![
        Just(RequestOrder::PerStream),
        Just(RequestOrder::PerAssociation)
    ];
    (1..5usize, 1..5usize, 1..5usize, ordering, 1..8usize).prop_map(
        |(calls, ahead, queue, ordering, capacity)| {
            let config = Config::new()
                .with_max_in_flight(calls)
                .with_read_ahead(ahead)
                .with_reply_queue(queue)
                .with_reply_queue_bytes(200)
                .with_request_order(ordering);
            (config, capacity)
        },
    )
}

/// 300, or as many as the environment asks for.
fn cases() -> u32 {
    let asked = std::env::var("PROPTEST_CASES").ok();
    asked.and_then(|cases| cases.parse().ok()).unwrap_or(300)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases()))]

    #[test]
    fn order_holds_nothing_follows_an_end_and_nothing_leaks(
        steps in proptest::collection::vec(step(), 0..60),
        (config, capacity) in config(),
    ) {
        // The panics that are asked for would fill the output.
        std::panic::set_hook(Box::new(|_| ()));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(run(steps, config, capacity));
    }
}

#[tokio::test(start_paused = true)]
async fn every_message_of_a_long_conversation_is_answered_once() {
    let server = Server::new(async |payload: Bytes| payload);
    let peer = server.connect().await;
    for number in 0..5000u32 {
        peer.send(on(u16::try_from(number % 10).unwrap(), number.to_string()))
            .await;
        peer.expect_message(number.to_string()).await;
    }
    assert_eq!(peer.try_recv(), None);
}
