//! What is put into inboxes: once for its id, in order; and how often its handling has begun.

use std::time::Duration;

use super::Place;
use super::dump::all_letters;
use super::scene::{
    Scene, actor, handled, headers, large, message, other_type, outgoing, seizure, target, turn, waiting,
};
use crate::id::{Epoch, MessageId, OwnerId, Position, Sequence, WallTime};
use crate::limits::{CLOCK_SKEW_MAX, HEADERS_BYTES_MAX, HEADERS_MAX, PAYLOAD_BYTES_MAX};
use crate::store::{
    Body, Destination, Enqueued, Head, Letter, Message, Outgoing, Refusal, Source, TurnCommit,
};

/// An actor that nobody has heard of begins to be with its first message, in nobody's possession.
pub async fn an_actor_begins_to_be_with_a_message(place: &dyn Place) {
    let scene = Scene::open(place).await;
    let message = scene.message("a", 1);
    assert_eq!(scene.enqueue(message.clone()).await.expect("it is new"), Enqueued::Stored);
    let scene = scene.reopen().await;
    let head = scene.head_of("a").await;
    let expected = Head {
        target: target("a"),
        epoch: Epoch::ZERO,
        owner: None,
        crashes: 0,
        sequence: Sequence::ZERO,
        snapshot: None,
        trimmed: Sequence::ZERO,
        horizon: WallTime::ZERO,
        next: head.next,
        waiting: 1,
        has_ended: false,
        created_at: head.created_at,
    };
    assert_eq!(head, expected);
    assert!(place.now().since(head.created_at) < Duration::from_secs(60), "it begins now");
    let head = scene.own("a").await;
    assert_eq!((head.epoch, head.waiting), (Epoch(1), 1));
    let letters = all_letters(&scene, &head).await;
    let [Letter { position, .. }] = letters[..] else { panic!("one letter: {letters:?}") };
    assert_eq!(letters, [Letter { position, attempts: 0, message }]);
}

/// A message is found as it was sent, whatever it says.
pub async fn a_message_is_found_whole(place: &dyn Place) {
    let scene = Scene::open(place).await;
    let head = scene.own("a").await;
    let bare = Message {
        from: None,
        reply_to: None,
        sent_at: WallTime::ZERO,
        body: Body::default(),
        headers: [].into(),
        ..scene.message("a", 2)
    };
    let bytes: Vec<u8> = (0..=255).collect();
    let binary = Message {
        body: Body { version: u32::MAX, bytes: bytes.into() },
        headers: [("", "\0\n\u{1f600}"), ("'; --", "\"")].map(|(a, b)| (a.to_owned(), b.to_owned())).into(),
        ..scene.message("a", 3)
    };
    let old = message("a", MessageId::new(WallTime::from_millis(1), u128::MAX));
    let full = Message {
        body: large(PAYLOAD_BYTES_MAX),
        headers: [("n".to_owned(), "x".repeat(HEADERS_BYTES_MAX - 1))].into(),
        ..scene.message("a", 4)
    };
    let messages = [scene.message("a", 1), bare, binary, old, full];
    for message in &messages {
        assert_eq!(scene.enqueue(message.clone()).await.expect("it is new"), Enqueued::Stored);
    }
    let scene = scene.reopen().await;
    let letters = all_letters(&scene, &head).await;
    let found: Vec<Message> = letters.into_iter().map(|letter| letter.message).collect();
    assert_eq!(found, messages);
}

