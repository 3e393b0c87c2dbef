//! The application server process.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use m3ua::{M3uaMessage, MessageType, ProtocolData, error_code};
use sctp_examples::{
    address, line,
    m3ua_codec::{MAX_USER_DATA, data_stream, decode, status},
    program::{note, say, seconds},
    signal,
};
use sctp_service::{
    AssociationHandle, CallError, Cause, Config, ConnectInfo, Correlation, Handler,
    IncomingAssociation, Message, Ppid, Received, Router, ServerEvent, Shutdown, State,
    client::{Backoff, Remote},
    serve,
};
use sctp_tokio::{SctpListener, SocketBuilder};
use tower::service_fn;

use crate::{Result, codec, point_code};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The gateway's address, HOST:PORT; several are one multi-homed gateway
    #[arg(long, value_name = "ADDR", required = true)]
    connect: Vec<String>,
    /// Connect from this address, HOST:PORT
    #[arg(long, value_name = "ADDR")]
    local: Option<String>,
    /// Routing context of the application server
    #[arg(long, value_name = "N")]
    routing_context: u32,
    /// Point code of the application server
    #[arg(long, value_name = "PC", value_parser = point_code, default_value = "1")]
    pc: u32,
    /// Send a text to a point code, once active
    #[arg(long, value_name = "PC:TEXT", value_parser = text_to)]
    send: Vec<(u32, String)>,
    /// Network indicator of what is sent: 0 and 1 are international, 2 and 3 national
    #[arg(long, value_name = "NI", default_value_t = 2)]
    network_indicator: u8,
    /// Send a heartbeat when nothing was heard of the gateway for so long, and abort one that does not
    /// answer it
    #[arg(long, value_name = "SECONDS", value_parser = seconds, default_value = "30")]
    beat: Duration,
    /// Send a request again that has not been acknowledged after so long, T(ack)
    #[arg(long, value_name = "SECONDS", value_parser = seconds, default_value = "2")]
    ack_timeout: Duration,
}

fn text_to(argument: &str) -> std::result::Result<(u32, String), String> {
    let (pc, text) = argument.split_once(':').ok_or("expected PC:TEXT")?;
    if text.len() > MAX_USER_DATA {
        return Err(format!("the text is longer than {MAX_USER_DATA}"));
    }
    Ok((point_code(pc)?, text.to_owned()))
}

/// Number of times that a request is sent.
const ATTEMPTS: u32 = 3;
/// Pause before another association is set up.
const PAUSE: Duration = Duration::from_secs(1);

/// Service indicator of the texts: the testing user part of MTP, which no application has.
const TEXT: u8 = 8;

pub(crate) async fn run(args: Args) -> Result {
    let stop = signal::stop()?;
    let local = address::resolve(args.local.as_slice()).await?;
    let gateway = Remote::multi_homed(address::resolve(&args.connect).await?)
        .with_socket(SocketBuilder::new().with_local_addrs(local));
    let config = Config::new()
        .with_backoff(Backoff::new(PAUSE, PAUSE))
        // Its own requests bound the handshake.
        .with_handshake_timeout(Duration::MAX)
        // A request that was not acknowledged in time is sent again.
        .with_overdue_after(Duration::ZERO);
    let asp = Arc::new(Asp(args));
    let leaving = Arc::clone(&asp);
    let make_service = service_fn(move |incoming| Arc::clone(&asp).come_up(incoming));
    serve(None::<SctpListener>, make_service)
        .with_dial(gateway)
        .with_config(config)
        .with_correlation(Correlation::by_key(|_| codec::Acknowledgements))
        .on_drain(move |gateway| {
            let asp = Arc::clone(&leaving);
            async move { asp.leave(&gateway).await }
        })
        .on_event(|event| match event {
            ServerEvent::ConnectFailed { error, .. } => {
                note(format_args!("not connected: {error}"))
            }
            ServerEvent::Closed { end, reason, .. } => {
                say(format_args!("closed: {}", line::end(end, *reason)));
            }
            _ => {}
        })
        .with_graceful_shutdown(stop)
        .await;
    Ok(())
}

/// An application server process.
struct Asp(Args);

impl Asp {
    /// Takes the process up and active: on a new association, and after a restart of the gateway.
    async fn come_up(
        self: Arc<Self>,
        incoming: IncomingAssociation,
    ) -> std::result::Result<Router, Shutdown> {
        let context = Some(self.0.routing_context);
        for (request, state) in [
            (M3uaMessage::asp_up(None, None), "up"),
            (M3uaMessage::asp_active(None, context), "active"),
        ] {
            let send = |message| incoming.request_within(self.0.ack_timeout, message);
            ask(&request, send)
                .await
                .map_err(|error| refused(incoming.handle(), error))?;
            say(state);
        }
        let pc = self.0.pc;
        tokio::spawn(self.use_gateway(incoming.handle().clone()));
        let receive = receive.with_state(pc);
        Ok(Router::new()
            .route_service(Ppid::M3UA, receive.clone())
            .route_service(Ppid::UNSPECIFIED, receive))
    }

