//! Many callers at once. Each operation happens whole or not at all, so what they leave is what some order of them leaves.

use std::collections::BTreeSet;
use std::sync::Arc;

use actor_core::Executor;
use tokio::sync::mpsc;

use super::Place;
use super::dump::all_entries;
use super::scene::{LONG, Scene, actor, claim, entry, handled, message, seizure, turn, waiting};
use crate::id::{Epoch, MessageId, OwnerId, Sequence};
use crate::limits::COMMIT_ENTRIES_MAX;
use crate::store::{Cause, Enqueued, Head, Refusal, Source, Store, StoreError, TurnCommit};

/// So many callers, and so many actors.
const CALLERS: u32 = 8;
const ACTORS: u128 = 3;

/// Who take an actor from one another. Of each round one commits, so more of them would take longer and show no more.
const RIVALS: u32 = 3;

/// Runs so many tasks at once, and gives what each has to say.
async fn at_once<T, F>(store: &Arc<dyn Store>, count: u32, task: impl Fn(Arc<dyn Store>, u128) -> F) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let (said, mut all) = mpsc::unbounded_channel();
    for caller in 1..=count {
        let (task, said) = (task(Arc::clone(store), caller.into()), said.clone());
        Executor::tokio().spawn(async move { drop(said.send(task.await)) }).detach();
    }
    drop(said);
    let mut answers = Vec::new();
    while let Some(answer) = all.recv().await {
        answers.push(answer);
    }
    assert_eq!(answers.len(), count as usize, "nobody has panicked");
    answers
}

fn id_of(actor: u128) -> String {
    format!("actor-{actor}")
}

/// However many claim a free actor, one has it.
pub async fn one_of_many_acquires_an_actor(place: &dyn Place) {
    let scene = Scene::open(place).await;
    for owner in 1..=CALLERS {
        scene.renew(OwnerId::new(owner.into()), LONG).await.expect("a lease");
    }
    let answers =
        at_once(&scene, CALLERS, async |store: Arc<dyn Store>, owner| store.acquire(claim("a", owner)).await);
    let answers = answers.await;
    let got: Vec<&Head> = answers.iter().filter_map(|answer| answer.as_ref().ok()).collect();
    assert_eq!(got.len(), 1, "{answers:?}");
    assert_eq!((got[0].epoch, &scene.head_of("a").await), (Epoch(1), got[0]));
    let held = Refusal::Held { owner: got[0].owner.expect("somebody's") };
    let is_held = |error: &StoreError| matches!(error, StoreError::NotApplied(refusal) if *refusal == held);
    assert!(answers.iter().filter_map(|answer| answer.as_ref().err()).all(is_held), "{answers:?}");
}

/// However many seize an actor, each has an epoch of its own.
pub async fn no_two_owners_have_one_epoch(place: &dyn Place) {
    let scene = Scene::open(place).await;
    for owner in 1..=CALLERS {
        scene.renew(OwnerId::new(owner.into()), LONG).await.expect("a lease");
    }
    let answers = at_once(&scene, CALLERS, async |store: Arc<dyn Store>, owner| {
        store.acquire(seizure("a", owner)).await.expect("it is seized").epoch.0
    });
    let epochs: BTreeSet<u64> = answers.await.into_iter().collect();
    assert_eq!(epochs, (1..=CALLERS.into()).collect());
    assert_eq!(scene.head_of("a").await.epoch, Epoch(CALLERS.into()));
}

/// However many commit at one place, one does.
pub async fn one_of_many_commits_at_one_place(place: &dyn Place) {
    let scene = Scene::open(place).await;
    let head = scene.own("a").await;
    let commit = {
        let head = head.clone();
        move |caller| {
            let id = MessageId::new(head.created_at, caller);
            TurnCommit { handled: vec![handled(id, Source::Caller, None)], ..turn(&head) }
        }
    };
    let answers = at_once(&scene, CALLERS, |store, caller| {
        let commit = commit(caller);
        async move { store.commit_turn(commit).await }
    });
    let answers = answers.await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1, "{answers:?}");
    let lost = Refusal::Sequence { expected: Sequence::ZERO, found: Sequence(1) };
    let is_lost = |error: &StoreError| matches!(error, StoreError::NotApplied(refusal) if *refusal == lost);
    assert!(answers.iter().filter_map(|answer| answer.as_ref().err()).all(is_lost), "{answers:?}");
    assert_eq!(all_entries(&scene, &actor("a"), Sequence::ZERO).await, [entry(1)]);
    assert_eq!(scene.remembered(&head).await.len(), 1);
}

