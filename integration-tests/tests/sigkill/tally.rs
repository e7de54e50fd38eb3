//! Each message that was acknowledged is applied once, in its sender's order, whoever is killed when. The senders write down
//! what they know, and in the end it is compared with what is stored: with the states, and with each entry of the journals.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use actor_cluster::testing::is_full;
use actor_core::ActorSystem;
use actor_durable::store::{Cause, Store};
use actor_durable::{DurableId, DurableSystem, MessageId, Sequence, WallTime};
use futures_util::future::join_all;
use integration_tests::tally::{Say, Sourced, Tally, Whole, is_sourced};
use store_postgres::testing::{Server, or_skip};

use super::kept::Kept;
use super::{random, say};
use crate::lives::{Answered, Client, Random, Service};
use crate::support::guarded_for;

/// Half keep their state whole, half their events.
const ACTORS: [&str; 6] = ["w0", "w1", "w2", "e0", "e1", "e2"];

/// Each has one message under way.
const SENDERS: u64 = 16;

/// A life takes so many milliseconds.
const LIFE: Range<u64> = 0..400;

/// One that is not over before it has done something, and soon after.
const SHORT_LIFE: Range<u64> = 20..40;

/// After so many ends of the process the server ends, too.
const SERVER_ENDS_EVERY: u32 = 4;

/// How often it is killed.
fn kills(kept: &Kept) -> u32 {
    match is_full() {
        true => 200,
        // A server takes a while to start again, and those who were killed are waited for.
        false if kept.is_on_server() => 8,
        false => 15,
    }
}

fn limit() -> Duration {
    Duration::from_secs(if is_full() { 1_200 } else { 120 })
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_is_applied_once_and_in_order_however_often_the_process_is_killed() {
    guarded_for(limit(), kill(&Kept::in_file("tally.redb"), "tally", LIFE)).await;
}

/// What ends processes is counted against letters: never so often that one is given up that has nothing to do with it.
#[tokio::test(flavor = "multi_thread")]
async fn no_letter_is_given_up_in_processes_that_are_killed_as_soon_as_they_work() {
    guarded_for(limit(), kill(&Kept::in_file("tally.redb"), "crash loop", SHORT_LIFE)).await;
}

/// The process is killed, and the server ends without a word, too.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_is_applied_once_on_postgresql_whichever_of_both_ends() {
    let Some(server) = or_skip(Server::private()) else { return };
    guarded_for(limit(), kill(&Kept::on(server), "tally on postgresql", LIFE)).await;
}

async fn kill(kept: &Kept, name: &str, life: Range<u64>) {
    let mut random = random(name);
    let logs = load(kept, &mut random, life).await;
    compare(kept, &logs).await;
}

/// What one sender knows.
#[derive(Default)]
struct Log {
    name: String,
    /// All were acknowledged: to whom, and the number it had there.
    sent: BTreeMap<MessageId, (&'static str, u64)>,
    /// How many to each actor.
    counts: BTreeMap<&'static str, u64>,
    /// How many were forwarded from one to another.
    forwarded: BTreeMap<(&'static str, &'static str), u64>,
    /// How many had to be asked more than once.
    retried: usize,
}

/// Runs the senders while the process is killed.
async fn load(kept: &Kept, random: &mut Random, life: Range<u64>) -> Vec<Log> {
    let mut service = Service::start(env!("CARGO_BIN_EXE_tally-node"), kept.words());
    let is_over = Arc::new(AtomicBool::new(false));
    let senders = (0..SENDERS).map(|number| {
        let sender = Sender {
            client: service.client(),
            random: random.fork(),
            log: Log { name: format!("sender-{number}"), ..Log::default() },
        };
        tokio::spawn(sender.run(is_over.clone()))
    });
    let senders: Vec<_> = senders.collect();
    let pause = |random: &mut Random| {
        Duration::from_micros(life.start * 1_000 + random.below((life.end - life.start) * 1_000))
    };
    for kill in 1..=kills(kept) {
        service.kill_after(pause(random), random).await;
        if kill.is_multiple_of(SERVER_ENDS_EVERY) && kept.is_on_server() {
            service.instant(pause(random), random).await;
            kept.crash();
        }
    }
    is_over.store(true, Ordering::Relaxed);
    let logs = join_all(senders).await.into_iter().map(Result::unwrap).collect();
    // In the midst of what follows from the last of them.
    service.end().await;
    logs
}

struct Sender {
    client: Client,
    random: Random,
    log: Log,
}

impl Sender {
    async fn run(mut self, is_over: Arc<AtomicBool>) -> Log {
        while !is_over.load(Ordering::Relaxed) {
            self.send_one().await;
        }
        self.log
    }

