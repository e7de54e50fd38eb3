//! What is bounded of the mail, and that those who are full do not wait for each other for ever.

mod guards;
mod narrow;
mod orders;

use std::future::IntoFuture;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use actor_core::{ActorError, ActorSystem};
use actor_durable::limits::{
    ATTEMPT_PAUSE_MAX, DEAD_LETTERS_MAX, DELIVERY_FULL_MAX, DELIVERY_PAUSE_MAX, OUTBOX_BYTES_MAX,
    OUTBOX_BYTES_RESERVED, OUTBOX_MAX, OUTBOX_WAIT_MAX, PAYLOAD_BYTES_MAX, TRANSFERS_MAX,
    TRANSFERS_PER_ACTOR_MAX, UNDELIVERED_MAX,
};
use actor_durable::store::{
    Body, Cause, Claim, ClaimMode, Destination, Entry, Head, Headers, Letter, Message, OutboxPosition,
    Outgoing, Store, TurnCommit,
};
use actor_durable::testing::{Fault, FaultMode, FaultStore, Operation};
use actor_durable::{
    ActorType, Answer, AskError, CodecError, Durable, DurableActor, DurableBuilder, DurableId, DurableRef,
    DurableSystem, MessageId, NoError, NotApplied, Outlet, OwnerId, Position, Sequence, Target, Turn,
    WallTime,
};
use async_trait::async_trait;
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};

use self::narrow::{NARROW_MAX, NARROW_RESERVED, Narrow};
use crate::stage::{Tapped, World, pass};

/// Sends what it is asked to, and counts its turns.
struct Player;

#[derive(Clone, Debug, Serialize, Deserialize)]
enum Play {
    Nothing,
    /// Nothing to each of so many others.
    Deal(u32),
    /// So many bytes to the outside.
    Throw(usize),
    /// So many messages to the outside.
    Strew(usize),
    /// One message to the outside, a second later.
    Later,
    /// It is said to look only, and sends something to the outside.
    Wave,
    /// It holds the ball for a second, and passes it on.
    Ball(String, String),
    /// Nothing for a second.
    Rest,
    Look,
}

impl Durable for Player {
    const TYPE: &'static str = "player";
    type State = u64;
    type Command = Play;
    type Reply = u64;
    type Error = NoError;

    fn create(&self, _: &DurableId) -> u64 {
        0
    }

    fn is_query(play: &Play) -> bool {
        matches!(play, Play::Look | Play::Wave)
    }

    fn on_answer(_: &Answer<'_>) -> Result<Play, CodecError> {
        Ok(Play::Nothing)
    }
}

impl DurableActor for Player {
    async fn handle(&self, play: Play, turns: &mut u64, turn: &mut Turn<'_, Self>) -> Result<u64, NoError> {
        match play {
            Play::Look => return Ok(*turns),
            Play::Nothing => {}
            Play::Deal(count) => {
                let me = turn.id().clone();
                for n in 0..count {
                    turn.send::<Player>(&format!("{me}-{n}"), &Play::Nothing).expect("a good id");
                }
            }
            Play::Throw(bytes) => turn.effect("sea", None, vec![b'x'; bytes]).expect("a good name"),
            Play::Strew(count) => {
                for _ in 0..count {
                    turn.effect("sea", None, "drop").expect("a good name");
                }
            }
            Play::Later => turn.timer(Duration::from_secs(1), &Play::Throw(1)).expect("it can be written"),
            Play::Rest => {
                // sleep: the simulation's time
                ActorSystem::current().executor().sleep(Duration::from_secs(1)).await;
            }
            Play::Wave => turn.effect("sea", None, "hand").expect("a good name"),
            Play::Ball(to, load) => {
                // sleep: the simulation's time
                ActorSystem::current().executor().sleep(Duration::from_secs(1)).await;
                let me = turn.id().to_string();
                turn.send::<Player>(&to, &Play::Ball(me, load)).expect("a good id");
            }
        }
        *turns += 1;
        Ok(*turns)
    }
}

fn player(system: &DurableSystem, id: &str) -> DurableRef<Player> {
    system.actor(id).expect("a good id")
}

async fn turns(system: &DurableSystem, id: &str) -> u64 {
    player(system, id).call(Play::Look).await.expect("nothing is stored for it")
}

