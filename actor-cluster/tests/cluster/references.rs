//! Addresses of actors that nobody publishes, inside messages and answers.

use std::sync::{Arc, Mutex};

use actor_cluster::wire::{EncodeError, WireContext, from_bytes, to_bytes};
use actor_cluster::{FindError, Operation, RemoteMessage};
use actor_core::{
    Actor, ActorError, ActorRef, ActorSystem, CallFailure, Executor, Exit, Rejection, ReplyPort, SendError,
    SpawnOptions, Status, actor,
};

use super::Network;
use super::support::{
    Count, Counter, Exits, Start, TestNode, disconnected, failure, id, node, node_on, node_with,
    on_every_shape, settle, system_after, two,
};

on_every_shape! {
    w26_an_address_in_a_message_is_the_right_to_use_it
    b03_local_and_remote_references_fare_alike
    b03_an_address_that_comes_home_is_the_actor_itself
    b03_a_third_node_can_be_given_an_address
    an_address_found_by_name_is_passed_on_as_such
    the_address_of_an_actor_that_has_ended_is_that_of_nobody
    an_address_works_again_in_the_next_session_with_the_same_life
    an_address_of_a_former_life_leads_nowhere
    addresses_come_in_lists_and_as_handles
    addresses_of_other_messages_keep_two_builds_apart
    what_is_no_address_of_a_node_is_unsendable
    authorize_is_asked_about_actors_that_were_given
}

#[derive(Debug, RemoteMessage)]
enum Desk {
    /// Adds numbers from zero up.
    Use(ActorRef<Count>, u64),
    #[rpc]
    Keep(Vec<ActorRef<Count>>, ReplyPort<u64>),
    /// What was kept last.
    #[rpc]
    Hand(ReplyPort<Option<ActorRef<Count>>>),
    #[rpc]
    Greet(BellRef, ReplyPort<String>),
}

/// Takes, as `Desk`, another type of address.
#[derive(Debug, RemoteMessage)]
enum Other {
    Nothing,
}

#[derive(Debug, RemoteMessage)]
#[wire(name = "tests::false_desk")]
enum FalseDesk {
    #[rpc]
    Keep(Vec<ActorRef<Other>>, ReplyPort<u64>),
}

struct Bell;

#[actor(remote, message(wire(name = "test/bell")))]
impl Bell {
    fn ring(&mut self, who: String) -> String {
        format!("ring, {who}")
    }
}

#[derive(Clone, Default)]
struct Clerk(Arc<Mutex<Vec<ActorRef<Count>>>>);

impl Clerk {
    fn last(&self) -> ActorRef<Count> {
        self.0.lock().unwrap().last().unwrap().clone()
    }
}

impl Actor for Clerk {
    type Msg = Desk;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: &ActorRef<Desk>, (): ()) -> Result<(), ActorError> {
        Ok(())
    }

    async fn handle(&self, _: &ActorRef<Desk>, message: Desk, (): &mut ()) -> Result<(), ActorError> {
        match message {
            Desk::Use(actor, times) => {
                for number in 0..times {
                    actor.send(Count::Add(number)).await.map_err(|error| error.to_string())?;
                }
            }
            Desk::Keep(actors, port) => {
                let mut kept = self.0.lock().unwrap();
                kept.extend(actors);
                _ = port.send(kept.len() as u64);
            }
            Desk::Hand(port) => _ = port.send(self.0.lock().unwrap().last().cloned()),
            Desk::Greet(bell, port) => _ = port.send(bell.ring("clerk".into()).await?),
        }
        Ok(())
    }
}

/// A clerk of a node's, published as `desk`.
async fn clerk(node: &TestNode) -> Clerk {
    let clerk = Clerk::default();
    let desk = node.system.spawn(clerk.clone(), (), SpawnOptions::new()).await.unwrap();
    node.server.publish("desk", &desk).unwrap();
    settle().await;
    clerk
}

fn desk(node: &TestNode) -> ActorRef<Desk> {
    node.server.find("desk").unwrap()
}

