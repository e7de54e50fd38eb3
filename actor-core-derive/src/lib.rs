//! `#[actor]`: a plain struct is an actor, and its methods are its messages. Use it
//! through actor-core, which re-exports it; what it emits names `::actor_core` and
//! needs no other crate.
//!
//! ```text
//!  tokens ── item, valid (+ attr, sorting, types) ──► ast::Surface ── expand ──► the user's impl,
//!                 │                         ▲                     messages, reference,
//!                 │                         │ what is sound       actor
//!                 └── errors ───────────────┴──► fallback: the errors, and stand-ins
//!                                                that keep every other message away
//! ```
//!
//! Lives here: the entry point. Reading collects every mistake it sees; what expansion
//! gets, it can always expand.

mod ast;
mod attr;
mod durable;
mod errors;
mod expand;
mod fallback;
mod item;
mod options;
mod roles;
mod sorting;
mod types;
mod valid;

#[cfg(test)]
mod tests;

use proc_macro::TokenStream;

/// Makes an actor of a plain struct. It stands on an inherent `impl`, and each method
/// with `&self` or `&mut self` becomes a message.
///
/// ```ignore
/// use actor_core::actor;
///
/// #[derive(Default)]
/// struct Counter {
///     n: i64,
/// }
///
/// #[actor]
/// impl Counter {
///     /// Adds and says the sum.
///     fn inc(&mut self, by: i64) -> i64 {
///         self.n += by;
///         self.n
///     }
///
///     #[cast]
///     fn reset(&mut self) {
///         self.n = 0;
///     }
/// }
///
/// let counter = Counter::default().spawn().await?;
/// assert_eq!(counter.inc(3).await?, 3);
/// counter.reset().cast()?;
/// assert_eq!(counter.inc(1).await?, 1);
/// ```
///
/// # What is generated
///
/// For `Counter` with the methods above:
///
/// | item | what it is |
/// |---|---|
/// | `CounterRef` | a typed reference: a method per message, with the docs of yours |
/// | `CounterMessage` | the enum that the mailbox holds: `Inc(i64, ReplyPort<i64>)`, `Reset()` |
/// | `CounterInc`, `CounterReset` | a struct per message, with the arguments as its fields |
/// | `Counter::spawn` | starts the actor; see `actor_core::Spawning` |
/// | `Counter::child` | how a supervisor starts it, and starts it again: an `actor_core::ChildSpec` |
/// | `Counter::actor` | the `Actor` (or `LocalActor`) whose state the struct is |
///
/// The structs bear the actor's name so that two actors of one module can both have a
/// `get`. The methods stay as they were written, so a unit test calls them directly.
///
/// A method's visibility is that of its struct and of the reference's method; the
/// widest of them is that of `CounterRef`, `CounterMessage`, `spawn`, `child` and `actor`,
/// unless `#[actor(pub)]`, `#[actor(pub(crate))]` or the like says otherwise.
///
/// # On a method
///
/// | attribute | effect |
/// |---|---|
/// | none | a call: its reply is what the method returns. With an argument of type `ReplyPort<T>` the method answers by hand, now or later, or forwards the port |
/// | `#[cast]` | fire-and-forget: returns nothing or `Result<(), E>` |
/// | `#[init]` | builds the struct from arguments; no `self`, returns `Self` or `Result<Self, E>` |
/// | `#[started]` | runs once before the first message |
/// | `#[stopping]` | runs after a stop or a drain |
/// | `#[supervision]` | takes a `SupervisionEvent`; without it the end of a child stops the actor |
/// | `#[on_error]` | takes an `&ActorError` that nobody waits for, or that `#[supervision]` returned, and returns an `ErrorAction` |
/// | `#[priority(high)]`, `normal`, `low` | the message goes before, or after, others that wait; on an argument, `#[priority]` takes it from that `Priority` |
/// | `#[expires]` | a call that nobody waits for any more when its turn comes is dropped; on an argument, the message is wanted until that `Instant` |
/// | `#[wire(..)]`, `#[message(..)]` | goes to the message's variant of the enum |
///
/// A `#[cfg(..)]` on any of them is obeyed, and two may share a role or a name if each has
/// one; a `cfg_attr` cannot hold the attributes above, which are read before it is.
///
/// Every method and hook may be `async` or not, and may take `&Context<'_, CounterRef>`
/// as its first argument, but for `#[on_error]`, which decides at once. A hook returns
/// nothing or a `Result<(), E>` whose error ends the actor. An `async fn` with `&self` needs a
/// struct that is `Sync`, as any future does that lends it; `&mut self` does not.
///
/// A `Result` that a call returns goes to the caller, error and all. An error that
/// nobody waits for, since the message was sent without a caller, is reported through
/// `tracing` and the actor goes on, unless `fail_on_err` or `#[on_error]` says otherwise.
///
/// # On the impl
///
/// | option | effect |
/// |---|---|
/// | `local` | the struct need not be `Send`: a `LocalActor`, built on its thread |
/// | `remote` | other nodes may send its messages: `derive(RemoteMessage)` of actor-cluster |
/// | `fail_on_err` | an error that nobody waits for ends the actor |
/// | `ageing = 4` | after so many messages of higher priorities one of a lower priority has its turn |
/// | `derive(..)` | derives for the message enum |
/// | `message(..)` | attributes for the message enum |
/// | `structs(..)` | attributes for the message structs, as `structs(derive(Debug))` |
/// | `pub`, `pub(crate)`, .. | the visibility of what is generated |
/// | `crate = "path"` | where actor-core is, if not at `::actor_core` |
/// | `durable` | a durable actor of actor-durable; the rest of this page is about it |
///
/// # A durable actor
///
/// With `durable` the struct is what a durable actor keeps: it is `Serialize` and `Deserialize`, and `Default` unless
/// `#[init]` builds it. Each method is a command: with `&mut self` its turn is stored before it is answered, with `&self` it
/// only looks, and nothing is stored.
///
/// ```ignore
/// use actor_core::actor;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Default, Serialize, Deserialize)]
/// struct Counter {
///     n: i64,
/// }
///
/// #[actor(durable)]
/// impl Counter {
///     fn inc(&mut self, by: i64) -> i64 {
///         self.n += by;
///         self.n
///     }
/// }
///
/// let system = DurableSystem::builder(&ActorSystem::current(), store).register(Counter::durable()).start().await?;
/// let counter = CounterRef::new(&system, "c1")?;
/// assert_eq!(counter.inc(3).await?, 3);
/// ```
///
/// | item | what it is |
/// |---|---|
/// | `CounterRef` | a typed reference: a method per command. What it returns is awaited for the reply, or put into the inbox by `.send()`; `.id(..)` and `.timeout(..)` refine it. See `actor_durable::DurableAsk` |
/// | `CounterCommand`, `CounterReply` | enums with a variant per method: `Inc(i64)` |
/// | `CounterError` | the same of those methods that return `Result<T, E>`, whose error is a refusal: the state is as it was before. Absent if there are none |
/// | `CounterDurable` | the `actor_durable::DurableActor` whose state the struct is |
/// | `Counter::durable` | makes that: `.register(Counter::durable())` |
///
/// A method may be `async`, and may take `turn: &mut Turn<'_, CounterDurable>` as its first argument, to send, to set
/// reminders and the like: `turn.remind("later", due, &CounterCommand::Inc(1))`. Arguments and replies are `Serialize` and
/// `DeserializeOwned`; the `E` of a `Result<T, E>` is `Display` too.
///
/// A `Result` is known by its name: an alias, such as `type Answer<T> = Result<T, E>`, does not compile. All of this is stored in
/// postcard, which does not describe itself: see `Durable::State` for what serde's attributes cannot say then.
///
/// | attribute | effect |
/// |---|---|
/// | `#[init]` | builds the state of a new actor, at once: `fn new(id: &DurableId) -> Self`, or without the id |
/// | `#[started]` | runs once in the actor's life, and may take the turn |
/// | `#[recovered]` | runs with each activation, before everything else; makes what is not kept. May take `id: &DurableId` |
/// | `#[checkpoint]` | takes `&self`, and perhaps `id: &DurableId`: see `Durable::on_checkpoint` |
/// | `#[answer]` | makes a command of the answer to what the actor has asked by `turn.ask`: `fn heard(answer: &Answer<'_>) -> Result<CounterCommand, CodecError>`. See `Durable::on_answer` |
/// | `#[was("add(by: i64)")]` | the method also takes the commands that an older program stored by this name |
///
/// | option | effect |
/// |---|---|
/// | `durable = "counter"` | what stores call the type; without a name, as the struct is called. It outlives the code: give one before the struct is renamed |
/// | `durability = Lazy` | or `WriteThrough`, `WriteBack(interval)`, `Volatile` |
/// | `idle = duration` | after so long without a command its memory is given back |
/// | `remembered = 1000` | how many handled messages it remembers |
/// | `version = 2`, `upcast = path` | the version of the struct's form, and the `fn(u32, &[u8]) -> Result<Counter, CodecError>` that reads older ones |
/// | `derive(..)` | derives for `CounterCommand` |
/// | `pub`, .., `crate = "path"` | as above; `crate` says where actor-durable is |
///
/// ## When the program changes
///
/// Commands and replies are stored by name, with the arguments' names and types as they are written: `inc(by: i64)`,
/// `inc -> i64`. So methods may be added, removed and put in another order. A command of a name that is gone is a dead
/// letter, and such a reply is `AskError::BadReply`; the name is in the error, and nothing is read as something else.
///
/// * A method that is renamed, or whose types are written in another way and are the same, has its old name in `#[was(..)]`.
/// * Where arguments change, the method of old stays beside the new one, under another name: `#[was("inc(by: i64)")] fn
///   inc_one(&mut self, by: i64) { self.inc(by, 1); }`. It may go when no inbox, outbox or reminder holds such a command.
/// * What a name cannot tell is the inside of a type: where the fields of an argument's struct change, use another type. And
///   where the fields of the actor's struct change, raise `version`.
#[proc_macro_attribute]
pub fn actor(options: TokenStream, item: TokenStream) -> TokenStream {
    expand::actor(options.into(), item.into()).into()
}
