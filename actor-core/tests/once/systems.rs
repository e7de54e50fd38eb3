//! Several systems in one process know nothing of each other.

use std::num::NonZeroUsize;
use std::time::Duration;

use actor_core::{
    Actor, ActorError, ActorRef, ActorSystem, Capacity, Exit, Incarnation, JoinError, ReplyPort, Spawn,
    SpawnError, SpawnOptions, call, where_is,
};

use crate::support::{Door, Entry, Log, Message, Probe, SendDoor, settled};

/// Asked where it is, it spawns another with the short form, which must land in
/// the same system; one level deep.
struct Scout;

enum Question {
    /// The systems that its hook saw before and after a foreign hook ran, and its
    /// child's.
    Where(ActorSystem, ReplyPort<[Incarnation; 3]>),
    Named(&'static str, ReplyPort<bool>),
}

impl Actor for Scout {
    type Msg = Question;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: &ActorRef<Question>, (): ()) -> Result<(), ActorError> {
        Ok(())
    }

    async fn handle(
        &self,
        _: &ActorRef<Question>,
        question: Question,
        (): &mut (),
    ) -> Result<(), ActorError> {
        match question {
            Question::Where(other, port) => {
                let before = ActorSystem::current().incarnation();
                // Its pre_start runs in this very task, in the other system.
                let log = Log::default();
                SendDoor::new(other.clone()).spawn(probe_of_its_system(&log)).await;
                assert_eq!(log.entries(), [Entry::PreStart, Entry::System(other.incarnation())]);
                let after = ActorSystem::current().incarnation();
                let child = Scout.spawn(()).await?;
                let _ = port.send([before, after, child.id().incarnation()]);
            }
            Question::Named(name, port) => {
                let _ = port.send(where_is(name).is_some());
            }
        }
        Ok(())
    }
}

fn probe_of_its_system(log: &Log) -> Probe {
    let seen = log.clone();
    let say = crate::support::act(move |_| {
        seen.push(Entry::System(ActorSystem::current().incarnation()));
        async { Ok(()) }
    });
    Probe::new(log).at(crate::support::Hook::PreStart, say)
}

#[tokio::test]
async fn the_short_forms_mean_the_actors_own_system() {
    let (here, there) = (ActorSystem::new(), ActorSystem::new());
    assert_ne!(here.incarnation(), there.incarnation());
    let (mine, theirs) = (here.incarnation(), there.incarnation());
    let in_here = here.spawn(Scout, (), SpawnOptions::new().name("here")).await.unwrap();
    let in_there = there.spawn(Scout, (), SpawnOptions::new().name("there")).await.unwrap();

    assert_eq!(call!(in_here, Question::Where, there.clone()).unwrap(), [mine; 3]);
    assert_eq!(call!(in_there, Question::Where, here.clone()).unwrap(), [theirs; 3]);
    assert!(call!(in_here, Question::Named, "here").unwrap());
    assert!(!call!(in_here, Question::Named, "there").unwrap());

    // Outside, they mean the process's default.
    let outside = Scout.spawn_with((), SpawnOptions::new().name("systems.rs")).await.unwrap();
    assert_eq!(outside.id().incarnation(), ActorSystem::process_default().incarnation());
    assert_eq!(where_is("systems.rs"), Some(outside.cell()));
    assert_eq!((where_is("here"), where_is("there")), (None, None));
    assert_eq!(outside.stop_and_wait(None, None).await, Ok(Exit::Stopped(None)));
}

/// Also while the future is dropped, and one inside another.
#[tokio::test]
async fn a_scope_has_its_system_current() {
    struct LastLook(Log);
    impl Drop for LastLook {
        fn drop(&mut self) {
            self.0.push(Entry::System(ActorSystem::current().incarnation()));
        }
    }
    let (here, there) = (ActorSystem::new(), ActorSystem::new());
    let (mine, theirs) = (here.incarnation(), there.incarnation());
    let outside = || ActorSystem::current().incarnation();
    let default = ActorSystem::process_default().incarnation();
    let inner = there.scope(async { (outside(), Scout.spawn(()).await.unwrap()) });
    let (before, (inside, spawned), after) = here.scope(async { (outside(), inner.await, outside()) }).await;
    assert_eq!((before, inside, after, outside()), (mine, theirs, mine, default));
    assert_eq!(spawned.id().incarnation(), theirs);

    let log = Log::default();
    let last = LastLook(log.clone());
    let mut waiting = Box::pin(here.scope(async move {
        std::future::pending::<()>().await;
        drop(last);
    }));
    assert!(crate::support::poll_once(waiting.as_mut()).await.is_pending());
    drop(waiting);
    assert_eq!((log.entries(), outside()), (vec![Entry::System(mine)], default));
}

