//! What a relay is like to what passes through it, now and later.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

/// How badly a direction passes on what comes; at once and all of it, unless said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Conditions {
    /// How long everything takes.
    pub delay: Duration,
    /// How much longer it takes at most, by the relay's seed: datagrams overtake each other, the bytes of a connection
    /// do not.
    pub jitter: Duration,
    /// How many of a thousand datagrams are lost, by the relay's seed. Those of a connection are not.
    pub lost_per_mille: u16,
    /// How many of a thousand datagrams arrive twice, by the relay's seed.
    pub doubled_per_mille: u16,
    /// How many bytes a second get through a connection: its reader is slow. 0 is all that come.
    pub bytes_per_second: u32,
    /// Nothing gets through. The bytes of a connection wait, and it stays open; datagrams are lost.
    pub is_stalled: bool,
}

/// Which way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From those who dial to the target.
    There,
    /// From the target to those who dial.
    Back,
}

/// What each direction is like, now and later.
#[derive(Debug)]
pub(super) struct Weather {
    pub(super) there: watch::Sender<Conditions>,
    pub(super) back: watch::Sender<Conditions>,
}

impl Weather {
    pub(super) fn fair() -> Arc<Self> {
        let [there, back] = [(); 2].map(|()| watch::Sender::new(Conditions::default()));
        Arc::new(Self { there, back })
    }

    pub(super) fn of(&self, direction: Direction) -> &watch::Sender<Conditions> {
        match direction {
            Direction::There => &self.there,
            Direction::Back => &self.back,
        }
    }
}
