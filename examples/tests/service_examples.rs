//! Every example of a service runs to its end, and shows what it is there to show.
#![allow(clippy::unwrap_used, reason = "a surprise fails the test")]

mod support;

use std::{fs, path::Path, process::Command};

use support::Program;

/// Runs an example to its end, and checks that these lines are in its output, in this order.
#[track_caller]
fn shows(program: &str, lines: &[&str]) -> Program {
    let mut command = Command::new(program);
    command.env_remove("RUST_LOG");
    // Traces are exported at the end, and not in between every 5 s.
    command.env("OTEL_BSP_SCHEDULE_DELAY", "600000");
    let mut example = Program::spawn(command);
    example.exits_with(0);
    for line in lines {
        example.stdout.find(line);
    }
    example
}

#[test]
fn hello_service() {
    shows(
        env!("CARGO_BIN_EXE_hello_service"),
        &[
            "stream 1: b\"hello, Ada on 1\"",
            "stream 2: b\"hello, Grace on 2\"",
            "stream 1: b\"goodbye\"",
            "the association is over: shut down by peer",
        ],
    );
}

#[test]
fn http() {
    shows(env!("CARGO_BIN_EXE_http"), &["/status for [127.0.0.1:"]);
}

#[test]
fn middleware() {
    let mut example = shows(
        env!("CARGO_BIN_EXE_middleware"),
        &[
            "polite: b\"HELLO\"",
            "polite: shut down",
            "shy: b\"say something on stream 0\"",
            "slow: aborted by peer, reason \"too slow\"",
            "greedy: aborted by peer, reason \"overloaded, try another server\"",
        ],
    );
    let line = example.stderr.find("request{");
    assert!(line.contains(" sctp.stream=0 "), "{line}");
    example.stderr.find("answered");
    example.stderr.find("the service failed, aborting");
}

#[test]
fn router_by_ppid() {
    shows(
        env!("CARGO_BIN_EXE_router_by_ppid"),
        &[
            "Ppid(60 NGAP) on stream 0: b\"core-1: NGAP, common procedures\"",
            "Ppid(60 NGAP) on stream 4: b\"core-1: NGAP, a terminal on stream 4\"",
            "Ppid(46 DIAMETER) on stream 0: b\"core-1: 12 bytes of Diameter\"",
            "Ppid(3 M3UA) on stream 0: b\"pong\"",
            "aborted by peer, reason \"no handler for PPID 4711 on stream 3\"",
        ],
    );
}

#[test]
fn stateful_peers() {
    shows(
        env!("CARGO_BIN_EXE_stateful_peers"),
        &[
            "127.0.0.1: b\"north, message 3\"",
            "127.0.0.2: b\"south, message 1\"",
            "127.0.0.2: shut down",
            "127.0.0.3: aborted by peer, reason \"your address is not known here\"",
        ],
    );
}

#[test]
fn server_push() {
    shows(
        env!("CARGO_BIN_EXE_server_push"),
        &[
            "watcher: stream 1: b\"subscribed\"",
            "reporter: stream 0: b\"raised, 1 subscribers\"",
            "watcher: stream 1: b\"alarm: link 3 is up\"",
            "watcher: shut down",
        ],
    );
}

#[test]
fn paging() {
    shows(
        env!("CARGO_BIN_EXE_paging"),
        &[
            "ann: 2 b\"bob is calling\" on stream 1",
            "network: ann takes it",
            "network: bob cannot be paged: no such association",
            "ann: aborted by peer, reason \"your subscription has ended\"",
        ],
    );
}

#[test]
fn graceful_shutdown() {
    let example = shows(
        env!("CARGO_BIN_EXE_graceful_shutdown"),
        &["server: stopped", "association refused"],
    );
    let printed = example.stdout.text();
    for line in [
        "idle: shut down by peer",
        "work: b\"done: work\"",
        "work: shut down by peer",
        "hang: aborted by peer, reason \"drain timed out\"",
        "server: closed, 1 calls dropped",
    ] {
        assert!(printed.contains(line), "no {line:?} in\n{printed}");
    }
}

#[test]
fn test_without_kernel() {
    shows(
        env!("CARGO_BIN_EXE_test_without_kernel"),
        &["b\"here is your tea\", and then the association was shut down"],
    );
}