/// However many send the same messages, each is stored once.
pub async fn many_that_send_the_same_send_it_once(place: &dyn Place) {
    const MESSAGES: u128 = 20;
    let scene = Scene::open(place).await;
    let began = scene.began;
    let answers = at_once(&scene, CALLERS, move |store, _| async move {
        let mut stored = 0;
        for number in 0..MESSAGES {
            for to in 1..=ACTORS {
                let message = message(&id_of(to), MessageId::new(began, number));
                match store.enqueue(message).await.expect("it is accepted") {
                    Enqueued::Stored => stored += 1,
                    known => assert_eq!(known, Enqueued::Waiting),
                }
            }
        }
        stored
    });
    assert_eq!(answers.await.into_iter().sum::<u128>(), MESSAGES * ACTORS);
    for to in 1..=ACTORS {
        let head = scene.own(&id_of(to)).await;
        let ids: BTreeSet<MessageId> = waiting(&scene, &head).await.into_iter().collect();
        assert_eq!(ids, (0..MESSAGES).map(|number| scene.id(number)).collect());
        assert_eq!(head.waiting as u128, MESSAGES);
    }
}

/// Each sender's messages lie in the order it sent them, though others send at the same time.
pub async fn each_senders_messages_lie_in_order(place: &dyn Place) {
    const MESSAGES: u128 = 20;
    let scene = Scene::open(place).await;
    let began = scene.began;
    let number = move |sender: u128, message: u128| MessageId::new(began, sender << 32 | message);
    let answers = at_once(&scene, CALLERS, move |store, sender| async move {
        for index in 0..MESSAGES {
            let sent = store.enqueue(message("a", number(sender, index))).await;
            assert_eq!(sent.expect("it is accepted"), Enqueued::Stored);
        }
    });
    answers.await;
    let head = scene.own("a").await;
    let ids = waiting(&scene, &head).await;
    for sender in 1..=u128::from(CALLERS) {
        let sent: Vec<MessageId> = (0..MESSAGES).map(|index| number(sender, index)).collect();
        let found: Vec<MessageId> = ids.iter().copied().filter(|id| sent.contains(id)).collect();
        assert_eq!(found, sent);
    }
    assert_eq!(ids.len() as u128, u128::from(CALLERS) * MESSAGES);
}

/// Owners that take an actor from one another and commit leave a journal without a gap, each message handled once.
pub async fn owners_that_fight_leave_a_journal_without_a_gap(place: &dyn Place) {
    const COMMITS: usize = 8;
    const ALL: usize = RIVALS as usize * COMMITS;
    const { assert!(ALL <= COMMIT_ENTRIES_MAX) };
    let scene = Scene::open(place).await;
    let began = scene.began;
    for owner in 1..=RIVALS {
        scene.renew(OwnerId::new(owner.into()), LONG).await.expect("a lease");
    }
    at_once(&scene, RIVALS, move |store, owner| async move {
        for number in 0..COMMITS as u128 {
            let id = MessageId::new(began, owner << 32 | number);
            while !commit_once(&*store, owner, id).await {}
        }
    })
    .await;
    let entries = all_entries(&scene, &actor("a"), Sequence::ZERO).await;
    let numbers: Vec<u64> = entries.iter().map(|entry| entry.sequence.0).collect();
    assert_eq!(numbers, (1..=ALL as u64).collect::<Vec<_>>());
    let causes = entries.iter().map(|entry| match entry.cause {
        Cause::Message(id) => id,
        cause => panic!("nobody has written {cause:?}"),
    });
    let head = scene.acquire(seizure("a", 1)).await.expect("it is seized");
    assert_eq!(causes.collect::<Vec<_>>(), scene.remembered(&head).await);
    let distinct: BTreeSet<MessageId> = scene.remembered(&head).await.into_iter().collect();
    assert_eq!(distinct.len(), ALL);
}

/// Seizes the actor and handles a message; `false` if somebody else has seized it meanwhile.
async fn commit_once(store: &dyn Store, owner: u128, id: MessageId) -> bool {
    let head = store.acquire(seizure("a", owner)).await.expect("it is seized");
    let mut commit = turn(&head);
    commit.entries[0].cause = Cause::Message(id);
    commit.handled = vec![handled(id, Source::Caller, None)];
    match store.commit_turn(commit).await {
        Ok(()) => true,
        Err(StoreError::Fenced { ours, theirs }) => {
            assert!(ours == head.epoch && ours < theirs, "{ours} {theirs}");
            false
        }
        Err(error) => panic!("it owns the actor or is fenced: {error}"),
    }
}

/// Of many that fire a reminder at one time one does.
pub async fn a_reminder_is_fired_by_one_of_many(place: &dyn Place) {
    use super::scene::{name, reminder};
    use crate::id::WallTime;
    use crate::store::{Firing, ReminderChange};

    let scene = Scene::open(place).await;
    let head = scene.own("a").await;
    let due = WallTime::from_millis(100);
    let set = vec![ReminderChange::Set(reminder("r", due))];
    let head = scene.commit(TurnCommit { reminders: set, ..turn(&head) }).await;
    let fired = at_once(&scene, CALLERS, move |store, caller| async move {
        let messages = vec![message("a", MessageId::new(due, caller))];
        let next = Some(due.after(LONG));
        let firing = Firing { actor: actor("a"), name: name("r"), set_by: Sequence(1), due, messages, next };
        store.fire(firing).await.expect("it is there")
    });
    assert_eq!(fired.await.into_iter().filter(|fired| *fired).count(), 1);
    assert_eq!(waiting(&scene, &head).await.len(), 1);
}
