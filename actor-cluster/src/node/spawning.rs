//! Actors that are started on another node: how it is asked, and what is answered.
//! `docs/PROTOCOL.md` §4.7.

use std::future::Future;
use std::sync::Arc;

use actor_core::{ActorCell, ActorRef, CallError, CallFailure, Exit, Rejection, ReplyPort, SendError};
use bytes::Bytes;

use super::Node;
use super::outbound::{RemoteControl, remote_ref};
use super::references;
use crate::error::SpawnOnError;
use crate::id::NodeId;
use crate::locked::locked;
use crate::session::{Shape, codes};
use crate::wire::reference::{Home, Reference};
use crate::wire::schema::{Fingerprint, Form, Schema, Types};
use crate::wire::support::{call_header, pending_reply};
use crate::wire::{
    CallHeader, DecodeError, DecodeErrorKind, Decoder, EncodeError, Encoder, PendingReplies, PendingReply,
    RemoteMessage, ReplyTo, TypeTag, VariantTag, Wire, WireContext,
};

/// What a request to start an actor is addressed to: the number of no actor.
pub(super) const SPAWNER: u64 = 0;

/// Asks a node to start an actor, and waits until it has started.
pub(super) fn spawn_on<M: RemoteMessage, T: Wire + Send + 'static>(
    node: &Arc<Node>,
    on: NodeId,
    kind: Arc<str>,
    arguments: T,
) -> impl Future<Output = Result<Newborn<M>, SpawnOnError>> + Send + use<M, T> {
    let peer = locked(&node.peers).present.get(&on).cloned();
    let executor = node.executor().clone();
    async move {
        let peer = peer.ok_or(SpawnOnError::NotConnected)?;
        let spawner = peer.life.actor(SPAWNER);
        let spawner: ActorRef<Request<M, T>> = remote_ref(peer, spawner, None, None, executor);
        match spawner.call(|port| Request { kind, arguments, port }).await {
            Ok(answer) => answer.map_err(Refusal::into_error),
            Err(error) => Err(to_error(&error)),
        }
    }
}

/// An actor that was started for somebody, who has not taken it yet. Dropping it, also on the way
/// to a caller who has gone away, kills the actor.
pub(super) struct Newborn<M: RemoteMessage> {
    actor: ActorRef<M>,
    is_claimed: bool,
}

impl<M: RemoteMessage> Newborn<M> {
    pub(super) fn cell(&self) -> ActorCell {
        self.actor.cell()
    }

    /// Takes the actor, which goes on living when the session ends.
    pub(super) fn claim(mut self) -> ActorRef<M> {
        self.is_claimed = true;
        self.decide(false);
        self.actor.clone()
    }

    fn decide(&self, is_unwanted: bool) {
        let remote: Option<&RemoteControl> = self.actor.foreign_control();
        // If the session has ended, the actor was killed with it.
        if let Some(link) = remote.and_then(|remote| remote.peer.link()) {
            link.act(|session| session.claim(self.actor.id().serial(), is_unwanted));
        }
    }
}

impl<M: RemoteMessage> Drop for Newborn<M> {
    fn drop(&mut self) {
        if !self.is_claimed {
            self.decide(true);
        }
    }
}

/// Reads what the node that has started the actor writes as its address.
impl<M: RemoteMessage> Wire for Newborn<M> {
    const TYPE: TypeTag = <ActorRef<M>>::TYPE;
    const ENCODED_BYTES_MIN: usize = <ActorRef<M>>::ENCODED_BYTES_MIN;

    fn encode(&self, _: &mut Encoder<'_>) -> Result<(), EncodeError> {
        Err(EncodeError::custom::<Self>("whoever has asked for an actor keeps it"))
    }

    fn decode(dec: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let reference = Reference::decode(dec)?;
        if reference.home != Home::Writer {
            return Err(dec.error(DecodeErrorKind::custom("an actor of another node was started")));
        }
        let actor = references::resolve(dec, &reference)?;
        Ok(Self { actor, is_claimed: false })
    }
}

/// A request to start an actor, as its sender has it.
struct Request<M: RemoteMessage, T> {
    kind: Arc<str>,
    arguments: T,
    port: ReplyPort<Result<Newborn<M>, Refusal>>,
}

/// A request to start an actor, as its receiver has it.
pub(super) struct Asked {
    pub(super) kind: String,
    /// What the actor is to take.
    pub(super) message: TypeTag,
    /// What the arguments look like to the sender.
    pub(super) arguments_form: Fingerprint,
    pub(super) arguments: Bytes,
}

impl Asked {
    pub(super) const SHAPE: Shape =
        Shape { message: TypeTag::named("actor_cluster::Spawner"), variant: VariantTag::named("Spawn") };

