//! An actor's phases and what it does next: decided here from one word, acted on
//! in `runtime/`. Pure; no clock, no lock, no task.
//!
//! ```text
//!  Unstarted ─► Starting ─► Running ──────────► Stopping ─► Stopped
//!                │   ▲          └─► Draining ────►│
//!                │   │ restart                    │
//!                ├─► Suspended ──── released ────►│
//!                └──── failed, killed ───────────►┘
//! ```
//!
//! Only a restartable actor is ever suspended: from any phase before Stopping, when its
//! life has ended.

#[cfg(test)]
mod tests;

use std::fmt;

/// Where an actor is in its life. It only ever moves forward, in this order, but for
/// one that is started again: that goes from wherever its life ended to `Suspended`, and
/// forward from there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// It exists; `pre_start` has not begun.
    Unstarted,
    /// Its life has ended and its supervisor may start another. Messages queue.
    Suspended,
    /// `pre_start` or `post_start` runs. Messages queue.
    Starting,
    /// It handles messages.
    Running,
    /// It handles what it had accepted, and accepts no more.
    Draining,
    /// It has given its names back and does not come again; `post_stop` may run.
    Stopping,
    /// It is gone, and so is its state.
    Stopped,
}

impl Status {
    /// Whether messages are accepted.
    pub fn admits(self) -> bool {
        self < Status::Draining
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// What the actor does before it looks again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// End now, wherever the hook in hand stands.
    Kill,
    /// End after the hook in hand.
    Stop,
    /// Handle one supervision event.
    Supervise,
    /// Handle one message, or wait for one.
    Receive,
}

/// What became of a suspended actor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It ends for good.
    End,
    /// It lives again.
    Restart,
}

/// A thing that was asked of an actor, or holds for it. Once set, the requests
/// stay set; `SUPERVISION` is cleared when no event is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Flag {
    /// It must end at once.
    Kill = 1 << 3,
    /// It must end after the hook in hand.
    Stop = 1 << 4,
    /// It must end after what it has accepted.
    Drain = 1 << 5,
    /// Supervision events wait.
    Supervision = 1 << 6,
    /// It is, or was, a member of a group.
    Grouped = 1 << 7,
    /// More is known of it than fits into the word: somebody waits, watches, or is
    /// linked, and has to be told of the end.
    Attended = 1 << 8,
    /// When its life has ended it may live again.
    Restartable = 1 << 12,
    /// It will not live again, whatever it is.
    Released = 1 << 13,
    /// Another life was asked for while it is suspended.
    Restart = 1 << 14,
    /// Its supervisor fails with it.
    Escalated = 1 << 15,
    /// Somebody is told what happens to it.
    Observed = 1 << 16,
    /// Its system knows of it, and must be told that it is gone.
    Counted = 1 << 17,
    /// Its messages carry the span that they were sent in.
    Traced = 1 << 18,
}

impl Flag {
    /// There is more to do about each message than to handle it.
    pub(crate) const FOLLOWED: u32 = Flag::Observed as u32 | Flag::Traced as u32;
}

/// How a life ended, where that is all there is to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Ending {
    /// It was asked to stop, without a reason.
    Stopped = 1 << 9,
    /// It was asked to drain.
    Drained = 2 << 9,
    /// It was killed.
    Killed = 3 << 9,
    /// Its task was dropped.
    Cancelled = 4 << 9,
}

/// Phase and flags of one actor in one word: whoever changes it knows exactly
/// what it was before.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Word(u32);

impl Word {
    const PHASE_MASK: u32 = 0b111;
    const ENDING_MASK: u32 = 0b111 << 9;
    pub(crate) const NEW: Word = Word(Status::Unstarted as u32);

    pub(crate) const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    pub(crate) const fn bits(self) -> u32 {
        self.0
    }

    pub(crate) const fn has(self, flag: Flag) -> bool {
        self.0 & flag as u32 != 0
    }

    /// The status that outsiders see. Draining is not a phase of its own but
    /// what a running actor is called that was asked to drain.
    pub(crate) const fn status(self) -> Status {
        match self.0 & Self::PHASE_MASK {
            0 => Status::Unstarted,
            1 => Status::Suspended,
            2 => Status::Starting,
            3 if self.has(Flag::Drain) => Status::Draining,
            3 | 4 => Status::Running,
            5 => Status::Stopping,
            _ => Status::Stopped,
        }
    }

    /// Whether one of these flags is set.
    pub(crate) const fn has_any(self, flags: u32) -> bool {
        self.0 & flags != 0
    }

    /// How it ended, if that is known and no more is to be said about it.
    pub(crate) const fn ending(self) -> Option<Ending> {
        const STOPPED: u32 = Ending::Stopped as u32;
        const DRAINED: u32 = Ending::Drained as u32;
        const KILLED: u32 = Ending::Killed as u32;
        const CANCELLED: u32 = Ending::Cancelled as u32;
        match self.0 & Self::ENDING_MASK {
            STOPPED => Some(Ending::Stopped),
            DRAINED => Some(Ending::Drained),
            KILLED => Some(Ending::Killed),
            CANCELLED => Some(Ending::Cancelled),
            _ => None,
        }
    }

    /// Whether a message may still be accepted.
    pub(crate) fn admits(self) -> bool {
        !self.has(Flag::Drain) && self.status().admits()
    }

    /// Kill before stop, stop before supervision, supervision before messages.
    pub(crate) const fn next_turn(self) -> Turn {
        const NOT_MESSAGES: u32 = Flag::Kill as u32 | Flag::Stop as u32 | Flag::Supervision as u32;
        if !self.has_any(NOT_MESSAGES) {
            // Almost always: one look tells.
            Turn::Receive
        } else if self.has(Flag::Kill) {
            Turn::Kill
        } else if self.has(Flag::Stop) {
            Turn::Stop
        } else {
            Turn::Supervise
        }
    }

    /// The word in a later phase; `None` if it is there already or beyond.
    pub(crate) fn advanced_to(self, status: Status) -> Option<Word> {
        let phase = self.0 & Self::PHASE_MASK;
        (phase < status as u32).then_some(self.at(status))
    }

    /// Whether it lives again, if its supervisor wishes, when its life has ended.
    pub(crate) const fn may_live_again(self) -> bool {
        self.has(Flag::Restartable) && !self.has(Flag::Released)
    }

    /// The word when a life has ended and another may follow, `None` if none may. What was
    /// asked of that life is done with; what is asked from now on is asked of the next.
    pub(crate) fn suspended(self) -> Option<Word> {
        const ASKED: u32 = Flag::Kill as u32 | Flag::Stop as u32 | Flag::Drain as u32 | Flag::Restart as u32;
        let is_over = self.status() >= Status::Stopping;
        (self.may_live_again() && !is_over).then_some(Word(self.at(Status::Suspended).0 & !ASKED))
    }

    /// What was decided about a suspended actor, if something was.
    pub(crate) const fn verdict(self) -> Option<Verdict> {
        if self.has(Flag::Released) {
            Some(Verdict::End)
        } else if self.has(Flag::Restart) {
            Some(Verdict::Restart)
        } else {
            None
        }
    }

    fn at(self, status: Status) -> Word {
        Word((self.0 & !Self::PHASE_MASK) | status as u32)
    }
}

impl fmt::Debug for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Word({}, {:#b})", self.status(), self.0 & !Self::PHASE_MASK)
    }
}
