//! Sending one message, or many with one call.

use std::{
    io::{self, IoSlice},
    net::SocketAddr,
    os::fd::AsFd,
};

use super::Socket;
use crate::{
    abi,
    cmsg::SendControl,
    ids::AssocId,
    info::SendInfo,
    sockaddr,
    sys::{self, MAX_BATCH, Outgoing},
};

impl Socket {
    /// Sends one message on an association (`sendmsg(2)`); all of it or nothing.
    ///
    /// One-to-one and peeled-off sockets ignore `assoc`. The slices are joined to one message by
    /// the kernel.
    ///
    /// # Errors
    ///
    /// `WouldBlock` when the send buffer is full; a message is taken as soon as *any* space is
    /// free, whatever its size. `InvalidInput` (`EINVAL`) for an empty message or a stream that was not
    /// negotiated, `EMSGSIZE` for one longer than the send buffer, `ESHUTDOWN` while the
    /// association is shutting down, `BrokenPipe` when it has ended or never existed.
    pub fn send_msg(
        &self,
        assoc: AssocId,
        info: &SendInfo,
        payload: &[IoSlice<'_>],
    ) -> io::Result<()> {
        let control = SendControl::new(assoc, info, 0);
        let message = Outgoing {
            name: &[],
            control: control.as_bytes(),
            payload,
        };
        sys::sendmsg(self.as_fd(), message, 0).map(drop)
    }

    /// Sends one message to an address, on the association that exists with it or else on a new
    /// one.
    ///
    /// **This can open an association that nobody asked for**: a send by address to a peer whose
    /// association has just ended starts another. With interleaving (I-DATA) on, it can also
    /// *block* without limit, non-blocking socket or not, while the handshake is under way.
    /// Servers and asynchronous code send by association.
    ///
    /// # Errors
    ///
    /// As [`Socket::send_msg`]; `AddrNotAvailable` when the address belongs to an association
    /// that was peeled off.
    pub fn send_msg_to(
        &self,
        to: SocketAddr,
        info: &SendInfo,
        payload: &[IoSlice<'_>],
    ) -> io::Result<()> {
        let control = SendControl::new(AssocId::FUTURE, info, 0);
        let name = sockaddr::encode(to);
        let message = Outgoing {
            name: &name,
            control: control.as_bytes(),
            payload,
        };
        sys::sendmsg(self.as_fd(), message, 0).map(drop)
    }

    /// Sends one message on every established association of a one-to-many socket
    /// (`SCTP_SENDALL`, RFC 6458 section 5.3.4). With none it succeeds and does nothing.
    ///
    /// # Errors
    ///
    /// The first association's failure ends the walk; the kernel does not tell how many came
    /// before it.
    #[doc(alias = "SCTP_SENDALL")]
    pub fn send_msg_to_all(&self, info: &SendInfo, payload: &[IoSlice<'_>]) -> io::Result<()> {
        let control = SendControl::new(AssocId::FUTURE, info, abi::SCTP_SENDALL);
        let message = Outgoing {
            name: &[],
            control: control.as_bytes(),
            payload,
        };
        sys::sendmsg(self.as_fd(), message, 0).map(drop)
    }

    /// How many messages one batched call carries at the most.
    pub const MAX_BATCH: usize = MAX_BATCH;

    /// Sends messages in order with one call (`sendmmsg(2)`). Returns how many were sent, from
    /// the front; at most [`Socket::MAX_BATCH`] are looked at.
    ///
    /// With `more`, the kernel holds back what does not fill a packet until a send *without*
    /// `more` on the same association (`MSG_MORE`): messages then share packets, and the
    /// processor's time per message falls by more than half. A held-back message that no plain
    /// send follows stays in the kernel for seconds, so end every run with one.
    ///
    /// # Errors
    ///
    /// That of the first message, as [`Socket::send_msg`]. An error of a later one is not
    /// reported: send again from there to see it.
    pub fn send_batch<'a>(
        &self,
        items: impl IntoIterator<Item = SendItem<'a>>,
        more: bool,
    ) -> io::Result<usize> {
        let mut batch = SendBatch::default();
        for item in items.into_iter().take(MAX_BATCH) {
            batch.push(item);
        }
        batch.send(self, more)
    }
}

/// One message of a batch.
#[derive(Clone, Copy, Debug)]
pub struct SendItem<'a> {
    /// The association; one-to-one and peeled-off sockets ignore it.
    pub assoc: AssocId,
    /// Where and how it goes.
    pub info: &'a SendInfo,
    /// The user data.
    pub payload: &'a [u8],
}

/// The messages of one [`Socket::send_batch`], on the stack.
#[derive(Debug, Default)]
struct SendBatch<'a> {
    controls: [Option<SendControl>; MAX_BATCH],
    payloads: [Option<[IoSlice<'a>; 1]>; MAX_BATCH],
    len: usize,
}

impl<'a> SendBatch<'a> {
    fn push(&mut self, item: SendItem<'a>) {
        self.controls[self.len] = Some(SendControl::new(item.assoc, item.info, 0));
        self.payloads[self.len] = Some([IoSlice::new(item.payload)]);
        self.len += 1;
    }

    fn send(&self, socket: &Socket, more: bool) -> io::Result<usize> {
        let mut messages = [Outgoing {
            name: &[],
            control: &[],
            payload: &[],
        }; MAX_BATCH];
        for ((message, control), payload) in
            messages.iter_mut().zip(&self.controls).zip(&self.payloads)
        {
            if let (Some(control), Some(payload)) = (control, payload) {
                *message = Outgoing {
                    name: &[],
                    control: control.as_bytes(),
                    payload,
                };
            }
        }
        let flags = if more { libc::MSG_MORE } else { 0 };
        sys::sendmmsg(socket.as_fd(), &messages[..self.len], flags)
    }
}
