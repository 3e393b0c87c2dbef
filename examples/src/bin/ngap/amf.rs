//! The AMF.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use oxirush_ngap::{
    Deviation, NgapPduKind, build_ngap, extract_ngap_ies,
    helpers::{guami, s_nssai},
    ngap::*,
};
use sctp_examples::{
    address, line,
    program::{say, seconds},
    signal,
};
use sctp_service::{
    AssociationHandle, IncomingAssociation, Ppid, Reply, Router, ServerEvent, Shutdown, State,
    serve,
};
use sctp_tokio::SocketBuilder;
use tokio::time::sleep;
use tower::service_fn;

use crate::{Result, plmn};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Listen on this address, HOST:PORT; port 0 lets the kernel choose one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:38412")]
    listen: String,
    /// The network that it serves, MCC-MNC
    #[arg(long, value_parser = plmn, default_value = "208-93")]
    plmn: PLMNIdentity,
    /// Abort gNBs that have not been set up after so long
    #[arg(long, value_name = "SECONDS", value_parser = seconds, default_value = "10")]
    setup_timeout: Duration,
}

/// The part of the AMF that all gNBs share.
struct Amf {
    plmn: PLMNIdentity,
    setup_timeout: Duration,
    /// The last AMF UE NGAP ID that was given.
    last_ue: AtomicU64,
}

/// A gNB, on one association.
struct Gnb {
    amf: Arc<Amf>,
    /// Its name, once NG is set up.
    name: OnceLock<String>,
}

pub(crate) async fn run(args: Args) -> Result {
    let stop = signal::stop()?;
    let addrs = address::resolve(&[args.listen]).await?;
    let listener = SocketBuilder::new().with_local_addrs(addrs).listen()?;
    let amf = Arc::new(Amf {
        plmn: args.plmn,
        setup_timeout: args.setup_timeout,
        last_ue: AtomicU64::new(0),
    });
    // A message of another protocol has no route, and is answered with an ABORT.
    let make_service = service_fn(move |incoming: IncomingAssociation| {
        let gnb = Arc::new(Gnb {
            amf: Arc::clone(&amf),
            name: OnceLock::new(),
        });
        tokio::spawn(Arc::clone(&gnb).expect_setup(incoming.handle().clone()));
        let router = Router::new().route(Ppid::NGAP, receive).with_state(gnb);
        async { Ok::<_, Shutdown>(router) }
    });
    let server = serve(listener, make_service).on_event(|event| {
        if let ServerEvent::Closed { end, reason, .. } = event {
            say(format_args!("closed: {}", line::end(end, *reason)));
        }
    });
    for addr in server.local_addrs()? {
        say(format_args!("listening on {addr}"));
    }
    server.with_graceful_shutdown(stop).await;
    Ok(())
}

async fn receive(State(gnb): State<Arc<Gnb>>, octets: Bytes) -> Reply {
    gnb.answer(&octets).unwrap_or_else(|error| {
        // Only an answer of ours that does not encode comes here.
        say(format_args!("internal error: {error}"));
        Reply::none().with_shutdown(Shutdown::abort("internal error"))
    })
}

impl Gnb {
    /// Aborts the association if NG is not set up in time. Ends with it.
    async fn expect_setup(self: Arc<Self>, association: AssociationHandle) {
        tokio::select! {
            _ = association.closed() => return,
            () = sleep(self.amf.setup_timeout) => {}
        }
        if self.name.get().is_none() {
            // It may have ended by itself.
            let _ = association.shutdown(Shutdown::abort("no NG Setup"));
        }
    }

    /// Answers a message. Replies go out on the stream that it came on: stream 0 for what is about
    /// the gNB, a stream of the gNB's choice for each terminal.
    fn answer(&self, octets: &[u8]) -> Result<Reply> {
        let Ok(pdu) = NGAP_PDU::decode(octets) else {
            return error_indication(CauseProtocol::transfer_syntax_error);
        };
        match pdu.kind() {
            NgapPduKind::Initiating_NGSetup => self.set_up(&pdu),
            NgapPduKind::Initiating_ErrorIndication => {
                say("error indication");
                Ok(Reply::none())
            }
            _ if self.name.get().is_none() => {
                error_indication(CauseProtocol::message_not_compatible_with_receiver_state)
            }
            NgapPduKind::Initiating_InitialUEMessage => self.reject_registration(&pdu),
            NgapPduKind::Successful_UEContextRelease => Ok(Reply::none()),
            _ => not_comprehended(&pdu),
        }
    }

