//! What an owner's turns change: one call of a function in the database, so one round trip.
//!
//! The function compares the epoch and the sequence and changes nothing if they are others; then the head is read, and
//! [`Head::commit`](actor_durable::store::Head::commit) says why.

use std::collections::{BTreeMap, BTreeSet};

use actor_durable::limits::{CHILDREN_MAX, DEAD_LETTERS_MAX, REMINDERS_MAX};
use actor_durable::store::{
    ChildChange, Handled, OutboxPosition, Refusal, ReminderChange, Snapshot, Source, TurnCommit,
};
use actor_durable::{DurableId, Epoch, MessageId, Sequence};

use crate::error::{HANDLED, Trouble};
use crate::ownership::{find, lock, not_owned};
use crate::pool::{Pool, Session, until_settled};
use crate::row::{clamped, column, count, encode, message_id, millis};

const COMMIT: &str = "SELECT commit_turn($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, \
    $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28)";

pub(crate) async fn commit(pool: &Pool, turn: &TurnCommit) -> Result<(), Trouble> {
    turn.check()?;
    let columns = Columns::new(turn);
    until_settled(|| async {
        match pool.write(columns.statement()).await {
            Ok(rows) if rows.first().map(|row| column(row, 0)).transpose()?.unwrap_or(false) => Ok(()),
            Ok(_) => Err(explain(pool, turn).await),
            Err(Trouble::Raised(number)) => Err(explain_raised(pool, turn, number).await),
            Err(trouble) => Err(trouble),
        }
    })
    .await
}

/// Why the head did not allow it.
async fn explain(pool: &Pool, turn: &TurnCommit) -> Trouble {
    match find(pool, &turn.actor).await {
        Err(trouble) => trouble,
        Ok(None) => Refusal::NoSuchActor.into(),
        Ok(Some((head, _))) => match head.commit(turn) {
            Err(error) => error.into(),
            // It was trimmed or given a state in between: now it would be allowed.
            Ok(_) => Trouble::overtaken(),
        },
    }
}

/// Which message or limit it was.
async fn explain_raised(pool: &Pool, turn: &TurnCommit, number: u8) -> Trouble {
    let refusal = match number {
        HANDLED => already_handled(pool, turn).await,
        2 => not_there(pool, turn).await,
        3 => {
            let stored = names(pool, turn, "SELECT name FROM reminders WHERE actor = $1").await;
            stored
                .map(|stored| turn.check_reminders(stored.len(), |name| stored.contains(name.as_str())).err())
        }
        4 => {
            let stored = names(pool, turn, "SELECT name FROM children WHERE actor = $1").await;
            stored
                .map(|stored| turn.check_children(stored.len(), |name| stored.contains(name.as_str())).err())
        }
        _ => Ok(Some(Refusal::TooMany { what: "dead letters", max: DEAD_LETTERS_MAX })),
    };
    match refusal {
        Err(trouble) => trouble,
        Ok(Some(refusal)) => refusal.into(),
        // Things have changed since.
        Ok(None) => Trouble::overtaken(),
    }
}

async fn already_handled(pool: &Pool, turn: &TurnCommit) -> Result<Option<Refusal>, Trouble> {
    let ids: Vec<MessageId> = turn.handled.iter().map(|handled| handled.message).chain(dead(turn)).collect();
    let there = "SELECT message FROM handled WHERE actor = $1 AND message = ANY ($2)";
    let there = which(pool, turn, there, &ids).await?;
    Ok(ids.iter().find(|id| there.contains(id)).copied().map(Refusal::AlreadyHandled))
}

async fn not_there(pool: &Pool, turn: &TurnCommit) -> Result<Option<Refusal>, Trouble> {
    let ids = taken(turn);
    let there = "SELECT message FROM letters WHERE actor = $1 AND message = ANY ($2)";
    let there = which(pool, turn, there, &ids).await?;
    Ok(ids.iter().find(|id| !there.contains(id)).copied().map(Refusal::NoSuchMessage))
}

/// The names that an actor has of something.
async fn names(pool: &Pool, turn: &TurnCommit, statement: &'static str) -> Result<BTreeSet<String>, Trouble> {
    let rows = pool.read(sqlx::query(statement).bind(turn.actor.as_str())).await?;
    Ok(rows.iter().map(|row| column(row, 0)).collect::<Result<_, _>>()?)
}

async fn which(
    pool: &Pool,
    turn: &TurnCommit,
    statement: &'static str,
    ids: &[MessageId],
) -> Result<BTreeSet<MessageId>, Trouble> {
    let ids: Vec<Vec<u8>> = ids.iter().map(bytes).collect();
    let rows = pool.read(sqlx::query(statement).bind(turn.actor.as_str()).bind(ids)).await?;
    Ok(rows.iter().map(|row| message_id(row, 0)).collect::<Result<_, _>>()?)
}

