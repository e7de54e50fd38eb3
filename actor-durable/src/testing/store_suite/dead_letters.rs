//! What is given up: listed, put back, dropped for good.

use super::Place;
use super::dump::{all_dead, all_letters};
use super::scene::{FAR, Scene, actor, given_up, handled, message, reminder, target, turn, waiting};
use crate::id::{MessageId, Sequence, WallTime};
use crate::limits::DEAD_LETTERS_MAX;
use crate::store::{DeadLetter, Enqueued, Firing, Head, Letter, Refusal, ReminderChange, Source, TurnCommit};

/// An actor whose messages of these numbers are given up, in this order; two more wait.
async fn graveyard(scene: &Scene<'_>, numbers: &[u128]) -> Head {
    let mut head = scene.own("a").await;
    scene.fill("a", numbers.iter().copied().chain([98, 99])).await;
    for number in numbers {
        scene.begin_attempt(&actor("a"), head.epoch, scene.id(*number)).await.expect("it waits");
        let letters = all_letters(scene, &head).await;
        let letter = letters.into_iter().find(|letter| letter.message.id == scene.id(*number));
        let dead = vec![given_up(letter.expect("it waits"))];
        head = scene.commit(TurnCommit { dead, ..turn(&head) }).await;
    }
    head
}

/// The dead letters of an actor are listed by id, by pages, each as it was given up.
pub async fn dead_letters_are_listed(place: &dyn Place) {
    let scene = Scene::open(place).await;
    graveyard(&scene, &[4, 1, 5, 2, 3]).await;
    scene.fill("b", [1]).await;
    let scene = scene.reopen().await;
    let all = all_dead(&scene, &actor("a")).await;
    let ids: Vec<MessageId> = all.iter().map(|dead| dead.letter.message.id).collect();
    assert_eq!(ids, [1, 2, 3, 4, 5].map(|number| scene.id(number)));
    for (dead, number) in all.iter().zip(1..) {
        let letter =
            Letter { position: dead.letter.position, attempts: 1, message: scene.message("a", number) };
        assert_eq!(*dead, given_up(letter));
    }
    let page: Vec<DeadLetter> =
        scene.dead_letters(&actor("a"), Some(scene.id(2)), 2).await.expect("it is there");
    assert_eq!(page, all[2..4]);
    assert_eq!(scene.dead_letters(&actor("a"), None, 0).await.expect("it is there"), []);
    assert_eq!(scene.dead_letters(&actor("b"), None, 10).await.expect("it is there"), []);
}

/// A dead letter that is put back lies behind all others, is not handled, and has no attempts. It may be older than what the
/// actor remembers.
pub async fn a_dead_letter_is_revived(place: &dyn Place) {
    let scene = Scene::open(place).await;
    let head = graveyard(&scene, &[1, 2]).await;
    let head = scene.commit(TurnCommit { horizon: scene.began, ..turn(&head) }).await;
    let id = &actor("a");
    scene.revive(id, scene.id(1)).await.expect("it is dead");
    assert_eq!(all_dead(&scene, id).await.len(), 1);
    assert_eq!(scene.remembered(&head).await, [scene.id(2)]);
    assert_eq!(scene.reply(id, scene.id(1)).await.expect("a store"), None);
    let scene = scene.reopen().await;
    let letters = all_letters(&scene, &head).await;
    let ids: Vec<MessageId> = letters.iter().map(|letter| letter.message.id).collect();
    assert_eq!(ids, [98, 99, 1].map(|number| scene.id(number)));
    assert_eq!((letters[2].attempts, &letters[2].message), (0, &scene.message("a", 1)));
    let head = scene.head_of("a").await;
    assert_eq!(head.waiting, 3);
    assert_eq!(scene.enqueue(scene.message("a", 1)).await.expect("it is known"), Enqueued::Waiting);
    assert_eq!(scene.begin_attempt(id, head.epoch, scene.id(1)).await.expect("it waits"), 1);
    let done = vec![handled(scene.id(1), Source::Inbox, Some("at last"))];
    let head = scene.commit(TurnCommit { handled: done, ..turn(&head) }).await;
    assert_eq!(scene.remembered(&head).await, [scene.id(2), scene.id(1)]);
    assert_eq!(waiting(&scene, &head).await, [98, 99].map(|number| scene.id(number)));
    let again = scene.refused(scene.revive(id, scene.id(1))).await;
    assert_eq!(again, Refusal::NoSuchMessage(scene.id(1)));
}

