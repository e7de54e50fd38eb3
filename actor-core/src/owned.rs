//! [`OwnedSystem`]: a system that ends, and its actors with it, when its owner lets it go.

use std::collections::HashSet;
use std::fmt;
use std::mem;
use std::ops::Deref;
use std::time::Duration;

use crate::address::ActorCell;
use crate::census::Census;
use crate::id::ActorId;
use crate::limits::SYSTEM_STOP_TIMEOUT_DEFAULT;
use crate::system::{ActorSystem, SystemBuilder};
use crate::time::Instant;

/// The reason of the stops that end a system.
const SYSTEM_STOPS: &str = "system shut down";

/// The owner of a system, and the system. As with tokio's `Runtime` and its `Handle`, the
/// owner is one, and what it dereferences to, an [`ActorSystem`], can be cloned and handed
/// about: the system ends when the owner does, whoever has handles.
///
/// Its actors are stopped in order: those without a supervisor (in this system) one after
/// another, the youngest first; each of them ends its own children, as its `post_stop` or a
/// [`Supervisor`](crate::Supervisor) sees fit. Nothing can be spawned meanwhile, nor later.
///
/// Dropping the owner does the same in the background, for
/// [`SYSTEM_STOP_TIMEOUT_DEFAULT`](crate::limits::SYSTEM_STOP_TIMEOUT_DEFAULT). If no runtime
/// is current, or it goes away before that, whoever is left is asked to stop, all at once. Who
/// wants to know that they have ended awaits [`shut_down`](Self::shut_down).
///
/// An actor of an owned system pays one short lock when it is spawned and one when it ends,
/// which it shares with one in sixteen of the others.
///
/// ```
/// use std::time::Duration;
/// use actor_core::{OwnedSystem, SpawnOptions, actor};
///
/// struct Greeter;
///
/// #[actor]
/// impl Greeter {
///     fn greet(&mut self) -> &'static str {
///         "hello"
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let system = OwnedSystem::new();
/// let greeter = Greeter.spawn().on(&system).await?;
/// assert_eq!(greeter.greet().await?, "hello");
/// let report = system.shut_down(Duration::from_secs(10)).await;
/// assert!(report.is_clean());
/// # Ok(())
/// # }
/// ```
#[must_use = "the system ends when its owner is dropped"]
pub struct OwnedSystem {
    system: ActorSystem,
    /// Nothing is left to do when it is dropped.
    has_ended: bool,
}

impl SystemBuilder {
    /// Makes the system, which ends when its owner does.
    pub fn build_owned(self) -> OwnedSystem {
        let census = Census::new(self.bound().unwrap_or(usize::MAX));
        OwnedSystem { system: self.build_with(Some(census)), has_ended: false }
    }
}

impl OwnedSystem {
    /// A system on the tokio runtime that is current whenever it spawns.
    pub fn new() -> Self {
        ActorSystem::builder().build_owned()
    }

    /// The actors that live here, in the order in which they were spawned.
    pub fn actors(&self) -> Vec<ActorCell> {
        self.census().residents()
    }

    /// Stops all actors in order, and says who did not stop by themselves.
    ///
    /// It is ready as soon as all have ended, and not later than `within` after it is first
    /// polled; nothing happens before. Each may
    /// take half of the time that is left when it is asked. Then it is killed, so that there is
    /// time for the others. An actor whose code does not await cannot be killed either: it is
    /// [left](ShutdownReport::left), and ends when it next awaits.
    ///
    /// Dropping the future has the rest done in the background, as dropping the owner does.
    ///
    /// # Panics
    ///
    /// If an actor does not stop at once and the runtime has no timer. In builds with debug
    /// assertions, if a hook of one of its actors awaits it, as [`wait`](crate::Control::wait)
    /// does.
    pub async fn shut_down(mut self, within: Duration) -> ShutdownReport {
        let report = Ending::new(&self.system).run(within).await;
        self.has_ended = true;
        report
    }

    fn census(&self) -> &Census {
        census(&self.system)
    }
}

fn census(system: &ActorSystem) -> &Census {
    system.census().expect("an owned system has one")
}

impl Deref for OwnedSystem {
    type Target = ActorSystem;

