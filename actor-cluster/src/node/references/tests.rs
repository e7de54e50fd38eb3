//! Addresses that a peer makes up, and what it can make us keep.

use std::sync::Arc;
use std::time::Duration;

use actor_core::{
    Actor, ActorError, ActorId, ActorRef, ActorSystem, CallFailure, Executor, Exit, Rejection, ReplyPort,
    SpawnOptions, Status,
};
use bytes::{Bytes, BytesMut};

use super::super::exports::{Exports, TooMany};
use super::super::link::Link;
use super::super::outbound::remote_ref;
use crate::NodeServer;
use crate::id::{NodeId, NodeLife};
use crate::locked::locked;
use crate::testing::pipe::PipeNetwork;
use crate::transport::PeerIdentity;
use crate::wire::reference::{Home, Reference, Token};
use crate::wire::{DecodeErrorKind, Encoder, RemoteMessage, Urgency, from_bytes};

#[derive(crate::RemoteMessage)]
enum Ask {
    #[rpc]
    Anything(ReplyPort<u64>),
}

#[derive(crate::RemoteMessage)]
enum Unasked {
    Nothing,
}

struct Answerer;

impl Actor for Answerer {
    type Msg = Ask;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: &ActorRef<Ask>, (): ()) -> Result<(), ActorError> {
        Ok(())
    }

    async fn handle(&self, _: &ActorRef<Ask>, message: Ask, (): &mut ()) -> Result<(), ActorError> {
        let Ask::Anything(port) = message;
        _ = port.send(7);
        Ok(())
    }
}

struct World {
    here: ActorSystem,
    there: ActorSystem,
    a: NodeServer,
    b: NodeServer,
    _network: PipeNetwork,
}

impl World {
    async fn new() -> Self {
        let network = PipeNetwork::new();
        let [here, there] = [(); 2].map(|()| ActorSystem::on(Executor::tokio()));
        let node = |number: u8, system: &ActorSystem| {
            let id = NodeId::from_bytes([number; 32]);
            let transport = network.transport(format!("node-{number}")).with_identity(PeerIdentity::Node(id));
            NodeServer::builder(id).system(system.clone()).transport(transport).start()
        };
        let (a, b) = (node(1, &here).await.unwrap(), node(2, &there).await.unwrap());
        a.connect(&b.addresses()[0]).await.unwrap();
        Self { here, there, a, b, _network: network }
    }

    async fn answerer(&self) -> ActorRef<Ask> {
        self.there.spawn(Answerer, (), SpawnOptions::new()).await.unwrap()
    }

    /// The session, as A has it.
    fn at_a(&self) -> Arc<Link> {
        self.a.node.links().remove(0)
    }

    /// The session, as B has it.
    fn at_b(&self) -> Arc<Link> {
        self.b.node.links().remove(0)
    }

    /// An address that A makes up.
    fn made_up<M: RemoteMessage>(&self, serial: u64, token: Token) -> ActorRef<M> {
        let peer = locked(&self.a.node.peers).present[&self.b.id()].clone();
        let actor = ActorId::new(self.there.incarnation(), serial);
        remote_ref(peer, actor, None, Some(token), self.here.executor().clone())
    }

    fn exports(&self) -> &Arc<Exports> {
        &self.b.node.exports
    }

    /// What B makes of an address that A writes.
    fn read_by_b<M: RemoteMessage>(&self, reference: &Reference) -> Result<ActorRef<M>, DecodeErrorKind> {
        let (mut buffer, link) = (BytesMut::new(), self.at_b());
        reference.encode(&mut Encoder::new(&mut buffer, &link.context)).unwrap();
        from_bytes(&buffer.freeze(), &link.context).map_err(|error| error.kind().clone())
    }
}

async fn settle() {
    tokio::time::sleep(Duration::from_millis(1)).await; // sleep: virtual time, which passes when all are idle
}

async fn outcome(actor: &ActorRef<Ask>) -> Result<u64, CallFailure> {
    actor.call(Ask::Anything).await.map_err(|error| error.failure().cloned().unwrap())
}

const NOBODY: Result<u64, CallFailure> = Err(CallFailure::Rejected(Rejection::NoSuchActor));

