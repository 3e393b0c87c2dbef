//! Models of what threads share, which `.ci/loom` runs.

use std::{future::poll_fn, task::Poll};

use loom::{
    future::block_on,
    model::Builder,
    thread::{self, JoinHandle},
};
use sctp_tokio::{Message, Received};

use super::{
    super::call::{Call, Waiter},
    *,
};
use crate::{AssocId, Cause, Fate};

fn state(config: Config) -> Arc<HandleState> {
    let state = handshaking(config);
    state.open();
    state
}

fn handshaking(config: Config) -> Arc<HandleState> {
    let info = ConnectInfo::new(AssocId::new(1)).with_streams(1, 1);
    // Without a timeout, since loom has no clock.
    let config = Arc::new(config.with_call_timeout(None));
    HandleState::new(CancellationToken::new(), info, config, None, true)
}

/// Makes a call that has its permits.
fn call(state: &Arc<HandleState>) -> Call {
    let permits = state.call_permits().unwrap();
    state.call_with(
        Message::new("message"),
        permits.try_acquire_owned().unwrap(),
    )
}

/// Does what the session does with a call: sends its message, and then has the reply.
fn answer(submission: Submission) {
    if let Submission::Call { mut waiter, .. } = submission {
        drop(waiter.queue_permit.take());
        waiter.finish(Ok(Received::new("reply", sctp_core::RecvInfo::default())));
    }
}

/// Checks a model of which loom cannot try all interleavings in a reasonable time.
fn bounded_model(model: impl Fn() + Send + Sync + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(model);
}

/// Runs a function with the state in another thread.
fn spawn<R: 'static>(
    state: &Arc<HandleState>,
    run: impl FnOnce(Arc<HandleState>) -> R + 'static,
) -> JoinHandle<R> {
    let state = Arc::clone(state);
    thread::spawn(move || run(state))
}

fn push(state: &HandleState) -> bool {
    state.try_send(Message::new("message")).is_ok()
}

/// Does what the session does: names itself, looks, and rests.
fn drive(state: &HandleState, mut done: impl FnMut(Taken) -> bool) {
    let mut registered = false;
    block_on(poll_fn(|cx| {
        if !mem::replace(&mut registered, true) {
            state.register(cx.waker());
        }
        match state.is_pending() && done(state.take()) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    }));
}

#[test]
fn session_sees_a_message_and_the_shutdown() {
    loom::model(|| {
        let state = state(Config::new());
        let handle = spawn(&state, |state| {
            assert!(push(&state));
            state.shutdown(Shutdown::AfterAck).unwrap();
        });
        let (mut messages, mut shutdown) = (0, None);
        drive(&state, |taken| {
            messages += taken.submitted.len();
            shutdown = taken.shutdown.or(shutdown.take());
            shutdown.is_some()
        });
        handle.join().unwrap();
        assert_eq!(
            (messages, shutdown.as_deref()),
            (1, Some(&Shutdown::AfterAck))
        );
    });
}

