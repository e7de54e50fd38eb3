//! Every bound of this crate, named.

/// The largest file of certificates, keys or revocation lists, in bytes. A
/// larger one is refused.
pub const PEM_BYTES_MAX: u64 = 1 << 20;
