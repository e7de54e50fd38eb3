//! What commits are refused, and that a refused one changes nothing: each says more than the one thing that is wrong.

use super::Place;
use super::dump::all_letters;
use super::scene::{
    FAR, Scene, actor, body, child, entry, full, given_up, giving_up, handled, large, message, name,
    outgoing, reminder, snapshot, target, turn, turns,
};
use crate::id::{Sequence, WallTime};
use crate::limits::{
    CHILD_BYTES_MAX, CHILDREN_MAX, COMMIT_BYTES_MAX, COMMIT_ENTRIES_MAX, COMMIT_ROWS_MAX, EVENT_BYTES_MAX,
    HEADERS_BYTES_MAX, HEADERS_MAX, PAYLOAD_BYTES_MAX, REASON_BYTES_MAX, REMINDER_BYTES_MAX, REMINDERS_MAX,
    REPLY_BYTES_MAX, STATE_BYTES_MAX,
};
use crate::store::{
    ChildChange, GivingUp, Head, Letter, Outgoing, Refusal, Reminder, ReminderChange, Snapshot, Source,
    TurnCommit,
};
use crate::turn::SUPERVISOR;

/// An actor with something of everything, and a commit of everything that would be accepted.
async fn something(scene: &Scene<'_>) -> (Head, TurnCommit) {
    let head = scene.own("a").await;
    scene.fill("a", 1..=6).await;
    let dead = all_letters(scene, &head).await.remove(1);
    let head = scene.commit(full(&head, scene.id(1), dead, scene.id(100))).await;
    let dead = all_letters(scene, &head).await.remove(0);
    let mut commit = full(&head, scene.id(4), dead, scene.id(101));
    commit.dropped = vec![scene.id(5)];
    commit.forget = vec![scene.id(1)];
    commit.reminders.push(ReminderChange::Cancel(name("r")));
    commit.children.push(ChildChange::Remove(name("c")));
    commit.trim = Some(Sequence(3));
    commit.ends = true;
    (head, commit)
}

type Spoil = fn(&mut TurnCommit);

/// Gives a commit so many rows of a kind.
type SpoilRows<'s> = &'s dyn Fn(&mut TurnCommit, usize);

/// A commit begins where the journal ends, and nowhere else.
pub async fn a_commit_at_another_place_is_refused(place: &dyn Place) {
    let scene = Scene::open(place).await;
    let (head, commit) = something(&scene).await;
    assert_eq!(head.sequence, Sequence(2));
    for expected in [0, 1, 3, 7] {
        let mut commit = TurnCommit { expected: Sequence(expected), ..commit.clone() };
        commit.entries = vec![entry(expected + 1), entry(expected + 2)];
        commit.state = Some(snapshot(expected + 2, "s"));
        commit.trim = None;
        commit.outbox = vec![outgoing(expected + 1, 0)];
        let (expected, found) = (Sequence(expected), head.sequence);
        assert_eq!(scene.refused(scene.commit_turn(commit)).await, Refusal::Sequence { expected, found });
    }
    scene.commit_turn(commit).await.expect("nothing is wrong with it");
}

/// What no actor of this crate commits is not stored.
pub async fn a_malformed_commit_is_refused(place: &dyn Place) {
    let scene = Scene::open(place).await;
    let (_, good) = something(&scene).await;
    let wrongs: [(&str, Spoil); 18] = [
        ("no entry", |commit| commit.entries.clear()),
        ("no entry, and nothing that is of one", |commit| {
            (commit.state, commit.trim) = (None, None);
            commit.entries.clear();
            commit.outbox.clear();
        }),
        ("a gap", |commit| commit.entries[1].sequence = Sequence(5)),
        ("a wrong number", |commit| commit.entries[0].sequence = Sequence(2)),
        ("out of order", |commit| commit.entries.reverse()),
        ("after the last number", |commit| commit.expected = Sequence(u64::MAX)),
        ("beyond the last number", |commit| {
            commit.expected = Sequence(u64::MAX - 1);
            commit.entries.iter_mut().for_each(|entry| entry.sequence = Sequence(u64::MAX));
        }),
        ("back in time", |commit| commit.entries[1].at = WallTime::from_millis(1)),
        ("an early state", |commit| commit.state = Some(snapshot(3, "s"))),
        ("a late state", |commit| commit.state = Some(snapshot(5, "s"))),
        ("trimmed beyond the end", |commit| commit.trim = Some(Sequence(5))),
        ("sent before", |commit| commit.outbox[0] = outgoing(2, 0)),
        ("sent after", |commit| commit.outbox[2] = outgoing(5, 0)),
        ("sent out of order", |commit| commit.outbox.reverse()),
        ("sent twice", |commit| commit.outbox[2] = commit.outbox[1].clone()),
        ("handled twice", |commit| commit.handled[1].message = commit.handled[0].message),
        ("handled and given up", |commit| commit.handled[0].message = commit.dead[0].letter.message.id),
        ("handled and dropped", |commit| commit.dropped = vec![commit.handled[0].message]),
    ];
    for (what, spoil) in wrongs {
        let mut commit = good.clone();
        spoil(&mut commit);
        let refusal = scene.refused(scene.commit_turn(commit)).await;
        assert!(matches!(refusal, Refusal::Malformed(_)), "{what}: {refusal}");
    }
    scene.commit_turn(good).await.expect("nothing is wrong with it");
}

