//! Scenarios: what random users do, and what is said when something is wrong.

use std::task::Poll;
use std::time::Duration;

use actor_cluster::RemoteMessage;
use actor_core::{Actor, ActorError, ActorRef, ReplyPort, SpawnOptions};
use actor_testkit::cluster::history::{Outcome, What};
use actor_testkit::cluster::invariants::Violation;
use actor_testkit::cluster::scenario::{Episode, FaultKind, Faults, Scenario, Schedule, User, random_users};
use actor_testkit::cluster::{SimCluster, SimNode};

use super::SECOND;

/// A bounded set, each time; `cargo xtask sim` runs as many as it is told.
#[test]
fn random_users_break_nothing() {
    let tally = random_users(3).check(0..3);
    assert_eq!(tally.seeds.len(), 3);
    let unchecked: Vec<_> = tally.checked.iter().filter(|(_, times)| **times == 0).collect();
    assert!(unchecked.is_empty(), "{unchecked:?}");
}

#[derive(RemoteMessage)]
enum Ask {
    #[rpc]
    Anything(u64, ReplyPort<()>),
}

/// Keeps some of its callers waiting for ever.
struct Forgetful(SimNode);

impl Actor for Forgetful {
    type Msg = Ask;
    type State = (u32, Vec<ReplyPort<()>>);
    type Arguments = ();

    async fn pre_start(&self, _: &ActorRef<Ask>, (): ()) -> Result<Self::State, ActorError> {
        Ok((0, Vec::new()))
    }

    async fn handle(
        &self,
        _: &ActorRef<Ask>,
        Ask::Anything(call, port): Ask,
        (calls, kept): &mut Self::State,
    ) -> Result<(), ActorError> {
        self.0.record(What::CallRan { call });
        *calls += 1;
        if calls.is_multiple_of(5) {
            kept.push(port);
        } else {
            _ = port.send(());
        }
        Ok(())
    }
}

async fn call(user: User) {
    let Ok(forgetful) = user.node().server().find::<Ask>("forgetful") else { return };
    let number = user.next_number();
    user.record(What::CallBegun { call: number, to: forgetful.id() });
    let answer = forgetful.call(|port| Ask::Anything(number, port)).await;
    user.record(What::CallEnded { call: number, outcome: Outcome::of(&answer) });
}

fn two_nodes(name: &str) -> Scenario {
    Scenario::new(name, |seed| SimCluster::seeded(seed).nodes(2))
        .lasting(2 * SECOND)
        .healed_within(5 * SECOND)
}

#[test]
fn a_caller_that_is_forgotten_is_found() {
    let scenario = Scenario::new("forgetful", |seed| {
        SimCluster::seeded(seed).nodes(2).on_start(async |node| {
            if node.index() == 1 {
                let forgetful =
                    node.system().spawn(Forgetful(node.clone()), (), SpawnOptions::new()).await.unwrap();
                node.server().publish("forgetful", &forgetful).unwrap();
            }
        })
    });
    let scenario =
        scenario.users(8, call).faults(Faults::none()).lasting(2 * SECOND).healed_within(5 * SECOND);
    let failure = scenario.run(1).failure.unwrap();
    assert_eq!(failure.invariant, "no call unanswered");
    assert!(failure.around.iter().any(|line| line.contains("CallBegun")), "{failure:?}");
}

#[test]
fn a_panic_is_a_failure_with_its_text() {
    let scenario = two_nodes("panics").users(1, async |user| assert!(user.action() < 3, "on purpose"));
    let run = scenario.run_and_shrink(4);
    let failure = run.failure.as_ref().unwrap();
    assert_eq!((failure.invariant.as_str(), failure.text.as_str()), ("nothing panics", "on purpose"));
    // No fault is needed for it.
    assert!(run.schedule.episodes.is_empty());
    let text = run.to_string();
    assert!(text.contains("seed 4 fails") && text.contains("ACTOR_SIM_SEED=4"), "{text}");
}

