//! A user's code that panics where nobody expects it: in the payload of a panic, in
//! what an error says, in a listener, in a waker; and one that floods itself.

use std::fmt;
use std::panic::panic_any;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use actor_core::{
    Actor, ActorCell, ActorError, ActorId, ActorRef, Exit, ExitListener, ReplyPort, SpawnError, SpawnOptions,
    SupervisionEvent,
};

use crate::support::{Door, Entry, Gate, Log, Probe, dead, settled};

/// What a hostile panic throws: dropped, it throws another, so many times.
struct Payload(u32);

impl Drop for Payload {
    fn drop(&mut self) {
        if self.0 > 0 {
            panic_any(Payload(self.0 - 1));
        }
    }
}

const PAYLOAD: Payload = Payload(2);

/// Throws when it is dropped.
struct Grenade;

impl Drop for Grenade {
    fn drop(&mut self) {
        panic_any(PAYLOAD);
    }
}

fn not_text() -> Exit {
    Exit::Panicked("a payload that is not text".into())
}

enum Letter {
    Throw,
    Hold(Gate),
    /// Panics with the port in hand.
    Ask(ReplyPort<Grenade>),
    /// Answers with a grenade.
    Answer(ReplyPort<Grenade>),
    Grenade {
        _grenade: Grenade,
    },
}

struct Hostile;

impl Actor for Hostile {
    type Msg = Letter;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: &ActorRef<Letter>, (): ()) -> Result<(), ActorError> {
        Ok(())
    }

    async fn handle(&self, _: &ActorRef<Letter>, letter: Letter, (): &mut ()) -> Result<(), ActorError> {
        match letter {
            Letter::Throw => panic_any(PAYLOAD),
            Letter::Hold(gate) => gate.pass().await,
            Letter::Ask(_port) => panic!("with a port in hand"),
            Letter::Answer(port) => drop(port.send(Grenade).map_err(std::mem::forget)),
            Letter::Grenade { .. } => {}
        }
        Ok(())
    }
}

async fn hostile(door: &impl Door) -> ActorRef<Letter> {
    door.spawn_with(Hostile, (), SpawnOptions::new()).await.expect("it starts")
}

pub(super) async fn a_payload_that_panics_when_dropped_goes_no_further(door: impl Door) {
    let neighbour = door.spawn(Probe::new(&Log::default())).await;
    let actor = hostile(&door).await;
    assert!(actor.cast(Letter::Throw).is_ok());
    assert_eq!(actor.wait(None).await, Ok(not_text()));

    let (gate, actor) = (Gate::new(), hostile(&door).await);
    assert!(actor.cast(Letter::Hold(gate.clone())).is_ok());
    for _ in 0..4 {
        assert!(actor.cast(Letter::Grenade { _grenade: Grenade }).is_ok());
    }
    gate.reached().await;
    actor.stop(None);
    gate.open();
    assert_eq!(actor.wait(None).await, Ok(not_text()));

    // An answer that nobody takes.
    let actor = hostile(&door).await;
    let (port, reply) = ReplyPort::new(None);
    assert!(actor.cast(Letter::Answer(port)).is_ok());
    actor.drain();
    assert_eq!(actor.wait(None).await, Ok(Exit::Drained));
    drop(reply);

    settled(&neighbour).await;
}

/// Throws at each of what it is asked, and says what it was told.
struct Listener {
    log: Log,
    throws: bool,
}

impl ExitListener for Listener {
    fn on_exit(&self, id: ActorId, exit: &Exit) {
        self.log.push(Entry::Down(id, exit.clone()));
        if self.throws {
            panic_any(PAYLOAD);
        }
    }

    fn is_gone(&self) -> bool {
        if self.throws {
            panic_any(PAYLOAD);
        }
        false
    }
}

pub(super) async fn a_listener_that_panics_keeps_no_other_from_being_told(door: impl Door) {
    let target = door.spawn(Probe::new(&Log::default())).await;
    let logs: Vec<Log> = (0..20).map(|_| Log::default()).collect();
    for (number, log) in logs.iter().enumerate() {
        // So many that the list grows, and each is asked whether it is gone.
        target.watch_with(Arc::new(Listener { log: log.clone(), throws: number % 2 == 0 }));
    }
    assert_eq!(target.stop_and_wait(None, None).await, Ok(Exit::Stopped(None)));
    for log in logs {
        assert_eq!(log.entries(), [Entry::Down(target.id(), Exit::Stopped(None))]);
    }

    let late = Log::default();
    target.watch_with(Arc::new(Listener { log: late.clone(), throws: true }));
    assert_eq!(late.entries(), [Entry::Down(target.id(), Exit::Stopped(None))]);
}

