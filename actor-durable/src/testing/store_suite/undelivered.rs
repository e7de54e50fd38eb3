//! What leaves an outbox without having arrived: given up, listed, delivered after all, discarded.

use super::Place;
use super::dump::{Dump, all_letters, all_undelivered};
use super::scene::{
    Scene, actor, given_up as dead_letter, giving_up, handled, large, message, name, other_type, outgoing,
    target, turn, turns, waiting,
};
use crate::id::{Epoch, Sequence, WallTime};
use crate::limits::{PAYLOAD_BYTES_MAX, REASON_BYTES_MAX, UNDELIVERED_MAX};
use crate::store::{
    Arrival, Destination, Enqueued, GivingUp, Head, Message, OutboxPosition, Outgoing, Refusal, Source,
    TurnCommit, Undelivered,
};

fn at(index: u32) -> OutboxPosition {
    OutboxPosition { sequence: Sequence(1), index }
}

/// The sender `s`, who has sent messages to these, each with the id of its place.
async fn sender(scene: &Scene<'_>, to: impl IntoIterator<Item = Destination>) -> Head {
    let head = scene.own("s").await;
    let goes = (0..).zip(to).map(|(index, to)| Outgoing { to, ..outgoing(1, index) });
    scene.commit(TurnCommit { outbox: goes.collect(), ..turn(&head) }).await
}

fn to(id: &str) -> Destination {
    Destination::Actor(target(id))
}

fn given_up(outgoing: Outgoing) -> Undelivered {
    Undelivered { outgoing, at: WallTime::from_millis(4_321), reason: "nobody takes it".into() }
}

/// What is given up is not in the outbox any more, and lies among what was not delivered, as it was sent; the rest leaves.
pub async fn what_is_given_up_leaves_the_outbox(place: &dyn Place) {
    let scene = Scene::open(place).await;
    let head = sender(&scene, [to("a"), to("b"), Destination::Outlet(name("mail"))]).await;
    assert!(scene.give_up_delivery(giving_up(&head, at(0))).await.expect("it is there"));
    assert!(scene.give_up_delivery(giving_up(&head, at(2))).await.expect("it is there"));
    let scene = scene.reopen().await;
    let sent = |index, to| Outgoing { to, ..outgoing(1, index) };
    let expected = [given_up(sent(0, to("a"))), given_up(sent(2, Destination::Outlet(name("mail"))))];
    assert_eq!(all_undelivered(&scene, &actor("s")).await, expected);
    let outbox = scene.load(&actor("s"), head.epoch).await.expect("it is owned").outbox;
    assert_eq!(outbox, [sent(1, to("b"))]);
    assert_eq!(scene.head_of("s").await, head, "no turn was");
    assert_eq!(scene.head(&actor("a")).await.expect("a store"), None);
    // Once.
    let before = Dump::of(&scene).await;
    assert!(!scene.give_up_delivery(giving_up(&head, at(0))).await.expect("it has left"));
    assert_eq!(Dump::of(&scene).await, before);
    // Nothing is left to do.
    assert!(scene.give_up_delivery(giving_up(&head, at(1))).await.expect("it is there"));
    scene.release(&actor("s"), head.epoch).await.expect("it is owned");
    assert_eq!(scene.waiting(None, 10).await.expect("a store"), []);
}

/// The notice is in the sender's inbox when the message has left the outbox, however old it is, and once.
pub async fn whoever_gives_up_tells_the_sender(place: &dyn Place) {
    let scene = Scene::open(place).await;
    let head = sender(&scene, [to("a"), to("a"), to("a")]).await;
    let head = scene.commit(TurnCommit { horizon: scene.began, ..turn(&head) }).await;
    let mut arrivals = scene.arrivals();
    let with = |index, number| {
        let notice = Some(scene.message("s", number));
        GivingUp { notice, ..giving_up(&head, at(index)) }
    };
    assert!(scene.give_up_delivery(with(0, 1)).await.expect("it is there"));
    assert!(matches!(arrivals.next().await, Arrival::Mail(to) if to == target("s")));
    let letters = all_letters(&scene, &head).await;
    assert_eq!(letters.iter().map(|letter| &letter.message).collect::<Vec<_>>(), [&scene.message("s", 1)]);
    assert_eq!(scene.head_of("s").await.waiting, 1);
    // It is known, waiting or handled.
    assert!(scene.give_up_delivery(with(1, 1)).await.expect("it is there"));
    let done = vec![handled(scene.id(1), Source::Inbox, None)];
    let head = scene.commit(TurnCommit { handled: done, ..turn(&head) }).await;
    assert!(scene.give_up_delivery(with(2, 1)).await.expect("it is there"));
    let scene = scene.reopen().await;
    assert_eq!(waiting(&scene, &head).await, []);
    assert_eq!(all_undelivered(&scene, &actor("s")).await.len(), 3);
}