/// Nearly as large as a message may be.
fn large() -> String {
    "x".repeat(PAYLOAD_BYTES_MAX - 100)
}

fn target(id: &str) -> Target {
    Target {
        id: DurableId::new(id).expect("a good id"),
        actor_type: ActorType::new(Player::TYPE).expect("a good name"),
    }
}

async fn head(store: &Arc<dyn Store>, id: &str) -> Head {
    store.head(&target(id).id).await.expect("a store").expect("it is there")
}

fn transfers(store: &FaultStore) -> usize {
    let visits = store.visits().get(&Operation::Transfer).copied().unwrap_or_default();
    usize::try_from(visits).expect("it is small")
}

/// A world in which each transfer stands still until it is resumed.
fn with_transfers_that_stand() -> (World, FaultStore) {
    let world = World::new();
    let pause = |visit| Fault { operation: Operation::Transfer, visit, mode: FaultMode::Pause };
    let store = FaultStore::new(world.store.clone(), (1..=2_000).map(pause));
    (world, store)
}

#[test]
fn so_many_messages_of_an_actor_are_under_way_at_a_time() {
    let (mut world, store) = with_transfers_that_stand();
    let over = Arc::new(store.clone());
    world.crash_with(
        over,
        |builder| builder.register(Player),
        async |system| {
            player(system, "p").call(Play::Deal(100)).await.expect("it is stored");
            for under_way in 1..=6 {
                pass(system, Duration::from_secs(1)).await;
                assert_eq!(transfers(&store), under_way * TRANSFERS_PER_ACTOR_MAX);
                store.resume();
            }
            pass(system, Duration::from_secs(1)).await;
            assert_eq!(transfers(&store), 100);
            store.resume();
            pass(system, Duration::from_secs(1)).await;
            for n in 0..100 {
                assert_eq!(turns(system, &format!("p-{n}")).await, 1);
            }
        },
    );
}

#[test]
fn so_many_messages_of_a_process_are_under_way_at_a_time_and_no_actor_keeps_another_from_sending() {
    let (mut world, store) = with_transfers_that_stand();
    let over = Arc::new(store.clone());
    world.crash_with(
        over,
        |builder| builder.register(Player),
        async |system| {
            let many: Vec<_> = (0..10).map(|n| player(system, &format!("p{n}"))).collect();
            let dealt = join_all(many.iter().map(|one| one.call(Play::Deal(100)).into_future())).await;
            assert!(dealt.iter().all(Result::is_ok), "{dealt:?}");
            pass(system, Duration::from_secs(1)).await;
            assert_eq!(transfers(&store), TRANSFERS_MAX);
            // Whoever comes last waits for what is in hand, and not for all that the others have.
            player(system, "last").call(Play::Deal(1)).await.expect("it is stored");
            let before = 10 * TRANSFERS_PER_ACTOR_MAX;
            for _ in 0..before.div_ceil(TRANSFERS_MAX) {
                store.resume();
                pass(system, Duration::from_secs(1)).await;
            }
            store.resume();
            pass(system, Duration::from_secs(1)).await;
            assert_eq!(turns(system, "last-0").await, 1);
            assert!(transfers(&store) < 500, "{}", transfers(&store));
        },
    );
}

/// Takes nothing while it is shut.
#[derive(Clone)]
struct Sea {
    is_shut: Arc<AtomicBool>,
}

#[async_trait]
impl Outlet for Sea {
    async fn deliver(&self, _: &DurableId, _: &Outgoing) -> Result<(), ActorError> {
        if self.is_shut.load(Ordering::Relaxed) { Err("it is shut".into()) } else { Ok(()) }
    }
}

fn is_full(answer: &Result<u64, AskError<NoError>>) -> bool {
    matches!(answer, Err(AskError::NotApplied(why @ NotApplied::OutboxFull)) if why.is_transient())
}

/// How many bytes lie in the outbox of an actor. Whoever asks takes the actor away.
async fn outbox_bytes(store: &Arc<dyn Store>, id: &str) -> usize {
    let head = seize(store, id).await;
    let outbox = store.load(&target(id).id, head.epoch).await.expect("it is seized").outbox;
    outbox.iter().map(|outgoing| outgoing.body.bytes.len()).sum()
}

