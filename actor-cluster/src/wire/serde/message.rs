//! Messages that are serde types and nothing more: somebody else's, or one's own without a
//! derive of ours.
//!
//! ```text
//!  Serde<T, TAG>          a cast of a T
//!  SerdeCall<Q, A, TAG>   a call: a Q, answered with an A
//!
//!  on the wire            a RemoteMessage of one variant with one `#[wire(serde)]` field
//! ```

use ::serde::Serialize;
use ::serde::de::DeserializeOwned;
use actor_core::{Accepts, Answer, Answers, CallFailure, Destination, ReplyPort};

use super::{decode, encode};
use crate::wire::schema::{Form, Kind, Types};
use crate::wire::support::{BLOCK_BYTES_MIN, call_header, field_with, finish_cast};
use crate::wire::{
    CallHeader, DecodeError, DecodeErrorKind, Decoder, EncodeError, Encoder, PendingReplies, PendingReply,
    RemoteMessage, ReplyTo, TypeTag, VariantTag, Wire,
};

/// The number that a name has on the wire: `named("shop/order")`. It is that of
/// [`TypeTag::named`], as a constant argument of [`Serde`] and [`SerdeCall`].
pub const fn named(name: &str) -> u64 {
    TypeTag::named(name).as_u64()
}

/// A type that only serde knows, as a message of an actor, and as a value inside of others.
///
/// `TAG` is what nodes know the type by, in the place of the name that a derive would give
/// it: types that encode alike may share one, others must not. Give the whole a name of your
/// own, and an actor with that for its message is published and found like any other:
///
/// ```
/// use std::ops::Range;
///
/// use actor_cluster::testing::pipe::PipeNetwork;
/// use actor_cluster::transport::PeerIdentity;
/// use actor_cluster::wire::serde::{Serde, named};
/// use actor_cluster::{NodeId, NodeServer};
/// use actor_core::{Actor, ActorError, ActorRef, ActorSystem, Recipient, SpawnOptions};
///
/// /// A type of the standard library: no derive of ours can stand on it.
/// type Pages = Serde<Range<u32>, { named("print/pages") }>;
///
/// struct Printer;
///
/// impl Actor for Printer {
///     type Msg = Pages;
///     type State = u32;
///     type Arguments = ();
///
///     async fn pre_start(&self, _: &ActorRef<Pages>, _: ()) -> Result<u32, ActorError> {
///         Ok(0)
///     }
///
///     async fn handle(&self, _: &ActorRef<Pages>, Serde(pages): Pages, n: &mut u32) -> Result<(), ActorError> {
///         *n += pages.end - pages.start;
///         Ok(())
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let network = PipeNetwork::new();
/// # let node = |name: &str, key: u8, system: &ActorSystem| {
/// #     let id = NodeId::from_bytes([key; 32]);
/// #     let transport = network.transport(name).with_identity(PeerIdentity::Node(id));
/// #     NodeServer::builder(id).name(name).system(system.clone()).transport(transport).start()
/// # };
/// # let (here, there) = (ActorSystem::new(), ActorSystem::new());
/// # let (a, b) = (node("a", 1, &here).await?, node("b", 2, &there).await?);
/// let printer = there.spawn(Printer, (), SpawnOptions::new()).await?;
/// b.publish("printer", &printer)?;
///
/// a.connect(&b.addresses()[0]).await?;
/// let printer = a.find::<Pages>("printer")?;
/// printer.cast(Serde(1..4))?;
/// // Or as an address that takes the type itself.
/// let printer: Recipient<Range<u32>> = printer.recipient();
/// printer.send(7..9).await?;
/// # Ok(())
/// # }
/// ```
///
/// The form is [postcard](super)'s, which is not self-describing: a type whose own decoder
/// asks what comes next (`#[serde(untagged)]`, `#[serde(flatten)]`, `serde_json::Value`)
/// cannot be read back, and one that leaves fields out when it encodes itself is misread.
/// Messages of several kinds, some of them serde types, are an enum with
/// `#[derive(RemoteMessage)]` and `#[wire(serde)]` on the fields.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Serde<T, const TAG: u64>(
    /// The value.
    pub T,
);

