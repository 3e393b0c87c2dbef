//! Order in which the requests of an association are served.

use std::{
    collections::{HashMap, VecDeque},
    hash::{BuildHasherDefault, Hasher},
};

use sctp_core::{RecvInfo, StreamId};

use crate::{Request, RequestOrder};

/// Overhead of a request in bytes, which limits count in addition to its payload. Without it, a
/// limit of 1 MiB would admit a million one-byte requests.
const OVERHEAD: usize = 256;
const _: () = assert!(size_of::<Request>() <= OVERHEAD);

/// The requests that were read and not yet served.
///
/// A lane is the scope of the order: a stream, or the whole association. One request of each lane
/// is being served or ready; the others are held back in order. Lanes take turns: a lane that
/// becomes free goes to the end of the queue, so that a busy stream cannot starve the others.
#[derive(Debug)]
pub(super) struct Order {
    request_order: RequestOrder,
    /// Requests that are ready to be served.
    ready: VecDeque<Request>,
    /// A busy lane and what it holds back: a place for the one that most associations have, so
    /// that it costs no hashing.
    first: Option<(StreamId, VecDeque<Request>)>,
    /// Requests held back by each other busy lane. Lanes come and go with their requests: a peer that
    /// uses 65,536 streams in turn leaves nothing behind.
    others: HashMap<StreamId, VecDeque<Request>, BuildHasherDefault<StreamHasher>>,
    held: usize,
    /// The size of all requests, ready and held.
    cost: usize,
}

impl Order {
    pub(super) fn new(request_order: RequestOrder) -> Self {
        Self {
            request_order,
            ready: VecDeque::new(),
            first: None,
            others: HashMap::default(),
            held: 0,
            cost: 0,
        }
    }

    /// Returns the lane of a message; `None` if nothing has to wait for it.
    pub(super) fn lane(&self, info: &RecvInfo) -> Option<StreamId> {
        match self.request_order {
            RequestOrder::PerStream => (!info.unordered).then_some(info.stream),
            RequestOrder::PerAssociation => Some(StreamId::default()),
            RequestOrder::Unordered => None,
        }
    }

    /// Returns `true` if a request of this lane could be served at once, before all others.
    pub(super) fn is_free(&mut self, lane: Option<StreamId>) -> bool {
        self.ready.is_empty() && lane.is_none_or(|lane| self.busy(lane).is_none())
    }

    /// Takes a request in.
    pub(super) fn push(&mut self, request: Request) {
        self.cost += cost(request.payload().len());
        if self.ready.capacity() == 0 {
            // The session reads when nothing is ready, so there is seldom more than one.
            self.ready.reserve_exact(1);
        }
        let Some(lane) = self.lane(request.info()) else {
            self.ready.push_back(request);
            return;
        };
        match self.busy(lane) {
            Some(held) => {
                held.push_back(request);
                self.held += 1;
            }
            None => {
                self.occupy(lane);
                self.ready.push_back(request);
            }
        }
    }

    /// Takes the next ready request.
    pub(super) fn pop(&mut self) -> Option<Request> {
        let request = self.ready.pop_front()?;
        self.cost -= cost(request.payload().len());
        Some(request)
    }

    /// Lets the next request of a lane have its turn.
    pub(super) fn release(&mut self, lane: StreamId) {
        let Some(held) = self.busy(lane) else {
            return;
        };
        match held.pop_front() {
            Some(next) => {
                self.held -= 1;
                self.ready.push_back(next);
            }
            None => self.vacate(lane),
        }
    }

    /// Returns what a lane holds back, if it is busy.
    fn busy(&mut self, lane: StreamId) -> Option<&mut VecDeque<Request>> {
        match &mut self.first {
            Some((first, held)) if *first == lane => Some(held),
            _ if self.others.is_empty() => None,
            _ => self.others.get_mut(&lane),
        }
    }

    /// Makes a free lane busy.
    pub(super) fn occupy(&mut self, lane: StreamId) {
        if self.first.is_none() {
            self.first = Some((lane, VecDeque::new()));
        } else {
            self.others.insert(lane, VecDeque::new());
        }
    }

    /// Makes a busy lane free.
    fn vacate(&mut self, lane: StreamId) {
        match &self.first {
            Some((first, _)) if *first == lane => self.first = None,
            _ => drop(self.others.remove(&lane)),
        }
    }

    /// Returns `true` if a request can be served now.
    pub(super) fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Returns the number of requests that wait for an earlier one of their lane.
    pub(super) fn held(&self) -> usize {
        self.held
    }

    /// Returns the size of the requests that have not been served, in bytes.
    pub(in crate::session) fn cost(&self) -> usize {
        self.cost
    }

    /// Returns the number of requests that were not served yet.
    pub(super) fn len(&self) -> usize {
        self.ready.len() + self.held
    }
}

/// The size of a message that waits, in bytes.
pub(crate) fn cost(payload: usize) -> usize {
    payload + OVERHEAD
}

