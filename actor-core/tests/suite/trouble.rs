//! Errors and panics: in hooks, in destructors, in listeners.

use std::cell::Cell;
use std::future::Future;
use std::panic::panic_any;
use std::sync::Arc;

use actor_core::{
    Actor, ActorError, ActorId, ActorRef, ActorSystem, Control, Exit, ExitListener, ReplyPort, SpawnError,
    SpawnOptions, Status, SupervisionEvent,
};

use super::links::Heir;
use crate::support::{
    Act, Door, Ending, Entry, Gate, Hook, Log, Message, Probe, act, dead, fail, panics, settled, stopped,
};

pub(super) async fn a12_panic_reaches_supervisor(door: impl Door) {
    let payloads: [(Act, &str); 3] = [
        (act(|_| async { panic!("a literal") }), "a literal"),
        (panics("formatted"), "formatted"),
        (act(|_| async { panic_any(7) }), "a payload that is not text"),
    ];
    for (act, text) in payloads {
        let exit = Exit::Panicked(text.into());
        assert_eq!(end_by(&door, Hook::Handle, act).await, exit, "{text}");
    }
    for hook in Hook::ALL {
        let exit = Exit::Panicked("boom".into());
        assert_eq!(end_by(&door, hook, panics("boom")).await, exit, "{hook:?}");
    }
}

pub(super) async fn an_error_in_any_hook_is_a_failure(door: impl Door) {
    for hook in Hook::ALL {
        let exit = Exit::Failed("no".into());
        assert_eq!(end_by(&door, hook, fail("no")).await, exit, "{hook:?}");
    }
}

pub(super) async fn an_error_tells_its_causes(door: impl Door) {
    #[derive(Debug)]
    struct Outer(std::num::ParseIntError);
    impl std::fmt::Display for Outer {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("no port")
        }
    }
    impl std::error::Error for Outer {
        fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
            Some(&self.0)
        }
    }
    let act = act(|_| async { Ok("x".parse::<u16>().map(drop).map_err(Outer)?) });
    let exit = Exit::Failed("no port: invalid digit found in string".into());
    assert_eq!(end_by(&door, Hook::Handle, act).await, exit);
}

/// What was not sent may be why a hook fails, though it holds a port.
pub(super) async fn a_hook_may_fail_with_what_it_could_not_send(door: impl Door) {
    let gone = door.spawn_with(Silent, (), SpawnOptions::new()).await.unwrap();
    gone.stop_and_wait(None, None).await.unwrap();
    for is_called in [false, true] {
        let gone = gone.clone();
        let act = act(move |_| {
            let gone = gone.clone();
            async move {
                if is_called {
                    gone.call(Port).await?;
                }
                gone.cast(Port(ReplyPort::nobody()))?;
                Ok(())
            }
        });
        let exit = Exit::Failed("not sent: the actor is no more: stopped".into());
        assert_eq!(end_by(&door, Hook::Handle, act).await, exit);
    }
}

/// A message that is hardly more than a port, of an answer that is not `Sync`.
struct Port(#[expect(dead_code, reason = "dropped")] ReplyPort<Cell<u32>>);

struct Silent;

impl Actor for Silent {
    type Msg = Port;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: &ActorRef<Port>, (): ()) -> Result<(), ActorError> {
        Ok(())
    }
}

