//! The messages of a node, and the calls that their answers belong to.

use std::{
    error::Error,
    net::IpAddr,
    sync::atomic::{AtomicU32, Ordering},
    time::{SystemTime, UNIX_EPOCH},
};

use bytes::BytesMut;
use sctp_service::{ConnectInfo, Correlator, Identity, Ppid, Received, Waiting};

use sctp_examples::diameter::{Avp, Fault, Header, Message, TooLong, avp, command, result};

/// The application of accounting (section 9).
pub(crate) const ACCOUNTING: u32 = 3;
/// The security of an association without TLS.
pub(crate) const NO_INBAND_SECURITY: u32 = 0;
/// The Accounting-Record-Type of something that does not last.
const EVENT_RECORD: u32 = 1;

/// Identity of a node, and the numbers of its messages.
pub(crate) struct Origin {
    pub(crate) host: String,
    pub(crate) realm: String,
    /// Increases with each start (8.16).
    state_id: u32,
    last_end_to_end: AtomicU32,
    last_session: AtomicU32,
}

impl Origin {
    pub(crate) fn new(host: String, realm: String) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = now.unwrap_or_default();
        // The low bits of the time, and something that differs after a restart in the same second (3).
        let seconds = u32::try_from(now.as_secs() & u64::from(u32::MAX)).unwrap_or_default();
        let end_to_end = seconds << 20 | now.subsec_nanos() >> 10;
        Self {
            host,
            realm,
            state_id: seconds,
            last_end_to_end: AtomicU32::new(end_to_end),
            last_session: AtomicU32::new(0),
        }
    }

    fn request(&self, code: u32, application: u32) -> Message {
        let end_to_end = self.last_end_to_end.fetch_add(1, Ordering::Relaxed);
        Message::request(code, application, end_to_end.wrapping_add(1))
    }

    fn sign(&self, message: Message) -> Message {
        message
            .with(Avp::of_text(avp::ORIGIN_HOST, &self.host))
            .with(Avp::of_text(avp::ORIGIN_REALM, &self.realm))
    }

    pub(crate) fn capabilities_request(&self, info: &ConnectInfo) -> Message {
        let request = self.request(command::CAPABILITIES_EXCHANGE, 0);
        self.capabilities(self.sign(request), info)
    }

    /// Adds what a node is and can.
    pub(crate) fn capabilities(&self, message: Message, info: &ConnectInfo) -> Message {
        let addresses = info.local_addrs().iter().map(|addr| addr.ip());
        let addresses = addresses.map(|ip: IpAddr| Avp::of_address(avp::HOST_IP_ADDRESS, ip));
        addresses
            .fold(message, Message::with)
            .with(Avp::of_number(avp::VENDOR_ID, 0))
            .with(Avp::of_text(avp::PRODUCT_NAME, "sctp-service example"))
            .with(Avp::of_number(avp::ORIGIN_STATE_ID, self.state_id))
            .with(Avp::of_number(avp::INBAND_SECURITY_ID, NO_INBAND_SECURITY))
            .with(Avp::of_number(avp::ACCT_APPLICATION_ID, ACCOUNTING))
            .with(Avp::of_number(avp::FIRMWARE_REVISION, 1))
    }

    pub(crate) fn watchdog_request(&self) -> Message {
        self.sign(self.request(command::DEVICE_WATCHDOG, 0))
            .with(Avp::of_number(avp::ORIGIN_STATE_ID, self.state_id))
    }

    pub(crate) fn disconnect_request(&self, cause: Cause) -> Message {
        self.sign(self.request(command::DISCONNECT_PEER, 0))
            .with(Avp::of_number(avp::DISCONNECT_CAUSE, cause as u32))
    }

    /// Makes an accounting record of a single event, for whoever has it in a realm.
    pub(crate) fn accounting_request(&self, realm: &str) -> Message {
        let session = self.last_session.fetch_add(1, Ordering::Relaxed) + 1;
        let session = format!("{};{};{session}", self.host, self.state_id);
        let mut request = self.request(command::ACCOUNTING, ACCOUNTING);
        request.header.flags |= Header::PROXIABLE;
        self.sign(request.with(Avp::of_text(avp::SESSION_ID, &session)))
            .with(Avp::of_text(avp::DESTINATION_REALM, realm))
            .with(Avp::of_number(avp::ACCOUNTING_RECORD_TYPE, EVENT_RECORD))
            .with(Avp::of_number(avp::ACCOUNTING_RECORD_NUMBER, 0))
            .with(Avp::of_number(avp::ACCT_APPLICATION_ID, ACCOUNTING))
    }

    /// Begins the answer to a request: with its session, the result, and what proxies put in.
    pub(crate) fn answer(&self, request: &Message, result: u32) -> Message {
        let header = request.header.answer();
        let mut answer = Message {
            header,
            avps: request.get(avp::SESSION_ID).cloned().into_iter().collect(),
        };
        if result::is_protocol_error(result) {
            answer.header.flags |= Header::ERROR;
        }
        answer = self.sign(answer.with(Avp::of_number(avp::RESULT_CODE, result)));
        let proxies = request.avps.iter();
        let proxies = proxies.filter(|avp| avp.code == avp::PROXY_INFO && avp.vendor.is_none());
        proxies.cloned().fold(answer, Message::with)
    }

    /// Makes the answer to a request that has a fault.
    pub(crate) fn refusal(&self, request: &Message, fault: Fault) -> Message {
        let answer = self.answer(request, fault.result);
        match fault
            .failed
            .map(|avp| Avp::of_group(avp::FAILED_AVP, &[avp]))
        {
            Some(Ok(failed)) => answer.with(failed),
            Some(Err(TooLong)) | None => answer,
        }
    }
}

