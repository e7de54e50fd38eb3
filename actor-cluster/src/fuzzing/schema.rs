//! What peers and lock files say of message types.

use crate::limits::SCHEMA_BYTES_MAX;
use crate::wire::schema::{Schema, parse};

/// Two texts with a zero byte between them. Each that can be read is written in one way only, which reads
/// as the same; and the two of them are found to agree, or not, from both sides.
///
/// # Panics
///
/// If that does not hold.
pub fn schema(text: &str) {
    if text.len() > 2 * SCHEMA_BYTES_MAX {
        return;
    }
    let (one, other) = text.split_once('\0').unwrap_or((text, text));
    let one = read(one);
    let other = read(other);
    let (Some(one), Some(other)) = (one, other) else { return };
    let found = [one.compare(&other), other.compare(&one)].map(|found| found.map(drop));
    assert_eq!(found[0].is_ok(), found[1].is_ok(), "{one}{other}");
    for mismatch in found.into_iter().filter_map(Result::err) {
        assert!(!mismatch.to_string().is_empty());
    }
    if one.as_str() == other.as_str() {
        assert_eq!(one.fingerprint(), other.fingerprint());
    }
}

fn read(text: &str) -> Option<Schema> {
    let schema = parse(text).ok()?;
    let written = schema.as_str().to_owned();
    let again = parse(&written).expect("what was written can be read");
    assert_eq!(again.as_str(), written, "there is one way to write it");
    assert_eq!((again.fingerprint(), again.name()), (schema.fingerprint(), schema.name()));
    assert!(schema.compare(&again).is_ok(), "it agrees with itself");
    Some(schema)
}
