//! Users who do at random what users do: call, tell, ask again, watch, stop, start, take names and look them up. What they see is checked
//! by all invariants.

use std::sync::Arc;
use std::time::Duration;

use actor_cluster::limits::WINDOW_BYTES;
use actor_cluster::transport::LaneSet;
use actor_cluster::{Conflict, RemoteMessage};
use actor_core::{
    Actor, ActorError, ActorId, ActorRef, CallError, CallFailure, Exit, ExitListener, ReplyPort, SpawnOptions,
};

use super::{Scenario, User};
use crate::cluster::SimCluster;
use crate::cluster::builder::SimClusterBuilder;
use crate::cluster::conditions::Conditions;
use crate::cluster::handle::SimHandle;
use crate::cluster::history::{Outcome, What};
use crate::cluster::invariants::{About, Violation};
use crate::cluster::node::SimNode;
use crate::simulation::Random;

/// How many actors of each node come and go.
const MORTALS: usize = 2;
/// How many names are to have one owner in the cluster.
const ROLES: usize = 3;
/// How many users each node has.
const USERS: usize = 3;

/// So many nodes, on each of them three users who do anything at random, under all kinds of faults. The seed also says whether the
/// network is a [rough](Conditions::rough) one, which streams carry what, how much credit there is, and how old connections become.
pub fn random_users(nodes: usize) -> Scenario {
    let cluster = move |seed: u64| setting(seed).nodes(nodes).on_start(set_up);
    Scenario::new("random users", cluster).users(USERS, move |user| act(user, nodes)).serves(serves)
}

fn setting(seed: u64) -> SimClusterBuilder {
    let mut random = Random::seeded(seed ^ 0x7365_7474_696e_6773);
    let conditions = if random.below(3) == 0 { Conditions::rough() } else { Conditions::lan() };
    let rest = LaneSet::URGENT.union(LaneSet::DATA).union(LaneSet::BULK);
    let streams = match random.below(3) {
        0 => vec![LaneSet::CONTROL, rest],
        1 => vec![LaneSet::CONTROL, LaneSet::URGENT, LaneSet::DATA, LaneSet::DATA, LaneSet::BULK],
        _ => vec![LaneSet::ALL],
    };
    let window = [WINDOW_BYTES, 4 << 10, 32 << 10][random.below(3)];
    let is_renewed = random.below(4) == 0;
    SimCluster::seeded(seed).conditions(conditions).streams(streams).configure(move |_, builder| {
        let builder = builder.window_bytes(window);
        if is_renewed { builder.connection_age_max(Duration::from_secs(3)) } else { builder }
    })
}

#[derive(RemoteMessage)]
enum Ask {
    /// Work on a call, and answer it in some manner.
    #[rpc]
    Work(u64, u64, ReplyPort<u64>),
    /// A sender's message, its number, and what makes it long.
    Tell(u64, u64, Vec<u8>),
}

const ANSWERS_LATER: u64 = 1;
const NEVER_ANSWERS: u64 = 2;
const MANNERS: usize = 6;

/// Writes down what it does.
struct Servant(SimNode);

impl Actor for Servant {
    type Msg = Ask;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: &ActorRef<Ask>, (): ()) -> Result<(), ActorError> {
        Ok(())
    }

    async fn handle(&self, myself: &ActorRef<Ask>, ask: Ask, (): &mut ()) -> Result<(), ActorError> {
        match ask {
            Ask::Work(call, manner, port) => {
                self.0.record(What::CallRan { call });
                if manner == ANSWERS_LATER {
                    self.0.system().executor().sleep(Duration::from_millis(30)).await;
                }
                if manner != NEVER_ANSWERS {
                    _ = port.send(call);
                }
            }
            Ask::Tell(from, number, _) => self.0.record(What::Received { from, to: myself.id(), number }),
        }
        Ok(())
    }
}

/// Writes down that an actor has ended.
struct Ends(SimNode);

impl ExitListener for Ends {
    fn on_exit(&self, actor: ActorId, _: &Exit) {
        self.0.record(What::ActorEnded { actor });
    }
}

/// Writes down that a watch has fired.
struct Fires(SimNode, u64);

impl ExitListener for Fires {
    fn on_exit(&self, _: ActorId, _: &Exit) {
        self.0.record(What::WatchFired { watch: self.1 });
    }
}

async fn set_up(node: SimNode) {
    start(&node, &format!("servant-{}", node.index())).await;
    for number in 0..MORTALS {
        start(&node, &format!("mortal-{}-{number}", node.index())).await;
    }
}

/// Starts an actor under a name of its own, if nobody has it.
async fn start(node: &SimNode, name: &str) {
    let Ok(actor) = node.system().spawn(Servant(node.clone()), (), SpawnOptions::new()).await else { return };
    actor.watch_with(Arc::new(Ends(node.clone())));
    if node.server().publish(name, &actor).is_err() {
        actor.stop(None);
    }
}

async fn act(user: User, nodes: usize) {
    match user.pick(12) {
        0..=2 => call(&user, &servant_of(user.pick(nodes))).await,
        3 => call(&user, &any_mortal(&user, nodes)).await,
        4 => call_once(&user, &servant_of(user.pick(nodes))).await,
        5 | 6 => tell(&user, &servant_of(user.pick(nodes))).await,
        7 => tell(&user, &any_mortal(&user, nodes)).await,
        8 => watch(&user, &any_mortal(&user, nodes)),
        9 => begin_or_end(&user, nodes).await,
        10 => take_or_leave(&user),
        _ => look_up(&user, nodes),
    }
}

fn servant_of(node: usize) -> String {
    format!("servant-{node}")
}

