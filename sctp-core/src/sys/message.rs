//! `sendmsg`, `recvmsg` and their batched forms.
#![allow(
    clippy::cast_possible_truncation,
    clippy::unnecessary_cast,
    reason = "the fields of msghdr are of different widths in different C libraries; what is cast is bounded \
              by MAX_BATCH, RECV_SPACE, STORAGE_LEN, or the few addresses and control messages of a send"
)]

use std::{
    io,
    mem::{self, MaybeUninit},
    ops::Range,
    os::fd::{AsRawFd, BorrowedFd},
    slice,
};

use bytes::{BufMut, BytesMut};

use super::{MAX_BATCH, Outgoing, RawMeta, check, check_len, compact::compact, retry};
use crate::{cmsg::RECV_SPACE, sockaddr};

/// Buffers for the metadata of one received message.
///
/// Of the slots of a batch, [`Beside::header`] initializes only those in use, and not their
/// address, which the kernel writes.
struct Beside {
    control: MaybeUninit<[u64; RECV_SPACE / 8]>,
    name: MaybeUninit<[u64; sockaddr::STORAGE_LEN / 8]>,
}

// The header states the exact size of the buffers.
const _: () = assert!(RECV_SPACE.is_multiple_of(8) && sockaddr::STORAGE_LEN.is_multiple_of(8));

impl Beside {
    const fn new() -> Self {
        Self {
            control: MaybeUninit::uninit(),
            name: MaybeUninit::uninit(),
        }
    }

    /// Returns a header that receives into `iov` and into these buffers.
    fn header(&mut self, iov: *mut libc::iovec) -> libc::msghdr {
        // The kernel counts the padding after a control message as written, but does not write it.
        self.control.write([0; RECV_SPACE / 8]);
        // SAFETY: msghdr is a C struct of integers and pointers, for which zero is a value.
        let mut header: libc::msghdr = unsafe { mem::zeroed() };
        header.msg_name = self.name.as_mut_ptr().cast();
        header.msg_namelen = sockaddr::STORAGE_LEN as _;
        header.msg_iov = iov;
        header.msg_iovlen = 1;
        header.msg_control = self.control.as_mut_ptr().cast();
        header.msg_controllen = RECV_SPACE as _;
        header
    }

    /// Returns the metadata that the kernel wrote, and no more than it reported.
    ///
    /// # Safety
    ///
    /// `header` must come from [`Beside::header`] of this value, and a successful receive must have
    /// filled it in.
    unsafe fn read(&self, header: &libc::msghdr) -> RawMeta<'_> {
        let control_len = (header.msg_controllen as usize).min(RECV_SPACE);
        let name_len = (header.msg_namelen as usize).min(sockaddr::STORAGE_LEN);
        RawMeta {
            flags: header.msg_flags,
            // SAFETY: `header` initialised all of the buffer, and the line above stays within it.
            control: unsafe { slice::from_raw_parts(self.control.as_ptr().cast(), control_len) },
            // SAFETY: the kernel has initialised the first `msg_namelen` bytes, or all if there are
            // fewer: it copies an address without gaps.
            name: unsafe { slice::from_raw_parts(self.name.as_ptr().cast(), name_len) },
        }
    }
}

