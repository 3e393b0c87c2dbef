//! The graceful shutdown of the server.

use std::{
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use sctp_service::{Config, End, Payload, Side};
use sctp_tokio::{Association, SocketBuilder};
use tokio::sync::{Notify, Semaphore};

use crate::{
    both_styles, must, reply,
    server::{Server, draining_server, echo},
    until_end,
};

both_styles! {
    async fn idle_associations_are_shut_down_in_order(style: Style) {
        let mut server = Server::start(style, echo);
        let mut clients = Vec::new();
        for _ in 0..5 {
            let mut client = server.connect().await;
            client.send("hello").await.unwrap();
            reply(&mut client).await;
            clients.push(client);
        }
        server.stop();
        for client in &mut clients {
            assert_eq!(until_end(client).await.1, End::Shutdown { by: Side::Peer });
        }
        server.stopped().await;
    }

    async fn waiting_associations_are_all_shut_down_in_order(style: Style) {
        let (addr, draining) = draining_server(style, echo);
        let mut clients = Vec::new();
        for _ in 0..200 {
            let client = Association::connect(addr).await.unwrap();
            client.send("hello").await.unwrap();
            clients.push(client);
        }
        let draining = tokio::spawn(draining);
        for client in &mut clients {
            assert_eq!(until_end(client).await.1, End::Shutdown { by: Side::Peer });
        }
        must(draining).await.unwrap();
    }

    async fn calls_in_flight_are_finished_first(style: Style) {
        let (started, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (start, go) = (Arc::clone(&started), Arc::clone(&go_on));
        let service = move |Payload(payload): Payload| {
            let (start, go) = (Arc::clone(&start), Arc::clone(&go));
            async move {
                start.notify_one();
                go.notified().await;
                Payload(payload)
            }
        };
        let mut server = Server::start(style, service);
        let mut client = server.connect().await;
        client.send("in flight").await.unwrap();
        must(started.notified()).await;
        server.stop();
        // No further association comes up.
        loop {
            if Association::connect(server.addr).await.is_err() {
                break;
            }
        }
        go_on.notify_one();
        let (messages, end) = until_end(&mut client).await;
        assert_eq!(messages, ["in flight"]);
        assert_eq!(end, End::Shutdown { by: Side::Peer });
        server.stopped().await;
    }

    async fn requests_in_the_receive_buffer_are_served_first(style: Style) {
        const REQUESTS: usize = 500;
        let (gate, served) = (Arc::new(Semaphore::new(0)), Arc::new(AtomicUsize::new(0)));
        let (wait, count) = (Arc::clone(&gate), Arc::clone(&served));
        let service = move |_: Payload| {
            let (wait, count) = (Arc::clone(&wait), Arc::clone(&count));
            async move {
                wait.acquire().await.unwrap().forget();
                count.fetch_add(1, Relaxed);
            }
        };
        let mut server = Server::start(style, service);
        let mut client = server.connect().await;
        for number in 0..REQUESTS {
            client.send(number.to_string()).await.unwrap();
        }
        server.stop();
        // No further association comes up: the server has heard of it.
        while Association::connect(server.addr).await.is_ok() {}
        gate.add_permits(REQUESTS);
        let (_, end) = until_end(&mut client).await;
        assert_eq!(end, End::Shutdown { by: Side::Peer });
        assert_eq!(served.load(Relaxed), REQUESTS);
        server.stopped().await;
    }

    async fn what_outlasts_the_deadline_is_aborted_with_a_reason(style: Style) {
        let config = Config::default().with_drain_timeout(Duration::from_millis(200));
        let started = Arc::new(Notify::new());
        let start = Arc::clone(&started);
        let service = move |_: Payload| {
            start.notify_one();
            pending::<()>()
        };
        let mut server = Server::start_with(style, config, SocketBuilder::new(), service);
        let mut client = server.connect().await;
        client.send("for ever").await.unwrap();
        must(started.notified()).await;
        server.stop();
        let (_, end) = until_end(&mut client).await;
        assert_eq!(end.reason().unwrap(), "drain timed out");
        server.stopped().await;
    }
}
