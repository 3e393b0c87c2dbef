//! The gNB.

use std::time::Duration;

use bytes::Bytes;
use oxirush_ngap::{
    NgapPduKind, build_ngap, extract_ngap_ies,
    helpers::{global_gnb_id, nr_cgi, s_nssai, tai},
    ngap::*,
};
use sctp_examples::{address, line, program::say};
use sctp_service::{Message, Ppid, Reply, Router, Shutdown, State, StreamId, serve_association};
use sctp_tokio::{Association, End, SocketBuilder};
use tokio::{sync::watch, time::timeout};

use crate::{Result, plmn};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The AMF's address, HOST:PORT; several are one multi-homed AMF
    #[arg(long, value_name = "ADDR", required = true)]
    connect: Vec<String>,
    /// The network of its cells, MCC-MNC
    #[arg(long, value_parser = plmn, default_value = "208-93")]
    plmn: PLMNIdentity,
    /// Number of terminals to register
    #[arg(long, value_name = "N", default_value_t = 1)]
    ues: u32,
}

/// The identity of the gNB, its length in bits, and its tracking area.
const GNB_ID: u32 = 0x1234;
const GNB_ID_LENGTH: u32 = 24;
const TAC: [u8; 3] = [0, 0, 1];

/// Time limit of NG Setup, and of the answers to all terminals.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) async fn run(args: Args) -> Result {
    let addrs = address::resolve(&args.connect).await?;
    let mut association = SocketBuilder::new().connect(&addrs).await?;
    let set_up = timeout(PATIENCE, set_up(&mut association, args.plmn)).await;
    set_up.map_err(|_| "NG Setup was not finished in time")??;

    let (released, mut releases) = watch::channel(0);
    let router = Router::new()
        .route(Ppid::NGAP, receive)
        .with_state(Terminals { released });
    let streams = association.outbound_streams();
    let mut node = serve_association(association, router);
    let amf = node.handle();
    let served = tokio::spawn(node.into_future());
    let register = async {
        for ue in 0..args.ues {
            let message = initial_message(args.plmn, ue)?;
            amf.send(on_stream(stream_of(ue, streams), message)).await?;
        }
        // An error means that the association has ended.
        let _ = releases.wait_for(|released| *released >= args.ues).await;
        Result::Ok(())
    };
    let registered = timeout(PATIENCE, register).await;
    amf.graceful_shutdown();
    let end = served.await?;
    let how = line::end(&end, amf.abort_reason().as_ref());
    say(format_args!("closed: {how}"));
    match registered {
        Ok(registered) => registered?,
        Err(_) => return Err("a terminal was not answered in time".into()),
    }
    judge(args.ues.saturating_sub(*releases.borrow()), &end, &how)
}

/// Returns an error if terminals are left, or the end was not in order.
fn judge(left: u32, end: &End, how: &str) -> Result {
    match left {
        0 if end.is_orderly() => Ok(()),
        0 => Err(format!("association not shut down: {how}").into()),
        _ => Err(format!("{left} terminals were not released: {how}").into()),
    }
}

/// Sets NG up. Nothing else may be sent before.
async fn set_up(association: &mut Association, plmn: PLMNIdentity) -> Result {
    let slices = SliceSupportList(vec![SliceSupportItem::new(s_nssai(1, None), None)]);
    let plmns = BroadcastPLMNList(vec![BroadcastPLMNItem::new(plmn, slices, None)]);
    let gnb = global_gnb_id(plmn, GNB_ID, GNB_ID_LENGTH)?;
    let request = build_ngap!(
        InitiatingMessage,
        NGSetup,
        NGSetupRequest,
        GlobalRANNodeID(GlobalRANNodeID::globalGNB_ID(gnb)),
        RANNodeName("gnb-1"),
        SupportedTAList(SupportedTAList(vec![SupportedTAItem::new(
            TAC.into(),
            plmns,
            None
        )])),
        DefaultPagingDRX(PagingDRX::v128),
    )?;
    let message = on_stream(StreamId::new(0), request.encode()?);
    association.send(message).await?;
    let answer = association.recv().await?;
    let answer = NGAP_PDU::decode(&answer.ok_or("the AMF has left")?.payload)?;
    match answer.kind() {
        NgapPduKind::Successful_NGSetup => {
            extract_ngap_ies!(answer, NGSetupResponse,
                lax name: String = AMFName(name) => name.0.into_owned(),
            );
            let name = name.unwrap_or_default();
            say(format_args!("set up with {name:?}"));
            Ok(())
        }
        NgapPduKind::Unsuccessful_NGSetup => {
            extract_ngap_ies!(answer, NGSetupFailure, req cause: Cause = Cause(cause) => cause,);
            say(format_args!("refused: {cause:?}"));
            let end = association.discard_until_closed().await?;
            Err(format!("refused by the AMF: {end}").into())
        }
        _ => Err(format!("expected an answer to NG Setup, not {answer}").into()),
    }
}

