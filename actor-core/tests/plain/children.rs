//! Plain structs as the children of a supervisor: `Counter::child`.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use actor_core::{
    ActorError, ActorSystem, CallError, Capacity, ChildSpec, Colocation, ErrorAction, LocalSpawner, Overflow,
    Restart, SendError, SpawnOptions, Supervisor, SupervisorRef, actor,
};
use actor_testkit::{Order, Simulation};

/// How many lives have begun.
#[derive(Clone, Default)]
struct Lives(Arc<AtomicU32>);

impl Lives {
    fn begin(&self) -> u32 {
        self.0.fetch_add(1, Ordering::Relaxed) + 1
    }
}

/// Built by a closure.
struct Plain {
    life: u32,
}

#[actor]
impl Plain {
    fn life(&self) -> u32 {
        self.life
    }

    #[cast]
    fn fail(&mut self) -> Result<(), &'static str> {
        Err("on purpose")
    }

    #[on_error]
    fn judge(&mut self, _: &ActorError) -> ErrorAction {
        ErrorAction::Restart
    }
}

/// Built by `#[init]`, from several arguments.
struct Many {
    life: u32,
    word: String,
}

#[actor(fail_on_err)]
impl Many {
    #[init]
    fn new(lives: Lives, word: String) -> Self {
        Self { life: lives.begin(), word }
    }

    fn about(&self) -> (u32, String) {
        (self.life, self.word.clone())
    }

    #[cast]
    fn fail(&mut self) -> Result<(), &'static str> {
        Err("on purpose")
    }
}

/// From one argument, and there on its thread.
struct Single(Rc<u32>);

#[actor(local, fail_on_err)]
impl Single {
    #[init]
    fn new(lives: Lives) -> Self {
        Self(Rc::new(lives.begin()))
    }

    fn life(&self) -> u32 {
        *self.0
    }

    #[cast]
    fn fail(&mut self) -> Result<(), &'static str> {
        Err("on purpose")
    }
}

/// From nothing.
struct Bare;

#[actor]
impl Bare {
    #[init]
    async fn new() -> Result<Self, ActorError> {
        Ok(Self)
    }

    fn is_there(&self) -> bool {
        true
    }
}

/// By a closure, on its thread.
struct Notes(Rc<u32>);

#[actor(local, fail_on_err)]
impl Notes {
    fn life(&self) -> u32 {
        *self.0
    }

    #[cast]
    fn fail(&mut self) -> Result<(), &'static str> {
        Err("on purpose")
    }
}

async fn supervised<M: Send + 'static>(system: &ActorSystem, child: ChildSpec<M>) -> SupervisorRef {
    Supervisor::builder().child(child).spawn_with(system, SpawnOptions::new()).await.unwrap()
}

#[test]
fn c01_a_plain_struct_is_a_child_that_starts_again() {
    let mut simulation = Simulation::new(Order::Seeded(7));
    let system = simulation.system();
    simulation.block_on(async {
        let lives = Lives::default();
        let plain = Plain::child("plain", move || Plain { life: lives.begin() }).restart(Restart::Transient);
        let supervisor = supervised(&system, plain).await;
        let plain = PlainRef::from(supervisor.find("plain").await.unwrap());
        assert_eq!(plain.life().await.unwrap(), 1);
        plain.fail().cast().unwrap();
        assert_eq!(plain.life().await.unwrap(), 2, "the same reference reaches the next life");

        let lives = Lives::default();
        let many = Many::child("many", move || (lives.clone(), "word".to_owned()));
        let many = ManyRef::from(supervisor.start_child(many).await.unwrap());
        many.fail().cast().unwrap();
        assert_eq!(many.about().await.unwrap(), (2, "word".to_owned()));

        let bare = BareRef::from(supervisor.start_child(Bare::child("bare")).await.unwrap());
        assert!(bare.is_there().await.unwrap());
    });
}

#[test]
fn c01_a_local_plain_struct_is_a_child_that_starts_again() {
    let mut simulation = Simulation::new(Order::Seeded(7));
    let system = simulation.system();
    simulation.block_on(async {
        let thread = LocalSpawner::new(&system, "children").unwrap();
        let lives = Lives::default();
        let notes = Notes::child(&thread, "notes", move || Notes(Rc::new(lives.begin())));
        let supervisor = supervised(&system, notes).await;
        let notes = NotesRef::from(supervisor.find("notes").await.unwrap());
        assert_eq!(notes.life().await.unwrap(), 1);
        notes.fail().cast().unwrap();
        assert_eq!(notes.life().await.unwrap(), 2);

        let lives = Lives::default();
        let single = Single::child(&thread, "single", move || lives.clone());
        let single = SingleRef::from(supervisor.start_child(single).await.unwrap());
        single.fail().cast().unwrap();
        assert_eq!(single.life().await.unwrap(), 2);
    });
}

#[tokio::test]
async fn a_childs_mailbox_is_as_its_specification_says() {
    let system = ActorSystem::new();
    let one = Capacity::try_from(1).unwrap();
    let child = Plain::child("plain", || Plain { life: 0 });
    let place = Colocation::new(&system);
    let child = child.name("by name").mailbox(one).overflow(Overflow::Reject).colocate(&place);
    let supervisor = supervised(&system, child).await;
    let plain = PlainRef::from(supervisor.find("plain").await.unwrap());
    assert_eq!(plain.name(), Some("by name"));
    // On one thread it handles nothing before this task waits.
    plain.life().cast().unwrap();
    assert!(matches!(plain.life().await, Err(CallError::NotSent(SendError::Full(_)))));
}