/// An observer learns of the end once, before those who wait for it, or is refused.
#[test]
fn observer_is_notified_of_the_end_or_refused() {
    #[derive(Default)]
    struct Ends(std::sync::atomic::AtomicUsize);

    impl Observer for Ends {
        fn changed(&self) {}

        fn ended(&self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    loom::model(|| {
        let state = state(Config::new());
        let ends = Arc::new(Ends::default());
        let observing = thread::spawn({
            let (state, ends) = (Arc::clone(&state), Arc::clone(&ends));
            move || state.observe(ends)
        });
        let waiting = thread::spawn({
            let (state, ends) = (Arc::clone(&state), Arc::clone(&ends));
            move || {
                let is_over = state.lock().phase.end().is_some();
                is_over.then(|| ends.0.load(Ordering::Relaxed))
            }
        });
        state.end(None, None);
        let seen = waiting.join().unwrap();
        let is_accepted = observing.join().unwrap();
        assert_eq!(ends.0.load(Ordering::Relaxed), usize::from(is_accepted));
        assert!(seen.is_none_or(|seen| seen == usize::from(is_accepted)));
    });
}

/// Every accepted message is taken, or counted as discarded at the end.
#[test]
fn accepted_messages_are_accounted_for() {
    bounded_model(|| {
        let state = state(Config::new());
        let handles = [(); 2].map(|()| {
            let state = Arc::clone(&state);
            thread::spawn(move || usize::from(push(&state)))
        });
        let taken = state.take().submitted.len();
        let left = state.end(None, None).sends;
        let accepted: usize = handles.map(|handle| handle.join().unwrap()).iter().sum();
        assert_eq!(accepted, taken + left);
        assert!(!push(&state));
    });
}

/// A flush resolves when the session is done with the message, or has discarded it.
#[test]
fn flush_resolves_when_the_message_is_sent() {
    for is_sent in [true, false] {
        loom::model(move || {
            let state = state(Config::new());
            assert!(push(&state));
            let flushing = spawn(&state, |state| block_on(state.flush()).is_ok());
            let taken = state.take().submitted.len();
            assert_eq!(taken, 1);
            state.give_back("message".len(), is_sent);
            // Loom fails where the flush would wait for ever.
            assert_eq!(flushing.join().unwrap(), is_sent);
        });
    }
}

#[test]
fn flush_resolves_at_the_end() {
    for is_taken in [true, false] {
        loom::model(move || {
            let state = state(Config::new());
            assert!(push(&state));
            let flushing = spawn(&state, |state| block_on(state.flush()));
            if is_taken {
                // The session is dropped with it.
                drop(state.take());
            }
            state.end(None, None);
            // Loom fails where the flush would wait for ever.
            assert!(flushing.join().unwrap().is_err());
        });
    }
}

#[test]
fn restart_loses_no_message() {
    loom::model(|| {
        let before = state(Config::new());
        let handle = spawn(&before, |before| usize::from(push(&before)));
        let (after, left) = before.renewed(before.info().clone());
        let accepted = handle.join().unwrap();
        assert_eq!(accepted, left.sends);
        assert!(!push(&after));
        after.open();
        assert!(push(&after));
    });
}

#[test]
fn accepted_messages_stay_within_the_limit() {
    bounded_model(|| {
        let state = state(
            Config::new()
                .with_outbound_queue(2)
                .with_outbound_queue_bytes(1024),
        );
        let handles = [(); 2].map(|()| {
            let state = Arc::clone(&state);
            thread::spawn(move || usize::from(push(&state)) + usize::from(push(&state)))
        });
        let taken = state.take().submitted;
        for submission in &taken {
            if let Submission::OneWay { message, .. } = submission {
                state.give_back(message.payload.len(), true);
            }
        }
        let accepted: usize = handles.map(|handle| handle.join().unwrap()).iter().sum();
        let left = state.end(None, None).sends;
        assert_eq!(accepted, taken.len() + left);
        assert!(taken.len() <= 2 && left <= 2);
    });
}

/// The session finds the call by its closed channel when it is woken for it.
#[test]
fn session_sees_a_call_and_its_cancellation() {
    bounded_model(|| {
        let state = state(Config::new());
        let calling = spawn(&state, |state| drop(call(&state)));
        let mut waiters = Vec::new();
        drive(&state, |taken| {
            for submission in taken.submitted {
                if let Submission::Call { waiter, .. } = submission {
                    waiters.push(waiter);
                }
            }
            taken.has_dropped_calls && waiters.iter().any(Waiter::is_gone)
        });
        calling.join().unwrap();
    });
}

#[test]
fn session_sees_a_released_turn() {
    loom::model(|| {
        let state = state(Config::new());
        let releasing = spawn(&state, |state| state.release_turn(1));
        // Loom fails where the session would rest for ever.
        drive(&state, |taken| taken.released.is_some_and(|it| *it == [1]));
        releasing.join().unwrap();
    });
}

#[test]
fn session_sees_a_request_for_statistics() {
    loom::model(|| {
        let state = state(Config::new());
        let asking = spawn(&state, |state| block_on(state.request_stats().unwrap()));
        // Loom fails where the session or the request would wait for ever.
        drive(&state, |taken| {
            let answer = |waiters: Box<StatsWaiters>| waiters.answer(|| Ok(Default::default()));
            taken.stats_waiters.map(answer).is_some()
        });
        assert!(asking.join().unwrap().unwrap().is_ok());
    });
}

#[test]
fn request_for_statistics_at_the_end_fails() {
    loom::model(|| {
        let state = state(Config::new());
        let asking = spawn(&state, |state| state.request_stats().map(block_on));
        state.end(None, None);
        // Loom fails where the request would wait for ever.
        assert!(asking.join().unwrap().is_none_or(|stats| stats.is_err()));
    });
}

/// A restart is not taken for the end.
#[test]
fn association_is_current_during_a_restart() {
    loom::model(|| {
        let before = state(Config::new());
        let looking = spawn(&before, |before| {
            before.current().map(|current| current.id())
        });
        let (after, _) = before.renewed(before.info().clone());
        let seen = looking.join().unwrap().unwrap();
        assert!([before.id(), after.id()].contains(&seen));
        drop(after);
        assert!(before.current().is_none());
    });
}

#[test]
fn call_beyond_the_limits_has_its_turn() {
    bounded_model(|| {
        let config = Config::new()
            .with_max_calls(1)
            .with_outbound_queue(1)
            .with_outbound_queue_bytes(1);
        let state = state(config);
        let calling = spawn(&state, |state| {
            let call = || Arc::clone(&state).request(Message::new("message"), None, Origin::Handle);
            block_on(async { futures::join!(call(), call()) })
        });
        let mut answered = 0;
        // Loom fails where a call would wait for ever.
        drive(&state, |taken| {
            answered += taken.submitted.len();
            taken.submitted.into_iter().for_each(answer);
            answered == 2
        });
        let (one, two) = calling.join().unwrap();
        assert!(one.is_ok() && two.is_ok());
        assert_eq!(state.call_permits().unwrap().available_permits(), 1);
        assert!(push(&state));
    });
}

/// Each call is answered, or fails as one that was not sent.
#[test]
fn calls_at_the_end_are_accounted_for() {
    bounded_model(|| {
        let state = state(Config::new().with_max_calls(1));
        let calls = [(); 2].map(|()| {
            let state = Arc::clone(&state);
            thread::spawn(move || {
                block_on(state.request(Message::new("message"), None, Origin::Handle))
            })
        });
        let taken = state.take().submitted;
        let sent = taken.len();
        taken.into_iter().for_each(answer);
        state.end(None, None);
        let results = calls.map(|call| call.join().unwrap());
        let answered = results.iter().filter(|result| result.is_ok()).count();
        assert_eq!(answered, sent);
        for error in results.into_iter().filter_map(Result::err) {
            assert_eq!(error.fate(), Fate::NotSent, "{error}");
        }
    });
}

#[test]
fn call_at_a_restart_is_not_sent() {
    loom::model(|| {
        let before = state(Config::new());
        let asking = spawn(&before, |before| {
            block_on(before.request(Message::new("message"), None, Origin::Handle))
        });
        let (after, _) = before.renewed(before.info().clone());
        let error = asking.join().unwrap().unwrap_err();
        assert_eq!(error.fate(), Fate::NotSent);
        assert!(matches!(error.cause(), Cause::Restarted), "{error}");
        assert!(after.take().submitted.is_empty());
    });
}

/// Makes a call of a client in a thread, and restarts the peer meanwhile. Returns the association after
/// the restart, and what `then` made of the call.
fn restart_during_a_call_of_a_client<R: Send + 'static>(
    then: impl FnOnce(Call) -> R + Send + 'static,
) -> (StateOwner, R) {
    let before = state(Config::new());
    let permits = before.call_permits().unwrap();
    let permit = permits.try_acquire_owned().unwrap();
    let calling = spawn(&before, |before| {
        then(before.call_of_client(Message::new("message"), permit, None))
    });
    let (after, _) = before.renewed(before.info().clone());
    (after, calling.join().unwrap())
}

#[test]
fn client_call_at_a_restart_is_made_after_it() {
    loom::model(|| {
        let (after, call) = restart_during_a_call_of_a_client(|call| call);
        assert!(after.is_pending());
        let taken = after.take().submitted;
        assert_eq!(taken.len(), 1);
        taken.into_iter().for_each(answer);
        assert!(block_on(call).is_ok());
    });
}

#[test]
fn client_call_dropped_at_a_restart_is_found() {
    loom::model(|| {
        let (after, ()) = restart_during_a_call_of_a_client(drop);
        assert!(after.is_pending());
        let taken = after.take();
        assert!(taken.has_dropped_calls);
        let is_gone = |submission: &Submission| match submission {
            Submission::Call { waiter, .. } => waiter.is_gone(),
            Submission::OneWay { .. } => false,
        };
        assert_eq!(taken.submitted.len(), 1);
        assert!(taken.submitted.iter().all(is_gone));
    });
}

#[test]
fn call_during_the_handshake_is_made_when_it_ends() {
    bounded_model(|| {
        let state = handshaking(Config::new());
        let asking = thread::spawn({
            let (state, message) = (Arc::clone(&state), Message::new("message"));
            move || block_on(state.request(message, None, Origin::Handle))
        });
        assert!(state.take().submitted.is_empty());
        state.open();
        // Loom fails where the call would wait for ever.
        drive(&state, |taken| {
            let is_done = !taken.submitted.is_empty();
            taken.submitted.into_iter().for_each(answer);
            is_done
        });
        assert!(asking.join().unwrap().is_ok());
    });
}
