//! An association and everything under way on it, in both directions.

pub(crate) mod calls;
