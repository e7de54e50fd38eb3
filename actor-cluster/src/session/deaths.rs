//! Casts that die, as the two sides tell each other of them.
//!
//! ```text
//!  a cast of the peer's that no actor takes ──► Deaths ── every DEATHS_INTERVAL ──► Died
//!  Died ──► judged: no more than were sent ──► Event::Died ◄── what is not acknowledged at the end
//! ```
//!
//! Those of one kind are counted together, and there are [`DEATHS_KEPT_MAX`] kinds at a time, so a
//! flood of dead casts costs neither memory nor the control lane's time.

use std::collections::BTreeMap;
use std::sync::Arc;

use actor_core::{DeadReason, Instant};

use super::lane::{Lane, MessageLane};
use super::types::Shape;
use super::{Event, Session, codes};
use crate::limits::{DEATHS_BACKLOG_BYTES_MAX, DEATHS_INTERVAL, DEATHS_KEPT_MAX, DEATHS_PER_FRAME};
use crate::wire::control::{Body, DeathSaid, Died};
use crate::wire::{TypeTag, VariantTag};

/// The number of no actor: what is said of it is of many.
const MANY: u64 = 0;

/// Casts of one kind that have died.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Death {
    /// For whom they were, at the node that they were sent to, and what they were; `None` for many
    /// of which only the number is known.
    pub(crate) kind: Option<(u64, Shape)>,
    pub(crate) reason: DeadReason,
    /// What there is to say beside the reason, of one of them.
    pub(crate) detail: Option<Arc<str>>,
    pub(crate) count: u64,
}

/// Casts of the peer's that have died here, and of which it was not told yet.
#[derive(Debug, Default)]
pub(super) struct Deaths {
    kept: BTreeMap<(u64, Shape, u32), Kept>,
    /// How many more, of which nothing else is kept.
    others: u64,
    tell_at: Option<Instant>,
}

#[derive(Debug)]
struct Kept {
    count: u64,
    detail: Option<Arc<str>>,
}

impl Deaths {
    /// When the peer is to be told.
    pub(super) fn tell_at(&self) -> Instant {
        self.tell_at.unwrap_or(Instant::FAR)
    }

    fn note(&mut self, actor: u64, shape: Shape, reason: DeadReason, detail: Option<Arc<str>>) {
        let kind = (actor, shape, codes::of_death(reason));
        let has_place = self.kept.len() < DEATHS_KEPT_MAX;
        match self.kept.get_mut(&kind) {
            // A peer may cast to actor 0, which is nobody. An entry about it would say many.
            _ if actor == MANY => self.others += 1,
            Some(kept) => kept.count += 1,
            None if has_place => drop(self.kept.insert(kind, Kept { count: 1, detail })),
            None => self.others += 1,
        }
    }

    fn is_empty(&self) -> bool {
        self.kept.is_empty() && self.others == 0
    }

    /// As much as one frame tells.
    fn take_frame(&mut self) -> Died {
        let kinds = std::iter::from_fn(|| self.kept.pop_first());
        let entries = kinds.take(DEATHS_PER_FRAME).map(|((actor, shape, reason), kept)| DeathSaid {
            actor,
            message: shape.message.as_u64(),
            variant: shape.variant.as_u64(),
            reason,
            count: kept.count,
            text: kept.detail.map(|detail| codes::cut(&detail).to_owned()),
        });
        let mut entries: Vec<_> = entries.collect();
        if self.others > 0 && entries.len() < DEATHS_PER_FRAME {
            let count = std::mem::take(&mut self.others);
            entries.push(DeathSaid { actor: MANY, count, ..DeathSaid::default() });
        }
        Died { entries }
    }
}

impl Session {
    /// A cast of the peer's has died here. The peer is told if it wants to be.
    pub(crate) fn died(
        &mut self,
        now: Instant,
        actor: u64,
        shape: Shape,
        reason: DeadReason,
        detail: Option<Arc<str>>,
    ) {
        if self.peer.wants_dead_letters && self.ended().is_none() {
            self.deaths.note(actor, shape, reason, detail);
            self.deaths.tell_at.get_or_insert(now + DEATHS_INTERVAL);
        }
    }

    /// Tells the peer, if it is time, as far as one frame goes and the peer reads.
    pub(super) fn check_deaths(&mut self, now: Instant) {
        if self.deaths.tell_at() > now {
            return;
        }
        let is_read = self.control.out.kept_bytes() <= DEATHS_BACKLOG_BYTES_MAX as u64;
        if self.control.stream().is_some() && is_read {
            self.tell_deaths();
        }
        self.deaths.tell_at = (!self.deaths.is_empty()).then(|| now + DEATHS_INTERVAL);
    }

    /// Tells the peer the rest, before a goodbye.
    pub(super) fn tell_all_deaths(&mut self) {
        while !self.deaths.is_empty() {
            self.tell_deaths();
        }
        self.deaths.tell_at = None;
    }

    fn tell_deaths(&mut self) {
        // Ahead of it on its stream: what has died is not taken for lost as well.
        self.owes_ack = true;
        let died = self.deaths.take_frame();
        self.send_control(Body::Died(died));
    }

    /// Casts of this side's have died at the peer's.
    pub(super) fn on_died(&mut self, died: Died) -> Result<(), String> {
        if !self.config.wants_dead_letters {
            return Err("dead casts that nobody asked about".to_owned());
        }
        if died.entries.len() > DEATHS_PER_FRAME {
            return Err("too many dead casts at once".to_owned());
        }
        let deaths = died.entries.into_iter().map(|said| self.judge_death(said));
        let deaths = deaths.collect::<Result<Vec<_>, _>>()?;
        for death in &deaths {
            let left = self.casts_sent.checked_sub(death.count);
            self.casts_sent = left.ok_or("more dead casts than were sent")?;
        }
        if !deaths.is_empty() {
            self.events.push_back(Event::Died(deaths));
        }
        Ok(())
    }

    fn judge_death(&self, said: DeathSaid) -> Result<Death, String> {
        let shape =
            Shape { message: TypeTag::from_u64(said.message), variant: VariantTag::from_u64(said.variant) };
        if said.count == 0 {
            return Err("none of a kind of dead casts".to_owned());
        }
        let is_known = || self.messages.iter().any(|lane| lane.has_defined(shape));
        if said.actor != MANY && !is_known() {
            return Err("dead casts of a type that was not sent".to_owned());
        }
        Ok(Death {
            kind: (said.actor != MANY).then_some((said.actor, shape)),
            reason: codes::to_death(said.reason),
            detail: said.text.map(|text| codes::cut(&text).into()),
            count: said.count,
        })
    }

    /// The session ends: nobody knows what has become of the casts that are kept in such lanes.
    pub(super) fn report_unacknowledged(&mut self, is_lost: impl Fn(&Lane) -> bool) {
        let mut kinds: BTreeMap<(u64, Shape), u64> = BTreeMap::new();
        let lost = self.messages.iter().filter(|lane| is_lost(&lane.lane));
        for (shape, actor) in lost.flat_map(MessageLane::kept_casts) {
            *kinds.entry((actor, shape)).or_default() += 1;
        }
        let deaths = kinds.into_iter().map(|(kind, count)| Death {
            kind: Some(kind),
            reason: DeadReason::Unacknowledged,
            detail: None,
            count,
        });
        let deaths: Vec<_> = deaths.collect();
        if !deaths.is_empty() {
            self.events.push_back(Event::Died(deaths));
        }
    }
}
