//! What holds the bounds where they are seldom met: each fails without one guard.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use actor_core::{Actor, ActorError, ActorRef, ReplyPort};
use actor_durable::limits::{
    DELIVERY_PAUSE_MAX, OUTBOX_MAX, OUTBOX_RESERVED, OUTBOX_WAIT_MAX, STATE_BYTES_MAX, TRANSFERS_MAX,
    TRANSFERS_PER_ACTOR_MAX,
};
use actor_durable::store::{Headers, Message, Outgoing};
use actor_durable::testing::{Fault, FaultMode, FaultStore, Operation};
use actor_durable::{
    ActorType, Durability, Durable, DurableActor, DurableBuilder, DurableId, DurableRef, MessageId, NoError,
    Outlet, ReplyTo, Sequence, Target, Turn, WallTime, WrapActor, Wrapped,
};
use async_trait::async_trait;
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};

use super::player::{Play, Player, Sea, body, is_full, player, target, turns};
use crate::stage::{World, pass};

fn sea(is_shut: bool) -> Sea {
    Sea { is_shut: Arc::new(AtomicBool::new(is_shut)) }
}

fn open(sea: &Sea) {
    sea.is_shut.store(false, Ordering::Relaxed);
}

#[test]
fn so_many_messages_of_a_process_are_given_up_at_a_time() {
    let mut world = World::new();
    let pause = |visit| Fault { operation: Operation::GiveUpDelivery, visit, mode: FaultMode::Pause };
    let store = FaultStore::new(world.store.clone(), (1..=200).map(pause));
    let given_up = {
        let store = store.clone();
        move || store.visits().get(&Operation::GiveUpDelivery).copied().unwrap_or_default()
    };
    let senders = TRANSFERS_MAX / TRANSFERS_PER_ACTOR_MAX + 1;
    let others = (0..senders).flat_map(|p| (0..TRANSFERS_PER_ACTOR_MAX).map(move |n| format!("p{p}-{n}")));
    let others: Vec<String> = others.collect();
    world.crash_with(
        Arc::new(store.clone()),
        |builder| builder.register(Player),
        async |system| {
            let body = body(system, Play::Nothing).await;
            for other in &others {
                // It is there, and is not what whoever sends to it takes it for.
                let to =
                    Target { actor_type: ActorType::new("other").expect("a good name"), ..target(other) };
                let sent_at = WallTime::from_unix(system.executor().unix_time());
                let (id, headers) = (MessageId::new(sent_at, 1), Headers::new());
                let (from, reply_to, body) = (None, None, body.clone());
                let message = Message { to, id, from, reply_to, sent_at, body, headers };
                system.store().enqueue(message).await.expect("there is room");
            }
            let each = u32::try_from(TRANSFERS_PER_ACTOR_MAX).expect("it is small");
            for p in 0..senders {
                player(system, &format!("p{p}")).call(Play::Deal(each)).await.expect("it is stored");
            }
            pass(system, Duration::from_secs(1)).await;
            assert_eq!(given_up(), TRANSFERS_MAX as u64);
            store.resume();
            pass(system, Duration::from_secs(1)).await;
            assert_eq!(given_up(), others.len() as u64);
            store.resume();
            pass(system, Duration::from_secs(1)).await;
            let undelivered = system.store().undelivered(&target("p0").id, None, 100).await;
            assert_eq!(undelivered.expect("it is there").len(), TRANSFERS_PER_ACTOR_MAX);
        },
    );
}

#[test]
fn a_caller_that_waits_for_room_goes_on_when_there_is_some() {
    let (mut world, sea) = (World::new(), sea(true));
    let register = |builder: DurableBuilder| builder.register(Player).outlet("sea", sea.clone());
    world.run_with(register, async |system| {
        let p = player(system, "p");
        p.call(Play::Strew(OUTBOX_MAX)).await.expect("there is room for it");
        let waits = p.call(Play::Throw(1)).into_future();
        let opens = async {
            pass(system, OUTBOX_WAIT_MAX / 2).await;
            open(&sea);
        };
        let (answer, ()) = futures_util::future::join(waits, opens).await;
        assert_eq!(answer.ok(), Some(2));
        let entries = system.store().entries(p.id(), Sequence(1), 9).await.expect("they are there");
        let [full, last] = &*entries else { panic!("{entries:?}") };
        assert!(last.at.since(full.at) >= OUTBOX_WAIT_MAX / 2, "its time is when it goes on");
    });
}

