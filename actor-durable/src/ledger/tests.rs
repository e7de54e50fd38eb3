//! What is remembered, what is staged, and when: without a store, an actor or a clock.

use std::collections::BTreeSet;

use super::*;
use crate::id::{ActorType, DurableId, Name, OwnerId};
use crate::limits::{CHILD_BYTES_MAX, COMMIT_ENTRIES_MAX, EVENT_BYTES_MAX, HEADERS_MAX, REMINDER_BYTES_MAX};
use crate::store::{CatchUp, Child, ChildChange, Destination, Headers, Letter, Message, Reminder};

fn target(id: &str) -> Target {
    let actor_type = ActorType::new("counter").expect("a good name");
    Target { id: DurableId::new(id).expect("a good id"), actor_type }
}

fn ledger_of(actor: &str, recovery: &Recovery, remembered_max: usize, kept: u64) -> Ledger {
    let head = Head::new(target(actor), Epoch(3), WallTime::ZERO);
    Ledger::new(Head { owner: Some(OwnerId::new(1)), ..head }, recovery, remembered_max, kept)
}

fn ledger(remembered_max: usize, kept: u64) -> Ledger {
    ledger_of("a", &Recovery::default(), remembered_max, kept)
}

fn at(millis: u64) -> WallTime {
    WallTime::from_millis(millis)
}

/// The message of this number, made at that time.
fn id(number: u64) -> MessageId {
    MessageId::new(at(number), number.into())
}

/// A caller's message of this number was handled then.
fn called(number: u64) -> Outcome {
    let source = Some(Source::Caller);
    Outcome {
        source,
        reply: Some(Bytes::new()),
        ..Outcome::nothing(Cause::Message(id(number)), at(number), at(number))
    }
}

fn given_up(number: u64) -> Outcome {
    let (to, headers) = (target("a"), Headers::new());
    let message = Message {
        to,
        id: id(number),
        from: None,
        reply_to: None,
        sent_at: at(0),
        body: Body::default(),
        headers,
    };
    let letter = Letter { position: Default::default(), attempts: 5, message };
    let dead = Some(Box::new(DeadLetter { letter, at: at(number), reason: "poison".into() }));
    Outcome { dead, ..Outcome::nothing(Cause::GaveUp(id(number)), at(number), at(number)) }
}

fn body(bytes: usize) -> Body {
    Body { version: 1, bytes: vec![0; bytes].into() }
}

fn with_events(number: u64, events: Vec<Body>) -> Outcome {
    Outcome { events, ..called(number) }
}

fn with_state(number: u64) -> Outcome {
    Outcome { state: Some(body(1)), has_changed: true, ..called(number) }
}

fn draft(headers: Headers) -> Draft {
    let to = Destination::Actor(target("b"));
    Draft { to, id: None, reply_to: None, body: Body::default(), headers }
}

/// Stores all that is staged.
fn store(ledger: &mut Ledger) -> TurnCommit {
    let commit = ledger.take().expect("there is something");
    ledger.settle();
    *commit
}

#[test]
fn time_does_not_go_back() {
    let mut ledger = ledger(10, 10);
    ledger.note_time(at(20));
    assert_eq!((ledger.time(at(5)), ledger.time(at(30))), (at(20), at(30)));
    ledger.stage(called(40)).expect("nothing is wrong with it");
    assert_eq!(ledger.time(at(5)), at(40));
    ledger.note_time(at(1));
    assert_eq!(ledger.time(at(5)), at(40));
}

#[test]
fn a_message_is_new_then_unsettled_and_then_remembered() {
    let mut ledger = ledger(10, 10);
    let now = at(1_000);
    let judge = |ledger: &Ledger| [1, 2, 3].map(|number| ledger.judge(id(number), now));
    use Judgement::{Known as Is, New};
    use Known::{Remembered, Unsettled};
    assert_eq!(judge(&ledger), [New, New, New]);
    ledger.stage(called(1)).expect("nothing is wrong with it");
    ledger.stage(given_up(2)).expect("nothing is wrong with it");
    assert_eq!(judge(&ledger), [Is(Unsettled), Is(Unsettled), New]);
    ledger.take().expect("there is something");
    assert_eq!(judge(&ledger), [Is(Unsettled), Is(Unsettled), New]);
    // While that is in flight.
    ledger.stage(called(3)).expect("nothing is wrong with it");
    assert_eq!(ledger.take(), None, "one at a time");
    ledger.settle();
    assert_eq!(judge(&ledger), [Is(Remembered), Is(Remembered), Is(Unsettled)]);
    let next = store(&mut ledger);
    assert_eq!((next.expected, next.last()), (Sequence(2), Sequence(3)));
    assert_eq!(judge(&ledger), [const { Is(Remembered) }; 3]);
    assert!([1, 2, 3].iter().all(|number| ledger.knows(id(*number))) && !ledger.knows(id(4)));
}

