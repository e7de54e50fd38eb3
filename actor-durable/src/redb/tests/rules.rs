//! A store for each rule that is broken in it: `verify` says that, and where, and nothing else.

use redb::{ReadableTable, WriteTransaction};

use super::script::open;
use super::suite::BEGAN;
use super::verifying::{change, faults, id, keys_of};
use super::{acquire, body, message, target, turn};
use crate::id::{MessageId, Name, Position, Sequence, WallTime};
use crate::redb::faulty::FaultyDisk;
use crate::redb::keys::{self, BUSY, DUE, FLOOR_KEY, META, Place, ROWS, Turn};
use crate::store::{
    CatchUp, Child, ChildChange, DeadLetter, Destination, Entry, GivingUp, Handled, Head, Headers, Letter,
    OutboxPosition, Outgoing, Reminder, ReminderChange, Row, Snapshot, Source, Store, Undelivered,
    decode_row, encode_row,
};

fn name(text: &str) -> Name {
    Name::new(text).expect("a good name")
}

/// One actor, with one of everything: 3 entries, a letter that waits, one that was given up.
pub(super) async fn sound() -> FaultyDisk {
    let disk = FaultyDisk::new();
    let store = open(&disk).await;
    let head = acquire(&store, "a").await.expect("it is free");
    let mut first = turn(&head, id(1), "one");
    first.state = Some(Snapshot { sequence: Sequence(1), body: body("state") });
    first.reminders.push(ReminderChange::Set(reminder()));
    first.children.push(ChildChange::Add(child("left")));
    first.outbox.push(outgoing(1));
    store.commit_turn(first).await.expect("it commits");
    let head = Head { sequence: Sequence(1), ..head };
    store.commit_turn(turn(&head, id(2), "two")).await.expect("it commits");
    let head = Head { sequence: Sequence(2), ..head };
    for number in [4, 5] {
        store.enqueue(message("a", id(number), "waits")).await.expect("it is new");
    }
    let mut third = turn(&head, id(3), "three");
    third.dead.push(dead(5, 2));
    store.commit_turn(third).await.expect("it commits");
    drop(store);
    disk
}

fn reminder() -> Reminder {
    let (set_by, due, catch_up) = (Sequence(1), WallTime::from_millis(5), CatchUp::FireOnce);
    Reminder { name: name("later"), set_by, due, period: None, catch_up, body: body("") }
}

fn child(text: &str) -> Child {
    Child { name: name(text), target: target("c"), body: body("") }
}

fn outgoing(sequence: u64) -> Outgoing {
    Outgoing {
        position: OutboxPosition { sequence: Sequence(sequence), index: 0 },
        to: Destination::Outlet(name("mail")),
        id: id(8),
        reply_to: None,
        sent_at: BEGAN,
        body: body("sent"),
        headers: Headers::new(),
    }
}

fn letter(number: u128, position: u64) -> Letter {
    Letter { position: Position(position), attempts: 0, message: message("a", id(number), "waits") }
}

fn dead(number: u128, position: u64) -> DeadLetter {
    DeadLetter { letter: letter(number, position), at: BEGAN, reason: "poison".into() }
}

/// What is said where nothing is wrong.
const NOTHING: [&str; 0] = [];

/// What is said of a store after a change.
async fn said(tampered: impl FnOnce(&WriteTransaction)) -> Vec<String> {
    let disk = sound().await;
    change(&disk, tampered);
    let store = open(&disk).await;
    faults(&store).await.iter().map(ToString::to_string).collect()
}

pub(super) fn remove(transaction: &WriteTransaction, key: &[u8]) {
    let mut rows = transaction.open_table(ROWS).expect("a table");
    assert!(rows.remove(key).expect("it writes").is_some(), "it was there");
}

pub(super) fn put_bytes(transaction: &WriteTransaction, key: &[u8], row: &[u8]) {
    transaction.open_table(ROWS).expect("a table").insert(key, row).expect("it writes");
}

fn put<R: Row>(transaction: &WriteTransaction, key: &[u8], value: &R) {
    put_bytes(transaction, key, &encode_row(key, value));
}