impl<T, const TAG: u64> From<T> for Serde<T, TAG> {
    fn from(value: T) -> Self {
        Self(value)
    }
}

impl<T: Send + 'static, const TAG: u64> Accepts<T> for Serde<T, TAG> {
    fn wrap(message: T) -> Self {
        Self(message)
    }

    fn take_back(self) -> Option<T> {
        Some(self.0)
    }
}

impl<T: Serialize + DeserializeOwned, const TAG: u64> Wire for Serde<T, TAG> {
    const TYPE: TypeTag = TypeTag::named("serde").with(TypeTag::from_u64(TAG));
    const ENCODED_BYTES_MIN: usize = BLOCK_BYTES_MIN;

    fn describe(_: &mut Types) -> Form {
        form("serde", TAG)
    }

    fn encode(&self, enc: &mut Encoder<'_>) -> Result<(), EncodeError> {
        encode(&self.0, enc)
    }

    fn decode(dec: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        decode(dec).map(Self)
    }
}

const CAST: VariantTag = VariantTag::named("cast");
const CALL: VariantTag = VariantTag::named("call");

impl<T: Serialize + DeserializeOwned + Send + 'static, const TAG: u64> RemoteMessage for Serde<T, TAG> {
    const TYPE: TypeTag = TypeTag::named("serde/cast").with(TypeTag::from_u64(TAG));

    fn describe(types: &mut Types) -> Form {
        let message = form("serde/cast", TAG);
        types.define::<Self>(<Self as RemoteMessage>::TYPE, Kind::Message, message, |_, described| {
            described.variant("cast");
            described.field("0", form("serde", TAG));
        })
    }

    fn variant(&self) -> VariantTag {
        CAST
    }

    fn encode_fields(&self, enc: &mut Encoder<'_>) -> Result<(), EncodeError> {
        encode(&self.0, enc)
    }

    fn call(&self) -> Option<CallHeader> {
        None
    }

    fn take_reply(&mut self, _: &mut PendingReplies) -> Option<PendingReply> {
        None
    }

    fn decode(
        variant: VariantTag,
        mut dec: Decoder<'_>,
        reply: &mut Option<ReplyTo>,
    ) -> Result<Self, DecodeError> {
        check(variant, CAST, &dec)?;
        let value = field_with(&mut dec, "Serde.0", decode::<T>)?;
        finish_cast(&dec, reply).map_err(|error| error.within::<Self>("Serde"))?;
        Ok(Self(value))
    }
}

/// A call whose request and answer only serde knows; [`Serde`] says the rest.
///
/// ```
/// use std::ops::Range;
///
/// use actor_cluster::wire::serde::{SerdeCall, named};
/// use actor_core::{ActorRef, Call, CallError};
///
/// /// Asks for the pages among these that are printed.
/// type Printed = SerdeCall<Range<u32>, Vec<Range<u32>>, { named("print/printed") }>;
///
/// async fn ask(printer: &ActorRef<Printed>) -> Result<Vec<Range<u32>>, CallError<Range<u32>>> {
///     Call::new(printer, 1..9).default_timeout().await
/// }
///
/// fn handle(SerdeCall { request, port }: Printed) {
///     let _ = port.send(vec![request]);
/// }
/// ```
#[derive(Debug)]
pub struct SerdeCall<Q, A, const TAG: u64> {
    /// What is asked.
    pub request: Q,
    /// Where the answer goes.
    pub port: ReplyPort<A>,
}

impl<Q: Send + 'static, A: Send + 'static, const TAG: u64> Accepts<Q> for SerdeCall<Q, A, TAG> {
    fn wrap(request: Q) -> Self {
        Self { request, port: ReplyPort::nobody() }
    }

    fn take_back(self) -> Option<Q> {
        Some(self.request)
    }
}