/// The messages that a turn takes out of the inbox.
fn taken(turn: &TurnCommit) -> Vec<MessageId> {
    let handled = turn.handled.iter().filter(|handled| handled.was == Source::Inbox);
    handled.map(|handled| handled.message).chain(dead(turn)).chain(turn.dropped.iter().copied()).collect()
}

fn dead(turn: &TurnCommit) -> impl Iterator<Item = MessageId> {
    turn.dead.iter().map(|dead| dead.letter.message.id)
}

fn bytes(id: &MessageId) -> Vec<u8> {
    id.to_bytes().into()
}

/// A turn as the function takes it.
struct Columns<'t> {
    actor: &'t DurableId,
    epoch: i64,
    expected: i64,
    last: i64,
    horizon: i64,
    trim: Option<i64>,
    ends: bool,
    entries: Vec<Vec<u8>>,
    state: Option<Vec<u8>>,
    handled: (Vec<Vec<u8>>, Vec<Vec<u8>>),
    taken: Vec<Vec<u8>>,
    dead: (Vec<Vec<u8>>, Vec<Vec<u8>>),
    forget: Vec<Vec<u8>>,
    outbox: (Vec<i64>, Vec<i64>, Vec<Vec<u8>>),
    cancelled: Vec<&'t str>,
    reminders: (Vec<&'t str>, Vec<i64>, Vec<Vec<u8>>),
    removed: Vec<&'t str>,
    children: (Vec<&'t str>, Vec<Vec<u8>>),
}

impl<'t> Columns<'t> {
    fn new(turn: &'t TurnCommit) -> Self {
        let actor = &turn.actor;
        let (cancelled, reminders) = reminders(turn);
        let (removed, children) = children(turn);
        let entry = |entry| encode(actor, &turn_key(entry), entry);
        let state = |state: &Snapshot| encode(actor, b"", state);
        let given_up = turn.dead.iter().map(|dead| Handled {
            message: dead.letter.message.id,
            was: Source::Inbox,
            reply: None,
        });
        let handled = turn.handled.iter().cloned().chain(given_up);
        let handled = handled
            .map(|handled| (bytes(&handled.message), encode(actor, &handled.message.to_bytes(), &handled)));
        let dead = turn.dead.iter().map(|dead| {
            let id = dead.letter.message.id.to_bytes();
            (id.to_vec(), encode(actor, &id, dead))
        });
        let mut outbox = (Vec::new(), Vec::new(), Vec::new());
        for outgoing in &turn.outbox {
            outbox.0.push(clamped(outgoing.position.sequence.0));
            outbox.1.push(outgoing.position.index.into());
            outbox.2.push(encode(actor, &outbox_key(outgoing.position), outgoing));
        }
        Self {
            actor,
            epoch: clamped(turn.epoch.0),
            expected: clamped(turn.expected.0),
            last: clamped(turn.last().0),
            horizon: millis(turn.horizon),
            trim: turn.trim.map(|trim| clamped(trim.0)),
            ends: turn.ends,
            entries: turn.entries.iter().map(entry).collect(),
            state: turn.state.as_ref().map(state),
            handled: handled.unzip(),
            taken: taken(turn).iter().map(bytes).collect(),
            dead: dead.unzip(),
            forget: turn.forget.iter().map(bytes).collect(),
            outbox,
            cancelled,
            reminders,
            removed,
            children,
        }
    }

    fn statement(&self) -> crate::pool::Statement<'_> {
        sqlx::query(COMMIT)
            .bind(self.actor.as_str())
            .bind(self.epoch)
            .bind(self.expected)
            .bind(self.last)
            .bind(self.horizon)
            .bind(self.trim)
            .bind(self.ends)
            .bind(&self.entries)
            .bind(self.state.as_deref())
            .bind(&self.handled.0)
            .bind(&self.handled.1)
            .bind(&self.taken)
            .bind(&self.dead.0)
            .bind(&self.dead.1)
            .bind(&self.forget)
            .bind(&self.outbox.0)
            .bind(&self.outbox.1)
            .bind(&self.outbox.2)
            .bind(&self.cancelled)
            .bind(&self.reminders.0)
            .bind(&self.reminders.1)
            .bind(&self.reminders.2)
            .bind(count(REMINDERS_MAX))
            .bind(&self.removed)
            .bind(&self.children.0)
            .bind(&self.children.1)
            .bind(count(CHILDREN_MAX))
            .bind(count(DEAD_LETTERS_MAX))
    }
}

