//! What must always be so in a cluster, whatever its network does: one property in each file, checked against what happens, as it
//! happens.
//!
//! ```text
//!  each step ──► Event, SessionSide ──► Invariant::observe, Invariant::audit ──┐
//!  the end ────► End ─────────────────► Invariant::at_end ─────────────────────┴──► Ok(how often it was checked), or a Violation
//! ```
//!
//! An invariant is a plain machine: it knows the history of the cluster and no part of the cluster itself, so a test hands it a history of its
//! own. What tests' actors do not [tell](super::history::What) is not checked.

mod apart;
mod call_answered;
mod checker;
mod credit;
mod fifo;
mod ledger;
mod lives;
mod lookup;
mod member_loss;
mod member_views;
mod name_owner;
mod nothing_lost;
mod sequences;
mod session_loss;
mod sides;
mod trouble;
mod watch_once;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use actor_cluster::{Incarnation, SessionAudit};
use actor_core::{ActorId, Instant};

pub use self::apart::ConnectedAgain;
pub use self::call_answered::CallsAnswered;
pub(super) use self::checker::Checker;
pub use self::checker::Count;
pub use self::credit::Credit;
pub use self::fifo::Fifo;
pub use self::ledger::Ledger;
pub use self::lookup::NamesWithdrawn;
pub use self::member_loss::MembersTrusted;
pub use self::member_views::MembersConverge;
pub use self::name_owner::OneOwner;
pub use self::nothing_lost::NothingLost;
pub use self::sequences::Sequences;
pub use self::session_loss::LossExplained;
pub use self::watch_once::WatchOnce;
use super::history::{Event, What};

/// One property of a cluster.
pub trait Invariant: Send {
    /// What it says, in a few words: reports name it by them.
    fn name(&self) -> &'static str;

    /// Something has happened.
    ///
    /// # Errors
    ///
    /// If that must not be.
    fn observe(&mut self, event: &Event) -> Checked;

    /// The numbers of one side of a session have changed.
    ///
    /// # Errors
    ///
    /// If they must not be these.
    #[doc(hidden)]
    fn audit(&mut self, side: &SessionSide) -> Checked {
        let _ = side;
        Ok(0)
    }

    /// A node's side of a session is over, and is looked at no more.
    #[doc(hidden)]
    fn audit_over(&mut self, session: u64, node: usize) {
        let _ = (session, node);
    }

    /// The faults were mended, the nodes had time to find each other again, and nobody does anything more.
    ///
    /// # Errors
    ///
    /// If something is missing that must have happened by then.
    fn at_end(&mut self, end: &End) -> Checked {
        let _ = end;
        Ok(0)
    }
}

/// How often the property was looked at by this; 0 if it was not about it.
pub type Checked = Result<u64, Violation>;

/// What is wrong, and what it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    text: String,
    about: Option<About>,
}

impl Violation {
    /// What is wrong, in words.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), about: None }
    }

    /// What of the history explains it.
    pub fn about(mut self, about: About) -> Self {
        self.about = Some(about);
        self
    }

    pub(super) fn is_shown_by(&self, event: &Event) -> bool {
        matches!(event.what, What::Fault(_)) || self.about.as_ref().is_some_and(|about| about.is_in(event))
    }

    pub(super) fn says_what_about(&self) -> bool {
        self.about.is_some()
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// What of a history is worth showing.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum About {
    /// A call.
    Call(u64),
    /// The messages of one sender.
    Sender(u64),
    /// A watch.
    Watch(u64),
    /// A name.
    Name(Arc<str>),
    /// An actor.
    Actor(ActorId),
    /// What a node tells of itself.
    Node(usize),
    /// Notes that have this in them.
    Note(String),
}

impl About {
    fn is_in(&self, event: &Event) -> bool {
        match (&event.what, self) {
            (
                What::CallBegun { call, .. } | What::CallRan { call } | What::CallEnded { call, .. },
                Self::Call(this),
            ) => call == this,
            (What::Sent { from, .. } | What::Received { from, .. }, Self::Sender(this)) => from == this,
            (What::WatchBegun { watch, .. } | What::WatchFired { watch }, Self::Watch(this)) => watch == this,
            (
                What::NameTaken { name, .. } | What::NameLost { name, .. } | What::NameFound { name, .. },
                Self::Name(this),
            ) => name == this,
            (
                What::NameTaken { actor, .. }
                | What::NameLost { actor, .. }
                | What::NameFound { actor, .. }
                | What::WatchBegun { actor, .. }
                | What::ActorEnded { actor }
                | What::CallBegun { to: actor, .. },
                Self::Actor(this),
            ) => actor == this,
            (
                What::Node(_) | What::Member(_) | What::Started { .. } | What::Crashed { .. },
                Self::Node(this),
            ) => event.node == Some(*this),
            (What::Note(note), Self::Note(this)) => note.contains(this),
            _ => false,
        }
    }
}

/// One side of a session, as it is now.
#[doc(hidden)]
#[derive(Clone, Debug)]
pub struct SessionSide {
    /// Whose side it is.
    pub node: usize,
    /// Its numbers.
    pub audit: SessionAudit,
}

/// How it is in the end.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct End {
    /// When it is, in virtual time.
    pub at: Instant,
    /// Pairs of nodes that are there, and have no session with each other.
    pub apart: Vec<(usize, usize)>,
    /// Whom each node that is there takes for a member.
    pub members: Vec<View>,
}

/// Whom a node takes for a member.
#[derive(Clone, Debug)]
pub struct View {
    /// The node.
    pub node: usize,
    /// Which of its lives it has.
    pub life: Incarnation,
    /// The lives that it takes for members, without its own.
    pub sees: BTreeSet<Incarnation>,
}

impl End {
    /// All are connected.
    pub fn new(at: Instant) -> Self {
        Self { at, apart: Vec::new(), members: Vec::new() }
    }
}

/// All that this crate knows of.
pub fn all() -> Vec<Box<dyn Invariant>> {
    vec![
        Box::<Fifo>::default(),
        Box::<NothingLost>::default(),
        Box::<CallsAnswered>::default(),
        Box::<Ledger>::default(),
        Box::<WatchOnce>::default(),
        Box::<OneOwner>::default(),
        Box::<NamesWithdrawn>::default(),
        Box::<Credit>::default(),
        Box::<Sequences>::default(),
        Box::<LossExplained>::default(),
        Box::<ConnectedAgain>::default(),
        Box::<MembersTrusted>::default(),
        Box::<MembersConverge>::default(),
    ]
}
