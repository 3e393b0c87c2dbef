//! Peers by hand, which end their associations in every way, and start again.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use sctp_service::Message;
use sctp_service::testing::{Network, Peer};

use crate::{
    callers::{Caller, received_push},
    client::duplex,
    equals::EQUALS,
    fault::Kind,
    outcome,
    payload::{self, Payload, Request},
    rng::Rng,
    run::Run,
    watch::At,
    work::Work,
};

/// The streams that requests go on.
const STREAMS: usize = 16;

/// A peer's requests that have no reply yet, by number.
type Due = HashMap<u64, Request>;

/// Connects to servers again and again.
pub(crate) async fn run(
    run: Arc<Run>,
    servers: Vec<(u16, Arc<Network>)>,
    mut caller: Caller,
    mut rng: Rng,
) {
    while !run.is_over() {
        let (server, network) = &servers[rng.below(servers.len())];
        let at = At {
            server: Some(*server),
            assoc: None,
        };
        let connect = network.connect_with(duplex(&mut rng));
        let Ok(peer) = caller.slot().during("connect", at, 0, connect).await else {
            run.pause(rng.micros(3000)).await;
            continue;
        };
        ByHand {
            run: &run,
            at,
            peer,
            due: Due::new(),
            owed: VecDeque::new(),
            restarts: rng.one_in(4),
            rng: &mut rng,
            caller: &mut caller,
        }
        .run()
        .await;
    }
}

struct ByHand<'a> {
    run: &'a Run,
    at: At,
    peer: Peer,
    due: Due,
    /// Replies that wait for room.
    owed: VecDeque<Message>,
    restarts: bool,
    rng: &'a mut Rng,
    caller: &'a mut Caller,
}

impl ByHand<'_> {
    async fn run(mut self) {
        if self.restarts {
            // From here on the server's account knows that messages may be missing.
            let request = self.caller.next(Work::Restart, false);
            if !self.ask(request).await || !self.answers().await {
                return;
            }
        }
        for _ in 0..self.rng.below(100) {
            if self.run.is_over() {
                break;
            }
            for _ in 0..self.rng.below(8) {
                let work = match self.at.server {
                    Some(EQUALS) if self.rng.one_in(4) => Work::Back,
                    _ => Work::random(self.rng),
                };
                let request = self.caller.next(work, false);
                if !self.ask(request).await {
                    return;
                }
            }
            if !self.rng.one_in(4) && !self.answers().await {
                return;
            }
            if self.restarts && self.rng.one_in(8) {
                self.peer.restart();
                self.owed.clear();
                self.forget("calls of a peer that started again");
            }
        }
        self.end().await;
    }

    /// Sends a request. Returns whether the association is up.
    async fn ask(&mut self, request: Request) -> bool {
        self.due.insert(request.number, request);
        let stream = u16::try_from(self.rng.below(STREAMS)).unwrap_or_default();
        let message = Message::new(request.encode()).on_stream(stream);
        // The other end may have no room before it has sent what is read here.
        loop {
            if self.peer.try_send(message.clone()) {
                return true;
            }
            if !self.receive("room for a request").await {
                return false;
            }
        }
    }

    /// Receives all replies that are due. Returns whether the association is up.
    async fn answers(&mut self) -> bool {
        while !self.due.is_empty() {
            if !self.receive("reply to a peer by hand").await {
                return false;
            }
        }
        true
    }

    /// Receives a message. Returns whether there was one.
    async fn receive(&mut self, kind: &'static str) -> bool {
        let number = self.due.keys().min().copied().unwrap_or_default();
        loop {
            let next = async {
                match self.owed.front() {
                    None => Some(self.peer.recv().await),
                    Some(reply) => tokio::select! {
                        // After the end, it does nothing.
                        () = self.peer.send(reply.clone()) => None,
                        message = self.peer.recv() => Some(message),
                    },
                }
            };
            match self.caller.slot().during(kind, self.at, number, next).await {
                Some(Some(message)) => {
                    self.note(&message);
                    return true;
                }
                Some(None) => {
                    self.over().await;
                    return false;
                }
                None => drop(self.owed.pop_front()),
            }
        }
    }

    fn note(&mut self, message: &Message) {
        match Payload::decode(&message.payload) {
            Payload::Request(request) => {
                if let Some(wrong) = self.run.ledger.executed(&request) {
                    self.run.lost(&request, wrong);
                }
                let reply = payload::reply(&message.payload);
                let reply = Message::new(reply).on_stream(message.info.stream);
                if !self.owed.is_empty() || !self.peer.try_send(reply.clone()) {
                    self.owed.push_back(reply);
                }
            }
            Payload::Reply(request) => match self.due.remove(&request.number) {
                Some(asked) if asked == request => self.run.tally.add(outcome::ANSWERED, 1),
                // The server may not have heard of the restart when it replied.
                None if self.restarts => {}
                _ => self.run.lost(&request, "answered twice, or not asked"),
            },
            Payload::Push(push) => received_push(self.run, &push),
            Payload::Notice => {}
            other => {
                let line = format!("a peer by hand received {other:?}");
                self.run.faults.add(Kind::Lost, line);
            }
        }
    }

    /// The server has ended the association.
    async fn over(&mut self) {
        let end = self.peer.closed().await;
        for request in self.due.values() {
            if end.is_orderly() && self.run.ledger.is_answered(request) {
                self.run
                    .lost(request, "answered by its handler before an orderly end");
            }
        }
        self.forget("calls cut off by the server");
    }

    fn forget(&mut self, kind: &'static str) {
        let count = u64::try_from(self.due.len()).unwrap_or_default();
        self.run.tally.add(kind, count);
        self.due.clear();
    }

    /// Ends the association in one of all ways.
    async fn end(mut self) {
        match self.rng.below(6) {
            0 => self.peer.abort("by hand"),
            1 => self.peer.lose(),
            2 => drop(self.peer),
            3 => {
                self.peer.hold_acks();
                self.peer.shutdown();
                tokio::task::yield_now().await;
                self.peer.release_acks();
                self.read_on().await;
            }
            4 => {
                self.peer.shutdown();
                self.read_on().await;
            }
            _ => {
                if self.answers().await {
                    self.peer.shutdown();
                    self.read_on().await;
                }
            }
        }
    }

    /// Reads what was sent before the end.
    async fn read_on(&mut self) {
        loop {
            let recv = self.peer.recv();
            let next = self
                .caller
                .slot()
                .during("end of a peer by hand", self.at, 0, recv)
                .await;
            match next {
                Some(message) => self.note(&message),
                None => break,
            }
        }
        self.forget("calls cut off by their peer");
    }
}
