//! Options that are not SCTP's, set by `SocketBuilder::configure`: which of them an association
//! takes along to its peeled-off socket, at either end, and what does instead.
#![cfg(target_os = "linux")] // needs SCTP in the kernel
#![allow(clippy::unwrap_used, reason = "a surprise fails the test")]

mod support;

use std::{io, net::SocketAddr};

use sctp_tokio::{AssocId, Association, Socket, SocketBuilder, options::PeerAddrParams};
use socket2::SockRef;
use support::{must, netns::NetNs};

/// Expedited forwarding, as a code point and in its place in the octet.
const DSCP: u8 = 46;
const OCTET: u32 = 46 << 2;
const HOPS: u32 = 9;
const LINUX_HOPS: u32 = 64;
const MARK: u32 = 7;
const PRIORITY: u32 = 3;
const DEVICE: &[u8] = b"lo";

/// Sets what there is.
fn set(socket: &Socket, addr: SocketAddr) -> io::Result<()> {
    let socket = SockRef::from(socket);
    if addr.is_ipv6() {
        socket.set_tclass_v6(OCTET)?;
        socket.set_unicast_hops_v6(HOPS)?;
    } else {
        socket.set_tos_v4(OCTET)?;
        socket.set_ttl_v4(HOPS)?;
    }
    socket.bind_device(Some(DEVICE))?;
    socket.set_mark(MARK)?;
    // Last: Linux derives it from the octet when that is set.
    socket.set_priority(PRIORITY)
}

/// Mark, priority, octet without the bits of ECN, and hops; the device, which always follows, is
/// checked.
fn found(association: &Association, addr: SocketAddr) -> [u32; 4] {
    let socket = association.socket().unwrap();
    let socket = SockRef::from(socket);
    let (octet, hops) = if addr.is_ipv6() {
        (
            socket.tclass_v6().unwrap(),
            socket.unicast_hops_v6().unwrap(),
        )
    } else {
        (socket.tos_v4().unwrap(), socket.ttl_v4().unwrap())
    };
    assert_eq!(socket.device().unwrap().as_deref(), Some(DEVICE));
    let (mark, priority) = (socket.mark().unwrap(), socket.priority().unwrap());
    [mark, priority, octet & !3, hops]
}

/// The two ends of an association whose sockets were set up alike.
async fn ends(
    addr: SocketAddr,
    set: impl Fn(&Socket) -> io::Result<()> + Send + Sync + 'static,
) -> [Association; 2] {
    let builder = SocketBuilder::new().configure(set);
    let mut listener = builder.clone().with_local_addrs([addr]).listen().unwrap();
    let addr = listener.local_addrs().unwrap()[0];
    let client = must(builder.connect(&[addr])).await.unwrap();
    [client, must(listener.accept()).await.unwrap()]
}

#[tokio::test]
async fn only_ipv4_ttl_and_device_follow_a_peel_off() {
    // To mark packets takes a privilege, which one has in a namespace of one's own.
    let follow = async || {
        for (addr, hops) in [("127.0.0.1:0", HOPS), ("[::1]:0", LINUX_HOPS)] {
            let addr = addr.parse().unwrap();
            for association in ends(addr, move |socket| set(socket, addr)).await {
                assert_eq!(found(&association, addr), [0, 0, 0, hops], "{addr}");
                // What does not follow can be set again.
                set(association.socket().unwrap(), addr).unwrap();
                let set = [MARK, PRIORITY, OCTET, HOPS];
                assert_eq!(found(&association, addr), set, "{addr}");
            }
        }
    };
    NetNs::new().start(follow).await;
}

#[tokio::test]
async fn sctp_dscp_follows_a_peel_off() {
    let params = PeerAddrParams::new().with_dscp(DSCP);
    let set = move |socket: &Socket| socket.set_peer_addr_params(AssocId::FUTURE, None, &params);
    for association in ends("127.0.0.1:0".parse().unwrap(), set).await {
        let socket = association.socket().unwrap();
        let params = socket.peer_addr_params(association.id(), None).unwrap();
        assert_eq!(params.dscp, Some(DSCP));
    }
}
