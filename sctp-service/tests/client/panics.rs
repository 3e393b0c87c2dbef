//! Panics that the documentation names are at the line of whoever caused them.

use sctp_service::{
    Message,
    client::{Client, Remote, pool::Pool},
    testing::duplex,
};
use tokio::sync::watch;
use tower_service::Service;

use crate::{panic_place::place_of_panic, pool::addr};

#[track_caller]
fn assert_here<T>(what: impl FnOnce() -> T, line: u32) {
    let (file, told) = place_of_panic(what);
    assert_eq!((&file[..], told), (file!(), line));
}

#[test]
fn panic_outside_a_runtime_names_the_caller() {
    let remote = Remote::new(addr(1));
    let (lazy, eager) = (remote.clone(), remote);
    let (one, two) = (duplex().0, duplex().0);
    let builder = Client::builder;
    assert_here(|| builder().connect_lazily(lazy), line!());
    assert_here(|| builder().connect_in_background(eager), line!());
    assert_here(|| builder().over(one), line!());
    assert_here(|| Client::over(two), line!());
    let (pool, none) = (Pool::builder, || watch::channel(Vec::new()).1);
    assert_here(|| pool().fixed([addr(1)]), line!());
    assert_here(|| pool().watch(none()), line!());
    assert_here(|| pool().watch_with(none(), |_, _| unreachable!()), line!());
}

#[tokio::test(start_paused = true)]
async fn call_without_a_reservation_panics_where_it_is_made() {
    let mut client = Client::over(duplex().0);
    assert_here(|| client.call(Message::new("x")), line!());
}