/// Lets a supervised actor come to grief in a hook. Checks what it and its
/// supervisor saw, that both agree with who waited, and says how it ended.
async fn end_by(door: &impl Door, hook: Hook, grief: Act) -> Exit {
    let (log, parent_log) = (Log::default(), Log::default());
    let parent = door.spawn(Probe::new(&parent_log)).await;
    let options = SpawnOptions::new().name("doomed").supervisor(&parent.cell());
    let spawned = door.start(Probe::new(&log).at(hook, grief), options).await;
    let (mut seen, mut heard) = (vec![Entry::PreStart], vec![Entry::PreStart, Entry::PostStart]);
    let exit = match spawned {
        Err(SpawnError::Startup(exit)) => {
            // A supervisor hears nothing of an actor that never was.
            assert_eq!(hook, Hook::PreStart);
            exit
        }
        other => {
            let child = other.expect("it starts");
            let gone = dead(door).await;
            seen.push(Entry::PostStart);
            match hook {
                Hook::PreStart | Hook::PostStart => {}
                Hook::Handle => {
                    child.cast(Message::Note(1)).unwrap();
                    seen.push(Entry::Note(1));
                }
                Hook::Supervise => {
                    child.cell().watch(&gone);
                    seen.push(Entry::Down(gone.id(), Exit::Stopped(None)));
                }
                Hook::PostStop => {
                    child.stop(None);
                    seen.push(Entry::PostStop);
                }
            }
            seen.push(Entry::Dropped);
            let exit = child.wait(None).await.unwrap();
            if hook != Hook::PostStart {
                heard.push(Entry::Started(child.id()));
            }
            heard.push(Entry::Failed(child.id(), exit.clone()));
            exit
        }
    };
    settled(&parent).await;
    assert_eq!(log.entries(), seen, "{hook:?}");
    assert_eq!(parent_log.entries(), heard, "{hook:?}");
    assert_eq!(parent.cell().children(), []);
    assert_eq!(door.system().where_is("doomed"), None);
    exit
}

/// Hooks that panic when they are called, before they give a future.
struct Abrupt(Hook);

impl Abrupt {
    fn pass(&self, hook: Hook) -> impl Future<Output = Result<(), ActorError>> + Send + use<> {
        assert!(hook != self.0, "abrupt");
        async { Ok(()) }
    }
}

impl Actor for Abrupt {
    type Msg = ();
    type State = ();
    type Arguments = ();

    fn pre_start(&self, _: &ActorRef<()>, (): ()) -> impl Future<Output = Result<(), ActorError>> + Send {
        self.pass(Hook::PreStart)
    }

    fn post_start(
        &self,
        _: &ActorRef<()>,
        (): &mut (),
    ) -> impl Future<Output = Result<(), ActorError>> + Send {
        self.pass(Hook::PostStart)
    }

    fn handle(
        &self,
        _: &ActorRef<()>,
        (): (),
        (): &mut (),
    ) -> impl Future<Output = Result<(), ActorError>> + Send {
        self.pass(Hook::Handle)
    }

    fn handle_supervisor_evt(
        &self,
        _: &ActorRef<()>,
        _: SupervisionEvent,
        (): &mut (),
    ) -> impl Future<Output = Result<(), ActorError>> + Send {
        self.pass(Hook::Supervise)
    }

    fn post_stop(
        &self,
        _: &ActorRef<()>,
        (): &mut (),
    ) -> impl Future<Output = Result<(), ActorError>> + Send {
        self.pass(Hook::PostStop)
    }
}

pub(super) async fn a_panic_before_the_first_await_is_caught_too(door: impl Door) {
    let gone = dead(&door).await;
    for hook in Hook::ALL {
        let exit = match door.spawn_with(Abrupt(hook), (), SpawnOptions::new().name("abrupt")).await {
            Err(SpawnError::Startup(exit)) => exit,
            spawned => {
                let actor = spawned.expect("it starts");
                match hook {
                    Hook::PreStart | Hook::PostStart => {}
                    Hook::Handle => actor.cast(()).unwrap(),
                    Hook::Supervise => _ = actor.cell().watch(&gone),
                    Hook::PostStop => actor.stop(None),
                }
                actor.wait(None).await.unwrap()
            }
        };
        assert_eq!(exit, Exit::Panicked("abrupt".into()), "{hook:?}");
        assert_eq!(door.system().registered(), []);
    }
}

/// However it ends, an actor's names are free before its state is dropped, and
/// it counts as stopped after that.
pub(super) async fn the_state_goes_between_the_name_and_the_end(door: impl Door) {
    struct LastLook(ActorRef<Message>, ActorSystem, Log);
    impl Drop for LastLook {
        fn drop(&mut self) {
            assert_eq!(self.1.registered(), []);
            self.2.push(Entry::Status(self.0.status()));
        }
    }
    struct Witness;
    impl Actor for Witness {
        type Msg = Message;
        type State = LastLook;
        type Arguments = Log;

        async fn pre_start(&self, myself: &ActorRef<Message>, log: Log) -> Result<LastLook, ActorError> {
            Ok(LastLook(myself.clone(), ActorSystem::current(), log))
        }

        async fn handle(
            &self,
            _: &ActorRef<Message>,
            _: Message,
            _: &mut LastLook,
        ) -> Result<(), ActorError> {
            panic!("fell")
        }
    }
    let ends: [(Ending, Exit); 4] = [
        (|actor| actor.stop(None), Exit::Stopped(None)),
        (|actor| actor.drain(), Exit::Drained),
        (|actor| actor.kill(), Exit::Killed),
        (|actor| actor.cast(Message::Note(1)).unwrap(), Exit::Panicked("fell".into())),
    ];
    for (end, exit) in ends {
        let log = Log::default();
        let options = SpawnOptions::new().name("witness");
        let actor = door.spawn_with(Witness, log.clone(), options).await.unwrap();
        end(&actor);
        assert_eq!(actor.wait(None).await, Ok(exit));
        assert_eq!(log.entries(), [Entry::Status(Status::Stopping)]);
    }
}

