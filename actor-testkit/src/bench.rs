//! [`Bench`]: one actor, whose hooks the test calls. There is a simulation below it, and a probe
//! in the actor's place, so that all it asks of its system works.
//!
//! ```text
//!  the test ── handle(message) ──► the actor's hook ──► state, for the test to look at
//!                                       │ myself
//!                                       ▼
//!                                     a probe ── arrived ──► the test, which hands it in or not
//! ```

use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use actor_core::{
    ActorError, ActorRef, ActorSystem, ErrorAction, Exit, LocalActor, ReplyPort, SupervisionEvent,
};

use crate::limits::BENCH_ARRIVED_MAX;
use crate::probe::Probe;
use crate::simulation::Simulation;

/// One actor whose hooks a test calls, one by one, with its state in the test's hands: a unit test
/// without a system, a runtime or an `await`.
///
/// ```
/// use actor_core::{Actor, ActorError, ActorRef, ReplyPort};
/// use actor_testkit::Bench;
///
/// struct Counter;
///
/// enum Message {
///     Add(u64),
///     Get(ReplyPort<u64>),
/// }
///
/// impl Actor for Counter {
///     type Msg = Message;
///     type State = u64;
///     type Arguments = u64;
///
///     async fn pre_start(&self, _: &ActorRef<Message>, start: u64) -> Result<u64, ActorError> {
///         Ok(start)
///     }
///
///     async fn handle(&self, _: &ActorRef<Message>, message: Message, n: &mut u64) -> Result<(), ActorError> {
///         match message {
///             Message::Add(by) => *n += by,
///             Message::Get(port) => _ = port.send(*n),
///         }
///         Ok(())
///     }
/// }
///
/// let mut counter = Bench::start(Counter, 40).unwrap();
/// counter.handle(Message::Add(2)).unwrap();
/// assert_eq!(*counter.state(), 42);
/// assert_eq!(counter.call(Message::Get), 42);
/// ```
///
/// A plain struct is the state of [`its actor()`](macro@actor_core::actor):
///
/// ```
/// # use actor_core::actor;
/// # use actor_testkit::Bench;
/// struct Counter(u64);
///
/// #[actor]
/// impl Counter {
///     fn add(&mut self, by: u64) -> u64 {
///         self.0 += by;
///         self.0
///     }
/// }
///
/// let mut counter = Bench::start(Counter::actor(), Counter(40)).unwrap();
/// assert_eq!(counter.call(|port| CounterMessage::Add(2, port)), 42);
/// assert_eq!(counter.state().0, 42);
/// ```
///
/// One that is `#[actor(local)]` is started with a `Box` of what builds it.
///
/// # What is real
///
/// Each hook runs to its end while the test waits. What it awaits may take virtual time. In it the
/// [current](ActorSystem::current) system is the bench's, so it can spawn, watch, link, look
/// up names and set timers. `myself` is the address of a probe: what comes to it, be it the actor's
/// own message, a timer's or a child's end, has [`arrived`](Self::arrived) and waits until the test
/// [hands it in](Self::handle_arrived) or takes it.
///
/// What an actor's loop does, a bench does not: an error of a hook goes to the test and ends
/// nothing, and [`Actor::SORTING`](actor_core::Actor::SORTING) orders nothing. A panic of a hook is
/// the test's. To see those, spawn the actor in a [`Simulation`].
pub struct Bench<A: LocalActor> {
    actor: A,
    state: A::State,
    desk: Desk<A::Msg>,
}

/// All of a bench but the actor.
struct Desk<M: Send + 'static> {
    myself: ActorRef<M>,
    probe: Probe<M>,
    system: ActorSystem,
    simulation: Simulation,
}

impl<A: LocalActor> Bench<A> {
    /// Runs `pre_start` and `post_start`, in a simulation of the bench's own.
    ///
    /// # Errors
    ///
    /// What either of them fails with.
    ///
    /// # Panics
    ///
    /// With what panics in them; and if they wait for what cannot happen.
    #[track_caller]
    pub fn start(actor: A, arguments: A::Arguments) -> Result<Self, ActorError> {
        let simulation = Simulation::fifo();
        let system = simulation.system();
        Self::start_in(simulation, &system, actor, arguments)
    }

