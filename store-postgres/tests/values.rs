//! What tests are written with: owners, actors, turns.

use std::time::Duration;

use actor_durable::store::{
    Body, CatchUp, Cause, Claim, ClaimMode, Destination, Entry, Handled, Head, Message, OutboxPosition,
    Outgoing, Refusal, Reminder, Snapshot, Source, Store, StoreError, TurnCommit,
};
use actor_durable::{ActorType, DurableId, Epoch, MessageId, Name, OwnerId, Sequence, Target, WallTime};
use bytes::Bytes;

/// No test takes so long.
pub(crate) const LONG: Duration = Duration::from_secs(3600);

pub(crate) fn actor(id: &str) -> DurableId {
    DurableId::new(id).expect("a good id")
}

pub(crate) fn target(id: &str) -> Target {
    Target { id: actor(id), actor_type: ActorType::new("counter").expect("a good name") }
}

pub(crate) fn claim(id: &str, owner: u128, mode: ClaimMode) -> Claim {
    Claim { target: target(id), owner: OwnerId::new(owner), epoch_min: Epoch::ZERO, mode }
}

/// An actor in an owner's possession, whoever had it before.
pub(crate) async fn own(store: &dyn Store, id: &str, owner: u128) -> Head {
    store.renew(OwnerId::new(owner), LONG).await.expect("a lease");
    store.acquire(claim(id, owner, ClaimMode::Seize)).await.expect("it is seized")
}

pub(crate) fn body(number: u64) -> Body {
    Body { version: 1, bytes: Bytes::copy_from_slice(&number.to_le_bytes()) }
}

/// The number in a body.
pub(crate) fn number(body: &Body) -> u64 {
    u64::from_le_bytes(body.bytes[..].try_into().expect("a number"))
}

pub(crate) fn message_id(number: u128) -> MessageId {
    MessageId::new(WallTime::from_millis(1_000), number)
}

pub(crate) fn message(to: &str, number: u128) -> Message {
    Message {
        to: target(to),
        id: message_id(number),
        from: None,
        reply_to: None,
        sent_at: WallTime::ZERO,
        body: body(7),
        headers: [("tenant".into(), "one".into())].into(),
    }
}

pub(crate) fn entry(sequence: u64) -> Entry {
    Entry {
        sequence: Sequence(sequence),
        at: WallTime::from_millis(sequence),
        cause: Cause::Own,
        has_changed: true,
        events: vec![body(sequence)],
        sent: Vec::new(),
    }
}

/// The next turn of an actor: an entry, the state that counts them, and a message that it has handled.
pub(crate) fn turn(actor: &DurableId, epoch: Epoch, expected: Sequence) -> TurnCommit {
    let next = expected.next();
    let mut turn = TurnCommit::new(actor.clone(), epoch, expected);
    turn.entries = vec![entry(next.0)];
    turn.state = Some(Snapshot { sequence: next, body: body(next.0) });
    let reply = Some(Bytes::from_static(b"done"));
    turn.handled = vec![Handled { message: message_id(next.0.into()), was: Source::Caller, reply }];
    turn
}

pub(crate) fn outgoing(sequence: u64, to: &str) -> Outgoing {
    Outgoing {
        position: OutboxPosition { sequence: Sequence(sequence), index: 0 },
        to: Destination::Actor(target(to)),
        id: message_id(1_000_000 + u128::from(sequence)),
        reply_to: None,
        sent_at: WallTime::ZERO,
        body: body(sequence),
        headers: Default::default(),
    }
}

pub(crate) fn reminder(due: u64) -> Reminder {
    Reminder {
        name: Name::new("later").expect("a good name"),
        set_by: Sequence(1),
        due: WallTime::from_millis(due),
        period: None,
        catch_up: CatchUp::FireOnce,
        body: body(1),
    }
}

/// Why it was refused.
pub(crate) fn refusal<T: std::fmt::Debug>(outcome: Result<T, StoreError>) -> Refusal {
    match outcome.expect_err("it is refused") {
        StoreError::NotApplied(refusal) => refusal,
        error => panic!("it is refused otherwise: {error}"),
    }
}
