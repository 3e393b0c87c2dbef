//! Tests with a stand-in for the kernel, which accesses memory through the given pointers.
//!
//! Miri runs these tests.

use std::io::IoSlice;

use bytes::Bytes;
use proptest::{collection::vec, prelude::*};

use super::*;

/// Message that the stand-in delivers.
#[derive(Clone, Debug, Default)]
struct Incoming {
    payload: Vec<u8>,
    control: Vec<u8>,
    name: Vec<u8>,
}

impl Incoming {
    /// Creates a message with one byte of ancillary data and one byte of address.
    fn new(index: usize, len: usize) -> Self {
        Self {
            payload: vec![index as u8; len],
            control: vec![index as u8],
            name: vec![!index as u8],
        }
    }

    /// Acts like the kernel: writes as much as fits, reports the true length of an address, and
    /// counts the unwritten padding of `put_cmsg`.
    ///
    /// # Safety
    ///
    /// The header must be valid, and its pointers writable for the stated lengths.
    unsafe fn deliver(&self, header: *mut libc::msghdr) -> usize {
        // SAFETY: the caller's promise.
        let header = unsafe { &mut *header };
        // SAFETY: likewise; there is one iovec.
        let iov = unsafe { &*header.msg_iov };
        let room = [
            (iov.iov_base, iov.iov_len, &self.payload),
            (
                header.msg_control,
                header.msg_controllen as usize,
                &self.control,
            ),
            (header.msg_name, header.msg_namelen as usize, &self.name),
        ];
        let [payload, control, _] = room.map(|(to, room, from)| {
            let len = from.len().min(room);
            // SAFETY: likewise, and `from` is a slice of ours.
            unsafe { to.cast::<u8>().copy_from(from.as_ptr(), len) };
            len
        });
        header.msg_controllen = control.next_multiple_of(8) as _;
        header.msg_namelen = self.name.len() as _;
        payload
    }

    fn is_beside(&self, meta: RawMeta<'_>) -> bool {
        let (control, padding) = meta.control.split_at(self.control.len());
        control == self.control && padding.iter().all(|&byte| byte == 0) && meta.name == self.name
    }
}

/// Returns a call that is interrupted once and then delivers the message.
fn interrupted(
    incoming: &Incoming,
) -> impl FnMut(*mut libc::msghdr) -> io::Result<usize> + use<'_> {
    let mut signals = 1;
    move |header| {
        if signals > 0 {
            signals -= 1;
            return Err(io::ErrorKind::Interrupted.into());
        }
        // SAFETY: `receive` passes a valid one.
        Ok(unsafe { incoming.deliver(header) })
    }
}

/// Receives messages in one batch, never more than there are slots.
fn receive_all(block: &mut BytesMut, incoming: &[Incoming], slot_len: usize) -> Vec<Range<usize>> {
    let mut places = Vec::new();
    let call = |headers: *mut libc::mmsghdr, slots| {
        // SAFETY: `receive_batch` passes as many as it says.
        let headers = unsafe { slice::from_raw_parts_mut(headers, slots as usize) };
        for (header, message) in headers.iter_mut().zip(incoming) {
            // SAFETY: likewise, it is valid.
            header.msg_len = unsafe { message.deliver(&raw mut header.msg_hdr) } as _;
        }
        Ok(headers.len().min(incoming.len()) as _)
    };
    let mut unread = incoming.iter();
    let each = |place: Range<usize>, meta: RawMeta<'_>| {
        let message = unread.next().unwrap();
        let cut = &message.payload[..message.payload.len().min(slot_len)];
        assert_eq!(place.len(), cut.len());
        assert!(message.is_beside(meta));
        places.push(place);
    };
    // SAFETY: the call delivers to as many headers as it says.
    let count = unsafe { receive_batch(call, block, MAX_BATCH, slot_len, each) }.unwrap();
    assert_eq!(count, places.len());
    places
}

#[test]
fn message_is_appended_with_its_metadata() {
    let incoming = Incoming::new(7, 100);
    let mut buf = BytesMut::from(&b"before"[..]);
    buf.reserve(200);
    let call = interrupted(&incoming);
    // SAFETY: the call delivers what it says.
    let decoded = unsafe { receive(call, &mut buf, |len, meta| (len, meta.name.to_vec())) };
    assert_eq!(decoded.unwrap(), (100, incoming.name.clone()));
    assert_eq!(buf[..6], *b"before");
    assert_eq!(buf[6..], incoming.payload);
}

#[test]
fn excess_bytes_are_cut() {
    let incoming = Incoming {
        payload: vec![1; 100],
        control: vec![2; RECV_SPACE + 8],
        name: vec![3; sockaddr::STORAGE_LEN + 8],
    };
    let mut buf = [0; 10];
    let call = interrupted(&incoming);
    // SAFETY: the call delivers what it says.
    let lengths = unsafe {
        receive(call, &mut &mut buf[..], |len, meta| {
            assert!(meta.control.iter().all(|&byte| byte == 2));
            assert!(meta.name.iter().all(|&byte| byte == 3));
            [len, meta.control.len(), meta.name.len()]
        })
    };
    assert_eq!(lengths.unwrap(), [10, RECV_SPACE, sockaddr::STORAGE_LEN]);
}

