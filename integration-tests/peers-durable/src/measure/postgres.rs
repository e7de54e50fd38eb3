//! Turns on a server: of durable actors, and the same rows by bare sqlx, into tables of the same schema.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};
use store_postgres::{PostgresConfig, PostgresStore};
use tokio::sync::Mutex;

use super::turn::{TurnRows, message};
use super::{Reading, load};
use crate::flags::Task;

/// In a schema that nobody else has, with a connection for each actor.
fn config(task: &Task) -> (PostgresConfig, String) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    let schema = format!("b{}_{now}", std::process::id());
    let config = PostgresConfig::new(&task.place).and_then(|config| config.with_schema(&schema));
    let connections = load::names(task.row.form).len();
    (config.expect("the address is good").with_connections_max(connections), schema)
}

pub(super) async fn ours(task: &Task) -> Reading {
    let store = PostgresStore::open(config(task).0).await.expect("the server is there");
    load::ours(Arc::new(store), task).await
}

/// `sqlx` or `sqlx_statement`.
pub(super) async fn bare(shape: &str, task: &Task) -> Reading {
    let is_one_statement = shape == "sqlx_statement";
    let (config, schema) = config(task);
    // Only for its tables.
    drop(PostgresStore::open(config).await.expect("the server is there"));
    let options: PgConnectOptions = task.place.parse().expect("the address is good");
    let options = options.disable_statement_logging();
    let (mut writers, fill) = (Vec::new(), load::warm_up(task));
    for (number, name) in load::names(task.row.form).into_iter().enumerate() {
        let mut connection = options.connect().await.expect("the server is there");
        let path = format!("SET search_path = \"{schema}\"");
        sqlx::raw_sql(AssertSqlSafe(path)).execute(&mut connection).await.expect("the schema is there");
        let rows = TurnRows::of(&name);
        let mut writer = Writer { connection, number, name, rows };
        writer.begin(fill).await.expect("it is stored");
        writers.push(Arc::new(Mutex::new(writer)));
    }
    let turns = writers.into_iter().map(|writer| {
        move |turn: u64| {
            let writer = writer.clone();
            async move {
                let (mut writer, turn) = (writer.lock().await, fill + turn);
                let stored =
                    if is_one_statement { writer.state(turn).await } else { writer.transact(turn).await };
                stored.expect("it is stored");
            }
        }
    });
    load::run(turns, task).await
}

/// Writes the rows of an actor that is not there.
struct Writer {
    connection: PgConnection,
    number: usize,
    name: String,
    rows: TurnRows,
}

const UPDATE: &str =
    "UPDATE actors SET crashes = 0, sequence = $2, snapshot = $2 WHERE id = $1 AND sequence = $2 - 1";
const ENTRY: &str = "INSERT INTO entries (actor, sequence, row) VALUES ($1, $2, $3)";
const STATE: &str =
    "INSERT INTO snapshots (actor, row) VALUES ($1, $2) ON CONFLICT (actor) DO UPDATE SET row = excluded.row";
const HANDLED: &str = "INSERT INTO handled (actor, message, sequence, place, row) VALUES ($1, $2, $3, 1, $4)";
const ALL: &str = "WITH head AS (UPDATE actors SET crashes = 0, sequence = $2, snapshot = $2 WHERE id = $1 AND sequence = $2 - 1), \
    entry AS (INSERT INTO entries (actor, sequence, row) VALUES ($1, $2, $3)), \
    state AS (INSERT INTO snapshots (actor, row) VALUES ($1, $4) ON CONFLICT (actor) DO UPDATE SET row = excluded.row) \
    INSERT INTO handled (actor, message, sequence, place, row) VALUES ($1, $5, $2, 1, $6)";

impl Writer {
    /// What turns have left behind: the head, and all that is remembered.
    async fn begin(&mut self, turns: u64) -> Result<(), sqlx::Error> {
        let make = "INSERT INTO actors (id, actor_type, epoch, created_at, sequence) VALUES ($1, 'counter', 1, 0, $2)";
        sqlx::query(make).bind(&self.name).bind(turns as i64).execute(&mut self.connection).await?;
        let fill = "INSERT INTO handled (actor, message, sequence, place, row) \
            SELECT $1, unnest($2::bytea[]), generate_series(1, $3), 1, $4";
        let messages: Vec<Vec<u8>> = (1..=turns).map(|turn| message(self.number, turn).to_vec()).collect();
        let fill =
            sqlx::query(fill).bind(&self.name).bind(messages).bind(turns as i64).bind(&self.rows.handled);
        fill.execute(&mut self.connection).await.map(drop)
    }

    /// `BEGIN`, a statement for each row, `COMMIT`.
    async fn transact(&mut self, turn: u64) -> Result<(), sqlx::Error> {
        let Self { connection, number, name, rows } = self;
        let sequence = turn as i64;
        let mut transaction = connection.begin().await?;
        let update = sqlx::query(UPDATE).bind(&*name).bind(sequence).execute(&mut *transaction).await?;
        assert_eq!(update.rows_affected(), 1, "the actor is where it was left");
        sqlx::query(ENTRY).bind(&*name).bind(sequence).bind(&rows.entry).execute(&mut *transaction).await?;
        sqlx::query(STATE).bind(&*name).bind(&rows.snapshot).execute(&mut *transaction).await?;
        let handled = sqlx::query(HANDLED).bind(&*name).bind(message(*number, turn).to_vec());
        handled.bind(sequence).bind(&rows.handled).execute(&mut *transaction).await?;
        transaction.commit().await
    }

    /// One statement, which is a transaction of its own.
    async fn state(&mut self, turn: u64) -> Result<(), sqlx::Error> {
        let Self { connection, number, name, rows } = self;
        let all = sqlx::query(ALL).bind(&*name).bind(turn as i64).bind(&rows.entry).bind(&rows.snapshot);
        let all = all.bind(message(*number, turn).to_vec()).bind(&rows.handled);
        all.execute(&mut *connection).await.map(drop)
    }
}
