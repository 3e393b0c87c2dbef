//! One association of a run: connect, load, close, reconnect.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use sctp_tokio::{AbortReason, Association, ConnectError, SocketBuilder, options::InitMsg};
use tokio::{
    sync::{Notify, mpsc, watch},
    time::{sleep, sleep_until},
};

use crate::{
    address::Target,
    load::{
        args::{Load, SocketKind},
        control::{Budget, Clock, Phases, nanoseconds},
        pump::{Outcome, Pump},
        sizes::Random,
        stats::Stats,
    },
    trace::Trace,
};

/// Delay before an association is set up again.
const RECONNECT_PAUSE: Duration = Duration::from_secs(1);
/// Time limit for the orderly shutdown of an association.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);
const TOO_SLOW: AbortReason = AbortReason::from_static("sctp load: no orderly end in time");
const GAVE_UP: AbortReason = AbortReason::from_static("sctp load gave up");

/// State shared by all associations.
pub(crate) struct Shared {
    pub(crate) load: Load,
    pub(crate) server: Target,
    pub(crate) filler: Bytes,
    pub(crate) clock: Clock,
    pub(crate) stats: Stats,
    pub(crate) budget: Budget,
    /// Notified when the budget is found to be spent.
    pub(crate) spent: Notify,
    pub(crate) trace: Trace,
}

/// One association, and those that replace it.
pub(crate) struct Worker {
    pub(crate) shared: Arc<Shared>,
    pub(crate) index: usize,
    pub(crate) phases: watch::Receiver<Phases>,
    /// Dropped when the first attempt to connect has gone one way or the other.
    pub(crate) settled: Option<mpsc::Sender<()>>,
}

/// Outcome of an attempt to connect.
enum Connected {
    Up(Association),
    Refused,
    /// The run was over first.
    RunOver,
}

impl Worker {
    pub(crate) async fn run(mut self) {
        let shared = Arc::clone(&self.shared);
        let load = &shared.load;
        let mut random = Random::new(self.index as u64);
        let begin = nanoseconds(load.ramp_up) / u64::from(load.associations) * self.index as u64;
        if self
            .unless_over(sleep_until(shared.clock.moment(begin)))
            .await
            .is_none()
        {
            return;
        }
        loop {
            let connected = self.connect().await;
            self.settled = None;
            match connected {
                Connected::Up(association) => {
                    let random = Random::new(random.next());
                    if !self.run_load(association, random).await {
                        return;
                    }
                }
                Connected::Refused => {}
                Connected::RunOver => return,
            }
            if !load.reconnect || self.unless_over(sleep(RECONNECT_PAUSE)).await.is_none() {
                return;
            }
        }
    }

    /// Waits for a future, unless no further calls are to be made.
    async fn unless_over<T>(&mut self, future: impl Future<Output = T>) -> Option<T> {
        let shared = Arc::clone(&self.shared);
        let phases = &mut self.phases;
        let over = async {
            loop {
                let end = phases.borrow_and_update().end;
                if shared.budget.is_spent() {
                    return;
                }
                tokio::select! {
                    () = sleep_until(shared.clock.moment(end)) => return,
                    changed = phases.changed() => if changed.is_err() {
                        return;
                    },
                }
            }
        };
        tokio::select! {
            biased;
            done = future => Some(done),
            () = over => None,
        }
    }

    /// Sets the association up.
    async fn connect(&mut self) -> Connected {
        let shared = Arc::clone(&self.shared);
        let began = shared.clock.now();
        shared.stats.associations().connecting += 1;
        let connected = self.unless_over(connect(&shared, self.index)).await;
        let took = shared.clock.now() - began;
        let mut stats = shared.stats.associations();
        stats.connecting -= 1;
        match connected {
            None => Connected::RunOver,
            Some(Ok(association)) => {
                stats.established += 1;
                stats.up += 1;
                stats.handshakes.saturating_record(took);
                let streams = association.outbound_streams();
                if streams < shared.load.streams {
                    let fewest = stats.fewest_streams.unwrap_or(streams).min(streams);
                    stats.fewest_streams = Some(fewest);
                }
                Connected::Up(association)
            }
            Some(Err(error)) => {
                stats.refused.add(&error.to_string(), 1);
                Connected::Refused
            }
        }
    }

    /// Puts the load on an association. Returns `true` if the association was lost.
    async fn run_load(&mut self, mut association: Association, random: Random) -> bool {
        let shared = Arc::clone(&self.shared);
        let pump = Pump::new(&shared, self.index, &mut association, random);
        let outcome = pump.run(&mut self.phases).await;
        let lost = match &outcome {
            Outcome::Lost(cause) => {
                shared.stats.associations().lost.add(cause, 1);
                abort(association, &GAVE_UP);
                true
            }
            Outcome::Done => {
                close(association).await;
                false
            }
        };
        shared.stats.associations().up -= 1;
        lost
    }
}

async fn connect(shared: &Shared, index: usize) -> Result<Association, ConnectError> {
    let load = &shared.load;
    let source = match load.bind.len() {
        0 => Vec::new(),
        sources => load.bind[index % sources].0.clone(),
    };
    let mut sockets = SocketBuilder::new()
        .with_local_addrs(source.into_iter().map(|ip| SocketAddr::new(ip, 0)))
        .with_init(InitMsg::new().with_outbound_streams(load.streams))
        .with_max_message_size((2 * load.size.longest()).max(1024 * 1024))
        .with_connect_timeout(load.connect_timeout);
    if let Some(bytes) = load.send_buffer {
        sockets = sockets.with_send_buffer_size(bytes as usize);
    }
    if let Some(bytes) = load.recv_buffer {
        sockets = sockets.with_recv_buffer_size(bytes as usize);
    }
    match load.socket {
        SocketKind::OneToMany => shared.server.connect(&sockets).await,
        SocketKind::OneToOne => shared.server.connect_one_to_one(&sockets).await,
    }
}

/// Ends an association in order, if the server lets it.
async fn close(mut association: Association) {
    let closed = association.shutdown_within(CLOSE_TIMEOUT, &TOO_SLOW).await;
    if closed.is_err() {
        abort(association, &TOO_SLOW);
    }
}

/// Ends an association that may be over already.
fn abort(association: Association, reason: &AbortReason) {
    if association.end().is_none() && association.abort(reason).is_err() {
        // A one-to-one socket can give no reason. If even this fails, it is dropped.
        let _ = association.abort_without_reason();
    }
}
