//! Requests of a service.

use bytes::Bytes;
use sctp_core::{Ppid, RecvInfo, StreamId};
use sctp_tokio::Received;

use crate::{AssociationHandle, ConnectInfo, Drain, Extensions};

/// An inbound message with its metadata, the argument of a service.
///
/// Cloning shares the payload, so tower's retry and hedge can clone it without a copy.
#[derive(Clone, Debug)]
pub struct Request {
    payload: Bytes,
    parts: Parts,
}

/// Parts of a request except its payload, for extractors.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Parts {
    /// Metadata from the kernel: stream, payload protocol identifier, ordering.
    pub info: RecvInfo,
    /// Association of the request.
    pub connect_info: ConnectInfo,
    /// Sequence number of this request on its association, starting at 1, also after a restart of
    /// the peer.
    pub number: u64,
    /// Handle of the association, valid during and after the request.
    pub association: AssociationHandle,
    /// Values that middleware attached.
    pub extensions: Extensions,
}

impl Request {
    /// Creates a request from a message and its association, with number 1.
    #[must_use]
    pub fn new(received: Received, connect_info: ConnectInfo) -> Self {
        let Received { payload, info, .. } = received;
        let parts = Parts {
            info,
            connect_info,
            number: 1,
            association: AssociationHandle::default(),
            extensions: Extensions::new(),
        };
        Self { payload, parts }
    }

    /// Sets the sequence number of the request on its association.
    #[must_use]
    pub fn with_number(mut self, number: u64) -> Self {
        self.parts.number = number;
        self
    }

    pub(crate) fn with_association(mut self, association: AssociationHandle) -> Self {
        self.parts.association = association;
        self
    }

    /// Returns the user data. Never empty on a real association, since SCTP has no empty messages.
    #[must_use]
    pub fn payload(&self) -> &Bytes {
        &self.payload
    }

    /// Returns the metadata from the kernel.
    #[must_use]
    pub fn info(&self) -> &RecvInfo {
        &self.parts.info
    }

    /// Returns the stream of the request.
    #[must_use]
    pub fn stream(&self) -> StreamId {
        self.parts.info.stream
    }

    /// Returns the payload protocol identifier.
    #[must_use]
    pub fn ppid(&self) -> Ppid {
        self.parts.info.ppid
    }

    /// Returns information about the association of the request.
    #[must_use]
    pub fn connect_info(&self) -> &ConnectInfo {
        &self.parts.connect_info
    }

    /// Returns the sequence number of the request on its association, starting at 1.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.parts.number
    }

    /// Returns the signal that the server or the association shuts down gracefully.
    #[must_use]
    pub fn drain(&self) -> &Drain {
        self.parts.association.drain()
    }

    /// Returns a handle for sending on the association and closing it, during and after the
    /// request. A request that was not received by a server has the default handle.
    #[must_use]
    pub fn association(&self) -> &AssociationHandle {
        &self.parts.association
    }

    /// Returns the values that middleware attached.
    #[must_use]
    pub fn extensions(&self) -> &Extensions {
        &self.parts.extensions
    }

    /// Returns the values that middleware attached, for modification.
    #[must_use]
    pub fn extensions_mut(&mut self) -> &mut Extensions {
        &mut self.parts.extensions
    }

    /// Returns the user data.
    #[must_use]
    pub fn into_payload(self) -> Bytes {
        self.payload
    }

    /// Splits the request into the parts that extractors work on, and the user data.
    #[must_use]
    pub fn into_parts(self) -> (Parts, Bytes) {
        (self.parts, self.payload)
    }

    /// Joins the parts and the user data.
    #[must_use]
    pub fn from_parts(parts: Parts, payload: Bytes) -> Self {
        Self { payload, parts }
    }
}

impl From<Request> for Received {
    fn from(request: Request) -> Self {
        Self::new(request.payload, request.parts.info)
    }
}