#[test]
fn index_names_every_example() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR"));
    let index = fs::read_to_string(examples.join("README.md")).unwrap();
    for folder in ["src/bin", "../sctp-tokio/examples"] {
        for entry in fs::read_dir(examples.join(folder)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let link = format!("]({folder}/{name})");
            assert!(index.contains(&link), "no {link:?} in examples/README.md");
        }
    }
}

#[test]
fn the_index_has_the_lines_of_each_protocol() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR"));
    let index = fs::read_to_string(examples.join("README.md")).unwrap();
    let lines_of = |file: &str| {
        fs::read_to_string(examples.join(file))
            .unwrap()
            .lines()
            .count()
    };
    let mut files = vec!["src/m3ua_codec.rs".to_owned()];
    for folder in [
        "src/bin/diameter",
        "src/bin/m3ua",
        "src/bin/ngap",
        "src/diameter",
    ] {
        for entry in fs::read_dir(examples.join(folder)).unwrap() {
            files.push(format!("{folder}/{}", entry.unwrap().file_name().display()));
        }
    }
    for file in &files {
        let row = format!("| [`{file}`]({file}) | {} | ", lines_of(file));
        assert!(index.contains(&row), "no {row:?} in examples/README.md");
    }
    let (_, table) = index.split_once("| file | lines | part |\n").unwrap();
    let rows = table.lines().skip(1).take_while(|row| row.starts_with('|'));
    for row in rows {
        let named = files.iter().any(|file| row.contains(&format!("({file})")));
        assert!(named, "{row:?} in examples/README.md is about no such file");
    }
}

#[test]
fn prometheus() {
    shows(
        env!("CARGO_BIN_EXE_prometheus"),
        &[
            "HTTP/1.1 200 OK",
            "sctp_requests_total 5",
            "sctp_transport_associations{peer=\"127.0.0.1\"} 1",
        ],
    );
}

/// Returns the value behind a name in an exported span.
#[track_caller]
fn value<'a>(span: &'a str, name: &str) -> &'a str {
    let lines = span
        .lines()
        .map(|line| line.trim_start_matches([' ', '\t', '-', '>']));
    let found = lines.filter_map(|line| line.strip_prefix(name)?.trim_start().strip_prefix(": "));
    let values: Vec<_> = found.collect();
    assert_eq!(values.len(), 1, "{name} in {span}");
    values[0]
}

/// Names and fields are those of the guide of sctp-service, whose tests compare the rest.
#[test]
fn traces() {
    let example = shows(
        env!("CARGO_BIN_EXE_traces"),
        &["reply: b\"Ada is at home\"", "aborted by peer", "Spans"],
    );
    let exported = example.stdout.text();
    // An empty line is between the scope of a span and its values. Its events come last.
    let spans: Vec<&str> = exported
        .split("\nSpan #")
        .skip(1)
        .map(|span| span.split("\n\n").nth(1).unwrap())
        .map(|span| span.split("\tEvents:").next().unwrap())
        .collect();
    let [query, request, slow_query, slow_request] = spans[..] else {
        panic!("not four spans: {exported}");
    };
    for (number, status, query, request) in [
        (1, "Unset", query, request),
        (
            2,
            "Error { description: \"request timed out\" }",
            slow_query,
            slow_request,
        ),
    ] {
        assert_eq!(value(query, "Name"), "query");
        assert_eq!(value(query, "TraceId"), value(request, "TraceId"));
        assert_eq!(value(query, "ParentSpanId"), value(request, "SpanId"));
        assert_eq!(value(request, "ParentSpanId"), "None (root span)");
        let number = format!("I64({number})");
        for (name, expected) in [
            ("Name", "request"),
            ("Kind", "Server"),
            ("Status", status),
            ("network.transport", "String(Owned(\"sctp\"))"),
            ("network.peer.address", "String(Owned(\"127.0.0.1\"))"),
            ("sctp.stream", "I64(3)"),
            ("sctp.ppid", "I64(46)"),
            ("sctp.request_number", &number),
        ] {
            assert_eq!(value(request, name), expected, "{name}");
        }
    }
    assert_ne!(value(request, "TraceId"), value(slow_request, "TraceId"));
}
