//! Notifications and receive information: what the kernel is to deliver.

use std::io;

use crate::{
    abi::{self, Layout as _},
    event_set::EventSet,
    ids::AssocId,
    socket::Socket,
};

impl Socket {
    /// Subscribes to the notifications of a set, and unsubscribes from all others, for the
    /// associations that `assoc` names (`SCTP_EVENT`, RFC 6458 section 6.2.2).
    ///
    /// One system call per type; for all associations at once,
    /// [`set_all_events`](Self::set_all_events) needs one for all.
    ///
    /// A fresh socket has none. Subscribing to `SENDER_DRY` on an idle association delivers one
    /// at once. Peeled-off sockets inherit.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for an unknown association, or a type that the kernel does not know.
    #[doc(alias = "SCTP_EVENT")]
    pub fn set_events(&self, assoc: AssocId, events: EventSet) -> io::Result<()> {
        for kind in (EventSet::ALL | EventSet::SEND_FAILED_DEPRECATED).kinds() {
            let on = u8::from(events.kinds().any(|wanted| wanted == kind));
            self.set_option(abi::SCTP_EVENT, &abi::Event { assoc, kind, on }.encode())?;
        }
        Ok(())
    }

    /// Subscribes to the notifications of a set, and unsubscribes from all others, for all
    /// associations, those to come included, with one system call (`SCTP_EVENTS`, RFC 6458
    /// section 6.2.1).
    ///
    /// It also ends what `sctp_data_io_event` asked for, ancillary data of the deprecated
    /// `SCTP_SNDRCV`: [`RecvInfo`](crate::RecvInfo) replaces it. Peeled-off sockets inherit.
    ///
    /// # Errors
    ///
    /// `InvalidInput` from kernels before Linux 5.5, which know fewer types.
    #[doc(alias = "SCTP_EVENTS")]
    pub fn set_all_events(&self, events: EventSet) -> io::Result<()> {
        // `struct sctp_event_subscribe`: one byte for each type, in order. It has grown with time;
        // a kernel refuses one that is longer than its own, and takes a shorter one.
        let mut subscribe = [0; 1 + EventSet::TYPES];
        for kind in events.kinds() {
            // The first one is `sctp_data_io_event`.
            subscribe[1 + usize::from(kind - abi::SCTP_ASSOC_CHANGE)] = 1;
        }
        self.set_option(abi::SCTP_EVENTS, &subscribe)
    }

    /// Subscribes to the notifications of a set, and leaves all others as they are.
    ///
    /// # Errors
    ///
    /// As [`Socket::set_events`].
    pub fn subscribe(&self, assoc: AssocId, events: EventSet) -> io::Result<()> {
        for kind in events.kinds() {
            self.set_option(abi::SCTP_EVENT, &abi::Event { assoc, kind, on: 1 }.encode())?;
        }
        Ok(())
    }

    /// Returns the notifications that an association is subscribed to.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for an unknown association, [`AssocId::CURRENT`] and [`AssocId::ALL`].
    pub fn events(&self, assoc: AssocId) -> io::Result<EventSet> {
        let mut events = EventSet::NONE;
        for (set, kind) in EventSet::each() {
            let answer = self.option(abi::SCTP_EVENT, &abi::Event { assoc, kind, on: 0 })?;
            if answer.on != 0 {
                events = events | set;
            }
        }
        Ok(events)
    }

    /// Sets whether received messages come with [`RecvInfo`](crate::RecvInfo)
    /// (`SCTP_RECVRCVINFO`, RFC 6458 section 8.1.29). Default off.
    ///
    /// # Errors
    ///
    /// What `setsockopt(2)` says.
    #[doc(alias = "SCTP_RECVRCVINFO")]
    pub fn set_recv_rcvinfo(&self, on: bool) -> io::Result<()> {
        self.set_flag(abi::SCTP_RECVRCVINFO, on)
    }

    /// Returns whether received messages come with [`RecvInfo`](crate::RecvInfo).
    ///
    /// # Errors
    ///
    /// What `getsockopt(2)` says.
    pub fn recv_rcvinfo(&self) -> io::Result<bool> {
        self.flag(abi::SCTP_RECVRCVINFO)
    }

    /// Sets whether received messages come with [`NextInfo`](crate::NextInfo)
    /// (`SCTP_RECVNXTINFO`, RFC 6458 section 8.1.30). Default off; on, each receive takes a
    /// second look at the queue.
    ///
    /// # Errors
    ///
    /// What `setsockopt(2)` says.
    #[doc(alias = "SCTP_RECVNXTINFO")]
    pub fn set_recv_nxtinfo(&self, on: bool) -> io::Result<()> {
        self.set_flag(abi::SCTP_RECVNXTINFO, on)
    }

    /// Returns whether received messages come with [`NextInfo`](crate::NextInfo).
    ///
    /// # Errors
    ///
    /// What `getsockopt(2)` says.
    pub fn recv_nxtinfo(&self) -> io::Result<bool> {
        self.flag(abi::SCTP_RECVNXTINFO)
    }
}
