//! Limits and times of the proxy's command line.

use std::time::Duration;

use sctp_tokio::{Association, Message};
use tokio::time::{sleep, timeout};

use crate::{
    proxy,
    support::{PATIENCE, Server, in_process::runtime, sctp_in, serve, silence},
};

#[test]
fn client_beyond_the_limit_waits() {
    let server = Server::echo();
    let proxy = proxy(&[server.addr()], &["--max-associations", "1"]);
    let mut first = proxy.client(&["-m", "hello", "--wait", "1h"]);
    assert_eq!(first.stdout.next(), "hello");
    let runtime = runtime();
    let mut second = runtime.block_on(async {
        let mut second = Association::connect(proxy.addr()).await.unwrap();
        second.send(Message::new("me too")).await.unwrap();
        let early = timeout(Duration::from_secs(1), second.recv()).await;
        assert!(early.is_err(), "{early:?}");
        second
    });
    first.terminate();
    first.exits_with(143);
    let reply = runtime.block_on(async { timeout(PATIENCE, second.recv()).await.unwrap() });
    assert_eq!(reply.unwrap().unwrap().payload, "me too");
}

/// The server sends more often than every 200 ms, for which a drain waits. By default a drain takes
/// 10 s, in which the client would have its messages.
#[test]
fn drain_ends_in_time_while_replies_come() {
    let server = serve(|association| async move {
        while association.send(Message::new("news")).await.is_ok() {
            sleep(Duration::from_millis(50)).await;
        }
    });
    let mut proxy = proxy(&[&server], &["--drain-timeout", "300ms"]);
    let mut client = proxy.client(&["--expect", "120", "--wait", "1h"]);
    client.end_of_input();
    assert_eq!(client.stdout.next(), "news");
    proxy.program.terminate();
    client.exits_with(3);
    proxy.program.exits_with(0);
}

/// By default it would be aborted after 2 s.
#[test]
fn client_waits_as_long_as_its_server_may_take() {
    let namespace = silence();
    let args = ["proxy", "--listen", "127.0.0.1:0", "--to", "10.3.0.2:9"];
    let args = [&args[..], &["--connect-timeout", "1h"]].concat();
    let proxy = Server::of(sctp_in(&namespace, &args));
    sctp_in(
        &namespace,
        &["send", proxy.addr(), "-m", "hello", "--wait", "3s"],
    )
    .exits_with(0);
}

#[test]
fn message_beyond_the_proxys_limit_aborts() {
    let server = Server::echo();
    let proxy = proxy(&[server.addr()], &["--max-message-size", "1000"]);
    assert_eq!(proxy.send("hello", &["--expect", "1"]), "hello");
    let mut client = proxy.client(&["-m", &"x".repeat(1001), "--wait", "1h"]);
    client.exits_with(4);
    let said = client.stderr.text();
    assert!(said.contains("aborted by peer, reason"), "{said}");
}

#[test]
fn quiet_proxy_prints_its_address_alone() {
    let server = Server::echo();
    let mut proxy = proxy(&[server.addr()], &["--quiet"]);
    assert_eq!(proxy.send("hello", &["--expect", "1"]), "hello");
    proxy.program.terminate();
    proxy.program.exits_with(0);
    let said = proxy.program.stderr.text();
    assert_eq!(said, format!("sctp: listening on {}", proxy.addr()));
}