/// What can be refused without a look at what is stored is refused so, whoever asks and whether there is such an actor.
pub async fn what_is_malformed_is_refused_whoever_asks(place: &dyn Place) {
    let scene = Scene::open(place).await;
    let former = scene.own("a").await;
    scene.own("a").await;
    let nobody = Head { target: target("nobody"), ..former.clone() };
    for head in [former, nobody] {
        let commit = TurnCommit { entries: Vec::new(), ..turn(&head) };
        let refusal = scene.refused(scene.commit_turn(commit)).await;
        assert!(matches!(refusal, Refusal::Malformed(_)), "{refusal}");
        let mut commit = turn(&head);
        commit.entries[0].events = vec![large(EVENT_BYTES_MAX + 1)];
        let refusal = scene.refused(scene.commit_turn(commit)).await;
        assert!(matches!(refusal, Refusal::TooLarge { .. }), "{refusal}");
        let reason = "x".repeat(REASON_BYTES_MAX + 1);
        let giving_up = GivingUp { reason, ..giving_up(&head, outgoing(1, 0).position) };
        let refusal = scene.refused(scene.give_up_delivery(giving_up)).await;
        assert!(matches!(refusal, Refusal::TooLarge { .. }), "{refusal}");
    }
}

/// No more is trimmed than a stored state covers, or one that comes with the commit.
pub async fn what_no_state_covers_is_not_trimmed(place: &dyn Place) {
    let scene = Scene::open(place).await;
    let head = scene.commit(turns(&scene.own("a").await, 3)).await;
    let trim = |head: &Head, trim| TurnCommit { trim: Some(Sequence(trim)), ..turn(head) };
    let refusal = scene.refused(scene.commit_turn(trim(&head, 1))).await;
    assert!(matches!(refusal, Refusal::Malformed(_)), "without a state: {refusal}");
    let mut commit = trim(&head, 2);
    commit.state = Some(snapshot(4, "s"));
    let head = scene.commit(commit).await;
    assert_eq!((head.trimmed, head.snapshot), (Sequence(2), Some(Sequence(4))));
    let refusal = scene.refused(scene.commit_turn(trim(&head, 5))).await;
    assert!(matches!(refusal, Refusal::Malformed(_)), "beyond the state: {refusal}");
    let head = scene.commit(trim(&head, 4)).await;
    assert_eq!(head.trimmed, Sequence(4));
    let head = scene.commit(trim(&head, 1)).await;
    assert_eq!(head.trimmed, Sequence(4), "it does not come back");
}

