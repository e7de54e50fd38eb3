//! The actors, those that have something to do, and arrivals.

use std::collections::BTreeSet;
use std::time::Duration;

use super::Place;
use super::dump::{all_actors, all_letters, all_waiting};
use super::scene::{
    LONG, Scene, actor, claim, entry, given_up, giving_up, large, message, name, outgoing, reminder, target,
    turn,
};
use crate::id::{MessageId, OwnerId, Position, Sequence, Target, WallTime};
use crate::limits::{
    EVENT_BYTES_MAX, PAGE_BYTES_MAX, PAGE_ROWS_MAX, PAYLOAD_BYTES_MAX, REMINDER_BYTES_MAX, REMINDERS_MAX,
};
use crate::store::{
    Arrival, Arrivals, Due, DuePlace, Entry, Firing, Head, Letter, Message, Outgoing, Reminder,
    ReminderChange, TurnCommit,
};

/// In order: by bytes, not as any language sorts.
const IDS: [&str; 8] = ["A", "B", "a", "a-1", "a/b", "a1", "b", "ä"];

/// Actors are listed by their ids' bytes, by pages, each with its head.
pub async fn actors_are_listed(place: &dyn Place) {
    let scene = Scene::open(place).await;
    assert_eq!(scene.actors(None, 10).await.expect("a store"), []);
    for id in ["b", "a1", "A", "ä", "a", "B", "a/b", "a-1"] {
        scene.own(id).await;
    }
    scene.fill("B", [1]).await;
    let scene = scene.reopen().await;
    let all = all_actors(&scene).await;
    let mut heads = Vec::new();
    for id in IDS {
        heads.push(scene.head_of(id).await);
    }
    assert_eq!(all, heads);
    assert_eq!(all.iter().map(|head| head.target.id.as_str()).collect::<Vec<_>>(), IDS);
    let after = |id: &str| actor(id);
    assert_eq!(scene.actors(Some(&after("a-1")), 2).await.expect("a store"), all[4..6]);
    assert_eq!(
        scene.actors(Some(&after("a0")), 1).await.expect("a store"),
        all[5..6],
        "it need not be there"
    );
    assert_eq!(scene.actors(Some(&after("ä")), 10).await.expect("a store"), []);
    assert_eq!(scene.actors(None, 0).await.expect("a store"), []);
}

/// Those that have mail, or something to deliver, are listed while nobody has them.
pub async fn actors_that_have_something_to_do_are_listed(place: &dyn Place) {
    let scene = Scene::open(place).await;
    for id in IDS {
        let head = scene.own(id).await;
        scene.release(&actor(id), head.epoch).await.expect("it is owned");
    }
    assert_eq!(all_waiting(&scene).await, []);
    for id in ["b", "A", "a/b", "B", "a"] {
        scene.fill(id, [1]).await;
    }
    let with_outbox = scene.own("ä").await;
    let commit = TurnCommit { outbox: vec![outgoing(1, 0), outgoing(1, 1)], ..turn(&with_outbox) };
    scene.commit_turn(commit).await.expect("it is owned");
    // What waits for one that has ended waits for ever.
    let ended = scene.own("a1").await;
    scene.fill("a1", [1]).await;
    scene.commit_turn(TurnCommit { ends: true, ..turn(&ended) }).await.expect("it is owned");
    scene.release(&actor("a1"), ended.epoch).await.expect("it is owned");
    let targets = |ids: &[&str]| ids.iter().map(|id| target(id)).collect::<Vec<Target>>();
    assert_eq!(all_waiting(&scene).await, targets(&["A", "B", "a", "a/b", "b"]), "the other one is held");
    scene.release(&actor("ä"), with_outbox.epoch).await.expect("it is owned");
    let scene = scene.reopen().await;
    let all = targets(&["A", "B", "a", "a/b", "b", "ä"]);
    assert_eq!(all_waiting(&scene).await, all);
    assert_eq!(scene.waiting(Some(&actor("B")), 2).await.expect("a store"), all[2..4]);
    assert_eq!(scene.waiting(Some(&actor("a0")), 1).await.expect("a store"), all[4..5]);
    assert_eq!(scene.waiting(None, 0).await.expect("a store"), []);
    let head = scene.own("ä").await;
    scene.mark_delivered(&actor("ä"), head.epoch, &[outgoing(1, 0).position]).await.expect("it is owned");
    scene.release(&actor("ä"), head.epoch).await.expect("it is owned");
    assert_eq!(all_waiting(&scene).await, all, "one more is to leave");
    let head = scene.own("ä").await;
    scene.transfer(&actor("ä"), head.epoch, outgoing(1, 1).position).await.expect("it is there");
    scene.release(&actor("ä"), head.epoch).await.expect("it is owned");
    let receiver = scene.own("receiver").await;
    assert_eq!((receiver.waiting, all_waiting(&scene).await), (1, all[..5].to_vec()));
}

