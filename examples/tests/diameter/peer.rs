//! A peer that a test plays.

use std::net::Ipv4Addr;

use sctp_examples::diameter::{Avp, Header, Message, avp, command, result};
use sctp_tokio::{Association, Received, RecvError, SctpListener};

use crate::support::{Server, within};

/// An association with the node, and the identity that the test gives itself.
pub(crate) struct Peer {
    pub(crate) association: Association,
    identity: &'static str,
}

impl Peer {
    /// Connects, and says nothing.
    pub(crate) async fn connect(server: &Server, identity: &'static str) -> Self {
        let connected = within("connect", Association::connect(server.addr())).await;
        Self {
            association: connected.unwrap(),
            identity,
        }
    }

    /// Waits for the node to connect.
    pub(crate) async fn accept(listener: &mut SctpListener, identity: &'static str) -> Self {
        let accepted = within("accept", listener.accept()).await;
        Self {
            association: accepted.unwrap(),
            identity,
        }
    }

    /// Connects, and exchanges capabilities.
    pub(crate) async fn open(server: &Server, identity: &'static str) -> Self {
        let mut peer = Self::connect(server, identity).await;
        let answer = peer.ask(&peer.capabilities()).await;
        assert_eq!(answer.number(avp::RESULT_CODE), Some(result::SUCCESS));
        assert_eq!(answer.text(avp::ORIGIN_HOST), Some("node.example"));
        assert!(
            answer
                .get(avp::HOST_IP_ADDRESS)
                .unwrap()
                .address()
                .is_some()
        );
        peer
    }

    pub(crate) fn request(&self, code: u32, application: u32) -> Message {
        Message::request(code, application, 1)
            .with(Avp::of_text(avp::ORIGIN_HOST, self.identity))
            .with(Avp::of_text(avp::ORIGIN_REALM, "example"))
    }

    pub(crate) fn capabilities(&self) -> Message {
        let loopback = Ipv4Addr::LOCALHOST.into();
        self.request(command::CAPABILITIES_EXCHANGE, 0)
            .with(Avp::of_address(avp::HOST_IP_ADDRESS, loopback))
            .with(Avp::of_number(avp::VENDOR_ID, 0))
            .with(Avp::of_text(avp::PRODUCT_NAME, "test"))
            .with(Avp::of_number(avp::ACCT_APPLICATION_ID, 3))
    }

    pub(crate) fn accounting(&self, realm: &str) -> Message {
        self.request(command::ACCOUNTING, 3)
            .with(Avp::of_text(avp::SESSION_ID, "session"))
            .with(Avp::of_text(avp::DESTINATION_REALM, realm))
            .with(Avp::of_number(avp::ACCOUNTING_RECORD_TYPE, 1))
            .with(Avp::of_number(avp::ACCOUNTING_RECORD_NUMBER, 0))
    }

    pub(crate) async fn send(&self, octets: impl Into<Vec<u8>>) {
        // As many nodes do, it sends Diameter without its PPID.
        let message = sctp_tokio::Message::new(octets.into());
        let sent = within("send", self.association.send(message)).await;
        sent.unwrap();
    }

    async fn recv(&mut self) -> Result<Option<Received>, RecvError> {
        within("recv", self.association.recv()).await
    }

    pub(crate) async fn receive(&mut self) -> Message {
        let received = self.recv().await.unwrap().unwrap();
        Message::decode(received.payload).unwrap()
    }

    /// Answers a request with success.
    pub(crate) async fn answer(&self, request: &Message, answer: Message) {
        let mut answer = answer.with(Avp::of_number(avp::RESULT_CODE, result::SUCCESS));
        answer.header = request.header.answer();
        self.send(answer.encode().unwrap()).await;
    }

    pub(crate) async fn ask(&mut self, request: &Message) -> Message {
        self.ask_octets(request.encode().unwrap().to_vec()).await
    }

    pub(crate) async fn ask_octets(&mut self, octets: Vec<u8>) -> Message {
        let request = Header::peek(&octets).unwrap();
        self.send(octets).await;
        let answer = self.receive().await;
        check_answer(&request, &answer);
        answer
    }

    /// Answers watchdogs until a goodbye comes, or the answer to one.
    pub(crate) async fn next_goodbye(&mut self) -> Message {
        loop {
            let message = self.receive().await;
            if message.header.code == command::DISCONNECT_PEER {
                return message;
            }
            assert_eq!(message.header.code, command::DEVICE_WATCHDOG);
            let answer = self.request(command::DEVICE_WATCHDOG, 0);
            self.answer(&message, answer).await;
        }
    }

    /// Says goodbye, and waits for the answer.
    pub(crate) async fn say_goodbye(&mut self, cause: u32) {
        let goodbye = self
            .request(command::DISCONNECT_PEER, 0)
            .with(Avp::of_number(avp::DISCONNECT_CAUSE, cause));
        self.send(goodbye.encode().unwrap()).await;
        let answer = self.next_goodbye().await;
        check_answer(&goodbye.header, &answer);
        assert_eq!(answer.number(avp::RESULT_CODE), Some(result::SUCCESS));
    }

    /// Ends the association in order.
    pub(crate) async fn shutdown(&mut self) {
        let ended = within("shutdown", self.association.shutdown()).await;
        ended.unwrap();
    }

    /// Says goodbye, and ends the association.
    pub(crate) async fn leave(&mut self, cause: u32) {
        self.say_goodbye(cause).await;
        self.shutdown().await;
    }

    /// Sends a watchdog request with an AVP, as these octets, and returns the result and the code of
    /// the Failed-AVP.
    pub(crate) async fn watchdog_with(&mut self, octets: &[u8]) -> (u32, Option<u32>) {
        let mut request = self
            .request(command::DEVICE_WATCHDOG, 0)
            .encode()
            .unwrap()
            .to_vec();
        request.extend(octets);
        request.resize(request.len().next_multiple_of(4), 0);
        let length = u32::try_from(request.len()).unwrap().to_be_bytes();
        request[1..4].copy_from_slice(&length[1..]);
        let answer = self.ask_octets(request).await;
        let failed = answer.get(avp::FAILED_AVP);
        let failed = failed.map(|avp| u32::from_be_bytes(*avp.data.first_chunk().unwrap()));
        (answer.number(avp::RESULT_CODE).unwrap(), failed)
    }

    /// Expects the node to end the association in order.
    pub(crate) async fn expect_shutdown(&mut self) {
        assert!(self.recv().await.unwrap().is_none());
    }

    /// Expects an abort with a reason.
    pub(crate) async fn expect_abort(&mut self, reason: &str) {
        match self.recv().await {
            Err(RecvError::Closed(end)) => assert_eq!(end.reason().unwrap(), reason),
            other => panic!("it is not closed: {other:?}"),
        }
    }
}

/// Expects the answer to a request.
#[track_caller]
fn check_answer(request: &Header, answer: &Message) {
    assert!(!answer.header.is_request());
    assert_eq!(answer.header.code, request.code);
    assert_eq!(answer.header.hop_by_hop, request.hop_by_hop);
    assert_eq!(answer.header.end_to_end, request.end_to_end);
    let is_error = answer.header.flags & Header::ERROR != 0;
    let result = answer.number(avp::RESULT_CODE).unwrap();
    assert_eq!(is_error, result::is_protocol_error(result), "{result}");
}
