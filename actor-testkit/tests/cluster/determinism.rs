//! What is the same each time, and what is found not to be.

use std::cell::Cell;
use std::collections::HashMap;
use std::time::SystemTime;

use actor_cluster::{Conflict, NodeEvent};
use actor_core::{ActorRef, Context, actor};
use actor_testkit::cluster::history::{Outcome, What};
use actor_testkit::cluster::{Conditions, Crash, Degradation, SimNode, check_deterministic};

use super::*;

/// Does on a node what users do: names, groups, calls, watches, actors started elsewhere.
async fn use_cluster(node: SimNode) {
    let (server, system) = (node.server(), node.system());
    let counter = system.spawn(Counter, (), SpawnOptions::new()).await.unwrap();
    server.publish(&format!("counter-{}", node.index()), &counter).unwrap();
    // One of them has it.
    _ = server.publish_with("leader", &counter, Conflict::Reject);
    server.join_group("counters", &counter).unwrap();
    let user = node.clone();
    system.executor().spawn(async move { be_a_user(&user).await }).detach();
}

async fn be_a_user(node: &SimNode) {
    let executor = node.system().executor();
    for round in 0..20 {
        // sleep: virtual time, between the rounds of a user
        executor.sleep(Duration::from_millis(100 + executor.random_u64() % 400)).await;
        for member in node.server().group::<Ask>("counters") {
            drop(member.cast(Ask::Add(1)));
            let call = executor.random_u64();
            node.record(What::CallBegun { call, to: member.id() });
            let outcome = Outcome::of(&member.call_timeout(SECOND, Ask::Sum).await);
            node.record(What::CallEnded { call, outcome });
        }
        let sessions = node.server().sessions();
        let Some(peer) = sessions.get(round % sessions.len().max(1)) else { continue };
        if let Ok(child) = node.server().spawn_on::<Ask, ()>(peer.peer().node, "counter", ()).await {
            drop(child.call_timeout(SECOND, Ask::Sum).await);
            child.stop(None);
            drop(child.wait(Some(SECOND)).await);
        }
    }
}

fn users(seed: u64) -> SimClusterBuilder {
    SimCluster::seeded(seed)
        .conditions(Conditions::rough())
        .configure(|_, node| node.spawnable("counter", || Counter))
        .on_start(use_cluster)
}

fn suffer(cluster: &mut SimCluster) {
    cluster.advance(SECOND);
    cluster.block(0, 1);
    cluster.slow(2, Duration::from_micros(200));
    cluster.advance(2 * SECOND);
    cluster.heal();
    cluster.crash(1, Crash::Silent);
    cluster.freeze(0);
    cluster.advance(SECOND);
    cluster.thaw(0);
    cluster.set_clock_back(1, 3600 * SECOND);
    cluster.drift_clock(2, 500);
    cluster.degrade(2, Degradation { lost_per_mille: 50, ..Degradation::NONE });
    cluster.restart(1);
    cluster.cut(0, 2);
    cluster.advance(20 * SECOND);
    cluster.degrade(2, Degradation::NONE);
    cluster.leave(1);
    cluster.advance(SECOND);
    cluster.restart(1);
    cluster.advance(5 * SECOND);
}

#[test]
fn b15_one_seed_gives_one_hash_and_two_seeds_two() {
    let run = |seed| {
        let mut cluster = users(seed).start();
        suffer(&mut cluster);
        (cluster.event_hash(), cluster.history())
    };
    let mut hashes = Vec::new();
    for seed in 0..5 {
        let ((hash, history), (again, same_history)) = (run(seed), run(seed));
        for (one, other) in history.iter().zip(&same_history) {
            assert_eq!(one, other, "seed {seed}");
        }
        assert_eq!(hash, again, "seed {seed}");
        let count = |is_it: fn(&What) -> bool| history.iter().filter(|event| is_it(&event.what)).count();
        let answered = |what: &What| matches!(what, What::CallEnded { outcome: Outcome::Answered, .. });
        assert!(count(answered) > 50, "seed {seed}");
        assert!(count(|what| matches!(what, What::Node(NodeEvent::SessionLost { .. }))) > 0, "seed {seed}");
        hashes.push(hash);
    }
    hashes.sort_unstable();
    hashes.dedup();
    assert_eq!(hashes.len(), 5);
}

