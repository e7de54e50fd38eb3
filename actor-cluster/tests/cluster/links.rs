//! Supervisors of actors on other nodes: one event for each end, and nobody is left behind.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use actor_cluster::Operation;
use actor_cluster::limits::HEARTBEAT_TIMEOUT;
use actor_core::{
    Actor, ActorCell, ActorError, ActorRef, Control, Exit, LinkError, SpawnOptions, Status, SupervisionEvent,
};

use super::Network;
use super::support::{
    Count, Start, TestNode, node, node_with, on_every_shape, pass, settle, system_after, two,
};

on_every_shape! {
    b03_each_end_of_a_child_elsewhere_is_told_once
    b03_a_child_that_has_ended_before_is_told_once
    b03_a_lost_session_is_an_end_for_both_sides
    b03_a_node_that_dies_is_an_end
    b03_a_session_that_is_resumed_changes_nothing
    b03_an_end_while_the_session_is_broken_is_told_once
    b03_a_child_that_was_unlinked_is_not_told_of
    b03_the_end_of_the_supervisor_is_the_end_of_the_child
    b03_a_supervisor_that_is_suspended_has_no_children
    b03_another_supervisor_takes_the_child_away
    b03_a_supervisor_on_a_third_node_takes_the_child_away
    b03_whoever_may_not_link_is_told_and_the_child_lives
    b03_to_link_twice_is_to_link_once
    b03_a_supervisor_elsewhere_is_asked_from_there
}

/// Notes what it hears of its children.
#[derive(Clone, Default)]
struct Parent(Arc<Mutex<Vec<String>>>);

