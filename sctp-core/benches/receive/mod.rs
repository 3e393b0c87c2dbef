//! Receives with different amounts of ancillary data.

use std::{
    error::Error,
    io::{self, ErrorKind},
    net::{Ipv4Addr, SocketAddr},
    os::fd::AsFd,
    time::Instant,
};

use bytes::BytesMut;
use rustix::event::{PollFd, PollFlags, poll};
use sctp_core::{AssocId, Family, RecvBatch, SendInfo, SendItem, Socket};
use stats_alloc::Region;

use crate::{ALLOCATOR, Effort, Sample, print_row};

/// Number of messages sent and then received in one go. They fit the receive buffer.
const RUN: u32 = 32;
const PAYLOAD: [u8; 64] = [b'x'; 64];

/// Method of receiving.
#[derive(Clone, Copy, Debug)]
struct Method {
    name: &'static str,
    rcvinfo: bool,
    nxtinfo: bool,
    batch: bool,
}

const METHODS: [Method; 5] = [
    Method {
        name: "a message of 64 bytes (recvmsg), nothing beside it",
        rcvinfo: false,
        nxtinfo: false,
        batch: false,
    },
    Method {
        name: "the same with SCTP_RCVINFO",
        rcvinfo: true,
        nxtinfo: false,
        batch: false,
    },
    Method {
        name: "the same with SCTP_RCVINFO and SCTP_NXTINFO",
        rcvinfo: true,
        nxtinfo: true,
        batch: false,
    },
    Method {
        name: "one of 32 messages (recvmmsg), nothing beside it",
        rcvinfo: false,
        nxtinfo: false,
        batch: true,
    },
    Method {
        name: "the same with SCTP_RCVINFO",
        rcvinfo: true,
        nxtinfo: false,
        batch: true,
    },
];

/// Measures and prints all methods.
pub(crate) fn messages(effort: Effort) -> Result<(), Box<dyn Error>> {
    let (sender, receiver) = match pair() {
        Err(error) if error.kind() == ErrorKind::Unsupported => {
            println!("\nkernel does not support SCTP, no receive measured");
            return Ok(());
        }
        pair => pair?,
    };
    let mut buffers = (BytesMut::new(), RecvBatch::new());
    let mut samples = vec![Vec::new(); METHODS.len()];
    // The first round allocates the buffers and is not counted.
    for round in 0..=effort.rounds {
        for (method, samples) in METHODS.iter().zip(&mut samples) {
            receiver.set_recv_rcvinfo(method.rcvinfo)?;
            receiver.set_recv_nxtinfo(method.nxtinfo)?;
            send_run(&sender)?;
            let sample = receive_run(&receiver, &mut buffers, method.batch)?;
            if round > 0 {
                samples.push(sample);
            }
        }
    }
    for (method, samples) in METHODS.iter().zip(&samples) {
        print_row(method.name, samples);
    }
    Ok(())
}

/// Returns both ends of an association, on one-to-one sockets.
fn pair() -> io::Result<(Socket, Socket)> {
    let listener = Socket::one_to_one(Family::V4)?;
    listener.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
    listener.listen(1)?;
    let sender = Socket::one_to_one(Family::V4)?;
    sender.set_nodelay(true)?;
    sender.connectx(&listener.local_addrs(AssocId::FUTURE)?)?;
    wait(&listener, PollFlags::IN)?;
    let receiver = listener.accept()?;
    wait(&sender, PollFlags::OUT)?;
    Ok((sender, receiver))
}

fn wait(socket: &Socket, flags: PollFlags) -> io::Result<()> {
    poll(&mut [PollFd::from_borrowed_fd(socket.as_fd(), flags)], None)?;
    Ok(())
}

fn send_run(sender: &Socket) -> io::Result<()> {
    let info = SendInfo::default();
    let item = SendItem {
        assoc: AssocId::FUTURE,
        info: &info,
        payload: &PAYLOAD,
    };
    let mut left = RUN as usize;
    while left > 0 {
        match sender.send_batch(std::iter::repeat_n(item, left), false) {
            Ok(sent) => left -= sent,
            Err(error) if error.kind() == ErrorKind::WouldBlock => wait(sender, PollFlags::OUT)?,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn receive_run(
    receiver: &Socket,
    (buffer, batch): &mut (BytesMut, RecvBatch),
    batched: bool,
) -> io::Result<Sample> {
    wait(receiver, PollFlags::IN)?;
    buffer.reserve(2 * PAYLOAD.len());
    let region = Region::new(ALLOCATOR);
    let begin = Instant::now();
    let mut received = 0;
    while received < RUN {
        let result = if batched {
            let result = receiver
                .recv_batch(batch)
                .map(|(count, _)| u32::try_from(count).unwrap_or(RUN));
            while batch.pop().is_some() {}
            result
        } else {
            buffer.clear();
            receiver.recv_msg(buffer).map(|_| 1)
        };
        match result {
            Ok(count) => received += count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => wait(receiver, PollFlags::IN)?,
            Err(error) => return Err(error),
        }
    }
    Ok(Sample::new(begin, &region, RUN))
}
