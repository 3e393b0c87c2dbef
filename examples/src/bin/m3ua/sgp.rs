//! The signalling gateway process.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use m3ua::{M3uaMessage, MessageType, error_code, status, traffic_mode};
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

use crate::{Result, codec, point_code};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Listen on this address, HOST:PORT; several make the gateway multi-homed
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:2905")]
    listen: Vec<String>,
    /// Point code that an application server has, and the server's routing context. Without routes,
    /// a point code is where data came from last
    #[arg(long, value_name = "PC:N", value_parser = route)]
    route: Vec<(u32, u32)>,
    /// Abort processes that are not up after so long
    #[arg(long, value_name = "SECONDS", value_parser = seconds, default_value = "10")]
    up_timeout: Duration,
}

fn route(argument: &str) -> std::result::Result<(u32, u32), String> {
    let (pc, context) = argument.split_once(':').ok_or("it is PC:N")?;
    let context = context.parse().map_err(|_| "N is a number")?;
    Ok((point_code(pc)?, context))
}

/// The gateway: its routes, and the processes that are connected.
struct Gateway {
    routes: BTreeMap<u32, u32>,
    up_timeout: Duration,
    processes: Mutex<Vec<Arc<Process>>>,
}

/// An application server process, on one association.
struct Process {
    gateway: Arc<Gateway>,
    name: String,
    association: AssociationHandle,
    streams: u16,
    state: Mutex<ProcessState>,
}

#[derive(Default)]
struct ProcessState {
    is_up: bool,
    /// `None` while it is not active. Empty if it named no context, which stands for all of them.
    contexts: Option<BTreeSet<u32>>,
    /// Point codes that data came from, up to [`MAX_ORIGINS`].
    origins: BTreeSet<u32>,
}

/// Most point codes that one process is known to have.
const MAX_ORIGINS: usize = 256;

pub(crate) async fn run(args: Args) -> Result {
    let stop = signal::stop()?;
    let addrs = address::resolve(&args.listen).await?;
    let listener = SocketBuilder::new().bind(addrs).listen()?;
    let gateway = Arc::new(Gateway {
        routes: args.route.into_iter().collect(),
        up_timeout: args.up_timeout,
        processes: Mutex::default(),
    });
    let known = Arc::clone(&gateway);
    // A message of another protocol has no route, and is answered with an ABORT.
    let make_service = service_fn(move |incoming: IncomingAssociation| {
        let process = Process::new(&gateway, &incoming);
        let router = Router::new().route(Ppid::M3UA, receive).with_state(process);
        async { Ok::<_, Shutdown>(router) }
    });
    let server = serve(listener, make_service).on_event(move |event| {
        if let ServerEvent::Closed {
            end, association, ..
        } = event
        {
            let mut processes = lock(&known.processes);
            processes.retain(|process| {
                let is_it = process.association.same_association(association);
                if is_it {
                    say(format_args!("closed {}: {end}", process.name));
                }
                // Those that restarted have a successor.
                !is_it && !process.association.is_closed()
            });
        }
    });
    for addr in server.local_addrs()? {
        say(format_args!("listening on {addr}"));
    }
    server.with_graceful_shutdown(stop).await;
    Ok(())
}

async fn receive(State(process): State<Arc<Process>>, octets: Bytes) -> Reply {
    match codec::decode(&octets) {
        Ok(message) => process.answer(&message, &octets).await,
        Err(code) => codec::error(code, &octets),
    }
}

impl Gateway {
    /// Finds the process that a point code is reached through.
    fn process_of(&self, pc: u32) -> Option<Arc<Process>> {
        let context = self.routes.get(&pc);
        let processes = lock(&self.processes);
        let mut processes = processes.iter().rev(); // the latest first
        let found = processes.find(|process| {
            let state = lock(&process.state);
            let Some(contexts) = &state.contexts else {
                return false;
            };
            match context {
                Some(context) => contexts.is_empty() || contexts.contains(context),
                None => self.routes.is_empty() && state.origins.contains(&pc),
            }
        });
        found.cloned()
    }
}

impl Process {
    fn new(gateway: &Arc<Gateway>, incoming: &IncomingAssociation) -> Arc<Self> {
        let peer = incoming.connect_info.peer_addr();
        let process = Arc::new(Self {
            gateway: Arc::clone(gateway),
            name: peer.map_or_else(|| "?".to_owned(), |addr| addr.to_string()),
            association: incoming.handle().clone(),
            streams: incoming.connect_info.outbound_streams(),
            state: Mutex::default(),
        });
        lock(&gateway.processes).push(Arc::clone(&process));
        tokio::spawn(Arc::clone(&process).expect_up());
        process
    }

    /// Aborts the association if the process does not come up in time.
    async fn expect_up(self: Arc<Self>) {
        sleep(self.gateway.up_timeout).await;
        if !lock(&self.state).is_up {
            // It may have ended by itself.
            let _ = self.association.shutdown(Shutdown::abort("no ASP Up"));
        }
    }