/// Takes so many, and no more.
#[derive(Clone)]
struct Sip(Arc<AtomicUsize>);

#[async_trait]
impl Outlet for Sip {
    async fn deliver(&self, _: &DurableId, _: &Outgoing) -> Result<(), ActorError> {
        let less = |left: usize| left.checked_sub(1);
        match self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less) {
            Ok(_) => Ok(()),
            Err(_) => Err("it is full".into()),
        }
    }
}

#[test]
fn callers_wait_for_the_same_end_though_something_arrives_that_makes_no_room() {
    let (mut world, sip) = (World::new(), Sip(Arc::default()));
    let register = |builder: DurableBuilder| builder.register(Player).outlet("sea", sip.clone());
    world.run_with(register, async |system| {
        let p = player(system, "p");
        for count in [OUTBOX_MAX - 1, 2] {
            p.call(Play::Strew(count)).await.expect("there is room for one more");
        }
        let began = system.executor().now();
        let waits = [(); 2].map(|()| p.call(Play::Throw(1)).into_future());
        let arrives = async {
            sip.0.store(1, Ordering::Relaxed);
            pass(system, OUTBOX_WAIT_MAX).await;
            assert_eq!(sip.0.load(Ordering::Relaxed), 0, "one has arrived");
        };
        let (answers, ()) = futures_util::future::join(join_all(waits), arrives).await;
        assert!(answers.iter().all(is_full), "{answers:?}");
        assert_eq!(system.executor().now().saturating_since(began), OUTBOX_WAIT_MAX);
        sip.0.store(usize::MAX, Ordering::Relaxed);
        pass(system, DELIVERY_PAUSE_MAX).await;
    });
}

#[test]
fn what_arrives_while_callers_wait_for_room_is_marked_before_their_turn() {
    let (mut world, sea) = (World::new(), sea(true));
    // The third turn: the first is that of the beginning.
    let pause = Fault { operation: Operation::CommitTurn, visit: 3, mode: FaultMode::Pause };
    let store = FaultStore::new(world.store.clone(), [pause]);
    let marked = || store.visits().get(&Operation::MarkDelivered).copied().unwrap_or_default();
    let register = |builder: DurableBuilder| builder.register(Player).outlet("sea", sea.clone());
    world.crash_with(Arc::new(store.clone()), register, async |system| {
        let p = player(system, "p");
        p.call(Play::Strew(OUTBOX_MAX)).await.expect("there is room for it");
        let waits = p.call(Play::Throw(1)).into_future();
        let opens = async {
            pass(system, OUTBOX_WAIT_MAX / 2).await;
            open(&sea);
            store.paused().await;
            let marked = marked();
            store.resume();
            marked
        };
        let (answer, marked) = futures_util::future::join(waits, opens).await;
        assert_eq!((answer.ok(), marked), (Some(2), 1));
    });
}

#[test]
fn a_timer_that_finds_no_room_comes_again() {
    let (mut world, sea) = (World::new(), sea(true));
    let register = |builder: DurableBuilder| builder.register(Player).outlet("sea", sea.clone());
    world.run_with(register, async |system| {
        let p = player(system, "p");
        p.call(Play::Later).await.expect("there is room for it");
        p.call(Play::Strew(OUTBOX_MAX)).await.expect("there is room for it");
        pass(system, Duration::from_secs(2)).await;
        assert_eq!(turns(system, "p").await, 2);
        open(&sea);
        pass(system, DELIVERY_PAUSE_MAX).await;
        assert_eq!(turns(system, "p").await, 3);
    });
}

/// Says what it is asked to, later if it is asked to by itself.
struct Crier;

enum Cry {
    Strew(usize),
    Later,
    Note,
    /// Goes a second later, and changes nothing.
    LeaveLater,
    Leave,
    /// A second later it asks for a timer of a second, with which it will leave; and changes nothing.
    WindLater,
    Wind,
    /// A second later it notes more than can be stored.
    SwellLater,
    Swell,
    Notes(ReplyPort<u64>),
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Cries {
    notes: u64,
    to_strew: usize,
    #[serde(skip)]
    leaves: bool,
    #[serde(skip)]
    winds: bool,
    load: String,
}

impl Actor for Crier {
    type Msg = Cry;
    type State = Cries;
    type Arguments = ();

