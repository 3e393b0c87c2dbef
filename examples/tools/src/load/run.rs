//! A run from beginning to end.

use std::{
    error::Error,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use tokio::{
    sync::{Notify, mpsc, watch},
    task::JoinSet,
    time::sleep_until,
};

use crate::{
    address::Target,
    load::{
        args::Load,
        control::{Budget, Clock, NEVER, Phases, nanoseconds},
        live::Live,
        payload::filler,
        result::Outcome,
        series::Series,
        stats::Stats,
        summary,
        worker::{Shared, Worker},
    },
    signal::Stops,
    trace::Trace,
};

/// Time limit for replies after Ctrl-C.
const INTERRUPTED_WAIT: u64 = 1_000_000_000;
/// Interval between updates of the display.
const REDRAW: u64 = 200_000_000;
/// Number of parts that collect figures.
const SHARDS: usize = 16;

/// A run under way.
struct Run {
    shared: Arc<Shared>,
    phases: watch::Sender<Phases>,
    tasks: JoinSet<()>,
    settled: Option<mpsc::Receiver<()>>,
    series: Series,
    live: Live,
}

/// Puts the load on, and returns what came of it.
pub(crate) async fn run(load: Load) -> Result<Outcome, Box<dyn Error>> {
    let server = Target::find(&load.server).await?;
    let trace = Trace::create(load.trace.as_deref())?;
    let began_at = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let live = Live::new(&load);
    let series = Series::new(nanoseconds(load.interval))?;
    let shared = Arc::new(Shared {
        server,
        filler: filler(load.size.longest()),
        clock: Clock::start(),
        stats: Stats::new(SHARDS.min(load.associations as usize))?,
        budget: Budget::new(load.count),
        spent: Notify::new(),
        trace: trace.clone(),
        load,
    });
    let mut run = Run::start(shared, series, live);
    let followed = run.follow().await;
    run.live.finish();
    followed?;
    let ended = run.shared.clock.now();
    let phases = *run.phases.borrow();
    run.series.finish(ended, &run.shared.stats, &phases);
    let points = run.series.into_points();
    let outcome = summary::outcome(&run.shared, &phases, began_at, ended, points)?;
    trace.finish()?;
    Ok(outcome)
}

impl Run {
    fn start(shared: Arc<Shared>, series: Series, live: Live) -> Self {
        let go = if shared.load.ramp_up.is_zero() {
            NEVER
        } else {
            0
        };
        let (phases, receiver) = watch::channel(Phases {
            go,
            ..Phases::UNKNOWN
        });
        let (sender, settled) = mpsc::channel(1);
        let mut tasks = JoinSet::new();
        for index in 0..shared.load.associations as usize {
            let worker = Worker {
                shared: Arc::clone(&shared),
                index,
                phases: receiver.clone(),
                settled: Some(sender.clone()),
            };
            tasks.spawn(worker.run());
        }
        Self {
            shared,
            phases,
            tasks,
            settled: Some(settled),
            series,
            live,
        }
    }

    /// Leads the run through its phases, until every association has done its part.
    async fn follow(&mut self) -> Result<(), Box<dyn Error>> {
        let shared = Arc::clone(&self.shared);
        let clock = shared.clock;
        let mut stops = Stops::catch()?;
        let mut redraw = REDRAW;
        loop {
            let tick = clock.moment(redraw.min(self.series.next()));
            tokio::select! {
                biased;
                _ = stops.next() => {
                    if self.phases.borrow().interrupted {
                        self.tasks.shutdown().await;
                        return Ok(());
                    }
                    self.interrupt(clock.now());
                }
                () = settled(&mut self.settled), if self.settled.is_some() => {
                    self.settled = None;
                    self.begin(clock.now());
                }
                () = shared.spent.notified() => self.end(clock.now()),
                ended = self.tasks.join_next() => match ended {
                    None => return Ok(()),
                    Some(Err(error)) => return Err(format!("an association's task failed: {error}").into()),
                    Some(Ok(())) => {}
                },
                () = sleep_until(tick) => {
                    let now = clock.now();
                    let phases = *self.phases.borrow();
                    if now >= self.series.next() {
                        let point = self.series.take(now, &shared.stats, &phases);
                        self.live.line(point, &phases);
                    }
                    if now >= redraw {
                        redraw = now + REDRAW;
                        self.live.draw(now, &shared.stats, &phases, self.series.latest());
                    }
                }
            }
        }
    }

    /// All associations are up, or never will be.
    fn begin(&self, now: u64) {
        let load = &self.shared.load;
        self.phases.send_modify(|phases| {
            phases.go = phases.go.min(now);
            phases.measure = now + nanoseconds(load.warm_up);
            if let Some(time) = load.measured_time() {
                let end = phases.measure.saturating_add(nanoseconds(time));
                phases.end = phases.end.min(end);
                phases.cut = phases
                    .cut
                    .min(end.saturating_add(nanoseconds(load.call_timeout)));
            }
        });
    }

    /// No more calls are due. Those that are open have until their timeouts.
    fn end(&self, now: u64) {
        self.phases
            .send_modify(|phases| phases.end = phases.end.min(now));
    }

    fn interrupt(&self, now: u64) {
        let wait = nanoseconds(self.shared.load.call_timeout).min(INTERRUPTED_WAIT);
        self.phases.send_modify(|phases| {
            phases.interrupted = true;
            phases.end = phases.end.min(now);
            phases.cut = phases.cut.min(now + wait);
        });
    }
}

/// Waits until every association has tried to connect.
async fn settled(receiver: &mut Option<mpsc::Receiver<()>>) {
    if let Some(receiver) = receiver {
        // Nothing is ever sent: this resolves when all senders are gone.
        receiver.recv().await;
    }
}
