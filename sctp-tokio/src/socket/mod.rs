//! Sockets, from addresses and options to a descriptor and back.

pub(crate) mod builder;
pub(crate) mod connect;
pub(crate) mod connect_any;
pub(crate) mod fd;
pub(crate) mod setup;