/// Messages lie in the order they came, whatever their ids, and are read from anywhere by pages.
pub async fn messages_lie_in_the_order_they_came(place: &dyn Place) {
    let scene = Scene::open(place).await;
    let numbers = [5, 2, 9, 1, 7, 3, 8];
    scene.fill("a", numbers).await;
    scene.fill("b", [4, 5]).await;
    let head = scene.own("a").await;
    let expected = numbers.map(|number| scene.id(number));
    assert_eq!((waiting(&scene, &head).await, head.waiting), (expected.to_vec(), 7));
    let letters = all_letters(&scene, &head).await;
    assert!(letters.is_sorted_by(|one, other| one.position < other.position), "{letters:?}");
    assert!(letters[6].position < head.next, "the next one lies behind them");
    for (index, letter) in letters.iter().enumerate() {
        let rest = scene.inbox(&actor("a"), head.epoch, letter.position, 100).await.expect("it is owned");
        assert_eq!(rest, letters[index + 1..]);
    }
    let page = scene.inbox(&actor("a"), head.epoch, Position::ZERO, 2).await.expect("it is owned");
    assert_eq!(page, letters[..2]);
    assert_eq!(scene.inbox(&actor("a"), head.epoch, Position::ZERO, 0).await.expect("it is owned"), []);
    let mut commit = turn(&head);
    commit.handled =
        vec![handled(scene.id(5), Source::Inbox, None), handled(scene.id(8), Source::Inbox, None)];
    scene.commit_turn(commit).await.expect("it is owned");
    scene.fill("a", [6]).await;
    let left = [2, 9, 1, 7, 3, 6].map(|number| scene.id(number));
    assert_eq!(waiting(&scene, &head).await, left, "a new one lies behind, though the last has left");
}

/// The same id to the same actor is the same message, whatever else differs; to another actor it is another one.
pub async fn a_message_is_stored_once(place: &dyn Place) {
    let scene = Scene::open(place).await;
    let head = scene.own("a").await;
    scene.fill("a", [1, 2]).await;
    let other = Message { body: large(3), headers: [].into(), from: None, ..scene.message("a", 1) };
    let before = scene.head_of("a").await;
    assert_eq!(scene.enqueue(other.clone()).await.expect("it is known"), Enqueued::Waiting);
    let too_large = Message { body: large(PAYLOAD_BYTES_MAX + 1), ..other.clone() };
    assert_eq!(scene.enqueue(too_large.clone()).await.expect("it is known"), Enqueued::Waiting);
    let to_another = Message { to: other_type("a"), ..too_large };
    assert!(matches!(scene.refused(scene.enqueue(to_another)).await, Refusal::WrongType { .. }));
    assert_eq!(scene.head_of("a").await, before);
    assert_eq!(scene.enqueue(scene.message("b", 1)).await.expect("it is new"), Enqueued::Stored);
    let mut commit = turn(&head);
    commit.handled = vec![handled(scene.id(1), Source::Inbox, Some("reply"))];
    scene.commit_turn(commit).await.expect("it is owned");
    let scene = scene.reopen().await;
    let known = scene.enqueue(other).await.expect("it is known");
    assert_eq!(known, Enqueued::Handled(Some("reply".into())));
    assert_eq!(waiting(&scene, &head).await, [scene.id(2)]);
    assert_eq!(scene.head_of("b").await.waiting, 1);
}

/// What is too large, or comes from the future, is not stored, and nobody begins to be by it.
pub async fn a_message_that_is_refused_is_not_stored(place: &dyn Place) {
    let scene = Scene::open(place).await;
    let (good, id) = (scene.message("a", 1), scene.id(1));
    let body = Message { body: large(PAYLOAD_BYTES_MAX + 1), ..good.clone() };
    let (size, max) = (PAYLOAD_BYTES_MAX + 1, PAYLOAD_BYTES_MAX);
    let refusal = scene.refused(scene.enqueue(body)).await;
    assert_eq!(refusal, Refusal::TooLarge { what: "a payload", size, max });
    let many = (0..=HEADERS_MAX).map(|n| (n.to_string(), String::new())).collect();
    let refusal = scene.refused(scene.enqueue(Message { headers: many, ..good.clone() })).await;
    assert!(matches!(refusal, Refusal::TooLarge { what: "a message's headers", .. }), "{refusal}");
    let long = [("n".to_owned(), "x".repeat(HEADERS_BYTES_MAX))].into();
    let refusal = scene.refused(scene.enqueue(Message { headers: long, ..good.clone() })).await;
    assert!(matches!(refusal, Refusal::TooLarge { .. }), "{refusal}");
    let future = place.now().after(CLOCK_SKEW_MAX + Duration::from_secs(60));
    let early = message("a", MessageId::new(future, 1));
    match scene.refused(scene.enqueue(early)).await {
        Refusal::FromTheFuture { id, now } => {
            assert_eq!(id, MessageId::new(future, 1));
            assert!(now < future, "{now:?}");
        }
        refusal => panic!("it is refused otherwise: {refusal}"),
    }
    let born = MessageId::new(WallTime::ZERO, 1);
    let refusal = scene.refused(scene.enqueue(message("a", born))).await;
    assert_eq!(refusal, Refusal::TooOld { id: born, horizon: WallTime::ZERO });
    assert_eq!(scene.head(&actor("a")).await.expect("a store"), None);
    let soon = message("a", MessageId::new(place.now().after(CLOCK_SKEW_MAX - Duration::from_secs(60)), 1));
    assert_eq!(scene.enqueue(soon).await.expect("clocks differ"), Enqueued::Stored);
    assert_eq!(
        scene.enqueue(Message { headers: headers(), ..good }).await.expect("it is new"),
        Enqueued::Stored
    );
    assert_eq!(scene.reply(&actor("a"), id).await.expect("a store"), None, "it is not handled yet");
}

