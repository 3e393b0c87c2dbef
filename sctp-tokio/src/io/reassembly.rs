//! Reassembly of messages from the parts that the kernel returns.

use bytes::BytesMut;
use sctp_core::{AssocId, Notification, Part, PartialDelivery, RecvInfo};

/// Result of adding a part.
#[derive(Debug)]
pub(crate) enum Reassembled {
    /// More parts are needed.
    Incomplete,
    /// A complete message.
    Message(BytesMut, RecvInfo),
    /// A notification.
    Notification(Notification),
    /// The incomplete messages of the association exceed the limit, and were dropped.
    TooLarge(AssocId),
    /// The end of a one-to-one association, which the kernel marks by an empty read.
    EndOfStream,
    /// A part without receive information, or an invalid notification.
    Malformed(&'static str),
}

/// Incomplete message.
#[derive(Debug)]
struct Partial {
    assoc: AssocId,
    stream: u16,
    unordered: bool,
    data: BytesMut,
    /// Set after the limit was exceeded. The message is dropped up to its end; otherwise its
    /// remainder would look like another message.
    dropped: bool,
}

impl Partial {
    fn new(info: &RecvInfo, data: BytesMut) -> Self {
        Self {
            assoc: info.assoc,
            stream: info.stream.get(),
            unordered: info.unordered,
            data,
            dropped: false,
        }
    }
}

/// Joins the parts of messages (`MSG_EOR`), and decodes notifications, which arrive whole.
///
/// Incomplete messages are kept by association, because parts are interleaved on a shared socket,
/// and by stream and order, because with I-DATA they are interleaved within an association. Their
/// size is limited per association and for all associations of a shared socket together.
#[derive(Debug)]
pub(crate) struct Reassembler {
    limit: usize,
    /// Limit for the incomplete messages of all associations together.
    total_limit: usize,
    /// Usually empty. Holds messages larger than the receive window, and those cut by the end of a
    /// batch.
    partials: Vec<Partial>,
}

/// Number of incomplete messages of maximum size on a shared socket. A message is incomplete only
/// while the kernel delivers it in parts.
const SHARED_FACTOR: usize = 64;

impl Reassembler {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit,
            total_limit: limit,
            partials: Vec::new(),
        }
    }

    /// Creates a reassembler for a socket with any number of associations.
    pub(crate) fn for_many(limit: usize) -> Self {
        Self {
            total_limit: limit.saturating_mul(SHARED_FACTOR),
            ..Self::new(limit)
        }
    }

    /// Returns `true` if no message is incomplete.
    pub(crate) fn is_empty(&self) -> bool {
        self.partials.is_empty()
    }

    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    pub(crate) fn push(&mut self, part: Part) -> Reassembled {
        let Part { data, meta } = part;
        if meta.flags.is_notification() {
            return match Notification::decode(data.freeze()) {
                Ok(notification) => Reassembled::Notification(notification),
                Err(_) => Reassembled::Malformed("invalid notification"),
            };
        }
        if data.is_empty() {
            return Reassembled::EndOfStream;
        }
        if meta.flags.is_control_truncated() || meta.flags.is_truncated() {
            return Reassembled::Malformed("truncated message or control data");
        }
        let Some(info) = meta.info else {
            return Reassembled::Malformed("message without receive information");
        };
        self.push_data(data, info, meta.flags.is_end_of_record())
    }

    fn push_data(&mut self, data: BytesMut, info: RecvInfo, ends: bool) -> Reassembled {
        let same = |partial: &Partial| {
            partial.assoc == info.assoc
                && partial.stream == info.stream.get()
                && partial.unordered == info.unordered
        };
        let at = self.partials.iter().position(same);
        let dropped = at.is_some_and(|at| self.partials[at].dropped);
        let unfinished = data.len().saturating_add(self.unfinished(info.assoc));
        let total = data.len().saturating_add(self.unfinished_by_all());
        if dropped || unfinished > self.limit || (!ends && total > self.total_limit) {
            return self.drop_part(at, &info, ends);
        }
        let data = match at {
            // Parts of one batch are contiguous in memory and are joined without a copy.
            Some(at) if ends => {
                let mut whole = self.partials.swap_remove(at).data;
                whole.unsplit(data);
                whole
            }
            Some(at) => {
                self.partials[at].data.unsplit(data);
                return Reassembled::Incomplete;
            }
            None if ends => data,
            None => {
                self.partials.push(Partial::new(&info, data));
                return Reassembled::Incomplete;
            }
        };
        Reassembled::Message(data, info)
    }

    /// Drops a part, and all incomplete messages of the association. Only the first time reports it.
    fn drop_part(&mut self, at: Option<usize>, info: &RecvInfo, ends: bool) -> Reassembled {
        let told = at.is_some_and(|at| self.partials[at].dropped);
        match at {
            Some(at) if ends => drop(self.partials.swap_remove(at)),
            None if !ends => self.partials.push(Partial::new(info, BytesMut::new())),
            _ => {}
        }
        if told {
            return Reassembled::Incomplete;
        }
        for partial in &mut self.partials {
            if partial.assoc == info.assoc {
                (partial.data, partial.dropped) = (BytesMut::new(), true);
            }
        }
        Reassembled::TooLarge(info.assoc)
    }

    /// Drops the incomplete messages of an association. Called when their remainder will not
    /// arrive.
    pub(crate) fn forget(&mut self, assoc: AssocId) {
        self.partials.retain(|partial| partial.assoc != assoc);
    }

    /// Drops a message that the kernel has stopped delivering.
    ///
    /// With I-DATA, the event identifies the stream and the order, and other messages of the
    /// association continue. Without I-DATA both are 0, but at most one message is incomplete.
    pub(crate) fn forget_partial(&mut self, event: &PartialDelivery) {
        let named = |partial: &Partial| {
            partial.assoc == event.assoc
                && u32::from(partial.stream) == event.stream
                && partial.unordered == event.is_unordered()
        };
        let of_assoc = |partial: &&Partial| partial.assoc == event.assoc;
        if self.partials.iter().any(named) {
            self.partials.retain(|partial| !named(partial));
        } else if (event.stream, event.flags, event.sequence) == (0, 0, 0)
            && self.partials.iter().filter(of_assoc).count() == 1
        {
            self.forget(event.assoc);
        }
    }

    /// Moves the incomplete messages of an association to a reassembler of its own.
    pub(crate) fn take(&mut self, assoc: AssocId) -> Self {
        let (taken, kept) = std::mem::take(&mut self.partials)
            .into_iter()
            .partition(|partial| partial.assoc == assoc);
        self.partials = kept;
        Self {
            partials: taken,
            ..Self::new(self.limit)
        }
    }

    fn unfinished_by_all(&self) -> usize {
        self.partials.iter().map(|partial| partial.data.len()).sum()
    }

    fn unfinished(&self, assoc: AssocId) -> usize {
        self.partials
            .iter()
            .filter(|partial| partial.assoc == assoc)
            .map(|partial| partial.data.len())
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASSOC: AssocId = AssocId::new(7);

    fn push(reassembler: &mut Reassembler, stream: u16, data: &[u8], ends: bool) -> Reassembled {
        let info = RecvInfo::default().with_assoc(ASSOC).with_stream(stream);
        reassembler.push_data(BytesMut::from(data), info, ends)
    }

    fn push_unordered(
        reassembler: &mut Reassembler,
        stream: u16,
        data: &[u8],
        ends: bool,
    ) -> Reassembled {
        let mut info = RecvInfo::default().with_assoc(ASSOC).with_stream(stream);
        info.unordered = true;
        reassembler.push_data(BytesMut::from(data), info, ends)
    }

    fn given_up(stream: u32) -> PartialDelivery {
        given_up_with(stream, 0)
    }

    fn given_up_with(stream: u32, flags: u16) -> PartialDelivery {
        let mut bytes = Vec::new();
        bytes.extend(0x8006u16.to_ne_bytes());
        bytes.extend(flags.to_ne_bytes());
        bytes.extend(24u32.to_ne_bytes());
        bytes.extend(0u32.to_ne_bytes());
        bytes.extend(ASSOC.get().to_ne_bytes());
        bytes.extend(stream.to_ne_bytes());
        bytes.extend(0u32.to_ne_bytes());
        match Notification::decode(bytes.into()) {
            Ok(Notification::PartialDelivery(event)) => event,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn abandoned_message_leaves_other_streams() {
        let mut reassembler = Reassembler::new(100);
        push(&mut reassembler, 1, b"lost", false);
        push(&mut reassembler, 2, b"kept, ", false);
        reassembler.forget_partial(&given_up(1));
        let whole = push(&mut reassembler, 2, b"whole", true);
        assert!(matches!(whole, Reassembled::Message(data, _) if &data[..] == b"kept, whole"));
        let next = push(&mut reassembler, 1, b"next", true);
        assert!(matches!(next, Reassembled::Message(data, _) if &data[..] == b"next"));
    }

    #[test]
    fn abandoned_message_without_stream_is_dropped() {
        let mut reassembler = Reassembler::new(100);
        push(&mut reassembler, 5, b"lost", false);
        reassembler.forget_partial(&given_up(0));
        let next = push(&mut reassembler, 5, b"next", true);
        assert!(matches!(next, Reassembled::Message(data, _) if &data[..] == b"next"));
    }

    #[test]
    fn abandoned_message_leaves_other_order_of_its_stream() {
        for unordered_is_given_up in [false, true] {
            let mut reassembler = Reassembler::new(100);
            push(&mut reassembler, 1, b"ordered ", false);
            push_unordered(&mut reassembler, 1, b"unordered ", false);
            reassembler.forget_partial(&given_up_with(1, u16::from(unordered_is_given_up)));
            let ordered = push(&mut reassembler, 1, b"tail", true);
            let unordered = push_unordered(&mut reassembler, 1, b"tail", true);
            let expected: [&[u8]; 2] = if unordered_is_given_up {
                [b"ordered tail", b"tail"]
            } else {
                [b"tail", b"unordered tail"]
            };
            for (reassembled, expected) in [ordered, unordered].into_iter().zip(expected) {
                assert!(matches!(reassembled, Reassembled::Message(data, _) if data == expected));
            }
        }
    }

    #[test]
    fn abandoned_unseen_message_drops_no_other() {
        let mut reassembler = Reassembler::new(100);
        push(&mut reassembler, 1, b"ordered ", false);
        push_unordered(&mut reassembler, 2, b"unordered ", false);
        reassembler.forget_partial(&given_up_with(1, 1));
        reassembler.forget_partial(&given_up(2));
        let whole = push(&mut reassembler, 1, b"tail", true);
        assert!(matches!(whole, Reassembled::Message(data, _) if &data[..] == b"ordered tail"));
        let whole = push_unordered(&mut reassembler, 2, b"tail", true);
        assert!(matches!(whole, Reassembled::Message(data, _) if &data[..] == b"unordered tail"));
    }

    #[test]
    fn rest_of_oversized_messages_is_dropped_on_every_stream() {
        let mut reassembler = Reassembler::new(10);
        push(&mut reassembler, 1, b"half", false);
        let told = push(&mut reassembler, 2, b"more than there is room", false);
        assert!(matches!(told, Reassembled::TooLarge(ASSOC)));
        for stream in [1, 2] {
            let tail = push(&mut reassembler, stream, b"tail", true);
            assert!(matches!(tail, Reassembled::Incomplete));
            let next = push(&mut reassembler, stream, b"next", true);
            assert!(matches!(next, Reassembled::Message(..)));
        }
    }

    #[test]
    fn incomplete_messages_of_all_associations_are_bounded() {
        let part = |reassembler: &mut Reassembler, assoc, ends| {
            let info = RecvInfo::default().with_assoc(AssocId::new(assoc));
            reassembler.push_data(BytesMut::from(&[0; 10][..]), info, ends)
        };
        let mut reassembler = Reassembler::for_many(10);
        for assoc in 0..64 {
            assert!(matches!(
                part(&mut reassembler, assoc, false),
                Reassembled::Incomplete
            ));
        }
        assert!(matches!(
            part(&mut reassembler, 64, false),
            Reassembled::TooLarge(_)
        ));
        // Complete messages are not limited.
        assert!(matches!(
            part(&mut reassembler, 65, true),
            Reassembled::Message(..)
        ));
    }
}
