//! A name instead of a server.
//!
//! says: `&str` cannot set up associations
//! says: and by its name with `|| Association::connect("host:port")`
use sctp_service::client::Client;

pub async fn run() {
    let _ = Client::builder().connect("localhost:9877").await;
}
