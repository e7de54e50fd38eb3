//! What is there under a condition: messages, hooks, and what builds the struct. `test` is
//! always true here and `any()` never.

use actor_core::{Exit, ReplyPort, actor};

/// All that it might have is absent.
#[derive(Default)]
struct Bare(u8);

#[actor]
impl Bare {
    #[cfg(any())]
    #[init]
    fn new(of: Absent) -> Self {
        of.into()
    }

    #[cfg(any())]
    #[started]
    fn start(&mut self) {}

    #[cfg(any())]
    #[stopping]
    fn stop(&mut self) {}

    #[cfg(any())]
    #[supervision]
    fn event(&mut self, event: Absent) {}

    fn get(&self) -> u8 {
        self.0
    }
}

#[tokio::test]
async fn what_is_absent_is_not_used() {
    let bare = Bare(3).spawn().await.unwrap();
    assert_eq!(bare.get().await.unwrap(), 3);
    bare.stop_and_wait(None, None).await.unwrap();
}

/// Has one of two of each.
struct Either(Vec<&'static str>);

#[actor]
impl Either {
    #[cfg(any())]
    #[init]
    fn wrong() -> Self {
        Self(vec!["wrong"])
    }

    /// From a word.
    #[cfg(not(any()))]
    #[cfg(test)]
    #[init]
    fn right(word: &'static str) -> Self {
        Self(vec![word])
    }

    #[cfg(test)]
    #[started]
    fn start(&mut self) {
        self.0.push("started");
    }

    #[cfg(not(test))]
    #[started]
    fn start(&mut self) {
        self.0.push("wrong");
    }

    #[cfg(any())]
    #[stopping]
    fn stop(&mut self) -> Result<(), &'static str> {
        Ok(())
    }

    #[cfg(test)]
    #[stopping]
    async fn end(&mut self) -> Result<(), &'static str> {
        Err("right")
    }

    #[cfg(any())]
    fn said(&self, of: Absent) -> u8 {
        0
    }

    #[cfg(test)]
    fn said(&self) -> Vec<&'static str> {
        self.0.clone()
    }
}

#[tokio::test]
async fn of_two_with_conditions_there_is_one() {
    let either = Either::spawn("right").await.unwrap();
    assert_eq!(either.said().await.unwrap(), ["right", "started"]);
    assert_eq!(either.stop_and_wait(None, None).await.unwrap(), Exit::Failed("right".into()));
}

/// Stays on its thread, where it is built in one of two ways.
struct Local(std::rc::Rc<u8>);

#[actor(local)]
impl Local {
    #[cfg(any())]
    #[init]
    fn new(of: Absent) -> Self {
        of.into()
    }

    fn get(&self) -> u8 {
        *self.0
    }
}

#[tokio::test]
async fn a_local_one_without_its_init_is_built_by_a_closure() {
    let spawner = actor_core::LocalSpawner::new(&actor_core::ActorSystem::new(), "here").unwrap();
    let local = Local::spawn(&spawner, || Local(std::rc::Rc::new(4))).await.unwrap();
    assert_eq!(local.get().await.unwrap(), 4);
}

/// Its parameters stand in messages that are absent.
struct Shelf<K, V>(Vec<(K, V)>);

#[actor]
impl<K: PartialEq + Send + 'static, V: Clone + Send + 'static> Shelf<K, V> {
    #[cfg(any())]
    fn put(&mut self, key: K, value: V) {
        self.0.push((key, value));
    }

    fn get(&self, key: K) -> usize {
        self.0.iter().filter(|(own, _)| *own == key).count()
    }

    #[cfg(test)]
    fn values(&self) -> Vec<V> {
        self.0.iter().map(|(_, value)| value.clone()).collect()
    }
}

#[tokio::test]
async fn a_parameter_of_an_absent_message_is_still_one() {
    let shelf = Shelf(vec![(1_u8, "one")]).spawn().await.unwrap();
    assert_eq!(shelf.get(1).await.unwrap(), 1);
    assert_eq!(shelf.values().await.unwrap(), ["one"]);
    let _: ShelfMessage<u8, &'static str> = ShelfMessage::Get(1, ReplyPort::nobody());
}

/// No message that is there mentions `T`.
struct Hollow<T>(Option<T>);

#[actor]
impl<T: Send + 'static> Hollow<T> {
    #[cfg(any())]
    fn fill(&mut self, with: T) {
        self.0 = Some(with);
    }

    fn is_empty(&self) -> bool {
        self.0.is_none()
    }
}

#[tokio::test]
async fn a_parameter_of_nothing_but_an_absent_message_is_still_one() {
    let hollow = Hollow(Some(1_u8)).spawn().await.unwrap();
    assert!(!hollow.is_empty().await.unwrap());
    let _: HollowMessage<u8> = HollowMessage::IsEmpty(ReplyPort::nobody());
}
