//! Reads an actor's state from its store: the stored state, and the entries after it.
//!
//! ```text
//!  load ─► state ─► entries after it ─► on_recover ─► ready
//!            └ none: create, on_start (in the engine)
//! ```

use std::sync::Arc;

use crate::actor::Durable;
use crate::error::ActivationError;
use crate::id::{Sequence, WallTime};
use crate::limits::JOURNAL_PAGE;
use crate::model::{Keeps, Model, NotReplayed, State, Tail, TurnRequester};
use crate::store::{Head, Recovery, Store};

/// What recovery gives.
pub(crate) struct Past<M: Model> {
    pub(crate) state: State<M>,
    /// The time of the last entry.
    pub(crate) last_at: WallTime,
    /// The events since the stored state.
    pub(crate) tail: Tail,
}

/// Reads the state of an actor that this process owns.
pub(crate) async fn read_past<M: Model>(
    model: &M,
    store: &Arc<dyn Store>,
    head: &Head,
    recovery: &Recovery,
    requester: &impl TurnRequester,
) -> Result<Past<M>, ActivationError> {
    let id = &head.target.id;
    let mut past = match &recovery.snapshot {
        None if head.trimmed > Sequence::ZERO => {
            let what = format!("the journal begins after {} and there is no state", head.trimmed);
            return Err(ActivationError::Inconsistent(what));
        }
        Some(snapshot) if head.trimmed > snapshot.sequence => {
            let what = format!(
                "the journal begins after {}, and the state is of {}",
                head.trimmed, snapshot.sequence
            );
            return Err(ActivationError::Inconsistent(what));
        }
        None => Past { state: model.actor().create(id), last_at: WallTime::ZERO, tail: Tail::default() },
        Some(snapshot) => {
            let state = model.read_state(id, &snapshot.body).map_err(|form| {
                let what = format!("the state of {} at {}", head.target, snapshot.sequence);
                ActivationError::Codec { what, form }
            })?;
            Past { state, last_at: WallTime::ZERO, tail: Tail::new(snapshot.sequence) }
        }
    };
    // The entry of the stored state is read too, for its time, unless it was trimmed.
    let from = recovery.snapshot.as_ref().map_or(Sequence::ZERO, |snapshot| snapshot.sequence);
    let mut at = Sequence(from.0.saturating_sub(1)).max(head.trimmed);
    while at < head.sequence {
        let entries = store.entries(id, at, JOURNAL_PAGE).await?;
        if entries.is_empty() {
            let what = format!("the journal ends at {at}, not at {}", head.sequence);
            return Err(ActivationError::Inconsistent(what));
        }
        for entry in entries {
            if entry.sequence != at.next() {
                let what = format!("entry {} follows entry {at}", entry.sequence);
                return Err(ActivationError::Inconsistent(what));
            }
            at = entry.sequence;
            past.last_at = past.last_at.max(entry.at);
            if at <= from {
                continue;
            }
            if M::KEEPS == Keeps::State && entry.has_changed {
                let what = format!("entry {at} changed the state, and what is stored is of {from}");
                return Err(ActivationError::Inconsistent(what));
            }
            for event in &entry.events {
                model.replay(id, &mut past.state, event).await.map_err(|why| {
                    let what = format!("an event of {} in entry {at}", head.target);
                    match why {
                        NotReplayed::Codec(form) => ActivationError::Codec { what, form },
                        NotReplayed::NotReady(text) => ActivationError::Hook { hook: "poll_ready", text },
                        NotReplayed::Diverged(why) => ActivationError::Inconsistent(format!("{what}: {why}")),
                    }
                })?;
            }
            past.tail.add(&entry.events);
        }
    }
    let recovered = model.recover(id, &mut past.state, requester).await;
    recovered.map_err(|error| ActivationError::hook("on_recover", &error))?;
    Ok(past)
}
