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
    let ask = || {
        sctp_with(
            "",
            &["send", proxy.addr(), "-m", "who?", "--expect", "1"],
            0,
        )
    };
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
        let mut client = sctp(&["send", proxy.addr(), "-m", "who?", "--wait", "1h"]);
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
        let mut client = sctp(&["send", proxy_lines.addr(), "-m", "who?", "--wait", "1h"]);
        assert_eq!(client.stdout.next(), "second");
        clients.push((client, "second".to_owned()));
    }
}
