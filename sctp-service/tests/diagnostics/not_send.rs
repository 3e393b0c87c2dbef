//! A future that is not `Send`.
//!
//! says: future returned by `handler` is not `Send`
//! says: has type `Rc<str>` which is not `Send`
use std::{future::ready, rc::Rc};

use sctp_service::{Ppid, Router};

async fn handler(text: String) -> String {
    let text: Rc<str> = text.into();
    ready(()).await;
    text.to_string()
}

pub fn router() -> Router {
    Router::new().route(Ppid::NGAP, handler)
}
