//! Every message is accounted for while servers and the proxy itself go.

use std::{
    io::{Read, Write},
    net::TcpStream,
};

use serde_json::Value;

use crate::{
    figures, proxy,
    support::{Load, PATIENCE, Server, sctp},
};

/// Load on the proxy until it is interrupted.
fn load_on(proxy: &Server) -> Load {
    let load = ["-a", "4", "-c", "8", "-s", "3", "-d", "1h"];
    let rest = ["--call-timeout", "2s", "--interval", "100ms"];
    let goes_on = ["--reconnect", "--tolerate"];
    let mut load = Load::start(proxy.addr(), &[&load[..], &rest, &goes_on].concat());
    load.program.stderr.find("measuring");
    load
}

/// Waits until so many associations are up, and calls are answered.
fn is_up(load: &mut Load, associations: usize) {
    load.program.stderr.find(&format!(" {associations} up"));
}

fn interrupted(mut load: Load) -> Value {
    load.program.signal("INT");
    load.ends_with(0)
}

fn number(value: &Value, name: &str) -> u64 {
    value[name]
        .as_u64()
        .unwrap_or_else(|| panic!("no {name} in {value:#}"))
}

/// Messages that the load has sent, and replies that came, if ever so late.
fn sent_and_answered(result: &Value) -> (u64, u64) {
    let calls = &result["calls"];
    let names = [
        "sent",
        "unsent",
        "answered",
        "failed",
        "unanswered",
        "late_replies",
    ];
    let [sent, unsent, answered, failed, unanswered, late] = names.map(|name| number(calls, name));
    assert_eq!(sent + unsent, answered + failed + unanswered, "{result:#}");
    (sent, answered + late)
}

#[test]
fn drained_servers_lose_only_what_is_counted() {
    let mut servers = [Server::echo(), Server::echo()];
    let addrs = servers.each_ref().map(|server| server.addr().to_owned());
    let proxy = proxy(&addrs.each_ref().map(String::as_str), &[]);
    let mut load = load_on(&proxy);
    is_up(&mut load, 4);
    servers[0].program.terminate();
    servers[0].program.exits_with(0);
    // Its associations were shut down, and are set up again with the other one.
    is_up(&mut load, 2);
    is_up(&mut load, 4);
    let result = interrupted(load);
    let figures = figures(proxy);
    let lost = number(&figures, "lost_to_server");
    let (sent, answered) = sent_and_answered(&result);
    assert_eq!(
        sent,
        number(&figures, "messages_to_server") + lost,
        "{figures:#} {result:#}"
    );
    assert_eq!(
        answered,
        number(&figures, "messages_to_client"),
        "{figures:#} {result:#}"
    );
    assert_eq!(number(&figures, "lost_to_client"), 0, "{figures:#}");
    // Requests that a server had while it was shut down were not answered, and not lost by the proxy.
    let failed = number(&result["calls"], "failed");
    assert!(lost <= failed, "{figures:#} {result:#}");
    let causes = &result["associations"]["lost"];
    assert_eq!(causes["shut down by peer"], 2, "{causes:#}");
}

#[test]
fn killed_servers_lose_only_what_is_explained() {
    let servers = [Server::echo(), Server::echo()];
    let addrs = servers.each_ref().map(|server| server.addr().to_owned());
    let mut proxy = proxy(&addrs.each_ref().map(String::as_str), &[]);
    let mut load = load_on(&proxy);
    is_up(&mut load, 4);
    let [first, second] = servers;
    first.program.signal("KILL");
    for _ in 0..2 {
        let line = proxy.program.stderr.find("messages to the server");
        assert!(line.contains("; server: "), "{line}");
    }
    is_up(&mut load, 2);
    is_up(&mut load, 4);
    let result = interrupted(load);
    drop((first, second));
    let figures = figures(proxy);
    let (_, answered) = sent_and_answered(&result);
    let failed = number(&result["calls"], "failed");
    // Each of the two associations had at most eight calls open.
    assert!(failed <= 16, "{result:#}");
    assert_eq!(
        answered,
        number(&figures, "messages_to_client"),
        "{figures:#} {result:#}"
    );
    assert_eq!(
        number(&result["associations"], "established"),
        6,
        "{result:#}"
    );
}

