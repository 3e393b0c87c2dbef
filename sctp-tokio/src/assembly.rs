//! Whole messages out of parts.

use bytes::BytesMut;
use sctp_core::{AssocId, Notification, Part, RecvInfo};

use crate::Received;

/// What a part completed.
#[derive(Debug)]
pub(crate) enum Assembled {
    /// Nothing yet.
    Incomplete,
    /// A message.
    Message(Received),
    /// A notification.
    Notification(Notification),
    /// The unfinished messages of the association exceed the limit, and were dropped.
    TooLarge(AssocId),
    /// The end of a one-to-one socket's association, which the kernel marks by an empty read.
    EndOfStream,
    /// Something that cannot be told apart: it came without receive information, or is no
    /// notification though it was said to be.
    Malformed(&'static str),
}

/// An unfinished message.
#[derive(Debug)]
struct Partial {
    assoc: AssocId,
    stream: u16,
    unordered: bool,
    data: BytesMut,
}

/// Puts parts together to messages (`MSG_EOR`) and notifications.
///
/// Unfinished messages are told apart by association, since on a shared socket their parts come
/// interleaved, and by stream and order, since with I-DATA they do within an association. What
/// one association leaves unfinished is bounded, all its streams together.
#[derive(Debug)]
pub(crate) struct Assembler {
    limit: usize,
    /// Nearly always empty: only a message larger than the kernel's window, or one that a batch
    /// cut in two, waits here.
    partials: Vec<Partial>,
    notification: BytesMut,
}

/// A notification that grows beyond this is not one: the largest carries one chunk.
const NOTIFICATION_LIMIT: usize = 128 * 1024;

impl Assembler {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit,
            partials: Vec::new(),
            notification: BytesMut::new(),
        }
    }

    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    pub(crate) fn push(&mut self, part: Part) -> Assembled {
        let Part { data, meta } = part;
        if meta.flags.is_notification() {
            return self.push_notification(data, meta.flags.is_end_of_record());
        }
        if data.is_empty() {
            return Assembled::EndOfStream;
        }
        if meta.flags.is_control_truncated() || meta.flags.is_truncated() {
            return Assembled::Malformed("the kernel truncated a message or what came beside it");
        }
        let Some(info) = meta.info else {
            return Assembled::Malformed("a message came without receive information");
        };
        self.push_data(data, info, meta.flags.is_end_of_record())
    }

    fn push_data(&mut self, data: BytesMut, info: RecvInfo, ends: bool) -> Assembled {
        if data.len().saturating_add(self.unfinished(info.assoc)) > self.limit {
            self.forget(info.assoc);
            return Assembled::TooLarge(info.assoc);
        }
        let same = |partial: &Partial| {
            partial.assoc == info.assoc
                && partial.stream == info.stream.get()
                && partial.unordered == info.unordered
        };
        let data = match self.partials.iter().position(same) {
            // Parts of one batch lie side by side, and join without a copy.
            Some(at) if ends => {
                let mut whole = self.partials.swap_remove(at).data;
                whole.unsplit(data);
                whole
            }
            Some(at) => {
                self.partials[at].data.unsplit(data);
                return Assembled::Incomplete;
            }
            None if ends => data,
            None => {
                let (stream, unordered) = (info.stream.get(), info.unordered);
                self.partials.push(Partial {
                    assoc: info.assoc,
                    stream,
                    unordered,
                    data,
                });
                return Assembled::Incomplete;
            }
        };
        Assembled::Message(Received::new(data.freeze(), info))
    }

    /// A long notification comes in parts as a message does, each marked as a notification: its
    /// tail, which the peer may have chosen, must not be read as a notification of its own.
    fn push_notification(&mut self, data: BytesMut, ends: bool) -> Assembled {
        if self.notification.len() + data.len() > NOTIFICATION_LIMIT {
            self.notification = BytesMut::new();
            return Assembled::Malformed("a notification did not end");
        }
        if !ends {
            self.notification.unsplit(data);
            return Assembled::Incomplete;
        }
        let mut whole = std::mem::take(&mut self.notification);
        whole.unsplit(data);
        match Notification::decode(whole.freeze()) {
            Ok(notification) => Assembled::Notification(notification),
            Err(_) => Assembled::Malformed("a notification could not be decoded"),
        }
    }

    /// Drops what an association has left unfinished: the rest will not come.
    pub(crate) fn forget(&mut self, assoc: AssocId) {
        self.partials.retain(|partial| partial.assoc != assoc);
    }

    /// Takes what an association has left unfinished along to an assembler of its own.
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

    fn unfinished(&self, assoc: AssocId) -> usize {
        self.partials
            .iter()
            .filter(|partial| partial.assoc == assoc)
            .map(|partial| partial.data.len())
            .sum()
    }
}
