//! A peer that is no SCTP stack: it sends what it likes, from an address that nobody has.

use std::{
    io::{ErrorKind, Read as _},
    net::{Ipv4Addr, SocketAddrV4},
    time::{Duration, Instant},
};

use socket2::{Domain, Protocol, Socket, Type};

use super::packet::{
    ABORT, BEGIN, COOKIE_ACK, COOKIE_ECHO, END, INIT_ACK, chunk, data, init, packet,
};
use crate::support::patience;

/// The addresses of the server and of this peer, which pretends: no address of the machine, or its own
/// SCTP would answer.
pub(super) const SERVER: Ipv4Addr = Ipv4Addr::new(10, 9, 9, 1);
const PEER: Ipv4Addr = Ipv4Addr::new(10, 9, 9, 2);

const SCTP: u8 = 132;

/// The wire to a server.
pub(super) struct Wire {
    out: Socket,
    pub(super) port: u16,
}

impl Wire {
    pub(super) fn to(port: u16) -> Self {
        const IPPROTO_RAW: i32 = 255;
        let out = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(IPPROTO_RAW))).unwrap();
        Self { out, port }
    }

    /// Sends an SCTP packet, as it is.
    pub(super) fn send(&self, packet: &[u8]) {
        self.send_from(PEER, packet);
    }

    /// Sends it in somebody else's name.
    pub(super) fn send_from(&self, from: Ipv4Addr, packet: &[u8]) {
        let length = u16::try_from(20 + packet.len()).unwrap();
        let mut datagram = vec![0x45, 0];
        datagram.extend(length.to_be_bytes());
        datagram.extend([0, 0, 0, 0, 64, SCTP, 0, 0]);
        datagram.extend(from.octets());
        datagram.extend(SERVER.octets());
        datagram.extend(packet);
        let to = SocketAddrV4::new(SERVER, 0).into();
        // The queue of the loopback device is bounded: then it has to be emptied first.
        while let Err(error) = self.out.send_to(&datagram, &to) {
            assert_eq!(
                error.raw_os_error(),
                Some(sctp_core::errno::ENOBUFS),
                "{error}"
            );
            std::thread::yield_now();
        }
    }

    /// Sends a packet again and again until a chunk of some kind comes back to a port, and answers
    /// that packet's tag, and the chunk's value.
    pub(super) fn ask(&self, port: u16, question: &[u8], kind: u8) -> (u32, Vec<u8>) {
        let begun = Instant::now();
        loop {
            let inbound = Inbound::new();
            self.send(question);
            if let Some(answer) = inbound.chunk(self.port, port, kind) {
                return answer;
            }
            assert!(
                begun.elapsed() < patience(),
                "no chunk {kind} came to port {port}"
            );
        }
    }

    /// Asks for a cookie; the first of the answers is the server's tag.
    pub(super) fn cookie(&self, port: u16, tag: u32, tsn: u32) -> (u32, Vec<u8>) {
        let question = packet(port, self.port, 0, &[init(tag, 10, tsn, &[])]);
        let (_, value) = self.ask(port, &question, INIT_ACK);
        let server_tag = u32::from_be_bytes(*value.first_chunk().unwrap());
        let mut parameters = &value[16..];
        loop {
            let [a, b, c, d] = *parameters.first_chunk().unwrap();
            let length = usize::from(u16::from_be_bytes([c, d]));
            if u16::from_be_bytes([a, b]) == 7 {
                return (server_tag, parameters[4..length].to_vec());
            }
            parameters = &parameters[length.next_multiple_of(4)..];
        }
    }

    /// Sets up an association.
    pub(super) fn connect(&self, port: u16) -> Peer<'_> {
        // Different each time, so that it can be a restart.
        let tag = u32::from(port) << 8 | (Instant::now().elapsed().subsec_nanos() & 0x7f) | 0x80;
        self.connect_as(port, tag)
    }

    pub(super) fn connect_as(&self, port: u16, tag: u32) -> Peer<'_> {
        let tsn = 1000;
        let (server_tag, cookie) = self.cookie(port, tag, tsn);
        let echo = packet(
            port,
            self.port,
            server_tag,
            &[chunk(COOKIE_ECHO, 0, &cookie)],
        );
        self.ask(port, &echo, COOKIE_ACK);
        Peer {
            wire: self,
            port,
            tag: server_tag,
            tsn,
        }
    }
}

/// An association that only the server has.
pub(super) struct Peer<'a> {
    pub(super) wire: &'a Wire,
    pub(super) port: u16,
    /// The tag that the server wants to see.
    pub(super) tag: u32,
    /// The number of the next DATA chunk.
    pub(super) tsn: u32,
}

impl Peer<'_> {
    pub(super) fn packet(&self, chunks: &[Vec<u8>]) -> Vec<u8> {
        packet(self.port, self.wire.port, self.tag, chunks)
    }

    pub(super) fn send(&self, chunks: &[Vec<u8>]) {
        self.wire.send(&self.packet(chunks));
    }

    /// The next fragment of a message.
    pub(super) fn fragment(&mut self, flags: u8, number: u16, payload: &[u8]) -> Vec<u8> {
        let fragment = data(flags, self.tsn, 0, number, payload);
        self.tsn += 1;
        fragment
    }

    /// Sends a whole message on stream 0.
    pub(super) fn message(&mut self, number: u16, payload: &[u8]) {
        let whole = self.fragment(BEGIN | END, number, payload);
        self.send(&[whole]);
    }

    /// Ends the association.
    pub(super) fn abort(self) {
        self.send(&[chunk(ABORT, 0, b"\0\x0c\0\x08done")]);
    }
}

/// Packets from the server: a socket that sees every packet of the namespace, so it lives no
/// longer than a question takes.
struct Inbound(Socket);

impl Inbound {
    fn new() -> Self {
        const ETH_P_IP: u16 = 0x0800;
        let all = Protocol::from(i32::from(ETH_P_IP.to_be()));
        let socket = Socket::new(Domain::PACKET, Type::DGRAM, Some(all)).unwrap();
        socket
            .set_read_timeout(Some(Duration::from_millis(500)))
            .unwrap();
        Self(socket)
    }

    /// Waits, but not for long.
    fn chunk(mut self, from: u16, to: u16, kind: u8) -> Option<(u32, Vec<u8>)> {
        let begun = Instant::now();
        let mut datagram = vec![0; 70_000];
        while begun.elapsed() < Duration::from_millis(500) {
            let length = match self.0.read(&mut datagram) {
                Ok(length) => length,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return None,
                Err(error) => panic!("{error}"),
            };
            if length < 36 || datagram[9] != SCTP {
                continue;
            }
            let sctp = &datagram[20..length];
            let ports = [from.to_be_bytes(), to.to_be_bytes()].concat();
            if sctp[..4] != ports[..] {
                continue;
            }
            let tag = u32::from_be_bytes(*sctp[4..].first_chunk().unwrap());
            let mut chunks = &sctp[12..];
            while let Some([each, _, a, b]) = chunks.first_chunk() {
                let length = usize::from(u16::from_be_bytes([*a, *b]));
                if *each == kind {
                    return Some((tag, chunks[4..length].to_vec()));
                }
                chunks = chunks.get(length.next_multiple_of(4)..).unwrap_or_default();
            }
        }
        None
    }
}
