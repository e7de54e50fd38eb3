//! Files that somebody copies while the store writes them.

use super::script::{Script, lease, open, options, state};
use super::verifying::faults;
use crate::redb::faulty::FaultyDisk;
use crate::store::{Refusal, StoreError};

const ACTS: usize = 40;

/// Between the reading of a copy's first half and of its second so many acts are done.
const ACTS_BETWEEN: usize = 6;

/// A copy's bytes up to a place are older than those behind it, as whoever copies begins at the front.
fn copy(older: &[u8], newer: &[u8], place: usize) -> FaultyDisk {
    let place = place.min(older.len());
    FaultyDisk::of_bytes([&older[..place], newer.get(place..).unwrap_or_default()].concat())
}

#[tokio::test]
async fn a_copy_of_an_open_file_is_the_store_at_some_moment_or_is_refused() {
    let script = Script::of(14, ACTS).await;
    let disk = FaultyDisk::new();
    let store = open(&disk).await;
    let mut files = vec![disk.bytes()];
    for (act, _) in &script.acts {
        drop(act.run(&store).await);
        files.push(disk.bytes());
    }
    let (mut opened, mut refused) = (0, 0);
    for (began, older) in files.iter().enumerate() {
        let ended = (began + ACTS_BETWEEN).min(ACTS);
        for place in (0..files[ended].len()).step_by(files[ended].len() / 25) {
            match options().open_on(copy(older, &files[ended], place)).await {
                Ok(copied) => {
                    lease(&copied).await;
                    let found = state(&copied).await;
                    // Where pages of the last commit are missing, the file is repaired to the one before.
                    let is_known = script.states[began.saturating_sub(1)..=ended].contains(&found);
                    assert!(
                        is_known,
                        "copied to byte {place} after {began} acts, the rest after {ended}: {found}"
                    );
                    assert_eq!(faults(&copied).await, []);
                    opened += 1;
                }
                Err(StoreError::NotApplied(Refusal::Damaged { .. })) => refused += 1,
                Err(error) => panic!("{error:?}"),
            }
        }
    }
    assert!(opened > 100 && refused > 100, "{opened} opened, {refused} refused");
}