/// Whoever has revived a message has given it to an actor that is free.
pub async fn a_revived_message_waits(place: &dyn Place) {
    let scene = Scene::open(place).await;
    let head = scene.own("a").await;
    scene.fill("a", [1]).await;
    let dead = vec![given_up(all_letters(&scene, &head).await.remove(0))];
    let head = scene.commit(TurnCommit { dead, ..turn(&head) }).await;
    scene.release(&actor("a"), head.epoch).await.expect("it is owned");
    assert_eq!(scene.waiting(None, 10).await.expect("a store"), []);
    scene.revive(&actor("a"), scene.id(1)).await.expect("it is dead");
    assert_eq!(scene.waiting(None, 10).await.expect("a store"), [target("a")]);
    assert_eq!(scene.head_of("a").await, Head { waiting: 1, next: head.next.next(), owner: None, ..head });
}

/// What is dropped for good is remembered as handled, for as long as any other.
pub async fn a_dead_letter_is_purged(place: &dyn Place) {
    let scene = Scene::open(place).await;
    let head = graveyard(&scene, &[1, 2]).await;
    let id = &actor("a");
    scene.purge(id, scene.id(1)).await.expect("it is dead");
    let scene = scene.reopen().await;
    assert_eq!(all_dead(&scene, id).await.len(), 1);
    assert_eq!(scene.remembered(&head).await, [scene.id(1), scene.id(2)]);
    let known = scene.enqueue(scene.message("a", 1)).await.expect("it is known");
    assert_eq!(known, Enqueued::Handled(None));
    for gone in [scene.id(1), scene.id(98), scene.id(50)] {
        assert_eq!(scene.refused(scene.purge(id, gone)).await, Refusal::NoSuchMessage(gone));
        assert_eq!(scene.refused(scene.revive(id, gone)).await, Refusal::NoSuchMessage(gone));
    }
    scene.commit(TurnCommit { forget: vec![scene.id(1)], ..turn(&head) }).await;
    let new = scene.enqueue(scene.message("a", 1)).await.expect("it is forgotten");
    assert_eq!(new, Enqueued::Stored);
}

/// A dead letter is known for as long as it lies there, whatever is forgotten.
pub async fn a_dead_letter_outlives_what_is_remembered(place: &dyn Place) {
    let scene = Scene::open(place).await;
    let head = graveyard(&scene, &[1]).await;
    let forget = TurnCommit { forget: vec![scene.id(1)], horizon: WallTime::from_millis(1), ..turn(&head) };
    let head = scene.commit(forget).await;
    assert_eq!(scene.remembered(&head).await, []);
    assert_eq!(scene.enqueue(scene.message("a", 1)).await.expect("it is known"), Enqueued::Dead);
    scene.revive(&actor("a"), scene.id(1)).await.expect("it is dead");
    assert_eq!(waiting(&scene, &head).await, [98, 99, 1].map(|number| scene.id(number)));
    assert_eq!(scene.enqueue(message("a", scene.id(1))).await.expect("it is known"), Enqueued::Waiting);
}

/// Only so many are given up: one more stays in the inbox, until there is room.
pub async fn dead_letters_are_bounded(place: &dyn Place) {
    let scene = Scene::open(place).await;
    let head = scene.own("a").await;
    let set = vec![ReminderChange::Set(reminder("r", FAR))];
    let head = scene.commit(TurnCommit { reminders: set, ..turn(&head) }).await;
    let numbers = 0..=DEAD_LETTERS_MAX as u128;
    let reminder = reminder("r", FAR);
    let messages = numbers.map(|number| scene.message("a", number)).collect();
    let (name, due) = (reminder.name, reminder.due);
    let firing = Firing { actor: actor("a"), name, set_by: Sequence(1), due, messages, next: None };
    assert!(scene.fire(firing).await.expect("there is room"));
    let mut dead: Vec<DeadLetter> = all_letters(&scene, &head).await.into_iter().map(given_up).collect();
    let many = Refusal::TooMany { what: "dead letters", max: DEAD_LETTERS_MAX };
    let with = |head: &Head, dead: &[DeadLetter]| TurnCommit { dead: dead.to_vec(), ..turn(head) };
    assert_eq!(scene.refused(scene.commit_turn(with(&head, &dead))).await, many);
    let last = dead.split_off(DEAD_LETTERS_MAX);
    let head = scene.commit(with(&head, &dead)).await;
    assert_eq!(scene.refused(scene.commit_turn(with(&head, &last))).await, many);
    let head = scene.commit(turn(&head)).await;
    assert_eq!(waiting(&scene, &head).await, [scene.id(DEAD_LETTERS_MAX as u128)]);
    scene.purge(&actor("a"), scene.id(7)).await.expect("it is dead");
    let head = scene.commit(with(&head, &last)).await;
    assert_eq!((head.waiting, all_dead(&scene, &actor("a")).await.len()), (0, DEAD_LETTERS_MAX));
}