    fn set_up(&self, request: &NGAP_PDU) -> Result<Reply> {
        let deviations = request.check().unwrap_or_default();
        if let Some(cause) = deviations.iter().find_map(Deviation::cause) {
            let failure = build_ngap!(
                UnsuccessfulOutcome,
                NGSetup,
                NGSetupFailure,
                Cause(Cause::protocol(cause)),
                CriticalityDiagnostics(request.criticality_diagnostics_for_response(&deviations)),
            )?;
            return refuse(Cause::protocol(cause), &failure);
        }
        let Ok((name, areas)) = read_setup(request) else {
            return error_indication(CauseProtocol::abstract_syntax_error_reject);
        };
        let plmn = self.amf.plmn;
        let mut plmns = areas.0.iter().flat_map(|area| &area.broadcast_plmn_list.0);
        if !plmns.any(|item| item.plmn_identity == plmn) {
            let cause = Cause::misc(CauseMisc::unknown_PLMN_or_SNPN);
            let failure = build_ngap!(
                UnsuccessfulOutcome,
                NGSetup,
                NGSetupFailure,
                Cause(cause.clone()),
            )?;
            return refuse(cause, &failure);
        }
        // A second NG Setup erases what was agreed in the first (8.7.1.1), which here is a name.
        let name = self.name.get_or_init(|| line::printable(name.as_bytes()));
        say(format_args!("set up {name}"));
        let slices = SliceSupportList(vec![SliceSupportItem::new(s_nssai(1, None), None)]);
        let response = build_ngap!(
            SuccessfulOutcome,
            NGSetup,
            NGSetupResponse,
            AMFName("amf-1"),
            ServedGUAMIList(ServedGUAMIList(vec![ServedGUAMIItem::new(
                guami(plmn, 1, 1, 0)?,
                None,
                None
            )])),
            RelativeAMFCapacity(RelativeAMFCapacity(255)),
            PLMNSupportList(PLMNSupportList(vec![PLMNSupportItem::new(
                plmn, slices, None
            )])),
        )?;
        Ok(Reply::new(encode(&response)?))
    }

    /// Rejects a terminal, since nothing is behind this AMF: a Registration Reject, and then the
    /// end of its context. Both go out on one stream, so they arrive in this order.
    fn reject_registration(&self, message: &NGAP_PDU) -> Result<Reply> {
        let Ok(ran_ue) = read_ran_ue(message) else {
            return error_indication(CauseProtocol::abstract_syntax_error_reject);
        };
        let amf_ue = self.amf.last_ue.fetch_add(1, Ordering::Relaxed) + 1;
        say(format_args!("terminal {ran_ue} rejected"));
        let reject = build_ngap!(
            InitiatingMessage,
            DownlinkNASTransport,
            DownlinkNASTransport,
            AMF_UE_NGAP_ID(amf_ue),
            RAN_UE_NGAP_ID(ran_ue),
            NAS_PDU(REGISTRATION_REJECT.to_vec()),
        )?;
        let pair = UENGAPIDPair::new(AMFUENGAPID(amf_ue), RANUENGAPID(ran_ue), None);
        let release = build_ngap!(
            InitiatingMessage,
            UEContextRelease,
            UEContextReleaseCommand,
            UE_NGAP_IDs(UENGAPIDs::uE_NGAP_ID_pair(pair)),
            Cause(Cause::nas(CauseNas::normal_release)),
        )?;
        Ok(Reply::new(encode(&reject)?).with_message(encode(&release)?))
    }
}

/// A Registration Reject of 5GMM (TS 24.501, 8.2.9), with the cause 22, congestion.
const REGISTRATION_REJECT: [u8; 4] = [0x7e, 0x00, 0x44, 22];

fn read_setup(request: &NGAP_PDU) -> Result<(String, SupportedTAList)> {
    extract_ngap_ies!(request, NGSetupRequest,
        lax name: String = RANNodeName(name) => name.0.into_owned(),
        req areas: SupportedTAList = SupportedTAList(areas) => areas,
    );
    Ok((name.unwrap_or_else(|| "a gNB".to_owned()), areas))
}

fn read_ran_ue(message: &NGAP_PDU) -> Result<u32> {
    extract_ngap_ies!(message, InitialUEMessage,
        req ran_ue: u32 = RAN_UE_NGAP_ID(id),
    );
    Ok(ran_ue)
}

/// Refuses a gNB: it gets the failure for certain, and then an orderly end.
fn refuse(cause: Cause, failure: &NGAP_PDU) -> Result<Reply> {
    say(format_args!("refused: {cause:?}"));
    Ok(Reply::new(encode(failure)?).with_shutdown(Shutdown::AfterAck))
}

/// Answers a procedure that this AMF does not have, by its criticality (10.3.4.1).
fn not_comprehended(pdu: &NGAP_PDU) -> Result<Reply> {
    match pdu.criticality() {
        Criticality::ignore => Ok(Reply::none()),
        Criticality::notify => {
            error_indication(CauseProtocol::abstract_syntax_error_ignore_and_notify)
        }
        Criticality::reject => error_indication(CauseProtocol::abstract_syntax_error_reject),
    }
}

fn error_indication(cause: CauseProtocol) -> Result<Reply> {
    say(format_args!("error: {cause:?}"));
    let indication = build_ngap!(
        InitiatingMessage,
        ErrorIndication,
        ErrorIndication,
        Cause(Cause::protocol(cause)),
    )?;
    Ok(Reply::new(encode(&indication)?))
}

fn encode(pdu: &NGAP_PDU) -> Result<Vec<u8>> {
    Ok(pdu.encode()?)
}