async fn seize(store: &Arc<dyn Store>, id: &str) -> Head {
    let owner = OwnerId::new(77);
    store.renew(owner, Duration::from_secs(1)).await.expect("it is in memory");
    let claim = Claim { target: target(id), owner, epoch_min: Default::default(), mode: ClaimMode::Seize };
    store.acquire(claim).await.expect("it is seized")
}

#[test]
fn an_outbox_has_a_bound_in_bytes_that_what_is_handled_from_the_inbox_may_pass_by_a_little() {
    let mut world = World::new();
    let sea = Sea { is_shut: Arc::new(AtomicBool::new(true)) };
    let register = |builder: DurableBuilder| builder.register(Player).outlet("sea", sea.clone());
    world.run_with(register, async |system| {
        let p = player(system, "p");
        let calls = OUTBOX_BYTES_MAX / PAYLOAD_BYTES_MAX;
        for n in 1..=calls {
            let thrown = p.call(Play::Throw(PAYLOAD_BYTES_MAX)).await;
            assert_eq!(thrown.ok(), Some(n as u64), "there is room for it");
        }
        let began = system.executor().now();
        assert!(is_full(&p.call(Play::Throw(1)).await));
        assert_eq!(system.executor().now().saturating_since(began), OUTBOX_WAIT_MAX);
        // Nobody waits again for what did not come.
        assert!(is_full(&p.call(Play::Throw(1)).await) && is_full(&p.call(Play::Nothing).await));
        assert_eq!(system.executor().now().saturating_since(began), OUTBOX_WAIT_MAX);
        assert_eq!(turns(system, "p").await, calls as u64, "who only looks is answered");
        let letters = OUTBOX_BYTES_RESERVED / PAYLOAD_BYTES_MAX;
        for _ in 0..letters + 1 {
            p.send(Play::Throw(PAYLOAD_BYTES_MAX)).await.expect("it is stored");
        }
        pass(system, Duration::from_secs(1)).await;
        assert_eq!(turns(system, "p").await, (calls + letters) as u64);
        assert_eq!(head(system.store(), "p").await.waiting, 1, "one waits for room");
        sea.is_shut.store(false, Ordering::Relaxed);
        pass(system, Duration::from_secs(60)).await;
        assert_eq!(turns(system, "p").await, (calls + letters + 1) as u64);
        assert_eq!(p.call(Play::Throw(1)).await.ok(), Some((calls + letters + 2) as u64));
        pass(system, Duration::from_secs(1)).await;
        // The next time it is full callers wait anew.
        sea.is_shut.store(true, Ordering::Relaxed);
        for _ in 0..calls {
            p.call(Play::Throw(PAYLOAD_BYTES_MAX)).await.expect("there is room for it");
        }
        let began = system.executor().now();
        assert!(is_full(&p.call(Play::Throw(1)).await));
        assert_eq!(system.executor().now().saturating_since(began), OUTBOX_WAIT_MAX);
        sea.is_shut.store(false, Ordering::Relaxed);
        pass(system, Duration::from_secs(60)).await;
        assert_eq!(outbox_bytes(system.store(), "p").await, 0);
    });
}

#[test]
fn what_is_not_stored_yet_takes_room_in_the_outbox() {
    let bytes = (0..OUTBOX_BYTES_MAX / PAYLOAD_BYTES_MAX).map(|n| PAYLOAD_BYTES_MAX - usize::from(n == 0));
    let fills = [vec![Play::Strew(OUTBOX_MAX - 1)], bytes.map(Play::Throw).collect()];
    for fill in fills {
        let mut world = World::new();
        let sea = Sea { is_shut: Arc::new(AtomicBool::new(true)) };
        let register = |builder: DurableBuilder| builder.register(Player).outlet("sea", sea.clone());
        world.run_with(register, async |system| {
            let p = player(system, "p");
            for play in fill {
                p.call(play).await.expect("there is room for it");
            }
            // They are handled together: the second finds the first not stored.
            let both = join_all((0..2).map(|_| p.call(Play::Throw(1)).into_future())).await;
            assert!(matches!(&both[..], [Ok(_), second] if is_full(second)), "{both:?}");
        });
    }
}

