//! Encapsulation in UDP, which also serves to cut paths.

use std::{
    io::{ErrorKind, IoSlice},
    net::UdpSocket,
    sync::Once,
    time::Duration,
};

use rustix::io::Errno;
use sctp_core::{
    AssocId, EventSet, Family, Notification, PeerAddrChangeState, SendInfo,
    options::{PathState, PfExposure, RtoInfo, StreamResetPolicy},
};

use crate::{
    set_sysctls,
    support::{BOUND, End, STYLES, Style, pair_with, wait_notification},
    write_sysctl,
};

/// Lets the kernel receive SCTP in UDP on a free port.
fn set_udp_port() {
    static ONCE: Once = Once::new();
    set_sysctls();
    ONCE.call_once(|| {
        // Closed immediately, so that the kernel can bind the port.
        let free = UdpSocket::bind("0.0.0.0:0").and_then(|socket| socket.local_addr());
        write_sysctl("udp_port", &free.unwrap().port().to_string());
    });
}

#[test]
fn packets_are_sent_to_udp_port() {
    set_udp_port();
    for style in [Style::OneToOne, Style::OneToMany] {
        let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
        receiver.set_read_timeout(Some(BOUND)).unwrap();
        let socket = style.socket(Family::V4);
        let port = receiver.local_addr().unwrap().port();
        socket
            .set_remote_udp_encaps_port(AssocId::FUTURE, None, port)
            .unwrap();
        let peer = "127.0.0.1:4242".parse().unwrap();
        assert!(socket.connectx(&[peer]).unwrap().in_progress);
        let mut packet = [0; 1500];
        let len = receiver.recv(&mut packet).unwrap();
        // The common header's destination port, and the type of the first chunk: INIT.
        assert!(len > 12);
        assert_eq!(packet[2..4], 4242u16.to_be_bytes());
        assert_eq!(packet[12], 1);
    }
}

/// Diverts the packets of an end to a socket that is not read, as long as the result lives.
fn cut_off(end: &End) -> UdpSocket {
    let sink = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = sink.local_addr().unwrap().port();
    end.socket
        .set_remote_udp_encaps_port(end.assoc, None, port)
        .unwrap();
    sink
}

#[test]
fn second_reconfig_request_is_refused() {
    set_udp_port();
    for style in STYLES {
        let pair = pair_with(style, Family::V4, |socket| {
            let all = StreamResetPolicy::all();
            socket
                .set_stream_reset_policy(AssocId::FUTURE, all)
                .unwrap();
        });
        let (socket, assoc) = (&pair.client.socket, pair.client.assoc);
        let _sink = cut_off(&pair.client);
        let payload = [IoSlice::new(b"x")];
        let info = SendInfo::default();
        socket.send_msg(assoc, &info, &payload).unwrap();
        let error = socket.reset_assoc(assoc).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WouldBlock, "unacknowledged");
        socket.add_streams(assoc, 0, 1).unwrap();
        let error = socket.add_streams(assoc, 0, 1).unwrap_err();
        assert_eq!(Errno::from_io_error(&error), Some(Errno::INPROGRESS));
    }
}

#[test]
fn potentially_failed_path_is_exposed_as_configured() {
    set_udp_port();
    let pair = pair_with(Style::OneToMany, Family::V4, |socket| {
        let soon = Duration::from_millis(50);
        let rto = RtoInfo::new().with_initial(soon).with_min(soon);
        socket.set_rto_info(AssocId::FUTURE, &rto).unwrap();
    });
    let (socket, assoc, peer) = (&pair.client.socket, pair.client.assoc, pair.client.peer);
    socket.subscribe(assoc, EventSet::PEER_ADDR_CHANGE).unwrap();
    socket.set_pf_exposure(assoc, PfExposure::Exposed).unwrap();
    let _sink = cut_off(&pair.client);
    let payload = [IoSlice::new(b"x")];
    socket
        .send_msg(assoc, &SendInfo::default(), &payload)
        .unwrap();
    let state = wait_notification(socket, |notification| match notification {
        Notification::PeerAddrChange(change) => Some(change.state),
        _ => None,
    });
    assert_eq!(state, PeerAddrChangeState::PotentiallyFailed);
    for (exposure, shown) in [
        (PfExposure::Exposed, true),
        (PfExposure::Hidden, false),
        (PfExposure::Unset, true),
    ] {
        socket.set_pf_exposure(assoc, exposure).unwrap();
        let info = socket.path_info(assoc, peer);
        if shown {
            assert_eq!(info.unwrap().state, PathState::PotentiallyFailed);
        } else {
            let error = info.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::PermissionDenied);
        }
    }
}
