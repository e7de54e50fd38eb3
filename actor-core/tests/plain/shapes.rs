//! Every shape of method and of impl: generics, words of the language, conditions,
//! visibilities, actors inside functions.

use std::collections::HashMap;
use std::fmt::Debug;
use std::hash::Hash;
use std::marker::PhantomData;

use actor_core::{Recipient, ReplyPort, actor};

struct Cache<K, V, const N: usize> {
    entries: HashMap<K, V>,
}

#[actor]
impl<K, V, const N: usize> Cache<K, V, N>
where
    K: Eq + Hash + Send + 'static,
    V: Clone + Send + 'static,
{
    fn put(&mut self, key: K, value: V) -> Option<V> {
        if self.entries.len() == N { None } else { self.entries.insert(key, value) }
    }

    fn get(&mut self, key: K) -> Option<V> {
        self.entries.get(&key).cloned()
    }

    fn len(&self) -> usize {
        self.entries.len()
    }

    #[cast]
    fn clear(&mut self) {
        self.entries.clear();
    }
}

#[tokio::test]
async fn an_actor_may_have_parameters() {
    let cache = Cache::<&'static str, u32, 2> { entries: HashMap::new() }.spawn().await.unwrap();
    assert_eq!(cache.put("a", 1).await.unwrap(), None);
    assert_eq!(cache.put("a", 2).await.unwrap(), Some(1));
    assert_eq!(cache.get("a").await.unwrap(), Some(2));
    let clearer: Recipient<CacheClear> = cache.recipient();
    clearer.cast(CacheClear {}).unwrap();
    assert_eq!(cache.len().await.unwrap(), 0);
    let _: CacheMessage<&'static str, u32> = CacheMessage::Put("b", 1, ReplyPort::nobody());
}

/// Its messages know nothing of `T`.
struct Quiet<T>(PhantomData<T>);

#[actor]
impl<T: Default + Debug + Send + 'static> Quiet<T> {
    fn show(&self) -> String {
        format!("{:?}", T::default())
    }
}

/// What a bound mentions is needed too.
struct Pairs<A, B>(Vec<(A, B)>);

#[actor]
impl<A: Into<B> + Clone + Send + 'static, B: Send + 'static> Pairs<A, B> {
    fn add(&mut self, one: A) -> usize {
        self.0.push((one.clone(), one.into()));
        self.0.len()
    }
}

#[tokio::test]
async fn parameters_are_where_they_are_needed() {
    let quiet = Quiet::<u8>(PhantomData).spawn().await.unwrap();
    assert_eq!(quiet.show().await.unwrap(), "0");
    let _: Option<QuietMessage> = None;
    let pairs = Pairs::<u8, u16>(Vec::new()).spawn().await.unwrap();
    assert_eq!(pairs.add(1).await.unwrap(), 1);
    let adder: Recipient<PairsAdd<u8, u16>> = pairs.recipient();
    adder.cast(PairsAdd { one: 2, marker__: PhantomData }).unwrap();
    assert_eq!(pairs.add(3).await.unwrap(), 3);
}

#[derive(Clone, Debug, PartialEq)]
enum Odd {
    Even,
    Uneven,
}

#[actor(derive(Debug), message(non_exhaustive))]
impl Odd {
    fn r#type(&self, r#match: bool) -> bool {
        r#match
    }

    /// The names of the generated code are no names of the user's.
    fn state(&mut self, state: u8, myself: u8, port: u8, given: u8, self_: u8) -> [u8; 5] {
        [state, myself, port, given, self_]
    }

    fn copy(&self) -> Self {
        self.clone()
    }

    fn compare(&self, other: Self, more: Vec<Self>) -> Result<Self, Vec<Self>> {
        if *self == other { Ok(other) } else { Err(more) }
    }

    fn many_words_in_a_name(&mut self, mut text: String, n: [u8; Odd::SIDES]) -> (String, usize) {
        text.push('.');
        (text, n.len())
    }

    const SIDES: usize = 3;

    fn self_(&self) -> &'static str {
        "self"
    }

    #[cfg(any())]
    fn absent(&self, what: Nothing) -> Nothing {
        what
    }

    #[deprecated = "it is too old"]
    #[allow(clippy::unused_self, reason = "a test")]
    fn old(&self) {}
}

#[tokio::test]
async fn names_of_all_kinds_are_kept_apart() {
    let odd = Odd::Even.spawn().await.unwrap();
    assert!(odd.r#type(true).await.unwrap());
    assert_eq!(odd.state(1, 2, 3, 4, 5).await.unwrap(), [1, 2, 3, 4, 5]);
    assert_eq!(odd.copy().await.unwrap(), Odd::Even);
    assert_eq!(odd.compare(Odd::Even, vec![]).await.unwrap(), Ok(Odd::Even));
    assert_eq!(odd.compare(Odd::Uneven, vec![Odd::Uneven]).await.unwrap(), Err(vec![Odd::Uneven]));
    let text = odd.many_words_in_a_name("x".into(), [0; 3]).into_message();
    let _: &OddManyWordsInAName = &text;
    assert_eq!(odd.many_words_in_a_name("x".into(), [0; 3]).await.unwrap(), ("x.".into(), 3));
    assert_eq!(odd.self_().await.unwrap(), "self");
    #[allow(deprecated, reason = "it says so to its users")]
    odd.old().await.unwrap();
    assert!(format!("{:?}", OddMessage::Type(true, ReplyPort::nobody())).starts_with("Type("));
}

#[tokio::test]
async fn an_actor_may_live_in_a_function() {
    struct Inner(u8);

    #[actor]
    impl Inner {
        fn get(&self) -> u8 {
            self.0
        }

        fn boxed(&self, run: Box<dyn Fn(&str) -> usize + Send>) -> usize {
            run("four")
        }
    }

    let inner = Inner(7).spawn().await.unwrap();
    assert_eq!(inner.get().await.unwrap(), 7);
    assert_eq!(inner.boxed(Box::new(str::len)).await.unwrap(), 4);
}

/// All its messages are hooks.
struct Silent;

#[actor]
impl Silent {
    #[started]
    fn start(&mut self) {}
}

#[tokio::test]
async fn an_actor_without_messages_is_one_too() {
    let silent = Silent.spawn().await.unwrap();
    silent.stop_and_wait(None, None).await.unwrap();
}

/// `&mut self` across an await needs no `Sync`.
struct Unshared(std::cell::Cell<u8>);

#[actor]
impl Unshared {
    async fn bump(&mut self) -> u8 {
        tokio::task::yield_now().await;
        self.0.set(self.0.get() + 1);
        self.0.get()
    }

    fn peek(&self) -> u8 {
        self.0.get()
    }
}

#[tokio::test]
async fn a_struct_need_not_be_sync() {
    let unshared = Unshared(std::cell::Cell::new(0)).spawn().await.unwrap();
    assert_eq!(unshared.bump().await.unwrap(), 1);
    assert_eq!(unshared.peek().await.unwrap(), 1);
}
