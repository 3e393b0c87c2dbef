//! Packets that no SCTP stack sends, made by hand: against a server in a network namespace, from
//! an address that nobody has.

mod packet;
mod peer;

mod handshake;
mod traffic;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use peer::{SERVER, Wire};
use sctp_service::{Config, Payload};
use sctp_tokio::{
    AssocId,
    options::{AssocInfo, RtoInfo},
};

use super::*;
use crate::support::{
    leaks::{available, receive_queues, resident},
    netns::NetNs,
    rng::Rng,
    server::Report,
};

/// The time for which the server takes its cookies back.
const COOKIE_LIFE: Duration = Duration::from_secs(1);

type Heard = Arc<Mutex<Vec<bytes::Bytes>>>;

/// State after an attack.
struct Outcome {
    /// Requests of anyone but the good client.
    heard: Vec<bytes::Bytes>,
    reports: Vec<Report>,
    alarms: usize,
    /// The most that the kernel's receive queues held.
    queued: usize,
}

impl Outcome {
    fn closed(&self) -> usize {
        let closed = |report: &&Report| matches!(report, Report::Closed(..));
        self.reports.iter().filter(closed).count()
    }

    fn came_up(&self) -> usize {
        self.reports
            .iter()
            .filter(|report| **report == Report::Up)
            .count()
    }
}

/// Runs a server, a good client and an attacker in a namespace.
async fn attack(style: Style, attack: impl FnOnce(&Wire) + Send + 'static) -> Outcome {
    let namespace = NetNs::new();
    namespace.ip("addr add 10.9.9.1/32 dev lo\nroute add 10.9.9.2/32 dev lo");
    must(namespace.start(move || under_attack(style, attack))).await
}

async fn under_attack(style: Style, attack: impl FnOnce(&Wire) + Send + 'static) -> Outcome {
    let heard = Heard::default();
    let ears = Arc::clone(&heard);
    let service = move |Payload(payload): Payload| {
        if !payload.starts_with(b"good") {
            ears.lock().unwrap().push(payload.clone());
        }
        async move {
            if payload.starts_with(b"stay") {
                std::future::pending::<()>().await;
            }
            Payload(payload)
        }
    };
    let config = Config::default().with_max_in_flight(1).with_read_ahead(1);
    let socket = SocketBuilder::new()
        .with_max_message_size(50_000)
        .configure(|socket| {
            // A peer that has gone without a word is to be found out soon.
            let times = RtoInfo::new()
                .with_initial(Duration::from_millis(100))
                .with_min(Duration::from_millis(100))
                .with_max(Duration::from_millis(200));
            socket.set_rto_info(AssocId::FUTURE, &times)?;
            let cookies = AssocInfo::new()
                .with_cookie_life(COOKIE_LIFE)
                .with_max_retransmissions(5);
            socket.set_assoc_info(AssocId::FUTURE, &cookies)
        });
    let mut scene = Scene::at(SERVER.into(), style, config, socket, service).await;
    let port = scene.server.addr.port();
    let before = (resident(), available());
    let mut attacking = tokio::task::spawn_blocking(move || attack(&Wire::to(port)));
    let mut queued = 0;
    loop {
        scene.probe_client.answered(10).await;
        queued = queued.max(receive_queues());
        if attacking.is_finished() {
            break;
        }
    }
    must(&mut attacking).await.unwrap();
    println!("the attack took {:?}", scene.begun.elapsed());
    let grown = resident().saturating_sub(before.0);
    let machine = before.1.saturating_sub(available());
    println!(
        "{} more in the process, {} in the machine, at most {} in receive queues",
        kib(grown),
        kib(machine),
        kib(queued)
    );
    assert!(grown < 8 << 20, "{}", kib(grown));
    assert!(machine < 32 << 20, "{}", kib(machine));
    let mut outcome = Outcome {
        heard: Vec::new(),
        reports: Vec::new(),
        alarms: scene.log.alarms(),
        queued,
    };
    // Each association that came up is closed before the server is.
    let mut open = 0;
    loop {
        match scene.server.reports.try_recv() {
            Ok(report) => {
                match report {
                    Report::Up => open += 1,
                    Report::Closed(..) => open -= 1,
                    Report::Other(_) => {}
                }
                outcome.reports.push(report);
            }
            Err(_) if open == 1 => break,
            Err(_) => scene.probe_client.answered(1).await,
        }
    }
    scene.over().await;
    outcome.heard = std::mem::take(&mut heard.lock().unwrap());
    outcome
}
