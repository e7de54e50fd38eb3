//! What a relay is like to what passes through it, now and later, and what has.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::watch;

/// What one direction of a relay is like; everything passes at once, and all of it, unless said.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Conditions {
    /// How long everything takes at least.
    pub delay: Duration,
    /// How much longer it takes at most, by the relay's seed: datagrams overtake each other, the bytes of a connection
    /// do not, so what is behind a late one is late, too.
    pub jitter: Duration,
    /// How likely a datagram is lost, from 0 to 1, by the relay's seed. Those of a connection are not.
    pub loss: f64,
    /// How likely a datagram arrives twice, from 0 to 1, by the relay's seed.
    pub duplicates: f64,
    /// How many bytes a second get through each connection: its reader is slow. As many as come unless set.
    pub bytes_per_second: Option<u64>,
    /// Nothing gets through. The bytes of a connection wait, and it stays open; datagrams are lost.
    pub is_stalled: bool,
}

impl Conditions {
    /// Nothing gets through, see [`is_stalled`](Self::is_stalled).
    pub fn stalled() -> Self {
        Self { is_stalled: true, ..Self::default() }
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

    /// The same with so many [`duplicates`](Self::duplicates).
    pub const fn with_duplicates(mut self, duplicates: f64) -> Self {
        self.duplicates = duplicates;
        self
    }

    /// The same with so many [`bytes_per_second`](Self::bytes_per_second).
    pub const fn with_bytes_per_second(mut self, bytes: u64) -> Self {
        self.bytes_per_second = Some(bytes);
        self
    }

    /// How long something takes, by a number from 0 to 1.
    pub(super) fn late_by(&self, unit: f64) -> Duration {
        self.delay + self.jitter.mul_f64(unit)
    }

    /// How long so many bytes keep others waiting that come behind them.
    pub(super) fn pause_after(&self, bytes: usize) -> Duration {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        let per_second = self.bytes_per_second.map(|bytes| u32::try_from(bytes.max(1)).unwrap_or(u32::MAX));
        per_second.map_or(Duration::ZERO, |per_second| Duration::from_secs(1) * bytes / per_second)
    }
}

/// Which way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From those who dial to the target.
    There,
    /// From the target to those who dial.
    Back,
}

/// What has become of what came to a relay, in both directions. Of a connection, these are reads of up to
/// [`RELAY_CHUNK_BYTES`](crate::limits::RELAY_CHUNK_BYTES), of which none is lost, doubled or overtaken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Carried {
    /// How many were passed on.
    pub passed: u64,
    /// How many were lost.
    pub lost: u64,
    /// How many were passed on twice.
    pub doubled: u64,
    /// How many were passed on before others that had come before them.
    pub overtaking: u64,
}

/// What each direction is like, now and later, and what has passed.
#[derive(Debug)]
pub(super) struct Weather {
    pub(super) there: watch::Sender<Conditions>,
    pub(super) back: watch::Sender<Conditions>,
    pub(super) counts: Counts,
}

/// See [`Carried`]. Nothing else is read by them, so they are relaxed.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) passed: Count,
    pub(super) lost: Count,
    pub(super) doubled: Count,
    pub(super) overtaking: Count,
}

#[derive(Debug, Default)]
pub(super) struct Count(AtomicU64);

impl Count {
    pub(super) fn add_one(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Weather {
    pub(super) fn fair() -> Arc<Self> {
        let [there, back] = [(); 2].map(|()| watch::Sender::new(Conditions::default()));
        Arc::new(Self { there, back, counts: Counts::default() })
    }

    pub(super) fn of(&self, direction: Direction) -> &watch::Sender<Conditions> {
        match direction {
            Direction::There => &self.there,
            Direction::Back => &self.back,
        }
    }

    pub(super) fn carried(&self) -> Carried {
        let Counts { passed, lost, doubled, overtaking } = &self.counts;
        let [passed, lost, doubled, overtaking] = [passed, lost, doubled, overtaking].map(Count::value);
        Carried { passed, lost, doubled, overtaking }
    }
}
