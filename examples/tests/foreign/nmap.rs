//! nmap, which asks for an association and does not take it.

use super::{STYLES, client_in, netns::NetNs, server_in, spawn_in, table::proved};

/// In a namespace of its own, so that nobody else is on the port that must be closed.
#[test]
fn nmaps_scans_leave_no_trace() {
    for style in STYLES {
        let namespace = NetNs::new();
        let mut server = server_in(&namespace, &["--style", style]);
        let mut client = client_in(&namespace, &[server.addr()]);
        client.line("[1]before");
        assert!(client.stdout.next().ends_with("): before"));

        let port = server.port();
        let printed = scan(&namespace, "-sY", port);
        assert!(has_state(&printed, port, "open"), "{printed}");
        assert!(has_state(&printed, CLOSED, "closed"), "{printed}");
        // A COOKIE ECHO with a cookie that is not of this server is dropped.
        let printed = scan(&namespace, "-sZ", port);
        assert!(has_state(&printed, port, "open|filtered"), "{printed}");
        assert!(has_state(&printed, CLOSED, "closed"), "{printed}");

        client.line("[2]after");
        assert!(client.stdout.next().ends_with("): after"));
        client.end_of_input();
        client.exits_with(0);
        server.closed();
        server.program.terminate();
        server.program.exits_with(0);
        let log = server.program.stderr.text();
        assert_eq!(log.matches("association up").count(), 1, "{log}");
        assert!(!log.contains("WARN") && !log.contains("ERROR"), "{log}");
    }
    proved(
        nmaps_scans_leave_no_trace,
        &[(
            "nmap",
            "scanner",
            "INIT and COOKIE-ECHO scans find our port; our server accepts no association for them, and one that is up notices nothing",
        )],
    );
}

const CLOSED: &str = "1";

fn scan(namespace: &NetNs, kind: &str, port: &str) -> String {
    let ports = format!("{CLOSED},{port}");
    let mut nmap = spawn_in(
        namespace,
        "nmap",
        &["-n", "-Pn", kind, "-p", &ports, "127.0.0.1"],
    );
    nmap.exits_with(0);
    nmap.stdout.text()
}

/// nmap prints a line for each port: `5000/sctp open unknown`.
fn has_state(printed: &str, port: &str, state: &str) -> bool {
    printed.lines().any(|line| {
        let mut words = line.split_whitespace();
        words.next() == Some(&format!("{port}/sctp")) && words.next() == Some(state)
    })
}
