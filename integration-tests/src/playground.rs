//! A node to play with, and to test with: it greets whoever asks, tells what it sees, and does what it is asked.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs::{self, OpenOptions};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actor_cluster::limits::{HEARTBEAT_INTERVAL, HEARTBEAT_TIMEOUT, MESSAGE_BYTES_MAX_MOST, RESUME_TIMEOUT};
use actor_cluster::{Mode, NodeEvent, NodeServer, RemoteMessage};
use actor_core::{Actor, ActorError, ActorRef, CallError, ReplyPort, SpawnOptions};
use tracing_subscriber::EnvFilter;

use crate::guest::{connected, leave, start, stay_connected};
use crate::process::{Guest, Invitation, Order, Question};

/// The group that every node's greeter is a member of.
pub const GREETERS: &str = "greeters";

/// What may stand in the invitation: milliseconds between heartbeats, of which five are missed until a connection is lost; and until a session
/// without connections is.
pub const HEARTBEAT: &str = "heartbeat-ms";
/// As [`HEARTBEAT`].
pub const RESUME: &str = "resume-ms";
/// If it is there, the node has sessions only with those it dials and those who dial it.
pub const ISOLATED: &str = "isolated";
/// If it is there, the node dials the first of its seeds once, and nobody else, nor again when that one is lost.
pub const ONCE: &str = "once";
/// If it is there, the node dials none of its seeds: it waits to be dialled.
pub const WAITS: &str = "waits";
/// The file that all is written to which the node has to say about itself.
pub const LOG: &str = "log";

/// How long a greeting may take.
const PATIENCE: Duration = Duration::from_secs(3);

/// What a greeter understands.
#[derive(Debug, RemoteMessage)]
pub enum Greet {
    /// Answers with a greeting.
    #[rpc]
    Hello(String, ReplyPort<String>),
    /// Answers how much it is.
    #[rpc]
    Weigh(Vec<u8>, ReplyPort<u64>),
    /// The next number of a sender's, who counts from 0.
    Number(String, u64),
    /// Answers how many numbers came of a sender, and how many of them were not its next.
    #[rpc]
    Numbers(String, ReplyPort<(u64, u64)>),
}

/// Greets in the name of a node.
#[derive(Debug)]
struct Greeter(String);

/// What a greeter remembers.
#[derive(Debug, Default)]
struct Memory {
    greeted: u64,
    /// By sender: how many numbers came, and how many of them were not the next.
    numbers: BTreeMap<String, (u64, u64)>,
}

impl Actor for Greeter {
    type Msg = Greet;
    type State = Memory;
    type Arguments = ();

    async fn pre_start(&self, _: &ActorRef<Greet>, (): ()) -> Result<Memory, ActorError> {
        Ok(Memory::default())
    }

    async fn handle(&self, _: &ActorRef<Greet>, greet: Greet, memory: &mut Memory) -> Result<(), ActorError> {
        // Whoever asks and goes away misses it.
        match greet {
            Greet::Hello(name, port) => {
                memory.greeted += 1;
                _ = port.send(format!("hello {name}, from {}; greeting {}", self.0, memory.greeted));
            }
            Greet::Weigh(load, port) => _ = port.send(load.len() as u64),
            Greet::Number(name, number) => {
                let (came, astray) = memory.numbers.entry(name).or_default();
                *astray += u64::from(number != *came);
                *came += 1;
            }
            Greet::Numbers(name, port) => _ = port.send(memory.numbers.remove(&name).unwrap_or_default()),
        }
        Ok(())
    }
}

/// Runs until it is to stop. It is asked for
///
/// - `peers`, `names`: with how many others it is connected, with whom;
/// - `know ADDRESS..`: to stay connected with those;
/// - `greet NAME`, `rounds NAME COUNT`, `weigh NAME BYTES`: to call that node's greeter; the answer is that one's, or what became
///   of the call;
/// - `number NAME COUNT`: to send that one so many numbers in their order; the answer is how many came, and how many not in their turn;
/// - `refused`: how many did not get in;
/// - `logged`: how much is in its log.
///
/// # Errors
///
/// If the invitation will not do; what keeps the node from starting.
pub async fn run(mut guest: Guest) -> Result<(), Box<dyn Error>> {
    let told = guest.invitation().clone();
    if let Some(path) = told.setting(LOG) {
        log_to(path)?;
    }
    let millis = |key: &str, otherwise: Duration| {
        told.setting(key).and_then(|millis| millis.parse().ok()).map_or(otherwise, Duration::from_millis)
    };
    let heartbeat = millis(HEARTBEAT, HEARTBEAT_INTERVAL);
    let heartbeat_timeout = told.setting(HEARTBEAT).map_or(HEARTBEAT_TIMEOUT, |_| heartbeat * 5);
    let resume = millis(RESUME, RESUME_TIMEOUT);
    let mode = if told.setting(ISOLATED).is_some() { Mode::Isolated } else { Mode::Transitive };
    let node = start(&told, |builder| {
        let builder = builder.heartbeat(heartbeat, heartbeat_timeout).resume_timeout(resume);
        builder.mode(mode).message_bytes_max(MESSAGE_BYTES_MAX_MOST)
    })
    .await?;
    let greeter = node.system().spawn(Greeter(told.name.clone()), (), SpawnOptions::new()).await?;
    node.join_group(GREETERS, &greeter)?;
    tell_events(&node);
    join(&node, &told).await;
    guest.ready(node.addresses());
    while let Order::Ask(question) = guest.next().await {
        // Each by itself: some wait.
        tokio::spawn(answer(node.clone(), told.clone(), question));
    }
    leave(node).await;
    Ok(())
}

