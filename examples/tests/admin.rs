//! The example `admin`: what an operator sees and does.
#![allow(clippy::unwrap_used, reason = "a surprise fails the test")]

mod support;

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    path::PathBuf,
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
    time::Instant,
};

use sctp_tokio::{Association, Message, RecvError};
use serde_json::{Value, json};
use support::{PATIENCE, Program, Server, within};

const TOKEN: &str = "secret";

/// A running server, and the address of its page.
struct Admin {
    server: Server,
    page: String,
}

impl Admin {
    fn start(args: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_admin"));
        command.args(["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]);
        command.env("RUST_LOG", "info").args(args);
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

    /// Sends a request, and returns the status and the body of its answer.
    fn http(&self, method: &str, path: &str, token: Option<&str>, body: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.page).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let token = token.map(|token| format!("Authorization: Bearer {token}\r\n"));
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{}\
             Content-Length: {}\r\n\r\n",
            token.unwrap_or_default(),
            body.len()
        );
        stream.write_all((head + body).as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, body.to_owned())
    }

    fn get(&self, path: &str) -> (u16, String) {
        self.http("GET", path, None, "")
    }

    /// Returns the status and the headers of the page under a name of the server.
    fn page_of(&self, host: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.page).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let head = format!("GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, _) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, head.to_owned())
    }

    fn list(&self, query: &str) -> Value {
        let (status, body) = self.get(&format!("/associations{query}"));
        assert_eq!(status, 200, "{body}");
        serde_json::from_str(&body).unwrap()
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
        let deadline = Instant::now() + PATIENCE;
        while self.list("")["total"] != 0 {
            assert!(Instant::now() < deadline, "{}", self.list(""));
            std::thread::yield_now();
        }
    }
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
    assert!(one["packets_received"].as_u64().unwrap() > 0, "{one}");
    assert!(one["retransmitted_chunks"].is_u64(), "{one}");
    let paths = one["paths"].as_array().unwrap();
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
    let (status, page) = admin.get("/");
    assert_eq!(status, 200);
    assert!(page.starts_with("<!doctype html>"), "{page}");
    let (status, metrics) = admin.get("/metrics");
    assert_eq!(status, 200);
    assert!(metrics.contains("\nsctp_requests_total 1\n"), "{metrics}");
    assert!(
        metrics.contains("\nsctp_transport_associations 1\n"),
        "{metrics}"
    );
    assert_eq!(admin.get("/other").0, 404);
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
        let (status, head) = admin.page_of(host);
        assert_eq!(status, 200, "{host}");
        let policy = "content-security-policy: default-src 'none'; ";
        assert!(head.contains(policy), "{head}");
        assert!(head.contains("cache-control: no-store"), "{head}");
    }
    for host in ["attacker.example", "127.0.0.1.attacker.example", "", "%"] {
        assert_eq!(admin.page_of(host).0, 421, "{host}");
    }
}

#[tokio::test]
async fn drained_association_ends_in_order() {
    let mut admin = Admin::with_token();
    let mut peer = admin.connect().await;
    echo(&mut peer, "hello").await;
    let path = format!("/associations/{}/drain", admin.only()["id"]);
    assert_eq!(admin.http("POST", &path, Some(TOKEN), "").0, 202);
    assert!(within("shutdown", peer.recv()).await.unwrap().is_none());
    admin.expect_empty();
    let gone = admin.http("POST", &path, Some(TOKEN), "");
    assert_eq!(gone.0, 404);
}

#[tokio::test]
async fn aborted_association_has_the_operators_reason() {
    let mut admin = Admin::with_token();
    let mut peer = admin.connect().await;
    echo(&mut peer, "hello").await;
    let path = format!("/associations/{}/abort", admin.only()["id"]);
    let too_long = "x".repeat(1025);
    assert_eq!(admin.http("POST", &path, Some(TOKEN), &too_long).0, 400);
    assert_eq!(admin.http("POST", &path, Some(TOKEN), "maintenance").0, 202);
    match within("abort", peer.recv()).await {
        Err(RecvError::Closed(end)) => assert_eq!(end.reason().unwrap(), "maintenance"),
        other => panic!("not aborted: {other:?}"),
    }
    let stderr = &mut admin.server.program.stderr;
    let line = stderr.find("an operator aborts an association");
    assert!(line.ends_with("maintenance"), "{line}");
    admin.expect_empty();
}

#[tokio::test]
async fn nobody_ends_an_association_without_the_token() {
    let with = Admin::with_token();
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
                assert_eq!(admin.http("POST", &path, *token, "").0, status, "{token:?}");
            }
            assert_eq!(admin.http("GET", &path, Some(TOKEN), "").0, 405);
        }
        echo(&mut peer, "still here").await;
    }
}

/// The operator aborts the association that holds the drain up.
#[tokio::test]
async fn draining_server_is_alive_and_not_ready() {
    let mut admin = Admin::with_token();
    for path in ["/healthz", "/readyz"] {
        assert_eq!(admin.get(path), (200, "ok\n".to_owned()));
    }
    let peer = admin.connect().await;
    within("send", peer.send("hang")).await.unwrap();
    let deadline = Instant::now() + PATIENCE;
    while admin.list("")["associations"][0]["requests"] != 1 {
        assert!(Instant::now() < deadline);
        std::thread::yield_now();
    }
    admin.server.program.terminate();
    while admin.get("/readyz") != (503, "draining\n".to_owned()) {
        assert!(Instant::now() < deadline);
        std::thread::yield_now();
    }
    assert_eq!(admin.get("/healthz"), (200, "draining\n".to_owned()));
    let path = format!("/associations/{}/abort", admin.only()["id"]);
    assert_eq!(admin.http("POST", &path, Some(TOKEN), "hangs").0, 202);
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
        let mut command = Command::new(env!("CARGO_BIN_EXE_admin"));
        command.args(["--token-file", file]);
        let mut program = Program::spawn(command);
        program.exits_with(1);
        let said = program.stderr.text();
        assert!(
            said.starts_with(&format!("admin: {file}: {reason}")),
            "{said}"
        );
    }
}
