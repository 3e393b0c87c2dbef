//! Panics in code of the user that a client runs.

use std::error::Error;

use bytes::Bytes;
use sctp_service::{
    Correlation, Correlator, Fate, Identity, IncomingAssociation, Message, Received, Shutdown,
    Waiting, client::Client, handler::handler_fn,
};
use tower::{Service, ServiceExt, service_fn};

use crate::support::{assert_failed, call, client_with, failure, must, settle};

/// Panics where the text of a call tells it to.
struct Touchy;

impl Correlator for Touchy {
    type Key = u32;

    fn stamp(
        &mut self,
        number: u32,
        message: &mut Message,
    ) -> Result<u32, Box<dyn Error + Send + Sync>> {
        assert!(message.payload != "boom", "in stamp");
        Ok(number)
    }

    fn identify(&mut self, _: &Received, _: Waiting<'_, u32>) -> Identity<u32> {
        Identity::Request
    }
}

/// A call that waited for the handshake after a restart.
#[tokio::test(start_paused = true)]
async fn correlator_panic_ends_only_its_association() {
    let make = service_fn(async |mut incoming: IncomingAssociation| {
        incoming.recv().await;
        Ok::<_, Shutdown>(handler_fn(async |payload: Bytes| payload))
    });
    let builder = Client::builder()
        .with_correlation(Correlation::by_key(|_| Touchy))
        .serving(make);
    let (mut client, peer) = client_with(builder, 2);
    peer.send("hello").await;
    must(client.ready()).await.unwrap();
    peer.restart();
    settle().await;
    let asked = client.call(Message::new("boom"));
    settle().await;
    peer.send("hello again").await;
    let error = must(asked).await.unwrap_err();
    assert_failed(&error, "closed by this end", Fate::NotSent);
    peer.expect_abort("internal error").await;
    must(client.closed()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn factory_of_correlators_that_panics_ends_the_association_alone() {
    let builder = Client::builder().with_correlation(Correlation::by_key(|_| -> Touchy {
        panic!("in the factory")
    }));
    let (client, peer) = client_with(builder, 2);
    let error = failure(call(&client, "x")).await;
    assert_failed(&error, "closed by this end", Fate::NotSent);
    peer.expect_abort("internal error").await;
    must(client.closed()).await.unwrap();
}