    async fn answer(&self, message: &M3uaMessage, octets: &[u8]) -> Reply {
        let contexts = message.routing_contexts();
        match message.message_type {
            MessageType::AspUp => self.up(octets),
            MessageType::AspDown => {
                *lock(&self.state) = ProcessState::default();
                self.say("down");
                codec::reply(M3uaMessage::asp_down_ack(None))
            }
            MessageType::AspActive => self.active(message, contexts, octets),
            MessageType::AspInactive if self.is_up() => {
                lock(&self.state).contexts = None;
                self.say("inactive");
                let ack = M3uaMessage::asp_inactive_ack(None).with_routing_contexts(&contexts);
                codec::reply(ack)
            }
            MessageType::Heartbeat => codec::beat_ack(message),
            MessageType::Data => self.data(message, octets).await,
            MessageType::Daud => self.audit(message),
            MessageType::Error => {
                let code = message.error_code().unwrap_or_default();
                self.say(&format!("error {code}"));
                Reply::none()
            }
            MessageType::Notify | MessageType::HeartbeatAck | MessageType::Scon => Reply::none(),
            MessageType::RegReq | MessageType::DeregReq => {
                codec::error(error_code::UNSUPPORTED_MESSAGE_CLASS, octets)
            }
            _ => codec::error(error_code::UNEXPECTED_MESSAGE, octets),
        }
    }

    /// Takes the process up. One that was active is no more, and is told so (4.3.4.1).
    fn up(&self, octets: &[u8]) -> Reply {
        let before = {
            let mut state = lock(&self.state);
            let before = state.contexts.take();
            state.is_up = true;
            before
        };
        self.say("up");
        let ack = codec::reply(M3uaMessage::asp_up_ack(None));
        if before.is_some() {
            let error = codec::error(error_code::UNEXPECTED_MESSAGE, octets);
            return error.messages().cloned().fold(ack, Reply::with_message);
        }
        let inactive =
            M3uaMessage::notify_status(status::AS_STATE_CHANGE, status::AS_INACTIVE, None, None);
        ack.with_message(codec::on_stream(0, &inactive))
    }

    /// Takes the process active for its contexts.
    fn active(&self, message: &M3uaMessage, contexts: Vec<u32>, octets: &[u8]) -> Reply {
        let mode = message.traffic_mode_type();
        if !self.is_up() {
            return codec::error(error_code::UNEXPECTED_MESSAGE, octets);
        }
        if !matches!(
            mode,
            None | Some(traffic_mode::OVERRIDE | traffic_mode::LOADSHARE)
        ) {
            return codec::error(error_code::UNSUPPORTED_TRAFFIC_MODE_TYPE, octets);
        }
        let routes = &self.gateway.routes;
        let is_known =
            |context| routes.is_empty() || routes.values().any(|known| *known == context);
        if !contexts.iter().copied().all(is_known) {
            return codec::error(error_code::INVALID_ROUTING_CONTEXT, octets);
        }
        let ack = M3uaMessage::asp_active_ack(mode, None).with_routing_contexts(&contexts);
        let active =
            M3uaMessage::notify_status(status::AS_STATE_CHANGE, status::AS_ACTIVE, None, None)
                .with_routing_contexts(&contexts);
        let names: Vec<String> = contexts.iter().map(u32::to_string).collect();
        lock(&self.state).contexts = Some(contexts.into_iter().collect());
        self.say(&format!("active {}", names.join(" ")));
        codec::reply(ack).with_message(codec::on_stream(0, &active))
    }

    /// Passes data on, or reports that nobody has the destination.
    async fn data(&self, message: &M3uaMessage, octets: &[u8]) -> Reply {
        let Ok(data) = message.protocol_data() else {
            return codec::error(error_code::MISSING_PARAMETER, octets);
        };
        {
            let mut state = lock(&self.state);
            let Some(contexts) = &state.contexts else {
                return codec::error(error_code::UNEXPECTED_MESSAGE, octets);
            };
            let context = message.routing_context();
            if context.is_some_and(|context| !contexts.is_empty() && !contexts.contains(&context)) {
                return codec::error(error_code::INVALID_ROUTING_CONTEXT, octets);
            }
            if state.origins.len() < MAX_ORIGINS {
                state.origins.insert(data.opc);
            }
        }
        let text = line::printable(&data.user_data);
        say(format_args!("data from {}: {text}", data.opc));
        let pc = data.dpc;
        if let Some(to) = self.gateway.process_of(pc) {
            let contexts = lock(&to.state).contexts.clone().unwrap_or_default();
            let context = self.gateway.routes.get(&pc).or(contexts.first()).copied();
            let stream = codec::data_stream(&data, to.streams);
            let data = M3uaMessage::data(None, context, data, None);
            // Waits for a slow process. Only data of one stream waits with this.
            if to
                .association
                .send(codec::on_stream(stream, &data))
                .await
                .is_ok()
            {
                return Reply::none();
            }
        }
        say(format_args!("no route to {pc}"));
        codec::reply(M3uaMessage::duna(message.routing_context(), vec![pc]))
    }

    /// Answers an audit: each destination is available or is not.
    fn audit(&self, message: &M3uaMessage) -> Reply {
        if lock(&self.state).contexts.is_none() {
            return Reply::none();
        }
        let (available, unavailable): (Vec<u32>, Vec<u32>) = message
            .affected_destinations()
            .into_iter()
            .map(|(_, pc)| pc)
            .partition(|pc| self.gateway.process_of(*pc).is_some());
        let context = message.routing_context();
        let mut reply = Reply::none();
        if !available.is_empty() {
            let dava = M3uaMessage::dava(context, available);
            reply = reply.with_message(codec::on_stream(0, &dava));
        }
        if !unavailable.is_empty() {
            let duna = M3uaMessage::duna(context, unavailable);
            reply = reply.with_message(codec::on_stream(0, &duna));
        }
        reply
    }

    fn is_up(&self) -> bool {
        lock(&self.state).is_up
    }

    fn say(&self, what: &str) {
        match what.split_once(' ') {
            Some((word, rest)) => say(format_args!("{word} {}: {rest}", self.name)),
            None => say(format_args!("{what} {}", self.name)),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
