//! What must hold after a run.

use std::collections::{BTreeMap, BTreeSet};

use super::actors::{Sink, Vault, VaultCommand, VaultEvent};
use super::run::Acknowledged;
use super::teller::{Answer, Noted, Teller, TellerCommand};
use crate::store::{Body, Cause, Entry, Recovery, Snapshot, Store, StoreError};
use crate::{DurableId, DurableSystem, MessageId, Sequence, decode};

const PAGE: usize = 1_000;

/// The state before the first entry.
const NOTHING: (Noted, Sequence) = (Noted { payments: BTreeMap::new(), reminded: 0 }, Sequence::ZERO);

/// Whether all has come where it goes: letters, effects, the reminder.
pub(super) async fn is_quiet<T: Teller>(system: &DurableSystem, sink: &Sink, payments: u32) -> bool {
    let store = system.store();
    let mut quiet = true;
    for id in ["teller", "vault"] {
        let head = store.head(&id_of(id)).await;
        quiet &= matches!(head, Ok(Some(head)) if head.waiting == 0);
    }
    let reminded = look_at_teller::<T>(system).await.map_or(0, |answer| answer.count);
    let arrived = sink.keys().len();
    let credited = look_at_vault(system).await.unwrap_or_default();
    let all = |text: &str| text.matches(|c: char| c.is_ascii_digit()).count() == (payments + 2) as usize;
    quiet && reminded > 0 && arrived == payments as usize && all(&credited)
}

/// Whether the store knows that all that was sent has arrived, too.
pub(super) async fn is_delivered(store: &dyn Store) -> bool {
    for id in ["teller", "vault"] {
        let Ok(Some(head)) = store.head(&id_of(id)).await else { return false };
        let recovery = store.load(&head.target.id, head.epoch).await;
        if !recovery.is_ok_and(|recovery| recovery.outbox.is_empty()) {
            return false;
        }
    }
    true
}

/// Says what does not hold.
pub(super) async fn judge<T: Teller>(
    system: &DurableSystem,
    acknowledged: &[Acknowledged],
    sink: &Sink,
) -> Result<(), String> {
    let mut expected: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for payment in acknowledged {
        expected.entry(payment.sender).or_default().push(payment.number);
    }
    let expected = format!("{expected:?}");
    // I1, I2, I6: each once, in its sender's order.
    let Answer { count: reminded, payments } = look_at_teller::<T>(system).await?;
    same("the teller's payments", &payments, &expected)?;
    let vault = look_at_vault(system).await?;
    same("the vault's payments", &vault, &expected)?;
    same("how often the reminder came", &reminded.to_string(), "1")?;
    // I3, I4.
    let store = &**system.store();
    let teller = Journal::read(store, "teller").await?;
    teller.has_each_once(acknowledged)?;
    if T::KEEPS_EVENTS {
        same("what the teller's journal comes to", &teller.comes_to(NOTHING, T::payment)?, &expected)?;
    }
    let vault = Journal::read(store, "vault").await?;
    same(
        "what the vault's state and journal come to",
        &vault.comes_to(vault.noted()?, credited)?,
        &expected,
    )?;
    // I5.
    let ids: BTreeSet<MessageId> = acknowledged.iter().map(|payment| payment.id).collect();
    same("the keys at the sink", &format!("{:?}", sink.keys()), &format!("{ids:?}"))?;
    // I7.
    check_replies::<T>(system, acknowledged).await
}

pub(super) fn same(what: &str, found: &str, expected: &str) -> Result<(), String> {
    if found == expected { Ok(()) } else { Err(format!("{what}: {found}, not {expected}")) }
}

pub(super) async fn look_at_teller<T: Teller>(system: &DurableSystem) -> Result<Answer, String> {
    let teller = system.actor::<T>("teller").expect("a good id");
    let reply = teller.call(TellerCommand::Look).await.map_err(|error| format!("the teller: {error}"))?;
    T::answer(reply)
}

pub(super) async fn look_at_vault(system: &DurableSystem) -> Result<String, String> {
    let vault = system.actor::<Vault>("vault").expect("a good id");
    vault.call(VaultCommand::Look).await.map_err(|error| format!("the vault: {error}"))
}

