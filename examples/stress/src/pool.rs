//! Pools whose servers come and go.

use std::{net::SocketAddr, sync::Arc};

use sctp_service::{
    Inbox,
    client::{
        Client,
        pool::{Pool, RetryPolicy, Target},
    },
    testing::Network,
};
use tokio::sync::watch;

use crate::{
    callers::{self, Caller, Calling, PATIENCE, Service},
    client::{INBOX, account, config, duplex},
    payload::Header,
    rng::Rng,
    run::Run,
    watch::At,
};

/// Runs a pool again and again.
pub(crate) async fn run(
    run: Arc<Run>,
    name: u32,
    servers: Vec<(u16, Arc<Network>)>,
    mut callers: Vec<Caller>,
    mut rng: Rng,
) {
    let slot = run.watch.slot(format!("pool {name}"));
    let targets: Vec<Target> = servers.iter().map(|(server, _)| target(*server)).collect();
    let mut round = 0;
    while !run.is_over() {
        round += 1;
        let (list, listed) = watch::channel(targets.clone());
        let (pool, inbox) = start(&run, listed, servers.clone(), &mut rng);
        let receiving = receive(&run, inbox);
        let calling = Calling::start(&run, callers, &Service::Pool(pool.clone()));
        for _ in 0..rng.below(20) {
            run.pause(rng.millis(1, 100)).await;
            let mut some = targets.clone();
            some.retain(|_| !rng.one_in(3));
            // An empty list has calls wait until they fail.
            if !some.is_empty() || rng.one_in(4) {
                list.send_replace(some);
            }
        }
        list.send_replace(targets.clone());
        calling.stop();
        if rng.one_in(2) {
            slot.during("shutdown", At::default(), round, pool.graceful_shutdown())
                .await;
        }
        callers = slot
            .during("last calls", At::default(), round, calling.stopped(&run))
            .await;
        slot.during("shutdown", At::default(), round, pool.graceful_shutdown())
            .await;
        let _ = slot
            .during("last pushes", At::default(), round, receiving)
            .await;
    }
}

fn start(
    run: &Arc<Run>,
    listed: watch::Receiver<Vec<Target>>,
    servers: Vec<(u16, Arc<Network>)>,
    rng: &mut Rng,
) -> (Pool, Inbox) {
    let config = config().with_wait_for_connection(true);
    let config = config.with_max_in_flight(1 + rng.skewed(64));
    let builder = Client::builder().with_config(config);
    let builder = match rng.one_in(2) {
        true => builder.with_correlation(Header::correlation()),
        false => builder,
    };
    let mut settings = rng.fork();
    let run = Arc::clone(run);
    let (builder, inbox) = Pool::builder()
        .with_client(builder)
        .with_ready_timeout(PATIENCE)
        // Nothing may be executed twice.
        .with_retry(RetryPolicy::new().with_after_shutdown(false))
        .with_inbox(1 + rng.below(INBOX));
    let pool = builder.watch_with(listed, move |server, client| {
        let found = servers
            .iter()
            .find(|(number, _)| target(*number) == *server);
        let (number, network) = found.unwrap_or(&servers[0]);
        let client = account(&run, *number, client);
        client.connect_in_background(network.connector_with(duplex(&mut settings)))
    });
    (pool, inbox)
}

fn target(server: u16) -> Target {
    SocketAddr::from(([192, 0, 2, 1], 10_000 + server)).into()
}

fn receive(run: &Arc<Run>, mut inbox: Inbox) -> tokio::task::JoinHandle<()> {
    let run = Arc::clone(run);
    tokio::spawn(async move {
        while let Some(request) = inbox.recv().await {
            callers::pushed(&run, request.payload());
        }
    })
}