/// Gives an address to the clerk of another node, who now has it.
async fn give(from: &TestNode, clerk: &Clerk, actor: &ActorRef<Count>) -> ActorRef<Count> {
    desk(from).call(|port| Desk::Keep(vec![actor.clone()], port)).await.unwrap();
    clerk.last()
}

async fn w26_an_address_in_a_message_is_the_right_to_use_it(network: Network) {
    let (a, b) = two(&network).await;
    let clerk = clerk(&b).await;
    let start = Start::default();
    let counter = a.spawn(start.clone()).await;
    desk(&a).cast(Desk::Use(counter.clone(), 1000)).unwrap();
    let remote = give(&a, &clerk, &counter).await;
    settle().await;
    assert_eq!(start.added(), (0..1000).collect::<Vec<_>>());
    assert!(!remote.is_local());
    assert_eq!(remote, counter);
    assert_eq!(remote.call(Count::Get).await, counter.call(Count::Get).await);
    // It may be published besides, and be published no more.
    a.server.publish("counter", &counter).unwrap();
    a.server.unpublish("counter", &counter);
    assert!(remote.call(Count::Get).await.is_ok());
    let exits = Exits::default();
    exits.watch(&remote);
    remote.stop(Some("enough"));
    assert_eq!(counter.wait(None).await, Ok(Exit::Stopped(Some("enough".into()))));
    settle().await;
    assert_eq!(exits.seen(), [Exit::Stopped(Some("enough".into()))]);
}

/// What can be seen of an actor by its address alone, to its end and after it.
async fn fare(node: &TestNode, make: impl AsyncFn(Start) -> ActorRef<Count>) -> Vec<String> {
    let mut seen = Vec::new();
    let mut note = |what: String| seen.push(what);
    for ending in 0..5 {
        let start = Start::narrow(3);
        let actor = make(start.clone()).await;
        settle().await;
        let (cast, call) = (actor.cast(Count::Add(1)), actor.call(Count::Get));
        note(format!("{cast:?} {:?}", actor.status()));
        let ((), got) = tokio::join!(async { start.gate.let_through(2) }, call);
        note(format!("{got:?}"));
        for number in 2..5 {
            note(format!("{:?}", actor.send(Count::Add(number)).await));
        }
        // In a mailbox far away a message may lie beside the others on its way.
        let exits = Exits::default();
        exits.watch(&actor);
        let waiting = tokio::spawn({
            let actor = actor.clone();
            async move { actor.wait(None).await }
        });
        settle().await;
        match ending {
            0 => actor.stop(Some("enough")),
            1 => actor.kill(),
            2 => actor.drain(),
            3 => drop(actor.send(Count::Panic).await),
            _ => drop(actor.send(Count::Fail).await),
        }
        settle().await;
        start.gate.open();
        settle().await;
        note(format!("{:?} {:?} {:?}", exits.seen(), waiting.await.unwrap(), start.added()));
        note(format!("{:?}", actor.status()));
        let after = actor.call(Count::Get).await.unwrap_err();
        note(format!("ran: {}", after.failure().is_some_and(|failure| *failure == CallFailure::Unknown)));
        actor.stop(None);
        actor.kill();
        assert_eq!(exits.seen().len(), 1);
        exits.watch(&actor);
        settle().await;
        note(format!("told {}", exits.seen().len()));
    }
    assert_eq!(node.server.sessions().len(), 1);
    seen
}

async fn b03_local_and_remote_references_fare_alike(network: Network) {
    let (a, b) = two(&network).await;
    let clerk = clerk(&b).await;
    let here = fare(&a, async |start| a.spawn(start).await).await;
    let there = fare(&a, async |start| give(&a, &clerk, &a.spawn(start).await).await).await;
    assert_eq!(here, there);
}

