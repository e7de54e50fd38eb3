//! Local actors: state that cannot leave its thread, and the thread itself.

use std::cell::{Cell, RefCell};
use std::pin::pin;
use std::rc::Rc;
use std::sync::mpsc;
use std::thread::{self, ThreadId};

use actor_core::{
    ActorError, ActorRef, ActorSystem, Exit, LocalActor, LocalSpawner, ReplyPort, Spawn, SpawnError,
    SpawnOptions, Status, call,
};
use actor_testkit::{Order, Simulation};

use crate::support::{Door, Entry, Gate, Hook, LocalDoor, Log, Probe, act, held, poll_once, settled};

/// Holds an `Rc` for itself, and one for its state across an await.
struct Tally {
    total: Rc<Cell<u32>>,
    built_on: ThreadId,
}

enum Message {
    Add(u32, ReplyPort<u32>),
    /// Where the hooks ran so far.
    Where(ReplyPort<Vec<ThreadId>>),
}

impl Tally {
    fn new() -> Self {
        Self { total: Rc::new(Cell::new(0)), built_on: thread::current().id() }
    }
}

impl LocalActor for Tally {
    type Msg = Message;
    type State = Rc<RefCell<Vec<ThreadId>>>;
    type Arguments = u32;

    async fn pre_start(&self, _: &ActorRef<Message>, from: u32) -> Result<Self::State, ActorError> {
        self.total.set(from);
        Ok(Rc::new(RefCell::new(vec![self.built_on, thread::current().id()])))
    }

