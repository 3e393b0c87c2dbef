//! A service, and its tests: they serve it on associations in memory, so they need no kernel with
//! SCTP, no port and no root, and a timeout of minutes takes no time.
//!
//! ```text
//! cargo test --bin test_without_kernel
//! cargo run --bin test_without_kernel
//! ```
//!
//! The second command serves it on the kernel's SCTP instead. In `Cargo.toml` the tests need
//!
//! ```text
//! [dev-dependencies]
//! sctp-service = { version = "0.1", features = ["testing"] }
//! tokio = { version = "1", features = ["test-util"] }
//! ```
#![forbid(unsafe_code)]

use std::{convert::Infallible, error::Error, time::Duration};

use sctp_service::{
    AbortReason, Reply, Request, handler::handler_fn, layer::AbortOnErrorLayer, serve,
};
use sctp_tokio::{Association, SctpListener};
use tower::{Service, ServiceBuilder};

/// Time limit for an order.
const TIMEOUT: Duration = Duration::from_secs(90);

async fn order(dish: String) -> String {
    match dish.as_str() {
        "tea" => {}
        "pie" => tokio::time::sleep(Duration::from_secs(60)).await,
        _ => std::future::pending().await,
    }
    format!("here is your {dish}")
}

/// The complete service with its layers, both served and tested.
fn service()
-> impl Service<Request, Response = Reply, Error = Infallible, Future: Send> + Clone + Send {
    ServiceBuilder::new()
        .layer(AbortOnErrorLayer::with_reason(AbortReason::from_static(
            "the kitchen is closed",
        )))
        .timeout(TIMEOUT)
        .service(handler_fn(order))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let listener = SctpListener::bind("127.0.0.1:0").await?;
    let server = listener.local_addrs()?[0];
    tokio::spawn(serve(listener, service()).into_future());
    let mut guest = Association::connect(server).await?;
    guest.send("tea").await?;
    let served = guest.recv().await?.ok_or("nothing came")?;
    println!(
        "{:?}, and then the association was {}",
        served.payload,
        guest.shutdown().await?
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use sctp_service::{
        Cause,
        client::{Client, ClientConfig},
        testing::{ScriptedListener, request},
    };
    use sctp_tokio::Message;
    use tower::ServiceExt;

    use super::*;

    /// A service alone, without an association: a request in, a reply out.
    #[tokio::test(start_paused = true)]
    async fn tea_is_served() {
        let reply = service().oneshot(request("tea")).await.unwrap();
        let message = reply.messages().next().unwrap();
        assert_eq!(message.payload, "here is your tea");
        assert_eq!(reply.shutdown(), None);
    }

    /// A server with its associations, which shows what a peer sees.
    #[tokio::test(start_paused = true)]
    async fn slow_request_ends_only_its_own_association() {
        let (listener, network) = ScriptedListener::new();
        tokio::spawn(serve(listener, service()).into_future());
        let patient = network.connect().await.unwrap();
        let hungry = network.connect().await.unwrap();
        patient.send("pie").await;
        hungry.send(Message::new("casserole").on_stream(3)).await;
        patient.expect_message("here is your pie").await;
        hungry.expect_abort("the kitchen is closed").await;
        patient.send(Message::new("tea").on_stream(3)).await;
        let tea = patient.expect_message("here is your tea").await;
        assert_eq!(tea.info.stream.get(), 3);
        patient.shutdown();
        patient.expect_shutdown().await;
    }

    /// A client and the server together, as they will meet.
    #[tokio::test(start_paused = true)]
    async fn client_gives_up_on_the_pie_and_hears_why_there_is_no_casserole() {
        let (listener, network) = ScriptedListener::new();
        tokio::spawn(serve(listener, service()).into_future());
        let connect = async |call_timeout| {
            let config = ClientConfig::new().with_call_timeout(call_timeout);
            let builder = Client::builder().with_config(config);
            builder.connect(network.connector()).await.unwrap()
        };
        let hasty = connect(Some(Duration::from_secs(45))).await;
        let error = hasty.request("pie").await.unwrap_err();
        assert!(matches!(error.cause(), Cause::TimedOut), "{error}");
        let patient = connect(None).await;
        let error = patient.request("casserole").await.unwrap_err();
        assert_eq!(error.reason().unwrap(), "the kitchen is closed");
        // Its association ended, that of the other did not.
        assert_eq!(hasty.last_end(), None);
    }
}
