//! What a turn asks for and a later one takes back.

use std::time::Duration;

use actor_durable::store::{CatchUp, Due};
use actor_durable::{Durable, DurableActor, DurableId, DurableRef, DurableSystem, NoError, Turn, WallTime};
use serde::{Deserialize, Serialize};

use crate::stage::{World, pass};

/// Counts what it is reminded of.
struct Planner;

#[derive(Clone, Debug, Serialize, Deserialize)]
enum Plan {
    Remind(WallTime),
    /// Again and again, with no time between.
    RemindAlways(WallTime),
    Cancel,
    AddChild,
    RemoveChild,
    Count,
    /// It is said to look only.
    AddChildByLooking,
    RemindByLooking,
    EndByLooking,
    Look,
}

impl Durable for Planner {
    const TYPE: &'static str = "planner";
    type State = u32;
    type Command = Plan;
    type Reply = u32;
    type Error = NoError;

    fn create(&self, _: &DurableId) -> u32 {
        0
    }

    fn is_query(plan: &Plan) -> bool {
        matches!(plan, Plan::Look | Plan::AddChildByLooking | Plan::RemindByLooking | Plan::EndByLooking)
    }
}

impl DurableActor for Planner {
    async fn handle(&self, plan: Plan, n: &mut u32, turn: &mut Turn<'_, Self>) -> Result<u32, NoError> {
        let asked = match plan {
            Plan::Remind(due) => turn.remind("count", due, &Plan::Count),
            Plan::RemindAlways(due) => {
                turn.remind_every("count", due, Duration::ZERO, CatchUp::Skip, &Plan::Count)
            }
            Plan::Cancel => turn.cancel_reminder("count"),
            Plan::AddChild | Plan::AddChildByLooking => turn.add_child::<Self>("child", "c", ""),
            Plan::RemoveChild => turn.remove_child("child"),
            Plan::RemindByLooking => turn.remind("count", WallTime::MAX, &Plan::Count),
            Plan::EndByLooking => {
                turn.end();
                Ok(())
            }
            Plan::Count => {
                *n += 1;
                Ok(())
            }
            Plan::Look => Ok(()),
        };
        asked.expect("good names");
        Ok(*n)
    }
}

/// Runs a future in a process of its own, over the same store.
fn run(world: &mut World, body: impl AsyncFnOnce(&DurableSystem, DurableRef<Planner>)) {
    world.run_with(
        |builder| builder.register(Planner),
        async |system| body(system, system.actor("p").expect("a good id")).await,
    );
}

#[test]
fn a_reminder_that_was_cancelled_does_not_come() {
    run(&mut World::new(), async |system, planner| {
        let due = WallTime::from_unix(system.executor().unix_time()).after(Duration::from_secs(10));
        planner.call(Plan::Remind(due)).await.expect("it is stored");
        planner.call(Plan::Cancel).await.expect("it is stored");
        pass(system, Duration::from_secs(60)).await;
        assert_eq!(planner.call(Plan::Look).await.ok(), Some(0));
        planner.call(Plan::Remind(due)).await.expect("it is stored");
        pass(system, Duration::from_secs(60)).await;
        assert_eq!(planner.call(Plan::Look).await.ok(), Some(1));
    });
}

#[test]
fn a_reminder_without_a_period_between_has_the_shortest() {
    run(&mut World::new(), async |system, planner| {
        planner.call(Plan::RemindAlways(WallTime::MAX)).await.expect("it is stored");
        let Due { reminders, .. } = system.store().due(WallTime::MAX, None, 9).await.expect("it reads");
        let periods: Vec<_> = reminders.into_iter().map(|(_, reminder)| reminder.period).collect();
        assert_eq!(periods, [Some(Duration::from_millis(1))]);
    });
}

#[test]
fn a_child_is_recorded_until_it_is_removed_even_by_whoever_only_looks() {
    for add in [Plan::AddChild, Plan::AddChildByLooking] {
        let mut world = World::new();
        let child = DurableId::new("c").expect("a good id");
        run(&mut world, async |_, planner| {
            planner.call(add).await.expect("it is stored");
        });
        run(&mut world, async |system, planner| {
            planner.call(Plan::Look).await.expect("it is there");
            pass(system, Duration::from_millis(1)).await;
            assert!(system.is_active(&child));
            planner.call(Plan::RemoveChild).await.expect("it is stored");
        });
        run(&mut world, async |system, planner| {
            planner.call(Plan::Look).await.expect("it is there");
            pass(system, Duration::from_millis(1)).await;
            assert!(!system.is_active(&child));
        });
    }
}

#[test]
fn whoever_is_said_to_look_only_may_be_reminded_and_end() {
    run(&mut World::new(), async |system, planner| {
        planner.call(Plan::RemindByLooking).await.expect("it is stored");
        let Due { reminders, .. } = system.store().due(WallTime::MAX, None, 9).await.expect("it reads");
        assert_eq!(reminders.len(), 1);
        planner.call(Plan::EndByLooking).await.expect("it is stored");
        let head = system.store().head(planner.id()).await.expect("it is in memory");
        assert_eq!(head.map(|head| head.has_ended), Some(true));
    });
}
