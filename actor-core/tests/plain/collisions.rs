//! Names of the user's that are also somebody else's: a trait's, the prelude's, ours.

use std::fmt;

use actor_core::{Context, SupervisionEvent, actor};

/// A trait that everything has.
#[allow(dead_code, reason = "nobody is to call these")]
trait Describe {
    fn describe(&self) -> String;
    fn wake(self) -> u8;
}

impl<T> Describe for T {
    fn describe(&self) -> String {
        "a trait's".to_owned()
    }

    fn wake(self) -> u8 {
        0
    }
}

/// Has traits whose methods are called as its own are.
#[derive(Default)]
struct Queue {
    left: u8,
    woken: u8,
}

impl Iterator for Queue {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        self.left = self.left.checked_sub(1)?;
        Some(self.left)
    }
}

impl fmt::Display for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a trait's")
    }
}

#[actor]
#[allow(clippy::inherent_to_string_shadow_display, reason = "a test")]
impl Queue {
    #[started]
    fn wake(&mut self) {
        self.woken += 1;
    }

    #[supervision]
    async fn by_ref(&mut self, ctx: &Context<'_, QueueRef>, event: SupervisionEvent) {
        drop((ctx.id(), event));
    }

    fn count(&self) -> usize {
        self.left.into()
    }

    fn to_string(&self) -> String {
        format!("{} left", self.left)
    }

    fn left(&self) -> u8 {
        self.left
    }

    async fn max(&mut self) -> u8 {
        self.left += 1;
        self.left
    }

    #[allow(clippy::wrong_self_convention, reason = "a test")]
    fn into(&self) -> u8 {
        self.woken
    }

    fn describe(&self, of: &'static str) -> String {
        format!("its own {of}")
    }
}

#[tokio::test]
async fn a_message_runs_the_structs_own_method() {
    let queue = Queue { left: 3, woken: 0 }.spawn().await.unwrap();
    assert_eq!(queue.count().await.unwrap(), 3);
    assert_eq!(queue.to_string().await.unwrap(), "3 left");
    assert_eq!(queue.left().await.unwrap(), 3, "nothing was taken");
    assert_eq!(queue.max().await.unwrap(), 4);
    assert_eq!(QueueRef::into(&queue).await.unwrap(), 1, "the hook was its own");
    assert_eq!(queue.describe("words").await.unwrap(), "its own words");
}

/// Called as the hidden actor of `Ledger` once was.
#[derive(Debug, PartialEq)]
struct LedgerActor(u8);

struct Ledger(LedgerActor);

#[actor]
impl Ledger {
    #[init]
    fn open(by: LedgerActor) -> Self {
        Self(by)
    }

    fn owner(&self, other: LedgerActor) -> (u8, LedgerActor) {
        (self.0.0, other)
    }
}

#[tokio::test]
async fn the_hidden_actor_has_a_name_of_its_own() {
    let ledger = Ledger::spawn(LedgerActor(7)).await.unwrap();
    assert_eq!(ledger.owner(LedgerActor(8)).await.unwrap(), (7, LedgerActor(8)));
}

/// Arguments called as fields that are generated for bounds.
struct Marked<A, B>(Vec<(A, B)>);

#[actor]
impl<A: Into<B> + Clone + Send + 'static, B: Send + 'static> Marked<A, B> {
    fn add(&mut self, marker: A, actor: u8) -> usize {
        self.0.push((marker.clone(), marker.into()));
        self.0.len() + usize::from(actor)
    }
}

#[tokio::test]
async fn an_argument_may_be_called_marker() {
    let marked = Marked::<u8, u16>(Vec::new()).spawn().await.unwrap();
    assert_eq!(marked.add(1, 2).await.unwrap(), 3);
}

mod own {
    /// Called as what a method learns of its actor.
    #[derive(Debug, PartialEq)]
    pub(super) struct Context(pub(super) u8);

    /// The same, with a parameter.
    #[derive(Debug, PartialEq)]
    pub(super) struct Wide<T>(pub(super) T);

    pub(super) mod wide {
        pub(in super::super) use super::Wide as Context;
    }
}

struct Reader;

#[actor]
impl Reader {
    fn read(&self, of: own::Context, and: own::wide::Context<u16>) -> (own::Context, own::Wide<u16>) {
        (of, and)
    }
}

#[tokio::test]
async fn a_type_of_ones_own_may_be_called_context() {
    let reader = Reader.spawn().await.unwrap();
    let read = reader.read(own::Context(1), own::Wide(2)).await.unwrap();
    assert_eq!(read, (own::Context(1), own::Wide(2)));
}
