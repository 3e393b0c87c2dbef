//! Findings about servers.

use serde_json::{Value, json};

use crate::support::{Server, fails, nobody, sctp_in, sctp_with, silence};

#[test]
fn server_is_described() {
    let mut server = Server::start(&[]);
    let text = sctp_with("", &["probe", server.addr(), "--streams", "5"], 0);
    assert!(
        text.contains(&format!("peer      {}\n", server.addr())),
        "{text}"
    );
    assert!(
        text.contains("streams   5 outbound, 128 inbound\n"),
        "{text}"
    );
    assert!(text.contains("rtt       "), "{text}");
    assert!(server.closed().ends_with("shut down by peer"));

    let line = sctp_with(
        "",
        &["probe", server.addr(), "--json", "--bind", "127.0.0.2"],
        0,
    );
    let found: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(found["peer_addrs"], json!([server.addr()]));
    assert_eq!(found["outbound_streams"], 128);
    assert!(
        found["local_addrs"][0]
            .as_str()
            .unwrap()
            .starts_with("127.0.0.2:"),
        "{found}"
    );
    assert!(
        found["rtt"].as_u64().unwrap() > 0 && found["mtu"].as_u64().unwrap() > 1000,
        "{found}"
    );
}

#[test]
fn name_with_several_addresses_is_tried_with_each() {
    let server = Server::start(&[]);
    // It may be ::1 first, where nobody listens.
    sctp_with("", &["probe", &format!("localhost:{}", server.port())], 0);
}

#[test]
fn quiet_probe_only_returns() {
    let server = Server::start(&[]);
    assert_eq!(sctp_with("", &["probe", "--quiet", server.addr()], 0), "");
}

#[test]
fn refusal_and_silence_have_statuses_of_their_own() {
    let nobody = nobody();
    let refused = format!("sctp: cannot connect: association refused by {nobody}");
    assert_eq!(fails(&["probe", &nobody], 6), refused);

    let namespace = silence();
    let mut probe = sctp_in(
        &namespace,
        &["probe", "10.3.0.2:9", "--connect-timeout", "200ms"],
    );
    probe.exits_with(7);
    let silent = "sctp: cannot connect: no answer in time from 10.3.0.2:9";
    assert_eq!(probe.stderr.text(), silent);

    // Some kernels know at once that this test network leads nowhere.
    fails(&["probe", "192.0.2.1:9", "--connect-timeout", "200ms"], 7);
}