#[test]
fn what_is_forgotten_is_refused_and_nothing_that_is_not_stored_is_forgotten() {
    let mut ledger = ledger(2, 100);
    for number in 1..=4 {
        ledger.stage(called(number)).expect("nothing is wrong with it");
    }
    let commit = store(&mut ledger);
    assert_eq!((commit.forget, commit.horizon), (vec![], WallTime::ZERO));
    ledger.stage(called(5)).expect("nothing is wrong with it");
    let refused = |ledger: &Ledger, number| {
        let (id, horizon) = (id(number), at(3));
        assert_eq!(
            ledger.judge(id, at(9)),
            Judgement::Known(Known::Refused(Refusal::TooOld { id, horizon }))
        );
    };
    (1..=3).for_each(|number| refused(&ledger, number));
    let commit = store(&mut ledger);
    assert_eq!((commit.forget, commit.horizon), (vec![id(1), id(2), id(3)], at(3)));
    (1..=3).for_each(|number| refused(&ledger, number));
    assert_eq!(
        [4, 5].map(|number| ledger.judge(id(number), at(9))),
        [const { Judgement::Known(Known::Remembered) }; 2]
    );
    let dead = ledger.stage(given_up(6));
    dead.expect("nothing is wrong with it");
    assert_eq!(store(&mut ledger).forget, [id(4)]);
}

#[test]
fn no_more_is_forgotten_at_a_time_than_a_commit_takes() {
    let handled = (0..STAGED_ROWS_MAX as u64 + 50).map(id).collect();
    let mut ledger = ledger_of("a", &Recovery { handled, ..Recovery::default() }, 1, 100);
    ledger.stage(called(9_000)).expect("nothing is wrong with it");
    assert!(ledger.is_full());
    assert_eq!(store(&mut ledger).forget.len(), STAGED_ROWS_MAX);
    ledger.stage(called(9_001)).expect("nothing is wrong with it");
    // The rest, and the one before it.
    assert_eq!(store(&mut ledger).forget.len(), 51);
}

#[test]
fn what_is_put_back_is_as_new() {
    let mut ledger = ledger(1, 100);
    ledger.stage(given_up(1)).expect("nothing is wrong with it");
    store(&mut ledger);
    ledger.revive(id(1));
    assert!(!ledger.knows(id(1)));
    ledger.stage(given_up(1)).expect("nothing is wrong with it");
    assert_eq!(store(&mut ledger).forget, [], "it is there once");
    assert_eq!(ledger.judge(id(1), at(9)), Judgement::Known(Known::Remembered));
}

#[test]
fn the_journal_is_cut_when_there_is_twice_what_is_kept() {
    let mut ledger = ledger(100, 2);
    for number in 1..=3 {
        assert!(!ledger.is_checkpoint_due());
        ledger.stage(with_state(number)).expect("nothing is wrong with it");
    }
    assert!(ledger.is_checkpoint_due());
    // One that brings no state cuts nothing.
    ledger.stage(called(4)).expect("nothing is wrong with it");
    ledger.stage(with_state(5)).expect("nothing is wrong with it");
    assert!(!ledger.is_checkpoint_due(), "it is staged already");
    ledger.stage(called(6)).expect("nothing is wrong with it");
    let commit = store(&mut ledger);
    let state = commit.state.expect("there is one");
    assert_eq!((commit.trim, state.sequence), (Some(Sequence(3)), Sequence(6)), "of the last entry");
    assert!(ledger.is_checkpoint_due());
    assert!(!ledger.is_journal_long());
    ledger.stage(called(7)).expect("nothing is wrong with it");
    store(&mut ledger);
    assert!(ledger.is_journal_long());
    assert_eq!(ledger.trim_for(Sequence(7)), Some(Sequence(5)));
    assert_eq!(ledger.trim_for(Sequence(5)), None);
    ledger.note_snapshot(Sequence(7), Some(Sequence(5)));
    assert_eq!((ledger.head().snapshot, ledger.trim_for(Sequence(7))), (Some(Sequence(7)), None));
    assert!(!ledger.is_journal_long() && !ledger.is_checkpoint_due());
}

#[test]
fn what_no_store_would_take_is_refused_and_leaves_the_ledger_as_it_was() {
    let mut ledger = ledger(10, 10);
    let headers = (0..=HEADERS_MAX).map(|n| (n.to_string(), String::new())).collect();
    let asked = Asked { sends: vec![draft(headers)], ..Asked::default() };
    let many = vec![Body::default(); TURN_ROWS_MAX + 1];
    let too_much = [
        (Outcome { asked, ..called(1) }, "a message's headers"),
        (with_events(1, vec![body(EVENT_BYTES_MAX); TURN_BYTES_MAX / EVENT_BYTES_MAX + 1]), "a turn"),
        (with_events(1, many), "a commit's events"),
    ];
    for (outcome, expected) in too_much {
        let Err(StoreError::NotApplied(Refusal::TooLarge { what, .. })) = ledger.stage(outcome) else {
            panic!("{expected} is too large")
        };
        assert_eq!(what, expected);
        assert!(!ledger.is_staged() && !ledger.knows(id(1)));
        assert_eq!((ledger.next(), ledger.time(WallTime::ZERO)), (Sequence(1), WallTime::ZERO));
    }
}