/// A notice that the sender has had, or that it would not have any more, is left out whatever is wrong with it.
pub async fn a_notice_that_is_left_out_is_not_judged(place: &dyn Place) {
    let scene = Scene::open(place).await;
    let head = sender(&scene, [to("a"), to("a"), to("a"), to("a")]).await;
    let with = |head: &Head, index, number| {
        let body = large(PAYLOAD_BYTES_MAX + 1);
        let notice = Some(Message { to: other_type("s"), body, ..scene.message("s", number) });
        GivingUp { notice, ..giving_up(head, at(index)) }
    };
    scene.fill("s", [1, 2, 3]).await;
    assert!(scene.give_up_delivery(with(&head, 0, 1)).await.expect("it waits"));
    let dead = all_letters(&scene, &head).await.into_iter().filter(|letter| letter.message.id == scene.id(3));
    let done = TurnCommit {
        handled: vec![handled(scene.id(2), Source::Inbox, None)],
        dead: dead.map(dead_letter).collect(),
        ..turn(&head)
    };
    let head = scene.commit(done).await;
    assert!(scene.give_up_delivery(with(&head, 1, 2)).await.expect("it is handled"));
    assert!(scene.give_up_delivery(with(&head, 2, 3)).await.expect("it is dead"));
    let head = scene.commit(TurnCommit { ends: true, ..turn(&head) }).await;
    assert!(scene.give_up_delivery(with(&head, 3, 4)).await.expect("it has ended"));
    let scene = scene.reopen().await;
    assert_eq!(waiting(&scene, &head).await, [scene.id(1)]);
    assert_eq!(all_undelivered(&scene, &actor("s")).await.len(), 4);
}

/// What an actor has sent that has ended is given up as any other's; it hears nothing of it.
pub async fn an_ended_sender_is_not_told(place: &dyn Place) {
    let scene = Scene::open(place).await;
    let head = sender(&scene, [to("a")]).await;
    let head = scene.commit(TurnCommit { ends: true, ..turn(&head) }).await;
    let notice = Some(scene.message("s", 1));
    let told = GivingUp { notice, ..giving_up(&head, at(0)) };
    assert!(scene.give_up_delivery(told).await.expect("it is there"));
    assert_eq!(waiting(&scene, &head).await, []);
    assert_eq!(all_undelivered(&scene, &actor("s")).await.len(), 1);
}

/// What is refused changes nothing: the message is in the outbox, and nobody is told.
pub async fn what_cannot_be_given_up_stays_in_the_outbox(place: &dyn Place) {
    let scene = Scene::open(place).await;
    let none = GivingUp { actor: actor("nobody"), ..giving_up(&scene.own("x").await, at(0)) };
    assert_eq!(scene.refused(scene.give_up_delivery(none)).await, Refusal::NoSuchActor);
    let head = sender(&scene, [to("a")]).await;
    let former = GivingUp { epoch: Epoch(0), ..giving_up(&head, at(0)) };
    assert_eq!(scene.fenced(scene.give_up_delivery(former)).await, (0, 1));
    let long = |bytes: usize| GivingUp { reason: "x".repeat(bytes), ..giving_up(&head, at(0)) };
    let (size, max) = (REASON_BYTES_MAX + 1, REASON_BYTES_MAX);
    let too_large = Refusal::TooLarge { what: "a reason", size, max };
    assert_eq!(scene.refused(scene.give_up_delivery(long(size))).await, too_large);
    let astray = GivingUp { notice: Some(scene.message("x", 1)), ..giving_up(&head, at(0)) };
    let refusal = scene.refused(scene.give_up_delivery(astray)).await;
    assert!(matches!(refusal, Refusal::Malformed(_)), "{refusal}");
    let mut wrong = scene.message("s", 1);
    wrong.to = other_type("s");
    let wrong = GivingUp { notice: Some(wrong), ..giving_up(&head, at(0)) };
    let refusal = scene.refused(scene.give_up_delivery(wrong)).await;
    assert!(matches!(refusal, Refusal::WrongType { .. }), "{refusal}");
    assert!(scene.give_up_delivery(long(max)).await.expect("it is as long as it may be"));
}

