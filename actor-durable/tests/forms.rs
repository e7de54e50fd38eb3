//! Values that serde writes and does not read again, or reads as others: nothing of them is stored.

use actor_durable::{
    ActivationError, AskError, CodecError, Decision, Durable, DurableActor, DurableBuilder, DurableId,
    DurableSystem, EventSourced, MemoryStore, NoError, NotApplied, Turn,
};
use actor_testkit::Simulation;
use serde::{Deserialize, Serialize};

/// Its form says which it is in a way that only texts such as JSON tell again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Untagged {
    Number(u8),
    Text(String),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Sparse {
    #[serde(skip_serializing_if = "Option::is_none")]
    maybe: Option<u8>,
    rest: Vec<u8>,
}

/// Its state leaves a field out once that is told.
struct Leaver;

impl Durable for Leaver {
    const TYPE: &'static str = "leaver";
    type State = Sparse;
    type Command = Option<u8>;
    type Reply = Option<u8>;
    type Error = NoError;

    fn create(&self, _: &DurableId) -> Sparse {
        Sparse { maybe: Some(1), rest: vec![0, 0] }
    }
}

impl DurableActor for Leaver {
    async fn handle(
        &self,
        command: Option<u8>,
        state: &mut Sparse,
        _: &mut Turn<'_, Self>,
    ) -> Result<Option<u8>, NoError> {
        Ok(std::mem::replace(&mut state.maybe, command))
    }
}

/// Its first state cannot be read again.
struct Stater;

impl Durable for Stater {
    const TYPE: &'static str = "stater";
    type State = Untagged;
    type Command = ();
    type Reply = ();
    type Error = NoError;

    fn create(&self, _: &DurableId) -> Untagged {
        Untagged::Number(1)
    }
}

impl DurableActor for Stater {
    async fn handle(&self, (): (), _: &mut Untagged, _: &mut Turn<'_, Self>) -> Result<(), NoError> {
        Ok(())
    }
}

/// What happens to it cannot be read again, if it is told.
struct Historian;

impl Durable for Historian {
    const TYPE: &'static str = "historian";
    type State = u32;
    type Command = bool;
    type Reply = u32;
    type Error = NoError;

    fn create(&self, _: &DurableId) -> u32 {
        0
    }
}

impl EventSourced for Historian {
    type Event = Option<Untagged>;

    async fn decide(
        &self,
        is_bad: bool,
        state: &u32,
        _: &mut Turn<'_, Self>,
    ) -> Result<Decision<Option<Untagged>, u32>, NoError> {
        Ok(Decision::reply(*state).event(is_bad.then(|| Untagged::Text("x".to_owned()))))
    }

    fn apply(&self, state: &mut u32, _: &Option<Untagged>) {
        *state += 1;
    }
}

/// What it is told and answers cannot be read again.
#[cfg(debug_assertions)]
struct Echo;

#[cfg(debug_assertions)]
impl Durable for Echo {
    const TYPE: &'static str = "echo";
    type State = u32;
    type Command = Untagged;
    type Reply = Untagged;
    type Error = NoError;

    fn create(&self, _: &DurableId) -> u32 {
        0
    }
}

#[cfg(debug_assertions)]
impl DurableActor for Echo {
    async fn handle(&self, it: Untagged, n: &mut u32, _: &mut Turn<'_, Self>) -> Result<Untagged, NoError> {
        *n += 1;
        Ok(it)
    }
}

fn run(
    register: impl FnOnce(DurableBuilder) -> DurableBuilder,
    body: impl AsyncFnOnce(&DurableSystem) -> (),
) {
    let mut simulation = Simulation::seeded(5);
    let store = std::sync::Arc::new(MemoryStore::on(simulation.executor()));
    let builder = register(DurableSystem::builder(&simulation.system(), store));
    simulation.block_on(async {
        let system = builder.start().await.expect("the store gives a lease");
        body(&system).await;
        system.shutdown(std::time::Duration::from_secs(60)).await.expect("the store takes the lease back");
    });
}

fn unread(what: &'static str, version: u32) -> CodecError {
    let error = CodecError::Undecodable {
        what,
        version,
        why: "This is a feature that PostCard will never implement".into(),
    };
    CodecError::Unencodable { what, why: format!("it cannot be read again: {error}") }
}

fn not_applied<T: std::fmt::Debug>(answer: Result<T, AskError<NoError>>) -> NotApplied {
    match answer {
        Err(AskError::NotApplied(why)) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_state_that_leaves_a_field_out_is_not_stored_and_is_as_it_was() {
    run(
        |builder| builder.register(Leaver),
        async |system| {
            let actor = system.actor::<Leaver>("a").expect("a good id");
            assert_eq!(actor.call(Some(2)).await.ok(), Some(Some(1)));
            let NotApplied::Codec(CodecError::Unencodable { what, why }) =
                not_applied(actor.call(None).await)
            else {
                panic!("it has no form");
            };
            assert_eq!(what, "a state");
            assert_eq!(why, "the field `maybe` is left out, and whoever reads it would not miss it");
            system.passivate(actor.id()).await;
            assert_eq!(actor.call(Some(3)).await.ok(), Some(Some(2)), "it is as it was before");
        },
    );
}

#[test]
fn an_actor_whose_state_cannot_be_read_again_does_not_begin() {
    run(
        |builder| builder.register(Stater),
        async |system| {
            let actor = system.actor::<Stater>("a").expect("a good id");
            let why = not_applied(actor.call(()).await);
            let NotApplied::NotActivated(ActivationError::Codec { form, .. }) = why else {
                panic!("{why:?}")
            };
            assert_eq!(form, unread("a state", 1));
        },
    );
}

#[test]
fn an_event_that_cannot_be_read_again_does_not_happen() {
    run(
        |builder| builder.register_event_sourced(Historian),
        async |system| {
            let actor = system.actor::<Historian>("a").expect("a good id");
            assert_eq!(actor.call(false).await.ok(), Some(0));
            let NotApplied::Codec(form) = not_applied(actor.call(true).await) else {
                panic!("it has no form")
            };
            assert_eq!(form, unread("an event", 1));
            assert_eq!(actor.call(false).await.ok(), Some(1));
        },
    );
}

/// Where programs are tried out; where they are to be fast, only what is kept for good is looked at.
#[test]
#[cfg(debug_assertions)]
fn a_command_or_reply_that_cannot_be_read_again_is_refused_where_a_program_is_tried_out() {
    run(
        |builder| builder.register(Echo),
        async |system| {
            let actor = system.actor::<Echo>("a").expect("a good id");
            let NotApplied::Codec(form) = not_applied(actor.send(Untagged::Number(1)).await) else {
                panic!("it has no form");
            };
            assert_eq!(form, unread("a command", 1));
            let NotApplied::Codec(form) = not_applied(actor.call(Untagged::Number(1)).await) else {
                panic!("it has no form");
            };
            assert_eq!(form, unread("a reply", 1));
        },
    );
}