/// An actor is listed as having something to do when its owner's lease is over.
pub async fn actors_of_owners_without_a_lease_are_listed(place: &dyn Place) {
    let scene = Scene::open(place).await;
    scene.renew(OwnerId::new(1), Duration::from_secs(4)).await.expect("a lease");
    scene.renew(OwnerId::new(2), LONG).await.expect("a lease");
    scene.acquire(claim("a", 1)).await.expect("it is new");
    scene.acquire(claim("b", 2)).await.expect("it is new");
    scene.fill("a", [1]).await;
    scene.fill("b", [1]).await;
    assert_eq!(all_waiting(&scene).await, []);
    scene.place.pass(Duration::from_secs(5)).await;
    assert_eq!(all_waiting(&scene).await, [target("a")]);
    scene.retire(OwnerId::new(2)).await.expect("it lives");
    assert_eq!(all_waiting(&scene).await, [target("a"), target("b")]);
}

/// No page has more rows than it may, whatever is asked for.
pub async fn pages_are_bounded(place: &dyn Place) {
    let scene = Scene::open(place).await;
    let count = PAGE_ROWS_MAX + 1;
    let messages = (0..count).map(|number| scene.enqueue(message("a", scene.id(number as u128))));
    for message in messages {
        message.await.expect("it is new");
    }
    let head = scene.own("a").await;
    assert_eq!(head.waiting, count as u64);
    let first = scene.inbox(&actor("a"), head.epoch, Position::ZERO, usize::MAX).await;
    let first: Vec<Letter> = first.expect("it is owned");
    assert!(!first.is_empty() && first.len() <= PAGE_ROWS_MAX, "{}", first.len());
    assert_eq!(all_letters(&scene, &head).await.len(), count);
    for number in 0..count {
        scene.fill(&format!("b{number:04}"), [1]).await;
    }
    let actors = scene.actors(None, usize::MAX).await.expect("a store").len();
    let waiting = scene.waiting(None, usize::MAX).await.expect("a store").len();
    assert!(actors > 0 && actors <= PAGE_ROWS_MAX, "{actors}");
    assert!(waiting > 0 && waiting <= PAGE_ROWS_MAX, "{waiting}");
    // Those of `a` lie in its inbox, and it is owned.
    assert_eq!((all_actors(&scene).await.len(), all_waiting(&scene).await.len()), (count + 1, count));
    let (owned, due) = (scene.own("c").await, WallTime::from_millis(100));
    let names = (0..REMINDERS_MAX).map(|number| format!("r{number}"));
    let set = names.map(|name| ReminderChange::Set(reminder(&name, due))).collect();
    scene.commit(TurnCommit { reminders: set, ..turn(&owned) }).await;
    let other = scene.own("d").await;
    let set = vec![ReminderChange::Set(reminder("last", due))];
    scene.commit(TurnCommit { reminders: set, ..turn(&other) }).await;
    let page = scene.due(WallTime::from_millis(200), None, usize::MAX).await.expect("a store");
    assert!(page.reminders.len() <= PAGE_ROWS_MAX && page.next == Some(due), "{:?}", page.next);
}

