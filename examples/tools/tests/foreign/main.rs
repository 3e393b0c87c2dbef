//! Peers that we did not write.
