//! Messages that move from one actor's outbox into another one's inbox.

use super::Place;
use super::dump::{Dump, all_letters};
use super::scene::{
    Scene, actor, body, handled, headers, name, other_type, outgoing, target, turn, turns, waiting,
};
use crate::id::{Epoch, MessageId, Sequence, WallTime};
use crate::limits::CLOCK_SKEW_MAX;
use crate::store::{
    Arrival, Destination, Enqueued, Head, Message, OutboxPosition, Outgoing, Refusal, Source, TurnCommit,
};

/// Where the message lies that the first turn sends.
const FIRST: OutboxPosition = OutboxPosition { sequence: Sequence(1), index: 0 };

/// What the sender's turn sends, made long ago.
fn sent(to: Destination) -> Outgoing {
    let id = MessageId::new(WallTime::from_millis(7), 7);
    let (reply_to, sent_at) = (Some(target("r")), WallTime::from_millis(9));
    Outgoing { position: FIRST, to, id, reply_to, sent_at, body: body("sent"), headers: headers() }
}

/// The sender `s`, who has sent this and one more.
async fn sender(scene: &Scene<'_>, sent: Outgoing) -> Head {
    let head = scene.own("s").await;
    scene.commit(TurnCommit { outbox: vec![sent, outgoing(1, 1)], ..turn(&head) }).await
}

async fn outbox(scene: &Scene<'_>, head: &Head) -> Vec<Outgoing> {
    scene.load(&head.target.id, head.epoch).await.expect("it is owned").outbox
}

/// What leaves the outbox is in the inbox, whole, once however often it is said, and however old it is.
pub async fn a_message_moves_from_an_outbox_to_an_inbox(place: &dyn Place) {
    let scene = Scene::open(place).await;
    let to = scene.own("a").await;
    let to = scene.commit(TurnCommit { horizon: scene.began, ..turn(&to) }).await;
    let sent = sent(Destination::Actor(target("a")));
    let head = sender(&scene, sent.clone()).await;
    let mut arrivals = scene.arrivals();
    let moved = scene.transfer(&actor("s"), head.epoch, FIRST).await.expect("it is there");
    assert_eq!(moved, Enqueued::Stored);
    assert!(matches!(arrivals.next().await, Arrival::Mail(to) if to == target("a")));
    let scene = scene.reopen().await;
    assert_eq!(outbox(&scene, &head).await, [outgoing(1, 1)]);
    let letters = all_letters(&scene, &to).await;
    let expected = Message {
        to: target("a"),
        id: sent.id,
        from: Some(actor("s")),
        reply_to: sent.reply_to,
        sent_at: sent.sent_at,
        body: sent.body,
        headers: sent.headers,
    };
    assert_eq!(letters.iter().map(|letter| &letter.message).collect::<Vec<_>>(), [&expected]);
    assert_eq!(scene.head_of("a").await.waiting, 1);
    let before = Dump::of(&scene).await;
    let again = scene.transfer(&actor("s"), head.epoch, FIRST).await.expect("it has left");
    assert_eq!((again, Dump::of(&scene).await), (Enqueued::Waiting, before));
    // Though the receiver has seen to it and forgotten it.
    let done = TurnCommit { handled: vec![handled(sent.id, Source::Inbox, None)], ..turn(&to) };
    let to = scene.commit(done).await;
    scene.commit(TurnCommit { forget: vec![sent.id], ..turn(&to) }).await;
    scene.transfer(&actor("s"), head.epoch, FIRST).await.expect("it has left");
    assert_eq!(waiting(&scene, &to).await, []);
}

/// A receiver that nobody has heard of begins to be; an actor may be its own.
pub async fn a_message_moves_to_whomever_it_goes(place: &dyn Place) {
    let scene = Scene::open(place).await;
    let head = sender(&scene, sent(Destination::Actor(target("new")))).await;
    assert_eq!(scene.transfer(&actor("s"), head.epoch, FIRST).await.expect("it is there"), Enqueued::Stored);
    let new = scene.head_of("new").await;
    assert_eq!((new.epoch, new.owner, new.waiting), (Epoch::ZERO, None, 1));
    let own = Outgoing { position: outgoing(2, 0).position, ..sent(Destination::Actor(target("s"))) };
    let head = scene.commit(TurnCommit { outbox: vec![own.clone()], ..turn(&head) }).await;
    let moved = scene.transfer(&actor("s"), head.epoch, own.position).await.expect("it is there");
    assert_eq!(moved, Enqueued::Stored);
    let scene = scene.reopen().await;
    assert_eq!(waiting(&scene, &head).await, [own.id]);
    assert_eq!(outbox(&scene, &head).await, [outgoing(1, 1)]);
    assert_eq!(scene.head_of("s").await.waiting, 1);
}