/// What is larger than it may be is not stored, and what is as large as it may be is.
pub async fn what_is_too_large_is_refused(place: &dyn Place) {
    let scene = Scene::open(place).await;
    let (_, good) = something(&scene).await;
    let spoilt = |spoil: &dyn Fn(&mut TurnCommit)| {
        let mut commit = good.clone();
        spoil(&mut commit);
        commit
    };
    let set = |bytes| ReminderChange::Set(Reminder { body: large(bytes), ..reminder("x", FAR) });
    let add = |bytes| ChildChange::Add(crate::store::Child { body: large(bytes), ..child("x", "") });
    let long = |bytes: usize| [("name".to_owned(), "x".repeat(bytes - 4))].into();
    let payload = |size| Refusal::TooLarge { what: "a payload", size, max: PAYLOAD_BYTES_MAX };
    let (state, event, reply, body) =
        (STATE_BYTES_MAX + 1, EVENT_BYTES_MAX + 1, REPLY_BYTES_MAX + 1, PAYLOAD_BYTES_MAX + 1);
    let too_large = [
        (
            spoilt(&|commit| commit.state = Some(Snapshot { body: large(state), ..snapshot(4, "") })),
            Refusal::TooLarge { what: "a state", size: state, max: STATE_BYTES_MAX },
        ),
        (
            spoilt(&|commit| commit.entries[1].events = vec![large(1), large(event)]),
            Refusal::TooLarge { what: "an event", size: event, max: EVENT_BYTES_MAX },
        ),
        (
            spoilt(&|commit| commit.handled[1].reply = Some(large(reply).bytes)),
            Refusal::TooLarge { what: "a reply", size: reply, max: REPLY_BYTES_MAX },
        ),
        (
            spoilt(&|commit| commit.dead[0].reason = "x".repeat(REASON_BYTES_MAX + 1)),
            Refusal::TooLarge { what: "a reason", size: REASON_BYTES_MAX + 1, max: REASON_BYTES_MAX },
        ),
        (spoilt(&|commit| commit.outbox[1].body = large(body)), payload(body)),
        (
            spoilt(&|commit| commit.reminders.push(set(REMINDER_BYTES_MAX + 1))),
            Refusal::TooLarge {
                what: "a reminder's payload",
                size: REMINDER_BYTES_MAX + 1,
                max: REMINDER_BYTES_MAX,
            },
        ),
        (
            spoilt(&|commit| commit.children.push(add(CHILD_BYTES_MAX + 1))),
            Refusal::TooLarge {
                what: "what is kept about a child",
                size: CHILD_BYTES_MAX + 1,
                max: CHILD_BYTES_MAX,
            },
        ),
        (
            spoilt(&|commit| commit.outbox[0].headers = long(HEADERS_BYTES_MAX + 1)),
            Refusal::TooLarge {
                what: "the bytes of a message's headers",
                size: HEADERS_BYTES_MAX + 1,
                max: HEADERS_BYTES_MAX,
            },
        ),
        (
            spoilt(&|commit| {
                commit.outbox[0].headers =
                    (0..=HEADERS_MAX).map(|n| (n.to_string(), String::new())).collect();
            }),
            Refusal::TooLarge { what: "a message's headers", size: HEADERS_MAX + 1, max: HEADERS_MAX },
        ),
    ];
    for (commit, refusal) in too_large {
        assert_eq!(scene.refused(scene.commit_turn(commit)).await, refusal);
    }
    let mut commit = good.clone();
    commit.state = Some(Snapshot { body: large(STATE_BYTES_MAX), ..snapshot(4, "") });
    commit.entries[1].events = vec![large(EVENT_BYTES_MAX)];
    commit.handled[1].reply = Some(large(REPLY_BYTES_MAX).bytes);
    commit.dead[0].reason = "x".repeat(REASON_BYTES_MAX);
    commit.outbox[1] =
        Outgoing { body: large(PAYLOAD_BYTES_MAX), headers: long(HEADERS_BYTES_MAX), ..outgoing(4, 0) };
    commit.reminders.push(set(REMINDER_BYTES_MAX));
    commit.children.push(add(CHILD_BYTES_MAX));
    commit.ends = false;
    scene.commit_turn(commit).await.expect("all of it is as large as it may be");
    let scene = scene.reopen().await;
    let head = scene.head_of("a").await;
    let recovery = scene.load(&actor("a"), head.epoch).await.expect("it is owned");
    assert_eq!(recovery.snapshot.expect("a state").body, large(STATE_BYTES_MAX));
    let entries = scene.entries(&actor("a"), Sequence(3), 1).await.expect("they are there");
    assert_eq!(entries[0].events, [large(EVENT_BYTES_MAX)]);
}

