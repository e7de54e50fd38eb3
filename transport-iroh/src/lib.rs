//! transport-iroh.