    fn deref(&self) -> &ActorSystem {
        &self.system
    }
}

impl Default for OwnedSystem {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for OwnedSystem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OwnedSystem").field(&self.system).finish()
    }
}

impl Drop for OwnedSystem {
    fn drop(&mut self) {
        if mem::replace(&mut self.has_ended, true) {
            return;
        }
        self.census().close();
        if self.census().residents().is_empty() {
            return;
        }
        let rest = Abandoned(self.system.clone());
        if self.system.executor().can_spawn() {
            let task = async move { drop(Ending::new(&rest.0).run(SYSTEM_STOP_TIMEOUT_DEFAULT).await) };
            self.system.executor().spawn(task).detach();
        }
    }
}

/// Asks whoever is left to stop when it is dropped: nobody waits for them any more.
struct Abandoned(ActorSystem);

impl Drop for Abandoned {
    fn drop(&mut self) {
        for actor in roots(&self.0).iter().rev() {
            actor.release();
            actor.stop(Some(SYSTEM_STOPS));
        }
    }
}

/// Who did not stop by themselves when a system was shut down.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
#[must_use = "it says whether something was cut short, or runs on"]
pub struct ShutdownReport {
    /// Who had to be killed, in this order, each with all that it supervised.
    pub killed: Vec<ActorId>,
    /// Who was killed and had not ended when the time was over, in the order in which they
    /// were spawned.
    pub left: Vec<ActorId>,
}

impl ShutdownReport {
    /// Whether everybody stopped when asked to.
    pub fn is_clean(&self) -> bool {
        self.killed.is_empty() && self.left.is_empty()
    }
}

/// A system that ends.
struct Ending<'a> {
    system: &'a ActorSystem,
    /// Who is asked next, the last one first.
    next: Vec<ActorCell>,
    /// Who was asked already.
    // unordered: looked up, never gone through
    asked: HashSet<ActorId>,
    killed: Vec<ActorId>,
}

impl<'a> Ending<'a> {
    fn new(system: &'a ActorSystem) -> Self {
        Self { system, next: Vec::new(), asked: HashSet::new(), killed: Vec::new() }
    }

    async fn run(mut self, within: Duration) -> ShutdownReport {
        let executor = self.system.executor();
        let deadline = executor.now() + within;
        census(self.system).close();
        while let Some(actor) = self.next_root() {
            self.stop(&actor, deadline).await;
        }
        // Whoever is here now was killed and has not ended, or is under one who has not.
        let rest = census(self.system).residents();
        for actor in rest.iter().rev() {
            actor.release();
            actor.kill();
        }
        for actor in &rest {
            // Whoever is late is still here afterwards.
            drop(actor.wait(Some(deadline - executor.now())).await);
        }
        let left = census(self.system).residents();
        ShutdownReport { killed: self.killed, left: left.iter().map(|actor| actor.id()).collect() }
    }

    /// The youngest root that was not asked yet. Some become roots only now, when their
    /// supervisors have ended.
    fn next_root(&mut self) -> Option<ActorCell> {
        if self.next.is_empty() {
            self.next = roots(self.system);
            self.next.retain(|actor| !self.asked.contains(&actor.id()));
        }
        let actor = self.next.pop()?;
        self.asked.insert(actor.id());
        Some(actor)
    }

    async fn stop(&mut self, actor: &ActorCell, deadline: Instant) {
        let half = (deadline - self.system.executor().now()) / 2;
        actor.release();
        if actor.stop_and_wait(Some(SYSTEM_STOPS), Some(half)).await.is_err() {
            actor.kill();
            self.killed.push(actor.id());
        }
    }
}

/// The actors that nobody in this system supervises, oldest first; everybody, if they all
/// supervise each other in a ring.
fn roots(system: &ActorSystem) -> Vec<ActorCell> {
    let residents = census(system).residents();
    let is_here = |supervisor: ActorCell| supervisor.id().incarnation() == system.incarnation();
    let is_root = |actor: &&ActorCell| !actor.supervisor().is_some_and(is_here);
    let roots: Vec<_> = residents.iter().filter(is_root).cloned().collect();
    if roots.is_empty() { residents } else { roots }
}