#[test]
fn survival_of_a_killed_server_costs_open_calls_alone() {
    let [first, second] = [Server::echo(), Server::echo()];
    let mut proxy = proxy(&[first.addr(), second.addr()], &["--survive"]);
    let mut load = load_on(&proxy);
    is_up(&mut load, 4);
    first.program.signal("KILL");
    for _ in 0..2 {
        proxy.program.stderr.find("is replaced by");
    }
    // The calls that the server had, or never got, time out within 2 s. It may have had none.
    for _ in 0..5 {
        if !load.program.stderr.find(" failed").ends_with(" 0 failed") {
            break;
        }
    }
    let result = interrupted(load);
    drop((first, second));
    let figures = figures(proxy);
    let (sent, answered) = sent_and_answered(&result);
    assert_eq!(
        answered,
        number(&figures, "messages_to_client"),
        "{figures:#} {result:#}"
    );
    let passed = number(&figures, "messages_to_server") + number(&figures, "lost_to_server");
    assert_eq!(sent, passed, "{figures:#} {result:#}");
    // While it dies, the first server may take an association once more.
    let replaced = number(&figures, "replaced_servers");
    assert!((2..=4).contains(&replaced), "{figures:#}");
    let associations = &result["associations"];
    assert_eq!(number(associations, "established"), 4, "{result:#}");
    assert_eq!(associations["lost"].as_object().unwrap().len(), 0);
    let failures = result["calls"]["failures"].as_object().unwrap();
    assert!(
        failures.keys().all(|cause| cause == "no reply within 2 s"),
        "{result:#}"
    );
}

#[test]
fn drained_proxy_passes_on_what_it_has() {
    let server = Server::echo();
    let proxy = proxy(&[server.addr()], &[]);
    let mut load = load_on(&proxy);
    is_up(&mut load, 4);
    let figures = figures(proxy);
    let result = interrupted(load);
    let (sent, answered) = sent_and_answered(&result);
    assert_eq!(
        sent,
        number(&figures, "messages_to_server"),
        "{figures:#} {result:#}"
    );
    assert_eq!(number(&figures, "lost_to_server"), 0, "{figures:#}");
    assert_eq!(
        answered,
        number(&figures, "messages_to_client"),
        "{figures:#} {result:#}"
    );
    // Requests that were read from clients that were being shut down: the server answered some.
    let failed = number(&result["calls"], "failed");
    assert!(
        number(&figures, "lost_to_client") <= failed,
        "{figures:#} {result:#}"
    );
    assert_eq!(number(&figures, "shutdowns"), 4, "{figures:#}");
    assert_eq!(
        result["associations"]["lost"]["shut down by peer"], 4,
        "{result:#}"
    );
}

#[test]
fn idle_clients_of_a_drained_proxy_are_shut_down() {
    let mut server = Server::start(&["--echo"]);
    let mut proxy = proxy(&[server.addr()], &[]);
    let mut client = proxy.client(&["-m", "hello", "--wait", "1h"]);
    assert_eq!(client.stdout.next(), "hello");
    proxy.program.terminate();
    client.exits_with(3);
    assert!(server.closed().ends_with("shut down by peer"));
    proxy.program.exits_with(0);
}

#[test]
fn metrics_are_served_over_http() {
    let server = Server::echo();
    let mut proxy = sctp(&[
        "proxy",
        "--listen",
        "127.0.0.1:0",
        "--to",
        server.addr(),
        "--metrics",
        "127.0.0.1:0",
    ]);
    let line = proxy.stderr.find("metrics on http://");
    let (_, url) = line.split_once("http://").unwrap();
    let addr = url.strip_suffix("/metrics").unwrap().to_owned();
    let mut proxy = Server::of(proxy);
    proxy.send("", &["-m", "hello", "--expect", "1"]);
    // The conversation is over, and so it is counted.
    proxy.program.stderr.find("messages to the server");
    let mut answer = String::new();
    let mut stream = TcpStream::connect(addr).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
        .write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        .unwrap();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert!(
        head.contains(&format!("Content-Length: {}\r\n", body.len())),
        "{head}"
    );
    for line in [
        "# HELP sctp_proxy_messages_total Messages that were passed on.",
        "# TYPE sctp_proxy_messages_total counter",
        r#"sctp_proxy_messages_total{to="server"} 1"#,
        r#"sctp_proxy_messages_total{to="client"} 1"#,
        "sctp_proxy_associations_accepted_total 1",
    ] {
        assert_eq!(
            body.lines().filter(|found| *found == line).count(),
            1,
            "{line}\n{body}"
        );
    }
}
