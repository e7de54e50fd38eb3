//! The actor behind a supervisor: it tells the roster what happened and does what the
//! roster says.

use std::fmt;
use std::sync::Arc;

use super::SpecError;
use super::checks::{check_regularly, life_of};
use super::child::{Check, Erased};
use super::family::{Child, Family, Launch, answer_all};
use super::reference::{ChildInfo, SupervisorError};
use super::{Supervisor, SupervisorBuilder};
use crate::actor::Actor;
use crate::address::{ActorCell, ActorRef, Local};
use crate::attach::Attachment;
use crate::error::SpawnError;
use crate::event::SupervisionEvent;
use crate::executor::Executor;
use crate::exit::{ActorError, Exit};
use crate::lifecycle::Flag;
use crate::limits::CHILDREN_MAX;
use crate::reply::ReplyPort;
use crate::supervise::{ChildKey, Roster, Stage};
use crate::system::ActorSystem;
use crate::time::Instant;

pub(super) type Answer<T> = ReplyPort<Result<T, SupervisorError>>;

/// What a supervisor is asked, by others and by itself. A
/// [`SupervisorRef`](super::SupervisorRef) makes them.
pub struct SupervisorMessage(pub(super) Request);

pub(super) enum Request {
    Start {
        spec: Box<Erased>,
        port: Answer<ActorCell>,
    },
    End {
        id: Arc<str>,
        port: Answer<Exit>,
    },
    Restart {
        id: Arc<str>,
        port: Answer<ActorCell>,
    },
    Remove {
        id: Arc<str>,
        port: Answer<()>,
    },
    Children {
        port: ReplyPort<Vec<ChildInfo>>,
    },
    /// A child was launched, or not.
    Launched {
        key: ChildKey,
        launched: Result<ActorCell, SpawnError>,
    },
    /// A health check is over.
    Checked {
        key: ChildKey,
        /// Which of the child's lives it began in.
        life: u64,
        is_healthy: bool,
    },
    /// The time has come for something.
    Tick,
}

/// All that a supervisor knows.
pub struct SupervisorState {
    pub(super) myself: ActorRef<SupervisorMessage>,
    pub(super) system: ActorSystem,
    pub(super) executor: Executor,
    pub(super) roster: Roster,
    pub(super) family: Family,
    /// What was heard of children whose launch is not known to be over.
    pub(super) early: Vec<SupervisionEvent>,
    pub(super) timer: Option<(Instant, Attachment)>,
}

/// A child of a supervisor did not start with it.
#[derive(Debug, thiserror::Error)]
#[error("the child {id:?}")]
struct ChildNotStarted {
    id: Arc<str>,
    source: SpawnError,
}

impl Actor for Supervisor {
    type Msg = SupervisorMessage;
    type State = SupervisorState;
    type Arguments = SupervisorBuilder;

    async fn pre_start(
        &self,
        myself: &ActorRef<SupervisorMessage>,
        builder: SupervisorBuilder,
    ) -> Result<SupervisorState, ActorError> {
        builder.check()?;
        let system = ActorSystem::current();
        let life = myself.as_local().map_or(0, Local::life);
        let mut state = SupervisorState {
            myself: myself.clone(),
            executor: system.executor().clone(),
            system,
            roster: Roster::new(builder.strategy, builder.intensity).of_life(life),
            family: Family::default(),
            early: Vec::new(),
            timer: None,
        };
        for spec in builder.children {
            let launched = spec.launch(&state.system, &myself.cell()).await;
            let id = spec.id.clone();
            let key = state.add(spec);
            match launched {
                Ok(cell) => state.settle_in(key, cell),
                Err(source) => {
                    state.end_all().await;
                    return Err(ChildNotStarted { id, source }.into());
                }
            }
        }
        Ok(state)
    }

    async fn handle(
        &self,
        _: &ActorRef<SupervisorMessage>,
        SupervisorMessage(request): SupervisorMessage,
        state: &mut SupervisorState,
    ) -> Result<(), ActorError> {
        state.serve(request);
        state.carry_out().await
    }

    async fn handle_supervisor_evt(
        &self,
        _: &ActorRef<SupervisorMessage>,
        event: SupervisionEvent,
        state: &mut SupervisorState,
    ) -> Result<(), ActorError> {
        state.hear(event);
        state.carry_out().await
    }

    async fn post_stop(
        &self,
        _: &ActorRef<SupervisorMessage>,
        state: &mut SupervisorState,
    ) -> Result<(), ActorError> {
        state.end_all().await;
        Ok(())
    }
}

impl SupervisorState {
    pub(super) fn now(&self) -> Instant {
        self.executor.now()
    }

    pub(super) fn child(&mut self, key: ChildKey) -> Option<&mut Child> {
        self.family.get_mut(key)
    }