/// Panics when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("the bomb went off");
    }
}

/// Has a bomb for its state, and gets them as messages too.
struct Fragile;

enum Fragment {
    Panic,
    Hold(Gate),
    Bomb(Bomb),
}

impl Actor for Fragile {
    type Msg = Fragment;
    type State = Option<Bomb>;
    type Arguments = bool;

    async fn pre_start(&self, _: &ActorRef<Fragment>, armed: bool) -> Result<Option<Bomb>, ActorError> {
        Ok(armed.then(|| Bomb))
    }

    async fn handle(
        &self,
        _: &ActorRef<Fragment>,
        message: Fragment,
        _: &mut Option<Bomb>,
    ) -> Result<(), ActorError> {
        match message {
            Fragment::Panic => panic!("the first panic"),
            Fragment::Hold(gate) => gate.pass().await,
            Fragment::Bomb(_) => {}
        }
        Ok(())
    }
}

fn went_off() -> Exit {
    Exit::Panicked("the bomb went off".into())
}

pub(super) async fn a_state_that_panics_when_dropped(door: impl Door) {
    let ends: [fn(&Control); 3] = [|actor| actor.stop(None), Control::drain, Control::kill];
    for end in ends {
        let actor = door.spawn_with(Fragile, true, SpawnOptions::new().name("fragile")).await.unwrap();
        end(&actor);
        assert_eq!(actor.wait(None).await, Ok(went_off()));
        assert_eq!(door.system().registered(), []);
    }
}

pub(super) async fn a_state_that_panics_when_dropped_does_not_hurt_the_supervisor(door: impl Door) {
    // Handed to a supervisor that drops it.
    let heir = door.spawn_with(Heir, (), SpawnOptions::new()).await.unwrap();
    let options = SpawnOptions::new().supervisor(&heir.cell());
    let child = door.spawn_with(Fragile, true, options).await.unwrap();
    child.stop(None);
    assert_eq!(heir.wait(None).await, Ok(stopped(&format!("child {} ended", child.id()))));

    // Handed to a supervisor that ends before it looks.
    let (log, gate) = (Log::default(), Gate::new());
    let parent = door.spawn(Probe::new(&log)).await;
    let options = SpawnOptions::new().supervisor(&parent.cell());
    let child = door.spawn_with(Fragile, true, options).await.unwrap();
    settled(&parent).await;
    parent.cast(Message::Do(gate.act())).unwrap();
    gate.reached().await;
    let exit = if door_keeps_state(&door) { Exit::Stopped(None) } else { went_off() };
    assert_eq!(child.stop_and_wait(None, None).await, Ok(exit));
    parent.stop(None);
    gate.open();
    assert_eq!(parent.wait(None).await, Ok(Exit::Stopped(None)));
}

pub(super) async fn a_refused_state_that_panics_when_dropped(door: impl Door) {
    let options = SpawnOptions::new().name("fragile").supervisor(&dead(&door).await);
    let refused = door.spawn_with(Fragile, true, options).await;
    assert!(matches!(refused, Err(SpawnError::SupervisorStopping)), "{refused:?}");
    assert_eq!(door.system().registered(), []);
}

pub(super) async fn a_state_that_panics_when_dropped_after_a_panic(door: impl Door) {
    // Were the state dropped while the first panic unwinds, the process would abort.
    let actor = door.spawn_with(Fragile, true, SpawnOptions::new()).await.unwrap();
    actor.cast(Fragment::Panic).unwrap();
    assert_eq!(actor.wait(None).await, Ok(Exit::Panicked("the first panic".into())));
}