/// What the receiver knows already leaves the outbox, and changes nothing else.
pub async fn what_the_receiver_knows_only_leaves_the_outbox(place: &dyn Place) {
    let scene = Scene::open(place).await;
    let to = scene.own("a").await;
    scene.fill("a", [1]).await;
    let done = vec![handled(scene.id(2), Source::Caller, Some("done"))];
    let to = scene.commit(TurnCommit { handled: done, ..turn(&to) }).await;
    let head = scene.own("s").await;
    let goes = |index, number| Outgoing {
        position: OutboxPosition { index, ..FIRST },
        id: scene.id(number),
        ..sent(Destination::Actor(target("a")))
    };
    let head = scene.commit(TurnCommit { outbox: vec![goes(0, 1), goes(1, 2)], ..turn(&head) }).await;
    let position = |index| OutboxPosition { index, ..FIRST };
    let known = scene.transfer(&actor("s"), head.epoch, position(0)).await.expect("it is there");
    assert_eq!(known, Enqueued::Waiting);
    let known = scene.transfer(&actor("s"), head.epoch, position(1)).await.expect("it is there");
    assert_eq!(known, Enqueued::Handled(Some(body("done").bytes)));
    assert_eq!(outbox(&scene, &head).await, []);
    assert_eq!(scene.head_of("a").await, to);
    assert_eq!(waiting(&scene, &to).await, [scene.id(1)]);
}

/// What the receiver refuses stays in the outbox.
pub async fn what_the_receiver_refuses_stays_in_the_outbox(place: &dyn Place) {
    let scene = Scene::open(place).await;
    let ended = scene.own("ended").await;
    scene.commit(TurnCommit { ends: true, ..turn(&ended) }).await;
    scene.own("a").await;
    let head = scene.own("s").await;
    let outlet = Destination::Outlet(name("mail"));
    let future = MessageId::new(place.now().after(CLOCK_SKEW_MAX * 2), 1);
    let goes = [
        sent(Destination::Actor(target("ended"))),
        sent(Destination::Actor(other_type("a"))),
        Outgoing { id: future, ..sent(Destination::Actor(target("a"))) },
        sent(outlet),
    ];
    let at = |index| OutboxPosition { index, ..FIRST };
    let outbox = (0..).zip(goes).map(|(index, sent)| Outgoing { position: at(index), ..sent }).collect();
    let head = scene.commit(TurnCommit { outbox, ..turns(&head, 1) }).await;
    let id = &actor("s");
    let refused = async |index| scene.refused(scene.transfer(id, head.epoch, at(index))).await;
    assert_eq!(refused(0).await, Refusal::Ended);
    let wrong = Refusal::WrongType { stored: target("a").actor_type, asked: other_type("a").actor_type };
    assert_eq!(refused(1).await, wrong);
    let early = refused(2).await;
    assert!(matches!(early, Refusal::FromTheFuture { id, .. } if id == future), "{early}");
    let malformed = refused(3).await;
    assert!(matches!(malformed, Refusal::Malformed(_)), "{malformed}");
    assert_eq!(scene.load(id, head.epoch).await.expect("it is owned").outbox.len(), 4);
}

/// Only the sender's owner moves what it has sent.
pub async fn whoever_does_not_own_the_sender_moves_nothing(place: &dyn Place) {
    let scene = Scene::open(place).await;
    let none = scene.refused(scene.transfer(&actor("s"), Epoch(1), FIRST)).await;
    assert_eq!(none, Refusal::NoSuchActor);
    let former = sender(&scene, sent(Destination::Actor(target("a")))).await;
    let outlet = Destination::Outlet(name("mail"));
    let second = OutboxPosition { sequence: Sequence(2), index: 0 };
    let outbox = vec![Outgoing { position: second, ..sent(outlet) }];
    scene.commit(TurnCommit { outbox, ..turns(&former, 1) }).await;
    scene.own("s").await;
    // Also what cannot be moved at all, or is not there.
    for position in [FIRST, second, OutboxPosition { index: 9, ..FIRST }] {
        assert_eq!(scene.fenced(scene.transfer(&actor("s"), former.epoch, position)).await, (1, 2));
    }
    assert_eq!(scene.head(&actor("a")).await.expect("a store"), None);
}