    async fn handle(
        &self,
        _: &ActorRef<Message>,
        message: Message,
        seen: &mut Self::State,
    ) -> Result<(), ActorError> {
        let (total, seen) = (self.total.clone(), seen.clone());
        tokio::task::yield_now().await;
        seen.borrow_mut().push(thread::current().id());
        match message {
            Message::Add(number, port) => {
                total.set(total.get() + number);
                let _ = port.send(total.get());
            }
            Message::Where(port) => {
                let _ = port.send(seen.borrow().clone());
            }
        }
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a16_a_local_actor_stays_on_its_thread() {
    let spawner = LocalSpawner::new(&ActorSystem::new(), "tally").unwrap();
    let tally = spawner.spawn(Tally::new, 10, SpawnOptions::new()).await.unwrap();
    let other = spawner.spawn(Tally::new, 0, SpawnOptions::new()).await.unwrap();
    for number in 1..=100 {
        assert_eq!(call!(tally, Message::Add, number).unwrap(), 10 + number * (number + 1) / 2);
    }
    let seen = call!(tally, Message::Where).unwrap();
    assert_eq!(seen.len(), 103);
    let home = seen[0];
    assert_ne!(home, thread::current().id());
    assert_eq!(seen, vec![home; 103]);
    assert_eq!(call!(other, Message::Where).unwrap(), vec![home; 3]);
    assert_eq!(tally.stop_and_wait(None, None).await, Ok(Exit::Stopped(None)));
}

#[test]
fn a_thread_ends_with_its_last_spawner_and_its_last_actor() {
    /// Speaks when the thread that it was put on ends.
    struct Witness(mpsc::Sender<&'static str>);
    impl Drop for Witness {
        fn drop(&mut self) {
            self.0.send("the thread ended").unwrap();
        }
    }
    thread_local! {
        static WITNESS: RefCell<Option<Witness>> = const { RefCell::new(None) };
    }
    let (said, hears) = mpsc::channel();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let spawner = LocalSpawner::new(&ActorSystem::new(), "brief").unwrap();
    let second = spawner.clone();
    let witness = Witness(said.clone());
    let build = move || {
        WITNESS.set(Some(witness));
        Tally::new()
    };
    let tally = runtime.block_on(spawner.spawn(build, 0, SpawnOptions::new())).unwrap();
    drop(spawner);
    assert_eq!(runtime.block_on(async { call!(tally, Message::Add, 1).unwrap() }), 1);
    let last = runtime.block_on(second.spawn(Tally::new, 0, SpawnOptions::new())).unwrap();
    drop(second);
    // No spawner is left; the actors keep the thread.
    assert_eq!(runtime.block_on(async { call!(last, Message::Add, 2).unwrap() }), 2);
    runtime.block_on(tally.stop_and_wait(None, None)).unwrap();
    assert_eq!(runtime.block_on(async { call!(last, Message::Add, 2).unwrap() }), 4);
    said.send("the last actor is asked to stop").unwrap();
    runtime.block_on(last.stop_and_wait(None, None)).unwrap();
    drop(said);
    assert_eq!(hears.iter().collect::<Vec<_>>(), ["the last actor is asked to stop", "the thread ended"]);
}

#[tokio::test]
async fn a_spawn_dropped_in_the_queue_builds_nothing() {
    let system = ActorSystem::new();
    let spawner = LocalSpawner::new(&system, "busy").unwrap();
    let (release, blocked) = mpsc::channel::<()>();
    let (built, builds) = mpsc::channel();
    // The first blocks the thread while the second waits in the queue.
    let block = move || {
        blocked.recv().unwrap();
        Tally::new()
    };
    let mut first = pin!(spawner.spawn(block, 0, SpawnOptions::new()));
    assert!(poll_once(first.as_mut()).await.is_pending());
    let tell = move || {
        built.send(()).unwrap();
        Tally::new()
    };
    let mut second = Box::pin(spawner.spawn(tell, 0, SpawnOptions::new().name("queued")));
    assert!(poll_once(second.as_mut()).await.is_pending());
    drop(second);
    release.send(()).unwrap();

    first.await.unwrap();
    spawner.spawn(Tally::new, 0, SpawnOptions::new().name("queued")).await.expect("the name is free");
    assert_eq!(builds.iter().count(), 0);
}

/// The actor has started and its address is on the way when nobody wants it any
/// more.
#[test]
fn a_spawn_dropped_with_its_answer_on_the_way_leaves_nothing() {
    let mut simulation = Simulation::new(Order::Fifo);
    let door = LocalDoor::new(simulation.system());
    let (log, gate) = (Log::default(), Gate::new());
    simulation.block_on(async {
        let probe = Probe::new(&log).at(Hook::PostStart, gate.act());
        let mut spawning = Box::pin(door.start(probe, SpawnOptions::new().name("unwanted")));
        let polled_once = async { assert!(poll_once(spawning.as_mut()).await.is_pending()) };
        polled_once.await;
        // Now the actor runs, and the spawn is not polled again.
        gate.reached().await;
        let cell = door.system().where_is("unwanted").expect("it lives");
        drop(spawning);
        assert_eq!(cell.wait(None).await, Ok(Exit::Killed));
        assert_eq!(door.system().registered(), []);
        assert_eq!(log.entries(), [Entry::PreStart, Entry::PostStart, Entry::Dropped]);
    });
}

#[tokio::test]
async fn a_panic_while_the_actor_is_built_goes_to_the_spawner() {
    let system = ActorSystem::new();
    let spawner = LocalSpawner::new(&system, "sturdy").unwrap();
    let build = || -> Tally { panic!("no parts") };
    let refused = spawner.spawn(build, 0, SpawnOptions::new().name("tally")).await;
    assert!(
        matches!(&refused, Err(SpawnError::Startup(Exit::Panicked(text))) if &**text == "no parts"),
        "{refused:?}"
    );
    assert_eq!(system.registered(), []);
    let tally = spawner.spawn(Tally::new, 1, SpawnOptions::new().name("tally")).await.unwrap();
    assert_eq!(call!(tally, Message::Add, 1).unwrap(), 2);
}

#[tokio::test]
async fn an_instant_start_builds_the_actor_on_its_thread() {
    let system = ActorSystem::new();
    let spawner = LocalSpawner::new(&system, "instant").unwrap();
    let options = SpawnOptions::new().name("tally");
    let (tally, starting) = spawner.spawn_instant(Tally::new, 1, options).unwrap();
    // Nothing of it is here but its address: it may be called before it is built.
    let answered = call!(tally, Message::Add, 1).unwrap();
    starting.await.unwrap();
    assert_eq!((answered, call!(tally, Message::Add, 1).unwrap()), (2, 3));
    let seen = call!(tally, Message::Where).unwrap();
    assert_eq!((seen.len(), seen.contains(&thread::current().id())), (5, false));
    tally.stop_and_wait(None, None).await.unwrap();

    let build = || -> Tally { panic!("no parts") };
    let (broken, starting) = spawner.spawn_instant(build, 0, SpawnOptions::new().name("tally")).unwrap();
    let refused = starting.await;
    let exit = Exit::Panicked("no parts".into());
    assert!(matches!(&refused, Err(SpawnError::Startup(failed)) if *failed == exit), "{refused:?}");
    assert_eq!((broken.wait(None).await, system.registered()), (Ok(exit), vec![]));
}

/// A supervisor on one thread, its child on another.
#[tokio::test]
async fn a_link_crosses_threads() {
    let system = ActorSystem::new();
    let (here, there) = (LocalDoor::new(system.clone()), LocalDoor::new(system));
    let (log, gate) = (Log::default(), Gate::new());
    let parent = here.spawn(Probe::new(&log)).await;
    let child = there.spawn_under(&parent, Probe::new(&Log::default()).at(Hook::PostStop, gate.act())).await;
    settled(&child).await;
    child.stop(None);
    let mut ending = pin!(child.wait(None));
    held(ending.as_mut(), gate.reached()).await;
    gate.open();
    assert_eq!(ending.await, Ok(Exit::Stopped(None)));
    settled(&parent).await;
    assert_eq!(
        log.entries(),
        [
            Entry::PreStart,
            Entry::PostStart,
            Entry::Started(child.id()),
            Entry::Terminated(child.id(), Exit::Stopped(None), None)
        ]
    );
}

/// What a local actor spawns for all threads is not its thread's.
#[tokio::test]
async fn an_actor_spawned_on_a_local_thread_outlives_it() {
    let system = ActorSystem::new();
    let (answer, spawned) = mpsc::channel();
    let spawning = act(move |_| {
        let answer = answer.clone();
        async move {
            answer.send(Probe::new(&Log::default()).spawn(()).await?)?;
            Ok(())
        }
    });
    let door = LocalDoor::new(system);
    let parent = door.spawn(Probe::new(&Log::default()).at(Hook::PostStart, spawning)).await;
    settled(&parent).await;
    assert_eq!(parent.stop_and_wait(None, None).await, Ok(Exit::Stopped(None)));
    drop(door);
    let child = spawned.recv().unwrap();
    assert_eq!(settled(&child).await, 0);
    assert_eq!(child.stop_and_wait(None, None).await, Ok(Exit::Stopped(None)));
}

#[test]
fn a_restartable_actor_whose_spawn_was_dropped_is_not_left_suspended() {
    let mut simulation = Simulation::new(Order::Fifo);
    let door = LocalDoor::new(simulation.system());
    simulation.block_on(async {
        let (above, log) = (Log::default(), Log::default());
        let parent = door.spawn(Probe::new(&above)).await;
        let options = SpawnOptions::new().supervisor(&parent.cell());
        let make = {
            let log = log.clone();
            move || (Probe::new(&log), ())
        };
        {
            let mut spawn = pin!(door.spawn_restartable(make, options));
            assert!(poll_once(spawn.as_mut()).await.is_pending());
            // It is started, and nobody has looked.
            while parent.cell().children().is_empty() {
                settled(&parent).await;
            }
        }
        let child = parent.cell().children().remove(0);
        assert_eq!(child.wait(None).await, Ok(Exit::Killed));
        settled(&parent).await;
        assert_eq!((child.status(), parent.cell().children()), (Status::Stopped, vec![]));
        assert_eq!(above.take().last(), Some(&Entry::Terminated(child.id(), Exit::Killed, None)));
    });
}
