//! Identities of actors and nodes. Naming one gives no right to reach it.

use actor_core::{ActorId, Incarnation};

use crate::id::NodeId;
use crate::wire::schema::{Form, Types};
use crate::wire::{DecodeError, Decoder, EncodeError, Encoder, TypeTag, Wire};

/// The public key as it is.
impl Wire for NodeId {
    const TYPE: TypeTag = TypeTag::named("node-id");
    const ENCODED_BYTES_MIN: usize = NodeId::BYTES;

    fn describe(_: &mut Types) -> Form {
        Form::named("node-id")
    }

    fn encode(&self, enc: &mut Encoder<'_>) -> Result<(), EncodeError> {
        enc.put(self.as_bytes())
    }

    fn decode(dec: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        dec.take_array().map(Self::from_bytes)
    }
}

/// Its number.
impl Wire for Incarnation {
    const TYPE: TypeTag = TypeTag::named("incarnation");
    const ENCODED_BYTES_MIN: usize = u64::ENCODED_BYTES_MIN;

    fn describe(_: &mut Types) -> Form {
        Form::named("incarnation")
    }

    fn encode(&self, enc: &mut Encoder<'_>) -> Result<(), EncodeError> {
        self.as_u64().encode(enc)
    }

    fn decode(dec: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        u64::decode(dec).map(Self::from_u64)
    }
}

/// The incarnation, and the serial as `u64`.
impl Wire for ActorId {
    const TYPE: TypeTag = TypeTag::named("actor-id");
    const ENCODED_BYTES_MIN: usize = <(Incarnation, u64)>::ENCODED_BYTES_MIN;

    fn describe(_: &mut Types) -> Form {
        Form::named("actor-id")
    }

    fn encode(&self, enc: &mut Encoder<'_>) -> Result<(), EncodeError> {
        (self.incarnation(), self.serial()).encode(enc)
    }

    fn decode(dec: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        Wire::decode(dec).map(|(incarnation, serial)| Self::new(incarnation, serial))
    }
}