/// The payment that an event of the vault is of.
fn credited(event: &Body) -> Result<Option<(u32, u32)>, String> {
    let event = decode("an event", event.version, &event.bytes).map_err(|error| error.to_string())?;
    let VaultEvent::Credited { sender, number } = event;
    Ok(Some((sender, number)))
}

/// What is stored of what an actor did: the state beside its journal, and the entries that are not trimmed.
struct Journal {
    id: &'static str,
    snapshot: Option<Snapshot>,
    entries: Vec<Entry>,
}

impl Journal {
    /// Of an actor that is somebody's. It has no gap, its times do not go back, and each message is in it once.
    async fn read(store: &dyn Store, id: &'static str) -> Result<Self, String> {
        let said = |error: StoreError| error.to_string();
        let (actor, mut entries) = (id_of(id), Vec::new());
        let head = store.head(&actor).await.map_err(said)?.ok_or("there is no head")?;
        let Recovery { snapshot, .. } = store.load(&actor, head.epoch).await.map_err(said)?;
        entries.extend(store.entries(&actor, head.trimmed, PAGE).await.map_err(said)?);
        let numbers: Vec<u64> = entries.iter().map(|entry| entry.sequence.0).collect();
        let should: Vec<u64> = (head.trimmed.0 + 1..=head.sequence.0).collect();
        same("the journal's numbers", &format!("{numbers:?}"), &format!("{should:?}"))?;
        if !entries.is_sorted_by_key(|entry| entry.at) {
            return Err(format!("the journal of {id} goes back in time"));
        }
        let mut seen = BTreeSet::new();
        for entry in &entries {
            if let Cause::Message(message) = entry.cause
                && !seen.insert(message)
            {
                return Err(format!("{message} is in the journal of {id} twice"));
            }
        }
        Ok(Self { id, snapshot, entries })
    }

    /// Each message that was acknowledged has changed the state, once.
    fn has_each_once(&self, acknowledged: &[Acknowledged]) -> Result<(), String> {
        for Acknowledged { id, .. } in acknowledged {
            let is_it = |entry: &&Entry| entry.cause == Cause::Message(*id) && entry.has_changed;
            let times = self.entries.iter().filter(is_it).count();
            if times != 1 {
                return Err(format!("{id} has changed the {} {times} times", self.id));
            }
        }
        Ok(())
    }

    /// The state that is stored beside it, and as of which entry.
    fn noted(&self) -> Result<(Noted, Sequence), String> {
        let Some(Snapshot { sequence, body }) = &self.snapshot else { return Ok(NOTHING) };
        let noted = decode("a state", body.version, &body.bytes).map_err(|error| error.to_string())?;
        Ok((noted, *sequence))
    }

    /// What comes of a state by the entries after the one it is of.
    fn comes_to(
        &self,
        (mut state, behind): (Noted, Sequence),
        payment: impl Fn(&Body) -> Result<Option<(u32, u32)>, String>,
    ) -> Result<String, String> {
        for event in self.entries.iter().filter(|entry| entry.sequence > behind).flat_map(|it| &it.events) {
            if let Some((sender, number)) = payment(event)? {
                state.note(sender, number);
            }
        }
        Ok(state.text())
    }
}

async fn check_replies<T: Teller>(
    system: &DurableSystem,
    acknowledged: &[Acknowledged],
) -> Result<(), String> {
    let teller = system.actor::<T>("teller").expect("a good id");
    for Acknowledged { id, sender, number, reply } in acknowledged {
        let command = || TellerCommand::Pay { sender: *sender, number: *number };
        let [one, other] = [teller.call(command()).id(*id).await, teller.call(command()).id(*id).await]
            .map(|reply| reply.map_err(|error| error.to_string()).and_then(T::answer));
        if one != other || one.is_err() || reply.as_ref().is_some_and(|reply| one != *reply) {
            return Err(format!("{id} was answered {reply:?}, then {one:?}, then {other:?}"));
        }
    }
    Ok(())
}

fn id_of(id: &str) -> DurableId {
    DurableId::new(id).expect("a good id")
}

impl Sink {
    fn keys(&self) -> BTreeSet<MessageId> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }
}
