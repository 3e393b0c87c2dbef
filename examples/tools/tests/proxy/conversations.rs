//! Messages and ends on their way through the proxy.

use std::{sync::mpsc::channel, time::Duration};

use sctp_tokio::{
    AbortReason, Association, Event, Message, Notification, SendHalf, options::InitMsg,
};
use serde_json::Value;
use tokio::time::timeout;

use crate::{
    figures, proxy,
    support::{
        PATIENCE, Server, echo_then_cut, fails, in_process::runtime, netns::two_cables, nobody,
        sctp_in, serve, serve_with,
    },
};

#[test]
fn stream_identifier_and_order_are_kept_both_ways() {
    let mut server = Server::start(&["--echo", "--print", "json"]);
    let proxy = proxy(&[server.addr()], &[]);
    let parameters = ["--stream", "100", "--ppid", "ngap", "--unordered"];
    let message = ["-m", "hello", "--expect", "1", "--print", "json"];
    let reply = proxy.send("", &[&message[..], &parameters].concat());
    let reply: Value = serde_json::from_str(&reply).unwrap();
    let request: Value = serde_json::from_str(&server.program.stdout.next()).unwrap();
    for message in [&request, &reply] {
        assert_eq!(message["stream"], 100);
        assert_eq!(message["ppid"], 60);
        assert_eq!(message["unordered"], true);
        assert_eq!(message["text"], "hello");
    }
    let figures = figures(proxy);
    assert_eq!(figures["messages_to_server"], 1);
    assert_eq!(figures["messages_to_client"], 1);
    assert_eq!(figures["shutdowns"], 1);
}

#[test]
fn ends_of_the_client_reach_the_server_behind_its_messages() {
    let mut server = Server::start(&[]);
    let mut proxy = proxy(&[server.addr()], &[]);
    for (end, expected) in [
        ("shutdown", "association closed: shut down by peer"),
        (
            "abort=so long",
            r#"association closed: aborted by peer, reason "so long""#,
        ),
        (
            "abort=",
            "association closed: aborted by peer, no reason given",
        ),
    ] {
        proxy.send("one\ntwo\n", &["--end", end]);
        assert_eq!(server.program.stdout.next(), "one");
        assert_eq!(server.program.stdout.next(), "two");
        let line = server.closed();
        assert!(line.ends_with(expected), "{line}");
        let line = proxy.program.stderr.find("messages to the server");
        assert!(
            line.contains(": 2 messages to the server, 0 lost; 0 to the client, 0 lost; client: "),
            "{line}"
        );
    }
}

#[test]
fn ends_of_the_server_reach_the_client_behind_its_messages() {
    for (shutdown, status, said) in [
        (
            "after-ack",
            3,
            "sctp: association closed: shut down by peer",
        ),
        (
            "abort=go away",
            4,
            r#"sctp: association closed: aborted by peer, reason "go away""#,
        ),
    ] {
        let server = Server::start(&["--reply", "last words", "--shutdown", shutdown]);
        let proxy = proxy(&[server.addr()], &[]);
        let mut client = proxy.client(&["-m", "hello", "--wait", "1h"]);
        client.exits_with(status);
        assert_eq!(client.stderr.text(), said);
        // The server has waited until the proxy had its reply.
        assert_eq!(client.stdout.text(), "last words");
    }
}

