//! What a way through the simulated network is like while nothing is broken.

use std::time::Duration;

/// What the way from one node to another is like. Each direction has its own.
///
/// A connection is an ordered stream, as TCP's are: what is lost on the way is sent again, so loss shows as delay, to what was
/// lost and to all behind it; and what is sent twice arrives once. Only attempts to connect can come
/// twice.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Conditions {
    /// How long a byte takes at least.
    pub delay: Duration,
    /// How much longer it takes at most.
    pub jitter: Duration,
    /// How likely a write is lost, from 0 to 1: it comes 200 ms later then, twice that if it is lost again, and so on.
    pub loss: f64,
    /// How many bytes cross in a second; as many as are written unless set. All connections of the two nodes share them.
    pub bytes_per_second: Option<u64>,
    /// How likely a read or a write takes fewer bytes than it could, from 0 to 1.
    pub short: f64,
    /// How likely an attempt to connect arrives twice, from 0 to 1: the node that is dialled accepts a connection
    /// more, at whose other end there is nobody, and which is reset.
    pub duplicates: f64,
}

impl Conditions {
    /// Machines of one room: 100 µs, up to 100 µs more.
    pub const fn lan() -> Self {
        let micros = Duration::from_micros(100);
        Self { delay: micros, jitter: micros, loss: 0.0, bytes_per_second: None, short: 0.0, duplicates: 0.0 }
    }

    /// Machines of two continents: 40 ms, up to 10 ms more, one write in 200 lost.
    pub const fn wan() -> Self {
        let (delay, jitter) = (Duration::from_millis(40), Duration::from_millis(10));
        Self { delay, jitter, loss: 0.005, ..Self::lan() }
    }

    /// A network that is used to find faults: 1 ms, up to 50 ms more, one write in 50 lost, each second read and
    /// write a short one, one attempt to connect in ten doubled.
    pub const fn rough() -> Self {
        let (delay, jitter) = (Duration::from_millis(1), Duration::from_millis(50));
        Self { delay, jitter, loss: 0.02, short: 0.5, duplicates: 0.1, ..Self::lan() }
    }

    /// The same with this delay, and with up to so much more of it.
    pub const fn with_delay(mut self, delay: Duration, jitter: Duration) -> Self {
        (self.delay, self.jitter) = (delay, jitter);
        self
    }

    /// The same with this [`loss`](Self::loss).
    pub const fn with_loss(mut self, loss: f64) -> Self {
        self.loss = loss;
        self
    }

    /// The same with so many [`bytes_per_second`](Self::bytes_per_second).
    pub const fn with_bytes_per_second(mut self, bytes: u64) -> Self {
        self.bytes_per_second = Some(bytes);
        self
    }
}

/// [`lan`](Conditions::lan).
impl Default for Conditions {
    fn default() -> Self {
        Self::lan()
    }
}
