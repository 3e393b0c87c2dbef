//! Calls in a second: `Client` against loops on `Association` that know nothing of calls.

use std::{
    collections::VecDeque,
    future::poll_fn,
    net::{Ipv4Addr, SocketAddr},
    time::{Duration, Instant},
};

use sctp_service::{
    ByStream,
    client::{Client, Remote},
};
use sctp_tokio::{Association, Message, Received, SocketBuilder, options::InitMsg};
use tokio::{runtime::Builder, sync::oneshot, task::JoinSet};

use crate::{Effort, contestants::Failure, latency::row, server, support::median};

const PAYLOAD: &[u8] = &[7; 64];

/// Maximum number of replies that a loop takes together.
const BATCH: usize = 32;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Case {
    in_flight: u16,
    streams: u16,
}

/// Calls in a second, and the loops' over the client's of the same round: medians.
#[derive(Debug)]
pub(crate) struct Figures {
    case: Case,
    rates: [f64; 3],
    ratios: [f64; 2],
}

pub(crate) fn measure(effort: Effort) -> Result<Vec<Figures>, Failure> {
    let (up, listening) = oneshot::channel();
    // Both ends have a thread of their own; this one's ends with the program.
    std::thread::spawn(move || {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
            if up.send(server::start(addr, &[socket(64)])).is_ok() {
                std::future::pending::<()>().await;
            }
            Ok::<(), std::io::Error>(())
        })
    });
    let runtime = Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let addr = listening.await??.remove(0);
        let mut figures = Vec::new();
        for in_flight in [1, 64] {
            for streams in [1, 64] {
                let case = Case { in_flight, streams };
                figures.push(take_turns(case, addr, effort).await?);
            }
        }
        Ok(figures)
    })
}

fn socket(streams: u16) -> SocketBuilder {
    SocketBuilder::new()
        .with_init(InitMsg::new().with_outbound_streams(streams))
        .with_send_buffer_size(4 << 20)
        .with_recv_buffer_size(4 << 20)
}

async fn take_turns(case: Case, addr: SocketAddr, effort: Effort) -> Result<Figures, Failure> {
    let socket = socket(case.streams);
    let depth = usize::from(case.in_flight.div_ceil(case.streams));
    let client = Client::builder()
        .with_correlation(ByStream::on(..).with_depth(depth))
        .connect(Remote::new(addr).with_socket(socket.clone()))
        .await?;
    let mut plain = socket.connect(&[addr]).await?;
    let mut batched = socket.connect(&[addr]).await?;
    let mut rounds = Vec::new();
    for round in 0..=effort.rounds {
        let rates = [
            calls(&client, case, effort.time).await?,
            one_by_one(&mut plain, case, effort.time).await?,
            in_batches(&mut batched, case, effort.time).await?,
        ];
        // The first one warms up.
        if round > 0 {
            rounds.push(rates);
        }
    }
    let rate = |of: usize| median(rounds.iter().map(|rates| rates[of]));
    let ratio = |of: usize| median(rounds.iter().map(|rates| rates[0] / rates[of]));
    Ok(Figures {
        case,
        rates: [rate(0), rate(1), rate(2)],
        ratios: [ratio(1), ratio(2)],
    })
}

/// One task per call in flight, each with one call after the other.
async fn calls(client: &Client, case: Case, time: Duration) -> Result<f64, Failure> {
    let began = Instant::now();
    let mut tasks = JoinSet::new();
    for _ in 0..case.in_flight {
        let client = client.clone();
        tasks.spawn(async move {
            let mut answered = 0_u32;
            while began.elapsed() < time {
                let reply = client.request(PAYLOAD).await?;
                check(&reply)?;
                answered += 1;
            }
            Ok::<_, Failure>(answered)
        });
    }
    let mut answered = 0;
    while let Some(task) = tasks.join_next().await {
        answered += task??;
    }
    Ok(f64::from(answered) / began.elapsed().as_secs_f64())
}

/// One message received, one sent.
async fn one_by_one(
    association: &mut Association,
    case: Case,
    time: Duration,
) -> Result<f64, Failure> {
    let began = Instant::now();
    for number in 0..case.in_flight {
        association.send(request(number % case.streams)).await?;
    }
    let (mut answered, mut open) = (0_u32, case.in_flight);
    while open > 0 {
        let reply = association.recv().await?.ok_or("the server has gone")?;
        check(&reply)?;
        answered += 1;
        if began.elapsed() < time {
            let stream = reply.info.stream.get();
            association.send(request(stream)).await?;
        } else {
            open -= 1;
        }
    }
    Ok(f64::from(answered) / began.elapsed().as_secs_f64())
}

/// All that is there received, and the next requests sent together.
async fn in_batches(
    association: &mut Association,
    case: Case,
    time: Duration,
) -> Result<f64, Failure> {
    let began = Instant::now();
    let first = (0..case.in_flight).map(|number| request(number % case.streams));
    let mut queue: VecDeque<Message> = first.collect();
    let (mut answered, mut open) = (0_u32, case.in_flight);
    while open > 0 {
        while !queue.is_empty() {
            poll_fn(|cx| association.poll_send_queue(cx, &mut queue)).await?;
        }
        let mut next = Some(association.recv().await?.ok_or("the server has gone")?);
        let mut taken = 0;
        while let Some(reply) = next.take() {
            check(&reply)?;
            answered += 1;
            taken += 1;
            if began.elapsed() < time {
                queue.push_back(request(reply.info.stream.get()));
            } else {
                open -= 1;
            }
            if taken < BATCH && open > 0 {
                next = association.try_recv().ok().flatten();
            }
        }
    }
    Ok(f64::from(answered) / began.elapsed().as_secs_f64())
}

fn request(stream: u16) -> Message {
    Message::new(PAYLOAD).on_stream(stream)
}

fn check(reply: &Received) -> Result<(), Failure> {
    if reply.payload != PAYLOAD {
        return Err(format!("{} bytes came for {}", reply.payload.len(), PAYLOAD.len()).into());
    }
    Ok(())
}

/// The figures as a table.
pub(crate) fn table(figures: &[Figures]) -> String {
    let mut text = String::from("Calls in a second of 64 bytes, one association, loopback\n\n");
    let heads = [
        "in flight",
        "streams",
        "Client",
        "loop, one by one",
        "loop, batches",
        "Client / one by one",
        "Client / batches",
    ];
    text += &row(heads.map(str::to_owned));
    text += "|---:|---:|---:|---:|---:|---:|---:|\n";
    for one in figures {
        let [client, plain, batched] = one.rates.map(|rate| format!("{rate:.0}"));
        let [over_plain, over_batched] = one.ratios.map(|ratio| format!("{ratio:.2}"));
        text += &row([
            one.case.in_flight.to_string(),
            one.case.streams.to_string(),
            client,
            plain,
            batched,
            over_plain,
            over_batched,
        ]);
    }
    text
}
