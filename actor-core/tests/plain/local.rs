//! Plain structs that cannot leave their thread.

use std::cell::Cell;
use std::rc::Rc;
use std::thread::{self, ThreadId};

use actor_core::{ActorSystem, LocalSpawner, actor};

struct Tally {
    total: Rc<Cell<u32>>,
}

#[actor(local)]
impl Tally {
    /// Holds an `Rc` across an await.
    async fn add(&self, number: u32) -> u32 {
        let total = self.total.clone();
        tokio::task::yield_now().await;
        total.set(total.get() + number);
        total.get()
    }

    fn home(&self) -> ThreadId {
        thread::current().id()
    }
}

struct Built {
    on: Rc<ThreadId>,
    text: String,
}

#[actor(local)]
impl Built {
    #[init]
    fn new(text: String) -> Self {
        Self { on: Rc::new(thread::current().id()), text }
    }

    fn facts(&self) -> (ThreadId, String) {
        (*self.on, self.text.clone())
    }
}

struct Typed<T, const N: usize>(Rc<[T; N]>);

#[actor(local)]
impl<T: Copy + Send + 'static, const N: usize> Typed<T, N> {
    fn first(&self) -> Option<T> {
        self.0.first().copied()
    }
}

#[tokio::test]
async fn a_spawn_keeps_no_hold_of_its_spawner() {
    let (tally, built, typed) = {
        let spawner = LocalSpawner::new(&ActorSystem::new(), "gone").unwrap();
        let tally = Tally::spawn(&spawner, || Tally { total: Rc::new(Cell::new(1)) });
        let built = Built::spawn(&spawner, "here".to_owned());
        (tally, built, Typed::spawn(&spawner, || Typed(Rc::new([7, 8]))))
    };
    // It may even move to another task.
    let tally = tokio::spawn(tally.into_future()).await.unwrap().unwrap();
    assert_eq!(tally.add(2).await.unwrap(), 3);
    assert_eq!(built.await.unwrap().facts().await.unwrap().1, "here");
    assert_eq!(typed.await.unwrap().first().await.unwrap(), Some(7));
}

#[tokio::test]
async fn a16_a_plain_struct_may_stay_on_its_thread() {
    let spawner = LocalSpawner::new(&ActorSystem::new(), "tally").unwrap();
    let tally =
        Tally::spawn(&spawner, || Tally { total: Rc::new(Cell::new(1)) }).name("tally").await.unwrap();
    assert_eq!(tally.add(2).await.unwrap(), 3);
    let home = tally.home().await.unwrap();
    assert_ne!(home, thread::current().id());
    let built = Built::spawn(&spawner, "here".to_owned()).await.unwrap();
    assert_eq!(built.facts().await.unwrap(), (home, "here".to_owned()));
    let (at_once, starting) = Built::spawn(&spawner, "there".to_owned()).name("built").instant().unwrap();
    assert_eq!(at_once.facts().await.unwrap(), (home, "there".to_owned()));
    starting.await.unwrap();
    let elsewhere = tokio::spawn(async move {
        built.stop(None);
        tally.add(1).await
    });
    assert_eq!(elsewhere.await.unwrap().unwrap(), 4);
}
