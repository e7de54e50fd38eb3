//! What an error does is its actor's decision.

use actor_core::{
    Actor, ActorError, ActorRef, ErrorAction, Exit, ReplyPort, SpawnOptions, Status, SupervisionEvent,
};

use super::links::Heir;
use crate::support::{Door, Entry, Log, Probe, dead, settled};

/// An actor that fails when it is told to, and then does what it was made to do.
struct Decided(Decision);

#[derive(Clone, Copy)]
enum Decision {
    Act(ErrorAction),
    Panic,
}

enum Order {
    Fail(&'static str),
    /// Answers with how many orders it was given in this life, and how many errors it has
    /// seen.
    Count(ReplyPort<(u32, u32)>),
}

impl Actor for Decided {
    type Msg = Order;
    type State = (u32, u32);
    type Arguments = ();

    async fn pre_start(&self, _: &ActorRef<Order>, (): ()) -> Result<(u32, u32), ActorError> {
        Ok((0, 0))
    }

    async fn handle(
        &self,
        _: &ActorRef<Order>,
        order: Order,
        counts: &mut (u32, u32),
    ) -> Result<(), ActorError> {
        counts.0 += 1;
        match order {
            Order::Fail(why) => Err(why.into()),
            Order::Count(port) => {
                let _ = port.send(*counts);
                Ok(())
            }
        }
    }

    async fn handle_supervisor_evt(
        &self,
        _: &ActorRef<Order>,
        event: SupervisionEvent,
        _: &mut (u32, u32),
    ) -> Result<(), ActorError> {
        match event {
            SupervisionEvent::Down { .. } => Err("lost".into()),
            _ => Ok(()),
        }
    }

    fn on_error(&self, error: &ActorError, counts: &mut (u32, u32)) -> ErrorAction {
        assert!(!error.to_string().is_empty());
        counts.1 += 1;
        match self.0 {
            Decision::Act(action) => action,
            Decision::Panic => panic!("undecided"),
        }
    }
}

async fn decided(
    door: &impl Door,
    parent: &ActorRef<crate::support::Message>,
    action: ErrorAction,
) -> ActorRef<Order> {
    let options = SpawnOptions::new().supervisor(&parent.cell());
    let make = move || (Decided(Decision::Act(action)), ());
    door.spawn_restartable(make, options).await.unwrap()
}

/// A parent that has heard of nothing yet.
async fn parent(door: &impl Door, log: &Log) -> ActorRef<crate::support::Message> {
    let parent = door.spawn(Probe::new(log)).await;
    settled(&parent).await;
    log.take();
    parent
}

fn ill() -> Exit {
    Exit::Failed("ill".into())
}

pub(super) async fn c28_an_error_resumes(door: impl Door) {
    let log = Log::default();
    let parent = parent(&door, &log).await;
    let actor = decided(&door, &parent, ErrorAction::Resume).await;
    actor.cast(Order::Fail("ill")).unwrap();
    actor.cast(Order::Fail("ill")).unwrap();
    assert_eq!(actor.call(Order::Count).await.ok(), Some((3, 2)));
    settled(&parent).await;
    assert_eq!(log.take(), [Entry::Started(actor.id())]);
}

pub(super) async fn c28_an_error_restarts(door: impl Door) {
    let log = Log::default();
    let parent = parent(&door, &log).await;
    let actor = decided(&door, &parent, ErrorAction::Restart).await;
    actor.cast(Order::Fail("ill")).unwrap();
    while actor.status() != Status::Suspended {
        settled(&parent).await;
    }
    settled(&parent).await;
    assert_eq!(log.take(), [Entry::Started(actor.id()), Entry::Suspended(actor.id(), ill(), None)]);
    actor.cell().restart();
    assert_eq!(actor.call(Order::Count).await.ok(), Some((1, 0)));
    // Where nobody can restart it, it has failed, and that is all.
    let alone =
        door.spawn_with(Decided(Decision::Act(ErrorAction::Restart)), (), SpawnOptions::new()).await.unwrap();
    alone.cast(Order::Fail("ill")).unwrap();
    assert_eq!(alone.wait(None).await, Ok(ill()));
}

pub(super) async fn c28_an_error_stops(door: impl Door) {
    let log = Log::default();
    let parent = parent(&door, &log).await;
    let actor = decided(&door, &parent, ErrorAction::Stop).await;
    actor.cast(Order::Fail("ill")).unwrap();
    assert_eq!(actor.wait(None).await, Ok(ill()));
    settled(&parent).await;
    assert_eq!(log.take(), [Entry::Started(actor.id()), Entry::Failed(actor.id(), ill())]);
    assert_eq!(actor.status(), Status::Stopped);
}

pub(super) async fn c28_an_error_escalates(door: impl Door) {
    let log = Log::default();
    let parent = parent(&door, &log).await;
    let actor = decided(&door, &parent, ErrorAction::Escalate).await;
    actor.cast(Order::Fail("ill")).unwrap();
    assert_eq!(actor.wait(None).await, Ok(ill()));
    settled(&parent).await;
    assert_eq!(log.take(), [Entry::Started(actor.id()), Entry::Escalated(actor.id(), ill())]);

    // A parent that does nothing about it fails too.
    let heir = door.spawn_with(Heir, (), SpawnOptions::new()).await.unwrap();
    let options = SpawnOptions::new().supervisor(&heir.cell());
    let child = door.spawn_with(Decided(Decision::Act(ErrorAction::Escalate)), (), options).await.unwrap();
    child.cast(Order::Fail("ill")).unwrap();
    let text = format!("child {} failed: ill", child.id());
    assert_eq!(heir.wait(None).await, Ok(Exit::Failed(text.into())));
}

pub(super) async fn c28_an_error_about_a_child_is_an_error_too(door: impl Door) {
    let log = Log::default();
    let parent = parent(&door, &log).await;
    let resumes = decided(&door, &parent, ErrorAction::Resume).await;
    let stops = decided(&door, &parent, ErrorAction::Stop).await;
    let dead = dead(&door).await;
    for actor in [&resumes, &stops] {
        actor.cell().watch(&dead);
    }
    assert_eq!(stops.wait(None).await, Ok(Exit::Failed("lost".into())));
    assert_eq!(resumes.call(Order::Count).await.ok(), Some((1, 1)));
}

pub(super) async fn an_error_policy_that_panics_is_a_panic(door: impl Door) {
    let actor = door.spawn_with(Decided(Decision::Panic), (), SpawnOptions::new()).await.unwrap();
    actor.cast(Order::Fail("ill")).unwrap();
    assert_eq!(actor.wait(None).await, Ok(Exit::Panicked("undecided".into())));
}
