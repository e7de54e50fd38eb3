//! [`Probe`]: an actor of a test's, which stands for a neighbour of the actor under test.
//!
//! ```text
//!  actor under test ── ActorRef<M> ──► Stand ── Inbox ◄── Probe ── expect_…, try_next ── the test
//!                                        ▲
//!  a watched actor's end, children ──────┘
//! ```

mod builder;
mod stand;

use std::fmt::{self, Debug};
use std::future::{Future, poll_fn};
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use actor_core::{ActorCell, ActorRef, ActorSystem, Executor, Exit, Instant, SupervisionEvent, WatchId};

pub use self::builder::ProbeBuilder;
use self::stand::Inbox;

/// An actor whose messages go to the test.
///
/// It has an [`ActorRef<M>`](Self::actor_ref) as any other, and can be a supervisor and a
/// watcher. What comes to it waits for the test: messages in the order they came, and news of
/// other actors apart from them. A message with a [`ReplyPort`](actor_core::ReplyPort) in it is
/// handed over like any other, and the test answers.
///
/// ```
/// use actor_core::ReplyPort;
/// use actor_testkit::{Probe, Simulation};
///
/// #[derive(Debug)]
/// enum Price {
///     Of(String, ReplyPort<u64>),
/// }
///
/// let mut simulation = Simulation::seeded(7);
/// let system = simulation.system();
/// simulation.block_on(async {
///     let mut prices = Probe::<Price>::new(&system);
///     // This would be in the actor under test, which got the address of its neighbour.
///     let neighbour = prices.actor_ref();
///     let call = neighbour.call(|port| Price::Of("tea".to_owned(), port));
///     let (price, what) = tokio::join!(call, async {
///         let Price::Of(what, port) = prices.expect_next().await;
///         port.send(3).unwrap();
///         what
///     });
///     assert_eq!((price.unwrap(), what.as_str()), (3, "tea"));
/// });
/// ```
///
/// # Time
///
/// What is expected has to come within the probe's timeout, on the system's clock:
/// [`EXPECT_TIMEOUT_DEFAULT`](crate::limits::EXPECT_TIMEOUT_DEFAULT), or what [`ProbeBuilder::timeout`] said, or what is left of the
/// [`within`](Self::within) that surrounds it. In a [`Simulation`](crate::Simulation) that costs
/// no time. The methods that begin with `try_` do not wait.
///
/// # Panics
///
/// An expectation that is not met panics. It says what came instead and which line expected it,
/// since the panic itself is in here for those that wait.
///
/// # Cancellation
///
/// A future of an expectation that is dropped has taken nothing, but what
/// [`expect_eventually`](Self::expect_eventually) has passed over.
///
/// # End
///
/// Dropping the probe stops its actor: whoever sends to it then gets the message back.
pub struct Probe<M: Send + 'static> {
    actor: ActorRef<M>,
    inbox: Arc<Inbox<M>>,
    executor: Executor,
    describe: fn(&M) -> String,
    timeout: Duration,
    /// When the innermost `within` is over.
    until: Option<Instant>,
}

impl<M: Debug + Send + 'static> Probe<M> {
    /// A probe in a system. For messages that are not [`Debug`], as those of an `#[actor]`, or
    /// for a name, see [`builder`](Self::builder).
    ///
    /// # Panics
    ///
    /// If the system takes no actor in, and on tokio if no runtime is current.
    #[track_caller]
    pub fn new(system: &ActorSystem) -> Self {
        Self::builder().described_by(|message| format!("{message:?}")).spawn(system)
    }
}