#[tokio::test(start_paused = true)]
async fn a_token_that_was_never_given_is_worth_nothing() {
    let world = World::new().await;
    let (given, hidden) = (world.answerer().await, world.answerer().await);
    let exports = world.exports();
    let good = exports.export(&given, world.b.node.catalog()).unwrap();
    exports.watch_fresh();
    assert_eq!(outcome(&world.made_up(given.id().serial(), good)).await, Ok(7));
    let serial = hidden.id().serial();
    let mut forged = *exports.token(serial).as_bytes();
    forged[15] ^= 1;
    let former_life = Exports::new(world.there.executor(), world.there.incarnation());
    let tokens = [
        Token::from_bytes([0; 16]),
        Token::from_bytes(forged),
        // Of another actor; and of the same one, by another key.
        good,
        former_life.token(serial),
        // Right, but this node has given it to nobody.
        exports.token(serial),
    ];
    for token in tokens {
        let actor = world.made_up(serial, token);
        assert_eq!(outcome(&actor).await, NOBODY);
        actor.stop(None);
        actor.drain();
        actor.kill();
        assert_eq!(actor.wait(None).await, Ok(Exit::Unreachable));
    }
    // Of one that was given, but to somebody else.
    let elses = world.answerer().await;
    exports.export(&elses, world.b.node.catalog()).unwrap();
    exports.watch_fresh();
    for token in [Token::from_bytes([0; 16]), good, former_life.token(elses.id().serial())] {
        let actor = world.made_up(elses.id().serial(), token);
        assert_eq!(outcome(&actor).await, NOBODY);
        actor.kill();
        assert_eq!(actor.wait(None).await, Ok(Exit::Unreachable));
    }
    assert_eq!(elses.status(), Status::Running);
    for serial in [0, 999, u64::MAX] {
        assert_eq!(outcome(&world.made_up(serial, exports.token(serial))).await, NOBODY);
    }
    assert_eq!((hidden.status(), world.at_b().given()), (Status::Running, 1));
    assert_eq!(world.a.sessions().len(), 1, "the session lives");
}

