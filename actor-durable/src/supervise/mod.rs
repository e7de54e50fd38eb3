//! Supervision that survives the process: supervisors are durable actors, and so are their children.
//!
//! ```text
//!   a child                                    its supervisor
//!   a handler panics, a hook fails,
//!   its state cannot be read:
//!   one turn { stage: reported, ──── report ──► one turn { one decision, counters,
//!              the report }         (outbox)               the active set, orders }
//!   one turn { the next life, ◄───── order ────┘
//!              a fresh state or the kept one }
//! ```
//!
//! Each arrow is a message from an outbox, and each box a turn, which is stored as a whole. So whichever process ends in between, a
//! failure leads to one decision, and a decision is carried out once. The supervisor is event-sourced: its journal is the list of
//! its decisions, which are replayed and not made again.
//!
//! | | of a child |
//! |---|---|
//! | [`Directive::Restart`] | a fresh state from `create`; inbox, outbox, reminders and memory of handled messages are kept |
//! | [`Directive::Resume`] | the state after its last turn |
//! | [`Directive::Stop`] | handles nothing until it is started; its messages wait, and its memory is given back as that of other idle actors |
//! | [`Directive::Escalate`] | the supervisor's children are stopped, and it fails itself, once |
//!
//! A supervised actor that has failed handles nothing until its supervisor says so: calls fail with
//! [`NotApplied::Suspended`](crate::NotApplied::Suspended), and its inbox waits. Attempts at the message that it panicked on are
//! counted as always, and the message is given up in the end; only the first of them counts towards the intensity, so that one
//! poisonous message does not use it up.
//! When a child calls [`Turn::end`](crate::Turn::end), its supervisor decides: a permanent one is restarted instead, as in Erlang.
//!
//! Unlike plain children, durable ones do not stop together. Under [`OneForAll`](actor_core::Strategy::OneForAll) and
//! [`RestForOne`](actor_core::Strategy::RestForOne) one decision restarts several children, each when the order reaches it; until
//! then it goes on. Unless it is suspended, a child handles the messages in its inbox that came before the order first.
//!
//! An order that can never arrive, because the child has ended for good or is of another type, is given up like any message, and the
//! supervisor is told that the child cannot be activated. It decides upon that as upon any failure, but nothing that it says starts
//! such a child: where it would restart or resume it, it stops it. When a supervisor is stopped or ended, its recorded children are
//! stopped in the same turn, even if its own state cannot be read.
//!
//! An actor that exists already becomes a child by [`SupervisorCommand::SpawnChild`] too; if it cannot be activated, its new
//! supervisor is told so. It has one supervisor at a time: another one that wants it is told that it cannot be activated, which counts
//! as an order that can never arrive, and if it is a supervisor it does nothing to its children for that one. Once its supervisor has ended or was deleted, even if another one has
//! its id since, it becomes the child of the next one that wants it, and goes on with the state it has. A supervisor that becomes a
//! child so, or is let go, starts the children that were stopped with it.
//!
//! Deleting a child tells its supervisor nothing: remove it first. If it exists again meanwhile, it has no supervisor until its
//! former one says that it is to start or to stop; then it is that one's child again. An order by which an actor would become a child
//! counts no more if its supervisor was deleted before it is read, even if another one has its id since.
//!
//! When a supervisor is activated its recorded children are activated too, as those of any durable actor. The supervisor at the
//! top is nobody's child: send it something when a process starts, such as [`SupervisorCommand::Begin`]. If it gives up, its
//! children stay stopped until somebody sends [`SupervisorCommand::BeginAgain`], and its tree says so. No supervisor is to be below
//! itself: what starts it again then goes around [`SUPERVISION_DEPTH_MAX`](crate::limits::SUPERVISION_DEPTH_MAX) times.

mod actor;
mod order;
mod spec;
mod tree;

pub use self::actor::{DurableSupervisor, SupervisorCommand, SupervisorReply};
pub use self::order::Report;
pub(crate) use self::order::{Giver, Order, Stage, Standing, What};
pub use self::spec::{ChildSpec, Directive, Failure, OnFailure, SupervisorSpec};
pub use self::tree::{
    ChildStage, SupervisedChild, SupervisorDecision, SupervisorEvent, SupervisorRefusal, SupervisorTree,
};