/// A commit has at most so many entries, and at most so many bytes altogether.
pub async fn a_commit_has_bounds(place: &dyn Place) {
    let scene = Scene::open(place).await;
    let head = scene.own("a").await;
    let size = COMMIT_ENTRIES_MAX + 1;
    let refusal = scene.refused(scene.commit_turn(turns(&head, size as u64))).await;
    let max = COMMIT_ENTRIES_MAX;
    assert_eq!(refusal, Refusal::TooLarge { what: "a commit's entries", size, max });
    let head = scene.commit(turns(&head, COMMIT_ENTRIES_MAX as u64)).await;
    assert_eq!(head.sequence, Sequence(COMMIT_ENTRIES_MAX as u64));
    let mut commit = turn(&head);
    let full = COMMIT_BYTES_MAX / EVENT_BYTES_MAX;
    commit.entries[0].events = vec![large(EVENT_BYTES_MAX); full];
    commit.handled = vec![handled(scene.id(1), Source::Caller, Some("x"))];
    let refusal = scene.refused(scene.commit_turn(commit.clone())).await;
    let (size, max) = (COMMIT_BYTES_MAX + 1, COMMIT_BYTES_MAX);
    assert_eq!(refusal, Refusal::TooLarge { what: "a commit's bytes", size, max });
    commit.handled.clear();
    commit.outbox = vec![Outgoing {
        body: body(""),
        headers: [("x".into(), String::new())].into(),
        ..outgoing(head.sequence.0 + 1, 0)
    }];
    let refusal = scene.refused(scene.commit_turn(commit.clone())).await;
    assert_eq!(refusal, Refusal::TooLarge { what: "a commit's bytes", size, max }, "a header counts too");
    commit.outbox.clear();
    scene.commit_turn(commit).await.expect("it is as large as it may be");
}

