//! Short calls, one after the other, while a long one is being answered.

use std::{
    io,
    net::SocketAddr,
    time::{Duration, Instant},
};

use sctp_tools::format;
use tokio::{runtime::Builder, sync::oneshot};

use crate::{
    Effort,
    contestants::{Caller, Failure, Way},
    netns::{NetNs, two_cables},
    server::{self, LONG, LONG_ANSWER},
    support::median,
};

const SHORT: &[u8] = &[7; 64];

/// Network of the connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Network {
    Loopback,
    /// 20 Mbit/s in each direction, and 5 ms of delay in each.
    Link,
}

impl Network {
    const ALL: [Self; 2] = [Self::Link, Self::Loopback];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Loopback => "loopback",
            Self::Link => "20 Mbit/s, 5 ms",
        }
    }
}

/// Results of one mode over one network.
#[derive(Debug)]
pub(crate) struct Figures {
    pub(crate) network: Network,
    pub(crate) way: Way,
    /// Of short calls with nothing else under way: the median.
    pub(crate) alone: Duration,
    /// Of those that began while a long one was being answered.
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
    calls: usize,
    /// Median duration of the long call.
    long: Duration,
}

#[derive(Default)]
struct Samples {
    alone: Vec<Duration>,
    beside: Vec<Duration>,
    long: Vec<Duration>,
}

pub(crate) fn measure(effort: Effort) -> Result<Vec<Figures>, Failure> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let mut figures = Vec::new();
    for network in Network::ALL {
        figures.extend(runtime.block_on(over(network, effort))?);
    }
    Ok(figures)
}

async fn over(network: Network, effort: Effort) -> Result<Vec<Figures>, Failure> {
    let (near, far, addr) = namespaces(network);
    for namespace in far.iter().chain([&near]) {
        namespace.set_sctp("intl_enable", 1);
    }
    let (up, listening) = oneshot::channel();
    // The server lives as long as its thread, which ends with the program.
    drop(far.as_ref().unwrap_or(&near).start(move || async move {
        let ends = serve(addr).await;
        let failed = ends.is_err();
        if up.send(ends).is_ok() && !failed {
            std::future::pending::<()>().await;
        }
    }));
    let addrs = listening.await??;
    near.start(move || take_turns(network, addrs, effort)).await
}

/// The namespaces of the client and, if it has one of its own, of the server; and the server's
/// address.
fn namespaces(network: Network) -> (NetNs, Option<NetNs>, SocketAddr) {
    match network {
        Network::Loopback => (NetNs::new(), None, SocketAddr::from(([127, 0, 0, 1], 0))),
        Network::Link => {
            let (near, far) = two_cables();
            for end in [&near, &far] {
                end.tc("qdisc add dev one root netem rate 20mbit delay 5ms limit 1000");
            }
            (near, Some(far), SocketAddr::from(([10, 1, 0, 2], 0)))
        }
    }
}

async fn serve(addr: SocketAddr) -> io::Result<Vec<SocketAddr>> {
    let sctp: Vec<Way> = Way::ALL
        .into_iter()
        .filter(|way| *way != Way::Tcp)
        .collect();
    let sockets: Vec<_> = sctp.iter().map(|way| way.socket()).collect();
    let mut addrs = server::start(addr, &sockets)?;
    // The last of all ways.
    addrs.push(server::start_tcp(addr).await?);
    Ok(addrs)
}

async fn take_turns(
    network: Network,
    addrs: Vec<SocketAddr>,
    effort: Effort,
) -> Result<Vec<Figures>, Failure> {
    let mut runs = Vec::new();
    for (way, addr) in Way::ALL.into_iter().zip(addrs) {
        let caller = way.connect(addr).await?;
        // The windows open, and everything is allocated.
        caller.call(LONG).await?;
        runs.push((way, caller, Samples::default()));
    }
    for _ in 0..effort.rounds {
        for (_, caller, samples) in &mut runs {
            round(caller, samples).await?;
        }
    }
    let figures = runs.into_iter().map(|(way, _, samples)| Figures {
        network,
        way,
        alone: median_time(&samples.alone),
        p50: percentile(&samples.beside, 0.5),
        p99: percentile(&samples.beside, 0.99),
        calls: samples.beside.len(),
        long: median_time(&samples.long),
    });
    Ok(figures.collect())
}

async fn round(caller: &Caller, samples: &mut Samples) -> Result<(), Failure> {
    for _ in 0..5 {
        samples.alone.push(short(caller).await?);
    }
    let began = Instant::now();
    let long = tokio::spawn({
        let caller = caller.clone();
        async move {
            let answer = caller.call(LONG).await?;
            if answer.len() != LONG_ANSWER {
                return Err(format!("{} bytes came for {LONG_ANSWER}", answer.len()).into());
            }
            Ok::<_, Failure>(Instant::now())
        }
    });
    // The long request goes out first.
    tokio::task::yield_now().await;
    while !long.is_finished() {
        samples.beside.push(short(caller).await?);
    }
    samples.long.push(long.await?? - began);
    Ok(())
}

async fn short(caller: &Caller) -> Result<Duration, Failure> {
    let began = Instant::now();
    let answer = caller.call(SHORT).await?;
    if answer != SHORT {
        return Err("a short call got another's answer".into());
    }
    Ok(began.elapsed())
}

fn percentile(times: &[Duration], part: f64) -> Duration {
    let mut times = times.to_vec();
    times.sort_unstable();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a place in a short list"
    )]
    let rank = (times.len() as f64 * part).ceil() as usize;
    let last = times.len().saturating_sub(1);
    times
        .get(rank.saturating_sub(1).min(last))
        .copied()
        .unwrap_or_default()
}

fn median_time(times: &[Duration]) -> Duration {
    Duration::from_secs_f64(median(times.iter().map(Duration::as_secs_f64)))
}

/// The figures as a table.
pub(crate) fn table(figures: &[Figures]) -> String {
    let mut text = String::from(
        "Short calls of 64 bytes, one after the other, while a call is answered with 1 MiB\n\n",
    );
    let heads = [
        "over",
        "network",
        "alone, median",
        "beside, p50",
        "beside, p99",
        "calls",
        "the long one",
    ];
    text += &row(heads.map(str::to_owned));
    text += "|---|---|---:|---:|---:|---:|---:|\n";
    for one in figures {
        text += &row([
            one.way.name().to_owned(),
            one.network.name().to_owned(),
            time(one.alone),
            time(one.p50),
            time(one.p99),
            one.calls.to_string(),
            time(one.long),
        ]);
    }
    text
}

pub(crate) fn row<const N: usize>(cells: [String; N]) -> String {
    format!("| {} |\n", cells.join(" | "))
}

pub(crate) fn time(time: Duration) -> String {
    format::time(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX))
}
