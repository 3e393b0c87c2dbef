//! Tests of the codec.

use std::{
    fs,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    path::Path,
};

use super::*;

#[test]
fn fuzzing_corpus_decodes() {
    let corpus = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../sctp-core/fuzz/corpus/diameter"
    );
    let mut inputs = 0;
    for file in fs::read_dir(Path::new(corpus)).unwrap() {
        decode_anything(&fs::read(file.unwrap().path()).unwrap());
        inputs += 1;
    }
    assert!(inputs > 3);
}

fn capabilities() -> Message {
    Message::request(command::CAPABILITIES_EXCHANGE, 0, 7)
        .with(Avp::of_text(avp::ORIGIN_HOST, "a.example"))
        .with(Avp::of_address(
            avp::HOST_IP_ADDRESS,
            Ipv4Addr::LOCALHOST.into(),
        ))
        .with(Avp::of_address(
            avp::HOST_IP_ADDRESS,
            Ipv6Addr::LOCALHOST.into(),
        ))
        .with(Avp::of_text(avp::PRODUCT_NAME, "abc"))
        .with(Avp::of_number(avp::VENDOR_ID, 0))
}

/// The result for a message with these octets as its AVPs.
fn result_of(avps: &[u8]) -> Fault {
    let mut octets = Message::request(1, 0, 0).encode().unwrap().to_vec();
    octets.extend(avps);
    octets.resize(octets.len().next_multiple_of(4), 0);
    let length = u32::try_from(octets.len()).unwrap().to_be_bytes();
    octets[1..4].copy_from_slice(&length[1..]);
    Message::decode(octets.into()).unwrap_err().fault
}

#[test]
fn messages_round_trip() {
    let message = capabilities();
    let octets = message.encode().unwrap();
    assert_eq!(octets.len() % 4, 0);
    assert_eq!(Message::decode(octets), Ok(message.clone()));
    let addresses: Vec<_> = message.avps.iter().filter_map(Avp::address).collect();
    let expected: [IpAddr; 2] = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
    assert_eq!(addresses, expected);
}

#[test]
fn groups_round_trip() {
    let inside = [
        Avp::of_number(avp::VENDOR_ID, 10415),
        Avp::of_number(258, 1),
    ];
    let group = Avp::of_group(avp::VENDOR_SPECIFIC_APPLICATION_ID, &inside).unwrap();
    assert_eq!(group.group().unwrap(), inside);
}

#[test]
fn header_errors_have_their_result() {
    let good = capabilities().encode().unwrap();
    for (at, octet, result) in [
        (0, 2, result::UNSUPPORTED_VERSION),
        (3, 4, result::INVALID_MESSAGE_LENGTH),
        (1, 1, result::INVALID_MESSAGE_LENGTH),
        (4, 0xa0, result::INVALID_HDR_BITS),
    ] {
        let mut octets = good.to_vec();
        octets[at] = octet;
        let malformed = Message::decode(octets.into()).unwrap_err();
        assert_eq!(malformed.fault.result, result, "octet {at}");
        assert_eq!(malformed.header.unwrap().end_to_end, 7);
    }
    for length in 0..good.len() {
        let malformed = Message::decode(good.slice(..length)).unwrap_err();
        assert_eq!(malformed.fault.result, result::INVALID_MESSAGE_LENGTH);
        assert_eq!(malformed.header.is_some(), length >= Header::LEN);
    }
}

#[test]
fn avp_errors_have_their_result_and_the_avp() {
    let number = |flags, length, data: &[u8]| {
        [&[0, 0, 1, 16 - 6, flags, 0, 0, length], data].concat() // 266, Vendor-Id
    };
    for (avps, result) in [
        (number(0x41, 12, &[0; 4]), result::INVALID_AVP_BITS),
        (number(0x40, 7, &[0; 4]), result::INVALID_AVP_LENGTH),
        (number(0x40, 13, &[0; 4]), result::INVALID_AVP_LENGTH),
        (number(0x40, 11, &[0; 3]), result::INVALID_AVP_LENGTH),
        (number(0xc0, 8, &[]), result::INVALID_AVP_LENGTH),
        (vec![0, 0, 1, 10], result::INVALID_AVP_LENGTH),
        (number(0xc0, 12, &[0, 0, 0, 9]), result::AVP_UNSUPPORTED),
    ] {
        let fault = result_of(&avps);
        assert_eq!(fault.result, result, "{avps:?}");
        assert_eq!(fault.failed.unwrap().code, 266);
    }
    let unknown = [0, 0, 0xff, 0xff, 0x40, 0, 0, 8];
    assert_eq!(result_of(&unknown).result, result::AVP_UNSUPPORTED);
    let cause = Avp::of_number(avp::DISCONNECT_CAUSE, 3);
    let text = Avp::new(avp::ORIGIN_HOST, &b"\xff"[..]);
    let family = Avp::new(avp::HOST_IP_ADDRESS, &[0, 0, 1, 2, 3, 4][..]);
    for avp in [cause, text, family] {
        let mut octets = BytesMut::new();
        avp.encode(&mut octets).unwrap();
        let fault = result_of(&octets);
        assert_eq!(fault.result, result::INVALID_AVP_VALUE);
        assert_eq!(fault.failed, Some(avp));
    }
}

#[test]
fn unknown_avps_may_be_ignored_where_they_say_so() {
    let vendor = Avp {
        code: 1,
        flags: 0,
        vendor: Some(10415),
        data: Bytes::from_static(b"abc"),
    };
    let message = capabilities().with(vendor);
    let octets = message.encode().unwrap();
    assert_eq!(Message::decode(octets), Ok(message));
}

#[test]
fn missing_and_repeated_avps_are_faults() {
    let message = capabilities();
    assert_eq!(message.require(&[avp::ORIGIN_HOST]), Ok(()));
    let fault = message.require(&[avp::RESULT_CODE]).unwrap_err();
    assert_eq!(fault.result, result::MISSING_AVP);
    assert_eq!(fault.failed, Some(Avp::of_number(avp::RESULT_CODE, 0)));
    let fault = message.at_most_once(&[avp::HOST_IP_ADDRESS]).unwrap_err();
    assert_eq!(fault.result, result::AVP_OCCURS_TOO_MANY_TIMES);
}

#[test]
fn too_long_messages_are_not_encoded() {
    let long = capabilities().with(Avp::new(33, vec![0; 1 << 24]));
    assert_eq!(long.encode(), Err(TooLong));
}
