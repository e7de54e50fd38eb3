//! One node that this one has a session with, or had: what is heard of it.

use std::time::Duration;

use actor_core::Instant;

use super::doubt::Doubt;
use super::gaps::Gaps;
use super::identity::Identity;
use super::ration::Ration;
use super::telling::Telling;
use crate::id::NodeLife;
use crate::limits::BEAT_INTERVAL;

/// Of so many beats it is remembered when they were sent.
const BEATS_REMEMBERED: usize = 16;

/// How the session is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    Up,
    /// It has lost its streams, and may find others. As long as it may, its peer is not declared lost from here, unless nobody listens
    /// any more where the peer was.
    Broken {
        is_refused: bool,
    },
    /// It is over, without a goodbye.
    Cut,
}

#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) life: NodeLife,
    /// Whether it says words of membership. Of one that does not, its session is all that is known.
    pub(crate) speaks: bool,
    /// The term that it says to be in, once it has.
    pub(crate) term: Option<u32>,
    pub(crate) line: Line,
    /// A life that others say it to be in by now, of which nothing counts while this one's session lasts.
    pub(crate) later: Option<Identity>,
    /// Whether `Ready` was told.
    pub(crate) is_told: bool,
    pub(crate) is_neighbour: bool,
    /// Apart: all peers are gone through again and again, and few of them listened to.
    pub(crate) watch: Box<Watch>,
    pub(crate) ration: Ration,
    pub(crate) telling: Telling,
}

/// What was said and heard on a session.
#[derive(Debug)]
pub(crate) struct Watch {
    sent: u32,
    sent_at: [Instant; BEATS_REMEMBERED],
    acknowledged: u32,
    theirs: u32,
    theirs_at: Instant,
    /// When a word from here was last known to have come there, and the answer back.
    heard_at: Duration,
    /// Whether that was since it began to listen: how long the first round trip takes says nothing of later ones.
    has_heard: bool,
    gaps: Gaps,
    round_trip: Option<Duration>,
    pub(crate) doubt: Option<Doubt>,
    /// When to doubt again, after helpers said that they hear it.
    pub(crate) doubt_after: Duration,
    /// How often they have, since it was heard here.
    pub(crate) heard_elsewhere: u32,
}

impl Watch {
    pub(crate) fn new(now: Instant, listened: Duration) -> Self {
        Self {
            sent: 0,
            sent_at: [now; BEATS_REMEMBERED],
            acknowledged: 0,
            theirs: 0,
            theirs_at: now,
            heard_at: listened,
            has_heard: false,
            gaps: Gaps::new(BEAT_INTERVAL, listened),
            round_trip: None,
            doubt: None,
            doubt_after: Duration::ZERO,
            heard_elsewhere: 0,
        }
    }

    /// Listens from here on; what was before says nothing.
    pub(crate) fn begin(&mut self, listened: Duration) {
        (self.heard_at, self.has_heard) = (listened, false);
        self.doubt = None;
        self.heard_elsewhere = 0;
    }

    /// The number of the next beat, that of the last one that came, and how long ago that was.
    pub(crate) fn beat(&mut self, now: Instant) -> (u32, u32, Duration) {
        self.sent = self.sent.wrapping_add(1);
        self.sent_at[self.sent as usize % BEATS_REMEMBERED] = now;
        (self.sent, self.theirs, now - self.theirs_at)
    }

    /// A beat came. What counts is that it knows of one from here that was not known to have come: the way must work in
    /// both directions.
    pub(crate) fn on_beat(
        &mut self,
        number: u32,
        heard: u32,
        held: Duration,
        now: Instant,
        listened: Duration,
    ) {
        (self.theirs, self.theirs_at) = (number, now);
        let ago = self.sent.wrapping_sub(heard);
        let is_news = heard.wrapping_sub(self.acknowledged) <= self.sent.wrapping_sub(self.acknowledged)
            && heard != self.acknowledged;
        if !is_news {
            return;
        }
        self.acknowledged = heard;
        if std::mem::replace(&mut self.has_heard, true) {
            self.gaps.on_gap(listened.saturating_sub(self.heard_at), listened);
        }
        self.heard_at = listened;
        self.heard_elsewhere = 0;
        if (ago as usize) < BEATS_REMEMBERED {
            let sent_at = self.sent_at[heard as usize % BEATS_REMEMBERED];
            self.round_trip = Some((now - sent_at).saturating_sub(held));
        }
    }

    pub(crate) fn silence(&self, listened: Duration) -> Duration {
        listened.saturating_sub(self.heard_at)
    }

    /// How suspicious the silence is, but for so much of it.
    pub(crate) fn phi(&self, listened: Duration, allowance: Duration) -> f64 {
        self.gaps.phi(self.silence(listened).saturating_sub(allowance))
    }

    /// How much longer than others it has to refute a suspicion.
    pub(crate) fn slack(&self) -> Duration {
        self.gaps.slack()
    }

    pub(crate) fn round_trip(&self) -> Option<Duration> {
        self.round_trip
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn at(ms: u64) -> Instant {
        Instant::ZERO + Duration::from_millis(ms)
    }

    #[test]
    fn only_what_has_come_there_and_back_counts() {
        let mut watch = Watch::new(at(0), ms(0));
        assert_eq!(watch.beat(at(10)), (1, 0, ms(10)));
        watch.on_beat(5, 0, ms(0), at(300), ms(300));
        assert_eq!(watch.silence(ms(300)), ms(300), "it does not hear this node");
        watch.on_beat(6, 1, ms(100), at(330), ms(330));
        assert_eq!((watch.silence(ms(330)), watch.round_trip()), (ms(0), Some(ms(220))));
        watch.on_beat(7, 1, ms(350), at(580), ms(580));
        assert_eq!(watch.silence(ms(580)), ms(250), "it has heard nothing new");
        watch.on_beat(8, 2, ms(0), at(600), ms(600));
        assert_eq!(watch.silence(ms(600)), ms(270), "of one that was never sent");
        assert_eq!(watch.beat(at(700)), (2, 8, ms(100)));
    }
}