    async fn pre_start(&self, _: &ActorRef<Cry>, (): ()) -> Result<Cries, ActorError> {
        Ok(Cries::default())
    }

    async fn handle(&self, myself: &ActorRef<Cry>, cry: Cry, cries: &mut Cries) -> Result<(), ActorError> {
        match cry {
            Cry::Strew(count) => cries.to_strew = count,
            Cry::Later => _ = myself.send_after(Duration::from_secs(1), Cry::Note),
            Cry::LeaveLater => _ = myself.send_after(Duration::from_secs(1), Cry::Leave),
            Cry::Leave => cries.leaves = true,
            Cry::WindLater => _ = myself.send_after(Duration::from_secs(1), Cry::Wind),
            Cry::Wind => cries.winds = true,
            Cry::SwellLater => _ = myself.send_after(Duration::from_secs(1), Cry::Swell),
            Cry::Swell => (cries.notes, cries.load) = (cries.notes + 1, "x".repeat(STATE_BYTES_MAX)),
            Cry::Note => (cries.notes, cries.to_strew) = (cries.notes + 1, 1),
            Cry::Notes(port) => _ = port.send(cries.notes),
        }
        Ok(())
    }
}

impl WrapActor for Crier {
    const TYPE: &'static str = "crier";
    type Command = Play;
    type Reply = u64;

    fn arguments(&self, _: &DurableId) {}

    fn message(play: Play, to: ReplyTo<u64>) -> Cry {
        match play {
            Play::Look => return Cry::Notes(to.port()),
            _ => to.always(0),
        }
        match play {
            Play::Strew(count) => Cry::Strew(count),
            Play::Wave => Cry::LeaveLater,
            Play::Nothing => Cry::WindLater,
            Play::Throw(_) => Cry::SwellLater,
            _ => Cry::Later,
        }
    }

    fn is_query(play: &Play) -> bool {
        matches!(play, Play::Look)
    }

    fn on_handled(&self, cries: &mut Cries, turn: &mut Turn<'_, Wrapped<Self>>) -> Result<(), ActorError> {
        for _ in 0..std::mem::take(&mut cries.to_strew) {
            turn.effect("sea", None, "drop")?;
        }
        if std::mem::take(&mut cries.leaves) {
            turn.passivate();
        }
        if std::mem::take(&mut cries.winds) {
            turn.timer(Duration::from_secs(1), &Play::Wave)?;
        }
        Ok(())
    }
}

#[test]
fn an_actor_may_leave_by_what_it_tells_itself_though_nothing_has_changed() {
    let mut world = World::new();
    world.run_with(
        |builder| builder.wrap(Crier),
        async |system| {
            let crier: DurableRef<Wrapped<Crier>> = system.actor("c").expect("a good id");
            crier.call(Play::Wave).await.expect("it is stored");
            pass(system, Duration::from_millis(900)).await;
            assert!(system.is_active(crier.id()));
            pass(system, Duration::from_millis(101)).await;
            assert!(!system.is_active(crier.id()));
        },
    );
}

#[test]
fn an_actor_may_begin_a_timer_by_what_it_tells_itself_though_nothing_has_changed() {
    let mut world = World::new();
    world.run_with(
        |builder| builder.wrap(Crier),
        async |system| {
            let crier: DurableRef<Wrapped<Crier>> = system.actor("c").expect("a good id");
            crier.call(Play::Nothing).await.expect("it is stored");
            pass(system, Duration::from_millis(2_900)).await;
            assert!(system.is_active(crier.id()));
            pass(system, Duration::from_millis(110)).await;
            assert!(!system.is_active(crier.id()));
        },
    );
}

#[test]
fn what_an_actor_tells_itself_and_cannot_be_stored_leaves_it_as_it_was() {
    let mut world = World::new();
    world.run_with(
        |builder| builder.wrap(Crier),
        async |system| {
            let crier: DurableRef<Wrapped<Crier>> = system.actor("c").expect("a good id");
            crier.call(Play::Throw(1)).await.expect("it is stored");
            pass(system, Duration::from_secs(2)).await;
            assert_eq!(crier.call(Play::Look).await.ok(), Some(0));
            crier.call(Play::Later).await.expect("the next may be stored");
            pass(system, Duration::from_secs(2)).await;
            assert_eq!(crier.call(Play::Look).await.ok(), Some(1));
        },
    );
}

#[test]
fn what_an_actor_tells_itself_waits_for_room() {
    let (mut world, sea) = (World::new(), sea(true));
    let register = |builder: DurableBuilder| builder.wrap(Crier).outlet("sea", sea.clone());
    world.run_with(register, async |system| {
        let crier: DurableRef<Wrapped<Crier>> = system.actor("c").expect("a good id");
        let notes = async || crier.call(Play::Look).await.expect("nothing is stored for it");
        crier.call(Play::Later).await.expect("there is room for it");
        crier.call(Play::Strew(OUTBOX_MAX)).await.expect("there is room for it");
        pass(system, Duration::from_secs(2)).await;
        assert_eq!(notes().await, 0);
        open(&sea);
        pass(system, DELIVERY_PAUSE_MAX).await;
        assert_eq!(notes().await, 1);
    });
}

/// Throws as many as it is told to, and stores that when it must.
struct Idler;

impl Durable for Idler {
    const TYPE: &'static str = "idler";
    const DURABILITY: Durability = Durability::Lazy;
    type State = u64;
    type Command = usize;
    type Reply = u64;
    type Error = NoError;

