//! Every bound of what is read, named.

/// The longest line or frame that may be asked for, in bytes; more is an error at the call.
pub const READ_BYTES_MAX: usize = 256 * 1024 * 1024;

/// How much is read at once, in bytes. So much lies in memory beside one line or frame.
pub const CHUNK_BYTES: usize = 8 * 1024;

/// How often a reader is read for one line or frame before others run. One that always has more
/// would keep the thread for as long as the line is otherwise.
pub const READS_PER_TURN: u32 = 64;