    fn key_of(&self, id: &str) -> Result<ChildKey, SupervisorError> {
        self.family.key_of(id).ok_or_else(|| SupervisorError::NoSuchChild(id.into()))
    }

    /// Adds a child that is being started.
    fn add(&mut self, spec: Erased) -> ChildKey {
        let key = self.roster.add(spec.policy);
        self.family.add(key, spec);
        key
    }

    /// A child was launched: it has an address, and is looked after.
    fn settle_in(&mut self, key: ChildKey, cell: ActorCell) {
        let myself = self.myself.clone();
        let Some(child) = self.child(key) else { return };
        child.checks = child.spec.health.as_ref().map(|(health, check)| {
            let checks = check_regularly(myself.clone(), key, cell.clone(), *health, Check::clone(check));
            myself.cell().attach(checks)
        });
        self.family.set_cell(key, cell.clone());
        // Of one that somebody takes away, that is all there is to be heard.
        myself.cell().watch(&cell);
        if !cell.is_local() {
            // It had started before its address came here.
            self.roster.handle_started(key, self.now());
        }
    }

    fn serve(&mut self, request: Request) {
        match request {
            Request::Start { spec, port } => self.serve_start(*spec, port),
            Request::End { id, port } => self.serve_end(&id, port),
            Request::Restart { id, port } => self.serve_restart(&id, port),
            Request::Remove { id, port } => drop(port.send(self.remove(&id))),
            Request::Children { port } => drop(port.send(self.family.infos(&self.roster))),
            Request::Launched { key, launched } => {
                self.serve_launched(key, launched);
                // What is left is of those whose launch came to nothing, or of former ones.
                if !self.family.is_any_launching() {
                    self.early.clear();
                }
            }
            Request::Checked { key, life, is_healthy } => {
                // What is said of a life that has ended is not held against the next.
                if self.cell(key).map(life_of) == Some(life) {
                    self.roster.handle_check(key, is_healthy, self.now());
                }
            }
            Request::Tick => {
                let now = self.now();
                // One that was cancelled too late may come before its successor.
                self.timer.take_if(|(at, _)| *at <= now);
                self.roster.handle_timeout(now);
            }
        }
    }

    fn serve_start(&mut self, spec: Erased, port: Answer<ActorCell>) {
        let check = spec.check().and_then(|()| {
            if self.family.key_of(&spec.id).is_some() {
                return Err(SpecError::Taken(spec.id.clone()));
            }
            if self.family.len() >= CHILDREN_MAX {
                return Err(SpecError::TooMany);
            }
            Ok(())
        });
        if let Err(error) = check {
            return drop(port.send(Err(error.into())));
        }
        let key = self.add(spec);
        self.launch(key, Some(port));
    }

    fn serve_end(&mut self, id: &str, port: Answer<Exit>) {
        let key = match self.key_of(id) {
            Ok(key) => key,
            Err(error) => return drop(port.send(Err(error))),
        };
        let is_over = self.is_over(key);
        let now = self.now();
        let Some(child) = self.child(key) else { return };
        match &child.last_exit {
            Some(exit) if is_over => drop(port.send(Ok(exit.clone()))),
            _ => {
                child.ending.push(port);
                self.roster.end(key, now);
            }
        }
    }

    fn serve_restart(&mut self, id: &str, port: Answer<ActorCell>) {
        let key = match self.key_of(id) {
            Ok(key) => key,
            Err(error) => return drop(port.send(Err(error))),
        };
        if !self.is_over(key) || !self.roster.begin_again(key) {
            return drop(port.send(Err(SupervisorError::NotEnded(id.into()))));
        }
        self.launch(key, Some(port));
    }

    fn remove(&mut self, id: &str) -> Result<(), SupervisorError> {
        let key = self.key_of(id)?;
        if !self.is_over(key) {
            return Err(SupervisorError::NotEnded(id.into()));
        }
        self.forget(key);
        Ok(())
    }

    /// Whether a child has ended for good.
    fn is_over(&self, key: ChildKey) -> bool {
        matches!(self.roster.look_up(key), Some((Stage::Over, _))) && self.cell(key).is_none()
    }

    pub(super) fn forget(&mut self, key: ChildKey) {
        self.roster.remove(key, self.now());
        self.family.remove(key);
    }

    /// Launches a child beside the supervisor's other work.
    pub(super) fn launch(&mut self, key: ChildKey, port: Option<Answer<ActorCell>>) {
        let (myself, system) = (self.myself.clone(), self.system.clone());
        let Some(child) = self.child(key) else { return };
        let launching = child.spec.launch(&system, &myself.cell());
        let launched = move |launched| SupervisorMessage(Request::Launched { key, launched });
        self.family.begin_launch(key, Launch { task: myself.pipe(launching, launched), port });
    }

