//! A store with one of everything, and the tool that looks at it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use actor_durable::store::{
    Body, CatchUp, Cause, Child, ChildChange, Claim, ClaimMode, DeadLetter, Destination, Entry, GivingUp,
    Handled, Head, Headers, Message, OutboxPosition, Outgoing, Reminder, ReminderChange, Snapshot, Source,
    Store, TurnCommit,
};
use actor_durable::testing::WallClock;
use actor_durable::{
    ActorType, DurableId, Epoch, MessageId, Name, OwnerId, Position, RedbStore, Sequence, Target, WallTime,
};
use redb::{Builder, Database, TableDefinition};
use tempfile::TempDir;

pub(crate) const ROWS: TableDefinition<'static, &[u8], &[u8]> = TableDefinition::new("rows");
pub(crate) const BUSY: TableDefinition<'static, &[u8], ()> = TableDefinition::new("busy");

/// What the store's clock shows.
const BEGAN: WallTime = WallTime::from_millis(1_800_000_000_000);

const OWNER: OwnerId = OwnerId::new(7);

/// A directory with a store in it.
pub(crate) struct Scene {
    pub(crate) directory: TempDir,
}

/// What the tool said, and how it ended.
#[derive(Debug, PartialEq)]
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) output: String,
    pub(crate) errors: String,
}

impl Said {
    pub(crate) fn of(output: &Output) -> Self {
        Self {
            code: output.status.code(),
            output: String::from_utf8(output.stdout.clone()).expect("it writes UTF-8"),
            errors: String::from_utf8(output.stderr.clone()).expect("it writes UTF-8"),
        }
    }

    /// All of it, as `said/` has it.
    pub(crate) fn text(&self) -> String {
        let Self { code, output, errors } = self;
        let code = code.map_or("a signal".to_owned(), |code| code.to_string());
        format!("{output}-- {code}\n{errors}")
    }

    /// The code, the output and the errors.
    pub(crate) fn parts(&self) -> (Option<i32>, &str, &str) {
        (self.code, &self.output, &self.errors)
    }
}

impl Scene {
    pub(crate) fn empty() -> Self {
        Self { directory: tempfile::tempdir().expect("a directory") }
    }

    /// With two actors: `a`, which has one of everything, and `b c`, which has mail.
    pub(crate) async fn with_actors() -> Self {
        let scene = Self::empty();
        let store = open(&scene.path()).await;
        fill(&store).await;
        store.close().await;
        scene
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.directory.path().join("store.redb")
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        std::fs::read(self.path()).expect("it is there")
    }

    /// Changes the closed store behind its back, by redb alone.
    pub(crate) fn tamper(&self, change: impl FnOnce(&redb::WriteTransaction)) {
        let database: Database = Builder::new().open(self.path()).expect("it opens");
        let transaction = database.begin_write().expect("nobody writes");
        change(&transaction);
        transaction.commit().expect("it commits");
    }

    /// Runs the tool in the directory of the store, so that it says no path that differs from run to run.
    pub(crate) fn run(&self, arguments: &[&str]) -> Said {
        Said::of(&tool(self.directory.path()).args(arguments).output().expect("it runs"))
    }

    /// Runs the tool, which leaves the file and the directory as they were.
    pub(crate) fn look(&self, arguments: &[&str]) -> Said {
        let before = (self.bytes(), self.names());
        let said = self.run(arguments);
        assert!((self.bytes(), self.names()) == before, "{arguments:?} has changed something");
        said
    }

    fn names(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.directory.path()).expect("it is there");
        let mut names: Vec<_> = entries.map(|entry| entry.expect("it is there").path()).collect();
        names.sort();
        names
    }
}

pub(crate) fn tool(directory: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_actor-durable-tool"));
    command.current_dir(directory);
    command
}

pub(crate) async fn open(path: &Path) -> RedbStore {
    let options = RedbStore::options().executor(WallClock::at(BEGAN).executor());
    options.open(path).await.expect("it opens")
}

fn target(id: &str, actor_type: &str) -> Target {
    Target {
        id: DurableId::new(id).expect("a good id"),
        actor_type: ActorType::new(actor_type).expect("a good name"),
    }
}

fn name(name: &str) -> Name {
    Name::new(name).expect("a good name")
}

fn id(number: u128) -> MessageId {
    MessageId::new(BEGAN, number)
}

fn body(bytes: &[u8]) -> Body {
    Body { version: 1, bytes: bytes.to_vec().into() }
}

/// A message from `a`, with all that a message can have.
pub(crate) fn message(to: &Target, number: u128, text: &str) -> Message {
    Message {
        to: to.clone(),
        id: id(number),
        from: Some(target("a", "counter").id),
        reply_to: Some(target("a", "counter")),
        sent_at: BEGAN,
        body: body(text.as_bytes()),
        headers: Headers::from([("tenant".to_owned(), "t 1".to_owned())]),
    }
}

