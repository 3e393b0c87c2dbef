//! The example `admin`: what an operator sees and does.
#![allow(clippy::unwrap_used, reason = "a surprise fails the test")]

#[path = "../../sctp-tokio/tests/support/netns.rs"]
#[allow(dead_code, unreachable_pub, reason = "shared with sctp-tokio's tests")]
mod netns;
mod support;

use std::{
    collections::BTreeSet,
    fs,
    io::{ErrorKind, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    path::PathBuf,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use netns::two_cables;
use sctp_tokio::{AbortReason, Association, Message, RecvError, SctpListener, SocketBuilder};
use serde_json::{Value, json};
use support::{PATIENCE, Program, Server, within};

const TOKEN: &str = "secret";
const LOCALHOST: &str = "Host: localhost\r\n";

/// A running server, and the address of its page.
struct Admin {
    server: Server,
    page: String,
}

/// An answer of HTTP.
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    /// Reads until the server closes the connection.
    fn read(stream: &mut TcpStream) -> Self {
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        Self {
            status: head.split(' ').nth(1).unwrap().parse().unwrap(),
            head: head.to_owned(),
            body: body.to_owned(),
        }
    }
}

impl Admin {
    fn start(args: &[&str]) -> Self {
        let on_loopback = ["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"];
        Self::run(admin(&[&on_loopback[..], args].concat()))
    }

    fn run(command: Command) -> Self {
        let mut server = Server::of(Program::spawn(command));
        let line = server.program.stdout.next();
        let page = line.strip_prefix("admin page at http://").unwrap();
        let page = page.trim_end_matches('/').to_owned();
        Self { server, page }
    }

    fn with_token() -> Self {
        let file = token_file(&format!("{TOKEN}\n"));
        Self::start(&["--token-file", file.to_str().unwrap()])
    }

    async fn connect(&self) -> Association {
        let connected = within("connect", Association::connect(self.server.addr())).await;
        connected.unwrap()
    }

    /// Sends a request, and returns its answer.
    fn http(&self, request: &str, headers: &str, body: &str) -> Answer {
        let mut stream = self.open();
        let request = format!(
            "{request} HTTP/1.1\r\n{headers}Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).unwrap();
        Answer::read(&mut stream)
    }

    /// Opens a connection, on which nothing is sent yet.
    fn open(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.page).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    fn get(&self, path: &str) -> Answer {
        self.http(&format!("GET {path}"), LOCALHOST, "")
    }

    /// Drains or aborts an association.
    fn post(&self, path: &str, token: Option<&str>, body: &str) -> Answer {
        let token = token.map(|token| format!("Authorization: Bearer {token}\r\n"));
        let headers = format!("{LOCALHOST}{}", token.unwrap_or_default());
        self.http(&format!("POST {path}"), &headers, body)
    }

    fn list(&self, query: &str) -> Value {
        let answer = self.get(&format!("/associations{query}"));
        assert_eq!(answer.status, 200, "{}", answer.body);
        serde_json::from_str(&answer.body).unwrap()
    }

    /// Returns the only association.
    #[track_caller]
    fn only(&self) -> Value {
        let list = self.list("");
        assert_eq!(list["associations"].as_array().unwrap().len(), 1, "{list}");
        list["associations"][0].clone()
    }

    /// Waits until the only association has ended, and is no longer listed.
    #[track_caller]
    fn expect_empty(&mut self) {
        self.server.closed();
        self.wait_for(|list| list["total"] == 0);
    }

    /// Waits until the list is as expected, and returns it.
    #[track_caller]
    fn wait_for(&self, expected: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let list = self.list("");
            if expected(&list) {
                return list;
            }
            assert!(Instant::now() < deadline, "{list}");
            thread::yield_now();
        }
    }
}

/// The program, which is not started yet.
fn admin(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_admin"));
    command.env_remove("RUST_LOG").args(args);
    command
}

/// Writes a file of its own for a test.
fn token_file(text: &str) -> PathBuf {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let name = format!("admin-{}-{number}.token", std::process::id());
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::write(&path, text).unwrap();
    path
}

/// Sends a message, and waits for its echo.
async fn echo(association: &mut Association, text: &'static str) {
    let sent = within("send", association.send(Message::new(text).on_stream(1u16))).await;
    sent.unwrap();
    let echo = within("echo", association.recv()).await.unwrap().unwrap();
    assert_eq!(echo.payload, text);
}

#[tokio::test]
async fn association_is_listed_with_its_traffic_and_paths() {
    let mut admin = Admin::start(&[]);
    assert_eq!(
        admin.list(""),
        json!({"total": 0, "matching": 0, "associations": []})
    );
    let mut peer = admin.connect().await;
    let addr = peer.control().local_addrs().unwrap()[0].to_string();
    echo(&mut peer, "one").await;
    echo(&mut peer, "two").await;
    let one = admin.only();
    assert_eq!(one["state"], "established");
    assert_eq!(one["draining"], false);
    assert_eq!(one["peer"], json!([addr]));
    let messages = (&one["requests"], &one["reply_messages"]);
    assert_eq!(messages, (&json!(2), &json!(2)));
    assert!(one["last_request_seconds"].is_u64(), "{one}");
    assert!(one["age_seconds"].is_u64(), "{one}");
    assert!(one["inbound_streams"].as_u64().unwrap() > 1, "{one}");
    let kernel = &one["kernel"];
    assert!(kernel["packets_received"].as_u64().unwrap() > 0, "{one}");
    assert!(kernel["retransmitted_chunks"].is_u64(), "{one}");
    let paths = kernel["paths"].as_array().unwrap();
    assert_eq!(paths.len(), 1, "{one}");
    assert_eq!(paths[0]["addr"], addr);
    assert_eq!(paths[0]["state"], "active");
    assert_eq!(paths[0]["primary"], true);
    assert_eq!(admin.list("?peer=127.0.0.1")["matching"], 1);
    assert_eq!(admin.list("?peer=192.0.2.1")["matching"], 0);
    within("shutdown", peer.shutdown()).await.unwrap();
    admin.expect_empty();
}

#[tokio::test]
async fn page_and_metrics_are_served() {
    let admin = Admin::start(&[]);
    let mut peer = admin.connect().await;
    echo(&mut peer, "hello").await;
    let page = admin.get("/");
    assert_eq!(page.status, 200);
    assert!(page.body.starts_with("<!doctype html>"), "{}", page.body);
    let metrics = admin.get("/metrics");
    assert_eq!(metrics.status, 200);
    let format = "content-type: text/plain; version=0.0.4; charset=utf-8";
    assert!(metrics.head.contains(format), "{}", metrics.head);
    let metrics = metrics.body;
    assert!(metrics.contains("\nsctp_requests_total 1\n"), "{metrics}");
    assert!(
        metrics.contains("\nsctp_transport_associations 1\n"),
        "{metrics}"
    );
    assert_eq!(admin.get("/other").status, 404);
}

#[test]
fn other_hosts_are_refused() {
    let admin = Admin::start(&["--host", "node-1.example"]);
    for host in [
        "127.0.0.1:9101",
        "[::1]:9101",
        "LOCALHOST",
        "node-1.example",
    ] {
        let page = admin.http("GET /", &format!("Host: {host}\r\n"), "");
        assert_eq!(page.status, 200, "{host}");
        let policy = "content-security-policy: default-src 'none'; ";
        assert!(page.head.contains(policy), "{}", page.head);
        let cache = "cache-control: no-store";
        assert!(page.head.contains(cache), "{}", page.head);
    }
    for host in ["attacker.example", "127.0.0.1.attacker.example", "", "%"] {
        let page = admin.http("GET /", &format!("Host: {host}\r\n"), "");
        assert_eq!(page.status, 421, "{host}");
    }
    assert_eq!(admin.http("GET /", "", "").status, 421);
}

#[tokio::test]
async fn drained_association_ends_in_order() {
    let mut admin = Admin::with_token();
    let mut peer = admin.connect().await;
    echo(&mut peer, "hello").await;
    let path = format!("/associations/{}/drain", admin.only()["id"]);
    assert_eq!(admin.post(&path, Some(TOKEN), "").status, 202);
    assert!(within("shutdown", peer.recv()).await.unwrap().is_none());
    let stderr = &mut admin.server.program.stderr;
    let line = stderr.find("an operator drains an association");
    assert!(line.contains("operator=127.0.0.1:"), "{line}");
    assert!(line.contains("peer=127.0.0.1:"), "{line}");
    admin.expect_empty();
    let gone = admin.post(&path, Some(TOKEN), "");
    assert_eq!(gone.status, 404);
}

#[tokio::test]
async fn aborted_association_has_the_operators_reason() {
    let mut admin = Admin::with_token();
    let mut peer = admin.connect().await;
    echo(&mut peer, "hello").await;
    let path = format!("/associations/{}/abort", admin.only()["id"]);
    let too_long = "x".repeat(1025);
    assert_eq!(admin.post(&path, Some(TOKEN), &too_long).status, 400);
    assert_eq!(admin.post(&path, Some(TOKEN), "maintenance").status, 202);
    match within("abort", peer.recv()).await {
        Err(RecvError::Closed(end)) => assert_eq!(end.reason().unwrap(), "maintenance"),
        other => panic!("not aborted: {other:?}"),
    }
    let stderr = &mut admin.server.program.stderr;
    let line = stderr.find("an operator aborts an association");
    assert!(line.contains("operator=127.0.0.1:"), "{line}");
    assert!(line.ends_with("maintenance"), "{line}");
    admin.expect_empty();
}

#[tokio::test]
async fn nobody_ends_an_association_without_the_token() {
    let mut with = Admin::with_token();
    let without = Admin::start(&[]);
    for (admin, tokens, status) in [
        (
            &with,
            &[None, Some("secre"), Some("secret2"), Some("")][..],
            401,
        ),
        (&without, &[None, Some(TOKEN)], 403),
    ] {
        let mut peer = admin.connect().await;
        echo(&mut peer, "hello").await;
        for how in ["drain", "abort"] {
            let path = format!("/associations/{}/{how}", admin.only()["id"]);
            for token in tokens {
                let answer = admin.post(&path, *token, "");
                assert_eq!(answer.status, status, "{token:?}");
                let scheme = answer.head.contains("\r\nwww-authenticate: Bearer\r\n");
                assert_eq!(scheme, status == 401, "{}", answer.head);
            }
            assert_eq!(admin.get(&path).status, 405);
        }
        echo(&mut peer, "still here").await;
    }
    // Refused tokens are logged, and a guesser cannot fill the log.
    let stderr = &mut with.server.program.stderr;
    let line = stderr.find("refused wrong tokens");
    assert!(line.contains("operator=127.0.0.1:"), "{line}");
    with.server.program.terminate();
    with.server.program.exits_with(0);
    let log = with.server.program.stderr.text();
    assert_eq!(log.matches("refused wrong tokens").count(), 1, "{log}");
}

/// The scheme is compared without regard to case.
#[tokio::test]
async fn token_is_taken_with_any_spelling_of_its_scheme() {
    let admin = Admin::with_token();
    let mut peer = admin.connect().await;
    echo(&mut peer, "hello").await;
    let request = format!("POST /associations/{}/drain", admin.only()["id"]);
    let headers = format!("{LOCALHOST}Authorization: bEARER {TOKEN}\r\n");
    assert_eq!(admin.http(&request, &headers, "").status, 202);
}

/// The operator aborts the association that holds the drain up.
#[tokio::test]
async fn draining_server_is_alive_and_not_ready() {
    let mut admin = Admin::with_token();
    for path in ["/healthz", "/readyz"] {
        let answer = admin.get(path);
        assert_eq!((answer.status, &*answer.body), (200, "ok\n"));
    }
    let peer = admin.connect().await;
    within("send", peer.send("hang")).await.unwrap();
    admin.wait_for(|list| list["associations"][0]["requests"] == 1);
    admin.server.program.terminate();
    let deadline = Instant::now() + PATIENCE;
    while admin.get("/readyz").status != 503 {
        assert!(Instant::now() < deadline);
        thread::yield_now();
    }
    for (path, status) in [("/healthz", 200), ("/readyz", 503)] {
        let answer = admin.get(path);
        assert_eq!((answer.status, &*answer.body), (status, "draining\n"));
    }
    let path = format!("/associations/{}/abort", admin.only()["id"]);
    assert_eq!(admin.post(&path, Some(TOKEN), "hangs").status, 202);
    admin.server.program.exits_with(0);
}

#[test]
fn unusable_token_file_is_reported() {
    let empty = token_file(" \n");
    let two = token_file("one\ntwo\n");
    for (file, reason) in [
        (empty.to_str().unwrap(), "no token in it"),
        (two.to_str().unwrap(), "token with other characters"),
        ("/nonexistent", "No such file or directory"),
    ] {
        let mut program = Program::spawn(admin(&["--token-file", file]));
        program.exits_with(1);
        let said = program.stderr.text();
        assert!(
            said.starts_with(&format!("admin: {file}: {reason}")),
            "{said}"
        );
    }
}

#[tokio::test]
async fn address_in_use_is_named() {
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let sctp = SctpListener::bind("127.0.0.1:0").await.unwrap();
    let (tcp, sctp_addr) = (tcp.local_addr().unwrap(), sctp.local_addrs().unwrap()[0]);
    for (option, other, used) in [
        ("--admin", "--listen", tcp),
        ("--listen", "--admin", sctp_addr),
    ] {
        let args = [option, &used.to_string(), other, "127.0.0.1:0"];
        let mut program = Program::spawn(admin(&args));
        program.exits_with(1);
        let said = program.stderr.text();
        let expected = format!("admin: cannot bind {used}: Address already in use");
        assert!(said.starts_with(&expected), "{said}");
    }
}

#[test]
fn silent_client_is_closed() {
    let admin = Admin::start(&["--http-timeout", "0.1"]);
    for sent in [
        "",
        "GET / HTTP/1.1\r\n",
        "POST /associations/1/abort HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n",
    ] {
        let mut stream = admin.open();
        stream.write_all(sent.as_bytes()).unwrap();
        assert_eq!(stream.read(&mut [0]).unwrap(), 0, "{sent}");
    }
}

#[test]
fn connection_beyond_the_limit_waits() {
    let admin = Admin::start(&["--http-timeout", "3600"]);
    let mut silent: Vec<_> = (0..64).map(|_| admin.open()).collect();
    let mut next = admin.open();
    let request = format!("GET /healthz HTTP/1.1\r\n{LOCALHOST}\r\n");
    next.write_all(request.as_bytes()).unwrap();
    next.set_read_timeout(Some(Duration::from_millis(300)))
        .unwrap();
    let error = next.read(&mut [0]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
    silent.pop();
    next.set_read_timeout(Some(PATIENCE)).unwrap();
    assert_eq!(Answer::read(&mut next).body, "ok\n");
}

/// Collects the keys of objects, behind those of the objects that they are in.
fn keys(value: &Value, within: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Array(values) => {
            for value in values {
                keys(value, &format!("{within}[]"), found);
            }
        }
        Value::Object(values) => {
            for (key, value) in values {
                let key = format!("{within}.{key}");
                let key = key.trim_start_matches('.');
                keys(value, key, found);
                found.insert(key.to_owned());
            }
        }
        _ => {}
    }
}

#[tokio::test]
async fn keys_are_documented() {
    let text = include_str!("../docs/admin.md");
    let (_, table) = text.split_once("\n| key | value |\n").unwrap();
    let rows = table
        .lines()
        .filter_map(|row| row.strip_prefix("| `")?.split_once('`'));
    let documented: BTreeSet<_> = rows.map(|(key, _)| key.to_owned()).collect();
    let admin = Admin::start(&[]);
    let mut peer = admin.connect().await;
    echo(&mut peer, "hello").await;
    let mut found = BTreeSet::new();
    keys(&admin.list(""), "", &mut found);
    assert_eq!(found, documented);
}

/// Connects from an address, and has an echo.
async fn connect_from(addr: SocketAddr, server: SocketAddr) -> Association {
    let socket = SocketBuilder::new().with_local_addrs([addr]);
    let mut peer = within("connect", socket.connect(&[server])).await.unwrap();
    echo(&mut peer, "hello").await;
    peer
}

/// Returns the identifiers of a list.
fn ids(list: &Value) -> Vec<u64> {
    let associations = list["associations"].as_array().unwrap();
    let id = |association: &Value| association["id"].as_u64().unwrap();
    associations.iter().map(id).collect()
}

/// One peer restarts while another does not hear that its association is shut down.
#[tokio::test]
async fn restart_of_a_peer_leaves_associations_that_shut_down() {
    let (left, right) = two_cables();
    let file = token_file(TOKEN);
    let token = ["--token-file", file.to_str().unwrap()];
    let on_one = ["--listen", "10.1.0.2:0", "--admin", "10.1.0.2:0"];
    let admin = Admin::run(right.command(&admin(&[&on_one[..], &token].concat())));
    let link = Arc::new(left);
    let cable = Arc::clone(&link);
    let test = link.start(async move || {
        let server = admin.server.addr().parse().unwrap();
        let old = connect_from("10.1.0.1:0".parse().unwrap(), server).await;
        let _deaf = connect_from("10.2.0.1:0".parse().unwrap(), server).await;
        let [old_id, deaf_id] = ids(&admin.list(""))[..] else {
            panic!("not two associations: {}", admin.list(""));
        };
        right.tc("qdisc add dev two root netem loss 100%");
        let path = format!("/associations/{deaf_id}");
        let drained = admin.post(&format!("{path}/drain"), Some(TOKEN), "");
        assert_eq!(drained.status, 202);
        admin.wait_for(|list| list["associations"][1]["state"] == "shutting down");

        cable.tc("qdisc add dev one root netem loss 100%");
        old.abort(&AbortReason::from_static("nobody hears this"))
            .unwrap();
        let addr = old.initial_local_addrs()[0];
        drop(old);
        cable.tc("qdisc del dev one root");
        let mut new = connect_from(addr, server).await;
        let list = admin.wait_for(|list| !ids(list).contains(&old_id));
        let [first, new_id] = ids(&list)[..] else {
            panic!("not two associations: {list}");
        };
        assert_eq!(first, deaf_id);
        assert!(new_id > deaf_id, "{list}");
        let aborted = admin.post(&format!("{path}/abort"), Some(TOKEN), "");
        assert_eq!(aborted.status, 202);
        admin.wait_for(|list| ids(list) == [new_id]);
        within("shutdown", new.shutdown()).await.unwrap();
        admin.wait_for(|list| list["total"] == 0);
    });
    test.await;
}
