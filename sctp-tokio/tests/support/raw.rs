//! A peer that does what this library does not: it sends with flags of its own making.

use std::{io, net::SocketAddr, os::fd::AsFd as _};

use rustix::event::{PollFd, PollFlags, poll};
use sctp_tokio::{
    AssocId, EventSet, Notification, Socket,
    sctp_core::{AssocChangeState, Family},
};
use socket2::MsgHdr;

pub const SCTP_UNORDERED: u16 = 1;
pub const SCTP_ABORT: u16 = 4;
pub const SCTP_EOF: u16 = 0x200;

/// A one-to-many socket that has an association with somebody.
#[derive(Debug)]
pub struct RawPeer {
    pub socket: Socket,
    pub assoc: AssocId,
}

impl RawPeer {
    /// Connects, and waits for the association to come up.
    pub fn connect(to: SocketAddr) -> Self {
        let socket = Socket::one_to_many(Family::of(&[to])).unwrap();
        Self::connect_with(socket, to)
    }

    pub fn connect_with(socket: Socket, to: SocketAddr) -> Self {
        socket
            .subscribe(AssocId::FUTURE, EventSet::ASSOC_CHANGE)
            .unwrap();
        socket.set_nodelay(true).unwrap();
        let assoc = socket.connectx(&[to]).unwrap().assoc;
        let peer = Self { socket, assoc };
        assert_eq!(peer.next_change(), AssocChangeState::CommUp);
        peer
    }

    /// Sends with flags in `struct sctp_sndinfo`.
    pub fn send(&self, flags: u16, payload: &[u8]) -> io::Result<usize> {
        send_raw(&self.socket, self.assoc, flags, payload)
    }

    /// Waits for the next change of the association.
    pub fn next_change(&self) -> AssocChangeState {
        loop {
            readable(&self.socket);
            let mut bytes = Vec::with_capacity(1 << 17);
            let meta = self.socket.recv_msg(&mut bytes).unwrap();
            if meta.flags.is_notification()
                && let Ok(Notification::AssocChange(change)) = Notification::decode(bytes.into())
            {
                return change.state;
            }
        }
    }
}

/// `sendmsg(2)` with a `SCTP_SNDINFO` made by hand.
pub fn send_raw(socket: &Socket, assoc: AssocId, flags: u16, payload: &[u8]) -> io::Result<usize> {
    const SOL_SCTP: i32 = 132;
    const SCTP_SNDINFO: i32 = 2;
    const MSG_NOSIGNAL: i32 = 0x4000;
    // struct sctp_sndinfo { __u16 sid, flags; __u32 ppid, context; sctp_assoc_t assoc_id; }
    let mut info = Vec::new();
    info.extend(0u16.to_ne_bytes());
    info.extend(flags.to_ne_bytes());
    info.extend([0; 8]);
    info.extend(assoc.get().to_ne_bytes());
    let mut control = Vec::new();
    control.extend((size_of::<usize>() + 8 + info.len()).to_ne_bytes());
    control.extend(SOL_SCTP.to_ne_bytes());
    control.extend(SCTP_SNDINFO.to_ne_bytes());
    control.extend(info);
    let socket = socket2::Socket::from(socket.as_fd().try_clone_to_owned()?);
    let payload = [io::IoSlice::new(payload)];
    let message = MsgHdr::new().with_buffers(&payload).with_control(&control);
    socket.sendmsg(&message, MSG_NOSIGNAL)
}

/// Waits until a socket is readable.
pub fn readable(socket: &Socket) {
    let bound = super::patience().try_into().unwrap();
    let ready = poll(&mut [PollFd::new(socket, PollFlags::IN)], Some(&bound)).unwrap();
    assert_ne!(ready, 0, "nothing happened");
}