fn put_handled(transaction: &WriteTransaction, key: &[u8], turn: Turn, message: MessageId) {
    let handled = Handled { message, was: Source::Caller, reply: None };
    let row = encode_row(&[key, &turn.to_bytes()].concat(), &handled);
    put_bytes(transaction, key, &[turn.to_bytes().as_slice(), &row].concat());
}

pub(super) fn edit<R: Row>(transaction: &WriteTransaction, key: &[u8], change: impl FnOnce(&mut R)) {
    let mut rows = transaction.open_table(ROWS).expect("a table");
    let row = rows.get(key).expect("it reads").expect("it is there").value().to_vec();
    let mut value: R = decode_row(key, &row).expect("it is sound");
    change(&mut value);
    rows.insert(key, encode_row(key, &value).as_slice()).expect("it writes");
}

fn edit_head(transaction: &WriteTransaction, change: impl FnOnce(&mut Head)) {
    edit(transaction, &keys_of("a").head(), change);
}

/// Damages a row without changing where it lies.
pub(super) fn damage(transaction: &WriteTransaction, key: &[u8]) {
    let mut rows = transaction.open_table(ROWS).expect("a table");
    let mut row = rows.get(key).expect("it reads").expect("it is there").value().to_vec();
    *row.last_mut().expect("it is not empty") ^= 1;
    rows.insert(key, row.as_slice()).expect("it writes");
}

fn list(transaction: &WriteTransaction, table: keys::IndexTable, key: &[u8]) {
    transaction.open_table(table).expect("a table").insert(key, ()).expect("it writes");
}

fn unlist(transaction: &WriteTransaction, table: keys::IndexTable, key: &[u8]) {
    let mut table = transaction.open_table(table).expect("a table");
    assert!(table.remove(key).expect("it writes").is_some(), "it was there");
}

#[tokio::test]
async fn a_store_with_one_of_everything_has_no_fault() {
    assert_eq!(said(|_| ()).await, NOTHING);
}

#[tokio::test]
async fn rows_that_are_not_as_they_were_written_are_said() {
    let a = keys_of("a");
    assert_eq!(
        said(|store| put_bytes(store, b"no key", b"")).await,
        ["no key: row: it is no key of a store"]
    );
    assert_eq!(
        said(|store| put_bytes(store, b"no\x07id\0\x01", b"")).await,
        ["no\\x07id: row: it is no key of a store"]
    );
    assert_eq!(
        said(|store| put_bytes(store, &[b"a\0".as_slice(), &[99]].concat(), b"")).await,
        ["a\\x00c: row: it is of the unknown kind 99"]
    );
    assert_eq!(
        said(|store| put_bytes(store, &a.child(&name("x")), b"no row at all")).await,
        ["Child of a\\x00\\nx: row: its sum is wrong"]
    );
    assert_eq!(
        said(|store| put(store, &a.child(&name("x")), &reminder())).await,
        ["Child of a\\x00\\nx: row: it is of kind 7 and format 1"]
    );
    assert_eq!(
        said(|store| damage(store, &a.head())).await,
        ["Head of a\\x00\\x01: row: its sum is wrong", "a: head: there is none that can be read"]
    );
    assert_eq!(
        said(|store| damage(store, &a.entry(Sequence(2)))).await,
        [
            "Entry of a\\x00\\x03\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x02: row: its sum is wrong",
            "a: journal: entry 3 comes after 1"
        ]
    );
    assert_eq!(
        said(|store| damage(store, &a.place(id(4)))).await,
        [
            "a\\x00\\x05\\x01\\xa3\\x18\\\\P\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x04: row: its sum is wrong",
            "a: inbox: 01a3185c500000000000000000000004 is not found at 1",
            "a\\x00\\x05\\x01\\xa3\\x18\\\\P\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x04: row: its sum is wrong",
            "a: inbox: 1 letters, 0 places, and the head says 1"
        ]
    );
    assert_eq!(
        said(|store| damage(store, &a.handled(id(1)))).await,
        [
            "Handled of a\\x00\\x06\\x01\\xa3\\x18\\\\P\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x01\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x01\\x00\\x00\\x00\\x00: row: its sum is wrong",
            "a: order of handled messages: 3 are handled, 4 have a place"
        ]
    );
    let order = a.order(Turn { sequence: Sequence(1), index: 0 });
    assert_eq!(
        said(|store| damage(store, &order)).await,
        [
            "a\\x00\\x07\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x01\\x00\\x00\\x00\\x00: row: its sum is wrong",
            "a\\x00\\x07\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x01\\x00\\x00\\x00\\x00: row: its sum is wrong",
            "a: order of handled messages: 4 are handled, 3 have a place"
        ]
    );
    assert_eq!(
        said(|store| edit_head(store, |head| head.target = target("z"))).await,
        ["a: row: its head is of counter z"]
    );
    assert_eq!(
        said(|store| list(store, BUSY, b"no\x07id")).await,
        ["no\\x07id: row: it is no key of a store"]
    );
    let said_of_meta = |key: &'static [u8]| {
        said(move |store| {
            store.open_table(META).expect("a table").insert(key, b"x".as_slice()).expect("it writes");
        })
    };
    assert_eq!(said_of_meta(FLOOR_KEY).await, ["floor: row: it has 1 bytes"]);
    assert_eq!(said_of_meta(b"colour").await, ["colour: row: it is no key of a store"]);
}