/// Two actors: `a`, which has one of everything, and `b c`, which has mail.
pub(crate) async fn fill(store: &RedbStore) {
    let (a, b) = (target("a", "counter"), target("b c", "order"));
    store.renew(OWNER, Duration::from_secs(60)).await.expect("a lease");
    let claim = Claim { target: a.clone(), owner: OWNER, epoch_min: Epoch::ZERO, mode: ClaimMode::IfFree };
    let head = store.acquire(claim).await.expect("it is free");
    for number in [10, 11] {
        store.enqueue(message(&a, number, "waits")).await.expect("it is new");
    }
    store.commit_turn(first(&head)).await.expect("it commits");
    let position = OutboxPosition { sequence: Sequence(1), index: 1 };
    let (actor, epoch, reason) = (a.id.clone(), head.epoch, "no such box".to_owned());
    let giving_up = GivingUp { actor, epoch, position, at: BEGAN, reason, notice: None };
    assert!(store.give_up_delivery(giving_up).await.expect("it is there"));
    let letters = store.inbox(&a.id, head.epoch, Position::ZERO, 1).await.expect("it reads");
    let mut second = TurnCommit::new(a.id.clone(), head.epoch, Sequence(1));
    second.entries.push(entry(2, Cause::GaveUp(id(10)), &[], &[]));
    let reason = "it panicked: \u{1b}[2J".to_owned();
    second.dead.push(DeadLetter { letter: letters[0].clone(), at: BEGAN, reason });
    store.commit_turn(second).await.expect("it commits");
    let mut third = TurnCommit::new(a.id.clone(), head.epoch, Sequence(2));
    third.entries.push(entry(3, Cause::Own, &[&[0xff, 0]], &[]));
    store.commit_turn(third).await.expect("it commits");
    store.enqueue(message(&b, 20, "hello")).await.expect("it is new");
}

/// Ends `a`, of whose journal only that is left.
pub(crate) async fn end(store: &RedbStore) {
    let (target, owner) = (target("a", "counter"), OWNER);
    store.renew(owner, Duration::from_secs(60)).await.expect("a lease");
    let claim = Claim { target, owner, epoch_min: Epoch::ZERO, mode: ClaimMode::IfFree };
    let head = store.acquire(claim).await.expect("it is free");
    let mut last = TurnCommit::new(head.target.id.clone(), head.epoch, head.sequence);
    last.entries.push(entry(4, Cause::Stopped, &[], &[]));
    last.state = Some(Snapshot { sequence: Sequence(4), body: body(b"the last") });
    (last.trim, last.ends) = (Some(Sequence(3)), true);
    store.commit_turn(last).await.expect("it commits");
}

fn entry(number: u64, cause: Cause, events: &[&[u8]], sent: &[MessageId]) -> Entry {
    Entry {
        sequence: Sequence(number),
        at: BEGAN.after(Duration::from_secs(number)),
        cause,
        has_changed: !events.is_empty(),
        events: events.iter().map(|event| body(event)).collect(),
        sent: sent.to_vec(),
    }
}

/// A turn that does everything.
fn first(head: &Head) -> TurnCommit {
    let mut turn = TurnCommit::new(head.target.id.clone(), head.epoch, head.sequence);
    turn.entries.push(entry(1, Cause::Message(id(1)), &[b"one", b"two"], &[id(2), id(3)]));
    turn.state = Some(Snapshot { sequence: Sequence(1), body: body(b"state \"1\"\n") });
    turn.handled.push(Handled { message: id(1), was: Source::Caller, reply: Some(b"reply".to_vec().into()) });
    let destinations = [Destination::Actor(target("b c", "order")), Destination::Outlet(name("mail"))];
    for ((index, to), number) in (0..).zip(destinations).zip([2, 3]) {
        turn.outbox.push(Outgoing {
            position: OutboxPosition { sequence: Sequence(1), index },
            to,
            id: id(number),
            reply_to: None,
            sent_at: BEGAN,
            body: body(b"sent"),
            headers: Headers::new(),
        });
    }
    let (due, period) = (BEGAN.after(Duration::from_secs(60)), Some(Duration::from_secs(3600)));
    let (set_by, catch_up) = (turn.last(), CatchUp::FireAll);
    let reminder = Reminder { name: name("bill"), set_by, due, period, catch_up, body: body(b"due") };
    turn.reminders.push(ReminderChange::Set(reminder));
    let child = Child { name: name("left"), target: target("d", "counter"), body: body(b"") };
    turn.children.push(ChildChange::Add(child));
    turn
}
