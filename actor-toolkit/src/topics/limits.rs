//! Every bound of topics, named. What waits for a subscription is bounded by its
//! [`Backlog`](actor_core::Backlog).

/// The longest topic or pattern, in bytes; a longer one does not parse.
pub const TOPIC_BYTES_MAX: usize = 255;

/// The most words of a topic or pattern; one of more does not parse.
pub const TOPIC_WORDS_MAX: usize = 32;

/// How many subscriptions one [`Topics`](super::Topics) holds; one more is an error when it is
/// made.
pub const SUBSCRIPTIONS_MAX: usize = 1 << 20;
