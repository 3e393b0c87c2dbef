//! sipp: telephone calls by SIP over SCTP.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, mpsc},
};

use sctp_service::{End, Handler, Reply, Request, ServerEvent, Shutdown, Side, State, serve};
use sctp_tokio::{Association, Message, SctpListener};
use tokio::{runtime::Runtime, sync::oneshot};

use super::{
    netns::NetNs,
    spawn, spawn_in,
    support::{PATIENCE, within},
    table::proved,
};

/// Number of calls that sipp makes. Each is INVITE, ACK, BYE.
const CALLS: usize = 3;

/// The methods of the requests that came, in order.
type Seen = Arc<Mutex<Vec<String>>>;

/// Answers calls, and hangs up for good behind the answer to the last one's end.
async fn answer(State(seen): State<Seen>, request: Request) -> Reply {
    let text = String::from_utf8(request.payload().to_vec()).unwrap();
    let method = text.split(' ').next().unwrap().to_owned();
    let ok = Reply::new(response("200 OK", &text));
    let mut seen = seen.lock().unwrap();
    seen.push(method);
    match seen.last().unwrap().as_str() {
        "INVITE" => {
            Reply::new(response("180 Ringing", &text)).with_message(response("200 OK", &text))
        }
        "BYE" if seen.len() == 3 * CALLS => ok.with_shutdown(Shutdown::AfterAck),
        "BYE" => ok,
        _ => Reply::none(),
    }
}

/// A response has the headers of its request that say which one it belongs to.
fn response(status: &str, request: &str) -> String {
    let headers: String = request
        .split_inclusive("\r\n")
        .take_while(|line| *line != "\r\n")
        .filter(|line| {
            let (name, _) = line.split_once(':').unwrap_or_default();
            ["Via", "From", "Call-ID", "CSeq", "To"].contains(&name)
        })
        .collect();
    format!("SIP/2.0 {status}\r\n{headers}Content-Length: 0\r\n\r\n")
}

#[test]
fn sipp_calls_our_server() {
    let runtime = Runtime::new().unwrap();
    let _inside = runtime.enter();
    let listener = runtime.block_on(SctpListener::bind("127.0.0.1:0")).unwrap();
    let addr = listener.local_addrs().unwrap()[0];
    let seen = Seen::default();
    let (stop, stopped) = oneshot::channel::<()>();
    let (ended, end) = mpsc::channel();
    let server = serve(listener, answer.with_state(Arc::clone(&seen)))
        .on_event(move |event| {
            if let ServerEvent::Closed { end, .. } = event {
                ended.send((*end).clone()).unwrap();
            }
        })
        .with_graceful_shutdown(async { stopped.await.unwrap() });
    let server = runtime.spawn(async { server.await });

    let calls = CALLS.to_string();
    let common = [
        "-sn",
        "uac",
        "-t",
        "s1",
        "-i",
        "127.0.0.1",
        "-nostdin",
        "-m",
        &calls,
    ];
    let mut sipp = spawn("sipp", &[&common[..], &[&addr.to_string()]].concat());
    sipp.exits_with(0); // it says 0 if every call went as its scenario has it
    let end = end.recv_timeout(PATIENCE).unwrap();
    assert!(matches!(end, End::Shutdown { by: Side::Local }), "{end}");
    assert_eq!(seen.lock().unwrap().len(), 3 * CALLS);
    for method in ["INVITE", "ACK", "BYE"] {
        let count = seen
            .lock()
            .unwrap()
            .iter()
            .filter(|seen| *seen == method)
            .count();
        assert_eq!(count, CALLS, "{method}");
    }
    stop.send(()).unwrap();
    runtime.block_on(server).unwrap();
    proved(
        sipp_calls_our_server,
        &[(
            "sipp",
            "client",
            "three SIP calls to a service of ours; our AfterAck behind the last reply ends the association in order",
        )],
    );
}

/// Its port is fixed, so it has a namespace of its own.
#[test]
fn sipp_takes_a_call_from_our_client() {
    let namespace = NetNs::new();
    let args = [
        "-sn",
        "uas",
        "-t",
        "s1",
        "-i",
        "127.0.0.1",
        "-p",
        "5060",
        "-nostdin",
        "-m",
        "1",
    ];
    let mut sipp = spawn_in(&namespace, "sipp", &args);
    sipp.wait_for("net/sctp/eps", " 5060 ");
    let runtime = Runtime::new().unwrap();
    let called = namespace.start(|| call("127.0.0.1:5060".parse().unwrap()));
    let end = runtime.block_on(within("the call", called));
    assert!(matches!(end, End::Shutdown { by: Side::Local }), "{end}");
    sipp.exits_with(0);
    proved(
        sipp_takes_a_call_from_our_client,
        &[(
            "sipp",
            "server",
            "a SIP call from our client, which ends the association in order",
        )],
    );
}

async fn call(addr: SocketAddr) -> End {
    let mut association = Association::connect(addr).await.unwrap();
    let request = |method: &str, sequence: u8| {
        Message::new(format!(
            "{method} sip:service@{addr} SIP/2.0\r\nVia: SIP/2.0/SCTP 127.0.0.1;branch=z9hG4bK-{sequence}\r\n\
             From: <sip:us@127.0.0.1>;tag=1\r\nTo: <sip:service@{addr}>\r\nCall-ID: 1@127.0.0.1\r\n\
             CSeq: {sequence} {method}\r\nContact: <sip:us@127.0.0.1>\r\nContent-Length: 0\r\n\r\n"
        ))
    };
    association.send(request("INVITE", 1)).await.unwrap();
    expect(&mut association, "SIP/2.0 180 ").await;
    expect(&mut association, "SIP/2.0 200 ").await;
    association.send(request("ACK", 1)).await.unwrap();
    association.send(request("BYE", 2)).await.unwrap();
    expect(&mut association, "SIP/2.0 200 ").await;
    association.shutdown().await.unwrap()
}

async fn expect(association: &mut Association, start: &str) {
    let response = association.recv().await.unwrap().expect("a response");
    let text = String::from_utf8_lossy(&response.payload);
    assert!(text.starts_with(start), "{text}");
}
