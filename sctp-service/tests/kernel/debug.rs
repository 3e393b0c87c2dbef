//! What a log line shows of a server.

use sctp_service::{EndpointListener, Payload, serve};
use sctp_tokio::{Endpoint, SctpListener};

#[tokio::test]
async fn a_server_shows_its_addresses_and_limits() {
    let listener = SctpListener::bind("127.0.0.1:0").await.unwrap();
    let addrs = format!("local_addrs: {:?}", listener.local_addrs().unwrap());
    let server = serve(listener, async |Payload(payload)| Payload(payload));
    let shown = format!("{server:?}");
    assert!(shown.contains(&addrs), "{shown}");
    assert!(shown.contains("max_associations: 10000"), "{shown}");
    assert!(shown.contains("graceful_shutdown: false"), "{shown}");
}

#[tokio::test]
async fn a_shared_socket_shows_its_addresses() {
    let endpoint = Endpoint::bind("127.0.0.1:0").await.unwrap();
    let local = format!("local_addrs: {:?}", endpoint.local_addrs().unwrap());
    let expected = format!(
        "EndpointListener {{ endpoint: EndpointSender {{ {local}, associations: 0 }}, waiting: 0 }}"
    );
    let listener = EndpointListener::new(endpoint);
    assert_eq!(format!("{listener:?}"), expected);
}