#[test]
fn what_is_kept_back_has_a_bound_by_turns_by_bytes_and_by_rows() {
    let mut ledger = ledger(1_000, 1_000);
    for number in 1..=STAGED_TURNS_MAX as u64 {
        assert!(!ledger.is_full());
        ledger.stage(called(number)).expect("nothing is wrong with it");
    }
    assert!(ledger.is_full());
    store(&mut ledger);
    // The last turn of all has two entries, and room for them.
    for number in 1..STAGED_TURNS_MAX as u64 {
        ledger.stage(called(1_000 + number)).expect("nothing is wrong with it");
    }
    assert!(!ledger.is_full());
    let asked = Asked { ends: true, ..Asked::default() };
    ledger.stage(Outcome { asked, ..called(2_000) }).expect("nothing is wrong with it");
    let commit = store(&mut ledger);
    assert_eq!((commit.entries.len(), commit.check().is_ok()), (COMMIT_ENTRIES_MAX, true));

    let large = || body(STAGED_BYTES_MAX);
    let name = || Name::new("n").expect("a good name");
    let (set_by, due, catch_up) = (Sequence::ZERO, at(1), CatchUp::Skip);
    let reminder =
        Reminder { name: name(), set_by, due, period: None, catch_up, body: body(REMINDER_BYTES_MAX) };
    let child = Child { name: name(), target: target("c"), body: body(CHILD_BYTES_MAX) };
    let (reminder, child) = (ReminderChange::Set(reminder), ChildChange::Add(child));
    let mut sent = draft(Headers::new());
    sent.body = large();
    let asked = [
        Asked { sends: vec![sent], ..Asked::default() },
        Asked { reminders: vec![reminder; STAGED_BYTES_MAX / REMINDER_BYTES_MAX], ..Asked::default() },
        Asked { children: vec![child; STAGED_BYTES_MAX / CHILD_BYTES_MAX], ..Asked::default() },
    ];
    let asked = asked.into_iter().map(|asked| Outcome { asked, ..called(1) });
    let reply = Outcome { reply: Some(large().bytes), ..called(1) };
    let events = [with_events(1, vec![large()]), with_events(1, vec![Body::default(); STAGED_ROWS_MAX])];
    for outcome in asked.chain(events).chain([reply]) {
        let mut ledger = ledger_of("a", &Recovery::default(), 10, 10);
        ledger.stage(outcome).expect("nothing is wrong with it");
        assert!(ledger.is_full());
        store(&mut ledger);
        assert!(!ledger.is_full());
        ledger.stage(called(2)).expect("nothing is wrong with it");
        assert!(!ledger.is_full(), "it counts from nothing");
    }
}

#[test]
fn the_last_turn_says_that_it_was_the_last() {
    let mut ledger = ledger(10, 10);
    assert!(!ledger.has_ended());
    let asked = Asked { ends: true, ..Asked::default() };
    ledger.stage(Outcome { asked, ..with_state(1) }).expect("nothing is wrong with it");
    assert!(ledger.has_ended(), "before it is stored");
    let commit = store(&mut ledger);
    let causes: Vec<Cause> = commit.entries.iter().map(|entry| entry.cause).collect();
    assert_eq!(causes, [Cause::Message(id(1)), Cause::Stopped]);
    assert_eq!(commit.state.map(|state| state.sequence), Some(Sequence(2)));
    assert!(commit.ends && ledger.has_ended() && ledger.head().has_ended);
}

#[test]
fn a_message_that_came_twice_leaves_the_inbox() {
    let mut ledger = ledger(10, 10);
    ledger.stage(Outcome::nothing(Cause::Duplicate(id(1)), at(1), at(1))).expect("nothing is wrong with it");
    let commit = store(&mut ledger);
    assert_eq!((commit.dropped, commit.handled), (vec![id(1)], vec![]));
}

