//! How each invariant is shown to fail: by a history that is made up, and by a cluster in which somebody does what must not be.

use std::sync::Arc;

use actor_cluster::testing::PipeNetwork;
use actor_cluster::transport::PeerIdentity;
use actor_cluster::{Conflict, NodeServer, RemoteMessage};
use actor_core::{
    Actor, ActorError, ActorId, ActorRef, ActorSystem, Exit, ExitListener, Instant, ReplyPort, SpawnOptions,
};
use actor_testkit::cluster::history::{Outcome, What};
use actor_testkit::cluster::invariants::{
    self, CallsAnswered, Checked, ConnectedAgain, Credit, End, Fifo, Invariant, Ledger, LossExplained,
    MembersConverge, MembersTrusted, NamesWithdrawn, NothingLost, OneOwner, Sequences, SessionSide, View,
    WatchOnce,
};
use actor_testkit::cluster::scenario::{Faults, Scenario, User};
use actor_testkit::cluster::{Conditions, SimNode};

use super::invariants::{actor, changed, check, declared_lost, id, life, lost};
use super::*;

/// How an invariant is shown to fail.
struct Shown {
    /// Its name.
    invariant: &'static str,
    /// A history in which it does not hold, as it sees it.
    doctored: fn() -> Checked,
    /// Runs a cluster in which somebody lies, or does what must not be done, and says which invariant found that.
    liar: fn() -> Option<String>,
}

const SHOWN: [Shown; 13] = [
    Shown {
        invariant: "FIFO per pair",
        doctored: || check(Fifo::default(), &[received(1), received(0)]),
        liar: || found(&flawed(Flaw::HandsOn)),
    },
    Shown {
        invariant: "no message is lost while its session lives",
        doctored: || check(NothingLost::default(), &[sent(0)]),
        liar: || found(&flawed(Flaw::Drops)),
    },
    Shown {
        invariant: "no call unanswered",
        doctored: || check(CallsAnswered::default(), &[(0, What::CallBegun { call: 1, to: actor(1) })]),
        liar: || found(&flawed(Flaw::Keeps)),
    },
    Shown {
        invariant: "typed outcomes are true",
        doctored: || check(Ledger::default(), &[ran(), ran()]),
        liar: || found(&flawed(Flaw::WorksTwice)),
    },
    Shown {
        invariant: "each watch fires once",
        doctored: || check(WatchOnce::default(), &[(0, What::WatchFired { watch: 1 })]),
        liar: || found(&flawed(Flaw::WatchesTwice)),
    },
    Shown {
        invariant: "names have one owner",
        doctored: || check(OneOwner::default(), &[takes(0), takes(1)]),
        liar: || found(&flawed(Flaw::Claims)),
    },
    Shown {
        invariant: "names that are lost are withdrawn",
        doctored: || {
            let (dies, finds) = (
                What::Crashed { incarnation: life(1) },
                What::NameFound { name: "role".into(), actor: actor(1) },
            );
            check(NamesWithdrawn::default(), &[(1, dies), (0, lost(1)), (0, finds)])
        },
        liar: || found(&flawed(Flaw::Remembers)),
    },
    Shown {
        invariant: "credit is never negative",
        doctored: || changed(Credit::default(), |lane| lane.credit.as_mut().unwrap().spent = 231),
        liar: || {
            altered(Credit::default(), |side| {
                side.audit.lanes[0].credit.as_mut().unwrap().spent += 10_000_000;
            })
        },
    },
    Shown {
        invariant: "sequence numbers never regress",
        doctored: || changed(Sequences::default(), |lane| lane.sent -= 1),
        liar: || altered(Sequences::default(), |side| side.audit.lanes[0].sent -= 1),
    },
    Shown {
        invariant: "no session is lost without a fault",
        doctored: || check(LossExplained::default(), &[(0, lost(1))]),
        liar: || found(&flawed(Flaw::Closes)),
    },
    Shown {
        invariant: "the cluster heals",
        doctored: || at_end(ConnectedAgain, |end| end.apart = vec![(0, 1)]),
        // Nobody dials anybody.
        liar: || found(&quiet("loners", |seed| SimCluster::seeded(seed).apart())),
    },
    Shown {
        invariant: "no live member is lost without a fault",
        doctored: || check(MembersTrusted::default(), &[(0, declared_lost(1))]),
        // Much is late by seconds, and that is no fault: the network is always so. A session is lost for it as well, and which is
        // told first is the seed's affair.
        liar: || {
            let far = quiet("far away", |seed| {
                SimCluster::seeded(seed).conditions(Conditions::lan().with_loss(0.5))
            });
            failures(&far).find(|invariant| invariant != "no session is lost without a fault")
        },
    },
    Shown {
        invariant: "membership converges",
        doctored: || at_end(MembersConverge, |end| end.members[0].sees.clear()),
        liar: || found(&quiet("intruded", with_an_intruder)),
    },
];