#[tokio::test]
async fn rows_of_nobody_are_said() {
    let stray = keys_of("b").place(id(9));
    let place = Place { position: Position(1), attempts: 0 };
    assert_eq!(
        said(|store| put_bytes(store, &stray, &keys::seal(&stray, &place.to_bytes()))).await,
        ["b: head: there is none that can be read"]
    );
}

#[tokio::test]
async fn journals_with_gaps_are_said() {
    let a = keys_of("a");
    assert_eq!(
        said(|store| remove(store, &a.entry(Sequence(2)))).await,
        ["a: journal: entry 3 comes after 1"]
    );
    assert_eq!(
        said(|store| remove(store, &a.entry(Sequence(3)))).await,
        ["a: journal: it ends at 2, and the head says 3"]
    );
    let moved = |store: &WriteTransaction| {
        edit(store, &a.entry(Sequence(3)), |entry: &mut Entry| entry.sequence = Sequence(4));
    };
    assert_eq!(
        said(moved).await,
        ["a: journal: entry 4 comes after 2", "a: journal: it ends at 4, and the head says 3"]
    );
    let moved = |store: &WriteTransaction| {
        let key = a.entry(Sequence(3));
        let mut third = None;
        edit(store, &key, |entry: &mut Entry| third = Some(entry.clone()));
        remove(store, &key);
        put(store, &a.entry(Sequence(4)), &third.expect("it was there"));
    };
    assert_eq!(said(moved).await, ["a: journal: entry 3 comes after 2"]);
}

#[tokio::test]
async fn states_that_no_head_names_are_said() {
    let a = keys_of("a");
    assert_eq!(
        said(|store| remove(store, &a.snapshot())).await,
        ["a: stored state: no state is stored, and the head says a state of 1"]
    );
    assert_eq!(
        said(|store| edit_head(store, |head| head.snapshot = Some(Sequence(2)))).await,
        ["a: stored state: a state of 1 is stored, and the head says a state of 2"]
    );
    assert_eq!(
        said(|store| edit_head(store, |head| head.trimmed = Sequence(2))).await,
        ["a: stored state: trimmed to 2, a state of 1, a journal to 3", "a: journal: entry 1 comes after 2"]
    );
    let beyond = |store: &WriteTransaction| {
        edit_head(store, |head| head.snapshot = Some(Sequence(4)));
        edit(store, &a.snapshot(), |state: &mut Snapshot| state.sequence = Sequence(4));
    };
    assert_eq!(said(beyond).await, ["a: stored state: trimmed to 0, a state of 4, a journal to 3"]);
}