#[test]
fn who_only_looks_and_sends_all_the_same_is_refused_where_there_is_no_room() {
    let mut world = World::new();
    let sea = Sea { is_shut: Arc::new(AtomicBool::new(true)) };
    let register = |builder: DurableBuilder| builder.register(Player).outlet("sea", sea.clone());
    world.run_with(register, async |system| {
        let p = player(system, "p");
        p.call(Play::Strew(OUTBOX_MAX)).await.expect("there is room for it");
        assert!(is_full(&p.call(Play::Wave).await));
        assert_eq!(turns(system, "p").await, 1, "it is as it was before");
        sea.is_shut.store(false, Ordering::Relaxed);
        pass(system, Duration::from_secs(60)).await;
        assert_eq!(p.call(Play::Wave).await.ok(), Some(2));
    });
}

/// What a letter says that tells an actor this.
async fn body(system: &DurableSystem, play: Play) -> Body {
    let scribe = player(system, "scribe");
    scribe.send(play).await.expect("it is stored");
    let head = seize(system.store(), "scribe").await;
    let letters = system.store().inbox(scribe.id(), head.epoch, Position::ZERO, 100).await;
    let letter = letters.expect("it is seized").pop().expect("it was sent");
    // It is not to be handled.
    system.store().delete(scribe.id(), head.epoch).await.expect("it is seized");
    letter.message.body
}

/// The next entry of an actor's journal, in which nothing has changed.
fn entry(head: &Head) -> Entry {
    let (sequence, at, cause) = (head.sequence.next(), WallTime::ZERO, Cause::Own);
    let (events, sent) = (Vec::new(), Vec::new());
    Entry { sequence, at, cause, has_changed: false, events, sent }
}

/// Has an actor have sent so many messages to another one, at most a commit's.
async fn have_sent(
    store: &Arc<dyn Store>,
    from: &str,
    (to, reply_to): (&Target, Option<&Target>),
    body: &Body,
    count: usize,
) {
    let head = seize(store, from).await;
    let sequence = head.sequence.next();
    let outgoing = |index: u32| Outgoing {
        position: OutboxPosition { sequence, index },
        to: Destination::Actor(to.clone()),
        id: MessageId::hashed(WallTime::ZERO, &[&sequence.0.to_le_bytes(), &index.to_le_bytes()]),
        reply_to: reply_to.cloned(),
        sent_at: WallTime::ZERO,
        body: body.clone(),
        headers: Headers::new(),
    };
    let mut commit = TurnCommit::new(head.target.id.clone(), head.epoch, head.sequence);
    commit.entries.push(entry(&head));
    commit.outbox = (0..u32::try_from(count).expect("it is small")).map(outgoing).collect();
    store.commit_turn(commit).await.expect("it is seized");
    store.release(&head.target.id, head.epoch).await.expect("it is seized");
}

/// Puts so many messages into an inbox.
async fn fill_inbox(system: &DurableSystem, id: &str, body: &Body, count: usize) {
    let sent_at = WallTime::from_unix(system.executor().unix_time());
    for n in 0..count {
        let (id, to, headers) = (MessageId::new(sent_at, n as u128), target(id), Headers::new());
        let (from, reply_to, body) = (None, None, body.clone());
        let message = Message { to, id, from, reply_to, sent_at, body, headers };
        system.store().enqueue(message).await.expect("there is room");
    }
}

/// Each of these has its inbox full, to the last of what is reserved for actors, and its outbox full of what goes to the next, to the
/// last of what is not reserved for letters.
fn those_that_are_full_go_on(ids: &[&str]) {
    let mut world = World::new();
    world.run_with(
        |builder| builder,
        async |system| {
            for (n, from) in ids.iter().enumerate() {
                let body = body(system, Play::Ball(ids[(n + 1) % ids.len()].to_owned(), large())).await;
                for _ in 0..3 {
                    have_sent(system.store(), from, (&target(ids[(n + 1) % ids.len()]), None), &body, 6)
                        .await;
                }
                fill_inbox(system, from, &body, NARROW_MAX + NARROW_RESERVED).await;
            }
        },
    );
    let narrow: Arc<dyn Store> = Arc::new(Tapped::new(world.store.clone(), Narrow));
    let handled = world.crash_with(
        narrow,
        |builder| builder.register(Player),
        async |system| {
            pass(system, Duration::from_secs(60)).await;
            let full = player(system, ids[0]).send(Play::Nothing).await;
            assert!(matches!(full, Err(AskError::NotApplied(why)) if why.is_transient()));
            let mut handled = Vec::new();
            for id in ids {
                let waiting = head(system.store(), id).await.waiting;
                assert!(waiting <= (NARROW_MAX + NARROW_RESERVED) as u64, "{waiting}");
                handled.push(turns(system, id).await);
            }
            handled
        },
    );
    assert!(handled.iter().all(|turns| *turns >= 25), "half of what they could: {handled:?}");
    for id in ids {
        let bytes = world.run_with(|builder| builder, async |system| outbox_bytes(system.store(), id).await);
        assert!(bytes <= OUTBOX_BYTES_MAX + OUTBOX_BYTES_RESERVED + PAYLOAD_BYTES_MAX, "{bytes}");
    }
}

