//! Turns on a file: of durable actors, and the same rows by bare redb.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actor_durable::RedbStore;
use actor_durable::limits::CACHE_BYTES_DEFAULT;
use peers_common::stats::percentile;
use redb::{Database, Table, TableDefinition};

use super::turn::{TurnRows, message};
use super::{Reading, load};
use crate::flags::Task;
use crate::rows::Form;

pub(super) async fn ours(task: &Task) -> Reading {
    let directory = tempfile::tempdir_in(&task.place).expect("a directory");
    let store = RedbStore::open(directory.path().join("store.redb")).await.expect("a new store");
    load::ours(Arc::new(store), task).await
}

/// What `docs/book/store-format.md` calls `rows`.
const ROWS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("rows");

/// The kinds of rows there that a turn of a counter puts.
const HEAD: u8 = 1;
const SNAPSHOT: u8 = 2;
const ENTRY: u8 = 3;
const HANDLED: u8 = 6;
const ORDER: u8 = 7;

/// One turn of each actor in a transaction, each synced.
pub(super) fn bare(task: &Task) -> Reading {
    let directory = tempfile::tempdir_in(&task.place).expect("a directory");
    let mut bare = Bare::new(&directory.path().join("bare.redb"), task.row.form);
    let turns = load::warm_up(task);
    bare.fill(turns);
    let (time, start) = (Duration::from_millis(task.n), Instant::now());
    let mut taken = Vec::new();
    while start.elapsed() < time || taken.is_empty() {
        let began = Instant::now();
        bare.commit(turns + taken.len() as u64 + 1);
        taken.push(began.elapsed().as_nanos() as f64 / 1e3);
    }
    let seconds = start.elapsed().as_secs_f64();
    Reading::of(match task.row.form {
        Form::RedbAlone => percentile(&mut taken, 500),
        _ => (taken.len() * bare.actors.len()) as f64 / seconds,
    })
}

/// A database, and the rows of actors that are not there.
struct Bare {
    database: Database,
    actors: Vec<Rows>,
}

impl Bare {
    fn new(file: &Path, form: Form) -> Self {
        let database = Database::builder().set_cache_size(CACHE_BYTES_DEFAULT).create(file);
        let names = load::names(form);
        let actors = names.iter().enumerate().map(|(number, name)| Rows::new(number, name));
        Self { database: database.expect("a new file"), actors: actors.collect() }
    }

    /// What turns have left behind in a store: all that is remembered, and the last of the journal.
    fn fill(&mut self, turns: u64) {
        let transaction = self.database.begin_write().expect("nobody else writes");
        {
            let mut table = transaction.open_table(ROWS).expect("the table");
            for turn in 1..=turns {
                self.actors.iter_mut().for_each(|actor| actor.insert(&mut table, turn, turn + 150 > turns));
            }
        }
        transaction.commit().expect("it is stored");
    }

    fn commit(&mut self, turn: u64) {
        let transaction = self.database.begin_write().expect("nobody else writes");
        {
            let mut table = transaction.open_table(ROWS).expect("the table");
            self.actors.iter_mut().for_each(|actor| actor.insert(&mut table, turn, true));
        }
        transaction.commit().expect("it is stored");
    }
}

/// The keys and rows of an actor's turn. They are written over, and never made anew.
struct Rows {
    number: usize,
    /// Where an id ends in the keys.
    end: usize,
    keys: [Vec<u8>; 5],
    rows: [Vec<u8>; 5],
}

impl Rows {
    fn new(number: usize, name: &str) -> Self {
        let turn = TurnRows::of(name);
        let key = |kind: u8, rest: usize| [name.as_bytes(), &[0, kind], &vec![0; rest]].concat();
        Self {
            number,
            end: name.len() + 2,
            keys: [key(HEAD, 0), key(SNAPSHOT, 0), key(ENTRY, 8), key(HANDLED, 16), key(ORDER, 12)],
            // A handled message's has its turn before it; in the order of the turns there are the ids, with a sum.
            rows: [turn.head, turn.snapshot, turn.entry, [&[0; 12], &turn.handled[..]].concat(), vec![0; 20]],
        }
    }

    fn insert(&mut self, table: &mut Table<'_, &[u8], &[u8]>, turn: u64, has_entry: bool) {
        let [_, _, entry, handled, order] = &mut self.keys;
        entry[self.end..].copy_from_slice(&turn.to_be_bytes());
        handled[self.end..].copy_from_slice(&message(self.number, turn));
        order[self.end..self.end + 8].copy_from_slice(&turn.to_be_bytes());
        for (at, (key, row)) in self.keys.iter().zip(&self.rows).enumerate() {
            if at != 2 || has_entry {
                table.insert(key.as_slice(), row.as_slice()).expect("it is put");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use redb::{ReadableDatabase, ReadableTable};

    use super::*;
    use crate::rows::named;

    /// The lengths that rows have, by their kind.
    fn lengths(database: &Database, end: usize) -> BTreeMap<u8, BTreeSet<(usize, usize)>> {
        let table = database.begin_read().unwrap().open_table(ROWS).unwrap();
        let mut lengths = BTreeMap::<u8, BTreeSet<_>>::new();
        for pair in table.iter().unwrap() {
            let (key, row) = pair.unwrap();
            let (key, row) = (key.value(), row.value());
            lengths.entry(key[end - 1]).or_default().insert((key.len(), row.len()));
        }
        lengths
    }

    /// Else bare redb would be compared with something else.
    #[test]
    fn bare_rows_are_as_many_and_as_long_as_a_stores() {
        let directory = tempfile::tempdir().unwrap();
        let (row, place) = (named("redb_alone").unwrap(), directory.path().display().to_string());
        let task = Task { system: "ours", row, workers: 1, n: 50, place };
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let file = directory.path().join("ours.redb");
        runtime.block_on(async {
            let store: Arc<RedbStore> = Arc::new(RedbStore::open(&file).await.unwrap());
            load::ours(store.clone(), &task).await;
        });
        drop(runtime);
        let mut bare = Bare::new(&directory.path().join("bare.redb"), row.form);
        bare.fill(1);
        let (end, ours) = (bare.actors[0].end, Database::open(file).unwrap());
        let (theirs, ours) = (lengths(&bare.database, end), lengths(&ours, end));
        assert_eq!(theirs.keys().collect::<Vec<_>>(), ours.keys().collect::<Vec<_>>());
        for (kind, lengths) in theirs {
            // An actor that was given back has no owner in its head.
            let owner = if kind == HEAD { OWNER_BYTES } else { 0 };
            let largest = ours[&kind].last().map(|(key, row)| (*key, row + owner));
            assert_eq!(lengths.last().copied(), largest, "of kind {kind}: {:?}", ours[&kind]);
        }
    }

    /// A number of 128 bits, of which few are zero.
    const OWNER_BYTES: usize = 19;
}