fn any_mortal(user: &User, nodes: usize) -> String {
    format!("mortal-{}-{}", user.pick(nodes), user.pick(MORTALS))
}

/// Looks a name up, and writes down where it led.
fn find(user: &User, name: &str) -> Option<ActorRef<Ask>> {
    let found = user.node().server().find::<Ask>(name).ok()?;
    user.record(What::NameFound { name: name.into(), actor: found.id() });
    Some(found)
}

async fn call(user: &User, name: &str) {
    let Some(actor) = find(user, name) else { return };
    let (call, manner) = (user.next_number(), user.pick(MANNERS) as u64);
    user.record(What::CallBegun { call, to: actor.id() });
    let answer = actor.call(|port| Ask::Work(call, manner, port)).await;
    user.record(What::CallEnded { call, outcome: Outcome::of(&answer) });
}

/// Asks again, with the same key, where nobody knows whether the call ran.
async fn call_once(user: &User, name: &str) {
    const ROUNDS: usize = 5;
    let Some(actor) = find(user, name) else { return };
    let (call, key) = (user.next_number(), actor.call_key());
    user.record(What::CallBegun { call, to: actor.id() });
    let mut outcome = Outcome::NotSent;
    for _ in 0..ROUNDS {
        let answer = actor.call_once(&key, Duration::from_secs(2), |port| Ask::Work(call, 0, port)).await;
        // What it says of one time is not what is known of all.
        let said = Outcome::of(&answer);
        outcome =
            if said.never_ran() && key.may_have_run() { Outcome::Failed(CallFailure::Unknown) } else { said };
        match answer {
            Err(CallError::Failed(CallFailure::Unknown | CallFailure::TimedOut(_))) => {}
            Err(CallError::NotSent(_)) => user.sleep(Duration::from_secs(1)).await,
            _ => break,
        }
    }
    user.record(What::CallEnded { call, outcome });
}

/// Sends some messages to one actor, with rests between them.
async fn tell(user: &User, name: &str) {
    let Some(actor) = find(user, name) else { return };
    let (from, mut number) = (user.next_number(), 0);
    for _ in 0..=user.pick(20) {
        let bytes = if user.pick(20) == 0 { user.pick(200_000) } else { user.pick(100) };
        if actor.cast(Ask::Tell(from, number, vec![0; bytes])).is_ok() {
            user.record(What::Sent { from, to: actor.id(), number });
            number += 1;
        }
        let rest = user.pick(4) * user.pick(20_000);
        user.sleep(Duration::from_micros(rest as u64)).await;
    }
}

fn watch(user: &User, name: &str) {
    let Some(actor) = find(user, name) else { return };
    let watch = user.next_number();
    user.record(What::WatchBegun { watch, actor: actor.id() });
    actor.watch_with(Arc::new(Fires(user.node().clone(), watch)));
}

/// Ends an actor, or starts one of the same name where there is none.
async fn begin_or_end(user: &User, nodes: usize) {
    let own = format!("mortal-{}-{}", user.node().index(), user.pick(MORTALS));
    if user.node().server().find::<Ask>(&own).is_err() {
        return start(user.node(), &own).await;
    }
    let Some(actor) = find(user, &any_mortal(user, nodes)) else { return };
    match user.pick(3) {
        0 => actor.kill(),
        1 => actor.drain(),
        _ => actor.stop(None),
    }
}

/// Takes a name that only one may have, or gives it up.
fn take_or_leave(user: &User) {
    let node = user.node();
    let name = format!("role-{}", user.pick(ROLES));
    let Ok(actor) = node.server().find::<Ask>(&servant_of(node.index())) else { return };
    if user.pick(2) == 0 {
        if node.server().publish_with(&name, &actor, Conflict::Reject).is_ok() {
            user.record(What::NameTaken { name: name.into(), actor: actor.id() });
        }
    } else {
        node.server().unpublish(&name, &actor);
        user.record(What::NameLost { name: name.into(), actor: actor.id() });
    }
}

fn look_up(user: &User, nodes: usize) {
    let name = match user.pick(3) {
        0 => servant_of(user.pick(nodes)),
        1 => any_mortal(user, nodes),
        _ => format!("role-{}", user.pick(ROLES)),
    };
    find(user, &name);
}

/// Each node reaches each other's servant, and all find the same owner of each role.
async fn serves(cluster: SimHandle) -> Result<(), Violation> {
    for from in 0..cluster.nodes() {
        for to in 0..cluster.nodes() {
            let wrong = |what: String| Violation::new(format!("from node {from} to node {to}: {what}"));
            let found = cluster.node(from).server().find::<Ask>(&servant_of(to));
            let servant = found.map_err(|error| wrong(error.to_string()).about(About::Node(from)))?;
            let answer = servant.call(|port| Ask::Work(u64::MAX - (from * 1000 + to) as u64, 0, port)).await;
            answer.map_err(|error| wrong(error.map(drop).to_string()).about(About::Node(from)))?;
        }
    }
    for role in 0..ROLES {
        let name = format!("role-{role}");
        let owner = |node| {
            let node = cluster.node(node);
            let actor = node.server().find::<Ask>(&name).ok()?.id();
            node.record(What::NameFound { name: name.as_str().into(), actor });
            Some(actor)
        };
        let owners: Vec<_> = (0..cluster.nodes()).map(owner).collect();
        // What was written down is looked at first.
        cluster.sleep(Duration::from_millis(1)).await;
        if owners.iter().any(|owner| *owner != owners[0]) {
            let text = format!("the nodes find different owners of {name:?}: {owners:?}");
            return Err(Violation::new(text).about(About::Name(name.into())));
        }
    }
    Ok(())
}
