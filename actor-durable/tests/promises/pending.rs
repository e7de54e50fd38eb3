//! D22: what waits is there again with the state: letters, what was sent, reminders, children. What is volatile is not.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actor_core::{ActorError, Strategy};
use actor_durable::store::{CatchUp, Destination, Outgoing, Recovery};
use actor_durable::supervise::{
    ChildSpec, Directive, DurableSupervisor, OnFailure, SupervisorCommand, SupervisorSpec,
};
use actor_durable::{
    Durable, DurableActor, DurableBuilder, DurableId, DurableRef, DurableSystem, NoError, Outlet, Position,
    Sequence, Turn, WallTime,
};
use async_trait::async_trait;
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};
use std::future::IntoFuture;

use super::{Sum, Tap, Tape, crash, head, id, places, seize, tape};
use crate::stage::{World, pass};

/// Has something of everything in hand. While it is stuck, it does not come back from what is asked.
#[derive(Clone, Default)]
pub(super) struct Desk {
    is_stuck: Arc<AtomicBool>,
    printed: Arc<Mutex<Vec<Vec<u8>>>>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Task {
    Add(u64),
    /// Prints something, reminds itself then and again, sets a timer, and has a child.
    Begin(WallTime, Duration),
    /// Does not end while the desk is stuck.
    Stick,
}

const PERIOD: Duration = Duration::from_secs(100);

impl Durable for Desk {
    const TYPE: &'static str = "desk";
    const JOURNAL_KEPT: u64 = 2;
    type State = u64;
    type Command = Task;
    type Reply = u64;
    type Error = NoError;

    fn create(&self, _: &DurableId) -> u64 {
        0
    }

