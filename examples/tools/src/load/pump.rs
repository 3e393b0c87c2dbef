//! One association under load: sends what is due, takes replies, and gives up in time.

mod account;
mod timer;

use std::{
    collections::VecDeque,
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll, ready},
};

use sctp_tokio::{Association, Event, Message, RecvError, SendError, SendInfo};
use sctp_tools::format::time;
use tokio::{
    sync::watch,
    time::{Sleep, sleep_until},
};

use crate::{
    load::{
        calls::Calls,
        control::{NEVER, Phases, nanoseconds},
        payload::Maker,
        schedule::Schedule,
        sizes::Random,
        stats::Batch,
        worker::Shared,
    },
    trace::Conversation,
};

/// Maximum number of replies taken before the next send.
const MAX_REPLIES: usize = 256;
/// Number of replies that share one reading of the clock: as many as the library reads at once.
const REPLIES_PER_READING: usize = 32;
/// Limits on queued messages: their number, and their bytes unless a single message is longer.
const MAX_OUTBOX: usize = 256;
const MAX_OUTBOX_BYTES: usize = 256 * 1024;
/// Maximum number of samples before they are reported.
const MAX_SAMPLES: usize = 512;

/// Outcome of the load on an association.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// All calls were made that there were to make.
    Done,
    /// The association is over, or useless.
    Lost(String),
}

/// The load on one association.
pub(crate) struct Pump<'a> {
    shared: &'a Shared,
    index: usize,
    association: &'a mut Association,
    phases: Phases,
    calls: Calls,
    outbox: VecDeque<Message>,
    max_outbox: usize,
    maker: Maker,
    random: Random,
    info: SendInfo,
    streams: u16,
    /// The stream of the next message.
    stream: u16,
    /// Times of the calls of an open loop, once calls are made.
    schedule: Option<Schedule>,
    /// Time since which calls wait and no reply came.
    silent_since: Option<u64>,
    /// The association takes no messages any more; its end is near.
    closing: bool,
    /// Nothing is left of the budget.
    spent: bool,
    /// Number of the first measured call.
    first_measured: u64,
    batch: Batch,
    /// With a trace: its part for this association, and copies of the messages in `outbox`.
    trace: Option<(Conversation, VecDeque<Message>)>,
    timer: Pin<Box<Sleep>>,
    /// Time that the timer is set to.
    armed: u64,
}

impl<'a> Pump<'a> {
    pub(crate) fn new(
        shared: &'a Shared,
        index: usize,
        association: &'a mut Association,
        mut random: Random,
    ) -> Self {
        let load = &shared.load;
        let streams = load.streams.min(association.outbound_streams()).max(1);
        let longest = load.size.longest();
        let trace = shared.trace.conversation(association);
        Self {
            shared,
            index,
            association,
            phases: Phases::UNKNOWN,
            calls: Calls::new(streams, load.window(), nanoseconds(load.call_timeout)),
            outbox: VecDeque::new(),
            max_outbox: (MAX_OUTBOX_BYTES / longest).clamp(1, MAX_OUTBOX),
            maker: Maker::new(random.next(), shared.filler.clone()),
            random,
            info: SendInfo::default()
                .with_ppid(load.ppid)
                .with_unordered(load.unordered),
            streams,
            stream: 0,
            schedule: None,
            silent_since: None,
            closing: false,
            spent: false,
            first_measured: u64::MAX,
            batch: Batch::default(),
            trace: trace.map(|conversation| (conversation, VecDeque::new())),
            timer: Box::pin(sleep_until(shared.clock.moment(NEVER))),
            armed: NEVER,
        }
    }