impl<Q: Send + 'static, A: Send + 'static, const TAG: u64> Answers<Q, A> for SerdeCall<Q, A, TAG> {
    fn wrap_call(request: Q, port: ReplyPort<A>) -> Self {
        Self { request, port }
    }

    fn take_back_call(self) -> Option<(Q, ReplyPort<A>)> {
        Some((self.request, self.port))
    }
}

impl<Q, A, const TAG: u64> RemoteMessage for SerdeCall<Q, A, TAG>
where
    Q: Serialize + DeserializeOwned + Send + 'static,
    A: Serialize + DeserializeOwned + Send + 'static,
{
    const TYPE: TypeTag = TypeTag::named("serde/call").with(TypeTag::from_u64(TAG));

    fn describe(types: &mut Types) -> Form {
        let message = form("serde/call", TAG);
        types.define::<Self>(Self::TYPE, Kind::Message, message, |_, described| {
            described.variant("call");
            described.answer(form("serde", TAG));
            described.field("request", form("serde", TAG));
        })
    }

    fn variant(&self) -> VariantTag {
        CALL
    }

    fn encode_fields(&self, enc: &mut Encoder<'_>) -> Result<(), EncodeError> {
        encode(&self.request, enc)
    }

    fn call(&self) -> Option<CallHeader> {
        call_header(&self.port)
    }

    fn take_reply(&mut self, pending: &mut PendingReplies) -> Option<PendingReply> {
        let deadline = self.call()?.deadline;
        let port = Unwrapping(Some(std::mem::replace(&mut self.port, ReplyPort::nobody())));
        let port = ReplyPort::<Serde<A, TAG>>::foreign(port, deadline, Destination::default());
        Some(pending.insert(port))
    }

    fn decode(
        variant: VariantTag,
        mut dec: Decoder<'_>,
        reply: &mut Option<ReplyTo>,
    ) -> Result<Self, DecodeError> {
        check(variant, CALL, &dec)?;
        let request = field_with(&mut dec, "SerdeCall.request", decode::<Q>)?;
        dec.finish().map_err(|error| error.within::<Self>("SerdeCall"))?;
        let port = reply.take().map_or_else(ReplyPort::nobody, |to| {
            let (deadline, destination) = (to.deadline(), to.destination());
            ReplyPort::foreign(Wrapping::<TAG>(to), deadline, destination)
        });
        Ok(Self { request, port })
    }
}

/// What is known of these types: what they are called.
fn form(name: &'static str, tag: u64) -> Form {
    Form::named(name).with(Form::named(TypeTag::from_u64(tag).to_string()))
}

/// Each of these messages has one variant.
fn check(variant: VariantTag, known: VariantTag, dec: &Decoder<'_>) -> Result<(), DecodeError> {
    if variant == known { Ok(()) } else { Err(dec.error(DecodeErrorKind::UnknownVariant { variant })) }
}

/// Where answers come from the wire and go to a local caller. There until it is answered.
struct Unwrapping<A>(Option<ReplyPort<A>>);

impl<A: Send + 'static, const TAG: u64> Answer<Serde<A, TAG>> for Unwrapping<A> {
    fn answer(&mut self, result: Result<Serde<A, TAG>, CallFailure>) {
        let Some(port) = self.0.take() else { return };
        match result {
            // A caller that went away does not miss its answer.
            Ok(Serde(value)) => drop(port.send(value)),
            Err(failure) => port.fail(failure),
        }
    }

    fn is_closed(&self) -> bool {
        self.0.as_ref().is_none_or(ReplyPort::is_closed)
    }
}

/// Where a local actor's answer goes to the wire.
struct Wrapping<const TAG: u64>(ReplyTo);

impl<A: Serialize + DeserializeOwned + Send + 'static, const TAG: u64> Answer<A> for Wrapping<TAG> {
    fn answer(&mut self, result: Result<A, CallFailure>) {
        self.0.answer(result.map(Serde::<A, TAG>));
    }

    fn is_closed(&self) -> bool {
        Answer::<Serde<A, TAG>>::is_closed(&self.0)
    }
}
