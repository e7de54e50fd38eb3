//! The two traits of the payload codec. Types implement them in `impls/`, or by
//! their derives.

use actor_core::{Instant, ReplyPort};
use bytes::{Bytes, BytesMut};

use super::context::WireContext;
use super::decoder::Decoder;
use super::encoder::Encoder;
use super::error::{DecodeError, EncodeError};
use super::pending::{PendingReplies, PendingReply};
use super::reply::ReplyTo;
use super::schema::{Form, Types};
use super::tag::{TypeTag, VariantTag};

/// A value with a binary form: what messages and answers are made of.
///
/// Derive it with `#[derive(Wire)]`. [The module](super) describes the format.
///
/// A hand-written form must read back exactly the bytes it wrote, must not panic on
/// bytes it did not write, and calls [`nested`](Decoder::nested) and
/// [`charge`](Decoder::charge) on both sides where their documentation says so.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no wire form",
    label = "needed in a message or an answer",
    note = "add `#[derive(Wire)]` to `{Self}`",
    note = "or mark the field `#[wire(serde)]`, `#[wire(prost)]` or `#[wire(with = \"module\")]`"
)]
pub trait Wire: Sized {
    /// Names the form.
    const TYPE: TypeTag;

    /// The fewest bytes that any value takes; zero is always right. Lists check their
    /// counts with it before they reserve memory.
    const ENCODED_BYTES_MIN: usize;

    /// Appends the value. Called once more for a message that does not go into one frame.
    ///
    /// # Errors
    ///
    /// Where the value is over a limit or has no form.
    fn encode(&self, enc: &mut Encoder<'_>) -> Result<(), EncodeError>;

    /// Reads a value.
    ///
    /// # Errors
    ///
    /// Where the bytes are no such value.
    fn decode(dec: &mut Decoder<'_>) -> Result<Self, DecodeError>;

    /// Describes the form, so that two builds of a program can compare theirs.
    ///
    /// Unless a hand-written form says more it is known by its [`TYPE`](Self::TYPE) alone: give it another
    /// one whenever its bytes change, or describe it by a form of other types, `<(u32, u32)>::describe(types)`.
    fn describe(types: &mut Types) -> Form {
        let _ = types;
        Form::opaque(Self::TYPE)
    }

    /// Appends many values; for types with a faster way than one by one.
    #[doc(hidden)]
    fn encode_slice(values: &[Self], enc: &mut Encoder<'_>) -> Result<(), EncodeError> {
        values.iter().try_for_each(|value| value.encode(enc))
    }

    /// Reads many values, whose count [`Decoder::take_count`] has checked.
    #[doc(hidden)]
    fn decode_vec(count: usize, dec: &mut Decoder<'_>) -> Result<Vec<Self>, DecodeError> {
        let mut values = Vec::with_capacity(count);
        for _ in 0..count {
            values.push(Self::decode(dec)?);
        }
        Ok(values)
    }

    /// Reads a fixed number of values.
    #[doc(hidden)]
    fn decode_array<const N: usize>(dec: &mut Decoder<'_>) -> Result<[Self; N], DecodeError> {
        let mut slots = [const { None }; N];
        for slot in &mut slots {
            *slot = Some(Self::decode(dec)?);
        }
        Ok(slots.map(|slot: Option<Self>| slot.expect("every slot was filled above")))
    }
}

/// How urgent the messages of a type are beside those of others, to the same node. The answers to its calls are as urgent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Urgency {
    /// They have a lane of their own, ahead of all others: what others send, and how many actors of others have no room,
    /// delays them by no more than what is in the wire already. For little that is needed at once, such as the heartbeats of a
    /// consensus protocol. After [`URGENT_TURNS`](crate::limits::URGENT_TURNS) segments of them others have their turn once.
    Urgent,
    /// They take turns with those of other types.
    #[default]
    Normal,
    /// They may take their time: they have a lane of their own, behind all others. For what is large.
    Bulk,
}

/// A message that can go to an actor on another node.
///
/// Derive it with `#[derive(RemoteMessage)]`. The type and the variant travel in the
/// frame's header, so the payload holds the fields alone.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot go to another node",
    label = "not a remote message",
    note = "add `#[derive(RemoteMessage)]` to the enum `{Self}`",
    note = "a type that only serde knows goes as a `wire::serde::Serde`"
)]
pub trait RemoteMessage: Sized + Send + 'static {
    /// Names the type.
    const TYPE: TypeTag;

    /// How urgent its messages are beside those of other types, to the same node.
    const URGENCY: Urgency = Urgency::Normal;

    /// Names the variant of this value.
    fn variant(&self) -> VariantTag;

    /// Appends every field but the reply port. It borrows the message, so that one
    /// that could not be sent goes back to its sender whole. Called once more for a message that does not go into one frame.
    ///
    /// # Errors
    ///
    /// Where a field is over a limit or has no form.
    fn encode_fields(&self, enc: &mut Encoder<'_>) -> Result<(), EncodeError>;

    /// Whether this is a call, and until when its caller waits. `None` for a cast, and for
    /// a call whose answer [nobody](ReplyPort::nobody) wants, which travels as one.
    fn call(&self) -> Option<CallHeader>;

    /// Takes the reply port out of a call, once its fields are on their way, and keeps it among
    /// those that are pending; [nobody's](ReplyPort::nobody) takes its place. `None` where [`call`](Self::call) says `None`.
    fn take_reply(&mut self, pending: &mut PendingReplies) -> Option<PendingReply>;

    /// Reads the fields of a variant, to the payload's end, and puts the message
    /// together.
    ///
    /// A call takes `reply`, as the last thing it does: after an error it is still
    /// there, and the caller can be told that the call never ran.
    ///
    /// # Errors
    ///
    /// Where the variant is unknown, the bytes are not its fields, or a cast comes with
    /// `reply`. A call may come without: then nobody wants its answer.
    fn decode(
        variant: VariantTag,
        dec: Decoder<'_>,
        reply: &mut Option<ReplyTo>,
    ) -> Result<Self, DecodeError>;

    /// Describes the message, as [`Wire::describe`] does a value.
    fn describe(types: &mut Types) -> Form {
        let _ = types;
        Form::opaque(Self::TYPE)
    }
}

/// What a frame's header says of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallHeader {
    /// When the caller stops waiting, on its own node's clock.
    pub deadline: Option<Instant>,
}

impl CallHeader {
    /// Reads it off the call's reply port.
    pub fn of<T>(port: &ReplyPort<T>) -> Self {
        Self { deadline: port.deadline() }
    }
}

/// The bytes of one value.
///
/// # Errors
///
/// As [`Wire::encode`].
pub fn to_bytes<T: Wire>(value: &T, context: &WireContext) -> Result<Bytes, EncodeError> {
    let mut buffer = BytesMut::new();
    value.encode(&mut Encoder::new(&mut buffer, context))?;
    Ok(buffer.freeze())
}

/// The value that takes all of `bytes`.
///
/// # Errors
///
/// As [`Wire::decode`], and where bytes are left over.
pub fn from_bytes<T: Wire>(bytes: &Bytes, context: &WireContext) -> Result<T, DecodeError> {
    let mut dec = Decoder::new(bytes, context);
    let value = T::decode(&mut dec).and_then(|value| dec.finish().map(|()| value));
    value.map_err(|error| error.within::<T>(""))
}