/// Where messages of a later time than now are forgotten, as some clock was ahead, what is new is later still, and no more from the
/// future than they were.
pub async fn a_horizon_in_the_future_keeps_nobody_from_sending(place: &dyn Place) {
    let scene = Scene::open(place).await;
    let horizon = place.now().after(Duration::from_secs(86_400));
    let head = scene.own("a").await;
    let head = scene.commit(TurnCommit { horizon, ..turn(&head) }).await;
    let next = horizon.after(Duration::from_millis(1));
    let latest = horizon.after(CLOCK_SKEW_MAX);
    let beyond = MessageId::new(latest.after(Duration::from_millis(1)), 1);
    let forgotten = MessageId::new(horizon, 1);
    let refusal = scene.refused(scene.enqueue(message("a", forgotten))).await;
    assert_eq!(refusal, Refusal::TooOld { id: forgotten, horizon });
    let refusal = scene.refused(scene.enqueue(message("a", beyond))).await;
    assert!(matches!(refusal, Refusal::FromTheFuture { id, .. } if id == beyond), "{refusal}");
    let sent = [MessageId::new(next, 1), MessageId::new(latest, 1), MessageId::new(latest, 2)];
    for id in &sent[..2] {
        assert_eq!(scene.enqueue(message("a", *id)).await.expect("it is new"), Enqueued::Stored);
    }
    // From an outbox as well.
    let sender = scene.own("s").await;
    let leaves = Outgoing { to: Destination::Actor(target("a")), id: sent[2], ..outgoing(1, 0) };
    let sender = scene.commit(TurnCommit { outbox: vec![leaves.clone()], ..turn(&sender) }).await;
    let moved = scene.transfer(&actor("s"), sender.epoch, leaves.position).await.expect("it is there");
    assert_eq!(moved, Enqueued::Stored);
    assert_eq!(waiting(&scene, &head).await, sent);
}

/// Each beginning of a message's handling is counted, and by whichever owner.
pub async fn attempts_are_counted(place: &dyn Place) {
    let scene = Scene::open(place).await;
    let head = scene.own("a").await;
    scene.fill("a", [1, 2]).await;
    let id = &actor("a");
    let attempt = async |scene: &Scene<'_>, epoch, number| {
        scene.begin_attempt(id, epoch, scene.id(number)).await.expect("it waits")
    };
    assert_eq!(attempt(&scene, head.epoch, 1).await, 1);
    assert_eq!(attempt(&scene, head.epoch, 1).await, 2);
    assert_eq!(attempt(&scene, head.epoch, 2).await, 1);
    let scene = scene.reopen().await;
    scene.renew(OwnerId::new(2), super::scene::LONG).await.expect("a lease");
    let head = scene.acquire(seizure("a", 2)).await.expect("it is seized");
    assert_eq!(attempt(&scene, head.epoch, 1).await, 3);
    let attempts = |letters: Vec<Letter>| letters.iter().map(|letter| letter.attempts).collect::<Vec<_>>();
    assert_eq!(attempts(all_letters(&scene, &head).await), [3, 1]);
    let none = scene.refused(scene.begin_attempt(id, head.epoch, scene.id(3))).await;
    assert_eq!(none, Refusal::NoSuchMessage(scene.id(3)));
    let commit = TurnCommit { handled: vec![handled(scene.id(1), Source::Inbox, None)], ..turn(&head) };
    scene.commit_turn(commit).await.expect("it is owned");
    let none = scene.refused(scene.begin_attempt(id, head.epoch, scene.id(1))).await;
    assert_eq!(none, Refusal::NoSuchMessage(scene.id(1)));
}