/// The last word on each reminder: those that are not any more, and those that are.
type Reminders<'t> = (Vec<&'t str>, (Vec<&'t str>, Vec<i64>, Vec<Vec<u8>>));

fn reminders(turn: &TurnCommit) -> Reminders<'_> {
    let last = turn.reminders.iter().map(|change| match change {
        ReminderChange::Set(reminder) => (reminder.name.as_str(), Some(reminder)),
        ReminderChange::Cancel(name) => (name.as_str(), None),
    });
    let (mut cancelled, mut set) = Reminders::default();
    for (name, reminder) in last.collect::<BTreeMap<_, _>>() {
        let Some(reminder) = reminder else {
            cancelled.push(name);
            continue;
        };
        set.0.push(name);
        set.1.push(millis(reminder.due));
        set.2.push(encode(&turn.actor, name.as_bytes(), reminder));
    }
    (cancelled, set)
}

/// As [`Reminders`].
type Children<'t> = (Vec<&'t str>, (Vec<&'t str>, Vec<Vec<u8>>));

fn children(turn: &TurnCommit) -> Children<'_> {
    let last = turn.children.iter().map(|change| match change {
        ChildChange::Add(child) => (child.name.as_str(), Some(child)),
        ChildChange::Remove(name) => (name.as_str(), None),
    });
    let (mut removed, mut added) = Children::default();
    for (name, child) in last.collect::<BTreeMap<_, _>>() {
        match child {
            None => removed.push(name),
            Some(child) => {
                added.0.push(name);
                added.1.push(encode(&turn.actor, name.as_bytes(), child));
            }
        }
    }
    (removed, added)
}

/// The key of an entry in its row.
pub(crate) fn entry_key(sequence: Sequence) -> [u8; 8] {
    sequence.0.to_be_bytes()
}

fn turn_key(entry: &actor_durable::store::Entry) -> [u8; 8] {
    entry_key(entry.sequence)
}

/// The key of what leaves, in its row.
pub(crate) fn outbox_key(position: OutboxPosition) -> Vec<u8> {
    [&position.sequence.0.to_be_bytes()[..], &position.index.to_be_bytes()].concat()
}

pub(crate) async fn save_snapshot(
    pool: &Pool,
    actor: &DurableId,
    epoch: Epoch,
    snapshot: &Snapshot,
    trim: Option<Sequence>,
) -> Result<(), Trouble> {
    until_settled(|| async {
        let mut session = pool.begin().await?;
        let outcome = save_in(&mut session, actor, epoch, snapshot, trim).await;
        session.end(outcome).await
    })
    .await
}

async fn save_in(
    session: &mut Session,
    actor: &DurableId,
    epoch: Epoch,
    snapshot: &Snapshot,
    trim: Option<Sequence>,
) -> Result<(), Trouble> {
    let head = lock(session, actor).await?.ok_or(Trouble::from(Refusal::NoSuchActor))?;
    let Some(head) = head.save(epoch, snapshot, trim)? else { return Ok(()) };
    let keep = "INSERT INTO snapshots (actor, row) VALUES ($1, $2) ON CONFLICT (actor) DO UPDATE SET row = excluded.row";
    session.run(sqlx::query(keep).bind(actor.as_str()).bind(encode(actor, b"", snapshot))).await?;
    let (state, trimmed) = (clamped(snapshot.sequence.0), clamped(head.trimmed.0));
    let keep = "UPDATE actors SET snapshot = $2, trimmed = $3 WHERE id = $1";
    session.run(sqlx::query(keep).bind(actor.as_str()).bind(state).bind(trimmed)).await?;
    let drop = "DELETE FROM entries WHERE actor = $1 AND sequence <= $2";
    session.run(sqlx::query(drop).bind(actor.as_str()).bind(trimmed)).await?;
    Ok(())
}

pub(crate) async fn mark_delivered(
    pool: &Pool,
    actor: &DurableId,
    epoch: Epoch,
    delivered: &[OutboxPosition],
) -> Result<(), Trouble> {
    let sequences: Vec<i64> = delivered.iter().map(|at| clamped(at.sequence.0)).collect();
    let places: Vec<i64> = delivered.iter().map(|at| at.index.into()).collect();
    until_settled(|| async {
        let mark = sqlx::query("SELECT mark_delivered($1, $2, $3, $4)");
        let rows = pool
            .write(mark.bind(actor.as_str()).bind(clamped(epoch.0)).bind(&sequences).bind(&places))
            .await?;
        let is_owned = rows.first().map(|row| column(row, 0)).transpose()?.unwrap_or(false);
        if is_owned { Ok(()) } else { Err(not_owned(pool, actor, epoch).await) }
    })
    .await
}