#[test]
fn what_leaves_has_an_id_of_its_own_and_the_same_when_the_same_turn_runs_again() {
    let sent = |actor: &str, turns: u64| {
        let mut ledger = ledger_of(actor, &Recovery::default(), 10, 10);
        for number in 1..=turns {
            let sends = vec![draft(Headers::new()), draft(Headers::new())];
            let asked = Asked { sends, ..Asked::default() };
            // At one time, all of them.
            let outcome = Outcome { asked, at: at(9), clock: at(9), ..called(number) };
            ledger.stage(outcome).expect("nothing is wrong with it");
        }
        let commit = store(&mut ledger);
        let sent: Vec<MessageId> = commit.entries.iter().flat_map(|entry| entry.sent.clone()).collect();
        assert_eq!(commit.outbox.iter().map(|outgoing| outgoing.id).collect::<Vec<_>>(), sent);
        sent
    };
    assert_eq!(sent("a", 2), sent("a", 2));
    let all: BTreeSet<MessageId> = sent("a", 2).into_iter().chain(sent("b", 2)).collect();
    assert_eq!(all.len(), 8);
}

#[test]
fn what_leaves_after_a_clock_has_stepped_back_has_an_id_of_the_clocks_time() {
    let mut ledger = ledger(10, 10);
    let asked = Asked { sends: vec![draft(Headers::new())], ..Asked::default() };
    let outcome = Outcome { asked, clock: at(5), ..called(9) };
    ledger.stage(outcome).expect("nothing is wrong with it");
    let commit = store(&mut ledger);
    let [sent] = &commit.outbox[..] else { panic!("{commit:?}") };
    assert_eq!((sent.sent_at, sent.id.made(), commit.entries[0].at), (at(9), at(5), at(9)));
}

#[test]
fn a_reminder_says_which_turn_has_set_it() {
    let mut ledger = ledger(10, 10);
    for number in 1..=2 {
        let (name, set_by, catch_up) = (Name::new("n").expect("a good name"), Sequence::ZERO, CatchUp::Skip);
        let reminder = Reminder { name, set_by, due: at(9), period: None, catch_up, body: body(1) };
        let asked = Asked { reminders: vec![ReminderChange::Set(reminder)], ..Asked::default() };
        ledger.stage(Outcome { asked, ..called(number) }).expect("nothing is wrong with it");
    }
    let set = store(&mut ledger).reminders.into_iter().map(|change| match change {
        ReminderChange::Set(reminder) => reminder.set_by,
        ReminderChange::Cancel(name) => panic!("{name} was set"),
    });
    assert_eq!(set.collect::<Vec<_>>(), [Sequence(1), Sequence(2)]);
}

#[test]
fn turns_that_are_stored_together_leave_nothing_out() {
    let handled = vec![id(1), id(2)];
    let mut ledger = ledger_of("a", &Recovery { handled, ..Recovery::default() }, 2, 10);
    let child = |name| {
        let child = Child { name: Name::new(name).expect("a good name"), target: target("c"), body: body(1) };
        ChildChange::Add(child)
    };
    let with = |name, outcome| {
        let asked =
            Asked { children: vec![child(name)], sends: vec![draft(Headers::new())], ..Asked::default() };
        Outcome { asked, ..outcome }
    };
    let double = Outcome::nothing(Cause::Duplicate(id(9)), at(5), at(5));
    for outcome in [with("first", called(3)), with("second", given_up(4)), double] {
        ledger.stage(outcome).expect("nothing is wrong with it");
    }
    let commit = store(&mut ledger);
    assert_eq!(commit.children, ["first", "second"].map(child));
    assert_eq!(commit.outbox.len(), 2);
    assert_eq!(commit.handled.iter().map(|handled| handled.message).collect::<Vec<_>>(), [id(3)]);
    assert_eq!(commit.dead.iter().map(|dead| dead.letter.message.id).collect::<Vec<_>>(), [id(4)]);
    assert_eq!(commit.dropped, [id(9)]);
    assert_eq!((commit.forget, commit.horizon), (vec![id(1), id(2)], at(2)));
}

#[test]
fn what_is_staged_to_leave_is_counted_until_it_is_taken() {
    let mut ledger = ledger(10, 10);
    for number in 1..=2 {
        let sent = Draft { body: body(100), ..draft(Headers::from([("ab".to_owned(), "cde".to_owned())])) };
        let asked = Asked { sends: vec![sent], ..Asked::default() };
        ledger.stage(Outcome { asked, ..called(number) }).expect("nothing is wrong with it");
    }
    assert_eq!(ledger.staged_sends(), (2, 210));
    store(&mut ledger);
    assert_eq!(ledger.staged_sends(), (0, 0));
}

#[test]
fn a_type_that_remembers_and_keeps_nothing_remembers_and_keeps_the_last() {
    let mut ledger = ledger(0, 0);
    assert!(!ledger.is_checkpoint_due());
    ledger.stage(called(1)).expect("nothing is wrong with it");
    store(&mut ledger);
    assert!(ledger.is_checkpoint_due() && !ledger.is_journal_long());
    ledger.stage(Outcome::nothing(Cause::Duplicate(id(9)), at(2), at(2))).expect("nothing is wrong with it");
    assert_eq!(store(&mut ledger).forget, []);
}