/// A commit has at most so many rows of each kind.
pub async fn the_rows_of_a_commit_are_bounded(place: &dyn Place) {
    const ROWS: usize = COMMIT_ROWS_MAX + 1;
    let scene = Scene::open(place).await;
    let head = scene.own("a").await;
    let ids = |count: usize| (0..count as u128).map(|number| scene.id(number));
    let spoils: [(&str, SpoilRows<'_>); 6] = [
        ("a commit's events", &|commit, rows| commit.entries[0].events = vec![body(""); rows]),
        ("a commit's messages that leave", &|commit, rows| {
            commit.outbox = (0..rows).map(|n| outgoing(1, u32::try_from(n).expect("it is small"))).collect();
        }),
        ("a commit's changes of reminders", &|commit, rows| {
            commit.reminders = vec![ReminderChange::Cancel(name("r")); rows];
        }),
        ("a commit's changes of children", &|commit, rows| {
            commit.children = vec![ChildChange::Remove(name("c")); rows];
        }),
        ("a commit's handled messages", &|commit, rows| {
            commit.handled = ids(rows).map(|id| handled(id, Source::Caller, None)).collect();
        }),
        ("a commit's forgotten messages", &|commit, rows| commit.forget = ids(rows).collect()),
    ];
    let mut full = turn(&head);
    for (what, spoil) in spoils {
        let mut commit = turn(&head);
        spoil(&mut commit, ROWS);
        let refusal = scene.refused(scene.commit_turn(commit)).await;
        assert_eq!(refusal, Refusal::TooLarge { what, size: ROWS, max: COMMIT_ROWS_MAX });
        spoil(&mut full, COMMIT_ROWS_MAX);
    }
    // What leaves is the dearest: a hundredth of it does here.
    full.outbox.truncate(COMMIT_ROWS_MAX / 100);
    scene.commit_turn(full).await.expect("it has as much as it may have");
}

/// What was handled, by whatever way, is not handled again.
pub async fn what_was_handled_is_not_handled_again(place: &dyn Place) {
    let scene = Scene::open(place).await;
    let (_, good) = something(&scene).await;
    // From the inbox, given up, and from a caller.
    for id in [scene.id(1), scene.id(2), scene.id(100)] {
        for was in [Source::Inbox, Source::Caller] {
            let again = TurnCommit { handled: vec![handled(id, was, None)], ..good.clone() };
            assert_eq!(scene.refused(scene.commit_turn(again)).await, Refusal::AlreadyHandled(id));
        }
        let letter = Letter { message: message("a", id), ..good.dead[0].letter.clone() };
        let again = TurnCommit { dead: vec![given_up(letter)], ..good.clone() };
        assert_eq!(scene.refused(scene.commit_turn(again)).await, Refusal::AlreadyHandled(id));
    }
}

/// What is said to be in the inbox is there.
pub async fn what_is_not_in_the_inbox_does_not_leave_it(place: &dyn Place) {
    let scene = Scene::open(place).await;
    let (_, good) = something(&scene).await;
    let id = scene.id(50);
    let none = Refusal::NoSuchMessage(id);
    let commit = TurnCommit { handled: vec![handled(id, Source::Inbox, None)], ..good.clone() };
    assert_eq!(scene.refused(scene.commit_turn(commit)).await, none);
    let letter = Letter { message: message("a", id), ..good.dead[0].letter.clone() };
    let commit = TurnCommit { dead: vec![given_up(letter)], ..good.clone() };
    assert_eq!(scene.refused(scene.commit_turn(commit)).await, none);
    let commit = TurnCommit { dropped: vec![id], ..good.clone() };
    assert_eq!(scene.refused(scene.commit_turn(commit)).await, none);
    let commit = TurnCommit { dropped: vec![scene.id(1)], ..good };
    assert_eq!(scene.refused(scene.commit_turn(commit)).await, Refusal::NoSuchMessage(scene.id(1)));
}

/// An actor has at most so many reminders; changes that leave no more are accepted.
pub async fn reminders_are_bounded(place: &dyn Place) {
    let scene = Scene::open(place).await;
    let head = scene.own("a").await;
    let set = |number: usize| ReminderChange::Set(reminder(&format!("r{number}"), FAR));
    let mut commit = turn(&head);
    commit.reminders = (0..REMINDERS_MAX).map(set).collect();
    let head = scene.commit(commit).await;
    let many = Refusal::TooMany { what: "reminders", max: REMINDERS_MAX };
    let with = |changes| TurnCommit { reminders: changes, ..turn(&head) };
    let cancel = |name_| ReminderChange::Cancel(name(name_));
    assert_eq!(scene.refused(scene.commit_turn(with(vec![set(REMINDERS_MAX)]))).await, many);
    let useless = with(vec![cancel("r1"), set(1), set(REMINDERS_MAX)]);
    assert_eq!(scene.refused(scene.commit_turn(useless)).await, many);
    let swapped = with(vec![set(0), set(REMINDERS_MAX), cancel("r7")]);
    scene.commit_turn(swapped).await.expect("there are no more than before");
    let recovery = scene.load(&actor("a"), head.epoch).await.expect("it is owned");
    assert_eq!(recovery.reminders.len(), REMINDERS_MAX);
}

/// An actor has at most so many children; changes that leave no more are accepted.
pub async fn children_are_bounded(place: &dyn Place) {
    let scene = Scene::open(place).await;
    let head = scene.own("a").await;
    let add = |number: usize| ChildChange::Add(child(&format!("c{number}"), ""));
    let mut commit = turn(&head);
    commit.children = (0..CHILDREN_MAX).map(add).collect();
    let head = scene.commit(commit).await;
    let many = Refusal::TooMany { what: "children", max: CHILDREN_MAX };
    let with = |changes| TurnCommit { children: changes, ..turn(&head) };
    assert_eq!(scene.refused(scene.commit_turn(with(vec![add(CHILDREN_MAX)]))).await, many);
    let swapped = with(vec![add(0), add(CHILDREN_MAX), ChildChange::Remove(name("c7"))]);
    let head = scene.commit(swapped).await;
    // How it stands to its supervisor is kept among them, and is none.
    let stands = || ChildChange::Add(child(SUPERVISOR, ""));
    let with = |changes| TurnCommit { children: changes, ..turn(&head) };
    assert_eq!(scene.refused(scene.commit_turn(with(vec![stands(), add(CHILDREN_MAX + 1)]))).await, many);
    let head = scene.commit(with(vec![stands()])).await;
    let with = |changes| TurnCommit { children: changes, ..turn(&head) };
    let removed = || ChildChange::Remove(name(SUPERVISOR));
    assert_eq!(scene.refused(scene.commit_turn(with(vec![removed(), add(CHILDREN_MAX + 1)]))).await, many);
    let head = scene.commit(with(vec![stands(), add(3)])).await;
    let recovery = scene.load(&actor("a"), head.epoch).await.expect("it is owned");
    assert_eq!(recovery.children.len(), CHILDREN_MAX + 1);
}
