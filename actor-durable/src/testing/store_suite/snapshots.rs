//! States that are stored beside the journal, and entries that are dropped.

use super::Place;
use super::dump::{Dump, all_entries};
use super::scene::{Scene, actor, entry, large, snapshot, turn, turns};
use crate::id::Sequence;
use crate::limits::STATE_BYTES_MAX;
use crate::store::{Head, Refusal, Snapshot};

/// The numbers of the entries that are there.
async fn left(scene: &Scene<'_>, head: &Head) -> Vec<u64> {
    let entries = all_entries(scene, &head.target.id, head.trimmed).await;
    entries.iter().map(|entry| entry.sequence.0).collect()
}

/// A state is stored as of an entry, and entries that it covers are dropped; the journal goes on where it was.
pub async fn a_state_is_stored_beside_the_journal(place: &dyn Place) {
    let scene = Scene::open(place).await;
    let before = scene.commit(turns(&scene.own("a").await, 5)).await;
    scene.save_snapshot(&actor("a"), before.epoch, snapshot(3, "three"), None).await.expect("it is owned");
    let head = scene.head_of("a").await;
    assert_eq!(head, Head { snapshot: Some(Sequence(3)), ..before.clone() });
    assert_eq!(left(&scene, &head).await, [1, 2, 3, 4, 5]);
    let trim = Some(Sequence(2));
    scene.save_snapshot(&actor("a"), before.epoch, snapshot(5, "five"), trim).await.expect("it is owned");
    let scene = scene.reopen().await;
    let head = scene.head_of("a").await;
    assert_eq!(head, Head { snapshot: Some(Sequence(5)), trimmed: Sequence(2), ..before });
    assert_eq!(left(&scene, &head).await, [3, 4, 5]);
    let recovery = scene.load(&actor("a"), head.epoch).await.expect("it is owned");
    assert_eq!(recovery.snapshot, Some(snapshot(5, "five")));
    let head = scene.commit(turn(&head)).await;
    assert_eq!(left(&scene, &head).await, [3, 4, 5, 6]);
}

/// Whoever asks for entries that are not there any more is told from where they are.
pub async fn what_is_trimmed_is_said_to_be(place: &dyn Place) {
    let scene = Scene::open(place).await;
    let mut commit = turns(&scene.own("a").await, 5);
    commit.state = Some(snapshot(5, "five"));
    commit.trim = Some(Sequence(3));
    let head = scene.commit(commit).await;
    let id = &actor("a");
    let trimmed = Refusal::Trimmed { trimmed: Sequence(3) };
    for after in 0..3 {
        assert_eq!(scene.refused(scene.entries(id, Sequence(after), 10)).await, trimmed);
    }
    assert_eq!(scene.entries(id, Sequence(3), 10).await.expect("they are there"), [entry(4), entry(5)]);
    scene.save_snapshot(id, head.epoch, snapshot(5, "five"), Some(Sequence(5))).await.expect("it is owned");
    let trimmed = Refusal::Trimmed { trimmed: Sequence(5) };
    assert_eq!(scene.refused(scene.entries(id, Sequence(4), 10)).await, trimmed);
    assert_eq!(scene.entries(id, Sequence(5), 10).await.expect("it is at its end"), []);
    let head = scene.commit(turn(&scene.head_of("a").await)).await;
    assert_eq!(left(&scene, &head).await, [6]);
}

/// A state older than the stored one comes too late: nothing is changed, and nothing is trimmed.
pub async fn an_older_state_changes_nothing(place: &dyn Place) {
    let scene = Scene::open(place).await;
    let head = scene.commit(turns(&scene.own("a").await, 5)).await;
    let id = &actor("a");
    scene.save_snapshot(id, head.epoch, snapshot(4, "four"), None).await.expect("it is owned");
    let before = Dump::of(&scene).await;
    scene
        .save_snapshot(id, head.epoch, snapshot(3, "three"), Some(Sequence(2)))
        .await
        .expect("it is too late");
    assert_eq!(Dump::of(&scene).await, before);
    scene
        .save_snapshot(id, head.epoch, snapshot(4, "four"), Some(Sequence(2)))
        .await
        .expect("it is the same");
    assert_eq!(left(&scene, &scene.head_of("a").await).await, [3, 4, 5]);
}

/// A state is of an entry that is there, is not too large, and covers what is trimmed.
pub async fn a_state_of_nothing_is_refused(place: &dyn Place) {
    let scene = Scene::open(place).await;
    let head = scene.commit(turns(&scene.own("a").await, 3)).await;
    let (id, epoch) = (&actor("a"), head.epoch);
    for (sequence, trim) in [(4, None), (0, None), (2, Some(3)), (4, Some(1))] {
        let save = scene.save_snapshot(id, epoch, snapshot(sequence, "s"), trim.map(Sequence));
        let refusal = scene.refused(save).await;
        assert!(matches!(refusal, Refusal::Malformed(_)), "{sequence} {trim:?}: {refusal}");
    }
    let (size, max) = (STATE_BYTES_MAX + 1, STATE_BYTES_MAX);
    let huge = Snapshot { sequence: Sequence(3), body: large(size) };
    let refusal = scene.refused(scene.save_snapshot(id, epoch, huge, None)).await;
    assert_eq!(refusal, Refusal::TooLarge { what: "a state", size, max });
    let full = Snapshot { sequence: Sequence(3), body: large(max) };
    scene.save_snapshot(id, epoch, full.clone(), None).await.expect("it is as large as it may be");
    assert_eq!(scene.load(id, epoch).await.expect("it is owned").snapshot, Some(full));
}
