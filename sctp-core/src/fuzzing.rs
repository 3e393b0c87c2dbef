//! Fuzz targets (see `fuzz/`).
//!
//! Each takes arbitrary bytes and panics if a decoder violates one of its guarantees. An ordinary
//! test runs the same functions over the stored corpus, so that a finding stays fixed everywhere.
#![allow(missing_docs, unreachable_pub, reason = "public only while fuzzing")]

use bytes::Bytes;

use crate::{cmsg::RecvControl, error_cause::ErrorCauses, notification::Notification, sockaddr};

/// Decodes a notification. All parts must lie within the input.
pub fn notification(data: &[u8]) {
    let Ok(notification) = Notification::decode(Bytes::copy_from_slice(data)) else {
        return;
    };
    match &notification {
        Notification::AssocChange(change) => error_causes(change.causes.as_bytes()),
        Notification::RemoteError(error) => error_causes(error.causes.as_bytes()),
        Notification::SendFailed(failed) => assert!(failed.payload.len() <= data.len()),
        Notification::StreamReset(reset) => assert!(reset.streams.len() * 2 <= data.len()),
        Notification::Other { bytes, .. } => assert!(data.starts_with(bytes)),
        _ => {}
    }
    // The header has 8 bytes, which every decoder requires.
    assert!(data.len() >= 8);
    let _ = format!("{notification:?}");
}

/// Decodes the ancillary data of a receive.
pub fn ancillary_data(data: &[u8]) {
    let control = RecvControl::decode(data);
    if control.info.is_some() {
        assert!(
            data.len() >= 28,
            "receive information out of {} bytes",
            data.len()
        );
    }
    if control.next.is_some() {
        assert!(
            data.len() >= 16,
            "next information out of {} bytes",
            data.len()
        );
    }
}

/// Decodes a packed address list, whose count is the first byte. The decoded list must round-trip.
pub fn address_list(data: &[u8]) {
    let Some((count, list)) = data.split_first() else {
        return;
    };
    let Some(addrs) = sockaddr::decode_list(list, usize::from(*count)) else {
        return;
    };
    assert_eq!(addrs.len(), usize::from(*count));
    let encoded = sockaddr::encode_list(&addrs);
    assert_eq!(sockaddr::decode_list(&encoded, addrs.len()), Some(addrs));
}

/// Decodes error causes, each of which takes at least the length of its header.
pub fn error_causes(data: &[u8]) {
    let causes = ErrorCauses::new(Bytes::copy_from_slice(data));
    assert!(causes.iter().count() <= data.len() / 4);
    assert!(
        causes
            .abort_reason()
            .is_none_or(|reason| reason.len() + 4 <= data.len())
    );
    let _ = format!("{causes:?}");
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    fn run_corpus(name: &str, target: fn(&[u8])) {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("fuzz/corpus")
            .join(name);
        let mut inputs = 0;
        for entry in fs::read_dir(&dir).unwrap() {
            target(&fs::read(entry.unwrap().path()).unwrap());
            inputs += 1;
        }
        assert!(inputs > 0, "no inputs in fuzz/corpus/{name}");
    }

    #[test]
    fn stored_inputs_violate_no_guarantee() {
        run_corpus("notification", super::notification);
        run_corpus("ancillary_data", super::ancillary_data);
        run_corpus("address_list", super::address_list);
        run_corpus("error_causes", super::error_causes);
    }
}
