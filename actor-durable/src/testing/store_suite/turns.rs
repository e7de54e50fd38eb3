//! What a commit stores, field by field. Must not live here: what commits are refused.

use super::Place;
use super::dump::{all_entries, all_letters};
use super::scene::{
    FAR, Scene, actor, body, child, entry, full, given_up, handled, outgoing, reminder, snapshot, turn,
    turns, waiting,
};
use crate::id::{MessageId, Sequence, WallTime};
use crate::store::{
    Cause, ChildChange, DeadLetter, Destination, Enqueued, Entry, Head, Outgoing, Recovery, Refusal,
    ReminderChange, Source, TurnCommit,
};

/// All that a commit says is there afterwards, and when the store is opened anew.
pub async fn a_commit_is_found_whole(place: &dyn Place) {
    let scene = Scene::open(place).await;
    let head = scene.own("a").await;
    scene.fill("a", [1, 2]).await;
    let letters = all_letters(&scene, &head).await;
    let (first, second, third) = (scene.id(1), letters[1].clone(), scene.id(3));
    scene.commit_turn(full(&head, first, second.clone(), third)).await.expect("it is owned");

    let scene = scene.reopen().await;
    let recovery = Recovery {
        snapshot: Some(snapshot(2, "state")),
        handled: vec![first, third, second.message.id],
        outbox: vec![outgoing(1, 0), outgoing(2, 0), outgoing(2, 1)],
        reminders: vec![reminder("r", FAR)],
        children: vec![child("c", "one")],
    };
    let id = actor("a");
    assert_eq!(scene.load(&id, head.epoch).await.expect("it is owned"), recovery);
    assert_eq!(all_entries(&scene, &id, Sequence::ZERO).await, [entry(1), entry(2)]);
    assert_eq!(scene.dead_letters(&id, None, 10).await.expect("it is there"), [given_up(second)]);
    let now = scene.head_of("a").await;
    let horizon = WallTime::from_millis(5);
    let expected = Head {
        sequence: Sequence(2),
        snapshot: Some(Sequence(2)),
        horizon,
        waiting: 0,
        next: now.next,
        ..head
    };
    assert_eq!(now, expected);
    assert_eq!(waiting(&scene, &now).await, []);
    assert_eq!(scene.reply(&id, first).await.expect("a store"), Some(Some(body("reply").bytes)));
    assert_eq!(scene.reply(&id, third).await.expect("a store"), Some(None));
    assert_eq!(scene.reply(&id, scene.id(4)).await.expect("a store"), None);
}

/// Entries are read as they were written, whatever they say, from any one on and by pages.
pub async fn entries_are_read_from_anywhere(place: &dyn Place) {
    let scene = Scene::open(place).await;
    let head = scene.own("a").await;
    let id = MessageId::new(WallTime::from_millis(1), 2);
    let causes = [
        Cause::Spawned,
        Cause::Message(id),
        Cause::GaveUp(id),
        Cause::Duplicate(id),
        Cause::Own,
        Cause::Stopped,
    ];
    let mut commit = turns(&head, 6);
    commit.entries.iter_mut().zip(causes).for_each(|(entry, cause)| entry.cause = cause);
    let silent = Entry { has_changed: false, events: Vec::new(), sent: Vec::new(), ..entry(3) };
    commit.entries[2] = silent;
    commit.entries[3].events = vec![body("one"), body(""), body("three")];
    let entries = commit.entries.clone();
    scene.commit_turn(commit).await.expect("it is owned");
    let head = scene.head_of("a").await;
    scene.commit(turn(&head)).await;
    let expected: Vec<Entry> = entries.into_iter().chain([entry(7)]).collect();
    for after in 0..=7 {
        let found = all_entries(&scene, &actor("a"), Sequence(after as u64)).await;
        assert_eq!(found, expected[after..], "after {after}");
    }
    let beyond = scene.entries(&actor("a"), Sequence(9), 10).await.expect("it is there");
    assert_eq!(beyond, []);
    assert_eq!(scene.entries(&actor("a"), Sequence(1), 0).await.expect("it is there"), []);
}

/// Whether a commit is of an earlier time than the one before is for its owner to see, which knows the last entry: it is stored as it
/// is.
pub async fn a_commit_of_an_earlier_time_is_stored_as_it_is(place: &dyn Place) {
    let scene = Scene::open(place).await;
    let head = scene.own("a").await;
    let head = scene.commit(turn(&head)).await;
    let earlier = Entry { at: WallTime::ZERO, ..entry(2) };
    scene.commit(TurnCommit { entries: vec![earlier.clone()], ..turn(&head) }).await;
    let scene = scene.reopen().await;
    assert_eq!(all_entries(&scene, &actor("a"), Sequence::ZERO).await, [entry(1), earlier]);
}

