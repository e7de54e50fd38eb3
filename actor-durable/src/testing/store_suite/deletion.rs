//! What is deleted for good.

use super::Place;
use super::dump::{Dump, all_letters};
use super::scene::{
    FAR, LONG, Scene, actor, claim, full, giving_up, other_type, outgoing, reminder, seizure, turn,
};
use crate::id::{OwnerId, Sequence, WallTime};
use crate::store::{Claim, Enqueued, Head, Recovery, ReminderChange, TurnCommit};

/// An actor with something of everything.
async fn something(scene: &Scene<'_>, id: &str) -> Head {
    let head = scene.own(id).await;
    scene.fill(id, 1..=3).await;
    let dead = all_letters(scene, &head).await.remove(1);
    let head = scene.commit(full(&head, scene.id(1), dead, scene.id(9))).await;
    scene.give_up_delivery(giving_up(&head, outgoing(1, 0).position)).await.expect("it was sent");
    head
}

/// Nothing of a deleted actor is left, and nothing of another one is touched.
pub async fn a_deleted_actor_leaves_nothing(place: &dyn Place) {
    let scene = Scene::open(place).await;
    let kept = something(&scene, "b").await;
    let before = Dump::of(&scene).await;
    let head = something(&scene, "a").await;
    scene.delete(&actor("a"), head.epoch).await.expect("it is owned");
    assert_eq!(Dump::of(&scene).await, before);
    let scene = scene.reopen().await;
    scene.renew(OwnerId::new(1), LONG).await.expect("a lease");
    assert_eq!(Dump::of(&scene).await, before);
    assert_eq!(scene.head(&actor("a")).await.expect("a store"), None);
    assert_eq!(scene.reply(&actor("a"), scene.id(1)).await.expect("a store"), None);
    let due = scene.due(WallTime::MAX, None, 10).await.expect("a store");
    assert_eq!(due.reminders, [(kept.target, reminder("r", FAR))]);
    // Whatever its id is given to begins with nothing.
    let claim = Claim { target: other_type("a"), ..claim("a", 1) };
    let head = scene.acquire(claim).await.expect("it may be of another type");
    assert_eq!(
        (head.sequence, head.waiting, head.snapshot, head.horizon),
        (Sequence::ZERO, 0, None, WallTime::ZERO)
    );
    assert_eq!(scene.load(&actor("a"), head.epoch).await.expect("it is owned"), Recovery::default());
    assert_eq!(scene.dead_letters(&actor("a"), None, 10).await.expect("it is there"), []);
    assert_eq!(scene.undelivered(&actor("a"), None, 10).await.expect("it is there"), []);
    assert_eq!(scene.entries(&actor("a"), Sequence::ZERO, 10).await.expect("it is there"), []);
    assert_eq!(all_letters(&scene, &head).await, []);
}

/// A message of a deleted actor's past is new.
pub async fn messages_of_a_deleted_actor_are_new(place: &dyn Place) {
    let scene = Scene::open(place).await;
    let head = something(&scene, "a").await;
    let head = scene.commit(TurnCommit { horizon: scene.began, ..turn(&head) }).await;
    scene.delete(&actor("a"), head.epoch).await.expect("it is owned");
    let due = scene.due(WallTime::ZERO, None, 10).await.expect("a store");
    assert_eq!((due.reminders, due.next), (vec![], None));
    for number in [1, 2, 3, 9] {
        let enqueued = scene.enqueue(scene.message("a", number)).await.expect("it is new");
        assert_eq!(enqueued, Enqueued::Stored);
    }
    assert_eq!(scene.head_of("a").await.waiting, 4);
}

/// Former owners of a deleted actor stay fenced, though another one begins to be under its id.
pub async fn owners_of_a_deleted_actor_stay_fenced(place: &dyn Place) {
    let scene = Scene::open(place).await;
    let (first, other) = (scene.own("a").await, scene.own("b").await);
    scene.renew(OwnerId::new(2), LONG).await.expect("a lease");
    let second = scene.acquire(seizure("a", 2)).await.expect("it is seized");
    scene.delete(&actor("a"), second.epoch).await.expect("it is owned");
    // One that never was so far takes nothing of that back.
    scene.delete(&actor("b"), other.epoch).await.expect("it is owned");
    let scene = scene.reopen().await;
    let third = scene.own_as("a", 3).await;
    assert!(third.epoch > second.epoch, "{} {}", third.epoch, second.epoch);
    for former in [first, second] {
        let fence = (former.epoch.0, third.epoch.0);
        assert_eq!(scene.fenced(scene.commit_turn(turn(&former))).await, fence);
        assert_eq!(scene.fenced(scene.delete(&actor("a"), former.epoch)).await, fence);
    }
    scene.commit_turn(turn(&third)).await.expect("it is owned");
    // One that begins with a message, too.
    scene.delete(&actor("a"), third.epoch).await.expect("it is owned");
    scene.fill("a", [1]).await;
    let fourth = scene.own_as("a", 3).await;
    assert!(fourth.epoch > third.epoch, "{} {}", fourth.epoch, third.epoch);
}

/// An actor that has ended can be deleted, and one that begins anew has not ended; its reminders are its own.
pub async fn an_ended_actor_can_be_deleted(place: &dyn Place) {
    let scene = Scene::open(place).await;
    let head = something(&scene, "a").await;
    let head = scene.commit(TurnCommit { ends: true, ..turn(&head) }).await;
    scene.delete(&actor("a"), head.epoch).await.expect("it is owned");
    let head = scene.own("a").await;
    assert!(!head.has_ended);
    let set = vec![ReminderChange::Set(reminder("r", FAR))];
    scene.commit(TurnCommit { reminders: set, ..turn(&head) }).await;
    let due = scene.due(WallTime::MAX, None, 10).await.expect("a store");
    assert_eq!(due.reminders, [(head.target, reminder("r", FAR))]);
}
