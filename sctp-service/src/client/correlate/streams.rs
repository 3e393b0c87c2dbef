//! Correlation by stream.

use std::collections::VecDeque;

use sctp_core::StreamId;
use sctp_tokio::{Message, Received};

use super::{Assigned, CallId, Correlation, Found};
use crate::client::error::Refusal;

/// Correlation by stream, the default: a call takes a free stream, and the reply comes back on
/// that stream. Nothing is added to the payload, and no call waits for the answer to another.
///
/// The server must answer each message with one message, on the stream that it came on. Servers
/// of this crate do, unless a handler says otherwise.
///
/// # Which streams
///
/// The streams that exist in both directions, less the first [`reserved`](Self::with_reserved)
/// ones: those are for messages that are no calls, in both directions. A call's message is put on
/// the stream of the client's choice, in order, whatever its `SendInfo` says. If so few streams
/// were negotiated that none would be left for calls, calls have all of them; one-way messages then
/// must be ones that the server does not answer, and a push is taken for an answer.
///
/// # More calls than streams
///
/// Calls wait for a stream, first come, first served, up to
/// [`ClientConfig::max_in_flight`](crate::client::ClientConfig::max_in_flight). With a
/// [depth](Self::with_depth) above 1, several calls are under way on a stream at once, and the
/// server must answer them in order.
///
/// # Servers that break the rule
///
/// A message on a stream for calls where none has been sent is the second answer to a call, or
/// the answer to a call of another stream. From then on no answer can be trusted, so the
/// association is aborted with the reason `unexpected reply`, and its calls fail with
/// [`Cause::Uncorrelated`](crate::client::Cause::Uncorrelated). Streams are used in turn, so that
/// a stray message meets an idle stream rather than another call; one that does meet a call is
/// beyond detection without an identifier: see [`Correlator`](crate::client::Correlator).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByStream {
    reserved: u16,
    depth: usize,
    strict: bool,
}

impl Default for ByStream {
    fn default() -> Self {
        Self {
            reserved: 1,
            depth: 1,
            strict: true,
        }
    }
}

impl ByStream {
    /// Begins with the defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets how many streams, from 0, are not used for calls. Default: 1. With 0, it is as
    /// if too few streams had been negotiated.
    #[must_use]
    pub fn with_reserved(mut self, streams: u16) -> Self {
        self.reserved = streams;
        self
    }

    /// Sets how many calls are under way on one stream at most, at least 1. Default: 1, which
    /// holds even against a server that answers the calls of one stream out of order. More is
    /// faster where there are few streams, and a missing answer then delays the calls behind it.
    #[must_use]
    pub fn with_depth(mut self, calls: usize) -> Self {
        self.depth = calls;
        self
    }

    /// Sets whether a message on an idle stream for calls ends the association. Default: yes;
    /// no, it counts as a push, and a server that answers twice goes unnoticed.
    #[must_use]
    pub fn with_strict(mut self, strict: bool) -> Self {
        self.strict = strict;
        self
    }

    pub(super) fn correlation(self, streams: u16) -> Streams {
        let first = if streams > self.reserved {
            self.reserved
        } else {
            0
        };
        let mut correlation = Streams {
            settings: self,
            first,
            lanes: Vec::new(),
            free: VecDeque::new(),
            dead: 0,
        };
        correlation.set_streams(streams);
        correlation
    }
}

/// The streams for calls, from `first`.
pub(super) struct Streams {
    settings: ByStream,
    first: u16,
    lanes: Vec<Lane>,
    /// The lanes with room, the one that was used longest ago first; each is in it at most once.
    free: VecDeque<u16>,
    /// How many lanes have a call that was given up.
    dead: usize,
}

/// The calls under way on one stream, in the order in which they will be answered.
#[derive(Default)]
struct Lane {
    calls: VecDeque<CallId>,
    given_up: Vec<CallId>,
    listed: bool,
}

impl Streams {
    fn lane(&mut self, stream: StreamId) -> Option<(u16, &mut Lane)> {
        let index = stream.get().checked_sub(self.first)?;
        Some((index, self.lanes.get_mut(usize::from(index))?))
    }

    /// Takes a call off its lane, which may have room then.
    fn remove(
        &mut self,
        stream: StreamId,
        position: impl FnOnce(&Lane) -> Option<usize>,
    ) -> Option<CallId> {
        let (index, lane) = self.lane(stream)?;
        let call = lane.calls.remove(position(lane)?)?;
        let was_dead = !lane.given_up.is_empty();
        lane.given_up.retain(|given_up| *given_up != call);
        if was_dead && lane.given_up.is_empty() {
            self.dead -= 1;
        }
        self.list(index);
        Some(call)
    }

    /// Puts a lane in line if it has room and is not there yet.
    fn list(&mut self, index: u16) {
        let depth = self.settings.depth.max(1);
        if let Some(lane) = self.lanes.get_mut(usize::from(index))
            && !lane.listed
            && lane.given_up.is_empty()
            && lane.calls.len() < depth
        {
            lane.listed = true;
            self.free.push_back(index);
        }
    }
}

impl Correlation for Streams {
    fn assign(&mut self, call: CallId, message: &mut Message) -> Assigned {
        let Some(index) = self.free.pop_front() else {
            return Assigned::Later;
        };
        if let Some(lane) = self.lanes.get_mut(usize::from(index)) {
            lane.listed = false;
            lane.calls.push_back(call);
        }
        self.list(index);
        message.info.stream = StreamId::new(self.first + index);
        message.info.unordered = false;
        Assigned::Now
    }

    fn find(&mut self, received: &Received, is_sent: &dyn Fn(CallId) -> bool) -> Found {
        let stream = received.info.stream;
        let Some((_, lane)) = self.lane(stream) else {
            return Found::Push;
        };
        let awaited = lane.calls.front().is_some_and(|call| is_sent(*call));
        match self.remove(stream, |_| awaited.then_some(0)) {
            Some(call) => Found::Reply(call),
            None if self.settings.strict => Found::Stray,
            None => Found::Push,
        }
    }

    fn withdraw(&mut self, call: CallId, stream: StreamId) {
        self.remove(stream, |lane| lane.calls.iter().position(|id| *id == call));
    }

    fn give_up(&mut self, call: CallId, stream: StreamId) -> bool {
        if let Some((index, lane)) = self.lane(stream) {
            let newly_dead = lane.given_up.is_empty();
            lane.given_up.push(call);
            lane.listed = false;
            self.dead += usize::from(newly_dead);
            self.free.retain(|free| *free != index);
        }
        self.dead < self.lanes.len()
    }

    fn is_bounded(&self) -> bool {
        true
    }

    fn check_one_way(&self, message: &Message) -> Result<(), Refusal> {
        let stream = message.info.stream.get();
        // Without a reserved stream there is no better one: the server's silence is all there is
        // to trust.
        if self.first > 0 && stream >= self.first {
            return Err(Refusal::CallStream {
                stream,
                reserved: self.first,
            });
        }
        Ok(())
    }

    fn set_streams(&mut self, streams: u16) {
        let lanes = streams.saturating_sub(self.first);
        let known = u16::try_from(self.lanes.len()).unwrap_or(u16::MAX);
        for index in known..lanes {
            self.lanes.push(Lane::default());
            self.list(index);
        }
    }
}
