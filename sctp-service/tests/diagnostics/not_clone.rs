//! A closure that cannot be cloned.
//!
//! says: `std::sync::Mutex<i32>: Clone` is not satisfied
use std::sync::Mutex;

use sctp_service::{Ppid, Router};

pub fn router() -> Router {
    let count = Mutex::new(0);
    Router::new().route(Ppid::NGAP, async move || drop(count.lock()))
}
