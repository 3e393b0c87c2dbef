//! One conversation: an association with a client, and one with a server.

use std::{sync::Arc, time::Duration};

use sctp_tokio::{AbortReason, Association, End};
use tokio::{sync::watch, time::Instant};

use super::{
    Proxy,
    backends::{Permit, Streams},
    half::{Finish, Half, Incoming},
    totals::Direction,
};
use crate::{ending::END_TIMEOUT, output::log_unless, timing::until};

/// Time without a message after which a conversation can end without losing one.
const QUIET: Duration = Duration::from_millis(200);
/// Maximum number of servers in a row that go without a message for the client.
const MAX_USELESS: u32 = 5;

/// A conversation under way.
pub(super) struct Relay {
    proxy: Arc<Proxy>,
    client: Half,
    server: Half,
    streams: Streams,
    permit: Permit,
    drain: Drain,
    /// Servers in a row that went without a message for the client, and the messages before them.
    useless: (u32, u64),
}

/// Progress of the end of a conversation that the proxy itself wants.
#[derive(Clone, Copy)]
enum Drain {
    /// Nobody wants it.
    Not,
    /// Nothing more is read from the client. Replies are passed on until none has come for a while.
    Quieting {
        last_message: Instant,
        deadline: Instant,
    },
    /// The client is being shut down. What it has sent is passed on.
    Leaving { deadline: Instant },
}

/// Outcome of passing messages on.
enum Outcome {
    Client(End),
    Server(End),
    Failed(String),
}

impl Relay {
    /// Finds a server for a client. Aborts the client if there is none.
    pub(super) async fn begin(proxy: &Arc<Proxy>, client: Association) -> Option<Self> {
        let streams = Streams {
            inbound: client.inbound_streams(),
            outbound: client.outbound_streams(),
        };
        let connected = proxy.backends.connect(streams).await;
        let mut client = Half::new(client, Direction::ToClient);
        match connected {
            Ok((server, permit)) => Some(Self {
                server: Half::new(server, Direction::ToServer),
                proxy: Arc::clone(proxy),
                client,
                streams,
                permit,
                drain: Drain::Not,
                useless: (0, 0),
            }),
            Err(error) => {
                proxy.totals.without_server();
                let count = client.end(&no_server(&error), &proxy.totals).await;
                proxy.totals.lost(Direction::ToServer, count);
                log_unless(
                    proxy.args.quiet,
                    format_args!(
                        "{}: no server: {error}; {count} messages lost",
                        client.name()
                    ),
                );
                None
            }
        }
    }

    /// Passes messages on until both associations are closed.
    pub(super) async fn run(mut self) {
        let why = loop {
            match self.pass_on().await {
                Outcome::Client(end) => {
                    self.after_client(&end).await;
                    break format!("client: {end}");
                }
                Outcome::Server(end) => {
                    if self.proxy.args.survive && matches!(self.drain, Drain::Not) {
                        match self.replace_server(&end).await {
                            Ok(()) => continue,
                            Err(why) => break why,
                        }
                    }
                    self.after_server(&end).await;
                    break format!("server: {end}");
                }
                Outcome::Failed(why) => {
                    self.after_failure(&why).await;
                    break why;
                }
            }
        };
        self.report(&why);
    }

    /// Passes messages on until one side is closed.
    async fn pass_on(&mut self) -> Outcome {
        let proxy = Arc::clone(&self.proxy);
        let totals = &proxy.totals;
        let mut stopped = proxy.stopped.clone();
        loop {
            self.client.settle(totals);
            self.server.settle(totals);
            let timer = match self.advance_drain() {
                Ok(timer) => timer,
                Err(why) => return Outcome::Failed(why),
            };
            let is_paused = matches!(self.drain, Drain::Quieting { .. });
            let reads_client = !is_paused && self.server.has_room();
            let reads_server = self.client.has_room();
            let Self { client, server, .. } = self;
            tokio::select! {
                event = Half::next(&mut client.receiver), if reads_client => match event {
                    Ok(Incoming::Message(message)) => server.push(message),
                    Ok(Incoming::Closed(end)) => return Outcome::Client(end),
                    Ok(Incoming::Undelivered) => client.note_undelivered(totals),
                    Ok(Incoming::Restarted) => return Outcome::Failed("client restarted".to_owned()),
                    Ok(Incoming::Other) => {}
                    Err(error) => return Outcome::Failed(format!("client: {error}")),
                },
                event = Half::next(&mut server.receiver), if reads_server => match event {
                    Ok(Incoming::Message(message)) => {
                        client.push(message);
                        self.drain.note_message();
                    }
                    Ok(Incoming::Closed(end)) => return Outcome::Server(end),
                    Ok(Incoming::Undelivered) => server.note_undelivered(totals),
                    Ok(Incoming::Restarted) => return Outcome::Failed("server restarted".to_owned()),
                    Ok(Incoming::Other) => {}
                    Err(error) => return Outcome::Failed(format!("server: {error}")),
                },
                sent = client.sender.send_queue(&mut client.queue), if client.sends() => {
                    if let Err(error) = sent && let Err(error) = client.note_failure(error, totals) {
                        return Outcome::Failed(format!("cannot send to client: {error}"));
                    }
                }
                sent = server.sender.send_queue(&mut server.queue), if server.sends() => {
                    if let Err(error) = sent && let Err(error) = server.note_failure(error, totals) {
                        return Outcome::Failed(format!("cannot send to server: {error}"));
                    }
                }
                // A side that is not read is noticed to be closed by these alone.
                _ = client.sender.closed(), if !reads_client => match server.take_rest(client, &proxy.totals).await {
                    Ok(end) => return Outcome::Client(end),
                    Err(error) => return Outcome::Failed(format!("client: {error}")),
                },
                _ = server.sender.closed(), if !reads_server => match client.take_rest(server, &proxy.totals).await {
                    Ok(end) => return Outcome::Server(end),
                    Err(error) => return Outcome::Failed(format!("server: {error}")),
                },
                () = until_stopped(&mut stopped), if matches!(self.drain, Drain::Not) => {
                    let now = Instant::now();
                    self.drain = Drain::Quieting {
                        last_message: now,
                        deadline: now + proxy.args.drain_timeout,
                    };
                }
                () = until(timer) => {}
            }
        }
    }

