//! Names that several nodes want.

use actor_cluster::transport::PeerIdentity;
use actor_cluster::{
    Conflict, Events, FindError, Mode, NameRule, NodeEvent, NodeServer, PublishError, PublishedActor,
};
use actor_core::{ActorRef, Exit, Status};
use futures_util::FutureExt;

use super::Network;
use super::support::{
    BEAT, Count, Start, TestNode, id, node, node_with, on_every_shape, pass, settle, system_after, two,
};

on_every_shape! {
    of_two_that_take_a_name_at_once_one_keeps_it
    whoever_had_a_name_before_a_partition_has_it_after
    whoever_took_a_name_last_has_it_after_a_partition
    a_loser_is_stopped_if_its_rule_says_so
    a_name_that_is_rejected_is_free_when_its_holder_ends
    rules_that_differ
    a_name_is_taken_over_by_rank
    a_nodes_next_life_takes_the_name_again
    w02_nobody_takes_a_name_that_each_node_may_have
    the_rule_of_a_node_is_that_of_its_names
    nodes_without_a_session_do_not_know_of_each_other
    a_session_that_is_resumed_settles_nothing_anew
}

/// A node, an actor that wants a name, and what the node says.
struct Wants {
    node: TestNode,
    actor: ActorRef<Count>,
    events: Events,
}

impl Wants {
    async fn on(node: TestNode) -> Self {
        let (actor, events) = (node.counter(0).await, node.server.subscribe());
        Self { node, actor, events }
    }

    fn take(&self, rule: impl Into<NameRule>) -> Result<(), PublishError> {
        self.node.server.publish_with("leader", &self.actor, rule)
    }

    fn who(&self) -> PublishedActor {
        PublishedActor { node: self.node.id(), actor: self.actor.id() }
    }

    fn found(&self) -> Result<actor_core::ActorId, FindError> {
        self.node.server.find::<Count>("leader").map(|actor| actor.id())
    }

    /// The conflicts that were told since the last look: winners and losers.
    fn conflicts(&mut self) -> Vec<(PublishedActor, PublishedActor)> {
        let mut conflicts = Vec::new();
        while let Some(Some(event)) = self.events.next().now_or_never() {
            if let NodeEvent::NameConflict { name, winner, loser } = event {
                assert_eq!(&*name, "leader");
                conflicts.push((winner, loser));
            }
        }
        conflicts
    }
}

/// Nodes that all have sessions with each other.
async fn three(network: &Network) -> [Wants; 3] {
    let [a, b, c] = [node(network, 1).await, node(network, 2).await, node(network, 3).await];
    meet([&a, &b, &c]).await;
    [Wants::on(a).await, Wants::on(b).await, Wants::on(c).await]
}

async fn meet([a, b, c]: [&TestNode; 3]) {
    for (from, to) in [(a, b), (b, c), (c, a)] {
        from.connect(to).await;
    }
    settle().await;
}

async fn of_two_that_take_a_name_at_once_one_keeps_it(network: Network) {
    for rule in [Conflict::Reject, Conflict::Newest, Conflict::Rank(3)] {
        // The nodes of the last round are gone.
        settle().await;
        let [mut a, mut b, mut c] = three(&network).await;
        b.node.server.join_group("counters", &b.actor).unwrap();
        assert_eq!((b.take(rule), a.take(rule)), (Ok(()), Ok(())), "neither can know");
        settle().await;
        for each in [&a, &b, &c] {
            assert_eq!(each.found(), Ok(a.actor.id()));
        }
        let conflict = (a.who(), b.who());
        assert_eq!([a.conflicts(), b.conflicts(), c.conflicts()], [vec![conflict], vec![conflict], vec![]]);
        // The loser lost its name and nothing else.
        assert_eq!(b.actor.call(Count::Get).await, Ok(0));
        assert_eq!(c.node.group("counters"), [b.actor.id()]);
        assert_eq!(b.take(Conflict::Reject), Err(PublishError::NameHeld(a.who())));
        assert_eq!(c.node.find("leader").call(Count::Get).await, Ok(0));
        // Nobody takes the loser for the holder when the winner is gone.
        a.actor.kill_and_wait(None).await.unwrap();
        settle().await;
        for each in [&a, &b, &c] {
            assert_eq!(each.found(), Err(FindError::NotFound));
        }
        assert_eq!(c.take(rule), Ok(()));
    }
}

