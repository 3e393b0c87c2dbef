//! The rules for the requests of peers, and the answers to them.

use bytes::Bytes;
use sctp_examples::diameter::{Avp, Fault, Message, avp, command, find, result};
use sctp_service::ConnectInfo;

use crate::messages::{ACCOUNTING, NO_INBAND_SECURITY, Origin};

/// The application of relays, which have all others.
const RELAY: u32 = 0xffff_ffff;

/// Decodes a request. Returns an empty one instead where only its header could be read, and its fault.
pub(crate) fn decode_request(octets: Bytes) -> Result<Message, Option<(Message, Fault)>> {
    Message::decode(octets).map_err(|malformed| {
        let header = malformed.header?;
        let avps = Vec::new();
        Some((Message { header, avps }, malformed.fault))
    })
}

/// Makes the answer to a request of an open peer.
pub(crate) fn answer(origin: &Origin, info: &ConnectInfo, request: &Message) -> Message {
    let checked = match request.header.code {
        command::CAPABILITIES_EXCHANGE | command::DEVICE_WATCHDOG | command::DISCONNECT_PEER
            if request.header.application != 0 =>
        {
            Err(Fault::new(result::APPLICATION_UNSUPPORTED))
        }
        command::CAPABILITIES_EXCHANGE => Ok(()),
        command::DEVICE_WATCHDOG => check_base(request, &[]),
        command::DISCONNECT_PEER => check_base(request, &[avp::DISCONNECT_CAUSE]),
        command::ACCOUNTING => check_accounting(origin, request),
        _ => Err(Fault::new(result::COMMAND_UNSUPPORTED)),
    };
    if let Err(fault) = checked {
        return origin.refusal(request, fault);
    }
    let answer = origin.answer(request, result::SUCCESS);
    match request.header.code {
        command::CAPABILITIES_EXCHANGE => origin.capabilities(answer, info),
        command::ACCOUNTING => [
            avp::ACCOUNTING_RECORD_TYPE,
            avp::ACCOUNTING_RECORD_NUMBER,
            avp::ACCT_APPLICATION_ID,
        ]
        .iter()
        .filter_map(|code| request.get(*code).cloned())
        .fold(answer, Message::with),
        _ => answer,
    }
}

/// Checks a request of the base protocol, with these AVPs and its origin.
fn check_base(request: &Message, required: &[u32]) -> Result<(), Fault> {
    let required = [&[avp::ORIGIN_HOST, avp::ORIGIN_REALM], required].concat();
    request.require(&required)?;
    request.at_most_once(&required)
}

/// Checks a request of the application.
fn check_accounting(origin: &Origin, request: &Message) -> Result<(), Fault> {
    if request.header.application != ACCOUNTING {
        return Err(Fault::new(result::APPLICATION_UNSUPPORTED));
    }
    let once = [
        avp::SESSION_ID,
        avp::ORIGIN_HOST,
        avp::ORIGIN_REALM,
        avp::DESTINATION_REALM,
        avp::ACCOUNTING_RECORD_TYPE,
        avp::ACCOUNTING_RECORD_NUMBER,
    ];
    request.require(&once)?;
    request.at_most_once(&once)?;
    let is_ours = |code, name: &str| {
        let named = request.text(code);
        named.is_none_or(|named| named.eq_ignore_ascii_case(name))
    };
    if !is_ours(avp::DESTINATION_REALM, &origin.realm) {
        return Err(Fault::new(result::REALM_NOT_SERVED));
    }
    if !is_ours(avp::DESTINATION_HOST, &origin.host) {
        return Err(Fault::new(result::UNABLE_TO_DELIVER));
    }
    Ok(())
}

/// Checks the capabilities of a peer, of a request or a successful answer, and returns its identity
/// and realm.
pub(crate) fn check_capabilities(message: &Message) -> Result<(String, String), Fault> {
    let required = [
        avp::ORIGIN_HOST,
        avp::ORIGIN_REALM,
        avp::HOST_IP_ADDRESS,
        avp::VENDOR_ID,
        avp::PRODUCT_NAME,
    ];
    message.require(&required)?;
    message.at_most_once(&[avp::ORIGIN_HOST, avp::ORIGIN_REALM, avp::VENDOR_ID])?;
    let mut applications = Vec::new();
    let mut securities = Vec::new();
    for avp in message.avps.iter().filter(|avp| avp.vendor.is_none()) {
        match avp.code {
            avp::ACCT_APPLICATION_ID | avp::AUTH_APPLICATION_ID => {
                applications.extend(avp.number())
            }
            avp::VENDOR_SPECIFIC_APPLICATION_ID => {
                let group = avp.group()?;
                let accounting = find(&group, avp::ACCT_APPLICATION_ID);
                applications.extend(accounting.and_then(Avp::number));
            }
            avp::INBAND_SECURITY_ID => securities.extend(avp.number()),
            _ => {}
        }
    }
    if !applications
        .iter()
        .any(|id| [ACCOUNTING, RELAY].contains(id))
    {
        return Err(Fault::new(result::NO_COMMON_APPLICATION));
    }
    if !securities.is_empty() && !securities.contains(&NO_INBAND_SECURITY) {
        return Err(Fault::new(result::NO_COMMON_SECURITY));
    }
    let text = |code| message.text(code).unwrap_or_default().to_ascii_lowercase();
    Ok((text(avp::ORIGIN_HOST), text(avp::ORIGIN_REALM)))
}