#[test]
fn a_healed_cluster_that_does_not_serve_is_a_failure() {
    let refuses = two_nodes("refuses").serves(async |_| Err(Violation::new("closed")));
    assert_eq!(refuses.run(1).failure.unwrap().text, "closed");
    let hangs = two_nodes("hangs").serves(async |cluster| {
        // sleep: it is to take too long.
        cluster.sleep(60 * SECOND).await;
        Ok(())
    });
    assert_eq!(hangs.run(1).failure.unwrap().invariant, "the healed cluster serves");
}

#[test]
fn a_user_that_waits_for_ever_is_found() {
    let scenario = two_nodes("patient").users(1, async |user: User| {
        if user.action() == 3 {
            std::future::pending::<()>().await;
        }
    });
    let failure = scenario.run(1).failure.expect("one of them never comes back");
    assert_eq!(failure.invariant, "users finish");
    assert_eq!(failure.text, "2 of them are still at it 5s after all was mended");
}

/// Its task is ready again as soon as it has run.
async fn yields_for_ever() {
    std::future::poll_fn(|cx| {
        cx.waker().wake_by_ref();
        Poll::<()>::Pending
    })
    .await;
}

#[test]
fn a_user_that_yields_for_ever_is_found() {
    let scenario = two_nodes("restless").users(1, async |user: User| {
        if user.action() == 3 {
            yields_for_ever().await;
        }
    });
    let run = scenario.run(1);
    let failure = run.failure.expect("no time passes any more");
    assert_eq!(failure.invariant, "nothing panics");
    assert!(failure.text.starts_with("200000 steps at "), "{}", failure.text);
    assert!(failure.text.contains("no time passes"), "{}", failure.text);
    assert!(run.virtual_time < 2 * SECOND, "{:?}", run.virtual_time);
}

#[test]
fn a_seed_brings_the_same_faults_and_the_same_run() {
    let scenario = random_users(2).lasting(5 * SECOND);
    let (one, again, other) = (scenario.run(5), scenario.run(5), scenario.run(6));
    assert_eq!(one.schedule, again.schedule);
    assert_eq!(one.event_hash, again.event_hash);
    assert_ne!(one.schedule, other.schedule);
    assert_ne!(one.event_hash, other.event_hash);
    let lines = one.schedule.to_string();
    assert_eq!(lines.lines().count(), one.schedule.episodes.len(), "{lines}");
}

#[test]
fn only_the_faults_that_are_wanted_happen() {
    let faults = Faults::only([FaultKind::Cut]).every(Duration::from_millis(500));
    let run = two_nodes("cuts").faults(faults).run(1);
    assert!(run.failure.is_none(), "{run}");
    assert_eq!(run.faults.keys().collect::<Vec<_>>(), [&FaultKind::Cut]);
}

#[test]
fn each_kind_is_drawn_and_ends() {
    for kind in FaultKind::ALL {
        let schedule = Schedule::random(1, 3, 600 * SECOND, &Faults::only([kind]));
        assert!(schedule.episodes.len() > 50, "{kind}");
        for Episode { fault, lasts, .. } in schedule.episodes {
            assert_eq!(FaultKind::of(&fault), Some(kind));
            let is_at_once = matches!(kind, FaultKind::Cut | FaultKind::ClockJump);
            assert_eq!(lasts.is_none(), is_at_once, "{kind}");
        }
    }
}

#[test]
fn what_is_counted_as_a_fault_is_one() {
    let faults = Faults::only([FaultKind::Degrade, FaultKind::Leave, FaultKind::ClockDrift]);
    let scenario = Scenario::new("leavers", |seed| SimCluster::seeded(seed).nodes(3)).lasting(10 * SECOND);
    let scenario = scenario.faults(faults.every(SECOND).last_at_most(2 * SECOND));
    let run = scenario.run(1);
    assert!(run.failure.is_none(), "{run}");
    assert_eq!(run.faults.len(), 3, "{:?}", run.faults);
    // Neither what mends one is, nor what could not happen.
    assert!(run.faults.values().sum::<u64>() <= run.schedule.episodes.len() as u64);
}
