//! Tests of matching replies to calls.

use super::*;

fn due(reply: Reply) -> u64 {
    match reply {
        Reply::To(call) => call.due,
        other => panic!("{other:?}"),
    }
}

/// Begins calls that are due at 0, 1, 2 and so on, on these streams.
fn begun(streams: &[u16]) -> Calls {
    let mut calls = Calls::new(4, 100, 1000);
    for (time, stream) in (0..).zip(streams) {
        calls.begin(*stream, 64, time, time, true);
    }
    calls
}

#[test]
fn sequence_numbers_find_calls_in_any_order() {
    let mut calls = begun(&[0, 1, 0, 1]);
    for number in [3, 0, 2, 1] {
        assert_eq!(due(calls.answer(9, Some(number))), number);
        assert_eq!(calls.answer(0, Some(number)), Reply::Unexpected);
    }
    assert_eq!(calls.waiting(), 0);
    assert_eq!(calls.deadline(), None);
    assert_eq!(calls.next(), 4);
    assert_eq!(calls.answer(0, Some(4)), Reply::Unexpected);
}

#[test]
fn without_one_the_stream_decides() {
    let mut calls = begun(&[0, 1, 1, 0]);
    assert_eq!(due(calls.answer(1, None)), 1);
    assert_eq!(due(calls.answer(1, None)), 2);
    // Nothing is left on stream 1: the server answers on a stream of its choice.
    assert_eq!(due(calls.answer(1, None)), 0);
    assert_eq!(due(calls.answer(99, None)), 3);
    assert_eq!(calls.answer(0, None), Reply::Unexpected);
}

#[test]
fn both_ways_mix() {
    let mut calls = begun(&[0, 0, 0]);
    assert_eq!(due(calls.answer(0, Some(1))), 1);
    assert_eq!(due(calls.answer(0, None)), 0);
    assert_eq!(due(calls.answer(0, None)), 2);
}

#[test]
fn calls_time_out_in_the_order_of_sending() {
    let mut calls = begun(&[0, 1, 0]);
    assert_eq!(calls.deadline(), Some(1000));
    assert_eq!(calls.time_out(999), None);
    assert_eq!(calls.time_out(1001).map(|call| call.due), Some(0));
    assert_eq!(calls.time_out(1001).map(|call| call.due), Some(1));
    assert_eq!(calls.time_out(1001), None);
    assert_eq!(calls.waiting(), 1);
}

#[test]
fn late_reply_does_not_answer_the_next_call() {
    let mut calls = begun(&[0, 0, 0]);
    calls.time_out(1000).unwrap();
    assert_eq!(calls.answer(0, None), Reply::Late);
    assert_eq!(due(calls.answer(0, None)), 1);

    let mut calls = begun(&[0, 0]);
    calls.time_out(1000).unwrap();
    assert_eq!(calls.answer(0, Some(0)), Reply::Late);
    assert_eq!(calls.answer(0, Some(0)), Reply::Unexpected);
}

#[test]
fn there_is_room_for_so_many() {
    let mut calls = Calls::new(1, 2, 1000);
    calls.begin(0, 64, 0, 0, true);
    assert!(calls.has_room());
    calls.begin(0, 64, 0, 0, true);
    assert!(!calls.has_room());
    calls.answer(0, None);
    assert!(calls.has_room());
}

#[test]
fn silent_server_costs_no_memory() {
    let mut calls = Calls::new(1, 2, 1);
    for time in 0..1000 {
        calls.begin(0, 64, time, time, true);
        while calls.time_out(time).is_some() {}
    }
    assert!(calls.streams[0].len() <= 2 * 2 + 17);
    assert!(calls.calls.len() <= 2);
}

#[test]
fn taken_messages_leave_the_rest() {
    let mut calls = begun(&[0, 1, 0]);
    calls.answer(0, Some(1));
    let left: Vec<u64> = calls.drain().map(|call| call.due).collect();
    assert_eq!(left, [0, 2]);
    assert_eq!((calls.waiting(), calls.next()), (0, 3));
    assert_eq!(calls.answer(0, None), Reply::Unexpected);
}
