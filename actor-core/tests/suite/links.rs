//! Supervision: who hears of whom, and who goes with whom.

use std::sync::Arc;
use std::time::Duration;

use actor_core::{Actor, ActorError, ActorRef, Exit, LinkError, Shutdown, SpawnError, SpawnOptions, Status};

use crate::support::{
    Door, Ending, Entry, Gate, Hook, Log, Message, Probe, act, dead, fail, panics, settled, stopped,
};

/// An actor that handles nothing itself.
pub(super) struct Heir;

impl Actor for Heir {
    type Msg = ();
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: &ActorRef<()>, (): ()) -> Result<(), ActorError> {
        Ok(())
    }
}

pub(super) async fn a04_the_supervisor_hears_of_each_event_once(door: impl Door) {
    let log = Log::default();
    let parent = door.spawn(Probe::new(&log)).await;
    assert_eq!(settled(&parent).await, 0);
    assert_eq!(log.take(), [Entry::PreStart, Entry::PostStart]);

    let ends: [(Ending, Exit); 5] = [
        (|child| child.stop(Some("why")), stopped("why")),
        (|child| child.drain(), Exit::Drained),
        (|child| child.kill(), Exit::Killed),
        (|child| child.cast(Message::Do(fail("ill"))).unwrap(), Exit::Failed("ill".into())),
        (|child| child.cast(Message::Do(panics("fell"))).unwrap(), Exit::Panicked("fell".into())),
    ];
    for (end, exit) in ends {
        let child = door.spawn_under(&parent, Probe::new(&Log::default())).await;
        assert_eq!(child.cell().supervisor(), Some(parent.cell()));
        child.cast(Message::Note(1)).unwrap();
        settled(&child).await;
        assert_eq!(parent.cell().children(), [child.cell()]);
        end(&child);
        assert_eq!(child.wait(None).await, Ok(exit.clone()));
        settled(&parent).await;
        assert_eq!(parent.cell().children(), []);
        assert_eq!(child.cell().supervisor(), None);
        let last = match &exit {
            Exit::Failed(_) | Exit::Panicked(_) => Entry::Failed(child.id(), exit),
            Exit::Killed => Entry::Terminated(child.id(), exit, None),
            _ => Entry::Terminated(child.id(), exit, door.kept(1)),
        };
        assert_eq!(log.take(), [Entry::Started(child.id()), last]);
    }
    assert_eq!(parent.status(), Status::Running);
}

pub(super) async fn a_death_climbs_the_tree_unless_handled(door: impl Door) {
    let ends: [Ending; 5] = [
        |leaf| leaf.stop(None),
        |leaf| leaf.drain(),
        |leaf| leaf.kill(),
        |leaf| leaf.cast(Message::Do(fail("ill"))).unwrap(),
        |leaf| leaf.cast(Message::Do(panics("fell"))).unwrap(),
    ];
    // A leaf that could live again is let go with whoever does not know how.
    for (end, is_restartable) in ends.into_iter().flat_map(|end| [(end, false), (end, true)]) {
        let log = Log::default();
        let root = door.spawn(Probe::new(&log)).await;
        let options = SpawnOptions::new().supervisor(&root.cell());
        let heir = door.spawn_with(Heir, (), options).await.unwrap();
        let options = SpawnOptions::new().supervisor(&heir.cell());
        let make = || (Probe::new(&Log::default()), ());
        let leaf = match is_restartable {
            true => door.spawn_restartable(make, options).await.unwrap(),
            false => door.spawn_with(make().0, (), options).await.unwrap(),
        };
        // A watch alone pulls nobody down, nor does a group's change.
        root.cell().watch(&leaf.cell());
        heir.cell().watch(&dead(&door).await);
        let groups = door.system().groups();
        groups.watch_all(&heir.cell());
        groups.join("leaves", &leaf.cell()).unwrap();
        settled(&leaf).await;
        assert_eq!(heir.status(), Status::Running);

        end(&leaf);
        let reason = stopped(&format!("child {} ended", leaf.id()));
        assert_eq!(heir.wait(None).await, Ok(reason.clone()));
        while leaf.status() != Status::Stopped {
            leaf.wait(None).await.unwrap();
        }
        settled(&root).await;
        let expected = [
            Entry::PreStart,
            Entry::PostStart,
            Entry::Started(heir.id()),
            Entry::Down(leaf.id(), leaf.wait(None).await.unwrap()),
            Entry::Terminated(heir.id(), reason, None),
        ];
        let mut seen = log.entries();
        if is_restartable && seen[3] == expected[4] {
            // It was let go, and ended for good, beside its supervisor.
            seen.swap(3, 4);
        }
        assert_eq!(seen, expected);
        assert_eq!(root.status(), Status::Running);
    }
}

