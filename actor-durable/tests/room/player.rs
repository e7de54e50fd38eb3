//! Who sends, and what helps to fill what there is.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use actor_core::{ActorError, ActorSystem};
use actor_durable::limits::PAYLOAD_BYTES_MAX;
use actor_durable::store::{
    Body, Cause, Claim, ClaimMode, Destination, Entry, Head, Headers, Message, OutboxPosition, Outgoing,
    Store, TurnCommit,
};
use actor_durable::{
    ActorType, Answer, AskError, CodecError, Durable, DurableActor, DurableId, DurableRef, DurableSystem,
    MessageId, NoError, NotApplied, Outlet, OwnerId, Position, Target, Turn, WallTime,
};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};

/// Sends what it is asked to, and counts its turns.
pub(super) struct Player;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Play {
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

pub(super) fn player(system: &DurableSystem, id: &str) -> DurableRef<Player> {
    system.actor(id).expect("a good id")
}

pub(super) async fn turns(system: &DurableSystem, id: &str) -> u64 {
    player(system, id).call(Play::Look).await.expect("nothing is stored for it")
}

/// Nearly as large as a message may be.
pub(super) fn large() -> String {
    "x".repeat(PAYLOAD_BYTES_MAX - 100)
}

pub(super) fn target(id: &str) -> Target {
    Target {
        id: DurableId::new(id).expect("a good id"),
        actor_type: ActorType::new(Player::TYPE).expect("a good name"),
    }
}

pub(super) async fn head(store: &Arc<dyn Store>, id: &str) -> Head {
    store.head(&target(id).id).await.expect("a store").expect("it is there")
}

/// Takes nothing while it is shut.
#[derive(Clone)]
pub(super) struct Sea {
    pub(super) is_shut: Arc<AtomicBool>,
}

#[async_trait]
impl Outlet for Sea {
    async fn deliver(&self, _: &DurableId, _: &Outgoing) -> Result<(), ActorError> {
        if self.is_shut.load(Ordering::Relaxed) { Err("it is shut".into()) } else { Ok(()) }
    }
}

pub(super) fn is_full(answer: &Result<u64, AskError<NoError>>) -> bool {
    matches!(answer, Err(AskError::NotApplied(why @ NotApplied::OutboxFull)) if why.is_transient())
}

/// How many bytes lie in the outbox of an actor. Whoever asks takes the actor away.
pub(super) async fn outbox_bytes(store: &Arc<dyn Store>, id: &str) -> usize {
    let head = seize(store, id).await;
    let outbox = store.load(&target(id).id, head.epoch).await.expect("it is seized").outbox;
    outbox.iter().map(|outgoing| outgoing.body.bytes.len()).sum()
}

pub(super) async fn seize(store: &Arc<dyn Store>, id: &str) -> Head {
    let owner = OwnerId::new(77);
    store.renew(owner, Duration::from_secs(1)).await.expect("it is in memory");
    let claim = Claim { target: target(id), owner, epoch_min: Default::default(), mode: ClaimMode::Seize };
    store.acquire(claim).await.expect("it is seized")
}

/// What a letter says that tells an actor this.
pub(super) async fn body(system: &DurableSystem, play: Play) -> Body {
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
pub(super) fn entry(head: &Head) -> Entry {
    let (sequence, at, cause) = (head.sequence.next(), WallTime::ZERO, Cause::Own);
    let (events, sent) = (Vec::new(), Vec::new());
    Entry { sequence, at, cause, has_changed: false, events, sent }
}

/// Has an actor have sent so many messages to another one, at most a commit's.
pub(super) async fn have_sent(
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
pub(super) async fn fill_inbox(system: &DurableSystem, id: &str, body: &Body, count: usize) {
    let sent_at = WallTime::from_unix(system.executor().unix_time());
    for n in 0..count {
        let (id, to, headers) = (MessageId::new(sent_at, n as u128), target(id), Headers::new());
        let (from, reply_to, body) = (None, None, body.clone());
        let message = Message { to, id, from, reply_to, sent_at, body, headers };
        system.store().enqueue(message).await.expect("there is room");
    }
}