    /// The same in a simulation, and a system of it, that the test has made: in which the actor's
    /// neighbours are probes.
    ///
    /// ```
    /// use actor_core::{ActorRef, actor};
    /// use actor_testkit::{Bench, Probe, Simulation};
    ///
    /// struct Doubler(ActorRef<u64>);
    ///
    /// #[actor]
    /// impl Doubler {
    ///     #[cast]
    ///     fn double(&mut self, number: u64) {
    ///         _ = self.0.cast(number * 2);
    ///     }
    /// }
    ///
    /// let simulation = Simulation::fifo();
    /// let system = simulation.system();
    /// let mut next = Probe::new(&system);
    /// let doubler = Doubler(next.actor_ref());
    /// let mut doubler = Bench::start_in(simulation, &system, Doubler::actor(), doubler).unwrap();
    /// doubler.handle(DoublerMessage::Double(21)).unwrap();
    /// assert_eq!(next.received(), [42]);
    /// ```
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    ///
    /// # Panics
    ///
    /// As [`start`](Self::start); and if the system does not take the bench's probe in.
    #[track_caller]
    pub fn start_in(
        simulation: Simulation,
        system: &ActorSystem,
        actor: A,
        arguments: A::Arguments,
    ) -> Result<Self, ActorError> {
        let probe = Probe::builder().spawn(system);
        let mut desk = Desk { myself: probe.actor_ref(), probe, system: system.clone(), simulation };
        let mut state = desk.run(|myself| actor.pre_start(myself, arguments))?;
        desk.run(|myself| actor.post_start(myself, &mut state))?;
        Ok(Self { actor, state, desk })
    }

    /// Handles a message.
    ///
    /// # Errors
    ///
    /// What the handler fails with. [`on_error`](Self::on_error) says what that would do to the
    /// actor.
    ///
    /// # Panics
    ///
    /// With what panics in the handler, and if it waits for what cannot happen: an answer of the
    /// actor itself, or of a probe that nobody answers for. Have such a one
    /// [answer](crate::ProbeBuilder::answering).
    #[track_caller]
    pub fn handle(&mut self, message: A::Msg) -> Result<(), ActorError> {
        let Self { actor, state, desk } = self;
        desk.run(|myself| actor.handle(myself, message, state))
    }