#[tokio::test]
async fn inboxes_that_are_not_what_the_head_says_are_said() {
    let a = keys_of("a");
    assert_eq!(
        said(|store| remove(store, &a.letter(Position(1)))).await,
        ["a: inbox: 0 letters, 1 places, and the head says 1"]
    );
    assert_eq!(
        said(|store| remove(store, &a.place(id(4)))).await,
        [
            "a: inbox: 01a3185c500000000000000000000004 is not found at 1",
            "a: inbox: 1 letters, 0 places, and the head says 1"
        ]
    );
    assert_eq!(
        said(|store| edit_head(store, |head| head.waiting = 2)).await,
        ["a: inbox: 1 letters, 1 places, and the head says 2"]
    );
    assert_eq!(
        said(|store| edit_head(store, |head| head.next = Position(1))).await,
        ["a: inbox: 01a3185c500000000000000000000004 to counter a lies where it cannot, at 1"]
    );
    let stray = a.place(id(9));
    let place = Place { position: Position(2), attempts: 0 };
    assert_eq!(
        said(|store| put_bytes(store, &stray, &keys::seal(&stray, &place.to_bytes()))).await,
        ["a: inbox: 1 letters, 2 places, and the head says 1"]
    );
    let moved = |store: &WriteTransaction| {
        remove(store, &a.letter(Position(1)));
        put(store, &a.letter(Position(2)), &letter(4, 1));
    };
    assert_eq!(
        said(moved).await,
        ["a: inbox: 01a3185c500000000000000000000004 to counter a lies where it cannot, at 1"]
    );
    let misled = |store: &WriteTransaction| {
        edit(store, &a.letter(Position(1)), |letter: &mut Letter| letter.message.to = target("b"));
    };
    assert_eq!(
        said(misled).await,
        ["a: inbox: 01a3185c500000000000000000000004 to counter b lies where it cannot, at 1"]
    );
}

#[tokio::test]
async fn what_was_handled_out_of_order_is_said() {
    let a = keys_of("a");
    assert_eq!(
        said(|store| remove(store, &a.handled(id(1)))).await,
        ["a: order of handled messages: 3 are handled, 4 have a place"]
    );
    let one = Turn { sequence: Sequence(1), index: 0 };
    assert_eq!(
        said(|store| remove(store, &a.order(one))).await,
        [
            "a: order of handled messages: 01a3185c500000000000000000000001 is not at its place, 1/0",
            "a: order of handled messages: 4 are handled, 3 have a place"
        ]
    );
    assert_eq!(
        said(|store| put_handled(store, &a.handled(id(1)), one, id(9))).await,
        [
            "a: order of handled messages: 01a3185c500000000000000000000009 lies at the key of another",
            "a: order of handled messages: 01a3185c500000000000000000000009 is not at its place, 1/0"
        ]
    );
    let other = Turn { sequence: Sequence(2), index: 0 };
    assert_eq!(
        said(|store| put_handled(store, &a.handled(id(1)), other, id(1))).await,
        ["a: order of handled messages: 01a3185c500000000000000000000001 is not at its place, 2/0"]
    );
    let late = Turn { sequence: Sequence(4), index: 0 };
    let of_the_future = |store: &WriteTransaction| {
        put_handled(store, &a.handled(id(9)), late, id(9));
        put_bytes(store, &a.order(late), &keys::seal(&a.order(late), &id(9).to_bytes()));
    };
    assert_eq!(
        said(of_the_future).await,
        [
            "a: order of handled messages: 01a3185c500000000000000000000009 was handled at 4, after the journal's end"
        ]
    );
}

#[tokio::test]
async fn what_leaves_and_was_never_sent_is_said() {
    let a = keys_of("a");
    let place = |sequence, index| a.outgoing(OutboxPosition { sequence: Sequence(sequence), index });
    assert_eq!(
        said(|store| put(store, &place(1, 1), &outgoing(1))).await,
        ["a: outbox: 01a3185c500000000000000000000008 lies where it cannot, at 1/0"]
    );
    assert_eq!(
        said(|store| put(store, &place(4, 0), &outgoing(4))).await,
        ["a: outbox: 01a3185c500000000000000000000008 lies where it cannot, at 4/0"]
    );
    let given_up = |sequence| Undelivered { outgoing: outgoing(sequence), at: BEGAN, reason: "gone".into() };
    let given_up_at = |key: u64, sequence| {
        let place = OutboxPosition { sequence: Sequence(key), index: 0 };
        said(move |store| put(store, &keys_of("a").undelivered(place), &given_up(sequence)))
    };
    assert_eq!(
        given_up_at(1, 1).await,
        ["a: outbox: 01a3185c500000000000000000000008 was given up, and is to leave"]
    );
    assert_eq!(
        given_up_at(2, 3).await,
        ["a: outbox: 01a3185c500000000000000000000008 lies where it cannot, at 3/0"]
    );
}

