//! What a commit stores, field by field. Must not live here: what commits are refused.

use super::Place;
use super::dump::{all_entries, all_letters};
use super::scene::{Scene, actor, body, child, entry, handled, outgoing, reminder, snapshot, turns};
use crate::id::{Sequence, WallTime};
use crate::store::{ChildChange, Destination, Outgoing, Recovery, ReminderChange, Source};

/// All that a commit says is there afterwards, and when the store is opened anew.
pub async fn a_commit_is_found_whole(place: &dyn Place) {
    let scene = Scene::open(place).await;
    let head = scene.own("a").await;
    let (first, second) = (scene.message("a", 1), scene.id(2));
    scene.enqueue(first.clone()).await.expect("it is new");
    let outlet = Outgoing { to: Destination::Outlet(super::scene::name("mail")), ..outgoing(2, 1) };
    let due = WallTime::from_millis(9_000_000_000_000);
    let mut commit = turns(&head, 2);
    commit.state = Some(snapshot(2, "state"));
    commit.handled =
        vec![handled(first.id, Source::Inbox, Some("reply")), handled(second, Source::Caller, None)];
    commit.outbox = vec![outgoing(1, 0), outgoing(2, 0), outlet.clone()];
    commit.reminders = vec![ReminderChange::Set(reminder("r", due))];
    commit.children = vec![ChildChange::Add(child("c", "one"))];
    commit.horizon = WallTime::from_millis(5);
    scene.commit_turn(commit).await.expect("it is owned");

    let scene = scene.reopen().await;
    let recovery = Recovery {
        snapshot: Some(snapshot(2, "state")),
        handled: vec![first.id, second],
        outbox: vec![outgoing(1, 0), outgoing(2, 0), outlet],
        reminders: vec![reminder("r", due)],
        children: vec![child("c", "one")],
    };
    let id = actor("a");
    assert_eq!(scene.load(&id, head.epoch).await.expect("it is owned"), recovery);
    assert_eq!(all_entries(&scene, &id, Sequence::ZERO).await, [entry(1), entry(2)]);
    let now = scene.head_of("a").await;
    assert_eq!(
        (now.sequence, now.snapshot, now.horizon),
        (Sequence(2), Some(Sequence(2)), WallTime::from_millis(5))
    );
    assert_eq!(all_letters(&scene, &now).await, []);
    assert_eq!(now.waiting, 0);
    assert_eq!(scene.reply(&id, first.id).await.expect("a store"), Some(Some(body("reply").bytes)));
    assert_eq!(scene.reply(&id, second).await.expect("a store"), Some(None));
    assert_eq!(scene.reply(&id, scene.id(3)).await.expect("a store"), None);
}
