//! Three rows of `docs/missions.md`, whole, as they are about stores alone.

use super::Place;
use super::dump::{all_dead, all_letters};
use super::scene::{
    LONG, Scene, actor, claim, given_up, handled, outgoing, seizure, snapshot, target, turn, turns,
};
use crate::id::{Epoch, MessageId, OwnerId, Position, Sequence};
use crate::store::{
    DeadLetter, Destination, Enqueued, Head, Headers, Message, Outgoing, Refusal, Source, TurnCommit,
};

/// State comes with an epoch and a place: a former owner's is refused, and so is one that follows what is not the last. Of an
/// actor that nobody has heard of there is none.
pub async fn d12_state_of_a_former_owner_or_from_a_former_place_is_refused(place: &dyn Place) {
    let scene = Scene::open(place).await;
    assert_eq!(scene.head(&actor("a")).await.expect("a store"), None);
    assert_eq!(scene.refused(scene.load(&actor("a"), Epoch(1))).await, Refusal::NoSuchActor);
    let saved =
        |head: &Head, text| TurnCommit { state: Some(snapshot(head.sequence.0 + 1, text)), ..turn(head) };
    let first = scene.own("a").await;
    assert_eq!(scene.load(&actor("a"), first.epoch).await.expect("it is owned").snapshot, None);
    let head = scene.commit(saved(&first, "one")).await;
    // Of this epoch, and of the place before.
    let (expected, found) = (Sequence(0), Sequence(1));
    let refusal = scene.refused(scene.commit_turn(saved(&first, "again"))).await;
    assert_eq!(refusal, Refusal::Sequence { expected, found });
    scene.renew(OwnerId::new(2), LONG).await.expect("a lease");
    let second = scene.acquire(seizure("a", 2)).await.expect("it is seized");
    // At the right place, and of a former epoch.
    assert_eq!(scene.fenced(scene.commit_turn(saved(&head, "former"))).await, (1, 2));
    assert_eq!(
        scene.fenced(scene.save_snapshot(&actor("a"), Epoch(1), snapshot(1, "former"), None)).await,
        (1, 2)
    );
    scene.commit(saved(&second, "two")).await;
    let scene = scene.reopen().await;
    let state = scene.load(&actor("a"), second.epoch).await.expect("it is owned").snapshot;
    assert_eq!(state, Some(snapshot(2, "two")));
}

/// A message leaves the inbox with the commit of its turn and by nothing else; whoever says that it has handled what is not
/// there, or what is another's, stores nothing.
pub async fn d15_what_is_not_in_the_owners_inbox_is_not_acknowledged(place: &dyn Place) {
    let scene = Scene::open(place).await;
    let head = scene.own("a").await;
    let other = scene.own("b").await;
    scene.fill("a", [1, 2]).await;
    scene.fill("b", [3]).await;
    let done = |head: &Head, id: MessageId| TurnCommit {
        handled: vec![handled(id, Source::Inbox, Some("done"))],
        state: Some(snapshot(head.sequence.0 + 1, "done")),
        ..turn(head)
    };
    // Nobody's, and another actor's.
    for id in [scene.id(9), scene.id(3)] {
        assert_eq!(scene.refused(scene.commit_turn(done(&head, id))).await, Refusal::NoSuchMessage(id));
        assert_eq!(
            scene.refused(scene.begin_attempt(&actor("a"), head.epoch, id)).await,
            Refusal::NoSuchMessage(id)
        );
        let dropped = TurnCommit { dropped: vec![id], ..turn(&head) };
        assert_eq!(scene.refused(scene.commit_turn(dropped)).await, Refusal::NoSuchMessage(id));
    }
    // By somebody who does not own the actor: with another's epoch, and with none that ever was.
    let foreign = TurnCommit { epoch: Epoch(7), ..done(&head, scene.id(1)) };
    assert_eq!(scene.fenced(scene.commit_turn(foreign)).await, (7, 1));
    let foreign = TurnCommit { actor: actor("b"), epoch: Epoch(2), ..done(&other, scene.id(3)) };
    assert_eq!(scene.fenced(scene.commit_turn(foreign)).await, (2, 1));
    // With the turn: what it did, and that the message is handled.
    let head = scene.commit(done(&head, scene.id(1))).await;
    let scene = scene.reopen().await;
    let letters = all_letters(&scene, &head).await;
    assert_eq!(letters.iter().map(|letter| letter.message.id).collect::<Vec<_>>(), [scene.id(2)]);
    let state = scene.load(&actor("a"), head.epoch).await.expect("it is owned").snapshot;
    assert_eq!(state, Some(snapshot(1, "done")));
    let reply = scene.reply(&actor("a"), scene.id(1)).await.expect("a store");
    assert_eq!(reply, Some(Some("done".into())));
    // Once.
    let id = scene.id(1);
    assert_eq!(scene.refused(scene.commit_turn(done(&head, id))).await, Refusal::AlreadyHandled(id));
    // A turn that is refused for whatever else leaves the message where it is.
    let spoilt = TurnCommit { trim: Some(Sequence(2)), state: None, ..done(&head, scene.id(2)) };
    let refusal = scene.refused(scene.commit_turn(spoilt)).await;
    assert!(matches!(refusal, Refusal::Malformed(_)), "{refusal}");
    assert_eq!(scene.head_of("a").await.waiting, 1);
}

