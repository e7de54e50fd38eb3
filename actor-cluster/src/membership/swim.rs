//! foca, driven: who is a member, and how all come to know it.
//!
//! After Das, Gupta and Motivala, "SWIM: Scalable Weakly-consistent Infection-style Process Group Membership" (2002). foca decides what
//! wins over what, disseminates it, probes at random and through others, and refutes. The detector that is quick stands beside it, in
//! `doubt.rs`, and applies what it finds as an update.

use std::collections::BTreeMap;
use std::num::{NonZeroU8, NonZeroUsize};
use std::time::Duration;

use foca::{Config, Foca, Member, NoCustomBroadcast, Notification, PeriodicParams, Runtime, State, Timer};

use super::codec::{Codec, Malformed, Packet};
use super::dice::Dice;
use super::identity::Identity;
use crate::id::NodeId;
use crate::limits::{MEMBERSHIP_PACKET_BYTES_MAX, SUSPICION_TIMEOUT};

/// So often has a member refuted suspicions that has left: nobody else comes so far. It tells those who hear of it by gossip that nothing is
/// wrong.
pub(crate) const LEFT: u16 = u16::MAX;

/// How many members a change is told to by each that hears of it: foca's own measure for a thousand.
const TRANSMISSIONS: NonZeroU8 = NonZeroU8::new(12).unwrap();

/// How long after its time to refute is over, and it is awaited, it is looked at again.
const AWAITED_AGAIN: Duration = Duration::from_millis(500);

/// How many others are asked to probe a member that does not answer, and how many are told of changes at a time.
const FAN_OUT: NonZeroUsize = NonZeroUsize::new(3).unwrap();

fn config(patience: Duration, multiplier: u32) -> Config {
    Config {
        probe_period: Duration::from_secs(1),
        probe_rtt: Duration::from_millis(400),
        num_indirect_probes: FAN_OUT,
        max_transmissions: TRANSMISSIONS,
        suspect_to_down_after: patience.saturating_mul(multiplier),
        // The machine itself forgets who is down: foca would keep a timer for each time that somebody is.
        remove_down_after: None,
        max_packet_size: NonZeroUsize::new(MEMBERSHIP_PACKET_BYTES_MAX).unwrap(),
        notify_down_members: true,
        periodic_announce: Some(PeriodicParams {
            frequency: Duration::from_secs(10),
            num_members: NonZeroUsize::new(1).unwrap(),
        }),
        periodic_announce_to_down_members: None,
        periodic_gossip: Some(PeriodicParams { frequency: Duration::from_millis(250), num_members: FAN_OUT }),
    }
}

pub(crate) struct Swim {
    foca: Foca<Identity, Codec, Dice, NoCustomBroadcast>,
    out: Out,
    /// By when they are due, and the order in which they were asked for.
    timers: BTreeMap<(Duration, u64), Timer<Identity>>,
    timers_made: u64,
    /// How long a suspected member has to refute it, where this node does well.
    patience: Duration,
    multiplier: u32,
    /// What other lives of foca draw theirs from.
    dice: Dice,
    /// How often this identity of ours has refuted a suspicion, as foca said last.
    refutations: u16,
}

/// What foca wants done.
#[derive(Default)]
struct Out {
    packets: Vec<(Identity, Vec<u8>)>,
    timers: Vec<(Duration, Timer<Identity>)>,
    has_changed: bool,
    is_defunct: bool,
}

impl Runtime<Identity> for &mut Out {
    fn notify(&mut self, notification: Notification<'_, Identity>) {
        self.has_changed = true;
        self.is_defunct |= matches!(notification, Notification::Defunct);
    }

    fn send_to(&mut self, to: Identity, data: &[u8]) {
        self.packets.push((to, data.to_vec()));
    }

    fn submit_after(&mut self, event: Timer<Identity>, after: Duration) {
        self.timers.push((after, event));
    }
}

