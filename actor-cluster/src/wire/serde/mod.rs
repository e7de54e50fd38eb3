//! The codec of `#[wire(serde)]` fields: a block that holds the value's postcard
//! form. And [`Serde`] and [`SerdeCall`], messages that are serde types as a whole.
//! Lives here: the way in and out. Must not live here: how a hostile block is
//! kept harmless (`bounded.rs`).

mod bounded;
mod message;

use ::serde::Serialize;
use ::serde::de::DeserializeOwned;
use postcard::ser_flavors::Flavor;

use self::bounded::{Bounded, Meter};
pub use self::message::{Serde, SerdeCall, named};
use super::{DecodeError, DecodeErrorKind, Decoder, EncodeError, Encoder};

/// Appends the value.
///
/// # Errors
///
/// [`EncodeError::TooLarge`], and [`EncodeError::Custom`] where the value or
/// postcard refuses.
pub fn encode<T: Serialize + ?Sized>(value: &T, enc: &mut Encoder<'_>) -> Result<(), EncodeError> {
    enc.put_block(|enc| {
        postcard::serialize_with_flavor(value, Appender(&mut *enc)).map_err(|error| match error {
            postcard::Error::SerializeBufferFull => enc.too_large(),
            error => EncodeError::custom::<T>(error),
        })
    })
}

/// Reads a value. The decoder's bounds on depth and memory hold for it too.
///
/// # Errors
///
/// [`DecodeErrorKind::Custom`] where postcard or the type refuses the bytes,
/// [`DecodeErrorKind::TooDeep`], [`DecodeErrorKind::TooMuchMemory`],
/// [`DecodeErrorKind::TrailingBytes`] where the block is longer than the value, and
/// as [`Decoder::take_block`].
pub fn decode<T: DeserializeOwned>(dec: &mut Decoder<'_>) -> Result<T, DecodeError> {
    let block = dec.take_block()?;
    let mut meter = Meter::new(dec.budget());
    let mut postcard = postcard::Deserializer::from_bytes(&block);
    let outcome = T::deserialize(Bounded::new(&mut postcard, &mut meter));
    let breach = meter.breach();
    let value = outcome.map_err(|error| match breach {
        Some(breach) => dec.breached(breach),
        None => dec.error(DecodeErrorKind::custom(error)),
    })?;
    match postcard.finalize() {
        Ok([]) => Ok(value),
        Ok(rest) => Err(dec.error(DecodeErrorKind::TrailingBytes { bytes: rest.len() })),
        Err(error) => Err(dec.error(DecodeErrorKind::custom(error))),
    }
}

/// Lets postcard write into the encoder.
struct Appender<'e, 'a>(&'e mut Encoder<'a>);

impl Flavor for Appender<'_, '_> {
    type Output = ();

    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.try_extend(&[byte])
    }

    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        self.0.put(bytes).map_err(|_| postcard::Error::SerializeBufferFull)
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}
