//! Finds out whether a scenario does the same each time, and who is to blame if not.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::thread;
use std::time::Duration;

use actor_core::{ActorId, Instant};

use super::{SimCluster, SimClusterBuilder};
use crate::simulation::witness::{Involved, Question, SeenActor, SeenStep, Witness};

/// How much later, by the real clock, the second run begins: whole seconds differ.
const REAL_PAUSE: Duration = Duration::from_millis(1100);

/// Runs a scenario a second time, and says what the two runs have in common: the [event hash](super::SimHandle::event_hash), if they did the
/// same, step by step; else the first step in which they did not, and whose it was.
///
/// A simulation cannot see that an actor reads the wall clock, or asks the operating system for random bytes, or goes through a `HashMap` of the standard
/// library: nobody is asked. It sees what comes of it. So the second run begins more than a second of real time after the
/// first, and both are watched: every step, what was woken in it, which moments are waited for, what is written, and
/// the history. An actor that got another time and did the same with it is not found, and does no harm.
///
/// What is passed from one actor to another within a node is not looked into. If an actor only hands on what it has read, it is the next that is
/// seen to differ; [`Difference::led_by`] says who came before it.
///
/// ```
/// use actor_testkit::cluster::{SimCluster, check_deterministic};
///
/// let same = check_deterministic(|| SimCluster::seeded(7), |cluster| {
///     cluster.cut(0, 1);
///     cluster.advance(std::time::Duration::from_secs(10));
/// });
/// same.unwrap();
/// ```
///
/// # Errors
///
/// The first [`Difference`]. Then the scenario has run three times.
///
/// # Panics
///
/// With the scenario's own panic, if no difference came before it.
pub fn check_deterministic(
    cluster: impl Fn() -> SimClusterBuilder,
    scenario: impl Fn(&mut SimCluster),
) -> Result<u64, Box<Difference>> {
    let run = |question| witnessed(&cluster, &scenario, question);
    let (hash, first) = run(Question::Remember(Vec::new()));
    // Real time, on purpose: what reads the clock reads another time in the second run.
    thread::sleep(REAL_PAUSE);
    let (_, second) = run(Question::Compare(first.remembered()));
    let Some(step) = second.found else { return Ok(hash) };
    thread::sleep(REAL_PAUSE);
    let (_, third) = run(Question::Describe(step.number));
    let other = third.found.map(|step| step.effects).unwrap_or_default();
    Err(Box::new(Difference::new(step, other)))
}

fn witnessed(
    cluster: impl Fn() -> SimClusterBuilder,
    scenario: impl Fn(&mut SimCluster),
    question: Question,
) -> (u64, Witness) {
    let mut cluster = cluster().witnessed(Witness::new(question)).start();
    let ended = catch_unwind(AssertUnwindSafe(|| scenario(&mut cluster)));
    let witness = cluster.take_witness();
    let witness = witness.expect("the world was made with a witness");
    match ended {
        Err(panic) if witness.found.is_none() => resume_unwind(panic),
        // It went another way, and what it came to there says nothing.
        _ => (cluster.event_hash(), witness),
    }
}

/// Where two runs of a scenario parted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Difference {
    /// How many steps were the same before.
    pub step: usize,
    /// When, in virtual time.
    pub at: Instant,
    /// Where: `node 3`, or the test itself.
    pub place: String,
    /// Whose step it was; `None` if it was no actor's: a session's, a timer's, the test's own.
    pub actor: Option<Suspect>,
    /// Actors whose steps have led to this one, the nearest first.
    pub led_by: Vec<Suspect>,
    /// What the step did in one run, and in another.
    pub effects: [Vec<String>; 2],
}

/// An actor that may be why two runs differ.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Suspect {
    /// The actor.
    pub id: ActorId,
    /// Its name, if it has one.
    pub name: Option<String>,
    /// The name of its Rust type.
    pub type_name: String,
    /// Where it is: `node 3`.
    pub place: String,
    /// The name of the Rust type of the message that it had handled last.
    pub message: Option<String>,
}

impl Difference {
    fn new(step: SeenStep, other: Vec<String>) -> Self {
        Self {
            step: step.number,
            at: step.at,
            place: step.place,
            actor: step.actor.map(Suspect::from),
            led_by: step.causes.into_iter().map(Suspect::from).collect(),
            effects: [step.effects, other],
        }
    }

    /// Who is most likely to blame: whose step it was, or the nearest actor that led to it.
    pub fn suspect(&self) -> Option<&Suspect> {
        self.actor.as_ref().or(self.led_by.first())
    }
}

impl From<Involved> for Suspect {
    fn from(Involved { actor: SeenActor { id, name, type_name }, place, message }: Involved) -> Self {
        Self { id, name, type_name: type_name.to_owned(), place, message: message.map(str::to_owned) }
    }
}

impl fmt::Display for Suspect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, name, type_name, place, message } = self;
        write!(f, "{type_name} ")?;
        if let Some(name) = name {
            write!(f, "{name:?} ")?;
        }
        write!(f, "on {place} (actor {id}")?;
        if let Some(message) = message {
            write!(f, ", which has handled a {message}")?;
        }
        f.write_str(")")
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "two runs differ at {:?}, after {} steps, on {}", self.at, self.step, self.place)?;
        match self.suspect() {
            Some(suspect) if self.actor.is_some() => write!(f, ": in a step of {suspect}")?,
            Some(suspect) => write!(f, ": in a step that comes of one of {suspect}")?,
            None => f.write_str(": in a step that no actor has to do with")?,
        }
        let [one, other] = &self.effects;
        write!(f, ". In one run it {one:?}, in another {other:?}. ")?;
        let others =
            if self.actor.is_some() { &self.led_by[..] } else { self.led_by.get(1..).unwrap_or(&[]) };
        for suspect in others {
            write!(f, "Before it came {suspect}. ")?;
        }
        f.write_str("What does not come from the executor differs: the wall clock, random bytes, the order of a HashMap")
    }
}

impl std::error::Error for Difference {}