#[test]
fn silence_of_the_server_becomes_an_abort_that_says_so() {
    let (left, right) = two_cables();
    for namespace in [&left, &right] {
        namespace.set_short_timeouts();
    }
    let server = Server::of(sctp_in(&right, &["listen", "10.1.0.2:0", "--echo"]));
    let args = ["proxy", "--listen", "127.0.0.1:0", "--to", server.addr()];
    let mut proxy = Server::of(sctp_in(&left, &args));
    let mut client = sctp_in(&left, &["send", proxy.addr(), "--wait", "1h"]);
    echo_then_cut(&mut client, &right);
    client.line("anybody there?");
    // Several fragments, each of which the kernel reports.
    client.line("hello ".repeat(1_000));
    client.exits_with(4);
    let said = client.stderr.text();
    assert!(
        said.contains(r#"aborted by peer, reason "sctp proxy: server: lost: "#),
        "{said}"
    );
    // The messages were on their way to the server.
    let line = proxy.program.stderr.find("; server: lost: ");
    let counts = ": 1 messages to the server, 2 lost; 1 to the client, 0 lost; server: lost: ";
    assert!(line.contains(counts), "{line}");
}

#[test]
fn client_without_a_server_gets_the_reason() {
    let nobody = nobody();
    let proxy = proxy(&[&nobody], &[]);
    let said = fails(&["send", proxy.addr(), "--wait", "1h", "-m", "hello"], 4);
    let reason = format!("sctp proxy: no server: cannot connect: association refused by {nobody}");
    assert_eq!(
        said,
        format!(r#"sctp: association closed: aborted by peer, reason "{reason}""#)
    );
    let figures = figures(proxy);
    assert_eq!(
        (&figures["accepted"], &figures["without_server"]),
        (&1.into(), &1.into())
    );
}

#[test]
fn stream_that_the_server_does_not_allow_ends_both() {
    let streams = InitMsg::new().with_max_inbound_streams(5);
    let server = serve_with(streams, |mut association| async move {
        let _ = association.discard_until_closed().await;
    });
    let proxy = proxy(&[&server], &[]);
    let args = [
        "send",
        proxy.addr(),
        "--stream",
        "5",
        "-m",
        "hello",
        "--wait",
        "1h",
    ];
    let said = fails(&args, 4);
    assert!(
        said.contains("sctp proxy: cannot send to server: stream 5 exceeds the 5 outbound streams"),
        "{said}"
    );
    let figures = figures(proxy);
    assert_eq!(
        (&figures["failures"], &figures["lost_to_server"]),
        (&1.into(), &1.into())
    );
}

/// The client is not read while the server, which never reads, is in its way.
#[test]
fn client_that_aborts_behind_a_stalled_server_is_noticed() {
    let server = serve(|association| async move {
        association.closed().await;
    });
    let mut proxy = proxy(&[&server], &[]);
    let addr = proxy.addr().to_owned();
    runtime().block_on(async {
        let client = Association::connect(&addr).await.unwrap();
        fill(&client.sender()).await;
        client.abort(&AbortReason::from_static("so long")).unwrap();
    });
    let line = proxy.program.stderr.find("messages to the server");
    assert!(
        line.ends_with(r#"client: aborted by peer, reason "so long""#),
        "{line}"
    );
}

/// The server sends until nothing moves, and the client, which has read nothing, leaves. What has
/// reached the proxy then is in both sockets and between them.
#[test]
fn replies_to_a_client_that_has_left_are_counted() {
    let (sender, progress) = channel();
    let server = serve(move |mut association| {
        let sender = sender.clone();
        async move {
            let sent = fill(&association.sender()).await;
            sender.send(sent).unwrap();
            let undelivered = undelivered_until_closed(&mut association).await;
            sender.send(sent - undelivered).unwrap();
        }
    });
    let mut proxy = proxy(&[&server], &[]);
    let runtime = runtime();
    let client = runtime
        .block_on(Association::connect(proxy.addr()))
        .unwrap();
    progress.recv_timeout(PATIENCE).unwrap();
    client.abort(&AbortReason::from_static("so long")).unwrap();
    let line = proxy.program.stderr.find("messages to the server");
    assert!(
        line.ends_with(r#"client: aborted by peer, reason "so long""#),
        "{line}"
    );
    let arrived = progress.recv_timeout(PATIENCE).unwrap();
    let figures = figures(proxy);
    let [passed, lost] =
        ["messages_to_client", "lost_to_client"].map(|name| figures[name].as_u64().unwrap());
    assert!(lost > 0, "{line}");
    assert_eq!(passed + lost, arrived, "{line}");
    let account = format!("; {passed} to the client, {lost} lost; client:");
    assert!(line.contains(&account), "{line}");
}

/// Counts the messages that the peer did not acknowledge.
async fn undelivered_until_closed(association: &mut Association) -> u64 {
    let mut undelivered = 0;
    loop {
        match association.next_event().await.unwrap() {
            Event::Notification(Notification::SendFailed(failed)) if failed.last_fragment => {
                undelivered += 1;
            }
            Event::Closed(_) => return undelivered,
            _ => {}
        }
    }
}

/// Sends until nothing moves for a while: every buffer on the way is full then. Returns the number
/// of messages.
async fn fill(sender: &SendHalf) -> u64 {
    for sent in 0..50_000 {
        let message = Message::new(vec![b'x'; 1000]);
        match timeout(Duration::from_secs(3), sender.send(message)).await {
            Ok(accepted) => accepted.unwrap(),
            Err(_) => return sent,
        }
    }
    panic!("the buffers are never full");
}

#[test]
fn surviving_client_goes_on_with_another_server() {
    let first = Server::start(&["--reply", "first", "--shutdown", "abort=broken"]);
    let second = Server::start(&["--reply", "second"]);
    let mut proxy = proxy(&[first.addr(), second.addr()], &["--survive"]);
    let mut client = proxy.client(&["--wait", "1h"]);
    client.line("one");
    assert_eq!(client.stdout.next(), "first");
    let line = proxy.program.stderr.find("is replaced by");
    assert!(
        line.contains(&format!(
            "server {} is replaced by {}: aborted by peer",
            first.addr(),
            second.addr()
        )),
        "{line}"
    );
    client.line("two");
    assert_eq!(client.stdout.next(), "second");
    drop(first);
    drop(second);
    client.exits_with(4);
    assert!(
        client.stderr.text().contains("sctp proxy: no server: "),
        "{}",
        client.stderr.text()
    );
    // A server that is being killed may take one more association.
    let replaced = figures(proxy)["replaced_servers"].as_u64().unwrap();
    assert!((1..=2).contains(&replaced), "{replaced}");
}

#[test]
fn servers_that_leave_at_once_are_not_replaced_for_ever() {
    let server = serve(|association| async move {
        let _ = association.abort(&AbortReason::from_static("not today"));
    });
    let proxy = proxy(&[&server], &["--survive"]);
    let said = fails(&["send", proxy.addr(), "--wait", "1h", "-m", "hello"], 4);
    let reason = "sctp proxy: no server: 5 servers in a row left without a message";
    assert!(said.contains(reason), "{said}");
    assert_eq!(figures(proxy)["replaced_servers"], 5);
}

#[test]
fn command_line_of_the_proxy_is_checked() {
    for (args, status, expected) in [
        (&["--to", "127.0.0.1:1"][..], 2, "--listen <ADDR>"),
        (&["--listen", "127.0.0.1:0"], 2, "--to <ADDR[,ADDR...]>"),
        (
            &["--listen", "127.0.0.1:0", "--to", "no-such-host.invalid:1"],
            1,
            "cannot resolve no-such-host.invalid:1: ",
        ),
        (
            &["--listen", "no-such-host.invalid:1", "--to", "127.0.0.1:1"],
            1,
            "cannot resolve no-such-host.invalid:1: ",
        ),
        (
            &["--listen", "192.0.2.1:1", "--to", "127.0.0.1:1"],
            1,
            "cannot bind 192.0.2.1:1: ",
        ),
        (
            &[
                "--listen",
                "127.0.0.1:0",
                "--to",
                "127.0.0.1:1",
                "--metrics",
                "192.0.2.1:1",
            ],
            1,
            "cannot bind 192.0.2.1:1: ",
        ),
        (
            &[
                "--listen",
                "127.0.0.1:0",
                "--to",
                "127.0.0.1:1",
                "--balance",
                "luck",
            ],
            2,
            "round-robin, least-load",
        ),
    ] {
        let said = fails(&[&["proxy"], args].concat(), status);
        assert!(said.contains(expected), "{args:?}: {said}");
    }
}