/// A state that comes with a commit replaces the one before; a commit without one leaves it.
pub async fn a_commit_brings_a_state_or_leaves_it(place: &dyn Place) {
    let scene = Scene::open(place).await;
    let mut head = scene.own("a").await;
    for (state, stored) in [(None, None), (Some(2), Some(2)), (None, Some(2)), (Some(4), Some(4))] {
        let mut commit = turn(&head);
        commit.state = state.map(|sequence| snapshot(sequence, &format!("state {sequence}")));
        head = scene.commit(commit).await;
        let recovery = scene.load(&actor("a"), head.epoch).await.expect("it is owned");
        let expected = stored.map(|sequence| snapshot(sequence, &format!("state {sequence}")));
        assert_eq!((recovery.snapshot, head.snapshot), (expected, stored.map(Sequence)));
    }
}

/// Of reminders and children the last word on a name counts, in one commit and over several.
pub async fn the_last_word_on_a_name_counts(place: &dyn Place) {
    let scene = Scene::open(place).await;
    let head = scene.own("a").await;
    let set = |name: &str, due: u64| ReminderChange::Set(reminder(name, WallTime::from_millis(due)));
    let cancel = |name| ReminderChange::Cancel(super::scene::name(name));
    let add = |name: &str, text: &str| ChildChange::Add(child(name, text));
    let remove = |name| ChildChange::Remove(super::scene::name(name));
    let mut commit = turn(&head);
    commit.reminders = vec![
        set("c", 1),
        set("a", 2),
        set("a", 3),
        cancel("b"),
        set("b", 4),
        set("d", 5),
        cancel("d"),
        set("e", 6),
    ];
    commit.children =
        vec![add("c", "1"), add("a", "2"), add("a", "3"), remove("b"), add("b", "4"), remove("c")];
    let head = scene.commit(commit).await;
    let mut commit = turn(&head);
    commit.reminders = vec![set("c", 9), cancel("b"), cancel("e"), set("e", 7), cancel("never there")];
    commit.children = vec![add("b", "9"), remove("a"), remove("never there")];
    scene.commit_turn(commit).await.expect("it is owned");
    let scene = scene.reopen().await;
    let recovery = scene.load(&actor("a"), head.epoch).await.expect("it is owned");
    let left = [("a", 3), ("c", 9), ("e", 7)].map(|(name, due)| reminder(name, WallTime::from_millis(due)));
    assert_eq!(recovery.reminders, left);
    assert_eq!(recovery.children, [child("b", "9")]);
    let due = scene.due(WallTime::from_millis(100), None, 10).await.expect("a store");
    let names: Vec<&str> = due.reminders.iter().map(|(_, reminder)| reminder.name.as_str()).collect();
    assert_eq!((names, due.next), (vec!["a", "e", "c"], None));
}

/// What is handled from the inbox leaves it, a caller's own does not touch it, and what came twice is dropped.
pub async fn what_is_handled_leaves_the_inbox(place: &dyn Place) {
    let scene = Scene::open(place).await;
    let head = scene.own("a").await;
    scene.fill("a", 1..=5).await;
    let [one, two, three, four, five] = [1, 2, 3, 4, 5].map(|number| scene.id(number));
    let mut commit = turn(&head);
    commit.handled = vec![handled(four, Source::Inbox, None), handled(two, Source::Caller, Some("two"))];
    let head = scene.commit(commit).await;
    assert_eq!((head.waiting, waiting(&scene, &head).await), (4, vec![one, two, three, five]));
    // It waits, and it was handled: whoever sends it again is told the reply.
    let again = scene.enqueue(scene.message("a", 2)).await.expect("it is known");
    assert_eq!(again, Enqueued::Handled(Some(body("two").bytes)));
    let mut commit = turn(&head);
    commit.dropped = vec![two, five];
    let head = scene.commit(commit).await;
    assert_eq!((head.waiting, waiting(&scene, &head).await), (2, vec![one, three]));
    assert_eq!(scene.remembered(&head).await, [four, two], "what is dropped was handled or not");
    assert_eq!(scene.reply(&actor("a"), two).await.expect("a store"), Some(Some(body("two").bytes)));
}

/// A caller's message and its double in the inbox may be seen to in one commit.
pub async fn a_double_is_dropped_in_the_commit_of_the_first(place: &dyn Place) {
    let scene = Scene::open(place).await;
    let head = scene.own("a").await;
    scene.fill("a", [1, 2]).await;
    let mut commit = turns(&head, 2);
    commit.handled = vec![handled(scene.id(1), Source::Caller, None)];
    commit.dropped = vec![scene.id(1)];
    let head = scene.commit(commit).await;
    assert_eq!((head.waiting, waiting(&scene, &head).await), (1, vec![scene.id(2)]));
    assert_eq!(scene.remembered(&head).await, [scene.id(1)]);
}

