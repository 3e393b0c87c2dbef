//! Whatever a server that keeps the rules does, and whoever is dropped meanwhile: no reply is
//! mismatched, and no call hangs.

use std::time::Duration;

use proptest::{prelude::*, test_runner::TestCaseError};
use sctp_service::{
    ByStream, CallError, Cause, Message, Received,
    client::{Client, ClientBuilder, ClientConfig},
    testing::Peer,
};
use tokio::runtime;

use crate::{
    identifiers::keyed,
    support::{Reply, call, client_with, must, settle},
};

/// Something that happens.
#[derive(Clone, Copy, Debug)]
enum Step {
    Call,
    /// One of the requests that the server has is answered.
    Answer(prop::sample::Index),
    /// One of the calls is dropped.
    Drop(prop::sample::Index),
    Push,
    /// The server starts again, and these calls are sent before the client has notice of it.
    Restart(u8),
    /// Time passes, up to some calls' timeout.
    Wait(u8),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => Just(Step::Call),
        4 => any::<prop::sample::Index>().prop_map(Step::Answer),
        2 => any::<prop::sample::Index>().prop_map(Step::Drop),
        1 => Just(Step::Push),
        1 => (0u8..3).prop_map(Step::Restart),
        1 => any::<u8>().prop_map(Step::Wait),
    ];
    prop::collection::vec(step, 0..60)
}

#[derive(Clone, Copy, Debug)]
enum Ending {
    AnswersAll,
    Shutdown,
    Abort,
    Lost,
    ClientShutdown,
}

fn ending() -> impl Strategy<Value = Ending> {
    prop::sample::select(vec![
        Ending::AnswersAll,
        Ending::Shutdown,
        Ending::Abort,
        Ending::Lost,
        Ending::ClientShutdown,
    ])
}

/// The server's side of a run: the requests that it has, in order.
struct Server {
    peer: Peer,
    pending: Vec<Message>,
    /// `true` if requests of one stream are answered in order.
    in_order: bool,
    pushed: usize,
}

impl Server {
    fn receive(&mut self) {
        while let Some(message) = self.peer.try_recv() {
            self.pending.push(message);
        }
    }

    /// Answers a request with its own payload; where order matters, the first of its stream.
    async fn answer(&mut self, mut index: usize) {
        if self.in_order {
            let stream = self.pending[index].info.stream;
            let first = |message: &Message| message.info.stream == stream;
            index = self.pending.iter().position(first).unwrap();
        }
        let mut message = self.pending.remove(index);
        if let Some(mark) = message.payload.get(4).filter(|_| !self.in_order) {
            assert_eq!(*mark, b'Q');
            let mut payload = Vec::from(message.payload);
            payload[4] = b'A';
            message.payload = payload.into();
        }
        self.peer.send(message).await;
    }

    async fn push(&mut self) {
        self.pushed += 1;
        self.peer
            .send(if self.in_order { "push" } else { "1234Qpush" })
            .await;
    }
}

struct Run {
    client: Client,
    server: Server,
    calls: Vec<(String, Reply)>,
    made: usize,
}

impl Run {
    fn call(&mut self) {
        self.made += 1;
        let text = format!("call {}", self.made);
        self.calls.push((text.clone(), call(&self.client, text)));
    }

    async fn step(&mut self, step: Step) {
        match step {
            Step::Call => self.call(),
            Step::Answer(which) => {
                if !self.server.pending.is_empty() {
                    let index = which.index(self.server.pending.len());
                    self.server.answer(index).await;
                }
            }
            Step::Drop(which) => {
                if !self.calls.is_empty() {
                    let index = which.index(self.calls.len());
                    self.calls.remove(index).1.abort();
                }
            }
            Step::Push => must(self.server.push()).await,
            Step::Restart(calls) => {
                for _ in 0..calls {
                    self.call();
                }
                self.server.pending.clear();
                self.server.peer.restart();
            }
            Step::Wait(seconds) => {
                tokio::time::sleep(Duration::from_secs(u64::from(seconds) / 10)).await;
            }
        }
        settle().await;
        self.server.receive();
    }

    async fn end(&mut self, ending: Ending) {
        match ending {
            Ending::AnswersAll => {
                for _ in 0..=self.made {
                    while !self.server.pending.is_empty() {
                        self.server.answer(0).await;
                    }
                    settle().await;
                    self.server.receive();
                }
            }
            Ending::Shutdown => self.server.peer.shutdown(),
            Ending::Abort => self.server.peer.abort("enough"),
            Ending::Lost => self.server.peer.lose(),
            Ending::ClientShutdown => {
                // Nobody answers any more: the calls in flight time out first.
                must(self.client.graceful_shutdown()).await;
            }
        }
    }
}

fn check(text: &str, result: &Result<Received, CallError>) -> Result<(), TestCaseError> {
    match result {
        Ok(reply) => {
            let reply = String::from_utf8_lossy(&reply.payload).into_owned();
            prop_assert!(
                reply.ends_with(text),
                "{text:?} was answered with {reply:?}"
            );
        }
        Err(error) => prop_assert!(!matches!(error.cause(), Cause::Uncorrelated), "{error}"),
    }
    Ok(())
}

fn run(
    builder: ClientBuilder,
    in_order: bool,
    streams: u16,
    steps: Vec<Step>,
    ending: Ending,
) -> Result<(), TestCaseError> {
    let runtime = runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        let (builder, mut inbox) = builder.with_inbox(64);
        let (client, peer) = client_with(builder, streams);
        let server = Server {
            peer,
            pending: Vec::new(),
            in_order,
            pushed: 0,
        };
        let mut run = Run {
            client,
            server,
            calls: Vec::new(),
            made: 0,
        };
        for step in steps {
            run.step(step).await;
        }
        let lives = run.client.connect_info().is_some();
        run.end(ending).await;
        let answered = matches!(ending, Ending::AnswersAll);
        for (text, reply) in run.calls {
            let result = must(reply).await.unwrap();
            check(&text, &result)?;
            if answered && let Err(error) = &result {
                let is_ours = matches!(
                    error.cause(),
                    Cause::TimedOut | Cause::Unresponsive | Cause::Restarted
                );
                prop_assert!(is_ours, "{error}");
            }
        }
        must(run.client.graceful_shutdown()).await;
        let mut pushed = 0;
        while let Some(push) = must(inbox.recv()).await {
            prop_assert!(push.payload().ends_with(b"push"));
            pushed += 1;
        }
        // An association that was given up for want of answers hears no more of them.
        prop_assert!(pushed == run.server.pushed || !lives);
        Ok(())
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn by_stream(streams in 2u16..6, depth in 1usize..4, steps in steps(), ending in ending()) {
        let mut config = ClientConfig::new();
        if steps.iter().any(|step| matches!(step, Step::Restart(_))) {
            // After that a late reply to a call of before a restart cannot be recognized.
            config = config.with_overdue_after(Duration::from_secs(3600));
        }
        let builder = Client::builder()
            .with_config(config)
            .with_correlation(ByStream::new().with_depth(depth));
        run(builder, true, streams, steps, ending)?;
    }

    #[test]
    fn by_identifier(streams in 1u16..4, steps in steps(), ending in ending()) {
        run(keyed(), false, streams, steps, ending)?;
    }
}