#[tokio::test]
async fn names_and_groups_do_not_mix() {
    let (here, there) = (SendDoor::new(ActorSystem::new()), SendDoor::new(ActorSystem::new()));
    let named = || SpawnOptions::new().name("twin");
    let mine = here.start(Probe::new(&Log::default()), named()).await.unwrap();
    let theirs = there.start(Probe::new(&Log::default()), named()).await.unwrap();
    assert_ne!(mine, theirs);
    assert_eq!(here.system().where_is("twin"), Some(mine.cell()));
    assert_eq!(there.system().where_is("twin"), Some(theirs.cell()));

    // It would never leave: its end is another system's business.
    assert_eq!(here.system().groups().join("group", &theirs.cell()), Err(JoinError::NotLocal));
    assert_eq!(here.system().groups().join("group", &mine.cell()), Ok(()));
    assert_eq!(there.system().groups().names(), []);
    assert_eq!(theirs.stop_and_wait(None, None).await, Ok(Exit::Stopped(None)));
    assert_eq!(here.system().where_is("twin"), Some(mine.cell()));
    assert_eq!(here.system().groups().members("group"), [mine.cell()]);
}

#[tokio::test]
async fn a_watch_and_a_link_cross_systems() {
    let (here, there) = (SendDoor::new(ActorSystem::new()), SendDoor::new(ActorSystem::new()));
    let log = Log::default();
    let parent = here.spawn(Probe::new(&log)).await;
    let child = there.spawn_under(&parent, Probe::new(&Log::default())).await;
    parent.cell().watch(&child.cell());
    settled(&child).await;
    assert_eq!(child.stop_and_wait(None, None).await, Ok(Exit::Stopped(None)));
    settled(&parent).await;
    assert_eq!(
        log.entries(),
        [
            Entry::PreStart,
            Entry::PostStart,
            Entry::Started(child.id()),
            Entry::Down(child.id(), Exit::Stopped(None)),
            Entry::Terminated(child.id(), Exit::Stopped(None), Some(0))
        ]
    );
}

#[tokio::test]
async fn a_systems_mailbox_is_its_actors_unless_they_bring_another() {
    let two = Capacity::try_from(2).unwrap();
    let door = SendDoor::new(ActorSystem::builder().mailbox(two).build());
    let small = door.spawn(Probe::new(&Log::default())).await;
    let large = SpawnOptions::new().mailbox(Capacity::Unbounded);
    let large = door.start(Probe::new(&Log::default()), large).await.unwrap();
    // On one thread neither runs before this test awaits.
    let accepted =
        |actor: &ActorRef<Message>| (0..9).filter(|n| actor.cast(Message::Note(*n)).is_ok()).count();
    assert_eq!((accepted(&small), accepted(&large)), (2, 9));

    // A bad default is an error at the spawn, as a bad option is.
    let huge = Capacity::Bounded(NonZeroUsize::MAX);
    let door = SendDoor::new(ActorSystem::builder().mailbox(huge).build());
    let refused = door.start(Probe::new(&Log::default()), SpawnOptions::new()).await;
    assert!(matches!(refused, Err(SpawnError::Options(_))), "{refused:?}");
}

/// A call may be forwarded from one system to another with its deadline.
#[tokio::test(start_paused = true)]
async fn a_deadline_means_the_same_in_every_system_on_tokio() {
    let early = ActorSystem::new();
    tokio::time::advance(Duration::from_secs(5)).await;
    let late = ActorSystem::new();
    assert_eq!(early.executor().now(), late.executor().now());
    let deadline = early.executor().now() + Duration::from_secs(1);
    late.executor().sleep_until(deadline).await;
    assert_eq!(early.executor().now(), deadline);
}