/// The third is the one that had the name, and is parted from the others.
async fn parted(network: &Network, rule: Conflict) -> [Wants; 3] {
    let all = three(network).await;
    all[2].take(rule).unwrap();
    settle().await;
    assert_eq!(all[0].found(), Ok(all[2].actor.id()));
    network.cut();
    settle().await;
    assert_eq!(all[0].found(), Err(FindError::NotFound));
    all[0].node.connect(&all[1].node).await;
    all[0].take(rule).unwrap();
    settle().await;
    assert_eq!(all[1].found(), Ok(all[0].actor.id()));
    assert_eq!(all[2].found(), Ok(all[2].actor.id()), "each side has one");
    all
}

async fn heal(all: &[Wants; 3]) {
    all[2].node.connect(&all[0].node).await;
    all[1].node.connect(&all[2].node).await;
    settle().await;
}

async fn whoever_had_a_name_before_a_partition_has_it_after(network: Network) {
    let mut all = parted(&network, Conflict::Reject).await;
    heal(&all).await;
    let [new, held] = [all[0].who(), all[2].who()];
    for each in &all {
        assert_eq!(each.found(), Ok(held.actor));
    }
    let told = all.each_mut().map(Wants::conflicts);
    assert_eq!(told, [vec![(held, new)], vec![], vec![(held, new)]]);
}

async fn whoever_took_a_name_last_has_it_after_a_partition(network: Network) {
    let mut all = parted(&network, Conflict::Newest).await;
    heal(&all).await;
    let [new, held] = [all[0].who(), all[2].who()];
    for each in &all {
        assert_eq!(each.found(), Ok(new.actor));
    }
    let told = all.each_mut().map(Wants::conflicts);
    assert_eq!(told, [vec![(new, held)], vec![], vec![(new, held)]]);
}

async fn a_loser_is_stopped_if_its_rule_says_so(network: Network) {
    let [mut a, mut b, c] = three(&network).await;
    a.take(Conflict::Reject).unwrap();
    b.take(Conflict::Reject.stop_loser()).unwrap();
    settle().await;
    let stopped = b.actor.wait(None).now_or_never();
    assert_eq!(stopped, Some(Ok(Exit::Stopped(Some("it has lost its name to another node".into())))));
    assert_eq!(a.actor.status(), Status::Running);
    let conflict = vec![(a.who(), b.who())];
    assert_eq!([a.conflicts(), b.conflicts()], [conflict.clone(), conflict]);
    assert_eq!(c.found(), Ok(a.actor.id()));
}

async fn a_name_that_is_rejected_is_free_when_its_holder_ends(network: Network) {
    let [a, b, mut c] = three(&network).await;
    c.take(Conflict::Reject).unwrap();
    settle().await;
    for rule in [Conflict::Allow, Conflict::Reject, Conflict::Rank(9), Conflict::Newest] {
        assert_eq!(a.take(rule), Err(PublishError::NameHeld(c.who())), "{rule:?}");
    }
    let text = PublishError::NameHeld(c.who()).to_string();
    assert_eq!(text, format!("the name is held by an actor of node {}", id(3)));
    // Nothing is left of what was refused.
    assert_eq!(a.found(), Ok(c.actor.id()));
    assert_eq!(c.take(Conflict::Reject), Ok(()), "it has it already");
    assert_eq!(c.take(Conflict::Newest), Err(PublishError::NameTaken));
    c.actor.kill_and_wait(None).await.unwrap();
    settle().await;
    assert_eq!(b.take(Conflict::Reject), Ok(()));
    settle().await;
    assert_eq!([a.found(), c.found()], [Ok(b.actor.id()), Ok(b.actor.id())]);
    // So it is when its node is gone.
    drop(b);
    settle().await;
    assert_eq!(a.take(Conflict::Reject), Ok(()));
    settle().await;
    assert_eq!(c.found(), Ok(a.actor.id()));
    assert_eq!(c.conflicts(), []);
}

