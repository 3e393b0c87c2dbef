//! iperf3: bulk data over an association, arranged over a TCP connection beside it.

use std::net::SocketAddr;

use sctp_service::{End, Side};
use sctp_tokio::{Association, Event, Message, SctpListener};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    runtime::Runtime,
};

use super::{netns::NetNs, spawn_in, support::within, table::proved};

/// Message on the control connection.
const TEST_START: u8 = 1;
const TEST_RUNNING: u8 = 2;
const TEST_END: u8 = 4;
const PARAM_EXCHANGE: u8 = 9;
const CREATE_STREAMS: u8 = 10;
const EXCHANGE_RESULTS: u8 = 13;
const DISPLAY_RESULTS: u8 = 14;
const IPERF_DONE: u8 = 16;
/// The client's cookie comes first on each connection: 36 characters and a zero.
const COOKIE: [u8; 37] = *b"abcdefghijklmnopqrstuvwxyz0123456789\0";

/// Bytes that iperf3 sends, and in which messages.
const BYTES: u64 = 512 * 1024;
const BLOCK: usize = 16 * 1024;

#[test]
fn iperf3_sends_to_our_server_and_counts_the_same() {
    let namespace = NetNs::new();
    let (end, theirs, ours) = serve_iperf3(&namespace, &[]);
    assert!(matches!(end, End::Shutdown { by: Side::Peer }), "{end}");
    assert_eq!((theirs, ours), (BYTES, BYTES));
    proved(
        iperf3_sends_to_our_server_and_counts_the_same,
        &[(
            "iperf3",
            "client",
            "512 KiB in messages of 16 KiB, all of which our side received; its orderly end",
        )],
    );
}

/// It takes what it wants and leaves while we still send.
#[test]
fn iperf3_receives_from_our_server() {
    let namespace = NetNs::new();
    let (end, theirs, ours) = serve_iperf3(&namespace, &["-R"]);
    let by_the_peer = matches!(
        end,
        End::Shutdown { by: Side::Peer } | End::Aborted { by: Side::Peer, .. }
    );
    assert!(by_the_peer, "{end}");
    assert!(BYTES <= theirs && theirs <= ours, "{theirs} of {ours}");
    proved(
        iperf3_receives_from_our_server,
        &[(
            "iperf3",
            "client",
            "takes at least 512 KiB of what our side sends; we hear that it leaves",
        )],
    );
}

/// Its port is fixed, so it has a namespace of its own.
#[test]
fn iperf3s_server_sends_to_our_client_and_counts_the_same() {
    let namespace = NetNs::new();
    let mut iperf3 = spawn_in(&namespace, "iperf3", &["-s", "-1"]);
    iperf3.stdout.find("Server listening on 5201");
    let received = namespace.start(|| receive_from("127.0.0.1:5201".parse().unwrap()));
    let (end, theirs, ours) = run(received);
    assert!(matches!(end, End::Shutdown { by: Side::Peer }), "{end}");
    assert!(ours >= BYTES, "{ours}");
    assert_eq!(theirs, ours);
    iperf3.exits_with(0);
    proved(
        iperf3s_server_sends_to_our_client_and_counts_the_same,
        &[(
            "iperf3",
            "server",
            "at least 512 KiB, of which our side received all that it sent; its orderly end",
        )],
    );
}

/// Returns the end of the association, and the bytes counted by iperf3 and by us.
type Outcome = (End, u64, u64);

fn run<T>(what: impl Future<Output = T>) -> T {
    Runtime::new().unwrap().block_on(within("iperf3", what))
}

/// Has iperf3's client do its test with a server of ours.
fn serve_iperf3(namespace: &NetNs, args: &[&str]) -> Outcome {
    let (bound, port) = std::sync::mpsc::channel();
    let served = namespace.start(move || async move {
        let control = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = control.local_addr().unwrap();
        let listener = SctpListener::bind(addr).await.unwrap();
        bound.send(addr.port()).unwrap();
        accept_test(control, listener).await
    });
    let (port, bytes) = (port.recv().unwrap().to_string(), BYTES.to_string());
    let block = BLOCK.to_string();
    let common = [
        "-c",
        "127.0.0.1",
        "-p",
        &port,
        "--sctp",
        "-n",
        &bytes,
        "-l",
        &block,
    ];
    let mut iperf3 = spawn_in(namespace, "iperf3", &[&common, args].concat());
    let outcome = run(served);
    iperf3.exits_with(0);
    outcome
}