/// Reads a list to its end. No page has more bytes than it may, unless it is a single row.
async fn read_to_end<T, K>(
    read: impl AsyncFn(Option<K>) -> Vec<T>,
    place: impl Fn(&T) -> K,
    bytes: impl Fn(&T) -> usize,
) -> Vec<T> {
    let mut all = Vec::new();
    loop {
        let page = read(all.last().map(&place)).await;
        if page.is_empty() {
            return all;
        }
        let size: usize = page.iter().map(&bytes).sum();
        assert!(size <= PAGE_BYTES_MAX || page.len() == 1, "{} rows of {size} bytes", page.len());
        all.extend(page);
    }
}

/// No page has more bytes than it may, whatever is asked for; what it has no room for comes on the next one.
pub async fn pages_of_large_rows_have_fewer_of_them(place: &dyn Place) {
    const ROWS: usize = PAGE_BYTES_MAX / PAYLOAD_BYTES_MAX + 1;
    let scene = Scene::open(place).await;
    let mut head = scene.own("a").await;
    for number in 0..ROWS as u128 {
        let letter = Message { body: large(PAYLOAD_BYTES_MAX), ..scene.message("a", number) };
        scene.enqueue(letter.clone()).await.expect("it is new");
        let twin = Message { id: scene.id(100 + number), ..letter };
        scene.enqueue(twin.clone()).await.expect("it is new");
        let sequence = head.sequence.next().0;
        let twin = Letter { position: Position::ZERO, attempts: 0, message: twin };
        let commit = TurnCommit {
            entries: vec![Entry { events: vec![large(EVENT_BYTES_MAX)], ..entry(sequence) }],
            outbox: vec![Outgoing { body: large(PAYLOAD_BYTES_MAX), ..outgoing(sequence, 0) }],
            dead: vec![given_up(twin)],
            ..turn(&head)
        };
        head = scene.commit(commit).await;
        let sent = outgoing(sequence, 0).position;
        assert!(scene.give_up_delivery(giving_up(&head, sent)).await.expect("it is there"));
    }
    // A row that is larger than a page is one all the same.
    let events = vec![large(EVENT_BYTES_MAX); ROWS];
    let commit =
        TurnCommit { entries: vec![Entry { events, ..entry(head.sequence.next().0) }], ..turn(&head) };
    let head = scene.commit(commit).await;
    let (id, epoch) = (&actor("a"), head.epoch);
    let letters = read_to_end(
        async |after| {
            scene.inbox(id, epoch, after.unwrap_or_default(), usize::MAX).await.expect("it is owned")
        },
        |letter| letter.position,
        |letter| letter.message.body.bytes.len(),
    );
    let entries = read_to_end(
        async |after| scene.entries(id, after.unwrap_or_default(), usize::MAX).await.expect("it is there"),
        |entry| entry.sequence,
        |entry| entry.events.iter().map(|event| event.bytes.len()).sum(),
    );
    let dead = read_to_end(
        async |after| scene.dead_letters(id, after, usize::MAX).await.expect("it is there"),
        |dead| dead.letter.message.id,
        |dead| dead.letter.message.body.bytes.len(),
    );
    let undelivered = read_to_end(
        async |after| scene.undelivered(id, after, usize::MAX).await.expect("it is there"),
        |undelivered| undelivered.outgoing.position,
        |undelivered| undelivered.outgoing.body.bytes.len(),
    );
    assert_eq!((letters.await.len(), entries.await.len()), (ROWS, ROWS + 1));
    assert_eq!((dead.await.len(), undelivered.await.len()), (ROWS, ROWS));
}

/// As above, of what is due; it is said when those are that the page has no room for.
pub async fn pages_of_large_reminders_have_fewer_of_them(place: &dyn Place) {
    const REMINDERS: usize = PAGE_BYTES_MAX / REMINDER_BYTES_MAX + 1;
    let scene = Scene::open(place).await;
    let (head, at) = (scene.own("a").await, WallTime::from_millis);
    let of = |number: u64| {
        let body = large(REMINDER_BYTES_MAX);
        ReminderChange::Set(Reminder { body, ..reminder(&format!("r{number}"), at(number)) })
    };
    scene.commit(TurnCommit { reminders: (1..=REMINDERS as u64).map(of).collect(), ..turn(&head) }).await;
    let all = read_to_end(
        async |after: Option<DuePlace>| {
            let due = scene.due(WallTime::MAX, after.as_ref(), usize::MAX).await.expect("a store");
            let Due { reminders, next } = due;
            let last = reminders.last().map_or(after.map(|after| after.due), |(_, last)| Some(last.due));
            let behind = last.filter(|last| last.as_millis() < REMINDERS as u64);
            assert_eq!(next, behind.map(|last| last.after(Duration::from_millis(1))));
            reminders
        },
        DuePlace::of,
        |(_, reminder)| reminder.body.bytes.len(),
    );
    assert_eq!(all.await.len(), REMINDERS);
}

