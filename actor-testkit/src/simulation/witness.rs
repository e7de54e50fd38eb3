//! Looks at a run step by step, to find the first one that differs from that of another run: who ran, what that did
//! to the world, and who had woken it.

use std::collections::BTreeMap;

use actor_core::{ActorId, Instant};

/// How many who have led to a step are looked for, one behind the other.
const CAUSES_DEPTH: usize = 4;
/// How much is noted of what one step did; the rest differs no less.
const EFFECTS_MAX: usize = 64;

/// What a witness is asked.
pub(crate) enum Question {
    /// What the world's trace was after each step.
    Remember(Vec<u64>),
    /// After which step it was not what it had been.
    Compare(Vec<u64>),
    /// What this step does.
    Describe(usize),
}

/// Sees all that happens in a world.
pub(crate) struct Witness {
    question: Question,
    /// How many steps have begun.
    steps: usize,
    now: Instant,
    /// Whose step it is.
    current: Option<u64>,
    /// Where tasks are, and which of them are actors'.
    places: BTreeMap<u64, usize>,
    actors: BTreeMap<u64, SeenActor>,
    /// What places are called.
    names: BTreeMap<usize, String>,
    /// Who has been spawned.
    spawned: BTreeMap<ActorId, SeenActor>,
    /// Who has woken a task since it last ran, and before that.
    woken_by: BTreeMap<u64, Vec<u64>>,
    causes: BTreeMap<u64, Vec<u64>>,
    effects: Vec<String>,
    /// What actors have handled last.
    messages: BTreeMap<ActorId, &'static str>,
    /// The step that was looked for.
    pub(crate) found: Option<SeenStep>,
}

/// An actor, as events of its system name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SeenActor {
    pub(crate) id: ActorId,
    pub(crate) name: Option<String>,
    pub(crate) type_name: &'static str,
}

/// An actor that may have to do with a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Involved {
    pub(crate) actor: SeenActor,
    /// What the place is called where it is.
    pub(crate) place: String,
    /// The type of the message that it handled last.
    pub(crate) message: Option<&'static str>,
}

/// One step of a run.
#[derive(Clone, Debug)]
pub(crate) struct SeenStep {
    pub(crate) number: usize,
    pub(crate) at: Instant,
    /// What the place is called.
    pub(crate) place: String,
    pub(crate) actor: Option<Involved>,
    pub(crate) effects: Vec<String>,
    /// Actors whose steps have led to it, the nearest first.
    pub(crate) causes: Vec<Involved>,
}

impl Witness {
    pub(crate) fn new(question: Question) -> Self {
        Self {
            question,
            steps: 0,
            now: Instant::ZERO,
            current: None,
            places: BTreeMap::new(),
            actors: BTreeMap::new(),
            names: BTreeMap::new(),
            spawned: BTreeMap::new(),
            woken_by: BTreeMap::new(),
            causes: BTreeMap::new(),
            effects: Vec::new(),
            messages: BTreeMap::new(),
            found: None,
        }
    }

    /// A step begins, or nobody's turn: what came before is what the trace says now.
    pub(crate) fn begin_step(&mut self, trace: u64, now: Instant, next: Option<(u64, usize)>) {
        self.end_step(trace);
        self.now = now;
        self.current = next.map(|(task, _)| task);
        if let Some((task, place)) = next {
            self.places.insert(task, place);
            let causes = self.woken_by.remove(&task).unwrap_or_default();
            self.causes.insert(task, causes);
        }
    }

    /// The run is over, and its last step with it. Where the other one goes on, or was over before, they differ.
    pub(crate) fn end(&mut self, trace: u64) {
        self.end_step(trace);
        let Question::Compare(traces) = &self.question else { return };
        if self.found.is_none() && traces.len() > self.steps {
            self.current = None;
            self.effects.push("ends".to_owned());
            self.found = Some(self.describe(self.steps));
        }
    }