    fn is_query(command: &Task) -> bool {
        matches!(command, Task::Add(0))
    }
}

impl DurableActor for Desk {
    async fn handle(
        &self,
        command: Task,
        state: &mut u64,
        turn: &mut Turn<'_, Self>,
    ) -> Result<u64, NoError> {
        match command {
            Task::Add(number) => *state += number,
            Task::Begin(due, delay) => {
                turn.effect("printer", None, "page").expect("a good name");
                let every = &Task::Add(1_000);
                turn.remind_every("again", due, PERIOD, CatchUp::FireOnce, every).expect("a good name");
                turn.timer(delay, &Task::Add(1_000_000)).expect("it has a form");
                turn.add_child::<Desk>("child", "c", "about it").expect("a good name");
            }
            Task::Stick if self.is_stuck.load(Ordering::Relaxed) => std::future::pending().await,
            Task::Stick => {}
        }
        Ok(*state)
    }
}

#[async_trait]
impl Outlet for Desk {
    async fn deliver(&self, _: &DurableId, message: &Outgoing) -> Result<(), ActorError> {
        self.printed.lock().expect("nothing panics under it").push(message.body.bytes.to_vec());
        Ok(())
    }
}

fn desk(system: &DurableSystem) -> DurableRef<Desk> {
    system.actor("d").expect("a good id")
}

/// Work of each kind, of which nothing can be done: there is no printer here, and it is stuck at the first letter.
async fn take_work(system: &DurableSystem, due: WallTime, delay: Duration) {
    let desk = desk(system);
    desk.call(Task::Begin(due, delay)).await.expect("it is stored");
    for _ in 0..20 {
        desk.call(Task::Add(1)).await.expect("it is stored");
    }
    desk.send(Task::Stick).await.expect("it is stored");
    desk.send(Task::Add(100)).await.expect("it is stored");
}

#[tokio::test]
async fn d22_what_waits_is_restored_with_a_state_whose_journal_is_cut() {
    for place in places() {
        let stuck = Desk { is_stuck: Arc::new(AtomicBool::new(true)), ..Desk::default() };
        let register = |builder: DurableBuilder| builder.register(stuck.clone());
        crash(&*place, register, async |system| {
            take_work(system, WallTime::MAX, Duration::from_secs(3600)).await;
        })
        .await;
        let store = place.open().await;
        let before = head(&store, "d").await;
        // The turn that sent and reminded is not in the journal any more.
        assert_eq!((before.sequence, before.waiting), (Sequence(22), 2));
        assert!(before.trimmed >= Sequence(18), "{before:?}");
        let target = before.target.clone();
        let owned = seize(&store, &target).await;
        let Recovery { snapshot, outbox, reminders, children, .. } =
            store.load(&target.id, owned.epoch).await.expect("it is seized");
        let state: u64 = postcard::from_bytes(&snapshot.expect("it has one").body.bytes).expect("a number");
        assert_eq!(state, 20);
        let [Outgoing { to: Destination::Outlet(to), body, .. }] = &outbox[..] else { panic!("{outbox:?}") };
        assert_eq!((to.as_str(), &body.bytes[..]), ("printer", &b"page"[..]));
        let [reminder] = &reminders[..] else { panic!("{reminders:?}") };
        assert_eq!(
            (reminder.name.as_str(), reminder.due, reminder.period),
            ("again", WallTime::MAX, Some(PERIOD))
        );
        let [child] = &children[..] else { panic!("{children:?}") };
        let about = (child.name.as_str(), child.target.id.as_str(), &child.body.bytes[..]);
        assert_eq!(about, ("child", "c", &b"about it"[..]));
        let letters = store.inbox(&target.id, owned.epoch, Position::ZERO, 10).await.expect("it is seized");
        assert_eq!(letters.len(), 2);
    }
}

#[test]
fn d22_what_waited_is_done_and_a_timer_is_not() {
    let mut world = World::new();
    let desk_of = Desk { is_stuck: Arc::new(AtomicBool::new(true)), ..Desk::default() };
    let store = world.store.clone();
    let register = |builder: DurableBuilder| builder.register(desk_of.clone());
    let due = world.crash_with(store, register, async |system| {
        let now = WallTime::from_unix(system.executor().unix_time());
        let due = now.after(Duration::from_secs(50));
        take_work(system, due, Duration::from_secs(1)).await;
        due
    });
    desk_of.is_stuck.store(false, Ordering::Relaxed);
    let register =
        |builder: DurableBuilder| builder.register(desk_of.clone()).outlet("printer", desk_of.clone());
    world.run_with(register, async |system| {
        pass(system, Duration::from_secs(1)).await;
        assert!(
            system.is_active(&id("d")) && system.is_active(&id("c")),
            "nobody asks for it, or for its child"
        );
        assert_eq!(desk(system).call(Task::Add(0)).await.ok(), Some(120), "its letters are handled");
        let printed = desk_of.printed.lock().expect("nothing panics under it").clone();
        assert_eq!(printed, [b"page"], "what it sent has left");
        pass(system, due.since(WallTime::from_unix(system.executor().unix_time()))).await;
        pass(system, Duration::from_millis(1)).await;
        assert_eq!(desk(system).call(Task::Add(0)).await.ok(), Some(1_120), "it is reminded");
        pass(system, PERIOD).await;
        assert_eq!(desk(system).call(Task::Add(0)).await.ok(), Some(2_120), "and again");
        assert_eq!(desk_of.printed.lock().expect("nothing panics under it").len(), 1);
    });
}

#[test]
fn d38_what_fails_with_a_flush_on_its_way_is_resumed_with_its_state() {
    let mut world = World::new();
    let register = |builder: DurableBuilder| {
        builder.register_event_sourced(Tape::<2, 10>::default()).register_event_sourced(DurableSupervisor)
    };
    let expected = {
        let mut sum = Sum::default();
        (0..4).for_each(|number| sum.add(number));
        sum
    };
    world.run_with(register, async |system| {
        let supervisor = system.actor::<DurableSupervisor>("s").expect("a good id");
        let begin = SupervisorCommand::Begin(SupervisorSpec::new(Strategy::OneForOne));
        supervisor.call(begin).await.expect("it is stored");
        let spec = ChildSpec::new::<Tape<2, 10>>("t", "t").expect("a good name");
        let spec = spec.on_failure(OnFailure::always(Directive::Resume));
        supervisor.call(SupervisorCommand::SpawnChild(spec)).await.expect("it is stored");
        pass(system, Duration::from_millis(1)).await;
        let tape = tape::<2, 10>(system, "t");
        // All at once: they gather, and whoever stores them comes behind the one that fails.
        let commands = (0..4).map(|number| Tap::Write(vec![number])).chain([Tap::Panic]);
        let calls = join_all(commands.map(|command| tape.call(command).into_future())).await;
        assert_eq!(calls.iter().filter(|call| call.is_ok()).count(), 4, "{calls:?}");
        pass(system, Duration::from_millis(1)).await;
        assert_eq!(tape.call(Tap::Look).await.ok(), Some(expected));
    });
    world.run_with(register, async |system| {
        assert_eq!(tape::<2, 10>(system, "t").call(Tap::Look).await.ok(), Some(expected));
    });
}