pub(super) async fn a_stopping_parent_kills_its_children_after_post_stop(door: impl Door) {
    let (log, child_log, gate) = (Log::default(), Log::default(), Gate::new());
    let parent = door.spawn(Probe::new(&log).at(Hook::PostStop, gate.act())).await;
    let children = [
        door.spawn_under(&parent, Probe::new(&child_log)).await,
        door.spawn_under(&parent, Probe::new(&child_log)).await,
    ];
    for child in &children {
        settled(child).await;
    }
    child_log.take();

    parent.stop(None);
    gate.reached().await;
    for child in &children {
        assert_eq!(settled(child).await, 0);
    }
    gate.open();
    assert_eq!(parent.wait(None).await, Ok(Exit::Stopped(None)));
    for child in &children {
        assert_eq!(child.wait(None).await, Ok(Exit::Killed));
        assert_eq!(child.cell().supervisor(), None);
    }
    assert_eq!(child_log.entries(), [Entry::Dropped, Entry::Dropped]);
    assert_eq!(parent.cell().children(), []);
}

pub(super) async fn relinking_moves_the_child(door: impl Door) {
    let (old_log, new_log) = (Log::default(), Log::default());
    let old = door.spawn(Probe::new(&old_log)).await;
    let new = door.spawn(Probe::new(&new_log)).await;
    let child = door.spawn_under(&old, Probe::new(&Log::default())).await;
    settled(&child).await;
    settled(&old).await;
    assert_eq!(old_log.take(), [Entry::PreStart, Entry::PostStart, Entry::Started(child.id())]);

    // Twice is once.
    assert_eq!(child.cell().link(&new.cell()), Ok(()));
    assert_eq!(child.cell().link(&new.cell()), Ok(()));
    assert_eq!((old.cell().children(), new.cell().children()), (vec![], vec![child.cell()]));
    assert_eq!(old.stop_and_wait(None, None).await, Ok(Exit::Stopped(None)));
    assert_eq!(settled(&child).await, 0);

    assert_eq!(child.stop_and_wait(None, None).await, Ok(Exit::Stopped(None)));
    settled(&new).await;
    let terminated = Entry::Terminated(child.id(), Exit::Stopped(None), door.kept(0));
    assert_eq!(new_log.entries(), [Entry::PreStart, Entry::PostStart, terminated]);
    assert_eq!(old_log.entries(), [Entry::PostStop, Entry::Dropped]);
}

pub(super) async fn unlinking_sets_the_child_free(door: impl Door) {
    let (log, child_log) = (Log::default(), Log::default());
    let parent = door.spawn(Probe::new(&log)).await;
    let stranger = door.spawn(Probe::new(&Log::default())).await;
    let child = door.spawn_under(&parent, Probe::new(&child_log)).await;
    settled(&child).await;
    settled(&parent).await;
    log.take();

    child.cell().unlink(&stranger.cell());
    assert_eq!(child.cell().supervisor(), Some(parent.cell()));
    child.cell().unlink(&parent.cell());
    assert_eq!(child.cell().supervisor(), None);
    assert_eq!(parent.cell().children(), []);

    assert_eq!(parent.stop_and_wait(None, None).await, Ok(Exit::Stopped(None)));
    assert_eq!(settled(&child).await, 0);
    assert_eq!(child.stop_and_wait(None, None).await, Ok(Exit::Stopped(None)));
    assert_eq!(log.entries(), [Entry::PostStop, Entry::Dropped]);
}

