//! Every bound of this crate, named, with its default and what happens when it
//! is met.

/// The longest [`Address`](crate::transport::Address), in bytes. A longer one is
/// refused as unusable.
pub const ADDRESS_BYTES_MAX: usize = 1024;

/// The longest detail of a close reason, in bytes. A longer one is cut.
pub const CLOSE_DETAIL_BYTES_MAX: usize = 256;