#[test]
fn an_actor_that_is_full_and_sends_to_itself_goes_on() {
    those_that_are_full_go_on(&["a"]);
}

#[test]
fn actors_that_are_full_and_send_round_go_on() {
    those_that_are_full_go_on(&["a", "b"]);
    those_that_are_full_go_on(&["a", "b", "c"]);
}

#[test]
fn an_actor_that_is_full_gives_up_what_a_full_receiver_has_had_no_room_for() {
    let mut world = World::new();
    let owner = OwnerId::new(78);
    world.run_with(
        |builder| builder,
        async |system| {
            let store = system.store();
            let body = body(system, Play::Ball("nobody".into(), large())).await;
            fill_inbox(system, "full", &body, NARROW_MAX + NARROW_RESERVED).await;
            // Without one of them there is room.
            for count in [7, 6, 6] {
                have_sent(store, "p", (&target("full"), Some(&target("p"))), &body, count).await;
            }
            player(system, "p").send(Play::Nothing).await.expect("it is stored");
            // It handles nothing, as somebody else has it.
            store.renew(owner, Duration::from_secs(3_600)).await.expect("it is in memory");
            let (epoch_min, mode) = (Default::default(), ClaimMode::Seize);
            let claim = Claim { target: target("full"), owner, epoch_min, mode };
            store.acquire(claim).await.expect("it is seized");
        },
    );
    let narrow: Arc<dyn Store> = Arc::new(Tapped::new(world.store.clone(), Narrow));
    world.crash_with(
        narrow,
        |builder| builder.register(Player),
        async |system| {
            let p = player(system, "p");
            let given_up = async || system.store().undelivered(p.id(), None, 10).await.expect("it is there");
            pass(system, DELIVERY_FULL_MAX - Duration::from_secs(1)).await;
            assert_eq!(turns(system, "p").await, 0, "the letter waits");
            assert_eq!(given_up().await, []);
            pass(system, DELIVERY_PAUSE_MAX + Duration::from_secs(1)).await;
            let [undelivered] = &given_up().await[..] else { panic!("one was enough") };
            assert_eq!(undelivered.outgoing.position, OutboxPosition { sequence: Sequence(1), index: 0 });
            let max = NARROW_MAX + NARROW_RESERVED;
            assert_eq!(
                undelivered.reason,
                format!("too many messages in an inbox: at most {max} are allowed")
            );
            assert_eq!(turns(system, "p").await, 2, "its letter, and that it was told");
            // There is room here now, so nothing more is given up however long it takes.
            pass(system, 2 * DELIVERY_FULL_MAX).await;
            assert_eq!(given_up().await.len(), 1);
        },
    );
}

async fn outbox_count(store: &Arc<dyn Store>, id: &str) -> usize {
    let head = seize(store, id).await;
    store.load(&target(id).id, head.epoch).await.expect("it is seized").outbox.len()
}

