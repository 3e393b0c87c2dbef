//! A type that is taken for an extractor of the payload that waits.
//!
//! says: `Order` cannot be the last argument of an awaiting handler
//! says: implement `FromRequest`, or `AsyncFromRequest` if extraction waits
use sctp_service::{Request, extract::AsyncFromRequest};

pub struct Order;

pub async fn extract(request: Request) {
    let _ = <Order as AsyncFromRequest<()>>::from_request_async(request, &()).await;
}
