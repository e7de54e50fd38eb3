//! Spans of time and wall-clock moments. There is none for monotonic instants: they
//! mean nothing on another node.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::wire::schema::{Form, Types};
use crate::wire::{DecodeError, DecodeErrorKind, Decoder, EncodeError, Encoder, TypeTag, Wire};

const NANOS_PER_SECOND: u32 = 1_000_000_000;

/// Whole seconds as `u64`, and nanoseconds below a second as `u32`.
impl Wire for Duration {
    const TYPE: TypeTag = TypeTag::named("duration");
    const ENCODED_BYTES_MIN: usize = <(u64, u32)>::ENCODED_BYTES_MIN;

    fn describe(_: &mut Types) -> Form {
        Form::named("duration")
    }

    fn encode(&self, enc: &mut Encoder<'_>) -> Result<(), EncodeError> {
        (self.as_secs(), self.subsec_nanos()).encode(enc)
    }

    fn decode(dec: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let (seconds, nanos) = Wire::decode(dec)?;
        if nanos < NANOS_PER_SECOND {
            Ok(Self::new(seconds, nanos))
        } else {
            Err(dec.error(DecodeErrorKind::OutOfRange))
        }
    }
}

/// Whether it is before 1970, and how far from the beginning of 1970 it is. Systems
/// differ in which moments and in how small steps they can express.
impl Wire for SystemTime {
    const TYPE: TypeTag = TypeTag::named("system-time");
    const ENCODED_BYTES_MIN: usize = <(bool, Duration)>::ENCODED_BYTES_MIN;

    fn describe(_: &mut Types) -> Form {
        Form::named("system-time")
    }

    fn encode(&self, enc: &mut Encoder<'_>) -> Result<(), EncodeError> {
        match self.duration_since(UNIX_EPOCH) {
            Ok(after) => (false, after).encode(enc),
            Err(error) => (true, error.duration()).encode(enc),
        }
    }

    fn decode(dec: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let moment = match Wire::decode(dec)? {
            (false, after) => UNIX_EPOCH.checked_add(after),
            (true, before) => UNIX_EPOCH.checked_sub(before),
        };
        moment.ok_or_else(|| dec.error(DecodeErrorKind::OutOfRange))
    }
}