/// It is listed in the order it was sent, by pages.
pub async fn what_was_given_up_is_listed(place: &dyn Place) {
    let scene = Scene::open(place).await;
    assert_eq!(scene.refused(scene.undelivered(&actor("s"), None, 10)).await, Refusal::NoSuchActor);
    let head = scene.own("s").await;
    let mut commit = turns(&head, 2);
    commit.outbox = vec![outgoing(1, 0), outgoing(1, 300), outgoing(2, 1), outgoing(2, 2)];
    let all: Vec<Undelivered> = commit.outbox.iter().cloned().map(given_up).collect();
    let head = scene.commit(commit).await;
    for index in [2, 0, 3, 1] {
        let position = all[index].outgoing.position;
        assert!(scene.give_up_delivery(giving_up(&head, position)).await.expect("it is there"));
    }
    let scene = scene.reopen().await;
    assert_eq!(all_undelivered(&scene, &actor("s")).await, all);
    let page = scene.undelivered(&actor("s"), Some(all[0].outgoing.position), 2).await;
    assert_eq!(page.expect("it is there"), all[1..3]);
    assert_eq!(scene.undelivered(&actor("s"), None, 0).await.expect("it is there"), []);
}

/// It moves to whom it goes, however old it is, and who knows it already does not get it again.
pub async fn what_was_given_up_is_delivered_after_all(place: &dyn Place) {
    let scene = Scene::open(place).await;
    let receiver = scene.own("a").await;
    let receiver = scene.commit(TurnCommit { horizon: scene.began, ..turn(&receiver) }).await;
    let head = sender(&scene, [to("a"), to("new"), to("s"), to("a")]).await;
    for index in 0..4 {
        scene.give_up_delivery(giving_up(&head, at(index))).await.expect("it is there");
    }
    // Nobody need have the sender.
    scene.release(&actor("s"), head.epoch).await.expect("it is owned");
    let done = vec![handled(outgoing(1, 3).id, Source::Caller, None)];
    let receiver = scene.commit(TurnCommit { handled: done, ..turn(&receiver) }).await;
    let mut arrivals = scene.arrivals();
    for index in 0..3 {
        let moved = scene.redeliver(&actor("s"), at(index)).await.expect("it is there");
        assert_eq!(moved, Some(Enqueued::Stored));
    }
    assert!(matches!(arrivals.next().await, Arrival::Mail(to) if to == target("a")));
    let known = scene.redeliver(&actor("s"), at(3)).await.expect("it is there");
    assert_eq!(known, Some(Enqueued::Handled(None)));
    let scene = scene.reopen().await;
    assert_eq!(all_undelivered(&scene, &actor("s")).await, []);
    let expected = Outgoing { to: to("a"), ..outgoing(1, 0) };
    let expected = expected.message(actor("s")).expect("it goes to an actor");
    let letters = all_letters(&scene, &receiver).await;
    assert_eq!(letters.iter().map(|letter| &letter.message).collect::<Vec<_>>(), [&expected]);
    assert_eq!((scene.head_of("new").await.waiting, scene.head_of("s").await.waiting), (1, 1));
    let again = scene.redeliver(&actor("s"), at(0)).await.expect("it has left");
    assert_eq!(again, None);
    assert_eq!(scene.refused(scene.redeliver(&actor("x"), at(0))).await, Refusal::NoSuchActor);
}