#[tokio::test(start_paused = true)]
async fn a_peer_cannot_name_our_own_actors_to_us() {
    let world = World::new().await;
    let (given, hidden) = (world.answerer().await, world.answerer().await);
    let token = world.exports().export(&given, world.b.node.catalog()).unwrap();
    let ours = |actor: &ActorRef<Ask>, token| Reference {
        home: Home::Reader,
        actor: actor.id().serial(),
        message: Ask::TYPE,
        token,
    };
    let read = world.read_by_b::<Ask>(&ours(&given, Some(token))).unwrap();
    assert!(read.is_local());
    let third = Home::Third(NodeLife::new(world.b.id(), world.there.incarnation()));
    let read = world.read_by_b::<Ask>(&Reference { home: third, ..ours(&given, Some(token)) }).unwrap();
    assert!(read.is_local(), "whatever it is called");
    assert_eq!(world.read_by_b::<Ask>(&ours(&hidden, Some(token))), Err(DecodeErrorKind::NotGiven));
    // Without a token a number says nothing, neither of who lives nor of what it takes.
    for serial in [given.id().serial(), hidden.id().serial(), 12345] {
        let reference = Reference { actor: serial, ..ours(&given, None) };
        assert_eq!(world.read_by_b::<Ask>(&reference).unwrap().status(), Status::Stopped);
    }
    let other = Reference { message: Unasked::TYPE, ..ours(&given, Some(token)) };
    assert_eq!(world.read_by_b::<Ask>(&other), Err(DecodeErrorKind::WrongMessages));
    // It lies about what the actor takes.
    assert_eq!(world.read_by_b::<Unasked>(&other), Err(DecodeErrorKind::WrongMessages));
    assert!(from_bytes::<ActorRef<Ask>>(&Bytes::from_static(&[9; 40]), &world.at_b().context).is_err());
    let _ = Unasked::Nothing;
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_presents_takes_no_memory() {
    let world = World::new().await;
    let link = world.at_a();
    for serial in 0..100_000 {
        assert!(link.act(|session| session.present(serial, Urgency::Normal, &Token::from_bytes([1; 16]))));
        if serial % 1000 == 0 {
            settle().await;
        }
    }
    settle().await;
    assert_eq!(world.at_b().given(), 0);
    // Those that were given, and end: they are forgotten in time.
    for _ in 0..1000 {
        let actor = world.answerer().await;
        let token = world.exports().export(&actor, world.b.node.catalog()).unwrap();
        world.exports().watch_fresh();
        for _ in 0..3 {
            link.act(|session| session.present(actor.id().serial(), Urgency::Normal, &token));
        }
        settle().await;
        actor.kill_and_wait(None).await.unwrap();
        assert!(world.at_b().given() <= 64, "{}", world.at_b().given());
        assert_eq!(world.exports().count(), 0);
    }
    assert_eq!(world.a.sessions().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_is_given_is_bounded_and_ends_with_its_actor() {
    let world = World::new().await;
    let exports = Exports::new(world.there.executor(), world.there.incarnation()).with_most(2);
    let exports = Arc::new(exports);
    let actors = [world.answerer().await, world.answerer().await, world.answerer().await];
    let first = exports.export(&actors[0], world.b.node.catalog()).unwrap();
    exports.export(&actors[1], world.b.node.catalog()).unwrap();
    assert_eq!(exports.export(&actors[2], world.b.node.catalog()).err(), Some(TooMany));
    assert_eq!(
        exports.export(&actors[0], world.b.node.catalog()).unwrap().as_bytes(),
        first.as_bytes(),
        "it is there already"
    );
    // One that ends before anybody watches it.
    actors[0].kill_and_wait(None).await.unwrap();
    assert_eq!(exports.count(), 2);
    exports.watch_fresh();
    assert_eq!(exports.count(), 1);
    assert!(exports.export(&actors[0], world.b.node.catalog()).is_ok(), "what has ended takes no place");
    assert!(exports.export(&actors[2], world.b.node.catalog()).is_ok());
    exports.watch_fresh();
    actors[1].kill_and_wait(None).await.unwrap();
    actors[2].kill_and_wait(None).await.unwrap();
    assert_eq!(exports.count(), 0);
}

#[tokio::test(start_paused = true)]
async fn lives_of_nodes_that_nobody_holds_addresses_of_are_forgotten() {
    let world = World::new().await;
    let known = || locked(&world.b.node.peers).known_count();
    let mut kept = Vec::new();
    for number in 0..10_000_u32 {
        let mut node = [7; 32];
        node[..4].copy_from_slice(&number.to_le_bytes());
        let home = Home::Third(NodeLife::new(NodeId::from_bytes(node), world.there.incarnation()));
        let token = Some(Token::from_bytes([1; 16]));
        let read = world.read_by_b::<Ask>(&Reference { home, actor: 1, message: Ask::TYPE, token }).unwrap();
        if number % 1000 == 0 {
            kept.push(read);
        }
        assert!(known() <= 64, "{}", known());
    }
    assert_eq!(kept.len(), 10);
}

#[tokio::test(start_paused = true)]
async fn claims_and_ends_of_what_never_was_change_nothing() {
    let world = World::new().await;
    let (given, hidden) = (world.answerer().await, world.answerer().await);
    let token = world.exports().export(&given, world.b.node.catalog()).unwrap();
    world.exports().watch_fresh();
    assert_eq!(outcome(&world.made_up(given.id().serial(), token)).await, Ok(7));
    let link = world.at_a();
    for serial in [0, given.id().serial(), hidden.id().serial(), u64::MAX] {
        link.act(|session| {
            session.claim(serial, true);
            session.claim(serial, false);
            session.unlink(serial, true);
            session.unlinked(serial);
        });
    }
    // A link to somebody it does not know, and one that it may have; to supervisors that are nobody.
    let numbers: Vec<_> = [(hidden.id().serial(), None), (given.id().serial(), Some(&token))]
        .into_iter()
        .map(|(serial, token)| link.act(|session| session.link(serial, 999, token)).unwrap())
        .collect();
    settle().await;
    assert_eq!((hidden.cell().supervisor().is_some(), given.cell().supervisor().is_some()), (false, true));
    link.act(|session| numbers.iter().for_each(|number| session.unlink(*number, false)));
    settle().await;
    assert_eq!((given.status(), hidden.status()), (Status::Running, Status::Running));
    assert_eq!((given.cell().supervisor(), world.at_b().watched()), (None, 0));
    assert_eq!(world.a.sessions().len(), 1);
}
