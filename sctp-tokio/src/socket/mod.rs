//! Creation of sockets: builder, connecting, and conversion from descriptors.

pub(crate) mod builder;
pub(crate) mod connect;
pub(crate) mod connect_any;
pub(crate) mod fd;
pub(crate) mod setup;