/// The notice was the reply to a message: whoever handles it after all has nobody to reply to.
pub async fn what_was_given_up_and_told_is_not_answered_again(place: &dyn Place) {
    let scene = Scene::open(place).await;
    let receiver = scene.own("a").await;
    let head = sender(&scene, [to("a"), to("a")]).await;
    let told = GivingUp { notice: Some(scene.message("s", 1)), ..giving_up(&head, at(0)) };
    assert!(scene.give_up_delivery(told).await.expect("it is there"));
    assert!(scene.give_up_delivery(giving_up(&head, at(1))).await.expect("it is there"));
    let scene = scene.reopen().await;
    let asked = [0, 1].map(|index| Outgoing { to: to("a"), ..outgoing(1, index) });
    let [first, second] = asked.clone();
    let expected = [given_up(Outgoing { reply_to: None, ..first }), given_up(second)];
    assert_eq!(all_undelivered(&scene, &actor("s")).await, expected);
    for index in 0..2 {
        let moved = scene.redeliver(&actor("s"), at(index)).await.expect("it is there");
        assert_eq!(moved, Some(Enqueued::Stored));
    }
    let found: Vec<_> = all_letters(&scene, &receiver).await;
    let found: Vec<_> =
        found.into_iter().map(|letter| (letter.message.id, letter.message.reply_to)).collect();
    let [first, second] = asked;
    assert_eq!(found, [(first.id, None), (second.id, second.reply_to)]);
}

/// What cannot be delivered now either stays where it is.
pub async fn what_the_receiver_refuses_again_stays_given_up(place: &dyn Place) {
    let scene = Scene::open(place).await;
    let ended = scene.own("ended").await;
    scene.commit(TurnCommit { ends: true, ..turn(&ended) }).await;
    scene.own("a").await;
    let wrong = Destination::Actor(other_type("a"));
    let head = sender(&scene, [to("ended"), wrong, Destination::Outlet(name("mail"))]).await;
    for index in 0..3 {
        scene.give_up_delivery(giving_up(&head, at(index))).await.expect("it is there");
    }
    let refused = async |index| scene.refused(scene.redeliver(&actor("s"), at(index))).await;
    assert_eq!(refused(0).await, Refusal::Ended);
    let refusal = refused(1).await;
    assert!(matches!(refusal, Refusal::WrongType { .. }), "{refusal}");
    let refusal = refused(2).await;
    assert!(matches!(refusal, Refusal::Malformed(_)), "{refusal}");
}

/// What is discarded is nowhere any more.
pub async fn what_was_given_up_is_discarded(place: &dyn Place) {
    let scene = Scene::open(place).await;
    let head = sender(&scene, [to("a"), to("b")]).await;
    for index in 0..2 {
        scene.give_up_delivery(giving_up(&head, at(index))).await.expect("it is there");
    }
    assert!(scene.discard(&actor("s"), at(0)).await.expect("it is there"));
    let scene = scene.reopen().await;
    assert_eq!(
        all_undelivered(&scene, &actor("s")).await,
        [given_up(Outgoing { to: to("b"), ..outgoing(1, 1) })]
    );
    let before = Dump::of(&scene).await;
    assert!(!scene.discard(&actor("s"), at(0)).await.expect("it has gone"));
    assert_eq!(scene.redeliver(&actor("s"), at(0)).await.expect("it has gone"), None);
    assert_eq!(Dump::of(&scene).await, before);
    assert_eq!(scene.refused(scene.discard(&actor("x"), at(0))).await, Refusal::NoSuchActor);
    let fresh = scene.enqueue(message("b", outgoing(1, 1).id)).await;
    assert!(fresh.is_ok(), "nothing of it went to its receiver: {fresh:?}");
}

/// Only so many are given up: one more stays in the outbox, until there is room.
pub async fn what_was_given_up_is_bounded(place: &dyn Place) {
    let scene = Scene::open(place).await;
    let head = sender(&scene, (0..=UNDELIVERED_MAX).map(|_| to("a"))).await;
    let last = u32::try_from(UNDELIVERED_MAX).expect("it is small");
    for index in 0..last {
        assert!(scene.give_up_delivery(giving_up(&head, at(index))).await.expect("there is room"));
    }
    let many = Refusal::TooMany { what: "undelivered messages", max: UNDELIVERED_MAX };
    assert_eq!(scene.refused(scene.give_up_delivery(giving_up(&head, at(last)))).await, many);
    let outbox = scene.load(&actor("s"), head.epoch).await.expect("it is owned").outbox;
    assert_eq!(outbox.iter().map(|outgoing| outgoing.position).collect::<Vec<_>>(), [at(last)]);
    assert!(scene.discard(&actor("s"), at(7)).await.expect("it is there"));
    assert!(scene.give_up_delivery(giving_up(&head, at(last))).await.expect("there is room"));
    assert_eq!(all_undelivered(&scene, &actor("s")).await.len(), UNDELIVERED_MAX);
}
