//! Queue of events of one association on a shared socket.

use std::{
    collections::VecDeque,
    sync::PoisonError,
    task::{Context, Poll, Waker},
};

use sctp_tokio::{Association, End, Event};

use crate::sync::{Mutex, MutexGuard};

/// The maximum number of events that wait for a session before its association gets a socket of its own.
const MAX_EVENTS: usize = 64;
/// The maximum number of bytes of waiting messages.
const MAX_BYTES: usize = 256 * 1024;

/// The events of one association that the session has not taken yet. `A` is its own socket.
#[derive(Debug)]
pub(super) struct Inbox<A = Association>(Mutex<Contents<A>>);

#[derive(Debug)]
pub(super) struct Contents<A> {
    pub(super) events: VecDeque<Event>,
    bytes: usize,
    /// The association's own socket, once it has been peeled off: what was put here before comes
    /// before anything that it receives.
    pub(super) own: Option<A>,
    /// The end, which is also the last event. Known before the session has read the preceding
    /// events.
    pub(super) end: Option<End>,
    /// The session has ended; further events are discarded.
    pub(super) closed: bool,
    /// The session, while it waits. Called and dropped outside of the lock only.
    pub(super) waker: Option<Waker>,
}

impl<A> Inbox<A> {
    /// Adds an event, and wakes the session. Returns `true` if the session has fallen so far behind
    /// that its association must not be read any longer.
    pub(super) fn push(&self, event: Event) -> bool {
        let (session, is_full) = {
            let mut contents = self.lock();
            (contents.push(event), contents.is_full())
        };
        // Outside of the lock: waking may run anything.
        if let Some(session) = session {
            session.wake();
        }
        is_full
    }

    /// Takes the next event, or registers the session to be woken. Returns `None` if all further
    /// events are those of the association's own socket.
    pub(super) fn poll_pop(&self, cx: &Context<'_>, has_own: bool) -> Poll<Option<Event>> {
        let mut contents = self.lock();
        if let Some(event) = contents.pop() {
            return Poll::Ready(Some(event));
        }
        if has_own || contents.own.is_some() {
            return Poll::Ready(None);
        }
        Self::wait(contents, cx)
    }

    /// Returns the end, or registers the session to be woken. Returns `None` if the end will be an
    /// event of the association's own socket, which the session has not taken yet.
    pub(super) fn poll_closed(&self, cx: &Context<'_>) -> Poll<Option<End>> {
        let contents = self.lock();
        match &contents.end {
            Some(end) => Poll::Ready(Some(end.clone())),
            None if contents.own.is_some() => Poll::Ready(None),
            None => Self::wait(contents, cx),
        }
    }

    fn wait<T>(mut contents: MutexGuard<'_, Contents<A>>, cx: &Context<'_>) -> Poll<T> {
        let earlier = contents.waker.replace(cx.waker().clone());
        // Dropping a waker may run anything, so not under the lock.
        drop(contents);
        drop(earlier);
        Poll::Pending
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Contents<A>> {
        // No change here can be left half-done by a panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Creates an empty inbox.
impl<A> Default for Inbox<A> {
    fn default() -> Self {
        Self(Mutex::new(Contents {
            events: VecDeque::new(),
            bytes: 0,
            own: None,
            end: None,
            closed: false,
            waker: None,
        }))
    }
}

impl<A> Contents<A> {
    /// Gives the association its own socket. Returns the session to wake once the lock is released.
    #[must_use]
    pub(super) fn move_to(&mut self, own: A) -> Option<Waker> {
        self.own = Some(own);
        self.waker.take()
    }

    /// Adds an event. Returns the session to wake once the lock is released: waking may run anything.
    #[must_use]
    pub(super) fn push(&mut self, event: Event) -> Option<Waker> {
        if self.closed {
            return None;
        }
        match &event {
            Event::Message(message) => self.bytes += message.payload.len(),
            Event::Closed(end) => self.end = Some(end.clone()),
            _ => {}
        }
        self.events.push_back(event);
        self.waker.take()
    }

    fn pop(&mut self) -> Option<Event> {
        let event = self.events.pop_front()?;
        if let Event::Message(message) = &event {
            self.bytes -= message.payload.len();
        }
        Some(event)
    }

    /// Returns `true` if the session has fallen so far behind that its association must not be read
    /// any longer.
    fn is_full(&self) -> bool {
        !self.closed && (self.events.len() >= MAX_EVENTS || self.bytes >= MAX_BYTES)
    }
}

#[cfg(all(test, sctp_loom))]
mod models {
    use std::{future::poll_fn, sync::Arc, task::ready};

    use loom::{future::block_on, thread};
    use sctp_tokio::Received;

    use super::*;

    fn demux(inbox: &Arc<Inbox<()>>) -> thread::JoinHandle<()> {
        let inbox = Arc::clone(inbox);
        thread::spawn(move || {
            inbox.push(Event::Message(Received::default()));
            inbox.push(Event::Closed(End::Unread));
        })
    }

    #[test]
    fn session_reads_all_events() {
        loom::model(|| {
            let inbox = Arc::new(Inbox::default());
            let demux = demux(&inbox);
            let mut messages = 0;
            block_on(poll_fn(|cx| {
                loop {
                    match ready!(inbox.poll_pop(cx, false)) {
                        Some(Event::Closed(_)) => return Poll::Ready(()),
                        _ => messages += 1,
                    }
                }
            }));
            demux.join().unwrap();
            assert_eq!(messages, 1);
        });
    }

    #[test]
    fn session_that_does_not_read_sees_the_end() {
        loom::model(|| {
            let inbox = Arc::new(Inbox::default());
            let demux = demux(&inbox);
            let end = block_on(poll_fn(|cx| inbox.poll_closed(cx)));
            demux.join().unwrap();
            assert_eq!(end, Some(End::Unread));
        });
    }

    /// The association is peeled off after a message, concurrently with the session.
    #[test]
    fn session_sees_its_own_socket() {
        for reads in [false, true] {
            loom::model(move || {
                let inbox = Arc::new(Inbox::default());
                let demux = thread::spawn({
                    let inbox = Arc::clone(&inbox);
                    move || {
                        inbox.push(Event::Message(Received::default()));
                        let session = inbox.lock().move_to(());
                        if let Some(session) = session {
                            session.wake();
                        }
                    }
                });
                block_on(poll_fn(|cx| {
                    while reads && ready!(inbox.poll_pop(cx, false)).is_some() {}
                    inbox.poll_closed(cx)
                }));
                demux.join().unwrap();
                assert!(inbox.lock().own.is_some());
            });
        }
    }
}
