//! What the store promises, on files and on disks that fail.

mod copied;
mod cuts;
mod files;
mod fitting;
mod full;
mod given_up;
mod group;
mod refused;
mod rules;
mod script;
mod suite;
mod torn;
mod verifying;

use std::time::Duration;

use crate::id::{ActorType, DurableId, Epoch, MessageId, OwnerId, Sequence, Target, WallTime};
use crate::redb::RedbStore;
use crate::store::{
    Body, Cause, Claim, ClaimMode, Entry, Handled, Head, Headers, Message, Source, Store, StoreError,
    TurnCommit,
};

pub(super) const OWNER: OwnerId = OwnerId::new(7);

pub(super) fn target(id: &str) -> Target {
    let actor_type = ActorType::new("counter").expect("a good name");
    Target { id: DurableId::new(id).expect("a good id"), actor_type }
}

/// The time of messages: the store tells it by the system's clock.
pub(super) fn now() -> WallTime {
    WallTime::from_unix(actor_core::Executor::tokio().unix_time())
}

pub(super) fn message_id(number: u64) -> MessageId {
    MessageId::of_key(now(), &number.to_le_bytes())
}

pub(super) fn body(text: &str) -> Body {
    Body { version: 1, bytes: text.as_bytes().to_vec().into() }
}

pub(super) fn message(to: &str, id: MessageId, text: &str) -> Message {
    Message {
        to: target(to),
        id,
        from: None,
        reply_to: None,
        sent_at: now(),
        body: body(text),
        headers: Headers::new(),
    }
}

/// Takes an actor into possession, for an owner that lives.
pub(super) async fn acquire(store: &RedbStore, id: &str) -> Result<Head, StoreError> {
    store.renew(OWNER, Duration::from_secs(3600)).await?;
    let claim = Claim { target: target(id), owner: OWNER, epoch_min: Epoch::ZERO, mode: ClaimMode::IfFree };
    store.acquire(claim).await
}

/// One turn, with one event, that handles a caller's message and replies with the event's text.
pub(super) fn turn(head: &Head, message: MessageId, text: &str) -> TurnCommit {
    let sequence = Sequence(head.sequence.0 + 1);
    let mut commit = TurnCommit::new(head.target.id.clone(), head.epoch, head.sequence);
    commit.entries.push(Entry {
        sequence,
        at: WallTime::from_millis(sequence.0),
        cause: Cause::Message(message),
        has_changed: true,
        events: vec![body(text)],
        sent: vec![],
    });
    let reply = Some(text.as_bytes().to_vec().into());
    commit.handled.push(Handled { message, was: Source::Caller, reply });
    commit
}