pub(super) async fn a_link_to_a_stopping_supervisor_keeps_the_former(door: impl Door) {
    let gate = Gate::new();
    let parent = door.spawn(Probe::new(&Log::default())).await;
    let child = door.spawn_under(&parent, Probe::new(&Log::default())).await;
    let stopping = door.spawn(Probe::new(&Log::default()).at(Hook::PostStop, gate.act())).await;
    stopping.stop(None);
    gate.reached().await;
    assert_eq!(stopping.status(), Status::Stopping);

    let gone = dead(&door).await;
    for supervisor in [stopping.cell(), gone.clone()] {
        assert_eq!(child.cell().link(&supervisor), Err(LinkError::SupervisorStopping));
        assert_eq!(child.cell().supervisor(), Some(parent.cell()));
        assert_eq!(parent.cell().children(), [child.cell()]);
        assert_eq!(supervisor.children(), []);
    }
    // A child that is gone is not linked, and nobody minds.
    assert_eq!(gone.link(&parent.cell()), Ok(()));
    assert_eq!(gone.supervisor(), None);
    assert_eq!(parent.cell().children(), [child.cell()]);
    gate.open();
    assert_eq!(stopping.wait(None).await, Ok(Exit::Stopped(None)));
}

pub(super) async fn a_child_that_never_started_is_not_the_supervisors_business(door: impl Door) {
    let log = Log::default();
    let parent = door.spawn(Probe::new(&log)).await;
    let seen = Arc::new(parent.clone());
    let children = act(move |myself| {
        // The link is made once pre_start has succeeded, not before.
        assert_eq!((seen.cell().children(), myself.cell().supervisor()), (vec![], None));
        async { Ok(()) }
    });
    let probe = Probe::new(&Log::default()).at(Hook::PreStart, children).at(Hook::PreStart, fail("ill"));
    let refused = door.start(probe, SpawnOptions::new().supervisor(&parent.cell())).await;
    assert!(
        matches!(&refused, Err(SpawnError::Startup(Exit::Failed(text))) if &**text == "ill"),
        "{refused:?}"
    );
    settled(&parent).await;
    assert_eq!(log.entries(), [Entry::PreStart, Entry::PostStart]);

    // In post_start the supervisor is there.
    let supervisor = parent.cell();
    let linked = act(move |myself| {
        assert_eq!(myself.cell().supervisor(), Some(supervisor.clone()));
        async { Ok(()) }
    });
    let probe = Probe::new(&Log::default()).at(Hook::PostStart, linked);
    assert_eq!(settled(&door.spawn_under(&parent, probe).await).await, 0);
}