#[test]
fn a_scenario_that_does_the_same_is_found_to() {
    let hash = check_deterministic(|| users(3), suffer).unwrap_or_else(|difference| panic!("{difference}"));
    let mut cluster = users(3).start();
    suffer(&mut cluster);
    assert_eq!(cluster.event_hash(), hash, "to look changes nothing");
}

#[test]
fn what_the_test_itself_does_last_differs_too() {
    let now = || SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_nanos();
    let note = |cluster: &SimCluster| cluster.recorder().record(None, What::Note(now().to_string()));
    let noted = check_deterministic(
        || users(3),
        |cluster| {
            cluster.advance(SECOND);
            note(cluster);
        },
    );
    let difference = noted.unwrap_err();
    assert_eq!((&*difference.place, difference.suspect()), ("the test itself", None), "{difference}");
    assert!(difference.effects[0] != difference.effects[1], "{difference}");
}

#[test]
fn a_run_that_is_over_sooner_or_later_differs() {
    for (first, second) in [(2, 1), (1, 2)] {
        let seconds = Cell::new([second, second, first]);
        let shorter = |cluster: &mut SimCluster| {
            let [next, then, now] = seconds.get();
            seconds.set([next, next, then]);
            cluster.advance(SECOND * now);
        };
        check_deterministic(|| users(3), shorter).unwrap_err();
    }
}

/// Waits until the minute is over, by the wall clock.
struct Minute;

#[actor]
impl Minute {
    #[cast]
    fn begin(&mut self, ctx: &Context<'_, MinuteRef>) {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        ctx.send_after(Duration::from_secs(60 - now.as_secs() % 60), MinuteMessage::End());
    }

    #[cast]
    fn end(&mut self) {}
}

#[test]
fn an_actor_that_reads_the_wall_clock_is_named() {
    let cluster = || {
        counters(1).on_start(async |node| {
            let minute = Minute.spawn().name("minute").on(node.system()).await.unwrap();
            if node.index() == 1 {
                minute.begin().cast().unwrap();
            }
        })
    };
    let difference = check_deterministic(cluster, |cluster| cluster.advance(61 * SECOND)).unwrap_err();
    let suspect = difference.suspect().unwrap_or_else(|| panic!("{difference}"));
    assert!(suspect.type_name.contains("Minute"), "{difference}");
    assert_eq!((suspect.name.as_deref(), &*suspect.place), (Some("minute"), "node 1"));
    assert!(
        suspect.message.as_ref().is_some_and(|message| message.ends_with("MinuteMessage")),
        "{difference}"
    );
    assert!(difference.to_string().contains(" \"minute\" on node 1 (actor "), "{difference}");
    let [one, other] = &difference.effects;
    assert_ne!(one, other);
    assert!(one.iter().chain(other).any(|effect| effect.starts_with("waits for")), "{difference}");
}

/// Answers with whatever a map gives first.
struct Unordered;

impl Actor for Unordered {
    type Msg = Ask;
    type State = HashMap<u64, u64>;
    type Arguments = ();

    async fn pre_start(&self, _: &ActorRef<Ask>, (): ()) -> Result<HashMap<u64, u64>, ActorError> {
        Ok((0..1000).map(|n| (n, n)).collect())
    }

    async fn handle(
        &self,
        _: &ActorRef<Ask>,
        ask: Ask,
        map: &mut HashMap<u64, u64>,
    ) -> Result<(), ActorError> {
        if let Ask::Sum(port) = ask {
            _ = port.send(map.values().next().copied().unwrap_or(0));
        }
        Ok(())
    }
}

#[test]
fn an_answer_that_differs_is_traced_to_whom_it_came_from() {
    let cluster = || {
        SimCluster::seeded(1).on_start(async |node| {
            let actor = node.system().spawn(Unordered, (), SpawnOptions::new()).await.unwrap();
            node.server().publish(&format!("counter-{}", node.index()), &actor).unwrap();
        })
    };
    let call = |cluster: &mut SimCluster| {
        let there = counter(cluster, 0, 1);
        let answer = cluster.block_on(there.call(Ask::Sum)).unwrap();
        cluster.recorder().record(None, What::Note(format!("{answer}")));
    };
    let difference = check_deterministic(cluster, call).unwrap_err();
    let suspect = difference.suspect().expect("somebody is to blame");
    assert!(suspect.type_name.ends_with("::Unordered"), "{difference}");
}
