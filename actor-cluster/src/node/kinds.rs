//! What peers may have started here, and how that is done.
//!
//! ```text
//!  Call to the spawner ──► authorize ──► decode ──► pre_start ──► Reply: the address, or why not
//!                                                                   │
//!                       killed ◄── nobody waits, or the session ends, before ──► Claim
//! ```

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Weak};

use actor_core::{Actor, ActorCell, ActorSystem, CallFailure, Exit, Rejection, SpawnError, SpawnOptions};
use bytes::Bytes;

use super::Node;
use super::link::Link;
use super::rights::ask;
use super::spawning::{Asked, Refusal, arguments_of};
use crate::authorize::{Operation, Subject};
use crate::contain::contained;
use crate::limits::LABEL_BYTES_MAX;
use crate::session::Correlation;
use crate::wire::schema::Fingerprint;
use crate::wire::{EncodeReply, RemoteMessage, TypeTag, Wire, WireContext, from_bytes};

/// The kinds of actors that peers may have started, by name.
#[derive(Default)]
pub(super) struct Kinds(BTreeMap<Arc<str>, Arc<dyn Kind>>);

/// An actor that has started, and what its requester is told.
type Begun = (ActorCell, Box<dyn EncodeReply + Send>);
type Beginning = Pin<Box<dyn Future<Output = Result<Begun, Refusal>> + Send>>;

trait Kind: Send + Sync {
    fn message(&self) -> TypeTag;

    fn arguments(&self) -> Fingerprint;

    /// Reads the arguments and begins to start an actor.
    fn begin(&self, home: Home, arguments: &Bytes, context: &WireContext) -> Result<Beginning, Refusal>;
}

/// Where actors are started, and are known from.
struct Home {
    system: ActorSystem,
    node: Weak<Node>,
}

struct Made<F>(F);

impl Kinds {
    pub(super) fn register<A, F>(&mut self, kind: Arc<str>, make: F)
    where
        A: Actor<Msg: RemoteMessage, Arguments: Wire>,
        F: Fn() -> A + Send + Sync + 'static,
    {
        self.0.insert(kind, Arc::new(Made(make)));
    }

    pub(super) fn are_usable(&self) -> bool {
        self.0.keys().all(|kind| (1..=LABEL_BYTES_MAX).contains(&kind.len()))
    }
}

impl<A, F> Kind for Made<F>
where
    A: Actor<Msg: RemoteMessage, Arguments: Wire>,
    F: Fn() -> A + Send + Sync + 'static,
{
    fn message(&self) -> TypeTag {
        A::Msg::TYPE
    }

    fn arguments(&self) -> Fingerprint {
        arguments_of::<A::Msg, A::Arguments>()
    }

    fn begin(&self, home: Home, arguments: &Bytes, context: &WireContext) -> Result<Beginning, Refusal> {
        let read = contained("a decoder", || from_bytes::<A::Arguments>(arguments, context));
        let arguments = match read {
            Some(read) => read.map_err(|error| Refusal::Undecodable(error.to_string().into()))?,
            None => return Err(Refusal::Undecodable("its decoder panicked".into())),
        };
        let actor = contained("what makes an actor", &self.0)
            .ok_or_else(|| Refusal::Startup(Exit::Panicked("the actor could not be made".into())))?;
        Ok(Box::pin(async move {
            let started = home.system.spawn(actor, arguments, SpawnOptions::new()).await;
            let actor = started.map_err(|error| match error {
                SpawnError::Startup(exit) => Refusal::Startup(exit),
                other => Refusal::Other(other.to_string().into()),
            })?;
            // Now, so that the answer can be written.
            if home.node.upgrade().is_none_or(|node| node.exports.export(&actor, node.catalog()).is_err()) {
                actor.kill();
                return Err(Refusal::Busy);
            }
            Ok((actor.cell(), Box::new(Ok::<_, Refusal>(actor)) as Box<dyn EncodeReply + Send>))
        }))
    }
}

/// A peer wants an actor started. Its call is answered here, whatever comes of it.
pub(super) fn on_request(node: &Arc<Node>, link: &Arc<Link>, call: Correlation, fields: &Bytes) {
    let asked = match Asked::read(fields, &link.context) {
        Ok(asked) => asked,
        Err(error) => return reject(link, call, Rejection::Undecodable(error.to_string().into())),
    };
    let Some((name, kind)) = node.kinds.0.get_key_value(&*asked.kind) else {
        return refuse(link, call, Refusal::NoSuchKind);
    };
    if let Err(rejection) = ask(node, link, Operation::Spawn, &Subject::Kind(name.clone())) {
        return reject(link, call, rejection);
    }
    if (asked.message, asked.arguments_form) != (kind.message(), kind.arguments()) {
        return refuse(link, call, Refusal::WrongType);
    }
    if !link.begin_newborn() {
        return refuse(link, call, Refusal::Busy);
    }
    let home = Home { system: node.system.clone(), node: Arc::downgrade(node) };
    let coming = Coming { link: link.clone(), call, is_answered: false };
    let bytes = asked.arguments.len();
    let (at, kind, link, reading) = (node.clone(), kind.clone(), link.clone(), link.begin_reading(bytes));
    node.aside_if_long(bytes, move || {
        let _reading = reading;
        match kind.begin(home, &asked.arguments, &link.context) {
            Ok(beginning) => at.spawn_intake(async move { coming.answer(beginning.await) }),
            Err(refusal) => coming.answer(Err(refusal)),
        }
    });
}

fn reject(link: &Link, call: Correlation, rejection: Rejection) {
    link.act(|session| session.answer_at_once(call, Err(CallFailure::Rejected(rejection))));
}

fn refuse(link: &Link, call: Correlation, refusal: Refusal) {
    let answer: Result<(), Refusal> = Err(refusal);
    link.act(|session| session.answer_at_once(call, Ok(&answer)));
}

/// An actor that is being started has a place until its requester is answered.
struct Coming {
    link: Arc<Link>,
    call: Correlation,
    is_answered: bool,
}

impl Coming {
    fn answer(mut self, begun: Result<Begun, Refusal>) {
        self.is_answered = true;
        match begun {
            Err(refusal) => {
                let answer: Result<(), Refusal> = Err(refusal);
                self.link.end_newborn(self.call, Err(&answer));
            }
            Ok((actor, answer)) => {
                if !self.link.end_newborn(self.call, Ok((&actor, &*answer))) {
                    // Nobody waits for it any more.
                    actor.kill();
                }
            }
        }
    }
}

impl Drop for Coming {
    /// The task was dropped, because the node shuts down.
    fn drop(&mut self) {
        if !self.is_answered {
            let answer: Result<(), Refusal> = Err(Refusal::Other("the node shuts down".into()));
            self.link.end_newborn(self.call, Err(&answer));
        }
    }
}