async fn b03_an_address_that_comes_home_is_the_actor_itself(network: Network) {
    let (a, b) = two(&network).await;
    clerk(&b).await;
    let counter = a.counter(7).await;
    desk(&a).call(|port| Desk::Keep(vec![counter.clone()], port)).await.unwrap();
    let back = desk(&a).call(Desk::Hand).await.unwrap().unwrap();
    assert!(back.is_local());
    assert_eq!(back, counter);
    network.cut();
    settle().await;
    assert_eq!(back.call(Count::Get).await, Ok(7), "no session is needed");
}

async fn b03_a_third_node_can_be_given_an_address(network: Network) {
    let [a, b, c] = [node(&network, 1).await, node(&network, 2).await, node(&network, 3).await];
    a.connect(&b).await;
    c.connect(&b).await;
    let (at_b, at_c) = (clerk(&b).await, clerk(&c).await);
    let start = Start::default();
    let counter = a.spawn(start.clone()).await;
    desk(&a).call(|port| Desk::Keep(vec![counter.clone()], port)).await.unwrap();
    let at_b = at_b.last();
    let to_c: ActorRef<Desk> = b.server.find("desk").unwrap();
    assert!(to_c.is_local(), "its own is found first");
    let to_c = b.server.group::<Desk>("desks");
    assert!(to_c.is_empty());
    c.server.join_group("desks", &desk(&c)).unwrap();
    settle().await;
    let to_c = b.server.group::<Desk>("desks").remove(0);
    to_c.call(|port| Desk::Keep(vec![at_b.clone()], port)).await.unwrap();
    let at_c = at_c.last();
    assert_eq!((at_c.id(), at_c.status()), (counter.id(), Status::Stopped));
    // Nobody is dialled for it.
    assert!(matches!(at_c.cast(Count::Add(1)), Err(SendError::NotConnected(Count::Add(1)))));
    assert_eq!(at_c.wait(None).await, Ok(Exit::Unreachable));
    assert_eq!(c.peers(), [id(2)]);
    c.connect(&a).await;
    (0..100).for_each(|number| at_c.cast(Count::Add(number)).unwrap());
    assert_eq!(at_c.call(Count::Get).await, Ok(4950));
    assert_eq!(start.added(), (0..100).collect::<Vec<_>>());
    // Back to B by way of C, and home by way of B.
    let home = desk(&a).call(Desk::Hand).await.unwrap().unwrap();
    assert!(home.is_local());
    let exits = Exits::default();
    exits.watch(&at_c);
    exits.watch(&at_b);
    settle().await;
    counter.stop(None);
    settle().await;
    assert_eq!(exits.seen(), [Exit::Stopped(None), Exit::Stopped(None)]);
}

async fn an_address_found_by_name_is_passed_on_as_such(network: Network) {
    let [a, b, c] = [node(&network, 1).await, node(&network, 2).await, node(&network, 3).await];
    a.connect(&b).await;
    a.connect(&c).await;
    b.connect(&c).await;
    let at_b = clerk(&b).await;
    let counter = c.publish("counter", Start::default()).await;
    settle().await;
    // To B, of C's actor; and home, of B's own.
    let remote = give(&a, &at_b, &a.find("counter")).await;
    assert_eq!(remote.call(Count::Get).await, Ok(0));
    let own = b.publish("own", Start::default()).await;
    settle().await;
    assert!(give(&a, &at_b, &a.find("own")).await.is_local());
    c.server.unpublish("counter", &counter);
    let nobody = CallFailure::Rejected(Rejection::NoSuchActor);
    assert_eq!(failure(remote.call(Count::Get).await), nobody, "it was reached by its name");
    let found = a.find("own");
    b.server.unpublish("own", &own);
    let gone = give(&a, &at_b, &found).await;
    assert!(matches!(gone.cast(Count::Add(1)), Err(SendError::Stopped(..))));
    assert_eq!(own.status(), Status::Running);
}

