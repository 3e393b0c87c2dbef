//! The choice among several servers.

use crate::{
    proxy,
    support::{Server, nobody, sctp, sctp_with},
};

#[test]
fn servers_take_turns_and_refusing_ones_are_passed_over() {
    let servers = ["first", "second"].map(|name| Server::start(&["--reply", name]));
    let nobody = nobody();
    let proxy = proxy(&[servers[0].addr(), &nobody, servers[1].addr()], &[]);
    let ask = || proxy.send("", &["-m", "who?", "--expect", "1"]);
    let answers: Vec<_> = (0..6).map(|_| ask()).collect();
    for name in ["first", "second"] {
        let count = answers.iter().filter(|answer| *answer == name).count();
        assert!(count >= 2, "{answers:?}");
    }
}

#[test]
fn least_loaded_server_is_chosen() {
    let servers = ["first", "second"].map(|name| Server::start(&["--reply", name]));
    let proxy = proxy(
        &[servers[0].addr(), servers[1].addr()],
        &["--balance", "least-load"],
    );
    let connect = || {
        let mut client = proxy.client(&["-m", "who?", "--wait", "1h"]);
        let server = client.stdout.next();
        (client, server)
    };
    let mut clients: Vec<_> = (0..4).map(|_| connect()).collect();
    let of_first = clients
        .iter()
        .filter(|(_, server)| server == "first")
        .count();
    assert_eq!(of_first, 2);
    // Both clients of one server leave: the next two go there.
    clients.retain_mut(|(client, server)| {
        if server == "second" {
            client.terminate();
            client.exits_with(143);
        }
        server != "second"
    });
    let mut proxy_lines = proxy;
    for _ in 0..2 {
        proxy_lines.program.stderr.find("messages to the server");
    }
    for _ in 0..2 {
        let mut client = proxy_lines.client(&["-m", "who?", "--wait", "1h"]);
        assert_eq!(client.stdout.next(), "second");
        clients.push((client, "second".to_owned()));
    }
}

#[test]
fn addresses_joined_by_commas_are_of_one_server() {
    let mut listen = sctp(&["listen", "127.0.0.1:0", "127.0.0.2:0", "--echo"]);
    let line = listen.stderr.find("listening on ");
    let (_, addrs) = line.split_once("listening on ").unwrap();
    let server = addrs.replace(' ', ",");
    assert!(
        server.starts_with("127.0.0.1:") && server.contains(",127.0.0.2:"),
        "{server}"
    );
    let mut proxy = proxy(&[&server], &[]);
    let reply = proxy.send("", &["-m", "hello", "--expect", "1"]);
    assert_eq!(reply, "hello");
    let line = proxy.program.stderr.find("messages to the server");
    assert!(
        line.contains(&format!(" to {server}: 1 messages to the server")),
        "{line}"
    );

    let addrs: Vec<_> = addrs.split(' ').collect();
    let probe = sctp_with("", &[&["probe", "--json"], &addrs[..]].concat(), 0);
    let found: serde_json::Value = serde_json::from_str(&probe).unwrap();
    assert_eq!(found["peer_addrs"].as_array().unwrap().len(), 2, "{found}");
}