impl Swim {
    /// A member that the detector waits longer for, foca waits for as long.
    pub(crate) fn new(identity: Identity, suspicion_window: Duration, mut dice: Dice) -> Self {
        let patience = SUSPICION_TIMEOUT.max(suspicion_window);
        Self {
            foca: Foca::new(identity, config(patience, 1), Dice::new(dice.roll()), Codec),
            out: Out::default(),
            timers: BTreeMap::new(),
            timers_made: 0,
            patience,
            multiplier: 1,
            dice,
            refutations: 0,
        }
    }

    pub(crate) fn identity(&self) -> Identity {
        *self.foca.identity()
    }

    /// Everybody that is known, those who are down among them.
    pub(crate) fn all(&self) -> impl ExactSizeIterator<Item = &Member<Identity>> {
        self.foca.iter_membership_state()
    }

    /// What is known of a node, if anything is.
    pub(crate) fn find(&self, node: NodeId) -> Option<Identity> {
        self.all().map(|member| *member.id()).find(|identity| identity.node == node)
    }

    /// How many changes wait to be told to others.
    pub(crate) fn backlog(&self) -> usize {
        self.foca.updates_backlog()
    }

    /// How patient to be with who is suspected.
    pub(crate) fn set_multiplier(&mut self, multiplier: u32) {
        if self.multiplier != multiplier {
            self.multiplier = multiplier;
            // Only what may change while it runs is another.
            drop(self.foca.set_config(config(self.patience, multiplier)));
        }
    }

    /// A packet came, whose members may be heard of.
    pub(crate) fn handle_packet(&mut self, packet: &Packet, now: Duration) -> Result<(), Malformed> {
        let bytes = packet.encode()?;
        // Members without news change nothing but what the sender says of itself.
        self.out.has_changed |= !packet.members.is_empty() || packet.header.src_incarnation > 0;
        // A packet that foca refuses is of a node that is confused, and changes nothing.
        drop(self.foca.handle_data(&bytes, &mut self.out));
        self.settle(now);
        Ok(())
    }

    /// Asks a node to be let in.
    pub(crate) fn announce(&mut self, to: Identity, now: Duration) {
        drop(self.foca.announce(to, &mut self.out));
        self.settle(now);
    }

    /// Takes what was found out of a member, and tells others in time.
    pub(crate) fn apply(&mut self, member: Member<Identity>, now: Duration) {
        self.out.has_changed = true;
        drop(self.foca.apply_many(std::iter::once(member), true, &mut self.out));
        self.settle(now);
    }

    /// Forgets that a member has ever been there, and tells nobody. foca may be probing it, and would bring it back: so another foca goes on
    /// with what this one knows of all others.
    pub(crate) fn give_up(&mut self, identity: Identity, now: Duration) {
        let others = self.all().filter(|member| *member.id() != identity).cloned().collect();
        self.begin(self.identity(), others, now);
    }

    /// Takes a member out, and tells nobody. A probe of it that is under way may bring it back; all others stay as they are, and what is
    /// told of them.
    pub(crate) fn take_out(&mut self, identity: Identity, now: Duration) {
        let member = Member::new(identity, LEFT, State::Down);
        self.out.has_changed = true;
        drop(self.foca.apply_many(std::iter::once(member), false, &mut self.out));
        self.forget(identity);
        self.settle(now);
    }

    /// Forgets who is down.
    pub(crate) fn forget(&mut self, identity: Identity) {
        drop(self.foca.handle_timer(Timer::RemoveDown(identity), &mut self.out));
    }

    /// Begins the next term, beyond the greatest that anybody spoke of, after it was declared down. What it has found out about others in
    /// the meantime it may have been alone with: it takes along whom it has for members, and tells nobody that somebody is down.
    pub(crate) fn rejoin(&mut self, greatest_term: u32, now: Duration) {
        let identity = self.identity();
        let next = Identity { term: identity.term.max(greatest_term).saturating_add(1), ..identity };
        let members = self.foca.iter_members().cloned().collect();
        self.begin(next, members, now);
        drop(self.foca.gossip(&mut self.out));
        self.settle(now);
    }

