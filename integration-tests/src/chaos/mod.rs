//! Calls among processes that are killed, frozen and cut off, and the proof that each got what its outcome says.
//!
//! ```text
//!  run ── seed ─► faults: crash, freeze, block  ─► five processes: node.rs
//!   │                                                  │ caller.rs ── calls ─► worker.rs, on another node
//!   │                                                  ▼                           ▼
//!   │                                  calls-N-LIFE.log: begun, outcome     ran-N-LIFE.log: what it ran
//!   └── afterwards ─► check.rs reads all of it ◄───────┴───────────────────────────┘
//!                     demand.rs: was there enough of it?
//! ```
//!
//! A worker writes a call down before it answers, and a caller that a call begins before it makes it; each by a write of its own to the
//! system, which keeps what a process has written that is killed.

pub mod caller;
pub mod check;
pub mod demand;
pub mod faults;
pub mod journal;
pub mod node;
pub mod run;
pub mod worker;

/// What is done wrong on purpose, so that the check is seen to find it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Flaw {
    /// Nothing.
    #[default]
    None,
    /// A worker runs some calls twice.
    Twice,
    /// A worker answers some calls that it does not run.
    Skips,
    /// A caller says of some calls that they were not sent, and they were.
    Denies,
    /// A caller does not note what became of some calls.
    Forgets,
    /// A worker answers no call at all.
    Mute,
}

impl Flaw {
    /// All of them.
    pub const ALL: [Flaw; 6] =
        [Flaw::None, Flaw::Twice, Flaw::Skips, Flaw::Denies, Flaw::Forgets, Flaw::Mute];

    /// The word for it on a command line.
    pub fn word(self) -> &'static str {
        match self {
            Flaw::None => "none",
            Flaw::Twice => "twice",
            Flaw::Skips => "skips",
            Flaw::Denies => "denies",
            Flaw::Forgets => "forgets",
            Flaw::Mute => "mute",
        }
    }

    /// The one of this word.
    pub fn named(word: &str) -> Option<Flaw> {
        Self::ALL.into_iter().find(|flaw| flaw.word() == word)
    }

    /// Whether it is this one's turn: one call in a thousand, and of the mute every one.
    pub fn strikes(self, flaw: Flaw, call: u64) -> bool {
        self == flaw && (self == Flaw::Mute || scrambled(call).is_multiple_of(1000))
    }
}

/// Numbers that look like chance and follow from a seed: SplitMix64, of Steele, Lea and Flood.
#[derive(Clone, Debug)]
pub struct Chance(u64);

impl Chance {
    /// Those of this seed.
    pub fn seeded(seed: u64) -> Self {
        Self(seed)
    }

    /// The next, from 0 to one less than this.
    pub fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        scrambled(self.0) % end.max(1)
    }

    /// The next, as a place among so many.
    pub fn place(&mut self, count: usize) -> usize {
        usize::try_from(self.below(count as u64)).unwrap_or_default()
    }

    /// The next, from the one to the other.
    pub fn between(&mut self, least: u64, most: u64) -> u64 {
        least + self.below(most - least + 1)
    }
}

fn scrambled(number: u64) -> u64 {
    let mut mixed = number;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
