//! Children that keep a diary, and ways to start them.

use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actor_core::{
    Actor, ActorError, ActorRef, ActorSystem, ChildInfo, ChildSpec, ChildState, LocalSpawner, ReplyPort,
    SpawnError, SpawnOptions, SupervisorBuilder, SupervisorRef,
};

use crate::support::pass;

pub(super) const MS: Duration = Duration::from_millis(1);

/// How children are started. The tests are written against it.
pub(super) trait Cradle: Clone + Send + Sync + 'static {
    /// Whether a child runs only when whoever launched it knows. One on a thread of its own
    /// may run a little before, and is killed if its launch is given up then.
    const IS_CLAIMED_AT_ONCE: bool;

    fn system(&self) -> &ActorSystem;

    fn spec<A: Actor>(
        &self,
        id: &str,
        make: impl Fn() -> (A, A::Arguments) + Send + Sync + 'static,
    ) -> ChildSpec<A::Msg>;

    /// A child with a diary.
    fn kid(&self, id: &'static str, diary: &Diary) -> ChildSpec<Ask> {
        let diary = diary.clone();
        self.spec(id, move || (Kid { id, diary: diary.clone() }, ()))
    }

    fn spawn(&self, builder: SupervisorBuilder) -> impl Future<Output = Result<SupervisorRef, SpawnError>> {
        builder.spawn_with(self.system(), SpawnOptions::new())
    }

    /// Lets everybody do what there is to do now: time passes only when all wait.
    async fn idle(&self) {
        self.pass(MS).await;
    }

    async fn pass(&self, time: Duration) {
        pass(self.system(), time).await;
    }
}

/// [`ChildSpec::new`].
#[derive(Clone)]
pub(super) struct Movable(ActorSystem);

impl Movable {
    pub(super) fn new(system: ActorSystem) -> Self {
        Self(system)
    }
}

impl Cradle for Movable {
    const IS_CLAIMED_AT_ONCE: bool = true;

    fn system(&self) -> &ActorSystem {
        &self.0
    }

    fn spec<A: Actor>(
        &self,
        id: &str,
        make: impl Fn() -> (A, A::Arguments) + Send + Sync + 'static,
    ) -> ChildSpec<A::Msg> {
        ChildSpec::new(id, make)
    }
}

/// [`ChildSpec::local`].
#[derive(Clone)]
pub(super) struct Bound(ActorSystem, LocalSpawner);

impl Bound {
    pub(super) fn new(system: ActorSystem) -> Self {
        let spawner = LocalSpawner::new(&system, "children").expect("a thread more");
        Self(system, spawner)
    }
}

impl Cradle for Bound {
    const IS_CLAIMED_AT_ONCE: bool = false;

    fn system(&self) -> &ActorSystem {
        &self.0
    }

    fn spec<A: Actor>(
        &self,
        id: &str,
        make: impl Fn() -> (A, A::Arguments) + Send + Sync + 'static,
    ) -> ChildSpec<A::Msg> {
        ChildSpec::local(id, &self.1, make)
    }
}

/// What happened to whom, in order: `+a` started, `-a` stopped, `!a` fell.
#[derive(Clone, Default)]
pub(super) struct Diary(Arc<Mutex<Vec<String>>>);

impl Diary {
    pub(super) fn note(&self, what: char, id: &str) {
        self.0.lock().unwrap().push(format!("{what}{id}"));
    }

    /// What happened since this was last asked.
    pub(super) fn take(&self) -> String {
        std::mem::take(&mut *self.0.lock().unwrap()).join(" ")
    }
}

pub(super) struct Kid {
    pub(super) id: &'static str,
    pub(super) diary: Diary,
}

pub(super) enum Ask {
    /// It panics.
    Fall,
    /// It returns an error.
    Fail,
    /// It waits for ever.
    Hang,
    /// It says how many calls it has answered in this life, this one included.
    Count(ReplyPort<u32>),
}

impl Actor for Kid {
    type Msg = Ask;
    type State = u32;
    type Arguments = ();

    async fn pre_start(&self, _: &ActorRef<Ask>, (): ()) -> Result<u32, ActorError> {
        self.diary.note('+', self.id);
        Ok(0)
    }

    async fn handle(&self, _: &ActorRef<Ask>, ask: Ask, count: &mut u32) -> Result<(), ActorError> {
        match ask {
            Ask::Fall => {
                self.diary.note('!', self.id);
                panic!("fell")
            }
            Ask::Fail => {
                self.diary.note('!', self.id);
                return Err("failed".into());
            }
            Ask::Hang => std::future::pending().await,
            Ask::Count(port) => {
                *count += 1;
                let _ = port.send(*count);
            }
        }
        Ok(())
    }

    async fn post_stop(&self, _: &ActorRef<Ask>, _: &mut u32) -> Result<(), ActorError> {
        self.diary.note('-', self.id);
        Ok(())
    }
}

/// The children of a supervisor, as `a:Running:0`.
pub(super) async fn states(supervisor: &SupervisorRef) -> Vec<String> {
    let children = supervisor.children().await.expect("the supervisor answers");
    children.iter().map(|child| format!("{}:{:?}:{}", child.id, child.state, child.restarts)).collect()
}

pub(super) async fn child(supervisor: &SupervisorRef, id: &str) -> ChildInfo {
    let children = supervisor.children().await.expect("the supervisor answers");
    children.into_iter().find(|child| &*child.id == id).expect("there is such a child")
}

pub(super) async fn is_running(supervisor: &SupervisorRef, id: &str) -> bool {
    child(supervisor, id).await.state == ChildState::Running
}

/// Asks a kid how often it was asked in this life.
pub(super) async fn count(kid: &ActorRef<Ask>) -> u32 {
    kid.call(Ask::Count).await.expect("the kid answers")
}