    fn end_step(&mut self, trace: u64) {
        let step = self.steps;
        self.steps += 1;
        let is_sought = match &mut self.question {
            Question::Remember(traces) => {
                traces.push(trace);
                false
            }
            Question::Compare(traces) => traces.get(step) != Some(&trace),
            Question::Describe(sought) => *sought == step,
        };
        if is_sought && self.found.is_none() {
            self.found = Some(self.describe(step));
        }
        self.effects.clear();
    }

    fn describe(&mut self, step: usize) -> SeenStep {
        let place = self.current.map_or_else(|| self.place_name(0), |task| self.place_of(task));
        SeenStep {
            number: step,
            at: self.now,
            place,
            actor: self.current.and_then(|task| self.involved(task)),
            effects: std::mem::take(&mut self.effects),
            causes: self.causes_of(self.current),
        }
    }

    fn causes_of(&self, task: Option<u64>) -> Vec<Involved> {
        let mut seen: Vec<u64> = task.into_iter().collect();
        let mut edge = seen.clone();
        let mut actors = Vec::new();
        for _ in 0..CAUSES_DEPTH {
            let causes = edge.iter().flat_map(|task| self.causes.get(task).into_iter().flatten());
            edge = causes.copied().filter(|cause| !seen.contains(cause)).collect();
            seen.extend(&edge);
            for involved in edge.iter().filter_map(|task| self.involved(*task)) {
                if !actors.contains(&involved) {
                    actors.push(involved);
                }
            }
        }
        actors
    }

    fn involved(&self, task: u64) -> Option<Involved> {
        let actor = self.actors.get(&task)?.clone();
        let message = self.messages.get(&actor.id).copied();
        Some(Involved { actor, place: self.place_of(task), message })
    }

    /// Something was done in the present step.
    pub(crate) fn note(&mut self, effect: impl FnOnce() -> String) {
        let wants_effects = match &self.question {
            Question::Remember(_) => false,
            Question::Compare(_) => self.found.is_none(),
            Question::Describe(sought) => *sought == self.steps,
        };
        if wants_effects && self.effects.len() < EFFECTS_MAX {
            self.effects.push(effect());
        }
    }

    pub(crate) fn note_wake(&mut self, task: u64, place: usize) {
        let Some(current) = self.current.filter(|current| *current != task) else { return };
        let wakers = self.woken_by.entry(task).or_default();
        if !wakers.contains(&current) {
            wakers.push(current);
        }
        let actor = self.actors.get(&task).map(|actor| actor.type_name);
        let place = self.place_name(place);
        self.note(|| match actor {
            Some(actor) => format!("wakes {actor} on {place}"),
            None => format!("wakes a task of {place}"),
        });
    }

    pub(crate) fn name_place(&mut self, place: usize, name: String) {
        self.names.insert(place, name);
    }

    fn place_name(&self, place: usize) -> String {
        self.names.get(&place).cloned().unwrap_or_else(|| "the test itself".to_owned())
    }

    fn place_of(&self, task: u64) -> String {
        self.place_name(self.places.get(&task).copied().unwrap_or(0))
    }

    /// An actor exists; the step need not be its own.
    pub(crate) fn note_spawned(&mut self, actor: SeenActor) {
        self.note(|| format!("spawns {}", actor.type_name));
        self.spawned.insert(actor.id, actor);
    }

    /// The present step is this actor's.
    pub(crate) fn note_actor(&mut self, actor: ActorId) {
        if let Some((current, actor)) = self.current.zip(self.spawned.get(&actor)) {
            self.actors.insert(current, actor.clone());
        }
    }

    /// The actor whose step it is has handled a message of this type.
    pub(crate) fn note_message(&mut self, actor: ActorId, message: &'static str) {
        self.note(|| format!("has handled a {message}"));
        self.messages.insert(actor, message);
    }

    /// What was remembered.
    pub(crate) fn remembered(self) -> Vec<u64> {
        match self.question {
            Question::Remember(traces) | Question::Compare(traces) => traces,
            Question::Describe(_) => Vec::new(),
        }
    }
}