#[tokio::test]
async fn reminders_that_cannot_be_found_are_said() {
    let a = keys_of("a");
    let at = WallTime::from_millis;
    assert_eq!(
        said(|store| remove(store, &a.reminder(&name("later")))).await,
        [
            "\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x05a\\x00later: reminder: damaged: a\\x00\\tlater: it is missing"
        ]
    );
    assert_eq!(
        said(|store| unlist(store, DUE, &a.due(at(5), &name("later")))).await,
        ["a: reminder: later is not found at 5ms"]
    );
    assert_eq!(
        said(|store| list(store, DUE, b"no key")).await,
        ["no key: reminder: damaged: no key: it is no key of a store"]
    );
    assert_eq!(
        said(|store| list(store, DUE, &a.due(at(6), &name("later")))).await,
        [
            "\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x06a\\x00later: reminder: damaged: \\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x06a\\x00later: the reminder is due at another time"
        ]
    );
    let renamed = |store: &WriteTransaction| put(store, &a.reminder(&name("other")), &reminder());
    assert_eq!(said(renamed).await, ["a: reminder: later is not found at 5ms"]);
    assert_eq!(
        said(|store| edit_head(store, |head| head.has_ended = true)).await,
        ["a: reminder: later is set, and the actor has ended for good"]
    );
}

#[tokio::test]
async fn children_and_dead_letters_that_lie_elsewhere_are_said() {
    let a = keys_of("a");
    assert_eq!(
        said(|store| put(store, &a.child(&name("right")), &child("left"))).await,
        ["a\\x00\\nright: child: it has another name"]
    );
    assert_eq!(
        said(|store| put(store, &a.dead_letter(id(6)), &dead(7, 2))).await,
        ["a: dead letter: 01a3185c500000000000000000000007 waits, or lies elsewhere"]
    );
    assert_eq!(
        said(|store| put(store, &a.dead_letter(id(4)), &dead(4, 1))).await,
        ["a: dead letter: 01a3185c500000000000000000000004 waits, or lies elsewhere"]
    );
}

#[tokio::test]
async fn a_list_of_busy_actors_that_is_wrong_is_said() {
    assert_eq!(said(|store| unlist(store, BUSY, b"a")).await, ["a: list of busy actors: it is not"]);
    assert_eq!(
        said(|store| list(store, BUSY, b"b")).await,
        ["b: list of busy actors: there is no such actor"]
    );
    let idle = |store: &WriteTransaction| {
        put(store, &keys_of("b").head(), &Head::new(target("b"), crate::Epoch(1), BEGAN));
    };
    let listed = |store: &WriteTransaction| {
        idle(store);
        list(store, BUSY, b"b");
    };
    assert_eq!(said(idle).await, NOTHING);
    assert_eq!(said(listed).await, ["b: list of busy actors: it is listed"]);
}

#[tokio::test]
async fn an_actor_whose_last_message_was_given_up_is_not_busy() {
    let disk = FaultyDisk::new();
    let store = open(&disk).await;
    let head = acquire(&store, "a").await.expect("it is free");
    let mut first = turn(&head, id(1), "one");
    first.outbox.push(outgoing(1));
    store.commit_turn(first).await.expect("it commits");
    let (actor, epoch, position) = (head.target.id.clone(), head.epoch, outgoing(1).position);
    let (reason, notice) = ("gone".to_owned(), None);
    let giving_up = GivingUp { actor, epoch, position, at: BEGAN, reason, notice };
    assert!(store.give_up_delivery(giving_up).await.expect("it is there"));
    assert_eq!(faults(&store).await, []);
    store.release(&head.target.id, head.epoch).await.expect("it is owned");
    assert_eq!(store.waiting(None, 9).await.expect("it reads"), []);
}
