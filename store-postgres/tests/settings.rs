//! What holds on the store's connections, whatever the role, the database or the address would have them be.

use std::collections::BTreeMap;

use actor_durable::store::Store;
use sqlx::{AssertSqlSafe, Row};
use store_postgres::{PostgresConfig, PostgresStore};

use crate::place::Schema;
use crate::values::{actor, own, turn};

const NAMES: [&str; 5] = [
    "synchronous_commit",
    "default_transaction_isolation",
    "statement_timeout",
    "lock_timeout",
    "idle_in_transaction_session_timeout",
];

/// What holds while a turn of an actor is stored by a store with this role.
async fn settings(schema: &Schema, role: &str, id: &str) -> BTreeMap<String, String> {
    let address = schema.server.address().replace("user=postgres", &format!("user={role}"));
    let config = PostgresConfig::new(&address).expect("a good address");
    let config = config.with_schema(&schema.name).expect("a good name");
    let store = PostgresStore::open(config).await.expect("the server runs");
    let head = own(&store, id, 1).await;
    store.commit_turn(turn(&actor(id), head.epoch, head.sequence)).await.expect("it is owned");
    let settings = "SELECT name, setting FROM told WHERE actor = $1";
    let rows = sqlx::query(settings).bind(id).fetch_all(&mut schema.connection().await).await;
    rows.expect("good words").iter().map(|row| (row.get(0), row.get(1))).collect()
}

#[tokio::test]
async fn whatever_a_role_has_by_default_a_turn_waits_for_the_disk_and_for_nobody_for_ever() {
    let Some(schema) = Schema::new() else { return };
    drop(schema.store().await);
    let told = format!(
        "CREATE TABLE told (actor text, name text, setting text);
        CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            INSERT INTO told SELECT NEW.actor, name, current_setting(name) FROM unnest(ARRAY['{}']) AS name;
            RETURN NEW;
        END $$;
        CREATE TRIGGER tell BEFORE INSERT ON entries FOR EACH ROW EXECUTE FUNCTION tell()",
        NAMES.join("', '")
    );
    schema.say(&told).await;
    let role = format!("{}_role", schema.name);
    let careless = format!(
        "CREATE ROLE {role} LOGIN SUPERUSER;
        ALTER ROLE {role} SET default_transaction_isolation = 'serializable';
        ALTER ROLE {role} SET statement_timeout = 0;
        ALTER ROLE {role} SET lock_timeout = 0;
        ALTER ROLE {role} SET idle_in_transaction_session_timeout = 0"
    );
    schema.say(&careless).await;
    // More than `on` is not made less.
    for (default, holds) in [("off", "on"), ("on", "on"), ("remote_apply", "remote_apply")] {
        schema.say(&format!("ALTER ROLE {role} SET synchronous_commit = {default}")).await;
        let expected = NAMES.into_iter().zip([holds, "read committed", "27s", "5s", "30s"]);
        let expected = expected.map(|(name, setting)| (name.to_owned(), setting.to_owned()));
        assert_eq!(settings(&schema, &role, default).await, expected.collect(), "{default}");
    }
    let gone = format!("DROP ROLE {role}");
    sqlx::raw_sql(AssertSqlSafe(gone)).execute(&mut schema.connection().await).await.expect("good words");
}
