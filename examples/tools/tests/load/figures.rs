//! Counts and result files.

use super::*;

#[test]
fn every_counted_call_is_made_once() {
    let server = Server::echo();
    for args in [
        &["--count", "1"][..],
        &["--count", "1000"],
        &["--count", "1000", "--in-flight", "64"],
        &[
            "--count", "1000", "-a", "7", "-s", "3", "-c", "5", "--size", "1-2000",
        ],
        // No room for a sequence number: replies are matched by their order.
        &[
            "--count", "1000", "-a", "2", "-s", "3", "-c", "50", "--size", "1-11",
        ],
        &[
            "--count",
            "1000",
            "-a",
            "2",
            "--socket",
            "one-to-one",
            "-c",
            "9",
        ],
        &[
            "--count",
            "200",
            "--size",
            "64k",
            "-c",
            "1",
            "--unordered",
            "--ppid",
            "46",
        ],
        &[
            "--count",
            "200",
            "-a",
            "2",
            "--ramp-up",
            "50ms",
            "--warm-up",
            "50ms",
        ],
        &[
            "--count",
            "200",
            "-a",
            "3",
            "--rate",
            "5k",
            "--arrivals",
            "poisson",
        ],
    ] {
        let count: u64 = args[1].parse().unwrap();
        let result = result(server.addr(), args, 0);
        let calls = &result["calls"];
        for name in ["sent", "answered"] {
            assert_eq!(calls[name], count, "{args:?}: {result:#}");
        }
        for name in [
            "failed",
            "unsent",
            "unanswered",
            "missed",
            "late_replies",
            "unexpected_replies",
        ] {
            assert_eq!(calls[name], 0, "{args:?}: {result:#}");
        }
        assert_eq!(result["latency"]["count"], count);
        assert!(calls["per_second"].as_f64().unwrap() > 0.0);
        assert!(!result["series"].as_array().unwrap().is_empty());
    }
}

#[test]
fn replies_on_other_streams_are_understood() {
    let server = serve(|mut association| async move {
        while let Ok(Some(message)) = association.recv().await {
            let next = (message.info.stream.get() + 1) % association.outbound_streams();
            let echo = message.reply(message.payload.clone()).on_stream(next);
            association.send(echo).await.unwrap();
        }
    });
    for size in ["64", "8"] {
        let args = ["-n", "500", "-s", "4", "-c", "16", "--size", size];
        let result = result(&server, &args, 0);
        assert_eq!(result["calls"]["answered"], 500);
        assert_eq!(result["calls"]["unexpected_replies"], 0);
    }
}

#[test]
fn both_styles_of_server_and_of_socket() {
    let peeled_off = Server::echo();
    for server in [peeled_off.addr(), &serve_on_one_socket()] {
        for socket in ["one-to-many", "one-to-one"] {
            let args = ["-n", "300", "-a", "3", "-c", "4", "--socket", socket];
            let result = result(server, &args, 0);
            assert_eq!(result["associations"]["established"], 3);
            assert_eq!(result["calls"]["answered"], 300);
        }
    }
}

#[test]
fn source_addresses_are_used_in_turn() {
    let (sender, receiver) = std::sync::mpsc::channel();
    let server = serve(move |mut association| {
        let mut peer: Vec<_> = association
            .initial_peer_addrs()
            .iter()
            .map(SocketAddr::ip)
            .collect();
        peer.sort_unstable();
        sender.send(peer).unwrap();
        async move {
            echo(&mut association, usize::MAX).await;
        }
    });
    let binds = ["--bind", "127.0.0.2", "--bind", "127.0.0.3,127.0.0.4"];
    let args = [&["-n", "10", "-a", "4"], &binds[..]].concat();
    result(&server, &args, 0);
    let mut peers: Vec<_> = (0..4)
        .map(|_| receiver.recv_timeout(PATIENCE).unwrap())
        .collect();
    peers.sort_unstable();
    let shown: Vec<_> = peers.iter().map(|peer| format!("{peer:?}")).collect();
    assert_eq!(shown[0], "[127.0.0.2]");
    assert_eq!(shown[1], "[127.0.0.2]");
    assert_eq!(shown[2], "[127.0.0.3, 127.0.0.4]");
    assert_eq!(shown[3], "[127.0.0.3, 127.0.0.4]");
}

#[test]
fn fewer_streams_than_asked_for_are_reported() {
    let init = InitMsg::new().with_max_inbound_streams(2);
    let server = serve_with(init, |mut association| async move {
        echo(&mut association, usize::MAX).await;
    });
    let args = ["-n", "100", "-c", "10", "--streams", "5"];
    let result = result(&server, &args, 0);
    assert_eq!(result["calls"]["answered"], 100);
    assert_eq!(result["associations"]["fewest_streams"], 2);
}