    pub(super) fn read(fields: &Bytes, context: &WireContext) -> Result<Self, DecodeError> {
        let mut dec = Decoder::new(fields, context);
        let kind = dec.take_text()?.to_owned();
        let message = TypeTag::from_u64(u64::decode(&mut dec)?);
        let arguments_form = Fingerprint::from_u64(u64::decode(&mut dec)?);
        let arguments = fields.slice(fields.len() - dec.bytes_left()..);
        Ok(Self { kind, message, arguments_form, arguments })
    }
}

/// What stands for the form of the arguments, down to their fields.
pub(super) fn arguments_of<M: RemoteMessage, T: Wire + Send + 'static>() -> Fingerprint {
    Schema::of::<Request<M, T>>().fingerprint()
}

impl<M: RemoteMessage, T: Wire + Send + 'static> RemoteMessage for Request<M, T> {
    const TYPE: TypeTag = Asked::SHAPE.message;

    fn describe(types: &mut Types) -> Form {
        Form::named("actor_cluster::Spawner").with(T::describe(types))
    }

    fn variant(&self) -> VariantTag {
        Asked::SHAPE.variant
    }

    fn encode_fields(&self, enc: &mut Encoder<'_>) -> Result<(), EncodeError> {
        enc.put_text(&self.kind)?;
        M::TYPE.as_u64().encode(enc)?;
        arguments_of::<M, T>().as_u64().encode(enc)?;
        self.arguments.encode(enc)
    }

    fn call(&self) -> Option<CallHeader> {
        call_header(&self.port)
    }

    fn take_reply(&mut self, pending: &mut PendingReplies) -> Option<PendingReply> {
        pending_reply(&mut self.port, pending)
    }

    fn decode(_: VariantTag, dec: Decoder<'_>, _: &mut Option<ReplyTo>) -> Result<Self, DecodeError> {
        Err(dec.error(DecodeErrorKind::custom("whoever is asked reads it otherwise")))
    }
}

/// Why an actor was not started, by the node that was asked.
pub(super) enum Refusal {
    NoSuchKind,
    WrongType,
    Undecodable(Arc<str>),
    Busy,
    Startup(Exit),
    Other(Arc<str>),
}

impl Refusal {
    fn into_error(self) -> SpawnOnError {
        match self {
            Self::NoSuchKind => SpawnOnError::NoSuchKind,
            Self::WrongType => SpawnOnError::WrongType,
            Self::Undecodable(text) => SpawnOnError::Undecodable(text),
            Self::Busy => SpawnOnError::Busy,
            Self::Startup(exit) => SpawnOnError::Startup(exit),
            Self::Other(text) => SpawnOnError::Refused(text),
        }
    }
}

/// A code, the code of an exit, and a text.
impl Wire for Refusal {
    const TYPE: TypeTag = TypeTag::named("actor_cluster::Refusal");
    const ENCODED_BYTES_MIN: usize = 3;

    fn encode(&self, enc: &mut Encoder<'_>) -> Result<(), EncodeError> {
        let (code, (exit, text)) = match self {
            Self::Other(text) => (0, (0, Some(&**text))),
            Self::NoSuchKind => (1, (0, None)),
            Self::WrongType => (2, (0, None)),
            Self::Undecodable(text) => (3, (0, Some(&**text))),
            Self::Busy => (4, (0, None)),
            Self::Startup(exit) => (5, codes::of_exit(exit)),
        };
        u8::encode(&code, enc)?;
        u32::encode(&exit, enc)?;
        text.map(|text| codes::cut(text).to_owned()).encode(enc)
    }

    fn decode(dec: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let (code, exit) = (u8::decode(dec)?, u32::decode(dec)?);
        let text = Option::<String>::decode(dec)?;
        let text_or_none = || codes::cut(text.as_deref().unwrap_or_default()).into();
        Ok(match code {
            1 => Self::NoSuchKind,
            2 => Self::WrongType,
            3 => Self::Undecodable(text_or_none()),
            4 => Self::Busy,
            5 => Self::Startup(codes::to_exit(exit, text)),
            // A later version's, perhaps.
            _ => Self::Other(text_or_none()),
        })
    }
}

fn to_error<M: RemoteMessage, T>(error: &CallError<Request<M, T>>) -> SpawnOnError {
    match error {
        CallError::NotSent(SendError::Unsendable(_, text)) => SpawnOnError::Unsendable(text.clone()),
        CallError::NotSent(_) | CallError::Failed(CallFailure::NeverLeft) => SpawnOnError::NotConnected,
        CallError::Failed(CallFailure::Rejected(rejection)) => match rejection {
            Rejection::Forbidden => SpawnOnError::Forbidden,
            Rejection::Undecodable(text) => SpawnOnError::Undecodable(text.clone()),
            Rejection::Full => SpawnOnError::Busy,
            _ => SpawnOnError::NoSuchKind,
        },
        CallError::Failed(_) => SpawnOnError::Unknown,
    }
}