async fn next(arrivals: &mut Box<dyn Arrivals>) -> Arrival {
    arrivals.next().await
}

/// Whoever listens is told of each message that has come, by whatever way, once it is there.
pub async fn arrivals_are_told(place: &dyn Place) {
    let scene = Scene::open(place).await;
    let head = scene.own("a").await;
    scene.fill("a", [1]).await;
    let mut arrivals = scene.arrivals();
    scene.fill("b", [1]).await;
    told(&mut arrivals, "b").await;
    let letter = all_letters(&scene, &head).await.remove(0);
    let due = WallTime::from_millis(100);
    let commit = TurnCommit {
        dead: vec![given_up(letter)],
        reminders: vec![ReminderChange::Set(reminder("r", due))],
        ..turn(&head)
    };
    scene.commit_turn(commit).await.expect("it is owned");
    scene.revive(&actor("a"), scene.id(1)).await.expect("it is dead");
    told(&mut arrivals, "a").await;
    let messages = vec![message("a", MessageId::of_key(due, b"r"))];
    let set_by = Sequence(1);
    let firing = Firing { actor: actor("a"), name: name("r"), set_by, due, messages, next: None };
    assert!(scene.fire(firing).await.expect("it is due"));
    told(&mut arrivals, "a").await;
    let mut others = scene.arrivals();
    scene.fill("c", [1]).await;
    told(&mut arrivals, "c").await;
    told(&mut others, "c").await;
}

/// Waits until there is mail for an actor, or it may have been missed. Others may be told of too: a store may tell twice.
async fn told(arrivals: &mut Box<dyn Arrivals>, id: &str) {
    loop {
        match next(arrivals).await {
            Arrival::Mail(to) if to == target(id) => return,
            Arrival::Mail(_) => {}
            Arrival::Missed => return,
            Arrival::Closed => panic!("the store is open"),
        }
    }
}

/// Whoever listens and is behind is told of what came meanwhile, or that some of it was missed; nothing is silent.
pub async fn whoever_is_behind_misses_nothing_unknowingly(place: &dyn Place) {
    let scene = Scene::open(place).await;
    let mut arrivals = scene.arrivals();
    let mut left = BTreeSet::new();
    for number in 0..crate::limits::ARRIVALS_BEHIND_MAX + 100 {
        let id = format!("a{number}");
        scene.fill(&id, [1]).await;
        left.insert(target(&id));
    }
    scene.fill("last", [1]).await;
    loop {
        match next(&mut arrivals).await {
            Arrival::Missed => return,
            Arrival::Mail(to) if to == target("last") => break,
            Arrival::Mail(to) => drop(left.remove(&to)),
            Arrival::Closed => panic!("the store is open"),
        }
    }
    assert_eq!(left, [].into(), "they came before the last, and nothing was said to be missed");
}

/// Dropping the wait for an arrival loses none.
pub async fn a_wait_for_arrivals_can_be_given_up(place: &dyn Place) {
    let scene = Scene::open(place).await;
    let mut arrivals = scene.arrivals();
    for number in 1..=3_u128 {
        let executor = actor_core::Executor::tokio();
        let waited = executor.timeout(Duration::from_millis(1), next(&mut arrivals)).await;
        assert!(!matches!(waited, Ok(Arrival::Closed)), "the store is open");
        let id = format!("a{number}");
        scene.fill(&id, [number]).await;
        told(&mut arrivals, &id).await;
    }
    let heads: Vec<Head> = all_actors(&scene).await;
    assert_eq!(heads.len(), 3);
}