async fn join(node: &Arc<NodeServer>, told: &Invitation) {
    if told.setting(WAITS).is_some() {
        return;
    }
    if told.setting(ONCE).is_none() {
        told.seeds.iter().for_each(|seed| stay_connected(node, seed));
    } else if let Some(Ok(address)) = told.seeds.first().map(|seed| seed.parse())
        && let Err(error) = node.connect(&address).await
    {
        Guest::tell(format!("cannot join: {error}"));
    }
}

async fn answer(node: Arc<NodeServer>, told: Invitation, question: Question) {
    let text = question.text().to_owned();
    let words: Vec<&str> = text.split(' ').collect();
    match words[..] {
        ["peers"] => question.answer(connected(&node)),
        ["names"] => question.answer(names(&node).join(" ")),
        ["know", ref addresses @ ..] => {
            addresses.iter().for_each(|address| stay_connected(&node, address));
            question.answer("known");
        }
        ["greet", name] => match greeter_of(&node, name) {
            None => question.answer("nobody"),
            Some(greeter) => question.answer(outcome(hello(&greeter, &told.name).await)),
        },
        ["rounds", name, count] => match (greeter_of(&node, name), count.parse()) {
            (Some(greeter), Ok(count)) => question.answer(rounds(&greeter, &told.name, count).await),
            _ => question.answer("nobody"),
        },
        ["weigh", name, bytes] => match (greeter_of(&node, name), bytes.parse()) {
            (Some(greeter), Ok(bytes)) => {
                let load = vec![7; bytes];
                question.answer(outcome(greeter.call(|port| Greet::Weigh(load, port)).await));
            }
            _ => question.answer("nobody"),
        },
        ["number", name, count] => match (greeter_of(&node, name), count.parse()) {
            (Some(greeter), Ok(count)) => question.answer(number(&greeter, &told.name, count).await),
            _ => question.answer("nobody"),
        },
        ["refused"] => question.answer(node.refusals().total()),
        ["logged"] => {
            let logged =
                told.setting(LOG).and_then(|path| fs::metadata(path).ok()).map_or(0, |file| file.len());
            question.answer(logged);
        }
        _ => question.refuse("it is no question"),
    }
}

async fn hello(greeter: &ActorRef<Greet>, name: &str) -> Result<String, CallError<Greet>> {
    greeter.call_timeout(PATIENCE, |port| Greet::Hello(name.to_owned(), port)).await
}

async fn rounds(greeter: &ActorRef<Greet>, name: &str, count: u32) -> String {
    for round in 1..=count {
        if let Err(error) = hello(greeter, name).await {
            return format!("{error} in round {round}");
        }
    }
    format!("{count} rounds")
}

/// Sends them without waiting for anything but room.
async fn number(greeter: &ActorRef<Greet>, name: &str, count: u64) -> String {
    for number in 0..count {
        if let Err(error) = greeter.send(Greet::Number(name.to_owned(), number)).await {
            return error.to_string();
        }
    }
    match greeter.call(|port| Greet::Numbers(name.to_owned(), port)).await {
        Ok((came, astray)) => format!("{came} came, {astray} not in their turn"),
        Err(error) => error.to_string(),
    }
}

fn outcome<T: ToString>(answer: Result<T, CallError<Greet>>) -> String {
    answer.map_or_else(|error| error.to_string(), |answer| answer.to_string())
}

/// Those it is connected with, in order.
fn names(node: &NodeServer) -> Vec<String> {
    let mut names: Vec<_> = node.sessions().iter().map(|session| session.peer().name.clone()).collect();
    names.sort();
    names
}

fn greeter_of(node: &NodeServer, name: &str) -> Option<ActorRef<Greet>> {
    let greeters = node.group::<Greet>(GREETERS);
    greeters.into_iter().find(|greeter| node.peer_of(greeter.id()).is_some_and(|peer| peer.name == name))
}

/// Tells the test of whoever comes and goes.
fn tell_events(node: &NodeServer) {
    let mut events = node.subscribe();
    tokio::spawn(async move {
        while let Some(event) = events.next().await {
            match &event {
                NodeEvent::Ready(peer) => Guest::tell(format!("ready {}", peer.name)),
                NodeEvent::Interrupted { peer, .. } => Guest::tell(format!("interrupted {}", peer.name)),
                NodeEvent::Resumed(peer) => Guest::tell(format!("resumed {}", peer.name)),
                event => {
                    if let Some((peer, reason)) = event.session_end() {
                        Guest::tell(format!("lost {}: {reason}", peer.name));
                    }
                }
            }
        }
    });
}

/// Everything at the loudest. What cannot be written is lost, and harms nobody.
fn log_to(path: &str) -> Result<(), Box<dyn Error>> {
    let file = OpenOptions::new().append(true).create(true).open(path)?;
    let subscriber = tracing_subscriber::fmt().with_env_filter(EnvFilter::new("trace")).with_ansi(false);
    // It would tell the standard error of it, which may be the same disk.
    let subscriber = subscriber.log_internal_errors(false).with_writer(Mutex::new(file));
    tracing::subscriber::set_global_default(subscriber.finish())?;
    Ok(())
}