#[test]
fn a_letter_that_cannot_be_given_up_waits_until_there_is_room_among_the_dead() {
    let mut world = World::new();
    world.run_with(
        |builder| builder,
        async |system| {
            let (p, store) = (player(system, "p"), system.store());
            for _ in 0..DEAD_LETTERS_MAX {
                p.send(Play::Nothing).await.expect("it is stored");
            }
            let head = seize(store, "p").await;
            let letters = store.inbox(p.id(), head.epoch, Position::ZERO, DEAD_LETTERS_MAX).await;
            let give_up = |letter: Letter| letter.given_up(WallTime::ZERO, "so it was asked".into());
            let mut commit = TurnCommit::new(p.id().clone(), head.epoch, head.sequence);
            commit.entries.push(entry(&head));
            commit.dead = letters.expect("it is seized").into_iter().map(give_up).collect();
            assert_eq!(commit.dead.len(), DEAD_LETTERS_MAX);
            store.commit_turn(commit).await.expect("there is room");
            store.release(p.id(), head.epoch).await.expect("it is seized");
            let mut bad = body(system, Play::Nothing).await;
            bad.version = 99;
            let sent_at = WallTime::from_unix(system.executor().unix_time());
            let (id, from, reply_to, headers) = (p.new_message_id(), None, None, Headers::new());
            let message = Message { to: target("p"), id, from, reply_to, sent_at, body: bad, headers };
            store.enqueue(message).await.expect("there is room");
            p.send(Play::Nothing).await.expect("it is stored");
        },
    );
    world.run_with(
        |builder| builder.register(Player),
        async |system| {
            let (p, store) = (player(system, "p"), system.store());
            let dead = async || store.dead_letters(p.id(), None, 2_000).await.expect("it is there");
            pass(system, Duration::from_secs(60)).await;
            assert_eq!((dead().await.len(), head(store, "p").await.waiting), (DEAD_LETTERS_MAX, 2));
            assert_eq!(p.call(Play::Nothing).await.ok(), Some(1), "only its mail waits");
            let crashes = head(store, "p").await.crashes;
            assert_eq!(crashes, 0, "the same activation goes on");
            // One of these is not stored yet when the mail is tried again.
            for _ in 0..12 {
                let (long, short) = (p.call(Play::Rest), p.call(Play::Nothing));
                let (long, short) = futures_util::future::join(long.into_future(), short.into_future()).await;
                assert!(long.is_ok() && short.is_ok(), "{long:?}, {short:?}");
            }
            assert_eq!(head(store, "p").await.waiting, 2);
            let first = dead().await.remove(0).letter.message.id;
            store.purge(p.id(), first).await.expect("it is dead");
            pass(system, 2 * ATTEMPT_PAUSE_MAX).await;
            assert_eq!((dead().await.len(), head(store, "p").await.waiting), (DEAD_LETTERS_MAX, 0));
            assert_eq!(p.call(Play::Look).await.ok(), Some(26), "what was behind it is handled");
        },
    );
}

#[test]
fn what_cannot_be_given_up_stays_in_the_outbox_and_holds_up_only_what_goes_there() {
    let mut world = World::new();
    let other = Target { actor_type: ActorType::new("other").expect("a good name"), ..target("x") };
    world.run_with(
        |builder| builder,
        async |system| {
            player(system, "x").send(Play::Nothing).await.expect("it is stored");
            let body = body(system, Play::Nothing).await;
            have_sent(system.store(), "p", (&other, None), &body, UNDELIVERED_MAX + 1).await;
            have_sent(system.store(), "p", (&target("y"), None), &body, 1).await;
        },
    );
    world.run_with(
        |builder| builder.register(Player),
        async |system| {
            let (p, store) = (player(system, "p"), system.store());
            let given_up = async || store.undelivered(p.id(), None, 2_000).await.expect("it is there");
            pass(system, Duration::from_secs(60)).await;
            assert_eq!((given_up().await.len(), turns(system, "y").await), (UNDELIVERED_MAX, 1));
            let last = |index: usize| OutboxPosition {
                sequence: Sequence(1),
                index: u32::try_from(index).expect("it is small"),
            };
            assert_eq!(
                given_up().await.pop().map(|one| one.outgoing.position),
                Some(last(UNDELIVERED_MAX - 1))
            );
            let more = store.undelivered(p.id(), Some(last(UNDELIVERED_MAX - 1)), 10).await;
            assert_eq!(more.expect("it is there"), [], "no page has more");
            assert!(store.discard(p.id(), last(0)).await.expect("it is there"));
            pass(system, 2 * DELIVERY_PAUSE_MAX).await;
            assert_eq!(given_up().await.pop().map(|one| one.outgoing.position), Some(last(UNDELIVERED_MAX)));
        },
    );
    let outbox = world.run_with(|builder| builder, async |system| outbox_count(system.store(), "p").await);
    assert_eq!(outbox, 0);
}
