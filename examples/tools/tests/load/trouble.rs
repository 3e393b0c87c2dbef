//! Servers that refuse, abort, vanish or are slow, and users who lose patience.

use super::*;

#[test]
fn aborts_are_reported_with_their_reason() {
    let server = serve(|mut association| async move {
        echo(&mut association, 10).await;
        association
            .abort(&AbortReason::from_static("ten is enough"))
            .unwrap();
        while !matches!(
            association.next_event().await,
            Ok(Event::Closed(_)) | Err(_)
        ) {}
    });
    let args = ["-a", "4", "-n", "1000", "--in-flight", "1"];
    let result = result(&server, &args, 1);
    let reason = "aborted by peer, reason \"ten is enough\"";
    let lost = causes(&result["associations"]["lost"]);
    assert_eq!(lost, BTreeMap::from([(reason.to_owned(), 4)]), "{result:#}");
    let calls = &result["calls"];
    let [sent, unsent, answered, failed] =
        ["sent", "unsent", "answered", "failed"].map(|name| calls[name].as_u64().unwrap());
    assert_eq!(sent + unsent, answered + failed, "{result:#}");
    // The abort may overtake the tenth reply.
    assert!((36..=40).contains(&answered), "{result:#}");
    let failures = causes(&calls["failures"]);
    assert_eq!(failures.values().sum::<u64>(), failed);
    assert!(
        failures
            .keys()
            .all(|cause| cause == &format!("association {reason}"))
    );
}

#[test]
fn losses_can_be_tolerated_and_made_up_for() {
    let server = serve(|mut association| async move {
        echo(&mut association, 10).await;
        // Dropping it shuts the association down.
    });
    let args = ["-n", "25", "--reconnect", "--tolerate"];
    let result = result(&server, &args, 0);
    assert_eq!(
        result["calls"]["answered"].as_u64().unwrap() + result["calls"]["failed"].as_u64().unwrap(),
        25
    );
    assert!(
        result["associations"]["established"].as_u64().unwrap() >= 3,
        "{result:#}"
    );
    let lost = causes(&result["associations"]["lost"]);
    // The first two had not enough calls.
    assert!(lost.values().sum::<u64>() >= 2, "{lost:?}");
    assert!(
        lost.keys().all(|cause| cause.contains("by peer")),
        "{lost:?}"
    );
}

#[test]
fn refusal_is_reported() {
    let nobody = nobody();
    let result = result(&nobody, &["-a", "3", "--duration", "1h"], 1);
    let refused = causes(&result["associations"]["refused"]);
    let cause = format!("association refused by {nobody}");
    assert_eq!(refused, BTreeMap::from([(cause, 3)]));
    assert_eq!(result["associations"]["established"], 0);
}

#[test]
fn server_that_never_answers_ends_the_run_in_time() {
    let server = serve(|association| async move {
        // Nothing is read, and nothing is answered.
        association.closed().await;
    });
    let began = Instant::now();
    let limits = ["--call-timeout", "200ms", "--give-up", "500ms"];
    let args = [&["-a", "2", "-n", "1000000", "-c", "8"], &limits[..]].concat();
    let result = result(&server, &args, 1);
    assert!(began.elapsed() < Duration::from_secs(10));
    let lost = causes(&result["associations"]["lost"]);
    let silence = "given up: no reply for 500 ms".to_owned();
    assert_eq!(lost, BTreeMap::from([(silence.clone(), 2)]));
    let failures = causes(&result["calls"]["failures"]);
    assert!(failures["no reply within 200 ms"] >= 16, "{failures:?}");
    assert!(failures.contains_key(&format!("association {silence}")));
}

#[test]
fn calls_that_were_never_sent_are_told_apart() {
    let server = serve(|association| async move {
        // Nothing is read, so that both sockets' buffers fill up.
        association.closed().await;
    });
    let args = ["-d", "1h", "-c", "64", "--size", "60000"];
    // Those that wait for the association time out before it is given up.
    let patience = ["--give-up", "500ms", "--call-timeout", "300ms"];
    let mut load = Load::start(&server, &[&args[..], &patience].concat());
    let result = load.ends_with(1);
    let numbers = ["sent", "failed", "unsent"].map(|name| result["calls"][name].as_u64().unwrap());
    let [sent, failed, unsent] = numbers;
    assert!(sent > 0 && unsent > 0, "{result:#}");
    assert_eq!(sent + unsent, failed, "{result:#}");
    let rate = |name: &str| result["calls"][name].as_f64().unwrap();
    let bytes = rate("bytes_sent_per_second") * result["seconds"].as_f64().unwrap();
    let difference = bytes - 60_000.0 * sent as f64;
    assert!(difference.abs() < 1.0, "{result:#}");
    let report = load.program.stdout.text();
    let line = format!("unsent        {unsent} (failed or unanswered, and never sent)");
    assert!(report.contains(&line), "{report}");
}

