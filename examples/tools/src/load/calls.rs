//! Calls that wait for their replies.

use std::collections::VecDeque;

/// Maximum number of calls between the oldest waiting one and the newest. A call that is never
/// answered keeps its place, and those after it theirs, until it times out.
const MAX_SPAN: usize = 1 << 20;

/// One call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    /// Scheduled time, in nanoseconds.
    pub(crate) due: u64,
    /// Time at which the socket accepted the call.
    pub(crate) sent: u64,
    /// Set for a measured call.
    pub(crate) measured: bool,
    stream: u16,
    size: usize,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Waiting,
    Answered,
    TimedOut,
}

/// Classification of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    /// The answer to this call.
    To(Call),
    /// The answer to a call that has timed out.
    Late,
    /// The answer to no call.
    Unexpected,
}

/// The calls of one association that wait for their replies. A reply finds its call by the
/// sequence number that it echoes; without one it answers the oldest call of its stream.
#[derive(Debug)]
pub(crate) struct Calls {
    /// The number of the first of `calls`.
    base: u64,
    /// In the order of sending, which is that of timing out. The first one waits.
    calls: VecDeque<Call>,
    /// Of each stream, the numbers of calls that wait or have timed out.
    streams: Vec<VecDeque<u64>>,
    waiting: usize,
    limit: usize,
    timeout: u64,
}

impl Calls {
    /// At most `limit` calls wait at once, and each of them for `timeout` nanoseconds.
    pub(crate) fn new(streams: u16, limit: usize, timeout: u64) -> Self {
        Self {
            base: 0,
            calls: VecDeque::new(),
            streams: vec![VecDeque::new(); usize::from(streams)],
            waiting: 0,
            limit,
            timeout,
        }
    }

    pub(crate) fn waiting(&self) -> usize {
        self.waiting
    }

    pub(crate) fn has_room(&self) -> bool {
        self.waiting < self.limit && self.calls.len() < MAX_SPAN
    }

    /// The number of the next call.
    pub(crate) fn next(&self) -> u64 {
        self.base + self.calls.len() as u64
    }

    pub(crate) fn begin(&mut self, stream: u16, size: usize, due: u64, sent: u64, measured: bool) {
        let number = self.next();
        if let Some(queue) = self.streams.get_mut(usize::from(stream)) {
            if queue.len() > 2 * self.limit + 16 {
                // Calls that timed out long ago; their replies will not come any more.
                queue.pop_front();
            }
            queue.push_back(number);
        }
        self.waiting += 1;
        self.calls.push_back(Call {
            due,
            sent,
            measured,
            stream,
            size,
            state: State::Waiting,
        });
    }

    /// Finds the call that a reply on this stream answers.
    pub(crate) fn answer(&mut self, stream: u16, sequence: Option<u64>) -> Reply {
        let number = match sequence {
            Some(number) => self.forget(number),
            None => self.oldest(stream),
        };
        let Some(number) = number else {
            return Reply::Unexpected;
        };
        match self.take(number) {
            Some(call) => Reply::To(call),
            None => Reply::Late,
        }
    }

    /// Takes a number off its stream's queue, where it is the first, if replies come in order.
    fn forget(&mut self, number: u64) -> Option<u64> {
        let find = |queue: &mut VecDeque<u64>| {
            let at = queue.iter().position(|known| *known == number)?;
            queue.remove(at)
        };
        match self.get(number) {
            Some(call) => find(self.streams.get_mut(usize::from(call.stream))?),
            None => self.streams.iter_mut().find_map(find),
        }
    }

    /// The oldest call of a stream. Servers may answer on another stream than the call's: then
    /// it is the oldest of all.
    fn oldest(&mut self, stream: u16) -> Option<u64> {
        let own = self.streams.get_mut(usize::from(stream));
        if let Some(number) = own.and_then(VecDeque::pop_front) {
            return Some(number);
        }
        let fronts = self.streams.iter_mut().filter(|queue| !queue.is_empty());
        fronts
            .min_by_key(|queue| queue.front().copied())?
            .pop_front()
    }

    /// Size of the message of a call; 0 if all up to it are answered or have timed out.
    pub(crate) fn size(&self, number: u64) -> usize {
        self.get(number).map_or(0, |call| call.size)
    }

    fn get(&self, number: u64) -> Option<Call> {
        let index = usize::try_from(number.checked_sub(self.base)?).ok()?;
        self.calls.get(index).copied()
    }

    fn take(&mut self, number: u64) -> Option<Call> {
        let index = usize::try_from(number.checked_sub(self.base)?).ok()?;
        let call = self.calls.get_mut(index)?;
        if call.state != State::Waiting {
            return None;
        }
        call.state = State::Answered;
        let call = *call;
        self.waiting -= 1;
        self.drop_done();
        Some(call)
    }

    fn drop_done(&mut self) {
        while self
            .calls
            .front()
            .is_some_and(|call| call.state != State::Waiting)
        {
            self.calls.pop_front();
            self.base += 1;
        }
    }

    /// Returns the time at which the next call times out.
    pub(crate) fn deadline(&self) -> Option<u64> {
        self.calls.front().map(|call| call.sent + self.timeout)
    }

    /// Takes a call that has timed out, if there is one.
    pub(crate) fn time_out(&mut self, now: u64) -> Option<Call> {
        let front = self.calls.front_mut()?;
        if front.sent + self.timeout > now {
            return None;
        }
        front.state = State::TimedOut;
        let call = *front;
        self.waiting -= 1;
        self.drop_done();
        Some(call)
    }

    /// Takes all that still wait.
    pub(crate) fn drain(&mut self) -> impl Iterator<Item = Call> + use<> {
        self.base = self.next();
        self.waiting = 0;
        self.streams.iter_mut().for_each(VecDeque::clear);
        let calls = std::mem::take(&mut self.calls);
        calls
            .into_iter()
            .filter(|call| call.state == State::Waiting)
    }
}

#[cfg(test)]
mod tests;
