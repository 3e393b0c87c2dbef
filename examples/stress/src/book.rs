//! Accounts of the pushes that were accepted and received on each association.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use sctp_service::{AssociationHandle, Counts, End, Message, SendError, Side};

use crate::{
    fault::{Faults, Kind},
    payload::Push,
    rng::Rng,
    watch::{At, Watch},
};

/// The pushes of one association, from when it comes up to when all of them are accounted for.
#[derive(Debug)]
pub(crate) struct Account {
    number: u64,
    pub(crate) at: At,
    accepted: AtomicU64,
    received: AtomicU64,
    /// Those that a client read when it had begun to shut down, and counted as discarded.
    discarded: AtomicU64,
    /// The peer starts again, or is about to: messages may be missing in the middle.
    restarts: AtomicBool,
    /// The next number of each pusher.
    expected: Mutex<HashMap<u32, u64>>,
}

impl Account {
    /// Begins to push to this association.
    pub(crate) fn line(self: &Arc<Self>, pusher: u32) -> Line {
        Line {
            account: Arc::clone(self),
            pusher,
            next: 0,
        }
    }

    pub(crate) fn expect_restart(&self) {
        self.restarts.store(true, Ordering::Release);
    }

    fn receive(&self, push: &Push) -> Option<&'static str> {
        self.received.fetch_add(1, Ordering::AcqRel);
        let mut expected = self.expected.lock().unwrap_or_else(PoisonError::into_inner);
        let next = expected.entry(push.pusher).or_default();
        let before = std::mem::replace(next, push.number + 1);
        if push.number < before {
            Some("received twice")
        } else if push.number > before && !self.restarts.load(Ordering::Acquire) {
            Some("received while one before it was not")
        } else {
            None
        }
    }
}

/// One pusher's messages on one association.
#[derive(Debug)]
pub(crate) struct Line {
    account: Arc<Account>,
    pusher: u32,
    next: u64,
}

impl Line {
    pub(crate) fn at(&self) -> At {
        self.account.at
    }

    pub(crate) fn next(&self) -> u64 {
        self.next
    }

    /// Pushes a message. Dropped before it completes, nothing may arrive.
    pub(crate) async fn push(&mut self, handle: &AssociationHandle) -> Result<(), SendError> {
        let result = handle.send(self.message()).await;
        self.note(result)
    }

    pub(crate) fn try_push(&mut self, handle: &AssociationHandle) -> Result<(), SendError> {
        let result = handle.try_send(self.message());
        self.note(result)
    }

    fn message(&self) -> Message {
        let push = Push {
            account: self.account.number,
            pusher: self.pusher,
            number: self.next,
        };
        Message::new(push.encode()).on_stream(0)
    }

    fn note(&mut self, result: Result<(), SendError>) -> Result<(), SendError> {
        if result.is_ok() {
            self.next += 1;
            self.account.accepted.fetch_add(1, Ordering::AcqRel);
        }
        result
    }
}

/// An association that is up.
#[derive(Clone, Debug)]
pub(crate) struct Open {
    pub(crate) handle: AssociationHandle,
    pub(crate) account: Arc<Account>,
}

/// An association that is over, and whose pushes may still be on their way.
#[derive(Debug)]
struct Closed {
    account: Arc<Account>,
    end: End,
    counts: Counts,
    looks: u64,
}

/// The accounts of all associations.
#[derive(Debug, Default)]
pub(crate) struct Book {
    open: Mutex<HashMap<(u16, i32), Open>>,
    accounts: Mutex<HashMap<u64, Arc<Account>>>,
    closed: Mutex<Vec<Closed>>,
    next: AtomicU64,
    pushes: AtomicU64,
}

impl Book {
    /// An association came up.
    pub(crate) fn open(&self, server: u16, assoc: i32, handle: AssociationHandle) {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let account = Arc::new(Account {
            number,
            at: At {
                server: Some(server),
                assoc: Some(assoc),
            },
            accepted: AtomicU64::new(0),
            received: AtomicU64::new(0),
            discarded: AtomicU64::new(0),
            restarts: AtomicBool::new(false),
            expected: Mutex::default(),
        });
        lock(&self.accounts).insert(number, Arc::clone(&account));
        let open = Open { handle, account };
        lock(&self.open).insert((server, assoc), open);
    }

    /// The peer of an association started again, which has a new handle from now on.
    pub(crate) fn restart(&self, server: u16, assoc: i32, handle: AssociationHandle) {
        if let Some(open) = lock(&self.open).get_mut(&(server, assoc)) {
            open.account.expect_restart();
            open.handle = handle;
        }
    }

