//! Several processes on one PostgreSQL. Each actor is with one of them at a time, and a bad one stalls nobody; what a process had
//! another one has when it is dead, or as good as dead, and then the first may not go on.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use actor_cluster::testing::is_full;
use actor_core::ActorSystem;
use actor_durable::store::{Body, Claim, ClaimMode, Enqueued, Entry, Headers, Snapshot, Store, TurnCommit};
use actor_durable::{Durable, DurableRef, DurableSystem, Epoch, MessageId, OwnerId, WallTime, decode};
use futures_util::future::join_all;
use integration_tests::tally::{Say, Tally, Whole};
use integration_tests::witness::{self, Line};
use store_postgres::testing::{Server, or_skip};
use store_postgres::{PostgresConfig, PostgresStore};
use tempfile::TempDir;

use super::{random, say, tally};
use crate::lives::{Client, Random, Service};
use crate::support::{guarded_for, signal};

const PROCESSES: usize = 3;
const SENDERS: u64 = 4;

/// Nobody is taken for dead.
const LONG: Duration = Duration::from_secs(60);

/// Whoever is not heard of for so long is taken for dead.
const SHORT: Duration = Duration::from_secs(1);

fn actors() -> u64 {
    if is_full() { 200 } else { 40 }
}

/// Of each sender.
fn messages() -> u64 {
    if is_full() { 2_000 } else { 100 }
}

fn limit() -> Duration {
    Duration::from_secs(if is_full() { 600 } else { 60 })
}

/// A store, and who sends to its actors without having any.
struct Scene {
    server: Server,
    schema: String,
    directory: TempDir,
    store: Arc<PostgresStore>,
    client: DurableSystem,
}

impl Scene {
    async fn new() -> Option<Self> {
        let server = or_skip(Server::shared())?;
        let schema = server.fresh_schema();
        let config = PostgresConfig::new(&server.address()).unwrap().with_schema(&schema).unwrap();
        let store = Arc::new(PostgresStore::open(config).await.unwrap());
        let client = DurableSystem::builder(&ActorSystem::new(), store.clone()).start().await.unwrap();
        Some(Self { server, schema, directory: tempfile::tempdir().unwrap(), store, client })
    }

    fn witness(&self) -> PathBuf {
        self.directory.path().join("witness")
    }

    fn lines_of(&self, actor: &str) -> Vec<Line> {
        let lines = witness::read(&self.witness()).unwrap();
        lines.into_iter().filter(|line| line.actor == actor).collect()
    }

    fn process(&self, lease: Duration) -> Service {
        let (address, witness) = (self.server.address(), self.witness());
        let (lease, witness) = (lease.as_millis().to_string(), witness.to_str().unwrap());
        let words = ["--postgres", &address, "--schema", &self.schema, "--lease", &lease];
        let others = ["--look", "100", "--witness", witness];
        Service::start(env!("CARGO_BIN_EXE_tally-node"), words.into_iter().chain(others))
    }

    fn actor(&self, id: &str) -> DurableRef<Whole> {
        self.client.actor(id).unwrap()
    }

    /// Puts a message into an inbox.
    async fn send(&self, to: &str, say: Say) -> MessageId {
        let id = self.actor(to).new_message_id();
        let sent = self.actor(to).send_with(id, Headers::new(), &say).await.unwrap();
        assert_eq!(sent, Enqueued::Stored);
        id
    }