/// An error that cannot be read, or be dropped.
#[derive(Debug)]
struct Unreadable {
    throws_when_read: bool,
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.throws_when_read {
            true => panic_any(PAYLOAD),
            false => f.write_str("an error"),
        }
    }
}

impl std::error::Error for Unreadable {}

impl Drop for Unreadable {
    fn drop(&mut self) {
        if !self.throws_when_read {
            panic_any(PAYLOAD);
        }
    }
}

struct Stillborn;

impl Actor for Stillborn {
    type Msg = ();
    type State = ();
    type Arguments = bool;

    async fn pre_start(&self, _: &ActorRef<()>, throws_when_read: bool) -> Result<(), ActorError> {
        Err(Unreadable { throws_when_read }.into())
    }
}

pub(super) async fn an_error_that_panics_when_read_or_dropped_fails_the_start(door: impl Door) {
    for throws_when_read in [true, false] {
        let options = SpawnOptions::new().name("stillborn");
        let refused = door.spawn_with(Stillborn, throws_when_read, options).await;
        assert!(matches!(&refused, Err(SpawnError::Startup(exit)) if *exit == not_text()), "{refused:?}");
        assert_eq!(door.system().registered(), []);
    }
}

/// A waker of a runtime that is broken.
struct Broken;

impl Wake for Broken {
    fn wake(self: Arc<Self>) {
        panic_any(PAYLOAD);
    }
}

pub(super) async fn a_callers_waker_that_panics_does_not_harm_the_actor(door: impl Door) {
    let broken = Waker::from(Arc::new(Broken));
    let poll = |call: Pin<&mut dyn Future<Output = bool>>| call.poll(&mut Context::from_waker(&broken));

    // Held, so that the call waits in any case.
    let (gate, actor) = (Gate::new(), hostile(&door).await);
    assert!(actor.cast(Letter::Hold(gate.clone())).is_ok());
    let answer = async { actor.call(Letter::Answer).await.map(std::mem::forget).is_ok() };
    let mut call = Box::pin(answer);
    assert_eq!(poll(call.as_mut()), Poll::Pending);
    gate.open();
    actor.drain();
    assert_eq!(actor.wait(None).await, Ok(Exit::Drained));
    assert_eq!(poll(call.as_mut()), Poll::Ready(true));

    // Its port is dropped while a panic unwinds: a second one would abort the process.
    let (gate, actor) = (Gate::new(), hostile(&door).await);
    assert!(actor.cast(Letter::Hold(gate.clone())).is_ok());
    let answer = async { actor.call(Letter::Ask).await.map(std::mem::forget).is_ok() };
    let mut call = Box::pin(answer);
    assert_eq!(poll(call.as_mut()), Poll::Pending);
    gate.open();
    assert_eq!(actor.wait(None).await, Ok(Exit::Panicked("with a port in hand".into())));
    assert_eq!(poll(call.as_mut()), Poll::Ready(false));
}

/// A waker that comes back to its actor when it is dropped.
struct Returning(ActorCell);

impl Wake for Returning {
    fn wake(self: Arc<Self>) {}
}

impl Drop for Returning {
    fn drop(&mut self) {
        // Each takes what a wait takes.
        assert_eq!((self.0.children(), self.0.exit()), (vec![], None));
    }
}

pub(super) async fn a_waiters_waker_may_come_back_when_it_is_dropped(door: impl Door) {
    let actor = hostile(&door).await.cell();
    // So many that those who gave up are swept out more than once.
    for _ in 0..100 {
        let waker = Waker::from(Arc::new(Returning(actor.clone())));
        let mut wait = Box::pin(actor.wait(None));
        assert!(wait.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    }
    actor.stop(None);
    assert!(actor.wait(None).await.is_ok());
}

/// Whenever it hears of an end, it watches the ended actor again, and so hears of it
/// again.
struct Flooded(ActorCell);

impl Actor for Flooded {
    type Msg = ();
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, myself: &ActorRef<()>, (): ()) -> Result<(), ActorError> {
        myself.cell().watch(&self.0);
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        myself: &ActorRef<()>,
        _: SupervisionEvent,
        (): &mut (),
    ) -> Result<(), ActorError> {
        myself.cell().watch(&self.0);
        Ok(())
    }
}

pub(super) async fn an_actor_that_is_flooded_by_events_lets_others_run(door: impl Door) {
    let neighbour = door.spawn(Probe::new(&Log::default())).await;
    let flooded = door.spawn_with(Flooded(dead(&door).await), (), SpawnOptions::new()).await.unwrap();
    settled(&neighbour).await;
    assert_eq!(flooded.stop_and_wait(None, None).await, Ok(Exit::Stopped(None)));
}