    /// An association is over.
    pub(crate) fn close(&self, server: u16, assoc: i32, end: End, counts: Counts, watch: &Watch) {
        let open = lock(&self.open).remove(&(server, assoc));
        if let Some(open) = open {
            lock(&self.closed).push(Closed {
                account: open.account,
                end,
                counts,
                looks: watch.looks(),
            });
        }
    }

    /// A client's association is over, which discarded so many messages.
    pub(crate) fn discard(&self, server: u16, assoc: i32, messages: u64) {
        let at = At {
            server: Some(server),
            assoc: Some(assoc),
        };
        for account in lock(&self.accounts).values() {
            if account.at == at {
                account.discarded.fetch_add(messages, Ordering::AcqRel);
            }
        }
    }

    /// An association that is up, if there is one.
    pub(crate) fn find(&self, server: u16, assoc: i32) -> Option<Arc<Account>> {
        let open = lock(&self.open);
        let open = open.get(&(server, assoc))?;
        Some(Arc::clone(&open.account))
    }

    /// Some association that is up.
    pub(crate) fn any(&self, rng: &mut Rng) -> Option<Open> {
        let open = lock(&self.open);
        let index = rng.below(open.len().max(1));
        open.values().nth(index).cloned()
    }

    /// A push arrived. Returns what is wrong with that.
    pub(crate) fn receive(&self, push: &Push) -> Option<String> {
        // Those of an association that ended otherwise than in order may come late.
        let account = lock(&self.accounts).get(&push.account).cloned()?;
        let wrong = account.receive(push)?;
        Some(format!(
            "push {} of pusher {}, on {}: {wrong}",
            push.number, push.pusher, account.at
        ))
    }

    /// Settles the accounts of associations that are over, and reports those that cannot be.
    pub(crate) fn settle(&self, watch: &Watch, faults: &Faults) {
        let mut settled = Vec::new();
        lock(&self.closed).retain(|closed| {
            let is_settled = closed.is_settled();
            let overdue = watch.is_overdue(closed.looks);
            if overdue && !is_settled {
                faults.add(Kind::Lost, closed.describe());
            }
            if overdue || is_settled && closed.end.is_orderly() {
                settled.push(Arc::clone(&closed.account));
                return false;
            }
            true
        });
        let mut accounts = lock(&self.accounts);
        for account in settled {
            let accepted = account.accepted.load(Ordering::Acquire);
            self.pushes.fetch_add(accepted, Ordering::Relaxed);
            accounts.remove(&account.number);
        }
    }

    /// Returns `true` if no association is up, and every account is settled.
    pub(crate) fn is_empty(&self) -> bool {
        lock(&self.open).is_empty() && lock(&self.closed).iter().all(Closed::is_settled)
    }

    /// The pushes that were accepted so far.
    pub(crate) fn pushes(&self) -> u64 {
        let accounts = lock(&self.accounts);
        let open = accounts
            .values()
            .map(|account| account.accepted.load(Ordering::Acquire));
        self.pushes.load(Ordering::Relaxed) + open.sum::<u64>()
    }
}

impl Closed {
    /// Returns `true` if each push that was accepted has arrived, or is known to be discarded.
    fn is_settled(&self) -> bool {
        let accepted = self.account.accepted.load(Ordering::Acquire);
        let received = self.account.received.load(Ordering::Acquire)
            + self.account.discarded.load(Ordering::Acquire);
        let accounted = received + self.counts.discarded_sends;
        let restarts = self.account.restarts.load(Ordering::Acquire);
        let arrived = match &self.end {
            // Everything that was accepted is sent before.
            End::Shutdown { by: Side::Local } if !restarts => received == accepted,
            End::Shutdown { .. } if !restarts => accounted == accepted,
            _ => accounted <= accepted,
        };
        accepted == self.counts.sends && arrived
    }

    fn describe(&self) -> String {
        format!(
            "pushes on {}, {}{}: {} accepted, {} by its counts, {} discarded, {} received, \
             {} discarded by the client",
            self.account.at,
            self.end,
            if self.account.restarts.load(Ordering::Acquire) {
                " after a restart"
            } else {
                ""
            },
            self.account.accepted.load(Ordering::Acquire),
            self.counts.sends,
            self.counts.discarded_sends,
            self.account.received.load(Ordering::Acquire),
            self.account.discarded.load(Ordering::Acquire),
        )
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