async fn accept_test(control: TcpListener, mut listener: SctpListener) -> Outcome {
    let (mut control, _) = control.accept().await.unwrap();
    let mut cookie = [0; COOKIE.len()];
    control.read_exact(&mut cookie).await.unwrap();
    control.write_u8(PARAM_EXCHANGE).await.unwrap();
    let parameters = read_json(&mut control).await;
    assert_eq!(parameters["sctp"], true, "{parameters}");
    control.write_u8(CREATE_STREAMS).await.unwrap();
    let mut association = listener.accept().await.unwrap();
    let first = association.recv().await.unwrap().expect("the cookie");
    assert_eq!(first.payload[..], cookie);
    control
        .write_all(&[TEST_START, TEST_RUNNING])
        .await
        .unwrap();

    let sending = parameters["reverse"] == true;
    let mut ours = 0;
    loop {
        let next = async {
            if sending {
                association
                    .send(Message::new(vec![0; BLOCK]))
                    .await
                    .unwrap();
                BLOCK as u64
            } else {
                let message = association.recv().await.unwrap().expect("data");
                message.payload.len() as u64
            }
        };
        tokio::select! {
            bytes = next => ours += bytes,
            state = control.read_u8() => break assert_eq!(state.unwrap(), TEST_END),
        }
    }
    while !sending && ours < BYTES {
        ours += association
            .recv()
            .await
            .unwrap()
            .expect("the rest")
            .payload
            .len() as u64;
    }
    control.write_u8(EXCHANGE_RESULTS).await.unwrap();
    let theirs = bytes_of(&read_json(&mut control).await);
    write_json(&mut control, &results(ours)).await;
    control.write_u8(DISPLAY_RESULTS).await.unwrap();
    assert_eq!(control.read_u8().await.unwrap(), IPERF_DONE);
    (
        association.discard_until_closed().await.unwrap(),
        theirs,
        ours,
    )
}

/// Asks iperf3's server to send, which is a test in reverse.
async fn receive_from(server: SocketAddr) -> Outcome {
    let mut control = TcpStream::connect(server).await.unwrap();
    control.write_all(&COOKIE).await.unwrap();
    assert_eq!(control.read_u8().await.unwrap(), PARAM_EXCHANGE);
    let parameters = json!({
        "sctp": true, "reverse": true, "num": BYTES, "len": BLOCK, "parallel": 1, "omit": 0, "time": 0,
        "client_version": "3.12",
    });
    write_json(&mut control, &parameters).await;
    assert_eq!(control.read_u8().await.unwrap(), CREATE_STREAMS);
    let mut association = Association::connect(server).await.unwrap();
    association
        .send(Message::new(COOKIE.to_vec()))
        .await
        .unwrap();
    assert_eq!(control.read_u8().await.unwrap(), TEST_START);
    assert_eq!(control.read_u8().await.unwrap(), TEST_RUNNING);
    let mut ours = 0;
    while ours < BYTES {
        ours += association
            .recv()
            .await
            .unwrap()
            .expect("data")
            .payload
            .len() as u64;
    }
    control.write_u8(TEST_END).await.unwrap();
    // It closes its socket now, in order: what it has sent till then still comes.
    let end = loop {
        match association.next_event().await.unwrap() {
            Event::Message(message) => ours += message.payload.len() as u64,
            Event::Closed(end) => break end,
            _ => {}
        }
    };
    assert_eq!(control.read_u8().await.unwrap(), EXCHANGE_RESULTS);
    write_json(&mut control, &results(ours)).await;
    let theirs = bytes_of(&read_json(&mut control).await);
    assert_eq!(control.read_u8().await.unwrap(), DISPLAY_RESULTS);
    control.write_u8(IPERF_DONE).await.unwrap();
    (end, theirs, ours)
}

fn results(bytes: u64) -> Value {
    json!({
        "cpu_util_total": 0, "cpu_util_user": 0, "cpu_util_system": 0, "sender_has_retransmits": 0,
        "streams": [{
            "id": 1, "bytes": bytes, "retransmits": 0, "jitter": 0, "errors": 0, "packets": 0,
            "start_time": 0, "end_time": 1,
        }],
    })
}

fn bytes_of(results: &Value) -> u64 {
    results["streams"][0]["bytes"]
        .as_u64()
        .expect("a count of bytes")
}

/// A length of four bytes, and the text.
async fn read_json(control: &mut TcpStream) -> Value {
    let length = control.read_u32().await.unwrap();
    let mut text = vec![0; usize::try_from(length).unwrap()];
    control.read_exact(&mut text).await.unwrap();
    serde_json::from_slice(&text).unwrap()
}

async fn write_json(control: &mut TcpStream, value: &Value) {
    let text = value.to_string();
    control
        .write_u32(u32::try_from(text.len()).unwrap())
        .await
        .unwrap();
    control.write_all(text.as_bytes()).await.unwrap();
}