/// Reason of a node for leaving (5.4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    Rebooting = 0,
    Busy = 1,
    DoNotWantToTalkToYou = 2,
}

impl Cause {
    pub(crate) fn of(request: &Message) -> Option<Self> {
        match request.number(avp::DISCONNECT_CAUSE)? {
            0 => Some(Self::Rebooting),
            1 => Some(Self::Busy),
            _ => Some(Self::DoNotWantToTalkToYou),
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Rebooting => "REBOOTING",
            Self::Busy => "BUSY",
            Self::DoNotWantToTalkToYou => "DO_NOT_WANT_TO_TALK_TO_YOU",
        }
    }
}

/// Puts a message on stream 0.
pub(crate) fn on_wire(message: &Message) -> Result<sctp_service::Message, TooLong> {
    let octets = message.encode()?;
    Ok(sctp_service::Message::new(octets).with_ppid(Ppid::DIAMETER))
}

/// Finds the call of an answer by its Hop-by-Hop Identifier, and spreads accounting over the
/// streams: a lost message holds up few others. All else stays on stream 0.
pub(crate) struct HopByHop {
    streams: u16,
}

impl HopByHop {
    pub(crate) fn new(info: &ConnectInfo) -> Self {
        Self {
            streams: info.outbound_streams().max(1),
        }
    }
}

impl Correlator for HopByHop {
    type Key = u32;

    fn stamp(
        &mut self,
        number: u32,
        message: &mut sctp_service::Message,
    ) -> Result<u32, Box<dyn Error + Send + Sync>> {
        let header = Header::peek(&message.payload).ok_or("a message without a header")?;
        if header.code == command::ACCOUNTING {
            let stream = number % u32::from(self.streams);
            message.info.stream = u16::try_from(stream)?.into();
        }
        let mut octets = BytesMut::from(&message.payload[..]);
        octets[Header::HOP_BY_HOP].copy_from_slice(&number.to_be_bytes());
        message.payload = octets.freeze();
        Ok(number)
    }

    fn identify(&mut self, received: &Received, _: Waiting<'_, u32>) -> Identity<u32> {
        match Header::peek(&received.payload) {
            Some(header) if !header.is_request() => Identity::Reply(header.hop_by_hop),
            _ => Identity::Request,
        }
    }
}
