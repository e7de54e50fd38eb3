//! Every bound of a broker, named.

/// The longest address, in bytes; a longer one is an error when it is bound.
pub const ADDRESS_BYTES_MAX: usize = 255;

/// How many addresses one broker has; one more is an error when it is bound.
pub const ADDRESSES_MAX: usize = 1 << 20;

/// How many requests of one broker wait for their answers; one more is an error when it is made,
/// and was not sent.
pub const REQUESTS_MAX: usize = 1 << 20;
