//! Findings about servers.

use std::{fs, process::Command};

use serde_json::{Value, json};

use crate::support::{
    File, Program, Server, command, fails, netns::NetNs, nobody, sctp_in, sctp_with, silence,
};

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

/// Whichever address comes first, it is refused in one of the two runs.
#[test]
fn each_address_of_a_name_is_tried() {
    let namespace = NetNs::new();
    let hosts = File::new("hosts");
    fs::write(hosts.path(), "127.0.0.1 both.test\n::1 both.test\n").unwrap();
    for listen in ["127.0.0.1:0", "[::1]:0"] {
        let server = Server::of(sctp_in(&namespace, &["listen", listen, "--echo"]));
        let name = format!("both.test:{}", server.port());
        for args in [
            &["probe", &name][..],
            &["send", &name, "-m", "hello"],
            &["load", &name, "-n", "1"],
            &["load", &name, "-n", "1", "--socket", "one-to-one"],
        ] {
            // `ip netns exec` gives the program mounts of its own.
            let mut shell = Command::new("sh");
            shell.args(["-c", r#"mount --bind "$0" /etc/hosts && exec "$@""#]);
            shell.arg(hosts.path()).arg(command(&[]).get_program());
            shell.args(args);
            Program::spawn(namespace.command(&shell)).exits_with(0);
        }
    }
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
