//! What has arrived on a shared socket for one association, on its way to the driver.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
    task::Waker,
};

use sctp_tokio::{Association, End, Event};

/// How many events wait for a driver before its association gets a socket of its own.
const MAX_EVENTS: usize = 64;
/// How many bytes of messages do.
const MAX_BYTES: usize = 256 * 1024;

/// The events of one association that the driver has not taken yet.
#[derive(Debug, Default)]
pub(super) struct Inbox(Mutex<Contents>);

#[derive(Debug, Default)]
pub(super) struct Contents {
    pub(super) events: VecDeque<Event>,
    bytes: usize,
    /// The association's own socket, once it has been peeled off: what was put here before comes
    /// before anything that it receives.
    pub(super) own: Option<Association>,
    /// The end, which is also the last event: known before the driver has read so far.
    pub(super) end: Option<End>,
    /// The driver has gone; nothing more is to be kept.
    pub(super) closed: bool,
    /// The driver, while it waits. Called and dropped outside of the lock only.
    pub(super) waker: Option<Waker>,
}

impl Inbox {
    pub(super) fn lock(&self) -> MutexGuard<'_, Contents> {
        // No change here can be left half-done by a panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Contents {
    /// Adds an event. Returns the driver to wake once the lock is released: waking may run anything.
    #[must_use]
    pub(super) fn push(&mut self, event: Event) -> Option<Waker> {
        if self.closed {
            return None;
        }
        match &event {
            Event::Message(message) => self.bytes += message.payload.len(),
            Event::Ended(end) => self.end = Some(end.clone()),
            _ => {}
        }
        self.events.push_back(event);
        self.waker.take()
    }

    pub(super) fn pop(&mut self) -> Option<Event> {
        let event = self.events.pop_front()?;
        if let Event::Message(message) = &event {
            self.bytes -= message.payload.len();
        }
        Some(event)
    }

    /// Whether the driver has fallen so far behind that its association must not be read for any
    /// longer.
    pub(super) fn is_full(&self) -> bool {
        !self.closed && (self.events.len() >= MAX_EVENTS || self.bytes >= MAX_BYTES)
    }
}