/// What is sent comes with all it carries, wherever it has lain meanwhile: in an outbox, in an inbox, among the dead, and in an
/// inbox again. Headers that nobody knows are kept.
pub async fn d16_a_message_keeps_all_it_carries_wherever_it_lies(place: &dyn Place) {
    let scene = Scene::open(place).await;
    let head = scene.own("s").await;
    let unknown = [("x-unknown", "\u{1f600}"), ("", ""), ("'; --", "\0\"")];
    let headers: Headers = unknown.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let (id, to) = (scene.id(1), Destination::Actor(target("a")));
    let sent = Outgoing { id, to, headers: headers.clone(), ..outgoing(1, 0) };
    let head = scene.commit(TurnCommit { outbox: vec![sent.clone()], ..turn(&head) }).await;
    let scene = scene.reopen().await;
    let outbox = scene.load(&actor("s"), head.epoch).await.expect("it is owned").outbox;
    assert_eq!(outbox, std::slice::from_ref(&sent));
    let moved = scene.transfer(&actor("s"), head.epoch, sent.position).await.expect("it is there");
    assert_eq!(moved, Enqueued::Stored);
    let scene = scene.reopen().await;
    scene.renew(OwnerId::new(1), LONG).await.expect("a lease");
    let mut head = scene.acquire(claim("a", 1)).await.expect("it is free");
    let expected = Message {
        to: target("a"),
        id,
        from: Some(actor("s")),
        reply_to: sent.reply_to,
        sent_at: sent.sent_at,
        body: sent.body,
        headers,
    };
    for _ in 0..2 {
        let letters = all_letters(&scene, &head).await;
        let [letter] = &letters[..] else { panic!("one letter: {letters:?}") };
        assert_eq!((&letter.message, letter.attempts), (&expected, 0));
        let dead = given_up(letter.clone());
        scene.commit(TurnCommit { dead: vec![dead.clone()], ..turns(&head, 1) }).await;
        let listed: Vec<DeadLetter> = all_dead(&scene, &actor("a")).await;
        let [listed] = &listed[..] else { panic!("one dead letter: {listed:?}") };
        assert_eq!((&listed.letter.message, listed.at, &listed.reason), (&expected, dead.at, &dead.reason));
        scene.revive(&actor("a"), id).await.expect("it is dead");
        head = scene.head_of("a").await;
    }
    let last = scene.inbox(&actor("a"), head.epoch, Position::ZERO, 10).await.expect("it is owned");
    assert_eq!(last.iter().map(|letter| &letter.message).collect::<Vec<_>>(), [&expected]);
}