    /// Waits until a message was handled, and reads the reply to it.
    async fn reply(&self, to: &str, id: MessageId) -> Tally {
        loop {
            if let Some(reply) = self.store.reply(self.actor(to).id(), id).await.unwrap() {
                return <Whole as Durable>::read_reply(&reply.expect("it was not given up"))
                    .unwrap()
                    .unwrap();
            }
            // sleep: nothing tells when a message is handled
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Has an actor be there whose state no program can read.
    async fn garble(&self, id: &str) {
        let (owner, target) = (OwnerId::new(1), self.actor(id).target().clone());
        self.store.renew(owner, LONG).await.unwrap();
        let claim = Claim { target, owner, epoch_min: Epoch::ZERO, mode: ClaimMode::IfFree };
        let head = self.store.acquire(claim).await.unwrap();
        let mut turn = TurnCommit::new(head.target.id.clone(), head.epoch, head.sequence);
        let sequence = head.sequence.next();
        let (at, cause) = (WallTime::ZERO, actor_durable::store::Cause::Own);
        turn.entries = vec![Entry { sequence, at, cause, has_changed: true, events: vec![], sent: vec![] }];
        let body = Body { version: <Whole as Durable>::STATE_VERSION, bytes: vec![0xff; 3].into() };
        turn.state = Some(Snapshot { sequence, body });
        self.store.commit_turn(turn).await.unwrap();
        self.store.release(&head.target.id, head.epoch).await.unwrap();
        self.store.retire(owner).await.unwrap();
    }

    /// What an actor has counted, as it is stored.
    async fn stored(&self, id: &str) -> Tally {
        let head = self.store.head(self.actor(id).id()).await.unwrap().unwrap();
        assert!(!head.has_mail(), "{head:?}");
        let snapshot = self.store.load(&head.target.id, head.epoch).await.unwrap().snapshot.unwrap();
        decode("a tally", snapshot.body.version, &snapshot.body.bytes).unwrap()
    }

    async fn waiting(&self, id: &str) -> u64 {
        self.store.head(self.actor(id).id()).await.unwrap().unwrap().waiting
    }
}

/// Somebody who sends numbers to all of the actors by the store, and asks them numbers by whichever process: what it asks may overtake
/// what it has sent elsewhere, so it counts them as two.
struct Sender {
    name: String,
    random: Random,
    processes: Vec<Client>,
    /// How many to each actor, by either name, and the message that came last.
    sent: BTreeMap<(String, String), (u64, MessageId)>,
    ids: BTreeSet<MessageId>,
}

impl Sender {
    async fn run(mut self, scene: Arc<Scene>) -> Self {
        for _ in 0..messages() {
            let to = format!("w{}", self.random.below(actors()));
            let asks = self.random.below(3) == 0;
            let name = if asks { format!("{}-asks", self.name) } else { self.name.clone() };
            let number = self.sent.get(&(to.clone(), name.clone())).map_or(1, |(last, _)| last + 1);
            let id = if asks {
                self.ask(&to, &name, number).await
            } else {
                scene.send(&to, Say::Number { sender: name.clone(), number, forward: None }).await
            };
            self.sent.insert((to, name), (number, id));
            self.ids.insert(id);
        }
        for ((to, name), (number, id)) in &self.sent {
            assert_eq!(scene.reply(to, *id).await.counts[name], *number, "{to}");
        }
        self
    }

    /// Asks one process after the other, until it is the one that has the actor.
    async fn ask(&mut self, to: &str, name: &str, number: u64) -> MessageId {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let id = MessageId::new(WallTime::from_unix(now), self.random.draw().into());
        let request = format!("call {to} {name} {number} -");
        let mut at = usize::try_from(self.random.below(self.processes.len() as u64)).unwrap();
        loop {
            let answer = self.processes[at].ask_once(&id.to_string(), &request).await.expect("it lives");
            if answer.starts_with("ok ") {
                return id;
            }
            assert!(answer.contains("owned by"), "{request}: {answer}");
            at = (at + 1) % self.processes.len();
        }
    }
}

/// Each actor was with one process, whose runs of its handler were one after the other, each message's one. How many actors each
/// process had.
fn assert_one_at_a_time(lines: &[Line], senders: &[Sender]) -> BTreeMap<u32, usize> {
    let mut by_actor: BTreeMap<&str, Vec<&Line>> = BTreeMap::new();
    for line in lines {
        by_actor.entry(&line.actor).or_default().push(line);
    }
    let mut shares = BTreeMap::new();
    let mut handled = Vec::new();
    for lines in by_actor.values() {
        let first = lines[0];
        *shares.entry(first.process).or_default() += 1;
        assert_eq!(first.epoch, 1, "{first}");
        for (at, line) in lines.iter().enumerate() {
            assert_eq!((line.process, line.epoch), (first.process, first.epoch), "{line}");
            assert_eq!(line.is_end, at % 2 == 1, "two at a time: {line}");
        }
        for run in lines.chunks(2) {
            assert_eq!(run[0].message, run[1].message);
            handled.push(run[0].message);
        }
    }
    let all: BTreeSet<_> = senders.iter().flat_map(|sender| &sender.ids).copied().collect();
    assert_eq!(handled.len(), all.len(), "each once");
    assert_eq!(BTreeSet::from_iter(handled), all);
    shares
}

/// A handler that never returns, one that panics each time, and a state that nobody can read.
const BAD: [&str; 3] = ["hangs", "panics", "garbled"];

#[tokio::test(flavor = "multi_thread")]
async fn d18_many_actors_are_each_with_one_of_several_processes_and_bad_ones_stall_nobody() {
    let Some(scene) = Scene::new().await else { return };
    guarded_for(limit(), async {
        let mut random = random("crowd");
        let number = |number| Say::Number { sender: "nobody".into(), number, forward: None };
        scene.send("hangs", Say::Hang).await;
        for _ in 0..100 {
            scene.send("panics", Say::Panic).await;
        }
        scene.garble("garbled").await;
        scene.send("garbled", number(1)).await;
        let processes: Vec<Service> = (0..PROCESSES).map(|_| scene.process(LONG)).collect();
        while ["hangs", "panics"].iter().any(|id| scene.lines_of(id).is_empty()) {
            // sleep: nothing tells what a process does
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        for process in &processes {
            // Each is there, before the first takes all.
            let answer = process.client().ask_once("0", "look").await.expect("it lives");
            assert!(answer.starts_with("failed "), "{answer}");
        }
        let scene = Arc::new(scene);
        let senders = (0..SENDERS).map(|number| {
            let processes = processes.iter().map(Service::client).collect();
            let (name, random) = (format!("sender-{number}"), random.fork());
            let sender = Sender { name, random, processes, sent: BTreeMap::new(), ids: BTreeSet::new() };
            tokio::spawn(sender.run(scene.clone()))
        });
        let senders: Vec<_> = senders.collect();
        let senders: Vec<Sender> = join_all(senders).await.into_iter().map(Result::unwrap).collect();
        // All others are done, and the bad ones are still at it.
        for (id, least) in BAD.into_iter().zip([1, 2, 1]) {
            assert!(scene.waiting(id).await >= least, "{id}");
        }
        for mut process in processes {
            process.end().await;
        }
        let hung = scene.lines_of("hangs");
        assert!(hung.len() == 1 && !hung[0].is_end, "it has begun once, and not ended: {hung:?}");
        let mut lines = witness::read(&scene.witness()).unwrap();
        lines.retain(|line| !BAD.contains(&&*line.actor));
        let shares = assert_one_at_a_time(&lines, &senders);
        say(&format!("so many actors each: {:?}", shares.values()));
        assert_eq!(shares.len(), PROCESSES, "each has some: {shares:?}");
        compare(&scene, &senders).await;
    })
    .await;
}

/// What was sent is what is stored, and in no other epoch than the first.
async fn compare(scene: &Scene, senders: &[Sender]) {
    for number in 0..actors() {
        let id = format!("w{number}");
        let sent = senders.iter().flat_map(|sender| &sender.sent).filter(|((to, _), _)| *to == id);
        let sent: BTreeMap<String, u64> =
            sent.map(|((_, name), (number, _))| (name.clone(), *number)).collect();
        let Some(head) = scene.store.head(scene.actor(&id).id()).await.unwrap() else {
            assert_eq!(sent, BTreeMap::new());
            continue;
        };
        assert_eq!(head.epoch, Epoch(1), "{id}");
        assert_eq!(scene.stored(&id).await, Tally { counts: sent.clone(), ..Tally::default() }, "{id}");
        let handled = tally::handled(&*scene.store, &id).await;
        assert!(handled.values().all(|times| *times == 1), "{id} has handled a message twice");
        assert_eq!(handled.len() as u64, sent.values().sum::<u64>(), "{id}");
    }
}

/// A process dies, and another one sleeps for longer than its lease: what they had others have. The one that wakes is told, and whoever
/// asked it.
#[tokio::test(flavor = "multi_thread")]
async fn d18_what_a_dead_or_a_sleeping_process_had_others_have_and_whoever_wakes_is_fenced() {
    const ACTORS: u64 = 12;
    let Some(scene) = Scene::new().await else { return };
    guarded_for(limit(), async {
        let mut processes: Vec<Service> = (0..PROCESSES).map(|_| scene.process(SHORT)).collect();
        let (zombie, other) = (processes[1].client(), processes[2].client());
        let ask = async |mut process: Client, number: u64| {
            let id = scene.actor("zombie").new_message_id();
            let request = format!("call zombie zed {number} -");
            (id, process.ask_once(&id.to_string(), &request).await.expect("it lives"))
        };
        assert_eq!(ask(zombie.clone(), 1).await.1, "ok 1");
        // Nor does one keep the others that might have ended the process that dies.
        scene.send("hangs", Say::Hang).await;
        send_all(&scene, ACTORS, 1).await;
        let before = owners(&scene, ACTORS);

        // One that had some dies.
        let dead = processes.remove(0);
        let number = dead.process();
        end(dead).await;
        send_all(&scene, ACTORS, 2).await;
        for (actor, owner) in owners(&scene, ACTORS) {
            let was = &before[&actor];
            assert_ne!(owner.process, number, "{actor}");
            assert!(was.process != number || owner.epoch > was.epoch, "{actor}: {owner} after {was}");
        }

        // One sleeps, with a question on its way.
        let sleeper = processes[0].process();
        assert!(signal("STOP", sleeper).await);
        let asked = tokio::spawn({
            let (mut zombie, id) = (zombie.clone(), scene.actor("zombie").new_message_id());
            async move { (id, zombie.ask_once(&id.to_string(), "call zombie zed 3 -").await) }
        });
        loop {
            let (_, answer) = ask(other.clone(), 2).await;
            if answer == "ok 2" {
                break;
            }
            assert!(answer.starts_with("failed "), "{answer}");
            // sleep: nothing tells when a lease is over
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        send_all(&scene, ACTORS, 3).await;
        assert!(!asked.is_finished(), "it sleeps");
        assert!(signal("CONT", sleeper).await);
        let (id, answer) = asked.await.unwrap();
        let answer = answer.expect("it lives");
        assert_eq!(answer, "failed not applied: epoch 1 does not own the actor; it is in epoch 2");
        let again = other.clone().ask_once(&id.to_string(), "call zombie zed 3 -").await;
        assert_eq!(again.as_deref(), Some("ok 3"), "nothing of it was kept");
        send_all(&scene, ACTORS, 4).await;
        for process in processes {
            end(process).await;
        }
        for number in 0..ACTORS {
            let counts = BTreeMap::from([("all".to_owned(), 4)]);
            assert_eq!(scene.stored(&format!("w{number}")).await, Tally { counts, ..Tally::default() });
        }
        let counts = BTreeMap::from([("zed".to_owned(), 3)]);
        assert_eq!(scene.stored("zombie").await, Tally { counts, ..Tally::default() });
    })
    .await;
}

async fn end(mut process: Service) {
    process.end().await;
}

/// Sends each actor its next number, and waits until all are handled.
async fn send_all(scene: &Scene, actors: u64, number: u64) {
    let mut sent = Vec::new();
    for actor in 0..actors {
        let to = format!("w{actor}");
        let say = Say::Number { sender: "all".into(), number, forward: None };
        sent.push((scene.send(&to, say).await, to));
    }
    for (id, to) in sent {
        assert_eq!(scene.reply(&to, id).await.counts["all"], number);
    }
}

/// Who has handled each actor's last message.
fn owners(scene: &Scene, actors: u64) -> BTreeMap<String, Line> {
    let owner = |actor: String| (actor.clone(), scene.lines_of(&actor).pop().expect("it was handled"));
    (0..actors).map(|actor| owner(format!("w{actor}"))).collect()
}