    fn create(&self, _: &DurableId) -> u64 {
        0
    }

    fn is_query(count: &usize) -> bool {
        *count == 0
    }
}

impl DurableActor for Idler {
    async fn handle(&self, count: usize, turns: &mut u64, turn: &mut Turn<'_, Self>) -> Result<u64, NoError> {
        for _ in 0..count {
            turn.effect("sea", None, "drop").expect("a good name");
        }
        *turns += u64::from(count > 0);
        Ok(*turns)
    }
}

#[test]
fn what_is_staged_and_not_to_be_stored_yet_takes_room_too() {
    let (mut world, sea) = (World::new(), sea(true));
    let register = |builder: DurableBuilder| builder.register(Idler).outlet("sea", sea.clone());
    world.run_with(register, async |system| {
        let [caller, letters] = ["c", "l"].map(|id| system.actor::<Idler>(id).expect("a good id"));
        // The first is stored at once, as it is so much; the second is not.
        for count in [OUTBOX_MAX - 1_000, 1_000] {
            caller.call(count).await.expect("there is room for it");
        }
        assert!(is_full(&caller.call(1).await));
        for count in [OUTBOX_MAX - 500, OUTBOX_RESERVED + 500] {
            letters.call(count).await.expect("there is room for it");
        }
        letters.send(1).await.expect("it is stored");
        pass(system, Duration::from_secs(2)).await;
        assert_eq!(letters.call(0).await.ok(), Some(2), "the letter waits");
        open(&sea);
        pass(system, DELIVERY_PAUSE_MAX).await;
        assert_eq!(letters.call(0).await.ok(), Some(3));
    });
}

/// Has something done outside in each turn.
struct Greeter;

impl Actor for Greeter {
    type Msg = ReplyTo<()>;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: &ActorRef<ReplyTo<()>>, (): ()) -> Result<(), ActorError> {
        Ok(())
    }

    async fn handle(
        &self,
        _: &ActorRef<ReplyTo<()>>,
        to: ReplyTo<()>,
        (): &mut (),
    ) -> Result<(), ActorError> {
        to.always(());
        Ok(())
    }
}

impl WrapActor for Greeter {
    const TYPE: &'static str = "greeter";
    type Command = ();
    type Reply = ();

    fn arguments(&self, _: &DurableId) {}

    fn message((): (), to: ReplyTo<()>) -> ReplyTo<()> {
        to
    }

    fn on_handled(&self, (): &mut (), turn: &mut Turn<'_, Wrapped<Self>>) -> Result<(), ActorError> {
        Ok(turn.effect("sea", None, "hello")?)
    }
}

#[test]
fn the_first_turn_of_a_wrapped_actor_may_ask_for_something_too() {
    let (mut world, sip) = (World::new(), Sip(Arc::new(AtomicUsize::new(9))));
    let register = |builder: DurableBuilder| builder.wrap(Greeter).outlet("sea", sip.clone());
    world.run_with(register, async |system| {
        let greeter: DurableRef<Wrapped<Greeter>> = system.actor("g").expect("a good id");
        greeter.call(()).await.expect("it is stored");
        pass(system, Duration::from_secs(1)).await;
        assert_eq!(sip.0.load(Ordering::Relaxed), 7, "its first turn, and that of the command");
    });
}
