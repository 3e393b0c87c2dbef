//! Conversion of path parameters to and from the kernel.

use super::*;

fn raw(params: PeerAddrParams) -> abi::PeerAddrParams {
    params.to_kernel(AssocId::new(7), None).unwrap()
}

#[test]
fn new_changes_nothing() {
    let raw = raw(PeerAddrParams::new());
    assert_eq!(raw.flags, 0);
    assert_eq!((raw.heartbeat_interval, raw.mtu, raw.sack_delay), (0, 0, 0));
    assert_eq!(raw.max_retransmissions, 0);
}

#[test]
fn zero_interval_differs_from_none() {
    let enabled =
        |interval| raw(PeerAddrParams::new().with_heartbeat(Heartbeat::Enabled(interval)));
    assert_eq!(enabled(None).flags, abi::SPP_HB_ENABLE);
    assert_eq!(
        enabled(Some(Duration::ZERO)).flags,
        abi::SPP_HB_ENABLE | abi::SPP_HB_TIME_IS_ZERO
    );
    let second = enabled(Some(Duration::from_secs(1)));
    assert_eq!(
        (second.flags, second.heartbeat_interval),
        (abi::SPP_HB_ENABLE, 1000)
    );
}

#[test]
fn all_parameters_round_trip() {
    for params in [
        PeerAddrParams::new()
            .with_heartbeat(Heartbeat::Enabled(Some(Duration::from_secs(4))))
            .with_max_retransmissions(3)
            .with_mtu_discovery(MtuDiscovery::Enabled)
            .with_sack_delay(SackDelay::Disabled)
            .with_flow_label(0xf_ffff)
            .with_dscp(63),
        PeerAddrParams::new()
            .with_heartbeat(Heartbeat::Disabled)
            .with_max_retransmissions(1)
            .with_mtu_discovery(MtuDiscovery::Disabled(Some(512)))
            .with_sack_delay(SackDelay::Enabled(Some(Duration::from_millis(1)))),
    ] {
        assert_eq!(PeerAddrParams::from_kernel(&raw(params)), params);
    }
}

#[test]
fn code_point_has_the_upper_six_bits() {
    assert_eq!(raw(PeerAddrParams::new().with_dscp(46)).dscp, 0xb8);
}

#[test]
fn excess_bits_are_refused() {
    for params in [
        PeerAddrParams::new().with_dscp(64),
        PeerAddrParams::new().with_flow_label(1 << 20),
        PeerAddrParams::new().with_mtu_discovery(MtuDiscovery::Disabled(Some(0))),
    ] {
        let error = params.to_kernel(AssocId::FUTURE, None).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    }
}