/// A terminal keeps its stream for as long as it is known: stream 0 is not for terminals (TS 38.412,
/// 7), and those that share another wait for each other.
fn stream_of(ue: u32, streams: u16) -> StreamId {
    let others = u32::from(streams.saturating_sub(1)).max(1);
    let stream = 1 + ue % others;
    StreamId::new(u16::try_from(stream).unwrap_or(1).min(streams - 1))
}

fn on_stream(stream: StreamId, octets: Vec<u8>) -> Message {
    Message::new(octets).on_stream(stream).with_ppid(Ppid::NGAP)
}

fn initial_message(plmn: PLMNIdentity, ue: u32) -> Result<Vec<u8>> {
    let cell = nr_cgi(plmn, GNB_ID, GNB_ID_LENGTH, 1)?;
    let location = UserLocationInformationNR::new(cell, tai(plmn, TAC), None, None);
    let message = build_ngap!(
        InitiatingMessage,
        InitialUEMessage,
        InitialUEMessage,
        RAN_UE_NGAP_ID(ue),
        NAS_PDU(REGISTRATION_REQUEST.to_vec()),
        UserLocationInformation(UserLocationInformation::userLocationInformationNR(location)),
        RRCEstablishmentCause(RRCEstablishmentCause::mo_Signalling),
    )?;
    Ok(message.encode()?)
}

/// A Registration Request of 5GMM (TS 24.501, 8.2.6): initial, with a SUCI of the null scheme.
const REGISTRATION_REQUEST: [u8; 17] = [
    0x7e, 0x00, 0x41, 0x79, 0x00, 0x0b, 0x01, 0x02, 0xf8, 0x39, 0x00, 0x00, 0x00, 0x00, 0x21, 0x43,
    0x65,
];

/// The terminals of the gNB, as far as its AMF speaks of them.
#[derive(Clone)]
struct Terminals {
    /// Number of those that it has released.
    released: watch::Sender<u32>,
}

/// Serves the AMF. Messages of one stream come here one after the other.
async fn receive(State(terminals): State<Terminals>, octets: Bytes) -> Reply {
    terminals.answer(&octets).unwrap_or_else(|error| {
        say(format_args!("error: {error}"));
        Reply::none().with_shutdown(Shutdown::abort("unexpected message"))
    })
}

impl Terminals {
    fn answer(&self, octets: &[u8]) -> Result<Reply> {
        let pdu = NGAP_PDU::decode(octets)?;
        match pdu.kind() {
            NgapPduKind::Initiating_DownlinkNASTransport => {
                extract_ngap_ies!(pdu, DownlinkNASTransport,
                    req ue: u32 = RAN_UE_NGAP_ID(id),
                    req nas: Vec<u8> = NAS_PDU(nas) => nas.0.to_vec(),
                );
                say(format_args!(
                    "terminal {ue} is answered with {} octets of NAS",
                    nas.len()
                ));
                Ok(Reply::none())
            }
            NgapPduKind::Initiating_UEContextRelease => {
                extract_ngap_ies!(pdu, UEContextReleaseCommand,
                    req ids: UENGAPIDs = UE_NGAP_IDs(ids) => ids,
                );
                let UENGAPIDs::uE_NGAP_ID_pair(pair) = ids else {
                    return Err("a release without the terminal's number".into());
                };
                say(format_args!(
                    "terminal {} is released",
                    pair.ran_ue_ngap_id.0
                ));
                let complete = build_ngap!(
                    SuccessfulOutcome,
                    UEContextRelease,
                    UEContextReleaseComplete,
                    AMF_UE_NGAP_ID(pair.amf_ue_ngap_id.0),
                    RAN_UE_NGAP_ID(pair.ran_ue_ngap_id.0),
                )?;
                let next = |released: &mut u32| *released = released.saturating_add(1);
                self.released.send_modify(next);
                Ok(Reply::new(complete.encode()?))
            }
            _ => Ok(Reply::none()),
        }
    }
}

#[cfg(test)]
mod tests {
    use sctp_tokio::{Side, sctp_core::ErrorCauses};

    use super::*;

    #[test]
    fn abnormal_end_fails_even_if_no_terminal_is_left() {
        let outcome = |left, end: End| judge(left, &end, "how").map_err(|error| error.to_string());
        let aborted = End::Aborted {
            by: Side::Peer,
            causes: ErrorCauses::default(),
        };
        assert_eq!(outcome(0, End::Shutdown { by: Side::Local }), Ok(()));
        let expected = Err("association not shut down: how".to_owned());
        assert_eq!(outcome(0, aborted.clone()), expected);
        let expected = Err("2 terminals were not released: how".to_owned());
        assert_eq!(outcome(2, aborted), expected);
    }
}