    /// Nobody is left: what it has found out about others it has found out alone, and tells nobody. Who has left has said so.
    pub(crate) fn begin_alone(&mut self, now: Duration) {
        let has_left =
            |member: &&Member<Identity>| member.state() == State::Down && member.incarnation() == LEFT;
        let left = self.all().filter(has_left).cloned().collect();
        self.begin(self.identity(), left, now);
    }

    /// Begins with what is known of others. Whoever suspects this node says so again, and it refutes that again.
    fn begin(&mut self, identity: Identity, others: Vec<Member<Identity>>, now: Duration) {
        let config = config(self.patience, self.multiplier);
        self.foca = Foca::new(identity, config, Dice::new(self.dice.roll()), Codec);
        self.timers.clear();
        drop(self.foca.apply_many(others.into_iter(), false, &mut self.out));
        self.refutations = 0;
        self.out.has_changed = true;
        self.settle(now);
    }

    /// Does what is due. Whether a member may be awaited longer is the caller's to say: then its time to refute goes on.
    pub(crate) fn handle_timers(&mut self, now: Duration, is_awaited: impl Fn(&Identity) -> bool) {
        while let Some(entry) = self.timers.first_entry() {
            if entry.key().0 > now {
                break;
            }
            let timer = entry.remove();
            if self.is_refuted(&timer) {
                continue;
            }
            if let Timer::ChangeSuspectToDown { member_id, .. } = &timer
                && is_awaited(member_id)
            {
                self.arm(now + AWAITED_AGAIN, timer);
                continue;
            }
            // These decide who is suspect or down.
            self.out.has_changed |=
                matches!(timer, Timer::ProbeRandomMember(_) | Timer::ChangeSuspectToDown { .. });
            drop(self.foca.handle_timer(timer, &mut self.out));
            self.settle(now);
        }
    }

    /// Whether a suspicion is over whose time to refute is. foca 2.0.0 would leave the member as it is, and tell it that it is down.
    fn is_refuted(&self, timer: &Timer<Identity>) -> bool {
        let Timer::ChangeSuspectToDown { member_id, incarnation, .. } = timer else { return false };
        let suspect = Member::new(*member_id, *incarnation, State::Suspect);
        !self.all().any(|member| *member == suspect)
    }

    fn settle(&mut self, now: Duration) {
        for (after, timer) in std::mem::take(&mut self.out.timers) {
            self.arm(now.saturating_add(after), timer);
        }
        if let Some((_, packet)) = self.out.packets.last()
            && let Some(refutations) = packet.get(Identity::BYTES..Identity::BYTES + 2)
        {
            self.refutations = u16::from_le_bytes([refutations[0], refutations[1]]);
        }
    }

    fn arm(&mut self, due: Duration, timer: Timer<Identity>) {
        self.timers_made += 1;
        self.timers.insert((due, self.timers_made), timer);
    }

    pub(crate) fn refutations(&self) -> u16 {
        self.refutations
    }

    /// What is to be sent, and to whom.
    pub(crate) fn take_packets(&mut self) -> Vec<(Identity, Vec<u8>)> {
        std::mem::take(&mut self.out.packets)
    }

    pub(crate) fn has_packets(&self) -> bool {
        !self.out.packets.is_empty()
    }

    /// Whether members may be others, or in other states, than when this was asked last.
    pub(crate) fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.out.has_changed)
    }

    /// Whether the others have declared this node down, or it has left.
    pub(crate) fn take_defunct(&mut self) -> bool {
        std::mem::take(&mut self.out.is_defunct)
    }

    #[cfg(test)]
    pub(crate) fn timers(&self) -> usize {
        self.timers.len()
    }
}
