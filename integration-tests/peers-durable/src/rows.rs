//! What is compared: the rows, who is in each, for how long, and what ours is to reach.

use crate::bound::Bound;

/// All systems, in the order of the columns.
pub(crate) const NAMES: &[&str] =
    &["ours", "plain", "plain_and_map", "fsync", "redb", "sqlx", "sqlx_statement"];

/// What happens in a row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Form {
    /// A caller asks one actor, again and again: a turn in a store in memory.
    Memory,
    /// The same of a volatile actor.
    Volatile,
    /// So many actors with a caller each, on a file.
    Redb(usize),
    /// One actor's turn on a file, from question to answer.
    RedbAlone,
    /// The first answer of an actor that is read from a file.
    Recover(Past),
    /// So many actors with a caller each, on a server.
    Postgres(usize),
    /// One actor's turn on a server, from question to answer.
    PostgresAlone,
}

/// What there is of an actor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Past {
    /// Its events, and its state after all but a few of them.
    Snapshot,
    /// Its events alone.
    History,
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Meter {
    Time,
    /// Requests for memory, of one operation.
    Requests,
    /// Instructions, of one operation.
    Instructions,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) form: Form,
    pub(crate) meter: Meter,
    pub(crate) unit: &'static str,
    pub(crate) is_more_better: bool,
    /// The numbers of the runtime's worker threads.
    pub(crate) workers: &'static [usize],
    pub(crate) systems: &'static [&'static str],
    pub(crate) bound: Option<Bound>,
    /// How much in a full run: turns, milliseconds or events, as the form has it.
    pub(crate) full: u64,
    pub(crate) quick: u64,
    pub(crate) smoke: u64,
    pub(crate) about: &'static str,
}

impl Row {
    /// Whether it is on the server.
    pub(crate) fn is_on_postgres(&self) -> bool {
        matches!(self.form, Form::Postgres(_) | Form::PostgresAlone)
    }

    /// Whether it is the same each time, or nearly.
    pub(crate) fn is_steady(&self) -> bool {
        self.meter != Meter::Time
    }
}

pub(crate) fn named(name: &str) -> Option<&'static Row> {
    ROWS.iter().find(|row| row.name == name)
}

pub(crate) const ROWS: &[Row] = &[
    Row {
        name: "memory_turn",
        form: Form::Memory,
        meter: Meter::Time,
        unit: "ns",
        is_more_better: false,
        workers: &[1, 2],
        systems: &["ours", "plain", "plain_and_map"],
        bound: Some(Bound::AtMostTimes(8.0, "plain_and_map")),
        full: 400_000,
        quick: 200_000,
        smoke: 300,
        about: "a turn that changes the state, stored in memory; beside a plain call, and one with an update of a hash map",
    },
    Row {
        name: "memory_turn_requests",
        form: Form::Memory,
        meter: Meter::Requests,
        unit: "requests",
        is_more_better: false,
        workers: &[1],
        systems: &["ours", "plain_and_map"],
        bound: None,
        full: 50_000,
        quick: 20_000,
        smoke: 300,
        about: "requests for memory of such a turn",
    },
    Row {
        name: "volatile_call",
        form: Form::Volatile,
        meter: Meter::Time,
        unit: "ns",
        is_more_better: false,
        workers: &[1, 2],
        systems: &["ours", "plain"],
        bound: None,
        full: 2_000_000,
        quick: 1_000_000,
        smoke: 300,
        about: "a call of a volatile actor, and of a plain one",
    },
    Row {
        name: "volatile_instructions",
        form: Form::Volatile,
        meter: Meter::Instructions,
        unit: "instructions",
        is_more_better: false,
        workers: &[1],
        systems: &["ours", "plain"],
        bound: Some(Bound::AtMostTimes(1.05, "plain")),
        full: 20_000,
        quick: 10_000,
        smoke: 300,
        about: "instructions of such a call, counted by callgrind",
    },
    Row {
        name: "volatile_requests",
        form: Form::Volatile,
        meter: Meter::Requests,
        unit: "requests",
        is_more_better: false,
        workers: &[1],
        systems: &["ours", "plain"],
        bound: Some(Bound::AtMost(0.0)),
        full: 100_000,
        quick: 50_000,
        smoke: 300,
        about: "requests for memory of such a call",
    },
    Row {
        name: "redb_64",
        form: Form::Redb(64),
        meter: Meter::Time,
        unit: "turns/s",
        is_more_better: true,
        workers: &[2],
        systems: &["ours", "fsync", "redb"],
        bound: Some(Bound::AtLeastLower([(20.0, "fsync"), (0.5, "redb")])),
        full: 3_000,
        quick: 1_500,
        smoke: 30,
        about: "64 actors with a caller each, WriteThrough on redb; syncs by one thread; 64 turns' rows in a transaction of bare redb",
    },
    Row {
        name: "redb_alone",
        form: Form::RedbAlone,
        meter: Meter::Time,
        unit: "us p50",
        is_more_better: false,
        workers: &[2],
        systems: &["ours", "fsync", "redb"],
        bound: Some(Bound::AtMostPlus(1000.0, "fsync")),
        full: 3_000,
        quick: 1_500,
        smoke: 30,
        about: "one actor's turn on redb; one sync; one turn's rows in a transaction of bare redb",
    },
    Row {
        name: "recover_snapshot",
        form: Form::Recover(Past::Snapshot),
        meter: Meter::Time,
        unit: "ms",
        is_more_better: false,
        workers: &[2],
        systems: &["ours", "fsync"],
        bound: Some(Bound::AtMost(10.0)),
        full: 100_000,
        quick: 100_000,
        smoke: 600,
        about: "from the first question to the answer of an actor with 100 000 events on redb, and its state after each 500",
    },
    Row {
        name: "recover_history",
        form: Form::Recover(Past::History),
        meter: Meter::Time,
        unit: "ms",
        is_more_better: false,
        workers: &[2],
        systems: &["ours", "fsync"],
        bound: Some(Bound::AtMost(1000.0)),
        full: 100_000,
        quick: 100_000,
        smoke: 600,
        about: "the same without any state: all 100 000 events are read and applied",
    },
    Row {
        name: "postgres_16",
        form: Form::Postgres(16),
        meter: Meter::Time,
        unit: "turns/s",
        is_more_better: true,
        workers: &[2],
        systems: &["ours", "fsync", "sqlx", "sqlx_statement"],
        bound: Some(Bound::AtLeastTimes(0.8, "sqlx")),
        full: 3_000,
        quick: 1_500,
        smoke: 30,
        about: "16 actors with a caller each on PostgreSQL; the same rows by bare sqlx, in BEGIN, statements, COMMIT, and in one statement",
    },
    Row {
        name: "postgres_alone",
        form: Form::PostgresAlone,
        meter: Meter::Time,
        unit: "us p50",
        is_more_better: false,
        workers: &[2],
        systems: &["ours", "fsync", "sqlx", "sqlx_statement"],
        bound: None,
        full: 3_000,
        quick: 1_000,
        smoke: 30,
        about: "one actor's turn on PostgreSQL, and the same by bare sqlx",
    },
];