/// Late replies neither answer later calls nor are lost sight of.
#[test]
fn late_replies_are_counted() {
    for size in ["64", "4"] {
        let server = serve(|mut association| async move {
            let mut held = Vec::new();
            // With one call in flight, the second comes when the first has timed out.
            for message in [association.recv().await, association.recv().await] {
                held.push(message.unwrap().unwrap());
            }
            for message in held {
                association
                    .send(message.reply(message.payload.clone()))
                    .await
                    .unwrap();
            }
            echo(&mut association, usize::MAX).await;
        });
        let args = ["-n", "20", "--call-timeout", "1s", "--size", size];
        let result = result(&server, &args, 1);
        let calls = &result["calls"];
        assert_eq!(calls["failed"], 1, "{result:#}");
        assert_eq!(calls["answered"], 19, "{result:#}");
        assert_eq!(calls["late_replies"], 1, "{result:#}");
        assert_eq!(calls["unexpected_replies"], 0, "{result:#}");
    }
}

#[test]
fn server_that_is_killed_ends_the_run_in_time() {
    let server = Server::echo();
    let args = ["-a", "8", "-c", "16", "-d", "1h", "--interval", "100ms"];
    let mut load = Load::start(server.addr(), &args);
    load.program.stderr.find("measuring");
    server.program.signal("KILL");
    let result = load.ends_with(1);
    assert_eq!(
        causes(&result["associations"]["lost"])
            .values()
            .sum::<u64>(),
        8,
        "{result:#}"
    );
    assert!(result["calls"]["answered"].as_u64().unwrap() > 0);
    let text = load.program.stdout.text();
    assert!(text.contains("lost          8"), "{text}");
}

#[test]
fn ctrl_c_reports() {
    let server = Server::echo();
    let args = ["-a", "2", "-c", "4", "-d", "1h", "--interval", "100ms"];
    let mut load = Load::start(server.addr(), &args);
    load.program.stderr.find("measuring");
    load.program.signal("INT");
    let result = load.ends_with(0);
    assert_eq!(result["interrupted"], true);
    let calls = &result["calls"];
    assert!(calls["answered"].as_u64().unwrap() > 0);
    assert_eq!(calls["sent"], calls["answered"], "{result:#}");
    let text = load.program.stdout.text();
    assert!(text.contains(", interrupted"), "{text}");
}

#[test]
fn ctrl_c_while_connecting_reports() {
    let addr = nobody();
    let args = ["--reconnect", "-d", "1h", "--interval", "50ms"];
    let mut load = Load::start(&addr, &args);
    load.program.stderr.find("0 up");
    load.program.signal("INT");
    load.ends_with(1);
    let refused = format!("association refused by {addr}");
    assert!(load.program.stdout.text().contains(&refused));
}

#[test]
fn second_ctrl_c_waits_for_nothing() {
    let server = serve(|association| async move {
        association.closed().await;
    });
    let limits = [
        "--call-timeout",
        "1h",
        "--give-up",
        "1h",
        "--connect-timeout",
        "1h",
    ];
    let args = [&["-c", "3", "-d", "1h", "--interval", "50ms"], &limits[..]].concat();
    let mut load = Load::start(&server, &args);
    load.program.stderr.find("measuring");
    load.program.signal("INT");
    load.program.stderr.find("finishing");
    load.program.signal("INT");
    load.ends_with(0);
    let text = load.program.stdout.text();
    assert!(text.contains("unanswered    3 (still open"), "{text}");
    assert!(text.contains("no call was answered"), "{text}");
}

#[test]
fn too_long_messages_are_reported() {
    let server = Server::echo();
    let result = result(server.addr(), &["-n", "5", "--size", "1M"], 1);
    let lost = causes(&result["associations"]["lost"]);
    let cause = "cannot send: message of 1048576 bytes exceeds the send buffer of ";
    assert!(lost.keys().all(|lost| lost.starts_with(cause)), "{lost:?}");
    assert_eq!(lost.values().sum::<u64>(), 1);
}

#[test]
fn send_buffer_bounds_the_messages() {
    let server = Server::echo();
    result(server.addr(), &["-n", "5", "--size", "64k"], 0);
    let args = ["-n", "5", "--size", "64k", "--send-buffer", "20k"];
    let result = result(server.addr(), &args, 1);
    let lost = causes(&result["associations"]["lost"]);
    let cause = "cannot send: message of 65536 bytes exceeds the send buffer of ";
    assert!(lost.keys().any(|lost| lost.starts_with(cause)), "{lost:?}");
}