async fn the_address_of_an_actor_that_has_ended_is_that_of_nobody(network: Network) {
    let (a, b) = two(&network).await;
    let clerk = clerk(&b).await;
    let counter = a.counter(0).await;
    let remote = give(&a, &clerk, &counter).await;
    counter.stop_and_wait(None, None).await.unwrap();
    let nobody = CallFailure::Rejected(Rejection::NoSuchActor);
    assert_eq!(failure(remote.call(Count::Get).await), nobody);
    // What comes home is of an actor that has ended; so is what goes out again.
    let home = desk(&a).call(Desk::Hand).await.unwrap().unwrap();
    assert_eq!((home.id(), home.status(), home.is_local()), (counter.id(), Status::Stopped, false));
    assert!(matches!(home.cast(Count::Add(1)), Err(SendError::Stopped(Count::Add(1), None))));
    assert!(matches!(home.send(Count::Add(1)).await, Err(SendError::Stopped(..))));
    assert_eq!(home.stop_and_wait(None, None).await, Ok(Exit::Unreachable));
    for dead in [home, counter] {
        let remote = give(&a, &clerk, &dead).await;
        assert_eq!(failure(remote.call(Count::Get).await), nobody);
        assert_eq!(remote.wait(None).await, Ok(Exit::Unreachable));
    }
}

async fn an_address_works_again_in_the_next_session_with_the_same_life(network: Network) {
    let (a, b) = two(&network).await;
    let clerk = clerk(&b).await;
    let counter = a.counter(3).await;
    let remote = give(&a, &clerk, &counter).await;
    assert_eq!(remote.call(Count::Get).await, Ok(3));
    let mut events = b.server.subscribe();
    network.cut();
    disconnected(&mut events).await;
    assert!(matches!(remote.cast(Count::Add(1)), Err(SendError::NotConnected(_))));
    b.connect(&a).await;
    assert_eq!(remote.call(Count::Get).await, Ok(3));
    let exits = Exits::default();
    exits.watch(&remote);
    remote.kill();
    settle().await;
    assert_eq!(exits.seen(), [Exit::Killed]);
}

async fn an_address_of_a_former_life_leads_nowhere(network: Network) {
    let first = ActorSystem::on(Executor::tokio());
    let a = node_on(&network, 1, &first).await;
    let b = node(&network, 2).await;
    a.connect(&b).await;
    let clerk = clerk(&b).await;
    let counter = a.counter(3).await;
    let remote = give(&a, &clerk, &counter).await;
    a.shutdown().await;
    let a = node_on(&network, 1, &system_after(&first)).await;
    a.connect(&b).await;
    settle().await;
    // An actor of the same number, in the new life.
    let successor = a.counter(9).await;
    give(&a, &clerk, &successor).await;
    assert!(matches!(remote.cast(Count::Add(1)), Err(SendError::NotConnected(_))));
    assert_eq!(remote.wait(None).await, Ok(Exit::Unreachable));
    // It comes home as what it is: an address of somebody else.
    clerk.0.lock().unwrap().push(remote);
    let home = desk(&a).call(Desk::Hand).await.unwrap().unwrap();
    assert_eq!((home.id(), home.is_local()), (counter.id(), false));
    assert!(matches!(home.cast(Count::Add(1)), Err(SendError::NotConnected(_))));
    assert_eq!(successor.call(Count::Get).await, Ok(9));
}

async fn addresses_come_in_lists_and_as_handles(network: Network) {
    let (a, b) = two(&network).await;
    let clerk = clerk(&b).await;
    let mut counters = Vec::new();
    for count in 0..100 {
        counters.push(a.counter(count).await);
    }
    assert_eq!(desk(&a).call(Desk::Hand).await.unwrap(), None);
    desk(&a).call(|port| Desk::Keep(counters.clone(), port)).await.unwrap();
    let kept = clerk.0.lock().unwrap().clone();
    assert_eq!(kept, counters);
    for (remote, count) in kept.iter().zip(0..) {
        assert_eq!(remote.call(Count::Get).await, Ok(count));
    }
    let bell = Bell.spawn().on(&a.system).await.unwrap();
    let rung = desk(&a).call(|port| Desk::Greet(bell.clone(), port)).await;
    assert_eq!(rung.unwrap(), "ring, clerk");
}

