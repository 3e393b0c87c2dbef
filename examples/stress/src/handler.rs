//! The handlers: each kind of work waits for several things that other threads complete.

use std::{
    future::poll_fn,
    sync::{Arc, atomic::Ordering},
    task::Poll,
    time::Duration,
};

use bytes::Bytes;
use futures::{StreamExt, stream, stream::FuturesUnordered};
use sctp_service::{AssociationHandle, Message, Reply, Shutdown};
use tokio::{
    select,
    sync::{Notify, Semaphore, mpsc, oneshot},
    time::sleep,
};

use crate::{
    callers,
    fault::Kind,
    helpers::{Rally, Step},
    payload::{self, Payload, Request},
    rng::Rng,
    run::Run,
    work::Work,
};

/// The reason of the aborts that handlers ask for.
const REASON: &str = "asked for";

/// A request in the hands of its handler.
struct Task {
    run: Arc<Run>,
    request: Request,
    bytes: Bytes,
    peer: AssociationHandle,
    server: u16,
    assoc: i32,
    rng: Rng,
}

/// Serves one request.
pub(crate) async fn serve(run: Arc<Run>, server: u16, request: sctp_service::Request) -> Reply {
    let assoc = request.connect_info().assoc().get();
    let peer = request.association().clone();
    let bytes = request.into_payload();
    let Payload::Request(request) = Payload::decode(&bytes) else {
        run.faults
            .add(Kind::Lost, "a server received what no caller sent");
        return Reply::none();
    };
    if let Some(wrong) = run.ledger.executed(&request) {
        run.lost(&request, wrong);
    }
    if request.one_way {
        return Reply::none();
    }
    let task = Task {
        rng: Rng::new(request.seed),
        run,
        request,
        bytes,
        peer,
        server,
        assoc,
    };
    task.serve().await
}

impl Task {
    async fn serve(mut self) -> Reply {
        match Work::of(&self.request) {
            Work::Abort => return Reply::none().with_shutdown(Shutdown::abort(REASON)),
            Work::Back => callers::ask_back(&self.run, self.peer.clone(), self.server).await,
            Work::Channel => return self.channel(),
            Work::Echo => {}
            Work::Join => self.join().await,
            Work::Leave => return self.answer().with_shutdown(Shutdown::AfterAck),
            Work::Mpsc => self.mpsc().await,
            Work::Notify => self.notify().await,
            Work::Push => self.push().await,
            Work::Rally => self.rally().await,
            Work::Restart => {
                if let Some(account) = self.run.book.find(self.server, self.assoc) {
                    account.expect_restart();
                }
            }
            Work::Select => self.select().await,
            Work::Semaphore => self.semaphore().await,
            Work::Spin => self.spin().await,
            Work::Stream => return self.stream(),
            Work::Timer => self.timer().await,
            Work::Unordered => self.unordered().await,
        }
        self.answer()
    }

    fn answer(&self) -> Reply {
        self.run.ledger.answered(&self.request);
        Reply::new(payload::reply(&self.bytes))
    }

    fn take(&mut self, steps: Vec<Step>) {
        self.run.helpers.take(steps, &mut self.rng);
    }

    async fn join(&mut self) {
        let (first, one) = oneshot::channel();
        let (second, two) = oneshot::channel();
        let (third, three) = oneshot::channel();
        let mut steps = vec![
            Step::Oneshot(first),
            Step::Oneshot(second),
            Step::Oneshot(third),
        ];
        self.rng.shuffle(&mut steps);
        // One that is never sent fails at once.
        steps.truncate(2 + self.rng.below(2));
        self.take(steps);
        let _ = tokio::join!(one, two, three);
    }

    /// Joins again and again, with a thread that answers while its driver is still polling: two
    /// wake-ups come in quick succession, and the second one may meet the poll for the first.
    async fn rally(&mut self) {
        let rounds = 1 + self.rng.skewed(256);
        let (rally, pairs) = Rally::new(rounds, &mut self.rng);
        let turn = rally.turn();
        self.run.helpers.rally(rally);
        for (one, two) in pairs {
            let serve = async { turn.fetch_add(1, Ordering::Release) };
            let _ = tokio::join!(biased; one, two, serve);
        }
    }