async fn rules_that_differ(network: Network) {
    use Conflict::{Allow, Newest, Rank, Reject};
    // Whoever agreed to less, though the other is the lesser node.
    for (weaker, stronger) in [
        (Reject, Allow),
        (Rank(9), Allow),
        (Newest, Allow),
        (Rank(9), Reject),
        (Newest, Reject),
        (Newest, Rank(0)),
    ] {
        // The nodes of the last round are gone.
        settle().await;
        let mut a = Wants::on(node(&network, 1).await).await;
        let mut b = Wants::on(node(&network, 2).await).await;
        a.take(weaker).unwrap();
        b.take(stronger).unwrap();
        a.node.connect(&b.node).await;
        settle().await;
        assert_eq!([a.found(), b.found()], [Ok(b.actor.id()), Ok(b.actor.id())], "{weaker:?}, {stronger:?}");
        let conflict = vec![(b.who(), a.who())];
        assert_eq!([a.conflicts(), b.conflicts()], [conflict.clone(), conflict]);
    }
}

async fn a_name_is_taken_over_by_rank(network: Network) {
    let [mut a, mut b, mut c] = three(&network).await;
    c.take(Conflict::Rank(1)).unwrap();
    settle().await;
    let old = c.node.find("leader");
    assert_eq!(a.take(Conflict::Rank(1)), Err(PublishError::NameHeld(c.who())));
    let far = a.node.find("leader");
    a.take(Conflict::Rank(2)).unwrap();
    assert_eq!(a.found(), Ok(a.actor.id()), "at once");
    settle().await;
    assert_eq!([b.found(), c.found()], [Ok(a.actor.id()), Ok(a.actor.id())]);
    let conflict = vec![(a.who(), c.who())];
    assert_eq!([a.conflicts(), b.conflicts(), c.conflicts()], [conflict.clone(), vec![], conflict]);
    // It lives, and is reached by nobody else any more.
    assert_eq!(old.call(Count::Get).await, Ok(0));
    assert!(far.call(Count::Get).await.unwrap_err().never_ran());
}

async fn a_nodes_next_life_takes_the_name_again(network: Network) {
    let (former, b) = (node(&network, 1).await, node(&network, 2).await);
    former.connect(&b).await;
    let (former, mut b) = (Wants::on(former).await, Wants::on(b).await);
    former.take(Conflict::Reject).unwrap();
    settle().await;
    assert_eq!(b.take(Conflict::Reject), Err(PublishError::NameHeld(former.who())));
    // Its next life is there before anybody has heard of the end of the former.
    let system = system_after(&former.node.system);
    let transport = network.transport_at("node-1-next", PeerIdentity::Node(id(1)));
    let builder = NodeServer::builder(id(1)).system(system.clone()).mode(Mode::Isolated).transport(transport);
    let next = Wants::on(TestNode { server: builder.start().await.unwrap(), system }).await;
    next.take(Conflict::Reject).unwrap();
    next.node.connect(&b.node).await;
    assert_eq!(b.found(), Ok(next.actor.id()));
    settle().await;
    assert_eq!(b.take(Conflict::Reject), Err(PublishError::NameHeld(next.who())));
    assert_eq!(b.conflicts(), []);
}

