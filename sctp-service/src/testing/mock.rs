//! Requests without an association.

use std::task::{Context, Poll};

use sctp_tokio::Message;
use tower_layer::Layer;
use tower_service::Service;

use super::transport::received;
use crate::{ConnectInfo, Request};

/// Creates a request from a message, as if a peer had sent it.
#[must_use]
pub fn request(message: impl Into<Message>) -> Request {
    let info = ConnectInfo::default();
    Request::new(received(message.into(), info.assoc()), info)
}

/// Layer that replaces the [`ConnectInfo`] of requests.
#[derive(Clone, Debug)]
pub struct MockConnectInfo(pub ConnectInfo);

impl<S> Layer<S> for MockConnectInfo {
    type Service = MockConnectInfoService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        MockConnectInfoService {
            inner,
            connect_info: self.0.clone(),
        }
    }
}

/// Service of [`MockConnectInfo`].
#[derive(Clone, Debug)]
pub struct MockConnectInfoService<S> {
    inner: S,
    connect_info: ConnectInfo,
}

impl<S: Service<Request>> Service<Request> for MockConnectInfoService<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> S::Future {
        let (mut parts, payload) = request.into_parts();
        parts.connect_info = self.connect_info.clone();
        self.inner.call(Request::from_parts(parts, payload))
    }
}
