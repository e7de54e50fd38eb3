//! Supervision that survives the process: a supervisor that is a durable actor, whose children are durable actors.
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
//! Each arrow is a message of an outbox, each box a turn that is stored as one: whatever process ends between, a failure leads to
//! one decision, and a decision is carried out once. The supervisor is event-sourced: its journal is the list of its decisions,
//! and a decision is replayed as it was made, not made again. What it keeps is small, so its state beside the events comes
//! seldom.
//!
//! | | of a child |
//! |---|---|
//! | [`Directive::Restart`] | state as `create` makes it; inbox, memory of messages, outbox and reminders stay |
//! | [`Directive::Resume`] | state as after its last turn |
//! | [`Directive::Stop`] | out of memory until somebody starts it; its messages wait |
//! | [`Directive::Escalate`] | the supervisor's children are stopped, and it fails itself, once |
//!
//! A durable actor under a supervisor that has failed takes nothing until it is told: whoever calls is told
//! [`NotApplied::Suspended`](crate::NotApplied::Suspended), and what lies in its inbox waits. The message that it panicked on
//! counts attempts as ever, and is given up in the end, so one poisonous message does not use up the intensity for good.
//! [`Turn::end`](crate::Turn::end) of a child says that it wants to end: a permanent one begins afresh instead, as in Erlang.
//!
//! Unlike plain children, durable ones have no turns in common: under [`OneForAll`](actor_core::Strategy::OneForAll) and
//! [`RestForOne`](actor_core::Strategy::RestForOne) one decision restarts all it concerns, each when the order reaches it, and
//! until then it goes on. A child hears an order after the messages that lie in its inbox before it, unless it is suspended.
//!
//! An order that can never arrive, as the child has ended or is of another type, is given up as any message is, and the supervisor
//! is told that the child cannot be activated: it decides upon that as upon any failure. A supervisor that is stopped or ended has its
//! recorded children stopped in the same turn, though it cannot read its own state; those of one that has ended wait for good.
//!
//! A supervisor that begins to be active has its recorded children activated, as any durable actor has: a child is there once,
//! whoever else asks for it. The supervisor at the top is not anybody's child: whoever starts a process asks it something, such as
//! [`SupervisorCommand::Begin`]. Without a supervisor above, one that gives up keeps its children stopped, and says so in its
//! tree.

mod actor;
mod order;
mod spec;
mod tree;

pub use self::actor::{DurableSupervisor, SupervisorCommand, SupervisorReply};
pub use self::order::Report;
pub(crate) use self::order::{Order, Stage, Standing, What, is_reserved};
pub use self::spec::{ChildSpec, Directive, Failure, OnFailure, SupervisorSpec};
pub use self::tree::{
    ChildStage, SupervisedChild, SupervisorDecision, SupervisorEvent, SupervisorRefusal, SupervisorTree,
};