/// Handled messages are remembered in the order they were handled, until they are forgotten.
pub async fn handled_messages_are_remembered_in_order_until_forgotten(place: &dyn Place) {
    let scene = Scene::open(place).await;
    let mut head = scene.own("a").await;
    for numbers in [vec![5, 9, 1], vec![7], vec![3, 8]] {
        let mut commit = turn(&head);
        let ids = numbers.into_iter().map(|number| scene.id(number));
        commit.handled = ids.map(|id| handled(id, Source::Caller, Some("done"))).collect();
        head = scene.commit(commit).await;
    }
    let ids = |numbers: &[u128]| numbers.iter().map(|number| scene.id(*number)).collect::<Vec<_>>();
    assert_eq!(scene.remembered(&head).await, ids(&[5, 9, 1, 7, 3, 8]));
    let mut commit = turn(&head);
    commit.handled = vec![handled(scene.id(2), Source::Caller, None)];
    commit.forget = ids(&[9, 7, 100, 2]);
    head = scene.commit(commit).await;
    let expected = ids(&[5, 1, 3, 8]);
    assert_eq!(scene.remembered(&head).await, expected);
    assert_eq!(scene.reply(&actor("a"), scene.id(9)).await.expect("a store"), None);
    let enqueued = scene.enqueue(scene.message("a", 9)).await.expect("it is not remembered");
    assert_eq!(enqueued, Enqueued::Stored);
    assert_eq!(scene.reopen().await.remembered(&head).await, expected);
}

/// What was handled and lies in the inbox too is not forgotten before it has left it.
pub async fn what_waits_is_not_forgotten(place: &dyn Place) {
    let scene = Scene::open(place).await;
    let head = scene.own("a").await;
    let id = scene.id(1);
    scene.fill("a", [1]).await;
    let mut commit = turn(&head);
    commit.handled = vec![handled(id, Source::Caller, None)];
    let head = scene.commit(commit).await;
    let mut commit = turn(&head);
    commit.forget = vec![id];
    let head = scene.commit(commit).await;
    assert_eq!(scene.remembered(&head).await, [id]);
    let mut commit = turn(&head);
    commit.handled = vec![handled(id, Source::Inbox, None)];
    assert_eq!(scene.refused(scene.commit_turn(commit)).await, Refusal::AlreadyHandled(id));
    let mut commit = turn(&head);
    commit.dropped = vec![id];
    commit.forget = vec![id];
    let head = scene.commit(commit).await;
    assert_eq!((scene.remembered(&head).await, head.waiting), (vec![], 0));
}

/// What is given up leaves the inbox, counts as handled, and lies among the dead letters as it lay in the inbox.
pub async fn what_is_given_up_is_a_dead_letter(place: &dyn Place) {
    let scene = Scene::open(place).await;
    let head = scene.own("a").await;
    scene.fill("a", [1, 2]).await;
    for attempts in 1..=3 {
        let counted = scene.begin_attempt(&actor("a"), head.epoch, scene.id(1)).await.expect("it waits");
        assert_eq!(counted, attempts);
    }
    let mut letter = all_letters(&scene, &head).await.remove(0);
    assert_eq!(letter.attempts, 3);
    // It is kept as the commit says it.
    letter.attempts = 7;
    let mut commit = turn(&head);
    commit.dead = vec![given_up(letter.clone())];
    let head = scene.commit(commit).await;
    assert_eq!((head.waiting, waiting(&scene, &head).await), (1, vec![scene.id(2)]));
    assert_eq!(scene.remembered(&head).await, [scene.id(1)]);
    let dead: Vec<DeadLetter> = scene.dead_letters(&actor("a"), None, 10).await.expect("it is there");
    assert_eq!(dead, [given_up(letter)]);
    assert_eq!(scene.enqueue(scene.message("a", 1)).await.expect("it is known"), Enqueued::Dead);
}

