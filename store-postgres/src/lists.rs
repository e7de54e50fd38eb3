//! Pages of actors.

use actor_durable::store::Head;
use actor_durable::{DurableId, Target};

use crate::error::Trouble;
use crate::pool::Pool;
use crate::row::{head, head_columns, page, target};

const ACTORS: &str = concat!("SELECT ", head_columns!(), " FROM actors WHERE id > $1 ORDER BY id LIMIT $2");

/// All ids are greater than the empty text, which is none.
fn after_text(after: Option<&DurableId>) -> &str {
    after.map_or("", DurableId::as_str)
}

pub(crate) async fn actors(
    pool: &Pool,
    after: Option<&DurableId>,
    limit: usize,
) -> Result<Vec<Head>, Trouble> {
    let rows = pool.read(sqlx::query(ACTORS).bind(after_text(after)).bind(page(limit))).await?;
    Ok(rows.iter().map(head).collect::<Result<_, _>>()?)
}

const WAITING: &str = "
    SELECT id, actor_type FROM actors WHERE (outgoing > 0 OR (waiting > 0 AND NOT has_ended)) AND id > $1
        AND NOT EXISTS (SELECT FROM leases WHERE leases.owner = actors.owner AND ends_at > clock_timestamp())
    ORDER BY id LIMIT $2";

pub(crate) async fn waiting(
    pool: &Pool,
    after: Option<&DurableId>,
    limit: usize,
) -> Result<Vec<Target>, Trouble> {
    let rows = pool.read(sqlx::query(WAITING).bind(after_text(after)).bind(page(limit))).await?;
    Ok(rows.iter().map(|row| target(row, 0)).collect::<Result<_, _>>()?)
}