    /// Handles a call and gives the answer.
    ///
    /// # Panics
    ///
    /// If the handler fails, or ends without an answer. For one that answers later:
    /// [`handle`](Self::handle), with a port of [`ReplyPort::new`]. As `handle` otherwise.
    #[track_caller]
    pub fn call<T: Send + 'static>(&mut self, make: impl FnOnce(ReplyPort<T>) -> A::Msg) -> T {
        let (port, answer) = ReplyPort::new(None);
        if let Err(error) = self.handle(make(port)) {
            panic!("an answer was expected, and the handler failed: {error}");
        }
        match pin!(answer).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(answer)) => answer,
            Poll::Ready(Err(failure)) => panic!("an answer was expected: {failure}"),
            Poll::Pending => panic!("an answer was expected, and the handler has kept the port"),
        }
    }

    /// Hands news of a child or of a watched actor in.
    ///
    /// # Errors
    ///
    /// What `handle_supervisor_evt` fails with.
    ///
    /// # Panics
    ///
    /// As [`handle`](Self::handle).
    #[track_caller]
    pub fn handle_event(&mut self, event: SupervisionEvent) -> Result<(), ActorError> {
        let Self { actor, state, desk } = self;
        desk.run(|myself| actor.handle_supervisor_evt(myself, event, state))
    }

    /// What the actor would do about an error of a hook.
    pub fn on_error(&mut self, error: &ActorError) -> ErrorAction {
        self.actor.on_error(error, &mut self.state)
    }

    /// Runs `post_stop`, as after a stop, and gives the state.
    ///
    /// # Errors
    ///
    /// What `post_stop` fails with.
    ///
    /// # Panics
    ///
    /// As [`handle`](Self::handle).
    #[track_caller]
    pub fn stop(self) -> Result<A::State, ActorError> {
        let Self { actor, mut state, mut desk } = self;
        desk.run(|myself| actor.post_stop(myself, &mut state))?;
        Ok(state)
    }

    /// The state.
    pub fn state(&self) -> &A::State {
        &self.state
    }

    /// The state, to change it.
    pub fn state_mut(&mut self) -> &mut A::State {
        &mut self.state
    }

    /// The actor: its configuration.
    pub fn actor(&self) -> &A {
        &self.actor
    }

    /// What the hooks have as `myself`.
    pub fn actor_ref(&self) -> &ActorRef<A::Msg> {
        &self.desk.myself
    }

    /// The system that the actor is in.
    pub fn system(&self) -> &ActorSystem {
        &self.desk.system
    }

    /// How the actor would have ended, if it was asked to: by itself, by a timer, by a neighbour.
    pub fn exit(&self) -> Option<Exit> {
        self.desk.myself.exit()
    }

    /// Takes the messages that have come to the actor's address: what it sent to itself, and what
    /// its timers and others sent to it.
    pub fn arrived(&mut self) -> Vec<A::Msg> {
        self.desk.simulation.run_until_idle();
        self.desk.probe.received()
    }

    /// Takes the news of other actors that has come to the actor's address.
    pub fn arrived_events(&mut self) -> Vec<SupervisionEvent> {
        self.desk.simulation.run_until_idle();
        std::iter::from_fn(|| self.desk.probe.try_event()).collect()
    }

    /// Handles what has [arrived](Self::arrived), news before messages, and what arrives by that,
    /// until nothing does. Says how much it was. Time moves only as a handler waits for it.
    ///
    /// # Errors
    ///
    /// What a hook fails with; what comes after it waits on.
    ///
    /// # Panics
    ///
    /// As [`handle`](Self::handle). An actor that sends itself a message for each that it handles
    /// never comes to an end here: after [`BENCH_ARRIVED_MAX`] of them, this panics.
    #[track_caller]
    pub fn handle_arrived(&mut self) -> Result<u64, ActorError> {
        let mut handled = 0;
        loop {
            self.desk.simulation.run_until_idle();
            if let Some(event) = self.desk.probe.try_event() {
                self.handle_event(event)?;
            } else if let Some(message) = self.desk.probe.try_next() {
                self.handle(message)?;
            } else {
                return Ok(handled);
            }
            handled += 1;
            let max = BENCH_ARRIVED_MAX;
            assert!(handled < max, "no end after {max} messages: each brings another one");
        }
    }

    /// Lets virtual time pass. What timers bring has [arrived](Self::arrived) then.
    ///
    /// # Panics
    ///
    /// As [`Simulation::advance`].
    #[track_caller]
    pub fn advance(&mut self, time: Duration) {
        self.desk.simulation.advance(time);
    }

    /// Runs a future beside the bench's actors, such as what a neighbour's probe expects.
    ///
    /// # Panics
    ///
    /// As [`Simulation::block_on`].
    #[track_caller]
    pub fn block_on<F: Future>(&mut self, future: F) -> F::Output {
        self.desk.block_on(future)
    }
}

impl<M: Send + 'static> Desk<M> {
    /// Runs a hook to its end, and all others until they wait.
    #[track_caller]
    fn run<'a, F: Future>(&'a mut self, hook: impl FnOnce(&'a ActorRef<M>) -> F) -> F::Output {
        let Self { myself, simulation, system, .. } = self;
        let output = simulation.block_on(system.scope(hook(myself)));
        simulation.run_until_idle();
        output
    }

    #[track_caller]
    fn block_on<F: Future>(&mut self, future: F) -> F::Output {
        let output = self.simulation.block_on(self.system.scope(future));
        self.simulation.run_until_idle();
        output
    }
}

impl<A: LocalActor<State: fmt::Debug>> fmt::Debug for Bench<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bench")
            .field("state", &self.state)
            .field("simulation", &self.desk.simulation)
            .finish_non_exhaustive()
    }
}