    /// Takes the next step of a drain if it is time. Returns when to look again.
    fn advance_drain(&mut self) -> Result<Option<Instant>, String> {
        let now = Instant::now();
        match self.drain {
            Drain::Not => Ok(None),
            Drain::Quieting {
                last_message,
                deadline,
            } => {
                let is_empty = self.client.queue.is_empty() && self.server.queue.is_empty();
                if now < deadline && (!is_empty || now < last_message + QUIET) {
                    return Ok(Some(deadline.min(now.max(last_message) + QUIET)));
                }
                let deadline = now + END_TIMEOUT;
                self.drain = Drain::Leaving { deadline };
                // An association that is closed already is reported by its end.
                drop(self.client.sender.start_shutdown());
                Ok(Some(deadline))
            }
            Drain::Leaving { deadline } if now < deadline => Ok(Some(deadline)),
            Drain::Leaving { .. } => Err("client did not end in time".to_owned()),
        }
    }

    /// Ends the server's association as the client's ended.
    async fn after_client(&mut self, end: &End) {
        let totals = &self.proxy.totals;
        totals.ended(end);
        self.client.clear(totals);
        let how = Finish::after(end, "client");
        self.server.finish(&how, &mut self.client, totals).await;
    }

    /// Ends the client's association as the server's ended.
    async fn after_server(&mut self, end: &End) {
        let totals = &self.proxy.totals;
        totals.ended(end);
        self.server.clear(totals);
        let how = Finish::after(end, "server");
        self.client.finish(&how, &mut self.server, totals).await;
    }

    async fn after_failure(&mut self, why: &str) {
        let totals = &self.proxy.totals;
        totals.failed();
        let how = Finish::Abort(AbortReason::truncated(format!("sctp proxy: {why}")));
        self.server.clear(totals);
        self.client.clear(totals);
        self.client.finish(&how, &mut self.server, totals).await;
        self.server.finish(&how, &mut self.client, totals).await;
    }

    /// Goes on with another server under the same client. Aborts the client if there is none.
    async fn replace_server(&mut self, end: &End) -> Result<(), String> {
        let old = self.permit.name();
        match self.connect_again().await {
            Ok((association, permit)) => {
                self.proxy.totals.replaced();
                self.server.replace(association);
                self.permit = permit;
                log_unless(
                    self.proxy.args.quiet,
                    format_args!(
                        "{}: server {old} is replaced by {}: {end}",
                        self.client.name(),
                        self.permit.name()
                    ),
                );
                Ok(())
            }
            Err(error) => {
                let totals = &self.proxy.totals;
                totals.ended(end);
                totals.without_server();
                self.server.clear(totals);
                let how = no_server(&error);
                self.client.finish(&how, &mut self.server, totals).await;
                Err(format!("server: {end}; no other server: {error}"))
            }
        }
    }

    /// Finds another server, unless each of the last ones left at once.
    async fn connect_again(&mut self) -> Result<(Association, Permit), String> {
        let messages = self.client.passed();
        self.useless = match self.useless {
            (count, before) if before == messages => (count + 1, messages),
            _ => (1, messages),
        };
        if self.useless.0 > MAX_USELESS {
            return Err(format!(
                "{MAX_USELESS} servers in a row left without a message"
            ));
        }
        self.proxy.backends.connect(self.streams).await
    }

    fn report(&self, why: &str) {
        let (client, server) = (&self.client, &self.server);
        log_unless(
            self.proxy.args.quiet,
            format_args!(
                "{} to {}: {} messages to the server, {} lost; {} to the client, {} lost; {why}",
                client.name(),
                self.permit.name(),
                server.passed(),
                server.lost,
                client.passed(),
                client.lost,
            ),
        );
    }
}

impl Drain {
    fn note_message(&mut self) {
        if let Self::Quieting { last_message, .. } = self {
            *last_message = Instant::now();
        }
    }
}

fn no_server(error: &str) -> Finish {
    Finish::Abort(AbortReason::truncated(format!(
        "sctp proxy: no server: {error}"
    )))
}

async fn until_stopped(stopped: &mut watch::Receiver<bool>) {
    if stopped.wait_for(|stopped| *stopped).await.is_err() {
        std::future::pending().await
    }
}
