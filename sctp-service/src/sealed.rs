//! Token in the signatures of traits that other crates cannot implement.

/// Keeps other crates from implementing a trait: they cannot name it in a signature.
#[derive(Debug)]
#[expect(unnameable_types, reason = "traits with it in a signature are sealed")]
pub struct Sealed(pub(crate) ());