/// `recvmsg(2)` into the spare capacity of a buffer.
///
/// The buffer must have spare capacity. Without any, nothing of a message would be received.
pub(crate) fn recvmsg<T>(
    fd: BorrowedFd<'_>,
    buf: &mut impl BufMut,
    flags: libc::c_int,
    decode: impl FnOnce(usize, RawMeta<'_>) -> T,
) -> io::Result<T> {
    let call = |header: *mut libc::msghdr| {
        // SAFETY: `receive` passes a header whose pointers are writable as far as it says.
        check_len(unsafe { libc::recvmsg(fd.as_raw_fd(), header, flags | libc::MSG_DONTWAIT) })
    };
    // SAFETY: the call is the kernel's.
    unsafe { receive(call, buf, decode) }
}

/// Prepares the call of [`recvmsg`] and evaluates its result.
///
/// # Safety
///
/// `call` must fill in the header as `recvmsg(2)` does, and write as many bytes as it returns.
unsafe fn receive<T>(
    mut call: impl FnMut(*mut libc::msghdr) -> io::Result<usize>,
    buf: &mut impl BufMut,
    decode: impl FnOnce(usize, RawMeta<'_>) -> T,
) -> io::Result<T> {
    let room = buf.chunk_mut();
    let capacity = room.len();
    let mut iov = libc::iovec {
        iov_base: room.as_mut_ptr().cast(),
        iov_len: capacity,
    };
    let mut beside = Beside::new();
    // It points to `iov` and `beside`, which live on this frame, and `iov` to `capacity` writable
    // bytes of `buf`.
    let mut header = beside.header(&raw mut iov);
    let len = retry(|| call(&raw mut header))?.min(capacity);
    // SAFETY: the kernel has initialised the first `len` bytes of the spare room, at most all.
    unsafe { buf.advance_mut(len) };
    // SAFETY: the header is that of `beside`, and the receive succeeded.
    let meta = unsafe { beside.read(&header) };
    Ok(decode(len, meta))
}

/// `recvmmsg(2)` into adjacent slots of `slot_len` bytes in the spare capacity of `block`.
///
/// Passes each message to `each` with its range in the block, and returns the number of messages.
/// Afterwards the block is initialized up to the end of the last message: short messages are moved
/// together, and the gap before a long one is zeroed.
pub(crate) fn recvmmsg(
    fd: BorrowedFd<'_>,
    block: &mut BytesMut,
    slots: usize,
    slot_len: usize,
    each: impl FnMut(Range<usize>, RawMeta<'_>),
) -> io::Result<usize> {
    let call = |headers: *mut libc::mmsghdr, slots| {
        let flags = libc::MSG_DONTWAIT as _;
        let no_timeout = std::ptr::null_mut();
        // SAFETY: `receive_batch` passes as many headers as it says, whose pointers are writable
        // as far as they say; a null timeout means none.
        check(unsafe { libc::recvmmsg(fd.as_raw_fd(), headers, slots, flags, no_timeout) })
    };
    // SAFETY: the call is the kernel's.
    unsafe { receive_batch(call, block, slots, slot_len, each) }
}

/// Prepares the call of [`recvmmsg`] and evaluates its result.
///
/// # Safety
///
/// `call` must fill in as many headers as it returns, as `recvmmsg(2)` does, and write as many
/// bytes as the headers state.
unsafe fn receive_batch(
    mut call: impl FnMut(*mut libc::mmsghdr, libc::c_uint) -> io::Result<libc::c_int>,
    block: &mut BytesMut,
    slots: usize,
    slot_len: usize,
    mut each: impl FnMut(Range<usize>, RawMeta<'_>),
) -> io::Result<usize> {
    let start = block.len();
    let spare = block.spare_capacity_mut();
    let slots = slots.min(MAX_BATCH).min(spare.len() / slot_len.max(1));
    // Only the slots in use are initialized. For a single message, as from a peer that waits for each
    // reply, initializing all would cost more than the rest of this function.
    let mut iovs = [const { MaybeUninit::<libc::iovec>::uninit() }; MAX_BATCH];
    let mut side = [const { Beside::new() }; MAX_BATCH];
    let mut headers = [const { MaybeUninit::<libc::mmsghdr>::uninit() }; MAX_BATCH];
    for (index, room) in spare.chunks_exact_mut(slot_len).take(slots).enumerate() {
        let iov = iovs[index].write(libc::iovec {
            iov_base: room.as_mut_ptr().cast(),
            iov_len: slot_len,
        });
        headers[index].write(libc::mmsghdr {
            msg_hdr: side[index].header(iov),
            msg_len: 0,
        });
    }
    // The first `slots` headers are written, and point to iovecs and side buffers on this frame,
    // and these to disjoint parts of the block's spare room.
    let count = retry(|| call(headers.as_mut_ptr().cast(), slots as libc::c_uint))?;
    let count = usize::try_from(count).unwrap_or(0).min(slots);
    let mut end = 0;
    for index in 0..count {
        // SAFETY: `index` is below `slots`, and the loop above has written as many headers.
        let header = unsafe { headers[index].assume_init_ref() };
        let len = (header.msg_len as usize).min(slot_len);
        // SAFETY: the header is that of `side[index]`, and the kernel counted it as received.
        let meta = unsafe { side[index].read(&header.msg_hdr) };
        let place = compact(spare, end, index * slot_len, len);
        end = place.end;
        each(start + place.start..start + place.end, meta);
    }
    // SAFETY: `compact` has left every byte before `end` initialised, and `end` within the room.
    unsafe { block.set_len(start + end) };
    Ok(count)
}

impl Outgoing<'_> {
    fn header(&self) -> libc::msghdr {
        // SAFETY: msghdr is a C struct of integers and pointers, for which zero is a value.
        let mut header: libc::msghdr = unsafe { mem::zeroed() };
        // The kernel reads through these pointers and never writes.
        header.msg_name = self.name.as_ptr().cast_mut().cast();
        header.msg_namelen = self.name.len() as libc::socklen_t;
        header.msg_iov = self.payload.as_ptr().cast_mut().cast();
        header.msg_iovlen = self.payload.len() as _;
        header.msg_control = self.control.as_ptr().cast_mut().cast();
        header.msg_controllen = self.control.len() as _;
        header
    }
}

/// `sendmsg(2)`. Never raises SIGPIPE and never blocks.
pub(crate) fn sendmsg(
    fd: BorrowedFd<'_>,
    message: Outgoing<'_>,
    flags: libc::c_int,
) -> io::Result<usize> {
    let header = message.header();
    let flags = flags | libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT;
    // SAFETY: the header points to slices that `message` borrows for the call; IoSlice is
    // guaranteed to be laid out as iovec.
    retry(|| check_len(unsafe { libc::sendmsg(fd.as_raw_fd(), &raw const header, flags) }))
}

/// Flag that holds a message back until the next plain send.
pub(crate) const MSG_MORE: libc::c_int = libc::MSG_MORE;

/// `sendmmsg(2)` for at most [`MAX_BATCH`] messages.
///
/// Returns the number of messages sent. An error is that of the first message.
pub(crate) fn sendmmsg(
    fd: BorrowedFd<'_>,
    messages: &[Outgoing<'_>],
    flags: libc::c_int,
) -> io::Result<usize> {
    let flags = flags | libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT;
    send_batch(messages, |headers, count| {
        // SAFETY: `send_batch` passes as many headers as it says, which point to slices that
        // `messages` borrows for the call.
        check(unsafe { libc::sendmmsg(fd.as_raw_fd(), headers, count, flags as _) })
    })
}

/// Prepares the call of [`sendmmsg`].
fn send_batch(
    messages: &[Outgoing<'_>],
    mut call: impl FnMut(*mut libc::mmsghdr, libc::c_uint) -> io::Result<libc::c_int>,
) -> io::Result<usize> {
    let count = messages.len().min(MAX_BATCH);
    // SAFETY: mmsghdr is a C struct of integers and pointers, for which zero is a value.
    let mut headers: [libc::mmsghdr; MAX_BATCH] = unsafe { mem::zeroed() };
    for (header, message) in headers.iter_mut().zip(messages) {
        header.msg_hdr = message.header();
    }
    let sent = retry(|| call(headers.as_mut_ptr(), count as libc::c_uint))?;
    Ok(usize::try_from(sent).unwrap_or(0).min(count))
}

#[cfg(test)]
mod tests;