    fn serve_launched(&mut self, key: ChildKey, launched: Result<ActorCell, SpawnError>) {
        let now = self.now();
        let port = self.family.end_launch(key).and_then(|launch| launch.port);
        let Some(child) = self.child(key) else { return };
        match launched {
            Ok(cell) => {
                if let Some(port) = port {
                    drop(port.send(Ok(cell.clone())));
                }
                self.settle_in(key, cell.clone());
                self.roster.handle_launched(key, now);
                self.hear_early(&cell);
            }
            Err(error) => {
                let exit = match &error {
                    SpawnError::Startup(exit) => exit.clone(),
                    error => Exit::Failed(error.to_string().into()),
                };
                let is_new = child.last_exit.replace(exit.clone()).is_none();
                match port {
                    // Somebody asked for it, and is told that it is not there.
                    Some(port) => {
                        drop(port.send(Err(error.into())));
                        if is_new {
                            self.forget_unstarted(key);
                        } else {
                            self.roster.handle_not_begun(key, now);
                        }
                    }
                    None => self.roster.handle_ended(key, &exit, now, self.executor.random_u64()),
                }
            }
        }
    }

    /// A child that was asked for did not start.
    fn forget_unstarted(&mut self, key: ChildKey) {
        let Some(child) = self.child(key) else { return };
        let (ending, exit) = (std::mem::take(&mut child.ending), child.last_exit.clone());
        answer_all(ending, exit.as_ref());
        self.forget(key);
    }

    /// News of a child may come before the news that it was launched.
    fn hear_early(&mut self, cell: &ActorCell) {
        let (of_it, of_others) =
            std::mem::take(&mut self.early).into_iter().partition(|event| event.actor() == Some(cell));
        self.early = of_others;
        let of_it: Vec<SupervisionEvent> = of_it;
        for event in of_it {
            self.hear(event);
        }
    }

    fn hear(&mut self, event: SupervisionEvent) {
        let now = self.now();
        let known = event.actor().and_then(|actor| self.family.key_of_actor(actor));
        let Some(key) = known else { return self.hear_of_unknown(event) };
        match event {
            SupervisionEvent::Started(_) => {
                if let Some(child) = self.child(key) {
                    child.suspended_in = None;
                }
                self.roster.handle_started(key, now);
            }
            SupervisionEvent::Suspended { actor, exit, .. } => {
                let Some(child) = self.child(key) else { return };
                // One that was away since it fell, and is back, tells of it again.
                let life = Some(life_of(&actor));
                if std::mem::replace(&mut child.suspended_in, life) == life {
                    return;
                }
                child.last_exit = Some(exit.clone());
                self.roster.handle_ended(key, &exit, now, self.executor.random_u64());
            }
            // Whichever of the two comes first: one that was taken away sends the second alone.
            SupervisionEvent::Terminated { actor, exit, .. }
            | SupervisionEvent::Failed { actor, exit }
            | SupervisionEvent::Escalated { actor, exit }
            | SupervisionEvent::Down { actor, exit } => {
                self.family.mark_ended(key, &exit);
                if actor.as_local().is_some_and(|local| local.word().has(Flag::Escalated)) {
                    return self.roster.handle_escalated(key, &exit);
                }
                self.roster.handle_ended(key, &exit, now, self.executor.random_u64());
                if self.roster.look_up(key).is_none() {
                    self.family.remove(key);
                }
            }
            SupervisionEvent::Group(_) => {}
        }
    }

    /// Keeps what may be news of a child that is being launched, and nothing else: anybody
    /// can be put under this supervisor.
    fn hear_of_unknown(&mut self, event: SupervisionEvent) {
        let id = event.actor().and_then(|actor| actor.as_local()?.child_id());
        // What a child is called in another process is not known here.
        let is_foreign = event.actor().is_some_and(|actor| !actor.is_local());
        let is_of_launched = match is_foreign {
            true => self.family.is_any_launching(),
            false => {
                let key = id.and_then(|id| self.family.key_of(id));
                key.is_some_and(|key| self.family.is_launching(key))
            }
        };
        if is_of_launched {
            self.early.push(event);
        } else if let SupervisionEvent::Suspended { actor, .. } = event
            && actor.supervisor().as_ref() == Some(&self.myself.cell())
        {
            // Nobody would start it again. One that is another's by now is that one's to decide.
            actor.release();
        }
    }
}

impl fmt::Debug for SupervisorMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SupervisorMessage")
    }
}

impl fmt::Debug for SupervisorState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SupervisorState").field("roster", &self.roster).finish_non_exhaustive()
    }
}
