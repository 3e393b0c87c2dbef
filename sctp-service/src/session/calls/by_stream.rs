//! Correlation by stream.

use std::collections::VecDeque;

use sctp_core::StreamId;
use sctp_tokio::{Message, Received};

use super::{
    CallId,
    correlation::{Assigned, Class, CorrelationState},
};
use crate::{ConnectInfo, correlate::ByStream, handle::error::Refusal};

/// The streams for calls, from `first`.
pub(crate) struct Streams {
    settings: ByStream,
    first: u16,
    /// The number of streams in both directions, for calls or not.
    negotiated: u16,
    streams: Vec<Stream>,
    /// The streams with room, the least recently used one first. Each is listed at most once.
    free: VecDeque<u16>,
    /// The number of streams with a call that was given up.
    dead: usize,
}

/// The calls under way on one stream, in the order in which they will be answered.
#[derive(Default)]
struct Stream {
    calls: VecDeque<CallId>,
    given_up: Vec<CallId>,
    is_listed: bool,
}

impl Streams {
    pub(crate) fn new(settings: &ByStream, info: &ConnectInfo) -> Self {
        let negotiated = info.inbound_streams().min(info.outbound_streams());
        let mut streams = Self {
            settings: *settings,
            first: settings.range(negotiated).0,
            negotiated: 0,
            streams: Vec::new(),
            free: VecDeque::new(),
            dead: 0,
        };
        streams.set_streams(negotiated);
        streams
    }

    fn get(&mut self, stream: StreamId) -> Option<(u16, &mut Stream)> {
        let index = stream.get().checked_sub(self.first)?;
        Some((index, self.streams.get_mut(usize::from(index))?))
    }

    /// Lists a stream as free if it has room.
    fn list(&mut self, index: u16) {
        let depth = self.settings.depth();
        if let Some(stream) = self.streams.get_mut(usize::from(index))
            && !stream.is_listed
            && stream.given_up.is_empty()
            && stream.calls.len() < depth
        {
            stream.is_listed = true;
            self.free.push_back(index);
        }
    }
}

impl CorrelationState for Streams {
    fn assign(&mut self, call: CallId, message: &mut Message) -> Assigned {
        if self.streams.is_empty() {
            return Assigned::Never(Refusal::NoCallStream);
        }
        let Some(index) = self.free.pop_front() else {
            return Assigned::Later;
        };
        if let Some(stream) = self.streams.get_mut(usize::from(index)) {
            stream.is_listed = false;
            stream.calls.push_back(call);
        }
        self.list(index);
        message.info.stream = StreamId::new(self.first + index);
        message.info.unordered = false;
        Assigned::Now
    }

    fn classify(&mut self, received: &Received, is_sent: &dyn Fn(CallId) -> bool) -> Class {
        let strict = self.settings.is_strict();
        match self.get(received.info.stream) {
            None => Class::Request,
            Some((_, stream)) => match stream.calls.front() {
                Some(call) if is_sent(*call) => Class::Reply(*call),
                _ if strict => Class::Unexpected,
                _ => Class::Request,
            },
        }
    }

    fn finish(&mut self, call: CallId, stream: StreamId) {
        let Some((index, stream)) = self.get(stream) else {
            return;
        };
        let Some(position) = stream.calls.iter().position(|id| *id == call) else {
            return;
        };
        stream.calls.remove(position);
        let was_dead = !stream.given_up.is_empty();
        stream.given_up.retain(|given_up| *given_up != call);
        if was_dead && stream.given_up.is_empty() {
            self.dead -= 1;
        }
        self.list(index);
    }

    fn give_up(&mut self, call: CallId, stream: StreamId) -> bool {
        if let Some((index, stream)) = self.get(stream) {
            let newly_dead = stream.given_up.is_empty();
            stream.given_up.push(call);
            stream.is_listed = false;
            self.dead += usize::from(newly_dead);
            self.free.retain(|free| *free != index);
        }
        self.dead < self.streams.len()
    }

    fn is_bounded(&self) -> bool {
        true
    }

    fn check_one_way(&self, message: &Message) -> Result<(), Refusal> {
        let stream = message.info.stream.get();
        let index = stream.checked_sub(self.first).map(usize::from);
        let is_for_calls = index.is_some_and(|index| index < self.streams.len());
        // If all streams are for calls there is no other to use.
        let has_others = self.streams.len() < usize::from(self.negotiated);
        if is_for_calls && has_others {
            Err(Refusal::CallStream { stream })
        } else {
            Ok(())
        }
    }

    fn set_streams(&mut self, streams: u16) {
        let (first, count) = self.settings.range(streams);
        if first != self.first {
            // Only a change from one stream to more moves the first one, while calls are on it.
            return;
        }
        self.negotiated = streams.max(self.negotiated);
        for index in self.streams.len()..usize::from(count) {
            self.streams.push(Stream::default());
            if let Ok(index) = u16::try_from(index) {
                self.list(index);
            }
        }
    }
}
