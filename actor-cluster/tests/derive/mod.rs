//! The payload codec and its derives, as a user sees them. Lives here: the checks
//! that every type must pass.

mod golden;
mod hostile;
mod messages;
mod provided;
mod replies;
mod serde;
mod shapes;
mod versions;

use std::fmt::Debug;

use actor_cluster::Wire;
use actor_cluster::wire::{DecodeErrorKind, WireContext, from_bytes, to_bytes};
use bytes::{BufMut, Bytes, BytesMut};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

/// Runs [`assert_survives`] over many values.
fn check<T: Wire + Debug + PartialEq>(values: impl Strategy<Value = T>) {
    let config = ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() };
    let garbage = proptest::collection::vec(any::<u8>(), 0..64);
    let outcome = TestRunner::new(config).run(&(values, garbage), |(value, garbage)| {
        assert_survives(&value);
        assert_harmless::<T>(&garbage);
        Ok(())
    });
    outcome.unwrap_or_else(|failure| panic!("{}: {failure}", std::any::type_name::<T>()));
}

/// The value comes back whole, and only from all of its bytes.
fn assert_survives<T: Wire + Debug + PartialEq>(value: &T) {
    let context = WireContext::default();
    let bytes = to_bytes(value, &context).unwrap();
    assert!(bytes.len() >= T::ENCODED_BYTES_MIN, "{value:?} is shorter than its type allows");
    assert_eq!(&from_bytes::<T>(&bytes, &context).unwrap(), value);
    // Long values are cut and damaged at some of their bytes only.
    let step = 1 + bytes.len() / 64;
    for end in (0..bytes.len()).step_by(step) {
        assert!(from_bytes::<T>(&bytes.slice(..end), &context).is_err(), "{value:?} cut at {end}");
    }
    let error = from_bytes::<T>(&with_one_more(&bytes), &context).unwrap_err();
    assert_eq!(error.kind(), &DecodeErrorKind::TrailingBytes { bytes: 1 }, "{value:?}");
    for (index, byte) in bytes.iter().enumerate().step_by(step) {
        let mut damaged = bytes.to_vec();
        damaged[index] = byte.wrapping_add(1 + u8::try_from(index % 255).unwrap());
        assert_harmless::<T>(&damaged);
    }
}

/// Any bytes give a value or an error, and a value can be encoded again.
fn assert_harmless<T: Wire>(bytes: &[u8]) {
    let context = WireContext::default();
    if let Ok(value) = from_bytes::<T>(&Bytes::copy_from_slice(bytes), &context) {
        to_bytes(&value, &context).unwrap();
    }
}

fn with_one_more(bytes: &Bytes) -> Bytes {
    let mut longer = BytesMut::from(&bytes[..]);
    longer.put_u8(0);
    longer.freeze()
}