async fn w02_nobody_takes_a_name_that_each_node_may_have(network: Network) {
    let (a, b) = two(&network).await;
    let (mut a, mut b) = (Wants::on(a).await, Wants::on(b).await);
    b.take(Conflict::Allow).unwrap();
    settle().await;
    for rule in [Conflict::Reject, Conflict::Rank(u32::MAX), Conflict::Newest] {
        assert_eq!(a.take(rule), Err(PublishError::NameHeld(b.who())));
    }
    assert_eq!(a.take(Conflict::Allow), Ok(()));
    settle().await;
    assert_eq!([a.found(), b.found()], [Ok(a.actor.id()), Ok(b.actor.id())]);
    assert_eq!([a.conflicts(), b.conflicts()], [vec![], vec![]]);
}

async fn the_rule_of_a_node_is_that_of_its_names(network: Network) {
    let strict = |builder: actor_cluster::NodeBuilder| builder.name_rule(Conflict::Reject);
    let (a, b) = (node_with(&network, 1, strict).await, node_with(&network, 2, strict).await);
    a.connect(&b).await;
    let held = a.publish("counter", Start::default()).await;
    settle().await;
    let actor = b.counter(0).await;
    let holder = PublishedActor { node: id(1), actor: held.id() };
    assert_eq!(b.server.publish("counter", &actor), Err(PublishError::NameHeld(holder)));
    // Groups have no conflicts.
    a.server.join_group("counter", &held).unwrap();
    settle().await;
    b.server.join_group("counter", &actor).unwrap();
}

async fn nodes_without_a_session_do_not_know_of_each_other(network: Network) {
    let [a, b, c] = [node(&network, 1).await, node(&network, 2).await, node(&network, 3).await];
    a.connect(&b).await;
    b.connect(&c).await;
    let (mut a, mut b, mut c) = (Wants::on(a).await, Wants::on(b).await, Wants::on(c).await);
    c.take(Conflict::Reject).unwrap();
    settle().await;
    a.take(Conflict::Reject).unwrap();
    settle().await;
    assert_eq!([a.found(), c.found()], [Ok(a.actor.id()), Ok(c.actor.id())]);
    // Who knows both names the one that they would agree on.
    assert_eq!(b.found(), Ok(a.actor.id()));
    assert_eq!([a.conflicts(), b.conflicts(), c.conflicts()], [vec![], vec![], vec![]]);
    c.node.connect(&a.node).await;
    settle().await;
    for each in [&a, &b, &c] {
        assert_eq!(each.found(), Ok(a.actor.id()));
    }
    assert_eq!([a.conflicts().len(), b.conflicts().len(), c.conflicts().len()], [1, 0, 1]);
}

async fn a_session_that_is_resumed_settles_nothing_anew(network: Network) {
    let lasting = |number| {
        node_with(&network, number, |builder| builder.resume_timeout(actor_cluster::limits::RESUME_TIMEOUT))
    };
    let (a, b) = (lasting(1).await, lasting(2).await);
    a.connect(&b).await;
    let (mut a, mut b) = (Wants::on(a).await, Wants::on(b).await);
    a.take(Conflict::Reject).unwrap();
    settle().await;
    network.cut();
    // Its name is known while nobody carries anything.
    assert_eq!(b.take(Conflict::Reject), Err(PublishError::NameHeld(a.who())));
    b.node.server.join_group("counters", &b.actor).unwrap();
    pass(BEAT).await;
    assert_eq!((a.node.group("counters"), b.found()), (vec![b.actor.id()], Ok(a.actor.id())));
    // Taken on both sides of a cut, before either can hear of it.
    network.cut();
    a.node.server.unpublish("leader", &a.actor);
    assert_eq!(a.take(Conflict::Newest), Ok(()));
    settle().await;
    pass(BEAT).await;
    assert_eq!(b.found(), Ok(a.actor.id()));
    assert_eq!([a.conflicts(), b.conflicts()], [vec![], vec![]]);
}
