//! Messages as a capture that Wireshark and tshark read.
//!
//! Nothing is captured from the network: each message becomes packets made from its addresses,
//! stream, identifier and payload. SACKs, retransmissions and setup are therefore missing, the
//! verification tags are 1 for what is sent and 2 for what is received, and the transmission
//! sequence numbers of sent messages are counted from 1.

mod packet;
mod pcapng;

use std::{
    collections::HashMap,
    fs::File,
    io::{self, BufWriter, Write},
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use sctp_tokio::{AbortReason, Association, End, Message, Received, Side};

use self::packet::{Chunk, Data, Direction, packet};
use crate::status::Failure;

/// Maximum payload of a chunk. A longer message becomes several, which decoders join.
const MAX_CHUNK: usize = 0x8000;

/// File that messages are written to, or none.
#[derive(Clone, Debug)]
pub(crate) struct Trace(Option<Arc<Capture>>);

#[derive(Debug)]
struct Capture {
    path: PathBuf,
    file: Mutex<State>,
}

#[derive(Debug)]
struct State {
    out: BufWriter<File>,
    /// The first error. Nothing is written after it.
    error: Option<io::Error>,
}

impl Trace {
    /// Creates the file, if there is to be one.
    pub(crate) fn create(path: Option<&Path>) -> Result<Self, Failure> {
        let Some(path) = path else {
            return Ok(Self(None));
        };
        let mut state = State {
            out: BufWriter::new(
                File::create(path).map_err(|error| Failure::cannot_write(path, &error))?,
            ),
            error: None,
        };
        state.write(&pcapng::head());
        let capture = Capture {
            path: path.to_owned(),
            file: Mutex::new(state),
        };
        Ok(Self(Some(Arc::new(capture))))
    }

    /// Begins the part of an association.
    pub(crate) fn conversation(&self, association: &Association) -> Option<Conversation> {
        let capture = Arc::clone(self.0.as_ref()?);
        let peer = *association.initial_peer_addrs().first()?;
        let locals = association.initial_local_addrs();
        // Both are the addresses of one packet.
        let local = locals
            .iter()
            .find(|local| local.is_ipv4() == peer.is_ipv4())?;
        Some(Conversation {
            capture,
            local: *local,
            peer,
            next_tsn: 1,
            last_received: 0,
            ssns: HashMap::new(),
        })
    }

    /// Checks that everything was written.
    pub(crate) fn finish(&self) -> Result<(), Failure> {
        let Some(capture) = &self.0 else {
            return Ok(());
        };
        let state = capture.file.lock().unwrap_or_else(PoisonError::into_inner);
        match &state.error {
            None => Ok(()),
            Some(error) => Err(Failure::cannot_write(&capture.path, error)),
        }
    }
}

impl State {
    /// Writes and flushes, so that a program that is killed leaves whole packets.
    fn write(&mut self, bytes: &[u8]) {
        if self.error.is_none() {
            self.error = self
                .out
                .write_all(bytes)
                .and_then(|()| self.out.flush())
                .err();
        }
    }
}

/// Messages of one association.
#[derive(Debug)]
pub(crate) struct Conversation {
    capture: Arc<Capture>,
    local: SocketAddr,
    peer: SocketAddr,
    next_tsn: u32,
    /// TSN of the last message that was received.
    last_received: u32,
    /// Of each stream, the sequence number of the next message that is sent.
    ssns: HashMap<u16, u16>,
}

impl Conversation {
    pub(crate) fn sent(&mut self, message: &Message) {
        let info = &message.info;
        let ssn = match info.unordered {
            true => 0,
            false => {
                let next = self.ssns.entry(info.stream.get()).or_default();
                let ssn = *next;
                *next = next.wrapping_add(1);
                ssn
            }
        };
        let data = Data {
            tsn: self.next_tsn,
            stream: info.stream.get(),
            ssn,
            ppid: info.ppid.get(),
            unordered: info.unordered,
        };
        let chunks = self.data(Direction::Sent, data, &message.payload);
        self.next_tsn = self.next_tsn.wrapping_add(chunks);
    }

    pub(crate) fn received(&mut self, message: &Received) {
        let info = &message.info;
        let data = Data {
            tsn: info.tsn,
            stream: info.stream.get(),
            ssn: info.ssn,
            ppid: info.ppid.get(),
            unordered: info.unordered,
        };
        let chunks = self.data(Direction::Received, data, &message.payload);
        self.last_received = info.tsn.wrapping_add(chunks).wrapping_sub(1);
    }

    /// Writes the end, as SHUTDOWN or ABORT. The reason is that of an abort from here, which the end
    /// does not contain. A loss leaves no packet.
    pub(crate) fn closed(&mut self, end: &End, reason: Option<&AbortReason>) {
        let direction = |side: &Side| match side {
            Side::Local => Direction::Sent,
            Side::Peer => Direction::Received,
        };
        match end {
            End::Shutdown { by } => {
                let acknowledged = match by {
                    Side::Local => self.last_received,
                    Side::Peer => self.next_tsn.wrapping_sub(1),
                };
                self.write(direction(by), &Chunk::Shutdown { acknowledged });
            }
            End::Aborted { by, causes } => {
                let causes = match (by, reason) {
                    (Side::Local, Some(reason)) => packet::user_initiated_abort(reason.as_bytes()),
                    _ => causes.as_bytes().to_vec(),
                };
                self.write(direction(by), &Chunk::Abort { causes: &causes });
            }
            _ => {}
        }
    }

    /// Writes a message, and returns its number of chunks.
    fn data(&self, direction: Direction, mut data: Data, payload: &[u8]) -> u32 {
        let pieces = payload.chunks(MAX_CHUNK);
        let last = pieces.len().saturating_sub(1);
        let mut count = 0;
        for (index, payload) in pieces.enumerate() {
            let (first, last) = (index == 0, index == last);
            self.write(
                direction,
                &Chunk::Data {
                    data,
                    payload,
                    first,
                    last,
                },
            );
            data.tsn = data.tsn.wrapping_add(1);
            count += 1;
        }
        count
    }

    fn write(&self, direction: Direction, chunk: &Chunk<'_>) {
        let (from, to) = match direction {
            Direction::Sent => (self.local, self.peer),
            Direction::Received => (self.peer, self.local),
        };
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let block = pcapng::packet(since, direction, &packet(direction, from, to, chunk));
        let file = &self.capture.file;
        file.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .write(&block);
    }
}
