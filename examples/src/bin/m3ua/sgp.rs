//! The signalling gateway process.

use std::{
    collections::{BTreeMap, BTreeSet},
    hash::{Hash, Hasher},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use m3ua::{M3uaMessage, MessageType, error_code, status, traffic_mode};
use sctp_examples::{
    address, line,
    m3ua_codec::{data_stream, decode},
    program::{say, seconds},
    signal,
};
use sctp_service::{
    AssociationHandle, Config, ConnectInfo, IncomingAssociation, Message, PeerTable, Ppid, Router,
    ServerEvent, Shutdown, State, serve,
};
use sctp_tokio::SocketBuilder;
use tower::service_fn;

use crate::{Result, codec, contexts::Contexts, point_code};

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
    let (pc, context) = argument.split_once(':').ok_or("expected PC:N")?;
    let context = context.parse().map_err(|_| "N is a number")?;
    Ok((point_code(pc)?, context))
}

/// The gateway: its routes, and the processes that are up.
struct Gateway {
    routes: BTreeMap<u32, u32>,
    processes: PeerTable<Arc<Process>>,
    /// Number of times that a process became active.
    activations: AtomicU64,
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
    contexts: Contexts,
    /// Activation of the gateway with which it last became active.
    activation: u64,
    /// Point codes that data came from, up to [`MAX_ORIGINS`].
    origins: BTreeSet<u32>,
}

/// Most point codes that one process is known to have.
const MAX_ORIGINS: usize = 256;

pub(crate) async fn run(args: Args) -> Result {
    let stop = signal::stop()?;
    let addrs = address::resolve(&args.listen).await?;
    let listener = SocketBuilder::new().with_local_addrs(addrs).listen()?;
    let gateway = Arc::new(Gateway {
        routes: args.route.into_iter().collect(),
        processes: PeerTable::new(),
        activations: AtomicU64::new(0),
    });
    let make_service = service_fn(move |incoming| Process::come_up(Arc::clone(&gateway), incoming));
    let server = serve(listener, make_service)
        .with_config(Config::new().with_handshake_timeout(args.up_timeout))
        .on_event(|event| {
            if let ServerEvent::Closed {
                connect_info,
                end,
                reason,
                ..
            } = event
            {
                let name = name(connect_info);
                say(format_args!("closed {name}: {}", line::end(end, *reason)));
            }
        });
    for addr in server.local_addrs()? {
        say(format_args!("listening on {addr}"));
    }
    server.with_graceful_shutdown(stop).await;
    Ok(())
}

fn name(info: &ConnectInfo) -> String {
    info.peer_addr()
        .map_or_else(|| "?".to_owned(), |addr| addr.to_string())
}

async fn receive(State(process): State<Arc<Process>>, octets: Bytes) -> Vec<Message> {
    process.receive(&octets).await
}

impl Gateway {
    /// Finds the process that a point code is reached through: of several, the one that became active
    /// last (override).
    fn process_of(&self, pc: u32) -> Option<Arc<Process>> {
        let context = self.routes.get(&pc);
        let processes = self.processes.handles();
        let active = processes.into_iter().filter_map(|(process, _)| {
            let state = lock(&process.state);
            let has_route = match context {
                Some(context) => state.contexts.contains(*context),
                None => self.routes.is_empty() && state.origins.contains(&pc),
            };
            let activation = state.activation;
            drop(state);
            has_route.then_some((activation, process))
        });
        active
            .max_by_key(|(activation, _)| *activation)
            .map(|(_, process)| process)
    }
}

impl Process {
    /// Serves a new association, or one whose peer has restarted, once the process is up.
    async fn come_up(
        gateway: Arc<Gateway>,
        mut incoming: IncomingAssociation,
    ) -> std::result::Result<Router, Shutdown> {
        let process = Arc::new(Self {
            name: name(&incoming.connect_info),
            association: incoming.handle().clone(),
            streams: incoming.connect_info.outbound_streams(),
            state: Mutex::default(),
            gateway,
        });
        while !process.is_up() {
            let received = incoming.recv().await.ok_or(Shutdown::AfterAck)?;
            if received.info.ppid != Ppid::M3UA {
                let reason = format!("PPID {} is not that of M3UA", received.info.ppid);
                return Err(Shutdown::abort(reason));
            }
            for message in process.receive(&received.payload).await {
                // It may have ended.
                incoming
                    .send(message)
                    .await
                    .map_err(|_| Shutdown::AfterAck)?;
            }
        }
        // Nobody else has this association.
        let _ = process
            .gateway
            .processes
            .claim(Arc::clone(&process), &incoming);
        Ok(Router::new().route(Ppid::M3UA, receive).with_state(process))
    }

    async fn receive(&self, octets: &[u8]) -> Vec<Message> {
        match decode(octets) {
            Ok(message) => self.answer(&message, octets).await,
            Err(code) => codec::error(code, octets),
        }
    }

    async fn answer(&self, message: &M3uaMessage, octets: &[u8]) -> Vec<Message> {
        let contexts = message.routing_contexts();
        match message.message_type {
            MessageType::AspUp => self.up(octets),
            MessageType::AspDown => {
                *lock(&self.state) = ProcessState::default();
                self.say("down");
                codec::reply(M3uaMessage::asp_down_ack(None))
            }
            MessageType::AspActive => self.active(message, contexts, octets),
            MessageType::AspInactive => self.inactive(&contexts, octets),
            MessageType::Heartbeat => codec::beat_ack(message),
            MessageType::Data => self.data(message, octets).await,
            MessageType::Daud => self.audit(message),
            MessageType::Error => {
                let code = message.error_code().unwrap_or_default();
                self.say(&format!("error {code}"));
                Vec::new()
            }
            MessageType::Notify | MessageType::HeartbeatAck | MessageType::Scon => Vec::new(),
            MessageType::RegReq | MessageType::DeregReq => {
                codec::error(error_code::UNSUPPORTED_MESSAGE_CLASS, octets)
            }
            _ => codec::error(error_code::UNEXPECTED_MESSAGE, octets),
        }
    }

