//! A type that is taken for an extractor that waits.
//!
//! says: `Order` cannot be an argument of an awaiting handler, or not in this place
//! says: implement `FromRequestParts`, or `AsyncFromRequestParts` if extraction waits
use sctp_service::{Parts, extract::AsyncFromRequestParts};

pub struct Order;

pub async fn extract(parts: &mut Parts) {
    let _ = <Order as AsyncFromRequestParts<()>>::from_request_parts_async(parts, &()).await;
}
