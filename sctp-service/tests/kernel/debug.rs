//! `Debug` of a server, and panics.

use sctp_service::{EndpointListener, Payload, serve, serve_endpoint};
use sctp_tokio::{Endpoint, SctpListener};
use tokio::runtime::Runtime;

use crate::panics::place_of_panic;

#[tokio::test]
async fn server_shows_its_addresses_and_limits() {
    let listener = SctpListener::bind("127.0.0.1:0").await.unwrap();
    let addrs = format!("local_addrs: {:?}", listener.local_addrs().unwrap());
    let server = serve(listener, async |Payload(payload)| Payload(payload));
    let shown = format!("{server:?}");
    assert!(shown.contains(&addrs), "{shown}");
    assert!(shown.contains("max_associations: 10000"), "{shown}");
    assert!(shown.contains("graceful_shutdown: false"), "{shown}");
}

#[tokio::test]
async fn shared_socket_shows_its_addresses() {
    let endpoint = Endpoint::bind("127.0.0.1:0").await.unwrap();
    let local = format!("local_addrs: {:?}", endpoint.local_addrs().unwrap());
    let expected = format!(
        "EndpointListener {{ endpoint: EndpointSender {{ {local}, associations: 0 }}, waiting: 0 }}"
    );
    let listener = EndpointListener::new(endpoint);
    assert_eq!(format!("{listener:?}"), expected);
}

#[test]
fn shared_socket_outside_a_runtime_names_the_line() {
    let runtime = Runtime::new().unwrap();
    let endpoint = || runtime.block_on(Endpoint::bind("127.0.0.1:0")).unwrap();
    let (first, second) = (endpoint(), endpoint());
    let (file, line) = place_of_panic(|| EndpointListener::new(first));
    assert_eq!((&file[..], line), (file!(), line!() - 1));
    let (file, line) = place_of_panic(|| serve_endpoint(second, async || ()));
    assert_eq!((&file[..], line), (file!(), line!() - 1));
}