    /// Puts the load on until the run or the association is over.
    pub(crate) async fn run(mut self, phases: &mut watch::Receiver<Phases>) -> Outcome {
        loop {
            self.phases = *phases.borrow_and_update();
            tokio::select! {
                biased;
                outcome = poll_fn(|cx| self.poll(cx)) => return outcome,
                changed = phases.changed() => if changed.is_err() {
                    return Outcome::Done;
                },
            }
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Outcome> {
        let outcome = self.advance(cx);
        match &outcome {
            Poll::Ready(Outcome::Done) => self.cut_off(),
            Poll::Ready(Outcome::Lost(cause)) => self.fail_all(cause),
            Poll::Pending => {}
        }
        self.hand_over();
        outcome
    }

    fn advance(&mut self, cx: &mut Context<'_>) -> Poll<Outcome> {
        loop {
            let received = match self.receive(cx) {
                Poll::Ready(Err(cause)) => return Poll::Ready(Outcome::Lost(cause)),
                received => received.is_ready(),
            };
            let now = self.shared.clock.now();
            self.time_out(now);
            let filled = self.refill(now);
            let was_closing = self.closing;
            let sent = match self.send(cx, now) {
                Poll::Ready(Err(cause)) => return Poll::Ready(Outcome::Lost(cause)),
                sent => sent.is_ready(),
            };
            if self.is_finished(now) {
                return Poll::Ready(Outcome::Done);
            }
            if self.gives_up(now) {
                let cause = format!("given up: no reply for {}", time(self.give_up()));
                return Poll::Ready(Outcome::Lost(cause));
            }
            if self.batch.samples.len() > MAX_SAMPLES {
                self.hand_over();
            }
            let go_on = received || (filled && sent) || self.closing != was_closing;
            if !go_on && self.poll_timer(cx, now).is_pending() {
                return Poll::Pending;
            }
        }
    }

    /// Takes replies. Ready if there may be more of them; an error is the end of the association.
    fn receive(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), String>> {
        let mut now = 0;
        for taken in 0..MAX_REPLIES {
            match ready!(self.association.poll_next_event(cx)) {
                Ok(Event::Message(reply)) => {
                    if taken % REPLIES_PER_READING == 0 {
                        now = self.shared.clock.now();
                    }
                    if let Some((conversation, _)) = &mut self.trace {
                        conversation.received(&reply);
                    }
                    self.take_reply(&reply, now);
                }
                Ok(Event::Closed(end)) => {
                    if let Some((conversation, _)) = &mut self.trace {
                        conversation.closed(&end, None);
                    }
                    return Poll::Ready(Err(end.to_string()));
                }
                // Of a reply that is too long: the association's end follows.
                Ok(_) | Err(RecvError::TooLarge { .. }) => {}
                Err(error) => return Poll::Ready(Err(format!("cannot receive: {error}"))),
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Makes the messages that are due. Returns `true` if there are more than may wait to be sent.
    fn refill(&mut self, now: u64) -> bool {
        if now < self.phases.go || self.closing || self.spent {
            return false;
        }
        self.begin_schedule(now);
        while self.calls.has_room() {
            let due = self.schedule.as_ref().map_or(now, Schedule::due);
            if due > now || due >= self.phases.end {
                return false;
            }
            if self.outbox.len() >= self.max_outbox {
                return true;
            }
            let measured = due >= self.phases.measure;
            if measured && !self.shared.budget.take() {
                self.spent = true;
                self.shared.spent.notify_one();
                return false;
            }
            if let Some(schedule) = &mut self.schedule {
                schedule.advance(&mut self.random);
            }
            self.begin(due, now, measured);
        }
        false
    }

    fn begin_schedule(&mut self, now: u64) {
        let load = &self.shared.load;
        if let (Some(rate), None) = (load.rate, &self.schedule) {
            let associations = load.associations as usize;
            // All begin with the run, so that they take turns, or as soon as they are up.
            let begin = match load.ramp_up.is_zero() && now - self.phases.go < 1_000_000_000 {
                true => self.phases.go,
                false => now,
            };
            self.schedule = Some(Schedule::new(
                load.arrivals,
                rate,
                associations,
                self.index,
                begin,
                &mut self.random,
            ));
        }
    }

    fn begin(&mut self, due: u64, now: u64, measured: bool) {
        let size = self.shared.load.size.draw(&mut self.random);
        let payload = self.maker.make(size, self.calls.next());
        let message = Message::new(payload)
            .with_info(self.info.clone())
            .on_stream(self.stream);
        if let Some((_, copies)) = &mut self.trace {
            copies.push_back(message.clone());
        }
        self.outbox.push_back(message);
        if measured {
            self.first_measured = self.first_measured.min(self.calls.next());
        }
        self.calls.begin(self.stream, size, due, now, measured);
        self.count(measured, |tally| {
            tally.begun += 1;
            tally.bytes_begun += size as u64;
        });
        self.stream = (self.stream + 1) % self.streams;
        self.silent_since.get_or_insert(now);
    }

    /// Ready when all has been sent; an error is the end of the association.
    fn send(&mut self, cx: &mut Context<'_>, now: u64) -> Poll<Result<(), String>> {
        if self.outbox.is_empty() {
            return Poll::Ready(Ok(()));
        }
        let sent = self.association.poll_send_queue(cx, &mut self.outbox);
        if let Some((conversation, copies)) = &mut self.trace {
            let refused = matches!(sent, Poll::Ready(Err(_)));
            let mut left = copies.drain(..copies.len() - self.outbox.len());
            if refused {
                left.next_back();
            }
            left.for_each(|message| conversation.sent(&message));
        }
        Poll::Ready(match ready!(sent) {
            Ok(()) => Ok(()),
            Err(SendError::Closed(_) | SendError::ShuttingDown) => {
                // The reason is received next.
                self.closing = true;
                self.silent_since.get_or_insert(now);
                self.count_refused();
                Ok(())
            }
            Err(error) => {
                self.count_refused();
                Err(format!("cannot send: {error}"))
            }
        })
    }

    fn is_finished(&self, now: u64) -> bool {
        let due = self.schedule.as_ref().map_or(NEVER, Schedule::due);
        let over = now >= self.phases.end && due >= self.phases.end;
        let spent = self.spent || self.shared.budget.is_spent();
        now >= self.phases.cut || ((over || spent) && !self.closing && self.calls.waiting() == 0)
    }
}