#[test]
fn batch_preserves_held_messages() {
    let mut block = BytesMut::with_capacity(8 * 2048);
    let incoming: Vec<_> = [100, 1500, 0, 2048]
        .map(|len| Incoming::new(len, len))
        .into();
    let mut held: Vec<Bytes> = Vec::new();
    for _ in 0..2 {
        let places = receive_all(&mut block, &incoming, 2048);
        assert_eq!(places.len(), incoming.len());
        let mut start = 0;
        for place in places {
            let mut message = block.split_to(place.end - start);
            drop(message.split_to(place.start - start));
            start = place.end;
            held.push(message.freeze());
        }
    }
    for (message, incoming) in held.iter().zip(incoming.iter().cycle()) {
        assert_eq!(*message, incoming.payload);
    }
}

proptest! {
    #[test]
    fn arbitrary_batches_are_received(
        lens in vec(0..3000_usize, 0..40),
        slot_len in 1..2500_usize,
        room in 0..50_000_usize,
    ) {
        let incoming: Vec<_> =
            lens.iter().enumerate().map(|(index, &len)| Incoming::new(index, len)).collect();
        let mut block = BytesMut::with_capacity(room);
        let places = receive_all(&mut block, &incoming, slot_len);
        for (place, message) in places.iter().zip(&incoming) {
            prop_assert_eq!(&block[place.clone()], &message.payload[..place.len()]);
        }
        // The comparison reads each byte, gaps included: all of them are initialized.
        prop_assert_eq!(&block[..], &block.clone()[..]);
    }

    #[test]
    fn sent_messages_reach_the_kernel_intact(
        messages in vec(vec((any::<u8>(), 0..50_usize), 0..4), 0..40),
    ) {
        let messages: Vec<Vec<_>> = messages
            .iter()
            .map(|slices| slices.iter().map(|&(byte, len)| vec![byte; len]).collect())
            .collect();
        let payloads: Vec<Vec<_>> =
            messages.iter().map(|slices| slices.iter().map(|slice| IoSlice::new(slice)).collect()).collect();
        let outgoing: Vec<_> = payloads
            .iter()
            .map(|payload| Outgoing { name: &[1, 2], control: &[], payload })
            .collect();
        let mut shown: Vec<Vec<Vec<u8>>> = Vec::new();
        let sent = send_batch(&outgoing, |headers, count| {
            // SAFETY: `send_batch` passes as many as it says.
            let headers = unsafe { slice::from_raw_parts(headers, count as usize) };
            for header in headers {
                // SAFETY: they point to what is in `outgoing`.
                shown.push(unsafe { contents(&header.msg_hdr) });
            }
            Ok(count as _)
        });
        prop_assert_eq!(sent.unwrap(), messages.len().min(MAX_BATCH));
        prop_assert_eq!(&shown[..], &messages[..shown.len()]);
    }
}

/// Returns the slices of a message to send.
///
/// # Safety
///
/// The pointers of the header must be readable for the stated lengths.
unsafe fn contents(header: &libc::msghdr) -> Vec<Vec<u8>> {
    let name = header.msg_name.cast_const().cast::<u8>();
    // SAFETY: the caller's promise.
    let name = unsafe { slice::from_raw_parts(name, header.msg_namelen as usize) };
    assert_eq!(name, [1, 2]);
    // SAFETY: likewise.
    let iovs = unsafe { slice::from_raw_parts(header.msg_iov, header.msg_iovlen as usize) };
    iovs.iter()
        .map(|iov| {
            // SAFETY: likewise.
            unsafe { slice::from_raw_parts(iov.iov_base.cast::<u8>(), iov.iov_len) }.to_vec()
        })
        .collect()
}

#[test]
fn unwritten_padding_is_initialized() {
    let mut beside = Beside::new();
    // Garbage from earlier use of the stack.
    beside.control = MaybeUninit::new([!0; RECV_SPACE / 8]);
    let mut header = beside.header(std::ptr::null_mut());
    // The length of SCTP_RCVINFO: 44 bytes that the kernel writes, and 4 that it does not.
    header.msg_controllen = 48;
    header.msg_namelen = 0;
    // SAFETY: the header is that of `beside`; all that it counts, `header` has written.
    let meta = unsafe { beside.read(&header) };
    assert_eq!(meta.control, [0; 48]);
    assert!(meta.name.is_empty());
}

#[test]
fn excessive_lengths_stay_within_buffers() {
    let mut beside = Beside::new();
    beside.name = MaybeUninit::new([0; sockaddr::STORAGE_LEN / 8]);
    let mut header = beside.header(std::ptr::null_mut());
    header.msg_controllen = usize::MAX as _;
    header.msg_namelen = libc::socklen_t::MAX;
    // SAFETY: the header is that of `beside`, and both buffers are initialised.
    let meta = unsafe { beside.read(&header) };
    assert_eq!(meta.control.len(), RECV_SPACE);
    assert_eq!(meta.name.len(), sockaddr::STORAGE_LEN);
}