    async fn send_one(&mut self) {
        let to = self.actor();
        let forward = (self.random.below(4) == 0).then(|| self.actor());
        let number = self.log.counts.get(to).map_or(1, |last| last + 1);
        let id = MessageId::new(now(), u128::from(self.random.draw()));
        let way = if self.random.below(2) == 0 { "call" } else { "send" };
        let (key, sender) = (id.to_string(), &self.log.name);
        let request = format!("{way} {to} {sender} {number} {}", forward.unwrap_or("-"));
        let Answered { text, tries } = self.client.ask(&key, &request).await;
        assert!(text.starts_with("ok "), "{request}: {text}");
        assert!(tries > 1 || text != "ok known", "{request} is new: {text}");
        self.log.sent.insert(id, (to, number));
        self.log.counts.insert(to, number);
        self.log.retried += usize::from(tries > 1);
        if let Some(forward) = forward {
            *self.log.forwarded.entry((to, forward)).or_default() += 1;
        }
        // It was acknowledged; whoever does not believe that is told the same.
        if self.random.below(8) == 0 {
            let again = self.client.ask(&key, &request).await.text;
            let expected = if way == "send" { "ok known" } else { &text };
            assert_eq!(again, expected, "{request} again");
        }
    }

    fn actor(&mut self) -> &'static str {
        ACTORS[usize::try_from(self.random.below(ACTORS.len() as u64)).unwrap()]
    }
}

fn now() -> WallTime {
    WallTime::from_unix(SystemTime::now().duration_since(UNIX_EPOCH).unwrap())
}

/// Compares what the senders know with what is stored.
async fn compare(kept: &Kept, logs: &[Log]) {
    let store = kept.open().await;
    let builder = DurableSystem::builder(&ActorSystem::new(), store.clone());
    let system = builder.register(Whole::default()).register_event_sourced(Sourced).start().await.unwrap();
    let (mut messages, mut turns) = (0, 0);
    for actor in ACTORS {
        let expected = expected(actor, logs);
        let tally = settled(&system, actor, &expected).await;
        assert_eq!(tally, expected, "{actor}");
        system.passivate(&DurableId::new(actor).unwrap()).await;
    }
    for actor in ACTORS {
        let handled = handled(&*store, actor).await;
        turns += handled.len();
        let of_senders: usize =
            logs.iter().map(|log| log.sent.values().filter(|to| to.0 == actor).count()).sum();
        let ids = logs.iter().flat_map(|log| &log.sent).filter(|(_, (to, _))| *to == actor);
        for (id, (_, number)) in ids {
            assert_eq!(handled.get(id), Some(&1), "{actor} {number} {id}: how often it was handled");
        }
        assert!(handled.values().all(|times| *times == 1), "{actor} has handled a message twice");
        messages += of_senders;
        let forwarded = expected(actor, logs).total() - of_senders as u64;
        assert_eq!(handled.len() as u64, of_senders as u64 + forwarded, "{actor} has handled another's");
        let id = DurableId::new(actor).unwrap();
        assert_eq!(store.dead_letters(&id, None, 10).await.unwrap(), [], "{actor}");
        let head = store.head(&id).await.unwrap().unwrap();
        assert!(!head.has_mail(), "{head:?}");
    }
    let retried: usize = logs.iter().map(|log| log.retried).sum();
    say(&format!(
        "{} kills: {messages} messages acknowledged, {retried} asked again, {turns} turns",
        kills(kept),
    ));
    system.shutdown(Duration::from_secs(10)).await.unwrap();
    assert!(messages > kills(kept) as usize, "there was load: {messages}");
    assert!(retried > 0, "it was killed with something in hand");
}

/// What an actor must have counted.
fn expected(actor: &str, logs: &[Log]) -> Tally {
    let mut tally = Tally::default();
    for log in logs {
        if let Some(count) = log.counts.get(actor) {
            tally.counts.insert(log.name.clone(), *count);
        }
        for ((from, to), count) in &log.forwarded {
            if *from == actor {
                *tally.forwarded.entry((*to).to_owned()).or_default() += count;
            }
            if *to == actor {
                *tally.counts.entry((*from).to_owned()).or_default() += count;
            }
        }
    }
    tally
}

/// What an actor has counted once all that was under way has come; or what it has after a while.
async fn settled(system: &DurableSystem, actor: &str, expected: &Tally) -> Tally {
    let mut tally = Tally::default();
    for _ in 0..1_000 {
        let looked = if is_sourced(actor) {
            system.actor::<Sourced>(actor).unwrap().call(Say::Look).await
        } else {
            system.actor::<Whole>(actor).unwrap().call(Say::Look).await
        };
        // Or a process that is dead has it still.
        if let Ok(looked) = looked {
            tally = looked;
        }
        if tally == *expected {
            break;
        }
        // sleep: nothing tells when an outbox is empty
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    tally
}

/// How often each message was handled, by the journal, which has no gap.
pub(super) async fn handled(store: &dyn Store, actor: &str) -> BTreeMap<MessageId, u32> {
    let id = DurableId::new(actor).unwrap();
    let mut handled = BTreeMap::new();
    let mut after = Sequence::ZERO;
    loop {
        let page = store.entries(&id, after, 1_000).await.unwrap();
        let Some(last) = page.last() else { return handled };
        for entry in &page {
            assert_eq!(entry.sequence, after.next(), "{actor}'s journal has a gap");
            after = entry.sequence;
            match entry.cause {
                Cause::Message(message) => *handled.entry(message).or_default() += 1,
                Cause::Spawned | Cause::Duplicate(_) => {}
                cause => panic!("{actor} at {after}: {cause:?}"),
            }
        }
        assert_eq!(last.sequence, after);
    }
}