/// Hasher for stream numbers, with one multiplication. The peer chooses these numbers and could
/// cause collisions, but the number of lanes is bounded by the calls in flight and the requests
/// read ahead.
#[derive(Debug, Default)]
struct StreamHasher(u64);

impl Hasher for StreamHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u16(u16::from(*byte));
        }
    }

    fn write_u16(&mut self, number: u16) {
        // 2^64 divided by the golden ratio; the table looks at both ends of the result.
        self.0 = (self.0 ^ u64::from(number))
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .rotate_left(32);
    }
}

#[cfg(test)]
mod tests {
    use sctp_tokio::Received;

    use super::*;
    use crate::ConnectInfo;

    fn request(stream: u16, payload: &'static str) -> Request {
        let info = RecvInfo::default().with_stream(stream);
        Request::new(Received::new(payload, info), ConnectInfo::default())
    }

    fn popped(order: &mut Order) -> Vec<Request> {
        std::iter::from_fn(|| order.pop()).collect()
    }

    fn payloads(requests: &[Request]) -> Vec<&[u8]> {
        requests
            .iter()
            .map(|request| &request.payload()[..])
            .collect()
    }

    #[test]
    fn one_request_of_each_stream_has_its_turn() {
        let mut order = Order::new(RequestOrder::PerStream);
        for (stream, payload) in [(1, "a"), (1, "b"), (2, "c"), (1, "d")] {
            order.push(request(stream, payload));
        }
        assert_eq!(payloads(&popped(&mut order)), [b"a", b"c"]);
        assert_eq!(order.held(), 2);
        order.release(StreamId::new(1));
        assert_eq!(payloads(&popped(&mut order)), [b"b"]);
    }

    #[test]
    fn idle_stream_leaves_nothing_behind() {
        let mut order = Order::new(RequestOrder::PerStream);
        for stream in 0..100 {
            order.push(request(stream, "a"));
            order.pop();
            order.release(StreamId::new(stream));
        }
        assert!(order.first.is_none() && order.others.is_empty());
    }

    #[test]
    fn lane_behind_a_free_one_keeps_its_place() {
        let mut order = Order::new(RequestOrder::PerStream);
        for (stream, payload) in [(1, "a"), (2, "b"), (3, "c")] {
            order.push(request(stream, payload));
        }
        assert_eq!(payloads(&popped(&mut order)), [b"a", b"b", b"c"]);
        order.release(StreamId::new(1));
        // The place of lane 1 goes to lane 4; lane 2 is busy where it was.
        for (stream, payload) in [(4, "d"), (2, "e"), (4, "f"), (2, "g")] {
            order.push(request(stream, payload));
        }
        assert_eq!(payloads(&popped(&mut order)), [b"d"]);
        assert_eq!((order.held(), order.cost()), (3, 3 * (1 + OVERHEAD)));
        order.release(StreamId::new(2));
        order.release(StreamId::new(4));
        assert_eq!(payloads(&popped(&mut order)), [b"e", b"f"]);
        for _ in 0..2 {
            order.release(StreamId::new(2));
        }
        assert_eq!(payloads(&popped(&mut order)), [b"g"]);
        for stream in [2, 3, 4] {
            order.release(StreamId::new(stream));
        }
        assert!(order.first.is_none() && order.others.is_empty());
        assert_eq!((order.held(), order.cost()), (0, 0));
    }

    #[test]
    fn unordered_messages_wait_for_nothing() {
        let mut order = Order::new(RequestOrder::PerStream);
        for _ in 0..2 {
            let info = RecvInfo::default().with_unordered(true);
            order.push(Request::new(
                Received::new("u", info),
                ConnectInfo::default(),
            ));
        }
        assert_eq!(popped(&mut order).len(), 2);
    }

    #[test]
    fn per_association_there_is_one_lane() {
        let mut order = Order::new(RequestOrder::PerAssociation);
        order.push(request(1, "a"));
        order.push(request(2, "b"));
        assert_eq!(payloads(&popped(&mut order)), [b"a"]);
    }

    #[test]
    fn requests_cost_alike_whether_ready_or_held() {
        let unordered = || {
            let info = RecvInfo::default().with_unordered(true);
            Request::new(Received::new("abc", info), ConnectInfo::default())
        };
        let mut order = Order::new(RequestOrder::PerStream);
        order.push(unordered());
        order.push(request(1, "abc"));
        order.push(request(1, "abc"));
        assert_eq!((order.held(), order.cost()), (1, 3 * (3 + OVERHEAD)));
        assert_eq!(popped(&mut order).len(), 2);
        assert_eq!(order.cost(), 3 + OVERHEAD);
        order.release(StreamId::new(1));
        assert_eq!((order.held(), order.cost()), (0, 3 + OVERHEAD));
        assert_eq!(popped(&mut order).len(), 1);
        assert_eq!(order.cost(), 0);
    }
}