    /// Sends what there is to send, and watches the gateway until the association ends.
    async fn use_gateway(self: Arc<Self>, gateway: AssociationHandle) {
        let using = async {
            self.send_texts(&gateway).await;
            self.keep_alive(&gateway).await;
        };
        tokio::select! {
            biased; // what fails with the association has nothing to report
            _ = gateway.closed() => {}
            () = gateway.drain().started() => {}
            () = using => {}
        }
    }

    async fn send_texts(&self, gateway: &AssociationHandle) {
        let streams = gateway
            .connect_info()
            .map_or(1, ConnectInfo::outbound_streams);
        for (pc, text) in &self.0.send {
            let (own, indicator) = (self.0.pc, self.0.network_indicator);
            let data =
                ProtocolData::new(own, *pc, TEXT, indicator, 0, 0, text.clone().into_bytes());
            let stream = data_stream(&data, streams);
            let data = M3uaMessage::data(None, Some(self.0.routing_context), data, None);
            if let Err(error) = gateway.send(codec::on_stream(stream, &data)).await {
                return note(format_args!("not sent: {error}"));
            }
        }
    }

    /// Sends heartbeats to a silent gateway, and aborts one that does not answer.
    async fn keep_alive(&self, gateway: &AssociationHandle) {
        let beat = M3uaMessage::heartbeat(None);
        loop {
            gateway.silent_for(self.0.beat).await;
            let send = |message| gateway.request_within(self.0.ack_timeout, message);
            match ask(&beat, send).await {
                Ok(()) => say("heartbeat answered"),
                Err(error) => {
                    // It may have ended by itself.
                    let _ = gateway.shutdown(refused(gateway, error));
                    return;
                }
            }
        }
    }

    /// Takes the process out of traffic, and down. A gateway that does not answer is left all the same.
    async fn leave(&self, gateway: &AssociationHandle) {
        let context = Some(self.0.routing_context);
        for (request, state) in [
            (M3uaMessage::asp_inactive(context), "inactive"),
            (M3uaMessage::asp_down(None), "down"),
        ] {
            let send = |message| gateway.request_within(self.0.ack_timeout, message);
            match ask(&request, send).await {
                Ok(()) => say(state),
                Err(error) => return note(format_args!("error: {error}")),
            }
        }
    }
}

/// Ends the association with a gateway that does not do as it is asked, unless it ends anyway.
fn refused(gateway: &AssociationHandle, error: String) -> Shutdown {
    note(format_args!("error: {error}"));
    match gateway.is_closed() {
        true => Shutdown::AfterAck,
        false => Shutdown::abort(error),
    }
}

/// Sends a request until it is acknowledged, or refused.
async fn ask<F>(
    request: &M3uaMessage,
    mut send: impl FnMut(Message) -> F,
) -> std::result::Result<(), String>
where
    F: Future<Output = std::result::Result<Received, CallError>>,
{
    let mut attempts = 0;
    let answer = loop {
        attempts += 1;
        match send(codec::on_stream(0, request)).await {
            Ok(answer) => break answer,
            Err(error) if !matches!(error.cause(), Cause::TimedOut) => {
                return Err(error.to_string());
            }
            Err(_) if attempts == ATTEMPTS => return Err("no acknowledgement".to_owned()),
            Err(_) => {}
        }
    };
    let answer = decode(&answer.payload).map_err(|code| format!("malformed answer, {code}"))?;
    match answer.message_type {
        MessageType::Error => {
            let code = answer.error_code().unwrap_or_default();
            Err(format!(
                "{} is refused with code {code}",
                request.message_type
            ))
        }
        _ => Ok(()),
    }
}

/// Serves the gateway: whatever is no acknowledgement.
async fn receive(State(pc): State<u32>, octets: Bytes) -> Vec<Message> {
    let message = match decode(&octets) {
        Ok(message) => message,
        Err(code) => return codec::error(code, &octets),
    };
    match message.message_type {
        MessageType::Data => match message.protocol_data() {
            Ok(data) if data.dpc == pc => {
                let text = line::printable(&data.user_data);
                say(format_args!("data from {}: {text}", data.opc));
            }
            Ok(data) => say(format_args!("data for {}, not {pc}", data.dpc)),
            Err(_) => return codec::error(error_code::MISSING_PARAMETER, &octets),
        },
        MessageType::Notify => say(format_args!("notify {}", status(&message))),
        MessageType::Error => {
            say(format_args!(
                "error {}",
                message.error_code().unwrap_or_default()
            ));
        }
        MessageType::Heartbeat => return codec::beat_ack(&message),
        // What the gateway does unasked (4.3.4.2, 4.3.4.4).
        MessageType::AspInactiveAck => say("inactive"),
        MessageType::AspDownAck => say("down"),
        MessageType::Duna
        | MessageType::Dava
        | MessageType::Scon
        | MessageType::Drst
        | MessageType::Dupu => {
            for (_, pc) in message.affected_destinations() {
                say(format_args!("{} {pc}", message.message_type));
            }
        }
        MessageType::AspUpAck | MessageType::AspActiveAck | MessageType::HeartbeatAck => {}
        _ => return codec::error(error_code::UNEXPECTED_MESSAGE, &octets),
    }
    Vec::new()
}