#[test]
fn each_invariant_is_in_the_table() {
    let mut known: Vec<_> = invariants::all().iter().map(|invariant| invariant.name()).collect();
    let mut shown: Vec<_> = SHOWN.iter().map(|shown| shown.invariant).collect();
    known.sort_unstable();
    shown.sort_unstable();
    assert_eq!(known, shown);
}

#[test]
fn each_invariant_is_broken_by_a_history() {
    for Shown { invariant, doctored, .. } in SHOWN {
        assert!(doctored().is_err(), "{invariant}");
    }
}

#[test]
fn each_invariant_is_broken_by_a_cluster() {
    for Shown { invariant, liar, .. } in SHOWN {
        assert_eq!(liar().as_deref(), Some(invariant));
    }
}

fn sent(number: u64) -> (usize, What) {
    (0, What::Sent { from: 1, to: actor(1), number })
}

fn received(number: u64) -> (usize, What) {
    (1, What::Received { from: 1, to: actor(1), number })
}

fn ran() -> (usize, What) {
    (1, What::CallRan { call: 1 })
}

fn takes(node: usize) -> (usize, What) {
    (node, What::NameTaken { name: "role".into(), actor: actor(node) })
}

/// Shows an invariant three nodes that know each other, and then the same after a change.
fn at_end(mut invariant: impl Invariant, change: impl FnOnce(&mut End)) -> Checked {
    let mut end = End::new(Instant::ZERO);
    for node in 0..3 {
        let sees = (0..3).filter(|other| *other != node).map(life).collect();
        end.members.push(View { node, life: life(node), sees });
    }
    invariant.at_end(&end).expect("nothing is wrong yet");
    change(&mut end);
    invariant.at_end(&end)
}

/// Shows an invariant what a node's side of a session is, and then the same after a change.
fn altered<I: Invariant>(mut invariant: I, change: impl FnOnce(&mut SessionSide)) -> Option<String> {
    let mut cluster = counters(1).start();
    let there = counter(&cluster, 0, 1);
    cluster.block_on(there.call(Ask::Sum)).unwrap();
    let audit = cluster.node(0).server().sessions()[0].audit().unwrap();
    let mut side = SessionSide { node: 0, audit };
    side.audit.lanes.retain(|lane| lane.sent > 0 && lane.credit.is_some());
    invariant.audit(&side).expect("nothing is wrong yet");
    change(&mut side);
    invariant.audit(&side).err().map(|_| invariant.name().to_owned())
}

/// What some seeds fail of.
fn failures(scenario: &Scenario) -> impl Iterator<Item = String> {
    (0..10).filter_map(|seed| scenario.run(seed).failure).map(|failure| failure.invariant)
}

fn found(scenario: &Scenario) -> Option<String> {
    failures(scenario).next()
}

/// Somebody of whom the cluster does not know comes in by a door of node 0's that is not on its network.
fn with_an_intruder(seed: u64) -> SimClusterBuilder {
    let doors = PipeNetwork::new();
    // Identities follow from the seed.
    let identity = PeerIdentity::Node(SimCluster::seeded(seed).start().id(0));
    let door = doors.transport("door").with_identity(identity);
    SimCluster::seeded(seed)
        .configure(move |index, node| if index == 0 { node.transport(door.clone()) } else { node })
        .on_start(move |node| {
            let doors = doors.clone();
            async move {
                if node.index() == 1 {
                    let system = ActorSystem::on(node.system().executor().clone());
                    let identity = PeerIdentity::Node(id(9));
                    let transport = doors.transport("intruder").with_identity(identity);
                    let intruder = NodeServer::builder(id(9)).system(system).transport(transport);
                    let intruder = intruder.seed("pipe://door".parse().unwrap()).start().await.unwrap();
                    let stays = async move { drop((intruder, std::future::pending::<()>().await)) };
                    node.system().executor().spawn(stays).detach();
                }
            }
        })
}

/// Nothing goes wrong by itself.
fn quiet(name: &str, cluster: impl Fn(u64) -> SimClusterBuilder + 'static) -> Scenario {
    Scenario::new(name, cluster).faults(Faults::none()).lasting(10 * SECOND).healed_within(5 * SECOND)
}

/// What somebody does wrong, one each.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flaw {
    /// The actor has messages handled by tasks of their own, which overtake each other.
    HandsOn,
    /// The actor ignores some messages.
    Drops,
    /// The actor keeps some callers waiting.
    Keeps,
    /// The actor does its work twice.
    WorksTwice,
    /// The user has one watch told by two.
    WatchesTwice,
    /// Each user takes the same name without asking.
    Claims,
    /// The user goes on with what it has found before.
    Remembers,
    /// The user closes a session.
    Closes,
}

