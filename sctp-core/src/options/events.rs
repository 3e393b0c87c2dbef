//! Subscriptions to notifications, and metadata of received messages.

use std::io;

use crate::{
    abi::{self, Layout as _},
    event_set::EventSet,
    ids::AssocId,
    socket::Socket,
};

impl Socket {
    /// Subscribes to the notifications of a set, and unsubscribes from all others (`SCTP_EVENT`,
    /// RFC 6458 section 6.2.2).
    ///
    /// Makes one system call per type. [`set_all_events`](Self::set_all_events) needs only one for
    /// all associations of a socket. A new socket has no subscriptions, and peeled-off sockets
    /// inherit them. Subscribing to `SENDER_DRY` on an idle association delivers that notification
    /// immediately.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for an unknown association, for a type unknown to the kernel, and for a bit
    /// that is not a type.
    #[doc(alias = "SCTP_EVENT")]
    pub fn set_events(&self, assoc: AssocId, events: EventSet) -> io::Result<()> {
        events.check()?;
        for (set, kind) in EventSet::each() {
            let on = u8::from(events.contains(set));
            self.set_option(abi::SCTP_EVENT, &abi::Event { assoc, kind, on }.encode())?;
        }
        Ok(())
    }

    /// Subscribes to the notifications of a set, and unsubscribes from all others, for all current
    /// and future associations (`SCTP_EVENTS`, RFC 6458 section 6.2.1).
    ///
    /// Makes one system call. Peeled-off sockets inherit the subscriptions. Also turns off
    /// `sctp_data_io_event`, the deprecated ancillary data `SCTP_SNDRCV` that
    /// [`RecvInfo`](crate::RecvInfo) replaces.
    ///
    /// # Errors
    ///
    /// `InvalidInput` before Linux 5.5, which supports fewer types, and for a bit that is not a type.
    #[doc(alias = "SCTP_EVENTS")]
    pub fn set_all_events(&self, events: EventSet) -> io::Result<()> {
        events.check()?;
        // `struct sctp_event_subscribe`: one byte per type, in order. It has grown over time. A kernel
        // accepts a shorter struct than its own, and refuses a longer one.
        let mut subscribe = [0; 1 + EventSet::TYPES];
        for kind in events.kinds() {
            // The first byte is `sctp_data_io_event`.
            subscribe[1 + usize::from(kind - abi::SCTP_ASSOC_CHANGE)] = 1;
        }
        self.set_option(abi::SCTP_EVENTS, &subscribe)
    }

    /// Subscribes to the notifications of a set, and leaves other subscriptions unchanged.
    ///
    /// # Errors
    ///
    /// Same as [`Socket::set_events`].
    pub fn subscribe(&self, assoc: AssocId, events: EventSet) -> io::Result<()> {
        events.check()?;
        for kind in events.kinds() {
            self.set_option(abi::SCTP_EVENT, &abi::Event { assoc, kind, on: 1 }.encode())?;
        }
        Ok(())
    }

    /// Returns the subscriptions of an association.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for an unknown association, [`AssocId::CURRENT`] and [`AssocId::ALL`].
    pub fn events(&self, assoc: AssocId) -> io::Result<EventSet> {
        let mut events = EventSet::empty();
        for (set, kind) in EventSet::each() {
            let answer = self.option(abi::SCTP_EVENT, &abi::Event { assoc, kind, on: 0 })?;
            if answer.on != 0 {
                events |= set;
            }
        }
        Ok(events)
    }

    /// Sets whether received messages carry [`RecvInfo`](crate::RecvInfo) (`SCTP_RECVRCVINFO`, RFC
    /// 6458 section 8.1.29). Defaults to off.
    ///
    /// # Errors
    ///
    /// Returns the error of `setsockopt(2)`.
    #[doc(alias = "SCTP_RECVRCVINFO")]
    pub fn set_recv_rcvinfo(&self, on: bool) -> io::Result<()> {
        self.set_flag(abi::SCTP_RECVRCVINFO, on)
    }

    /// Returns `true` if received messages carry [`RecvInfo`](crate::RecvInfo).
    ///
    /// # Errors
    ///
    /// Returns the error of `getsockopt(2)`.
    pub fn recv_rcvinfo(&self) -> io::Result<bool> {
        self.flag(abi::SCTP_RECVRCVINFO)
    }

    /// Sets whether received messages carry [`NextInfo`](crate::NextInfo) (`SCTP_RECVNXTINFO`, RFC
    /// 6458 section 8.1.30).
    ///
    /// Defaults to off. While on, each receive inspects the queue a second time.
    ///
    /// # Errors
    ///
    /// Returns the error of `setsockopt(2)`.
    #[doc(alias = "SCTP_RECVNXTINFO")]
    pub fn set_recv_nxtinfo(&self, on: bool) -> io::Result<()> {
        self.set_flag(abi::SCTP_RECVNXTINFO, on)
    }

    /// Returns `true` if received messages carry [`NextInfo`](crate::NextInfo).
    ///
    /// # Errors
    ///
    /// Returns the error of `getsockopt(2)`.
    pub fn recv_nxtinfo(&self) -> io::Result<bool> {
        self.flag(abi::SCTP_RECVNXTINFO)
    }
}
