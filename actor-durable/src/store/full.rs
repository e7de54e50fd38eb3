//! Whom a full inbox has room for. Filling one would take too long, so each store is told by its own tests that the inboxes of some
//! actors are nearly full; what it does then is the same in all.

use super::{
    Body, CatchUp, Cause, Claim, ClaimMode, Destination, Enqueued, Entry, Firing, GivingUp, Head, Headers,
    Message, ORDER, OutboxPosition, Outgoing, Refusal, Reminder, ReminderChange, Store, StoreError,
    TurnCommit,
};
use crate::id::{ActorType, DurableId, Epoch, MessageId, Name, OwnerId, Sequence, Target, WallTime};
use crate::limits::{INBOX_MESSAGES_MAX, INBOX_RESERVED};

/// Has sent messages.
pub(crate) const SENDER: &str = "s";
/// Is to get them.
pub(crate) const RECEIVER: &str = "a";
/// Is told what to do by the sender.
pub(crate) const CHILD: &str = "c";
/// There are to be so many letters in the inbox of each: there is room for one more of the kind that has most room there.
pub(crate) const WAITING: [(&str, u64); 3] = [
    (RECEIVER, (INBOX_MESSAGES_MAX + INBOX_RESERVED - 1) as u64),
    (SENDER, (INBOX_MESSAGES_MAX + 2 * INBOX_RESERVED - 1) as u64),
    (CHILD, (INBOX_MESSAGES_MAX + 3 * INBOX_RESERVED - 1) as u64),
];

fn actor(id: &str) -> DurableId {
    DurableId::new(id).expect("a good id")
}

fn target(id: &str) -> Target {
    Target { id: actor(id), actor_type: ActorType::new("counter").expect("a good name") }
}

fn name() -> Name {
    Name::new("later").expect("a good name")
}

fn at(index: u32) -> OutboxPosition {
    OutboxPosition { sequence: Sequence(1), index }
}

async fn own(store: &dyn Store, id: &str) -> Head {
    let owner = OwnerId::new(7);
    store.renew(owner, std::time::Duration::from_secs(3_600)).await.expect("a lease");
    let claim = Claim { target: target(id), owner, epoch_min: Epoch::ZERO, mode: ClaimMode::IfFree };
    store.acquire(claim).await.expect("it is free")
}

fn turn(head: &Head) -> TurnCommit {
    let (sequence, at, cause) = (Sequence(1), WallTime::ZERO, Cause::Own);
    let (events, sent) = (Vec::new(), Vec::new());
    let mut commit = TurnCommit::new(head.target.id.clone(), head.epoch, head.sequence);
    commit.entries.push(Entry { sequence, at, cause, has_changed: false, events, sent });
    commit
}

/// One has sent four messages to another, which has set a reminder, and to the third one a message and two orders.
pub(crate) async fn prepare(store: &dyn Store) {
    let head = own(store, SENDER).await;
    let outgoing = |index: u32| Outgoing {
        position: at(index),
        to: Destination::Actor(target(if index < 4 { RECEIVER } else { CHILD })),
        id: MessageId::new(head.created_at, index.into()),
        reply_to: None,
        sent_at: WallTime::ZERO,
        body: Body::default(),
        headers: if index < 5 { Headers::new() } else { [(ORDER.to_owned(), String::new())].into() },
    };
    store
        .commit_turn(TurnCommit { outbox: (0..7).map(outgoing).collect(), ..turn(&head) })
        .await
        .expect("sound");
    own(store, CHILD).await;
    let head = own(store, RECEIVER).await;
    let (set_by, due, catch_up) = (Sequence(1), WallTime::ZERO, CatchUp::FireOnce);
    let reminder = Reminder { name: name(), set_by, due, period: None, catch_up, body: Body::default() };
    let reminders = vec![ReminderChange::Set(reminder)];
    store.commit_turn(TurnCommit { reminders, ..turn(&head) }).await.expect("sound");
}

fn is_full<T: std::fmt::Debug>(answer: Result<T, StoreError>, max: usize) {
    let many = Refusal::TooMany { what: "messages in an inbox", max };
    match answer {
        Err(StoreError::NotApplied(refusal)) => assert_eq!(refusal, many),
        other => panic!("there is no room: {other:?}"),
    }
}

/// Called once the inboxes have as many letters as [`WAITING`] says.
pub(crate) async fn each_kind_of_message_has_its_bound(store: &dyn Store) {
    let head = async |id: &str| store.head(&actor(id)).await.expect("a store").expect("it is there");
    let (epoch, now) = (head(SENDER).await.epoch, head(RECEIVER).await.created_at);
    let message = |to: &str, number: u128| Message {
        to: target(to),
        id: MessageId::new(now, number),
        from: None,
        reply_to: None,
        sent_at: now,
        body: Body::default(),
        headers: Headers::new(),
    };
    is_full(store.enqueue(message(RECEIVER, 100)).await, INBOX_MESSAGES_MAX);
    let (set_by, due, messages) = (Sequence(1), WallTime::ZERO, vec![message(RECEIVER, 101)]);
    let firing = Firing { actor: actor(RECEIVER), name: name(), set_by, due, messages, next: None };
    is_full(store.fire(firing).await, INBOX_MESSAGES_MAX);
    let moved =
        store.transfer(&actor(SENDER), epoch, at(0)).await.expect("there is room for what actors send");
    assert_eq!(moved, Enqueued::Stored);
    is_full(store.transfer(&actor(SENDER), epoch, at(1)).await, INBOX_MESSAGES_MAX + INBOX_RESERVED);
    is_full(store.transfer(&actor(SENDER), epoch, at(4)).await, INBOX_MESSAGES_MAX + INBOX_RESERVED);
    let ordered = store.transfer(&actor(SENDER), epoch, at(5)).await.expect("there is room for an order");
    assert_eq!(ordered, Enqueued::Stored);
    is_full(store.transfer(&actor(SENDER), epoch, at(6)).await, INBOX_MESSAGES_MAX + 3 * INBOX_RESERVED);
    let give_up = |index, notice| GivingUp {
        actor: actor(SENDER),
        epoch,
        position: at(index),
        at: now,
        reason: "nobody takes it".into(),
        notice,
    };
    let told = store.give_up_delivery(give_up(2, Some(message(SENDER, 102)))).await;
    assert!(told.expect("there is room for what is said of it"));
    let full = store.give_up_delivery(give_up(3, Some(message(SENDER, 103)))).await;
    is_full(full, INBOX_MESSAGES_MAX + 2 * INBOX_RESERVED);
    assert!(store.give_up_delivery(give_up(3, None)).await.expect("nobody is told"));
    for (id, before) in WAITING {
        assert_eq!(head(id).await.waiting, before + 1);
    }
}