#[test]
fn identifier_and_order_reach_the_server() {
    let mut server = Server::start(&["--echo", "--print", "json"]);
    result(
        server.addr(),
        &["-n", "1", "--ppid", "46", "--unordered"],
        0,
    );
    let call: Value = serde_json::from_str(&server.program.stdout.next()).unwrap();
    assert_eq!(call["ppid"], 46, "{call}");
    assert_eq!(call["unordered"], true, "{call}");
}

#[test]
fn quiet_load_prints_its_report_alone() {
    let server = Server::echo();
    let args = ["-d", "500ms", "--interval", "100ms", "--quiet"];
    let mut load = Load::start(server.addr(), &args);
    load.ends_with(0);
    assert_eq!(load.program.stderr.text(), "");
    assert!(load.program.stdout.text().contains("calls/s"));
}

#[test]
fn receive_buffer_is_announced_to_the_server() {
    let (sender, receiver) = std::sync::mpsc::channel();
    let server = serve(move |mut association| {
        sender
            .send(association.control().status().unwrap().peer_window)
            .unwrap();
        async move {
            echo(&mut association, usize::MAX).await;
        }
    });
    let window = |args: &[&str]| {
        result(&server, &[&["-n", "1"], args].concat(), 0);
        receiver.recv_timeout(PATIENCE).unwrap()
    };
    let [default, small] = [window(&[]), window(&["--recv-buffer", "20k"])];
    assert!(small < default / 2, "{small} of {default}");
}

#[test]
fn threads_are_as_many_as_asked_for() {
    let server = Server::echo();
    let args = ["-d", "1h", "--interval", "100ms", "--threads", "3"];
    let mut load = Load::start(server.addr(), &args);
    load.program.stderr.find("measuring");
    // The first thread of the process waits for these.
    load.program.wait_for("status", "Threads:\t4\n");
    load.program.signal("INT");
    load.ends_with(0);
}

#[test]
fn two_results_are_compared() {
    let server = Server::echo();
    let files = [File::new("json"), File::new("json")];
    for (file, count) in files.iter().zip(["100", "300"]) {
        let args = ["load", server.addr(), "-n", count, "--json", file.path()];
        sctp(&args).exits_with(0);
    }
    let mut compare = sctp(&["load", "compare", files[0].path(), files[1].path()]);
    compare.exits_with(0);
    let text = compare.stdout.text();
    assert!(
        text.contains("the settings differ: count 100 and 300"),
        "{text}"
    );
    let answered: Vec<_> = text
        .lines()
        .filter(|line| line.starts_with("answered"))
        .collect();
    let words: Vec<_> = answered[0].split_whitespace().collect();
    assert_eq!(words, ["answered", "100", "300", "3.00"]);
}

#[test]
fn plot_is_drawn() {
    let server = Server::echo();
    let file = File::new("svg");
    sctp(&["load", server.addr(), "-n", "100", "--plot", file.path()]).exits_with(0);
    let svg = fs::read_to_string(file.path()).unwrap();
    assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
    assert!(svg.contains(server.addr()));
}

#[test]
fn bad_arguments_are_reported() {
    let missing = File::new("json");
    for (args, status, expected) in [
        (
            &["no-such-host.invalid:1"][..],
            3,
            "cannot resolve no-such-host.invalid:1: ",
        ),
        (&["127.0.0.1"], 3, "cannot resolve 127.0.0.1: "),
        (&["h:1", "--size", "0"], 2, "a number of bytes is above 0"),
        (
            &["h:1", "--duration", "10"],
            2,
            "a number and a unit, as in 250ms",
        ),
        (&["h:1", "--rate", "none"], 2, "calls per second above 0"),
        (&["h:1", "-n", "1", "-d", "1s"], 2, "cannot be used with"),
        (
            &["h:1", "--json", "/no/such/folder/a.json"],
            3,
            "cannot write /no/such/folder/a.json: ",
        ),
        (&["compare", missing.path(), "b"], 3, "cannot read "),
        (
            &["compare", "/dev/null", "/dev/null"],
            3,
            "/dev/null is not a result of sctp load",
        ),
    ] {
        let mut load = sctp(&[&["load"], args].concat());
        load.exits_with(status);
        let error = load.stderr.text();
        assert!(error.contains(expected), "{args:?}: {error}");
        assert_eq!(load.stdout.text(), "");
    }
    let mut nothing = sctp(&["load"]);
    nothing.exits_with(2);
    assert!(nothing.stderr.text().contains("<ADDR>"));
}
