//! The application server process.

use std::{net::SocketAddr, pin::Pin, time::Duration};

use bytes::Bytes;
use m3ua::{M3uaMessage, MessageType, ProtocolData, error_code};
use sctp_examples::{
    address, line,
    program::{say, seconds},
    signal,
};
use sctp_service::{
    AssociationHandle, Config, Correlation, Handler, Reply, Shutdown, State, serve_association,
};
use sctp_tokio::{Association, End, SocketBuilder};
use tokio::time::{MissedTickBehavior, interval, sleep};

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
    /// Send a heartbeat every so often, and abort a gateway that does not answer it
    #[arg(long, value_name = "SECONDS", value_parser = seconds, default_value = "30")]
    beat: Duration,
    /// Send a request again that has not been acknowledged after so long, T(ack)
    #[arg(long, value_name = "SECONDS", value_parser = seconds, default_value = "2")]
    ack_timeout: Duration,
}

fn text_to(argument: &str) -> std::result::Result<(u32, String), String> {
    let (pc, text) = argument.split_once(':').ok_or("it is PC:TEXT")?;
    if text.len() > codec::MAX_USER_DATA {
        return Err(format!("the text is longer than {}", codec::MAX_USER_DATA));
    }
    Ok((point_code(pc)?, text.to_owned()))
}

/// Number of times that a request is sent.
const ATTEMPTS: u32 = 3;
/// Pause before another association is set up.
const PAUSE: Duration = Duration::from_secs(1);

/// Service indicator of the texts: the testing user part of MTP, which no application has.
const TEXT: u8 = 8;

type Stop = Pin<Box<dyn Future<Output = ()> + Send>>;

pub(crate) async fn run(args: Args) -> Result {
    let mut stop: Stop = Box::pin(signal::stop()?);
    let peer = address::resolve(&args.connect).await?;
    let local: Vec<SocketAddr> = address::resolve(args.local.as_slice()).await?;
    let socket = SocketBuilder::new().bind(local);
    loop {
        tokio::select! {
            connected = socket.connect(&peer) => match connected {
                Ok(association) => {
                    if serve(association, &args, &mut stop).await? {
                        return Ok(());
                    }
                }
                Err(error) => say(format_args!("not connected: {error}")),
            },
            () = &mut stop => return Ok(()),
        }
        tokio::select! {
            () = sleep(PAUSE) => {}
            () = &mut stop => return Ok(()),
        }
    }
}

/// Uses an association to its end. Returns `true` if this process is to stop.
async fn serve(association: Association, args: &Args, stop: &mut Stop) -> Result<bool> {
    let streams = association.outbound_streams();
    let mut node = serve_association(association, receive.with_state(args.pc))
        // What was not acknowledged in time is sent again.
        .with_config(Config::new().with_overdue_after(Duration::ZERO))
        .with_correlation(Correlation::by_key(|_| codec::Acknowledgements));
    let gateway = node.handle();
    let served = tokio::spawn(node.into_future());
    tokio::select! {
        Err(error) = use_gateway(&gateway, args, streams) => {
            say(format_args!("error: {error}"));
            // It may have ended by itself.
            let _ = gateway.shutdown(Shutdown::abort("no acknowledgement"));
        }
        _ = gateway.closed() => {}
        () = stop => {
            leave(&gateway, args).await;
            gateway.graceful_shutdown();
            closed(&served.await?);
            return Ok(true);
        }
    }
    closed(&served.await?);
    Ok(false)
}

fn closed(end: &End) {
    say(format_args!("closed: {end}"));
}

/// Takes the process up and active, sends what there is to send, and watches the gateway.
async fn use_gateway(gateway: &AssociationHandle, args: &Args, streams: u16) -> Result {
    let context = Some(args.routing_context);
    ask(gateway, args, &M3uaMessage::asp_up(None, None)).await?;
    say("up");
    ask(gateway, args, &M3uaMessage::asp_active(None, context)).await?;
    say("active");
    for (pc, text) in &args.send {
        let text = text.clone().into_bytes();
        let data = ProtocolData::new(args.pc, *pc, TEXT, args.network_indicator, 0, 0, text);
        let stream = codec::data_stream(&data, streams);
        let data = M3uaMessage::data(None, context, data, None);
        gateway.send(codec::on_stream(stream, &data)).await?;
    }
    let mut beats = interval(args.beat);
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    beats.tick().await;
    loop {
        beats.tick().await;
        ask(gateway, args, &M3uaMessage::heartbeat(None)).await?;
    }
}

/// Takes the process out of traffic, and down. A gateway that does not answer is left all the same.
async fn leave(gateway: &AssociationHandle, args: &Args) {
    let context = Some(args.routing_context);
    for (request, state) in [
        (M3uaMessage::asp_inactive(context), "inactive"),
        (M3uaMessage::asp_down(None), "down"),
    ] {
        match ask(gateway, args, &request).await {
            Ok(()) => say(state),
            Err(error) => return say(format_args!("error: {error}")),
        }
    }
}

/// Sends a request until it is acknowledged, or refused.
async fn ask(gateway: &AssociationHandle, args: &Args, request: &M3uaMessage) -> Result {
    let mut attempts = 0;
    let answer = loop {
        attempts += 1;
        let message = codec::on_stream(0, request);
        match gateway.request_within(args.ack_timeout, message).await {
            Ok(answer) => break answer,
            Err(error) if attempts == ATTEMPTS || gateway.is_closed() => return Err(error.into()),
            Err(_) => {}
        }
    };
    let answer =
        codec::decode(&answer.payload).map_err(|code| format!("malformed answer, {code}"))?;
    match answer.message_type {
        MessageType::Error => {
            let code = answer.error_code().unwrap_or_default();
            Err(format!("{} is refused with code {code}", request.message_type).into())
        }
        _ => Ok(()),
    }
}

/// Serves the gateway: whatever is no acknowledgement.
async fn receive(State(pc): State<u32>, octets: Bytes) -> Reply {
    let message = match codec::decode(&octets) {
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
        MessageType::Notify => say(format_args!("notify {}", codec::status(&message))),
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
    Reply::none()
}
