//! Clients that are set up and ended again and again.

use std::{sync::Arc, time::Duration};

use sctp_service::{
    Inbox,
    client::{Backoff, Client, ClientBuilder, ClientConfig, ClientEvent},
    testing::{Duplex, Network},
};
use tokio::time::sleep;

use crate::{
    callers::{self, Caller, Calling, Service},
    fault::Kind,
    payload::Header,
    rng::Rng,
    run::Run,
    watch::At,
};

/// Capacity of the largest inbox.
pub(crate) const INBOX: usize = 64;

/// Runs a client of one server again and again.
pub(crate) async fn run(
    run: Arc<Run>,
    name: u32,
    servers: Vec<(u16, Arc<Network>)>,
    mut callers: Vec<Caller>,
    mut rng: Rng,
) {
    let slot = run.watch.slot(format!("client {name}"));
    let mut round = 0;
    while !run.is_over() {
        round += 1;
        let (server, network) = &servers[rng.below(servers.len())];
        let at = At {
            server: Some(*server),
            assoc: None,
        };
        let connector = network.connector_with(duplex(&mut rng));
        let builder = account(&run, *server, builder(&mut rng));
        let (builder, inbox) = builder.with_inbox(1 + rng.below(INBOX));
        let client = match rng.below(3) {
            0 => builder.connect_lazily(connector),
            1 => builder.connect_in_background(connector),
            _ => match slot
                .during("connect", at, round, builder.connect(connector))
                .await
            {
                Ok(client) => client,
                Err(_) => {
                    sleep(rng.micros(3000)).await;
                    continue;
                }
            },
        };
        let receiving = receive(&run, inbox);
        let service = Service::Client {
            client: client.clone(),
            server: *server,
        };
        let calling = Calling::start(&run, callers, &service);
        drop(service);
        run.pause(rng.millis(5, 1000)).await;
        calling.stop();
        // With calls under way, or without.
        let early = rng.one_in(2);
        if early {
            slot.during("shutdown", at, round, client.graceful_shutdown())
                .await;
        }
        callers = slot
            .during("last calls", at, round, calling.stopped(&run))
            .await;
        slot.during("shutdown", at, round, client.graceful_shutdown())
            .await;
        let _ = slot.during("last pushes", at, round, receiving).await;
    }
}

/// Reports the ends of a client's associations to the book.
pub(crate) fn account(run: &Arc<Run>, server: u16, builder: ClientBuilder) -> ClientBuilder {
    let run = Arc::clone(run);
    builder.on_event(move |event| match event {
        ClientEvent::Closed {
            connect_info,
            association,
            end,
            counts,
            ..
        } => {
            let assoc = connect_info.assoc().get();
            if association.drain().is_started() {
                return run.book.drained(server, assoc);
            }
            let discarded = counts.discarded_requests;
            if discarded > 0 && end.is_orderly() {
                let line = format!(
                    "{discarded} pushes on server {server}, association {assoc}: discarded by a \
                     client that did not shut down"
                );
                run.faults.add(Kind::Lost, line);
            }
        }
        ClientEvent::Panicked { message, .. } => {
            let line = format!("a client of server {server} panicked: {message}");
            run.faults.add(Kind::Lost, line);
        }
        ClientEvent::SendRefused { error, .. } => {
            let line = format!("a message of a client of server {server} was refused: {error}");
            run.faults.add(Kind::Lost, line);
        }
        _ => {}
    })
}

/// Settings of an association: short queues as well as long ones.
pub(crate) fn duplex(rng: &mut Rng) -> Duplex {
    Duplex::new().with_capacity(1 + rng.skewed(1024))
}

/// Settings of a client whose calls have no limit of time.
pub(crate) fn builder(rng: &mut Rng) -> ClientBuilder {
    let config = config().with_wait_for_connection(rng.one_in(2));
    let builder = Client::builder().with_config(config.with_max_in_flight(1 + rng.skewed(256)));
    if rng.one_in(2) {
        builder.with_correlation(Header::correlation())
    } else {
        builder
    }
}

pub(crate) fn config() -> ClientConfig {
    ClientConfig::new()
        .with_call_timeout(None)
        .with_connect_timeout(Duration::from_secs(1))
        .with_shutdown_timeout(Duration::from_secs(1))
        .with_backoff(Backoff::new(
            Duration::from_millis(1),
            Duration::from_millis(10),
        ))
}

/// Receives what the server sends without being asked, until the client ends.
fn receive(run: &Arc<Run>, mut inbox: Inbox) -> tokio::task::JoinHandle<()> {
    let run = Arc::clone(run);
    tokio::spawn(async move {
        while let Some(request) = inbox.recv().await {
            callers::pushed(&run, request.payload());
        }
    })
}