async fn addresses_of_other_messages_keep_two_builds_apart(network: Network) {
    let (a, b) = two(&network).await;
    clerk(&b).await;
    struct Nobody;
    impl Actor for Nobody {
        type Msg = Other;
        type State = ();
        type Arguments = ();
        async fn pre_start(&self, _: &ActorRef<Other>, (): ()) -> Result<(), ActorError> {
            Ok(())
        }
        async fn handle(&self, _: &ActorRef<Other>, _: Other, (): &mut ()) -> Result<(), ActorError> {
            Ok(())
        }
    }
    let nobody = a.system.spawn(Nobody, (), SpawnOptions::new()).await.unwrap();
    nobody.cast(Other::Nothing).unwrap();
    // What a peer says that calls its address what it is not.
    let false_desk = b.system.spawn(FalseClerk, (), SpawnOptions::new()).await.unwrap();
    b.server.publish("false", &false_desk).unwrap();
    settle().await;
    let unlike = a.server.find::<FalseDesk>("false").unwrap_err();
    assert!(
        matches!(&unlike, FindError::Incompatible { .. }) && unlike.to_string().contains("actor-ref"),
        "{unlike}"
    );
    assert_eq!(a.peers(), [id(2)]);
}

/// Of the same name on the wire as `FalseDesk`, and of other addresses.
#[derive(Debug, RemoteMessage)]
#[wire(name = "tests::false_desk")]
enum TrueDesk {
    #[rpc]
    Keep(Vec<ActorRef<Count>>, ReplyPort<u64>),
}

struct FalseClerk;

impl Actor for FalseClerk {
    type Msg = TrueDesk;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: &ActorRef<TrueDesk>, (): ()) -> Result<(), ActorError> {
        Ok(())
    }

    async fn handle(&self, _: &ActorRef<TrueDesk>, message: TrueDesk, (): &mut ()) -> Result<(), ActorError> {
        let TrueDesk::Keep(actors, port) = message;
        _ = port.send(actors.len() as u64);
        Ok(())
    }
}

async fn what_is_no_address_of_a_node_is_unsendable(network: Network) {
    let (a, b) = two(&network).await;
    clerk(&b).await;
    let counter = a.counter(0).await;
    let outside = to_bytes(&counter, &WireContext::default()).unwrap_err();
    assert!(matches!(&outside, EncodeError::Custom { detail, .. } if detail.contains("in a session only")));
    let bytes = bytes::Bytes::from_static(&[0; 33]);
    assert!(from_bytes::<ActorRef<Count>>(&bytes, &WireContext::default()).is_err());
    // Of another system of this process: nobody would find it by what this node could say of it.
    let elsewhere = ActorSystem::on(Executor::tokio());
    let foreign = elsewhere.spawn(Counter, Start::default(), SpawnOptions::new()).await.unwrap();
    let Err(SendError::Unsendable(Desk::Use(back, 1), text)) = desk(&a).cast(Desk::Use(foreign.clone(), 1))
    else {
        panic!("it cannot be sent")
    };
    assert_eq!(back, foreign);
    assert!(text.contains("another actor system"), "{text}");
    assert_eq!(desk(&a).call(Desk::Hand).await.unwrap(), None, "the session goes on");
}

async fn authorize_is_asked_about_actors_that_were_given(network: Network) {
    let hook = |_: &_, operation, _| matches!(operation, Operation::Call | Operation::Publish);
    let a = node_with(&network, 1, |builder| builder.authorize(hook)).await;
    let b = node(&network, 2).await;
    a.connect(&b).await;
    let clerk = clerk(&b).await;
    let counter = a.counter(0).await;
    let remote = give(&a, &clerk, &counter).await;
    remote.cast(Count::Add(1)).unwrap();
    remote.stop(None);
    remote.kill();
    remote.drain();
    assert_eq!(remote.wait(None).await, Ok(Exit::Unreachable));
    assert_eq!(remote.call(Count::Get).await, Ok(0));
    assert_eq!(counter.status(), Status::Running);
}
