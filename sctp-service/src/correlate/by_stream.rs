//! Correlation by stream.

use std::{
    collections::{HashMap, VecDeque},
    ops::{Bound, RangeBounds},
};

use sctp_core::StreamId;
use sctp_tokio::{Message, Received};

use super::state::{Assigned, CallId, Class, CorrelationState};
use crate::{ConnectInfo, handle::error::Refusal};

/// Correlation by stream: each call uses a stream of its own, and its reply arrives on that stream.
///
/// Nothing is added to the payload, and no call waits for the reply to another. The peer must
/// answer each message with one message, on the stream on which it arrived. Servers of this crate
/// do so unless a handler chooses another stream.
///
/// # Streams
///
/// Calls use the streams that exist in both directions, except stream 0, unless [`on`](Self::on)
/// names others. The stream of a call is chosen automatically, and its message is sent ordered,
/// regardless of its `SendInfo`. If both ends make calls, they must use different streams: a
/// message on a stream for calls is a reply, on any other stream a request.
///
/// With the default streams and only one stream negotiated, calls use that stream. The peer must
/// then not answer one-way messages, and an unsolicited message is taken for a reply.
///
/// # More calls than streams
///
/// Calls wait for a free stream in order. With a [depth](Self::with_depth) above 1 a stream
/// carries several calls at once, and the peer must answer them in order.
///
/// # Unexpected messages
///
/// A message on a stream for calls without a call in flight is a duplicate reply, or the reply to a
/// call on another stream. Replies can no longer be matched with calls, so the association is
/// aborted with the reason `unexpected reply`, and its calls fail with
/// [`Cause::Uncorrelated`](crate::Cause::Uncorrelated). Streams are used in turn, so that an
/// unexpected message is likely to arrive on an idle stream. A message that arrives on a busy
/// stream is taken for the reply; to detect such a message, a protocol needs an identifier and a
/// [`Correlator`](crate::Correlator).
///
/// # Restarts
///
/// A call that is sent between a restart of the peer and its notification fails with
/// [`Cause::Restarted`](crate::Cause::Restarted), but the peer answers it. The streams of calls in
/// flight at a restart are therefore not used until each of these calls has a reply, which is
/// discarded, or until [`overdue_after`](crate::Config::overdue_after) has passed. A call whose
/// message the kernel has abandoned is not waited for. Calls wait if there is no other stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByStream {
    /// `None` for the default: all but stream 0, or all if there is no other.
    streams: Option<(u16, u16)>,
    depth: usize,
    strict: bool,
}

impl Default for ByStream {
    fn default() -> Self {
        Self {
            streams: None,
            depth: 1,
            strict: true,
        }
    }
}

impl ByStream {
    /// Creates the default settings.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Uses these streams for calls.
    ///
    /// Streams that were not negotiated in both directions are left out. If none is left, calls
    /// fail with [`Refusal::NoCallStream`](crate::Refusal::NoCallStream).
    #[must_use]
    pub fn on(streams: impl RangeBounds<u16>) -> Self {
        let first = match streams.start_bound() {
            Bound::Included(&first) => Some(first),
            Bound::Excluded(&before) => before.checked_add(1),
            Bound::Unbounded => Some(0),
        };
        let last = match streams.end_bound() {
            Bound::Included(&last) => Some(last),
            Bound::Excluded(&end) => end.checked_sub(1),
            Bound::Unbounded => Some(u16::MAX),
        };
        // An empty range holds no stream, wherever it is.
        let streams = first.zip(last).unwrap_or((1, 0));
        Self {
            streams: Some(streams),
            ..Self::default()
        }
    }

    /// Sets the maximum number of calls in flight on one stream, at least 1.
    ///
    /// Defaults to 1, which works even if the peer answers the calls of one stream out of order.
    /// Larger values are faster if there are few streams, but a missing reply then delays the calls
    /// behind it.
    #[must_use]
    pub fn with_depth(mut self, calls: usize) -> Self {
        self.depth = calls;
        self
    }

    /// Sets whether an unexpected message on a stream for calls aborts the association.
    ///
    /// Defaults to `true`. If `false`, such a message is treated as a request of the peer, and a
    /// duplicate reply is not detected.
    #[must_use]
    pub fn with_strict(mut self, strict: bool) -> Self {
        self.strict = strict;
        self
    }

    /// Returns the first stream for calls and their number.
    fn range(&self, negotiated: u16) -> (u16, u16) {
        let (first, last) = match self.streams {
            Some(streams) => streams,
            None if negotiated > 1 => (1, u16::MAX),
            None => (0, u16::MAX),
        };
        let end = last.saturating_add(1).min(negotiated);
        (first, end.saturating_sub(first))
    }

    fn depth(&self) -> usize {
        self.depth.max(1)
    }