/// What was made until the horizon is refused, unless it is remembered; the horizon never goes back.
pub async fn a_horizon_never_goes_back(place: &dyn Place) {
    let scene = Scene::open(place).await;
    let mut head = scene.own("a").await;
    let time = |millis| WallTime::from_millis(millis);
    for (horizon, expected) in [(1_000, 1_000), (0, 1_000), (999, 1_000), (2_000, 2_000)] {
        let mut commit = turn(&head);
        commit.horizon = time(horizon);
        head = scene.commit(commit).await;
        assert_eq!(head.horizon, time(expected));
    }
    let message = |made| super::scene::message("a", MessageId::new(time(made), 1));
    let id = MessageId::new(time(2_000), 1);
    let refusal = scene.refused(scene.enqueue(message(2_000))).await;
    assert_eq!(refusal, Refusal::TooOld { id, horizon: time(2_000) });
    assert_eq!(scene.enqueue(message(2_001)).await.expect("it is younger"), Enqueued::Stored);
    let mut commit = turn(&head);
    commit.handled = vec![handled(MessageId::new(time(500), 1), Source::Caller, None)];
    scene.commit_turn(commit).await.expect("whether it may be new is the owner's to see");
    assert_eq!(scene.enqueue(message(500)).await.expect("it is known"), Enqueued::Handled(None));
}

/// What has arrived leaves the outbox; the rest stays in the order it was sent.
pub async fn what_has_arrived_leaves_the_outbox(place: &dyn Place) {
    let scene = Scene::open(place).await;
    let head = scene.own("a").await;
    let mut commit = turns(&head, 3);
    let outlet = Outgoing { to: Destination::Outlet(super::scene::name("mail")), ..outgoing(2, 3) };
    let sent = [outgoing(1, 0), outgoing(1, 1), outlet, outgoing(3, 0), outgoing(3, 10)];
    commit.outbox = sent.to_vec();
    scene.commit_turn(commit).await.expect("it is owned");
    let [one, two, three, four, five] = sent;
    let left =
        async |scene: &Scene<'_>| scene.load(&actor("a"), head.epoch).await.expect("it is owned").outbox;
    assert_eq!(left(&scene).await, [one.clone(), two.clone(), three.clone(), four.clone(), five.clone()]);
    let delivered = [four.position, one.position, outgoing(9, 9).position];
    scene.mark_delivered(&actor("a"), head.epoch, &delivered).await.expect("it is owned");
    let scene = scene.reopen().await;
    assert_eq!(left(&scene).await, [two.clone(), three.clone(), five.clone()]);
    scene.mark_delivered(&actor("a"), head.epoch, &delivered).await.expect("it may be told twice");
    let rest = [two.position, three.position, five.position];
    scene.mark_delivered(&actor("a"), head.epoch, &rest).await.expect("it is owned");
    assert_eq!(left(&scene).await, []);
}

/// An actor that has ended accepts nothing and is reminded of nothing. It is still known, and its outbox is delivered.
pub async fn an_ended_actor_accepts_nothing(place: &dyn Place) {
    let scene = Scene::open(place).await;
    let head = scene.own("a").await;
    let id = actor("a");
    scene.fill("a", [1, 2, 3]).await;
    let dead = all_letters(&scene, &head).await.remove(1);
    let commit = full(&head, scene.id(1), dead, scene.id(9));
    let head = scene.commit(commit).await;
    let mut last = turn(&head);
    last.reminders = vec![ReminderChange::Set(reminder("late", WallTime::from_millis(1)))];
    last.ends = true;
    let head = scene.commit(last).await;
    assert!(head.has_ended);
    assert_eq!(scene.load(&id, head.epoch).await.expect("it is owned").reminders, []);
    let due = scene.due(WallTime::MAX, None, 10).await.expect("a store");
    assert_eq!((due.reminders, due.next), (vec![], None));

    let scene = scene.reopen().await;
    assert_eq!(scene.refused(scene.commit_turn(turn(&head))).await, Refusal::Ended);
    assert_eq!(scene.refused(scene.enqueue(scene.message("a", 4))).await, Refusal::Ended);
    assert_eq!(scene.refused(scene.revive(&id, scene.id(2))).await, Refusal::Ended);
    let known = scene.enqueue(scene.message("a", 1)).await.expect("it is known");
    assert_eq!(known, Enqueued::Handled(Some(body("reply").bytes)));
    scene.release(&id, head.epoch).await.expect("it is owned");
    assert_eq!(scene.waiting(None, 10).await.expect("a store"), [super::scene::target("a")]);
    let head = scene.own_as("a", 2).await;
    let sent: Vec<_> = scene.load(&id, head.epoch).await.expect("it is owned").outbox;
    assert_eq!(sent, [outgoing(1, 0), outgoing(2, 0), outgoing(2, 1)]);
    let positions: Vec<_> = sent.iter().map(|outgoing| outgoing.position).collect();
    scene.mark_delivered(&id, head.epoch, &positions).await.expect("it is owned");
    scene.release(&id, head.epoch).await.expect("it is owned");
    assert_eq!(scene.head_of("a").await.waiting, 1);
    assert_eq!(scene.waiting(None, 10).await.expect("a store"), [], "nothing is to be done for its inbox");
}