    async fn unordered(&mut self) {
        let count = 2 + self.rng.below(6);
        let (senders, receivers): (Vec<_>, Vec<_>) = (0..count).map(|_| oneshot::channel()).unzip();
        self.take(senders.into_iter().map(Step::Oneshot).collect());
        let mut receivers: FuturesUnordered<_> = receivers.into_iter().collect();
        while receivers.next().await.is_some() {}
    }

    async fn select(&mut self) {
        let count = 1 + self.rng.below(4);
        let (queue, mut items) = mpsc::channel(count);
        let notify = Arc::new(Notify::new());
        let (last, mut end) = oneshot::channel();
        let mut steps = vec![Step::Notify(Arc::clone(&notify)), Step::Oneshot(last)];
        steps.extend((0..count).map(|_| Step::Item(queue.clone())));
        drop(queue);
        self.rng.shuffle(&mut steps);
        self.take(steps);
        let (mut noted, mut ended, mut received) = (false, false, false);
        while !(noted && ended && received) {
            select! {
                item = items.recv(), if !received => received = item.is_none(),
                () = notify.notified(), if !noted => noted = true,
                _ = &mut end, if !ended => ended = true,
                () = sleep(Duration::from_millis(1)) => {}
            }
        }
    }

    async fn timer(&mut self) {
        let (sender, receiver) = oneshot::channel();
        self.take(vec![Step::Oneshot(sender)]);
        let short = sleep(self.rng.micros(500));
        let long = sleep(self.rng.micros(3000));
        let _ = tokio::join!(short, receiver, long);
    }

    async fn mpsc(&mut self) {
        let count = 1 + self.rng.below(6);
        let (queue, mut items) = mpsc::channel(count);
        self.take((0..count).map(|_| Step::Item(queue.clone())).collect());
        drop(queue);
        while items.recv().await.is_some() {}
    }

    async fn notify(&mut self) {
        let all: Vec<_> = (0..2 + self.rng.below(2))
            .map(|_| Arc::new(Notify::new()))
            .collect();
        self.take(all.iter().cloned().map(Step::Notify).collect());
        futures::future::join_all(all.iter().map(|notify| notify.notified())).await;
    }

    async fn semaphore(&mut self) {
        let count = 1 + self.rng.below(4);
        let permits = Arc::new(Semaphore::new(0));
        self.take(
            (0..count)
                .map(|_| Step::Permit(Arc::clone(&permits)))
                .collect(),
        );
        let all = u32::try_from(count).unwrap_or(1);
        // An error would mean that it was closed.
        let _ = permits.acquire_many(all).await;
    }

    /// Keeps its driver busy: wakes itself again and again, for up to some milliseconds.
    async fn spin(&mut self) {
        let mut left = self.rng.skewed(1 << 15);
        poll_fn(|cx| {
            if left == 0 {
                return Poll::Ready(());
            }
            left -= 1;
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }

    async fn push(&mut self) {
        let Some(account) = self.run.book.find(self.server, self.assoc) else {
            return;
        };
        let mut line = account.line(self.run.next_pusher());
        for _ in 0..1 + self.rng.below(4) {
            if line.push(&self.peer).await.is_err() {
                return;
            }
        }
    }

    /// Notices that another thread sends, and the reply behind them.
    fn messages(&mut self) -> Vec<Message> {
        let count = self.rng.below(5);
        (0..count)
            .map(|_| Message::new(payload::notice(&self.bytes)).on_stream(0))
            .collect()
    }

    fn stream(mut self) -> Reply {
        let notices = self.messages();
        let (queue, messages) = mpsc::channel(notices.len().max(1));
        let steps = notices
            .into_iter()
            .map(|notice| Step::Message(queue.clone(), notice));
        let steps = steps.collect();
        self.take(steps);
        drop(queue);
        let notices = stream::unfold(messages, async |mut messages| {
            let next = messages.recv().await?;
            Some((next.into(), messages))
        });
        let reply = stream::once(async move {
            self.run.ledger.answered(&self.request);
            sctp_service::ReplyMessage::from(payload::reply(&self.bytes))
        });
        Reply::stream(notices.chain(reply))
    }

    fn channel(mut self) -> Reply {
        let notices = self.messages();
        let (sender, reply) = Reply::channel(1 + self.rng.below(3));
        tokio::spawn(async move {
            for notice in notices {
                if sender.send(notice).await.is_err() {
                    return;
                }
            }
            // It is not known here when the association takes it, so it does not count as answered.
            let _ = sender.send(payload::reply(&self.bytes)).await;
        });
        reply
    }
}