    /// Takes the process up. One that was active is no more, and is told so (4.3.4.1).
    fn up(&self, octets: &[u8]) -> Vec<Message> {
        let before = {
            let mut state = lock(&self.state);
            state.is_up = true;
            std::mem::take(&mut state.contexts)
        };
        self.say("up");
        let mut answers = codec::reply(M3uaMessage::asp_up_ack(None));
        answers.extend(match before.is_active() {
            true => codec::error(error_code::UNEXPECTED_MESSAGE, octets),
            false => codec::reply(notify(status::AS_INACTIVE, &[])),
        });
        answers
    }

    /// Returns `true` if the gateway serves these routing contexts: those of its routes, or without any
    /// route all.
    fn knows(&self, contexts: &[u32]) -> bool {
        let routes = &self.gateway.routes;
        let is_known = |context| routes.values().any(|known| known == context);
        routes.is_empty() || contexts.iter().all(is_known)
    }

    /// Takes the process active for these contexts, beside those for which it is.
    fn active(&self, message: &M3uaMessage, contexts: Vec<u32>, octets: &[u8]) -> Vec<Message> {
        let mode = message.traffic_mode_type();
        {
            let mut state = lock(&self.state);
            if !state.is_up {
                return codec::error(error_code::UNEXPECTED_MESSAGE, octets);
            }
            if !matches!(
                mode,
                None | Some(traffic_mode::OVERRIDE | traffic_mode::LOADSHARE)
            ) {
                return codec::error(error_code::UNSUPPORTED_TRAFFIC_MODE_TYPE, octets);
            }
            if !self.knows(&contexts) || !state.contexts.add(&contexts) {
                return codec::error(error_code::INVALID_ROUTING_CONTEXT, octets);
            }
            state.activation = self.gateway.activations.fetch_add(1, Ordering::Relaxed) + 1;
        }
        self.say(format!("active {}", numbers(&contexts)).trim_end());
        let ack = M3uaMessage::asp_active_ack(mode, None).with_routing_contexts(&contexts);
        let mut answers = codec::reply(ack);
        answers.extend(codec::reply(notify(status::AS_ACTIVE, &contexts)));
        answers
    }

    /// Takes the process out of traffic for these contexts.
    fn inactive(&self, contexts: &[u32], octets: &[u8]) -> Vec<Message> {
        {
            let mut state = lock(&self.state);
            if !state.is_up {
                return codec::error(error_code::UNEXPECTED_MESSAGE, octets);
            }
            if !self.knows(contexts) || !state.contexts.remove(contexts) {
                return codec::error(error_code::INVALID_ROUTING_CONTEXT, octets);
            }
        }
        self.say(format!("inactive {}", numbers(contexts)).trim_end());
        let ack = M3uaMessage::asp_inactive_ack(None).with_routing_contexts(contexts);
        codec::reply(ack)
    }

    /// Passes data on, or reports that nobody has the destination.
    async fn data(&self, message: &M3uaMessage, octets: &[u8]) -> Vec<Message> {
        let Ok(data) = message.protocol_data() else {
            return codec::error(error_code::MISSING_PARAMETER, octets);
        };
        {
            let mut state = lock(&self.state);
            if !state.contexts.is_active() {
                return codec::error(error_code::UNEXPECTED_MESSAGE, octets);
            }
            let context = message.routing_context();
            if context.is_some_and(|context| !state.contexts.contains(context)) {
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
            let named = lock(&to.state).contexts.first();
            let context = self.gateway.routes.get(&pc).copied().or(named);
            let stream = data_stream(&data, to.streams);
            let data = M3uaMessage::data(None, context, data, None);
            let sent = to.association.send(codec::on_stream(stream, &data));
            // Waits for a slow process. Only data of one stream waits with this.
            if sent.await.is_ok() {
                return Vec::new();
            }
        }
        say(format_args!("no route to {pc}"));
        codec::reply(M3uaMessage::duna(message.routing_context(), vec![pc]))
    }

    /// Answers an audit: each destination is available or is not.
    fn audit(&self, message: &M3uaMessage) -> Vec<Message> {
        if !lock(&self.state).contexts.is_active() {
            return Vec::new();
        }
        let (available, unavailable): (Vec<u32>, Vec<u32>) = message
            .affected_destinations()
            .into_iter()
            .map(|(_, pc)| pc)
            .partition(|pc| self.gateway.process_of(*pc).is_some());
        let context = message.routing_context();
        let mut answers = Vec::new();
        if !available.is_empty() {
            answers.extend(codec::reply(M3uaMessage::dava(context, available)));
        }
        if !unavailable.is_empty() {
            answers.extend(codec::reply(M3uaMessage::duna(context, unavailable)));
        }
        answers
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

/// An association is one process: its handle is its identity.
impl PartialEq for Process {
    fn eq(&self, other: &Self) -> bool {
        self.association.id() == other.association.id()
    }
}

impl Eq for Process {}

impl Hash for Process {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.association.id().hash(state);
    }
}

/// Reports a state of the application servers that have these contexts.
fn notify(state: u16, contexts: &[u32]) -> M3uaMessage {
    M3uaMessage::notify_status(status::AS_STATE_CHANGE, state, None, None)
        .with_routing_contexts(contexts)
}

fn numbers(contexts: &[u32]) -> String {
    let numbers: Vec<String> = contexts.iter().map(u32::to_string).collect();
    numbers.join(" ")
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