impl<M: Send + 'static> Probe<M> {
    /// A probe that is not as [`new`](Self::new) makes it, of any messages.
    pub fn builder() -> ProbeBuilder<M> {
        ProbeBuilder::new()
    }

    /// Its address, to give to the actor under test. `CounterRef::from(probe.actor_ref())` is
    /// that of a neighbour that is a plain struct.
    pub fn actor_ref(&self) -> ActorRef<M> {
        self.actor.clone()
    }

    /// Its address without a type, to [watch](ActorCell::watch) it, or to be a supervisor.
    pub fn cell(&self) -> ActorCell {
        self.actor.cell()
    }

    /// The next message, which waits for it to come.
    ///
    /// # Panics
    ///
    /// If none comes in time.
    #[track_caller]
    pub fn expect_next(&mut self) -> impl Future<Output = M> {
        self.expect_that("a message", |_| true)
    }

    /// The next message, which is to fit.
    ///
    /// ```
    /// # use actor_testkit::{Probe, Simulation};
    /// # let mut simulation = Simulation::fifo();
    /// # let mut probe = Probe::<u32>::new(&simulation.system());
    /// probe.actor_ref().cast(7).unwrap();
    /// let seven = simulation.block_on(probe.expect(|number| *number > 5));
    /// assert_eq!(seven, 7);
    /// ```
    ///
    /// # Panics
    ///
    /// If it does not fit, with that message; if none comes in time.
    #[track_caller]
    pub fn expect(&mut self, fits: impl FnOnce(&M) -> bool) -> impl Future<Output = M> {
        self.expect_that("a message that fits", fits)
    }

    /// The next message, which is to be equal to this one.
    ///
    /// # Panics
    ///
    /// If it is not, with both; if none comes in time.
    #[track_caller]
    pub fn expect_eq(&mut self, expected: M) -> impl Future<Output = M>
    where
        M: PartialEq,
    {
        let what = (self.describe)(&expected);
        self.expect_that(what, move |message| *message == expected)
    }

    /// What `pick` makes of the next message, which is not to be `None`: its port, for instance.
    ///
    /// ```
    /// # use actor_core::{ReplyPort, actor};
    /// # use actor_testkit::{Probe, Simulation};
    /// # struct Counter(u64);
    /// # #[actor]
    /// # impl Counter {
    /// #     fn add(&mut self, by: u64) -> u64 {
    /// #         self.0 += by;
    /// #         self.0
    /// #     }
    /// # }
    /// # let mut simulation = Simulation::fifo();
    /// # let system = simulation.system();
    /// // A neighbour that is an `#[actor]`.
    /// let mut probe = Probe::<CounterMessage>::builder().spawn(&system);
    /// let counter = CounterRef::from(probe.actor_ref());
    /// # simulation.block_on(async {
    /// let (sum, ()) = tokio::join!(counter.add(2), async {
    ///     let (by, port) = probe
    ///         .expect_some(|message| match message {
    ///             CounterMessage::Add(by, port) => Some((by, port)),
    ///             _ => None,
    ///         })
    ///         .await;
    ///     port.send(40 + by).unwrap();
    /// });
    /// assert_eq!(sum.unwrap(), 42);
    /// # });
    /// ```
    ///
    /// # Panics
    ///
    /// If it is `None`, with the message; if none comes in time.
    #[track_caller]
    pub fn expect_some<T>(&mut self, pick: impl FnOnce(M) -> Option<T>) -> impl Future<Output = T> {
        let (place, next) = (self.place(), self.wait_message("a message that fits"));
        async move {
            let (message, describe) = next.await;
            let described = describe(&message);
            pick(message)
                .unwrap_or_else(|| panic!("a message that fits was expected {place}; {described} came"))
        }
    }

    /// The first message that fits. Those that come before it are dropped.
    ///
    /// # Panics
    ///
    /// If none comes in time.
    #[track_caller]
    pub fn expect_eventually(&mut self, fits: impl Fn(&M) -> bool) -> impl Future<Output = M> {
        let place = self.place();
        async move {
            let until = self.deadline();
            let mut dropped = Vec::new();
            loop {
                match self.message_until(until).await {
                    Some(message) if fits(&message) => return message,
                    Some(message) => dropped.push((self.describe)(&message)),
                    None => self.panic_for_none("a message that fits", place, &dropped),
                }
            }
        }
    }

    /// That no message comes for so long. If that is no time at all, those who can run now do: what
    /// has been sent has come then.
    ///
    /// # Panics
    ///
    /// If one comes, or waits already, with that message.
    #[track_caller]
    pub fn expect_none_within(&mut self, time: Duration) -> impl Future<Output = ()> {
        let place = self.place();
        async move {
            let until = self.executor.now() + time.max(SHORTEST);
            if let Some(message) = self.message_until(until).await {
                let came = (self.describe)(&message);
                panic!("no message was expected for {time:?} {place}; {came} came");
            }
        }
    }

    /// Runs a script, all of which is to be done in this time. The expectations in it wait for
    /// what is left of that, and no longer than a `within` around this one lets them.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use actor_testkit::{Probe, Simulation};
    /// # let mut simulation = Simulation::fifo();
    /// # let mut probe = Probe::<u32>::new(&simulation.system());
    /// # let actor = probe.actor_ref();
    /// # for number in 1..=2 { actor.cast(number).unwrap(); }
    /// let sum = simulation.block_on(probe.within(Duration::from_secs(1), async |probe| {
    ///     probe.expect_next().await + probe.expect_next().await
    /// }));
    /// assert_eq!(sum, 3);
    /// ```
    ///
    /// # Panics
    ///
    /// If the script is not done in time, at its next await point; with what panics in it.
    #[track_caller]
    pub fn within<R>(
        &mut self,
        time: Duration,
        script: impl AsyncFnOnce(&mut Self) -> R,
    ) -> impl Future<Output = R> {
        let place = self.place();
        async move {
            let now = self.executor.now();
            let until = self.until.map_or(now + time, |outer| outer.min(now + time));
            let executor = self.executor.clone();
            let bounded = Bounded { former: self.until.replace(until), probe: self };
            let done = executor.timeout_at(until, script(bounded.probe)).await;
            done.unwrap_or_else(|_| {
                let left = until - now;
                let of = if left < time { ", which is what another `within` had left," } else { "" };
                panic!("all was expected to be done within {left:?}{of} {place}, and was not")
            })
        }
    }

    /// The next message that has come, if one has. Does not wait: in a
    /// [`Simulation`](crate::Simulation), [run it until idle](crate::Simulation::run_until_idle)
    /// before.
    pub fn try_next(&mut self) -> Option<M> {
        self.inbox.take_message()
    }

    /// All messages that have come. Does not wait, as [`try_next`](Self::try_next).
    pub fn received(&mut self) -> Vec<M> {
        std::iter::from_fn(|| self.try_next()).collect()
    }

    /// Has the probe hear of an actor's end, once; see [`expect_exit`](Self::expect_exit). Of one
    /// that has ended it hears at once.
    pub fn watch(&self, actor: &ActorCell) -> WatchId {
        self.actor.cell().watch(actor)
    }

    /// How an actor ended that is [watched](Self::watch), which waits for it to end. Other news
    /// stays for other expectations.
    ///
    /// ```
    /// # use actor_core::{Exit, actor};
    /// # use actor_testkit::{Probe, Simulation};
    /// # struct Counter(u64);
    /// # #[actor]
    /// # impl Counter {}
    /// # let mut simulation = Simulation::fifo();
    /// # let system = simulation.system();
    /// # simulation.block_on(async {
    /// # let mut probe = Probe::<()>::new(&system);
    /// let counter = Counter(0).spawn().on(&system).await.unwrap();
    /// probe.watch(&counter.cell());
    /// counter.kill();
    /// assert_eq!(probe.expect_exit(&counter.cell()).await, Exit::Killed);
    /// # });
    /// ```
    ///
    /// # Panics
    ///
    /// If it does not end in time, with the news that came instead; and so if it is not watched.
    #[track_caller]
    pub fn expect_exit(&mut self, actor: &ActorCell) -> impl Future<Output = Exit> {
        let id = actor.id();
        let is_its_end = move |event: &SupervisionEvent| matches!(event, SupervisionEvent::Down { actor, .. } if actor.id() == id);
        let event = self.wait_event(format!("the end of actor {id}"), is_its_end);
        async move {
            match event.await {
                SupervisionEvent::Down { exit, .. } => exit,
                _ => unreachable!("only its end was asked for"),
            }
        }
    }

    /// The next news of another actor: the end of one that is watched, or of the life of a child,
    /// if the probe is a supervisor. A probe decides nothing and lives on.
    ///
    /// # Panics
    ///
    /// If none comes in time.
    #[track_caller]
    pub fn expect_event(&mut self) -> impl Future<Output = SupervisionEvent> {
        self.wait_event("news of another actor".to_owned(), |_| true)
    }

    /// The next news that has come, if there is some. Does not wait, as
    /// [`try_next`](Self::try_next).
    pub fn try_event(&mut self) -> Option<SupervisionEvent> {
        self.inbox.take_event(|_| true)
    }

    #[track_caller]
    fn expect_that(
        &mut self,
        what: impl Into<String>,
        fits: impl FnOnce(&M) -> bool,
    ) -> impl Future<Output = M> {
        let (place, what) = (self.place(), what.into());
        let next = self.wait_message(what.clone());
        async move {
            let (message, describe) = next.await;
            assert!(fits(&message), "{what} was expected {place}; {} came", describe(&message));
            message
        }
    }

    /// The next message, and what describes it.
    #[track_caller]
    fn wait_message(&mut self, what: impl Into<String>) -> impl Future<Output = (M, fn(&M) -> String)> {
        let (place, what) = (self.place(), what.into());
        async move {
            let until = self.deadline();
            match self.message_until(until).await {
                Some(message) => (message, self.describe),
                None => self.panic_for_none(&what, place, &[]),
            }
        }
    }

    #[track_caller]
    fn wait_event(
        &mut self,
        what: String,
        fits: impl Fn(&SupervisionEvent) -> bool,
    ) -> impl Future<Output = SupervisionEvent> {
        let place = self.place();
        async move {
            let until = self.deadline();
            let arrived = poll_fn(|cx| self.inbox.poll(cx, |inbox| inbox.take_event(&fits)));
            let event = self.executor.timeout_at(until, arrived).await;
            let instead = || self.inbox.describe_events();
            event.unwrap_or_else(|_| {
                panic!("{what} was expected {place}, and did not come; {} did", instead())
            })
        }
    }

    async fn message_until(&self, until: Instant) -> Option<M> {
        let arrived = poll_fn(|cx| self.inbox.poll(cx, Inbox::take_message));
        self.executor.timeout_at(until, arrived).await.ok()
    }

    fn deadline(&self) -> Instant {
        self.until.unwrap_or_else(|| self.executor.now() + self.timeout)
    }

    /// Which line expects something, for a panic that is not in it.
    #[track_caller]
    fn place(&self) -> Place {
        Place { line: Location::caller() }
    }

    #[cold]
    fn panic_for_none(&self, what: &str, place: Place, dropped: &[String]) -> ! {
        let ended = self
            .actor
            .exit()
            .map_or_else(String::new, |exit| format!("; the probe itself has ended: {exit}"));
        let instead =
            if dropped.is_empty() { String::new() } else { format!(", but {}", dropped.join(", ")) };
        panic!("{what} was expected {place}; none came until {:?}{instead}{ended}", self.executor.now());
    }
}

impl<M: Send + 'static> Drop for Probe<M> {
    fn drop(&mut self) {
        self.actor.stop(None);
    }
}

impl<M: Send + 'static> Debug for Probe<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Probe").field("actor", &self.actor).finish_non_exhaustive()
    }
}

/// A probe with a bound on its time, which goes with this.
struct Bounded<'a, M: Send + 'static> {
    probe: &'a mut Probe<M>,
    former: Option<Instant>,
}

impl<M: Send + 'static> Drop for Bounded<'_, M> {
    fn drop(&mut self) {
        self.probe.until = self.former;
    }
}

/// A time that passes: while it does, others run.
const SHORTEST: Duration = Duration::from_nanos(1);

/// A line of a test.
#[derive(Clone, Copy)]
struct Place {
    line: &'static Location<'static>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at {}", self.line)
    }
}