impl Parent {
    fn heard(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

#[derive(Debug)]
enum Order {
    Fail,
}

impl Actor for Parent {
    type Msg = Order;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: &ActorRef<Order>, (): ()) -> Result<(), ActorError> {
        Ok(())
    }

    async fn handle(&self, _: &ActorRef<Order>, Order::Fail: Order, (): &mut ()) -> Result<(), ActorError> {
        Err("as asked".into())
    }

    async fn handle_supervisor_evt(
        &self,
        _: &ActorRef<Order>,
        event: SupervisionEvent,
        (): &mut (),
    ) -> Result<(), ActorError> {
        let heard = match event {
            SupervisionEvent::Terminated { exit, .. } => format!("terminated: {exit}"),
            SupervisionEvent::Failed { exit, .. } => format!("failed: {exit}"),
            other => format!("{other:?}"),
        };
        self.0.lock().unwrap().push(heard);
        Ok(())
    }
}

/// A parent, and where it notes what it hears.
async fn parent(node: &TestNode) -> (ActorRef<Order>, Parent) {
    let parent = Parent::default();
    let actor = node.system.spawn(parent.clone(), (), SpawnOptions::new()).await.unwrap();
    (actor, parent)
}

/// An actor of a node's, as it is there and as another node knows it.
async fn child(home: &TestNode, other: &TestNode) -> (ActorRef<Count>, ActorRef<Count>) {
    let child = home.publish("child", Start::default()).await;
    settle().await;
    let remote = other.find("child");
    assert_eq!(remote, child);
    (child, remote)
}

/// The same, linked and known to be.
async fn linked(
    home: &TestNode,
    other: &TestNode,
    supervisor: &ActorRef<Order>,
) -> (ActorRef<Count>, ActorRef<Count>) {
    let (child, remote) = child(home, other).await;
    remote.cell().link(&supervisor.cell()).unwrap();
    assert_eq!(supervisor.cell().children(), [remote.cell()]);
    settle().await;
    assert_eq!(child.cell().supervisor(), Some(supervisor.cell()), "the same, seen from there");
    (child, remote)
}

fn children(supervisor: &ActorRef<Order>) -> Vec<ActorCell> {
    supervisor.cell().children()
}

type Ending = (fn(&Control), fn(&ActorRef<Count>), &'static str, Exit);

async fn b03_each_end_of_a_child_elsewhere_is_told_once(network: Network) {
    fn none(_: &ActorRef<Count>) {}
    let endings: [Ending; 6] = [
        (|actor| actor.stop(Some("enough")), none, "terminated", Exit::Stopped(Some("enough".into()))),
        (|actor| actor.stop(None), none, "terminated", Exit::Stopped(None)),
        (|actor| actor.kill(), none, "terminated", Exit::Killed),
        (|actor| actor.drain(), none, "terminated", Exit::Drained),
        (|_| {}, |actor| actor.cast(Count::Panic).unwrap(), "failed", Exit::Panicked("as asked".into())),
        (|_| {}, |actor| actor.cast(Count::Fail).unwrap(), "failed", Exit::Failed("as asked".into())),
    ];
    let (a, b) = two(&network).await;
    let (supervisor, parent) = parent(&a).await;
    for from_afar in [false, true] {
        for (control, message, event, exit) in &endings {
            let (child, remote) = linked(&b, &a, &supervisor).await;
            let ender = if from_afar { &remote } else { &child };
            control(ender);
            message(ender);
            settle().await;
            assert_eq!(parent.heard(), [format!("{event}: {exit}")]);
            assert_eq!((children(&supervisor), child.cell().supervisor()), (vec![], None));
        }
    }
    network.cut();
    settle().await;
    assert_eq!((parent.heard(), supervisor.status()), (vec![], Status::Running));
}

async fn b03_a_child_that_has_ended_before_is_told_once(network: Network) {
    let (a, b) = two(&network).await;
    let (supervisor, parent) = parent(&a).await;
    let (child, remote) = child(&b, &a).await;
    child.stop_and_wait(None, None).await.unwrap();
    // It is known there no more; nor is anybody there to ask.
    for _ in 0..2 {
        remote.cell().link(&supervisor.cell()).unwrap();
        settle().await;
        assert_eq!(parent.heard(), ["terminated: unreachable"]);
        assert_eq!(children(&supervisor), []);
        network.cut();
        settle().await;
    }
}

async fn b03_a_lost_session_is_an_end_for_both_sides(network: Network) {
    let (a, b) = two(&network).await;
    let (supervisor, parent) = parent(&a).await;
    let (child, _) = linked(&b, &a, &supervisor).await;
    let bystander = b.publish("bystander", Start::default()).await;
    network.cut();
    settle().await;
    assert_eq!(parent.heard(), ["terminated: unreachable"]);
    assert_eq!((children(&supervisor), child.wait(None).await), (vec![], Ok(Exit::Killed)));
    assert_eq!(bystander.status(), Status::Running);
    a.connect(&b).await;
    settle().await;
    assert_eq!(parent.heard(), Vec::<String>::new());
    // A goodbye ends the session, too.
    let (child, _) = linked(&b, &a, &supervisor).await;
    b.server.sessions()[0].close("enough");
    settle().await;
    assert_eq!((parent.heard().len(), child.wait(None).await), (1, Ok(Exit::Killed)));
}

async fn b03_a_node_that_dies_is_an_end(network: Network) {
    let (a, b) = two(&network).await;
    let (supervisor, parent) = parent(&a).await;
    let (child, remote) = linked(&b, &a, &supervisor).await;
    // Nothing more is heard of it.
    network.silence();
    pass(HEARTBEAT_TIMEOUT + Duration::from_secs(2)).await;
    assert_eq!(parent.heard(), ["terminated: unreachable"]);
    assert_eq!(child.wait(None).await, Ok(Exit::Killed), "nor of the other, there");
    assert_eq!(remote.status(), Status::Stopped);
    // It comes back as another.
    let former = b.system.clone();
    b.server.shutdown().await;
    let successor = super::support::node_on(&network, 2, &system_after(&former)).await;
    a.connect(&successor).await;
    settle().await;
    assert_eq!((parent.heard(), children(&supervisor)), (vec![], vec![]));
}

async fn resuming(network: &Network) -> (TestNode, TestNode) {
    let lasting = |builder: actor_cluster::NodeBuilder| builder.resume_timeout(Duration::from_secs(5));
    let (a, b) = (node_with(network, 1, lasting).await, node_with(network, 2, lasting).await);
    a.connect(&b).await;
    (a, b)
}

async fn b03_a_session_that_is_resumed_changes_nothing(network: Network) {
    let (a, b) = resuming(&network).await;
    let (supervisor, parent) = parent(&a).await;
    let (child, _) = linked(&b, &a, &supervisor).await;
    for _ in 0..3 {
        network.cut();
        pass(Duration::from_secs(1)).await;
        assert_eq!((parent.heard(), child.status()), (vec![], Status::Running));
    }
    child.stop(None);
    settle().await;
    assert_eq!(parent.heard(), ["terminated: stopped"]);
}

async fn b03_an_end_while_the_session_is_broken_is_told_once(network: Network) {
    let (a, b) = resuming(&network).await;
    let (supervisor, parent) = parent(&a).await;
    let (child, _) = linked(&b, &a, &supervisor).await;
    network.cut();
    child.stop(Some("meanwhile"));
    pass(Duration::from_secs(1)).await;
    assert_eq!(parent.heard(), ["terminated: stopped: meanwhile"]);
    // Linked while nobody can be asked; and the supervisor ends while nobody can be told.
    let (child, remote) = self::child(&b, &a).await;
    network.cut();
    remote.cell().link(&supervisor.cell()).unwrap();
    pass(Duration::from_secs(1)).await;
    assert_eq!(child.cell().supervisor(), Some(supervisor.cell()));
    network.cut();
    supervisor.kill_and_wait(None).await.unwrap();
    pass(Duration::from_secs(1)).await;
    assert_eq!(child.wait(None).await, Ok(Exit::Killed));
    assert_eq!(a.peers(), [b.id()]);
}

async fn b03_a_child_that_was_unlinked_is_not_told_of(network: Network) {
    let (a, b) = two(&network).await;
    let (supervisor, parent) = parent(&a).await;
    // From the supervisor's side, and from the child's.
    for is_from_afar in [true, false] {
        let (child, remote) = linked(&b, &a, &supervisor).await;
        let unlinker = if is_from_afar { &remote } else { &child };
        unlinker.cell().unlink(&supervisor.cell());
        settle().await;
        assert_eq!((children(&supervisor), child.cell().supervisor()), (vec![], None));
        assert_eq!(child.status(), Status::Running);
        network.cut();
        settle().await;
        assert_eq!(child.status(), Status::Running, "the session was no concern of its");
        child.stop_and_wait(None, None).await.unwrap();
        a.connect(&b).await;
    }
    // At the moment of its end.
    let (child, remote) = linked(&b, &a, &supervisor).await;
    child.stop(None);
    remote.cell().unlink(&supervisor.cell());
    settle().await;
    assert_eq!(parent.heard(), Vec::<String>::new());
    // And then linked again.
    let (child, remote) = linked(&b, &a, &supervisor).await;
    remote.cell().unlink(&supervisor.cell());
    remote.cell().link(&supervisor.cell()).unwrap();
    settle().await;
    assert_eq!(child.cell().supervisor(), Some(supervisor.cell()));
    child.kill();
    settle().await;
    assert_eq!(parent.heard(), ["terminated: killed"]);
}

async fn b03_the_end_of_the_supervisor_is_the_end_of_the_child(network: Network) {
    let (a, b) = two(&network).await;
    let endings: [fn(&ActorRef<Order>); 3] =
        [|parent| parent.stop(None), |parent| parent.kill(), |parent| parent.cast(Order::Fail).unwrap()];
    for end in endings {
        let (supervisor, parent) = parent(&a).await;
        let (child, remote) = linked(&b, &a, &supervisor).await;
        end(&supervisor);
        settle().await;
        assert_eq!(supervisor.status(), Status::Stopped);
        assert_eq!(child.wait(None).await, Ok(Exit::Killed));
        assert_eq!(parent.heard(), Vec::<String>::new());
        assert_eq!(remote.cell().link(&supervisor.cell()), Err(LinkError::SupervisorStopping));
    }
}

async fn b03_a_supervisor_that_is_suspended_has_no_children(network: Network) {
    let (a, b) = two(&network).await;
    let (grandparent, _) = parent(&a).await;
    let parent = Parent::default();
    let make = {
        let parent = parent.clone();
        move || (parent.clone(), ())
    };
    let options = SpawnOptions::new().supervisor(&grandparent.cell());
    let supervisor = a.system.spawn_restartable(make, options).await.unwrap();
    let (child, _) = linked(&b, &a, &supervisor).await;
    supervisor.cast(Order::Fail).unwrap();
    settle().await;
    assert_eq!((child.wait(None).await, supervisor.status()), (Ok(Exit::Killed), Status::Suspended));
    supervisor.cell().restart();
    settle().await;
    assert_eq!((parent.heard(), children(&supervisor)), (vec![], vec![]), "of another life");
    let (child, _) = linked(&b, &a, &supervisor).await;
    child.kill();
    settle().await;
    assert_eq!(parent.heard(), ["terminated: killed"]);
}

async fn b03_another_supervisor_takes_the_child_away(network: Network) {
    let (a, b) = two(&network).await;
    let ((far, far_parent), (near, near_parent)) = (parent(&a).await, parent(&b).await);
    let (child, remote) = linked(&b, &a, &far).await;
    child.cell().link(&near.cell()).unwrap();
    settle().await;
    assert_eq!((children(&far), children(&near)), (vec![], vec![child.cell()]));
    network.cut();
    settle().await;
    assert_eq!(child.status(), Status::Running);
    // And back, and its end is told to the one that has it.
    a.connect(&b).await;
    remote.cell().link(&far.cell()).unwrap();
    settle().await;
    assert_eq!((children(&far), children(&near)), (vec![remote.cell()], vec![]));
    child.stop(None);
    settle().await;
    assert_eq!((far_parent.heard(), near_parent.heard()), (vec!["terminated: stopped".to_owned()], vec![]));
}

async fn b03_a_supervisor_on_a_third_node_takes_the_child_away(network: Network) {
    let [a, b, c] = [node(&network, 1).await, node(&network, 2).await, node(&network, 3).await];
    a.connect(&b).await;
    c.connect(&b).await;
    let ((first, first_parent), (second, second_parent)) = (parent(&a).await, parent(&c).await);
    let (child, remote) = linked(&b, &a, &first).await;
    c.find("child").cell().link(&second.cell()).unwrap();
    settle().await;
    assert_eq!((children(&first), children(&second)), (vec![], vec![remote.cell()]));
    assert_eq!(child.cell().supervisor(), Some(second.cell()));
    a.server.sessions()[0].close("enough");
    settle().await;
    assert_eq!((child.status(), first_parent.heard()), (Status::Running, vec![]));
    second.kill();
    settle().await;
    assert_eq!((child.wait(None).await, second_parent.heard()), (Ok(Exit::Killed), vec![]));
}

async fn b03_whoever_may_not_link_is_told_and_the_child_lives(network: Network) {
    let a = node(&network, 1).await;
    let deny = |_: &_, operation, _| operation != Operation::Link;
    let b = node_with(&network, 2, |builder| builder.authorize(deny)).await;
    a.connect(&b).await;
    let (supervisor, parent) = parent(&a).await;
    let (child, remote) = child(&b, &a).await;
    remote.cell().link(&supervisor.cell()).unwrap();
    settle().await;
    assert_eq!((parent.heard(), children(&supervisor)), (vec!["terminated: unreachable".to_owned()], vec![]));
    network.cut();
    settle().await;
    assert_eq!((child.status(), child.cell().supervisor()), (Status::Running, None));
}

async fn b03_to_link_twice_is_to_link_once(network: Network) {
    let (a, b) = two(&network).await;
    let (supervisor, parent) = parent(&a).await;
    let (child, remote) = linked(&b, &a, &supervisor).await;
    for _ in 0..3 {
        remote.cell().link(&supervisor.cell()).unwrap();
        a.find("child").cell().link(&supervisor.cell()).unwrap();
    }
    child.stop(None);
    settle().await;
    assert_eq!(parent.heard(), ["terminated: stopped"]);
}

async fn b03_a_supervisor_elsewhere_is_asked_from_there(network: Network) {
    let (a, b) = two(&network).await;
    let (_, remote) = child(&b, &a).await;
    let ours = a.counter(0).await;
    assert_eq!(ours.cell().link(&remote.cell()), Err(LinkError::NotLocal));
    assert_eq!(remote.cell().link(&remote.cell()), Err(LinkError::NotLocal));
    ours.cell().unlink(&remote.cell());
    remote.cell().unlink(&ours.cell());
    settle().await;
    assert_eq!((ours.status(), remote.status()), (Status::Running, Status::Running));
}