    fn is_strict(&self) -> bool {
        self.strict
    }
}

/// The streams for calls, from `first`.
pub(super) struct Streams {
    settings: ByStream,
    first: u16,
    /// The number of streams in both directions, for calls or not.
    negotiated: u16,
    streams: Vec<Stream>,
    /// The streams with room, the least recently used one first. Each is listed at most once.
    free: VecDeque<u16>,
    /// The number of streams with a call that was given up.
    dead: usize,
    /// Calls from before a restart that may still be answered. Their streams carry no other calls.
    late: HashMap<StreamId, Vec<CallId>>,
}

/// The calls in flight on one stream, in the order in which they will be answered.
#[derive(Default)]
struct Stream {
    calls: VecDeque<CallId>,
    given_up: Vec<CallId>,
    is_listed: bool,
}

impl Streams {
    pub(super) fn new(settings: &ByStream, info: &ConnectInfo) -> Self {
        let negotiated = info.inbound_streams().min(info.outbound_streams());
        let mut streams = Self {
            settings: *settings,
            first: settings.range(negotiated).0,
            negotiated: 0,
            streams: Vec::new(),
            free: VecDeque::new(),
            dead: 0,
            late: HashMap::new(),
        };
        streams.set_streams(negotiated);
        streams
    }

    fn get(&mut self, stream: StreamId) -> Option<(u16, &mut Stream)> {
        let index = stream.get().checked_sub(self.first)?;
        Some((index, self.streams.get_mut(usize::from(index))?))
    }

    /// Takes the least recently used stream with room.
    fn take_free(&mut self) -> Option<u16> {
        loop {
            let index = self.free.pop_front()?;
            if let Some(stream) = self.streams.get_mut(usize::from(index)) {
                stream.is_listed = false;
            }
            if !self.has_late(index) {
                return Some(index);
            }
        }
    }

    fn has_late(&self, index: u16) -> bool {
        let stream = StreamId::new(self.first.saturating_add(index));
        self.late.contains_key(&stream)
    }

    /// Stops expecting a reply to a call from before a restart. Returns `false` if there is no such
    /// call.
    fn remove_late(&mut self, call: CallId, stream: StreamId) -> bool {
        let Some(late) = self.late.get_mut(&stream) else {
            return false;
        };
        late.retain(|late| *late != call);
        if late.is_empty() {
            self.late.remove(&stream);
            if let Some((index, _)) = self.get(stream) {
                self.list(index);
            }
        }
        true
    }

    /// Lists a stream as free if it has room.
    fn list(&mut self, index: u16) {
        let depth = self.settings.depth();
        if !self.has_late(index)
            && let Some(stream) = self.streams.get_mut(usize::from(index))
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
        let Some(index) = self.take_free() else {
            return Assigned::Later;
        };
        if let Some(stream) = self.streams.get_mut(usize::from(index)) {
            stream.calls.push_back(call);
        }
        self.list(index);
        message.info.stream = StreamId::new(self.first + index);
        message.info.unordered = false;
        Assigned::Now
    }

    fn classify(&mut self, received: &Received, is_sent: &dyn Fn(CallId) -> bool) -> Class {
        let strict = self.settings.is_strict();
        let late = self.late.get(&received.info.stream);
        if let Some(call) = late.and_then(|late| late.first()) {
            return Class::Reply(*call);
        }
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
        if self.remove_late(call, stream) {
            return;
        }
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
        // The peer has most likely never seen it.
        if self.remove_late(call, stream) {
            return true;
        }
        if let Some((index, stream)) = self.get(stream) {
            let newly_dead = stream.given_up.is_empty();
            stream.given_up.push(call);
            stream.is_listed = false;
            self.dead += usize::from(newly_dead);
            self.free.retain(|free| *free != index);
        }
        self.dead < self.streams.len()
    }

    fn expect_late(&mut self, call: CallId, stream: StreamId) -> bool {
        self.late.entry(stream).or_default().push(call);
        true
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn call_streams_are_those_of_the_range_that_exist() {
        for (streams, negotiated, expected) in [
            (ByStream::new(), 128, (1, 127)),
            (ByStream::new(), 1, (0, 1)),
            (ByStream::on(..), 10, (0, 10)),
            (ByStream::on(2..), 10, (2, 8)),
            (ByStream::on(2..5), 10, (2, 3)),
            (ByStream::on(2..=5), 4, (2, 2)),
            (ByStream::on(20..30), 10, (20, 0)),
            (ByStream::on(5..5), 10, (5, 0)),
            (ByStream::on(..0), 10, (1, 0)),
            (ByStream::on(..=u16::MAX), u16::MAX, (0, u16::MAX)),
        ] {
            assert_eq!(streams.range(negotiated), expected, "{streams:?}");
        }
    }
}