pub(super) async fn a_queued_message_that_panics_when_dropped(door: impl Door) {
    let gate = Gate::new();
    let actor = door.spawn_with(Fragile, false, SpawnOptions::new().name("fragile")).await.unwrap();
    actor.cast(Fragment::Hold(gate.clone())).unwrap();
    actor.cast(Fragment::Bomb(Bomb)).unwrap();
    gate.reached().await;
    actor.stop(None);
    gate.open();
    assert_eq!(actor.wait(None).await, Ok(went_off()));
    assert_eq!(door.system().registered(), []);
}

/// The actor, its state and all that is queued, all at once.
pub(super) async fn whatever_panics_when_dropped_the_actor_ends_in_order(door: impl Door) {
    struct Powder {
        _bomb: Bomb,
        fails_to_start: bool,
    }
    impl Actor for Powder {
        type Msg = Fragment;
        type State = Bomb;
        type Arguments = Gate;

        async fn pre_start(&self, myself: &ActorRef<Fragment>, gate: Gate) -> Result<Bomb, ActorError> {
            for _ in 0..3 {
                myself.cast(Fragment::Hold(gate.clone()))?;
                myself.cast(Fragment::Bomb(Bomb))?;
            }
            if self.fails_to_start { Err("wet".into()) } else { Ok(Bomb) }
        }

        async fn handle(
            &self,
            _: &ActorRef<Fragment>,
            message: Fragment,
            _: &mut Bomb,
        ) -> Result<(), ActorError> {
            match message {
                Fragment::Hold(gate) => gate.pass().await,
                Fragment::Panic => panic!("the first panic"),
                Fragment::Bomb(bomb) => drop(bomb),
            }
            Ok(())
        }
    }
    let powder = |fails_to_start| Powder { _bomb: Bomb, fails_to_start };
    let options = || SpawnOptions::new().name("powder");
    let refused = door.spawn_with(powder(true), Gate::new(), options()).await;
    let exit = Exit::Failed("wet".into());
    assert!(matches!(&refused, Err(SpawnError::Startup(found)) if *found == exit), "{refused:?}");
    assert_eq!(door.system().registered(), []);

    let ends: [fn(&Control); 3] = [|actor| actor.stop(None), Control::drain, Control::kill];
    for end in ends {
        let gate = Gate::new();
        let actor = door.spawn_with(powder(false), gate.clone(), options()).await.unwrap();
        gate.reached().await;
        end(&actor);
        gate.open();
        assert_eq!(actor.wait(None).await, Ok(went_off()));
        assert_eq!(door.system().registered(), []);
    }
}

pub(super) async fn a_message_that_panics_when_its_handler_drops_it(door: impl Door) {
    let actor = door.spawn_with(Fragile, true, SpawnOptions::new()).await.unwrap();
    actor.cast(Fragment::Bomb(Bomb)).unwrap();
    assert_eq!(actor.wait(None).await, Ok(went_off()));
}

pub(super) async fn a_listener_that_panics_does_not_keep_others_waiting(door: impl Door) {
    struct Rude;
    impl ExitListener for Rude {
        fn on_exit(&self, _: ActorId, _: &Exit) {
            panic!("rude");
        }
    }
    let (log, parent_log) = (Log::default(), Log::default());
    let parent = door.spawn(Probe::new(&parent_log)).await;
    let watcher = door.spawn(Probe::new(&log)).await;
    let actor = door.spawn_under(&parent, Probe::new(&Log::default())).await;
    actor.watch_with(Arc::new(Rude));
    watcher.cell().watch(&actor.cell());
    settled(&actor).await;
    settled(&parent).await;
    parent_log.take();

    assert_eq!(actor.stop_and_wait(None, None).await, Ok(Exit::Stopped(None)));
    settled(&watcher).await;
    settled(&parent).await;
    let down = Entry::Down(actor.id(), Exit::Stopped(None));
    assert_eq!(log.entries(), [Entry::PreStart, Entry::PostStart, down]);
    let terminated = Entry::Terminated(actor.id(), Exit::Stopped(None), door.kept(0));
    assert_eq!(parent_log.entries(), [terminated]);
}

fn door_keeps_state<D: Door>(_: &D) -> bool {
    D::KEEPS_STATE
}
