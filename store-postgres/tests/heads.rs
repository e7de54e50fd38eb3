//! What the function of the schema makes of a head is what [`Head::commit`] makes of it.

use actor_durable::store::{Head, Snapshot, Store, StoreError, TurnCommit};
use actor_durable::{Epoch, Sequence, WallTime};

use crate::place::Schema;
use crate::values::{actor, body, entry, own};

/// A head that is put into the table as it is.
async fn put(schema: &Schema, head: &Head) {
    let owner = head.owner.map_or("NULL".into(), |owner| format!("'\\x{owner}'::bytea"));
    let snapshot = head.snapshot.map_or("NULL".into(), |snapshot| snapshot.to_string());
    let words = format!(
        "DELETE FROM entries; DELETE FROM snapshots; UPDATE actors SET epoch = {}, owner = {owner}, crashes = {}, sequence = {},
         snapshot = {snapshot}, trimmed = {}, horizon = {}, has_ended = {}",
        head.epoch, head.crashes, head.sequence, head.trimmed, head.horizon.as_millis(), head.has_ended,
    );
    schema.say(&words).await;
}

fn heads(owned: &Head) -> Vec<Head> {
    let base = Head {
        epoch: Epoch(3),
        crashes: 2,
        sequence: Sequence(5),
        horizon: WallTime::from_millis(40),
        ..owned.clone()
    };
    let snapshots = [(None, 0), (Some(Sequence(4)), 2)];
    let mut heads: Vec<Head> = snapshots
        .map(|(snapshot, trimmed)| Head { snapshot, trimmed: Sequence(trimmed), ..base.clone() })
        .into();
    heads.push(Head { owner: None, ..base.clone() });
    heads.push(Head { has_ended: true, ..base });
    heads
}

fn commits(head: &Head) -> Vec<TurnCommit> {
    let mut commits = Vec::new();
    for (epoch, expected) in [(3, 5), (2, 5), (4, 5), (3, 4), (3, 6)] {
        for has_state in [false, true] {
            for trim in [None, Some(1), Some(4), Some(5), Some(6)] {
                let mut commit = TurnCommit::new(head.target.id.clone(), Epoch(epoch), Sequence(expected));
                commit.entries = vec![entry(expected + 1)];
                commit.state = has_state.then(|| Snapshot { sequence: commit.last(), body: body(1) });
                commit.trim = trim.map(Sequence);
                // Before and after that of the heads.
                commit.horizon = WallTime::from_millis(if has_state { 90 } else { 30 });
                commit.ends = trim == Some(4);
                if commit.check().is_ok() {
                    commits.push(commit);
                }
            }
        }
    }
    commits
}

/// Errors are compared by their texts.
fn said(outcome: Result<Head, StoreError>) -> Result<Head, String> {
    outcome.map_err(|error| error.to_string())
}

#[tokio::test]
async fn the_database_decides_commits_as_the_head_does() {
    let Some(schema) = Schema::new() else { return };
    let store = schema.store().await;
    let owned = own(&store, "a", 1).await;
    let (mut done, mut refused) = (0, 0);
    for head in heads(&owned) {
        for commit in commits(&head) {
            put(&schema, &head).await;
            let expected = said(head.commit(&commit));
            let outcome = store.commit_turn(commit.clone()).await;
            let now = store.head(&actor("a")).await.expect("a store").expect("it is there");
            if outcome.is_err() {
                assert_eq!(now, head, "{commit:?}");
            }
            assert_eq!(said(outcome.map(|()| now)), expected, "{commit:?}\n{head:?}");
            if expected.is_ok() { done += 1 } else { refused += 1 }
        }
    }
    assert!(done >= 8 && refused >= 100, "{done} {refused}");
}