/// Whoever gets a child between two of its lives decides about it: nobody else would.
pub(super) async fn a_suspended_child_is_its_next_supervisors_to_decide(door: impl Door) {
    let (old_log, new_log) = (Log::default(), Log::default());
    let old = door.spawn(Probe::new(&old_log)).await;
    let new = door.spawn(Probe::new(&new_log)).await;
    settled(&new).await;
    new_log.take();
    let child = door.restartable(&old, SpawnOptions::new(), || Probe::new(&Log::default())).await;
    let ill = Exit::Failed("ill".into());
    let suspension = Entry::Suspended(child.id(), ill.clone(), None);
    let end = async || {
        child.cast(Message::Do(fail("ill"))).unwrap();
        while child.status() != Status::Suspended {
            settled(&old).await;
        }
        settled(&old).await;
        settled(&new).await;
    };
    settled(&child).await;
    end().await;
    assert_eq!(old_log.take()[2..], [Entry::Started(child.id()), suspension.clone()]);
    // To the one it has: nothing new.
    child.cell().link(&old.cell()).unwrap();
    child.cell().link(&new.cell()).unwrap();
    child.cell().link(&new.cell()).unwrap();
    settled(&new).await;
    assert_eq!((new_log.take(), old_log.take()), (vec![suspension.clone()], vec![]));
    child.cell().restart();
    assert_eq!(settled(&child).await, 0);
    settled(&new).await;
    assert_eq!(new_log.take(), [Entry::Started(child.id())]);
    // One that lives is no news, nor is one about which it is decided.
    child.cell().link(&old.cell()).unwrap();
    end().await;
    assert_eq!((new_log.take(), old_log.take()), (vec![], vec![suspension]));
    child.cell().release();
    child.cell().link(&new.cell()).unwrap();
    assert_eq!(child.wait(None).await, Ok(ill.clone()));
    settled(&new).await;
    settled(&old).await;
    let failed = Entry::Failed(child.id(), ill);
    let heard: Vec<Entry> = new_log.take().into_iter().chain(old_log.take()).collect();
    assert_eq!(heard, [failed]);
}

pub(super) async fn children_are_shut_down_from_the_last_to_the_first(door: impl Door) {
    let log = Log::default();
    let end_children = act(|myself| async move {
        myself.cell().shut_down_children(Shutdown::Drain(Duration::MAX)).await;
        Ok(())
    });
    let parent = door.spawn(Probe::new(&Log::default()).at(Hook::PostStop, end_children)).await;
    let mut children = Vec::new();
    for said in ["first", "second", "third"] {
        let log = log.clone();
        let say = act(move |_| {
            log.push(Entry::Said(said));
            async { Ok(()) }
        });
        let child = door.spawn_under(&parent, Probe::new(&Log::default()).at(Hook::PostStop, say)).await;
        child.cast(Message::Note(1)).unwrap();
        children.push(child);
    }
    parent.stop_and_wait(None, None).await.unwrap();
    assert_eq!(log.entries(), ["third", "second", "first"].map(Entry::Said));
    for child in children {
        assert_eq!((child.exit(), child.status()), (Some(Exit::Drained), Status::Stopped));
    }
}

pub(super) async fn a_shut_down_actor_says_how_it_ended(door: impl Door) {
    let parent = door.spawn(Probe::new(&Log::default())).await;
    let table = [
        (Shutdown::Kill, Exit::Killed),
        (Shutdown::Stop(Duration::MAX), stopped("shut down")),
        (Shutdown::Drain(Duration::MAX), Exit::Drained),
    ];
    for (shutdown, exit) in table {
        let actor = door.spawn(Probe::new(&Log::default())).await;
        assert_eq!(actor.exit(), None);
        assert_eq!(actor.cell().shut_down(shutdown).await, exit);
        assert_eq!(
            (actor.exit(), actor.cell().shut_down(shutdown).await),
            (Some(exit.clone()), exit.clone())
        );
        // One that could be restarted is not.
        let make = || Probe::new(&Log::default());
        let child = door.restartable(&parent, SpawnOptions::new(), make).await;
        assert_eq!(child.cell().shut_down(shutdown).await, exit);
        assert_eq!(child.status(), Status::Stopped);
    }
}

pub(super) async fn a_child_that_drains_goes_with_its_parent(door: impl Door) {
    let gate = Gate::new();
    let parent = door.spawn(Probe::new(&Log::default())).await;
    let child = door.spawn_under(&parent, Probe::new(&Log::default())).await;
    child.cast(Message::Do(gate.act())).unwrap();
    child.cast(Message::Note(1)).unwrap();
    gate.reached().await;
    child.drain();
    assert_eq!(child.status(), Status::Draining);
    parent.stop_and_wait(None, None).await.unwrap();
    // It has still something to do, and nobody who would care.
    assert_eq!(child.wait(None).await, Ok(Exit::Killed));
}