fn flawed(flaw: Flaw) -> Scenario {
    let cluster = move |seed| {
        SimCluster::seeded(seed).nodes(2).on_start(move |node| async move {
            let actor =
                node.system().spawn(Flawed(node.clone(), flaw), (), SpawnOptions::new()).await.unwrap();
            node.server().publish(&format!("flawed-{}", node.index()), &actor).unwrap();
        })
    };
    quiet("flawed", cluster).users(1, move |user| act(user, flaw))
}

#[derive(RemoteMessage)]
enum Work {
    Tell(u64, u64),
    #[rpc]
    Do(u64, ReplyPort<()>),
}

struct Flawed(SimNode, Flaw);

impl Actor for Flawed {
    type Msg = Work;
    type State = Vec<ReplyPort<()>>;
    type Arguments = ();

    async fn pre_start(&self, _: &ActorRef<Work>, (): ()) -> Result<Self::State, ActorError> {
        Ok(Vec::new())
    }

    async fn handle(
        &self,
        myself: &ActorRef<Work>,
        work: Work,
        kept: &mut Self::State,
    ) -> Result<(), ActorError> {
        let Self(node, flaw) = self;
        match work {
            Work::Tell(_, number) if *flaw == Flaw::Drops && number == 3 => {}
            Work::Tell(from, number) => {
                let (node, to) = (node.clone(), myself.id());
                let is_late = *flaw == Flaw::HandsOn && number == 3;
                let executor = node.system().executor().clone();
                let handled = async move {
                    if is_late {
                        // sleep: virtual time, so that the next one overtakes it
                        node.system().executor().sleep(SECOND).await;
                    }
                    node.record(What::Received { from, to, number });
                };
                if is_late { executor.spawn(handled).detach() } else { handled.await }
            }
            Work::Do(call, port) => {
                node.record(What::CallRan { call });
                if *flaw == Flaw::WorksTwice {
                    node.record(What::CallRan { call });
                }
                if *flaw == Flaw::Keeps {
                    kept.push(port);
                } else {
                    _ = port.send(());
                }
            }
        }
        Ok(())
    }
}

/// Writes down that an actor has ended, or that a watch has fired.
struct Notes(SimNode, Option<u64>);

impl ExitListener for Notes {
    fn on_exit(&self, actor: ActorId, _: &Exit) {
        self.0.record(match self.1 {
            Some(watch) => What::WatchFired { watch },
            None => What::ActorEnded { actor },
        });
    }
}

async fn act(user: User, flaw: Flaw) {
    let (node, number) = (user.node(), user.next_number());
    let Ok(there) = node.server().find::<Work>(&format!("flawed-{}", 1 - node.index())) else { return };
    for message in 0..5 {
        there.cast(Work::Tell(number, message)).unwrap();
        user.record(What::Sent { from: number, to: there.id(), number: message });
    }
    user.record(What::CallBegun { call: number, to: there.id() });
    let answer = there.call(|port| Work::Do(number, port)).await;
    user.record(What::CallEnded { call: number, outcome: Outcome::of(&answer) });
    if flaw == Flaw::Claims && user.action() > 1 {
        return;
    }
    if flaw == Flaw::Closes {
        node.server().sessions()[0].close("nobody asked for it");
    }
    use_one_of_its_own(&user, number, flaw).await;
}

/// Starts an actor under a name, watches it, and ends it.
async fn use_one_of_its_own(user: &User, number: u64, flaw: Flaw) {
    let node = user.node();
    let own = node.system().spawn(Flawed(node.clone(), flaw), (), SpawnOptions::new()).await.unwrap();
    own.watch_with(Arc::new(Notes(node.clone(), None)));
    let name: Arc<str> = if flaw == Flaw::Claims { "role".into() } else { format!("own-{number}").into() };
    let taken = node.server().publish_with(&name, &own, Conflict::Allow);
    taken.unwrap();
    user.record(What::NameTaken { name: name.clone(), actor: own.id() });
    user.record(What::NameFound { name: name.clone(), actor: own.id() });
    user.record(What::WatchBegun { watch: number, actor: own.id() });
    own.watch_with(Arc::new(Notes(node.clone(), Some(number))));
    if flaw == Flaw::WatchesTwice {
        own.watch_with(Arc::new(Notes(node.clone(), Some(number))));
    }
    if flaw == Flaw::Claims {
        return;
    }
    own.stop(None);
    if flaw == Flaw::Remembers {
        // sleep: virtual time, in which the name should have been forgotten
        user.sleep(6 * SECOND).await;
        user.record(What::NameFound { name, actor: own.id() });
    }
}
