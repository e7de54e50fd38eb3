//! Payloads: what is decoded is what was encoded, and asks for no more memory than it may.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;

use crate::Wire;
use crate::wire::{WireContext, from_bytes, to_bytes};

/// A bit of everything that has a form of its own, and itself within itself.
#[derive(Clone, Debug, PartialEq, Wire)]
enum Rich {
    Nothing,
    Numbers {
        small: (u8, i16),
        large: [u64; 4],
        word: usize,
        float: f64,
        huge: i128,
    },
    Texts(String, char, Option<Box<str>>),
    Bytes(Bytes, Vec<u8>),
    Lists(Vec<Rich>, BTreeMap<u16, String>, BTreeSet<i32>),
    Either(Result<Box<Rich>, bool>),
    Times(Duration, Option<IpAddr>),
    Units(Vec<()>),
    #[wire(name = "Foreign")]
    Serde(#[wire(serde)] Foreign),
}

/// The same for what only serde knows.
#[derive(Clone, Debug, PartialEq, ::serde::Serialize, ::serde::Deserialize)]
enum Foreign {
    Nothing,
    Numbers(u8, i64, f32, Option<u128>),
    Texts { text: String, letter: char, inner: Option<Box<Foreign>> },
    Lists(Vec<Foreign>, BTreeMap<String, u64>, Vec<()>),
}

#[derive(Clone, Debug, PartialEq, Wire)]
struct ByForeign(#[wire(serde)] Foreign);

/// Bounds that a short input can reach.
fn context() -> WireContext {
    WireContext {
        payload_bytes_max: 1 << 16,
        depth_max: 32,
        heap_bytes_max: 1 << 16,
        ..WireContext::default()
    }
}

/// # Panics
///
/// If a value is not what its bytes say, or is larger than it may be.
pub fn payload(data: &[u8]) {
    check::<Rich>(data, heap_bytes);
}

/// # Panics
///
/// As [`payload`].
pub fn serde(data: &[u8]) {
    // Its length stands in front, which nobody should have to guess.
    let length = u32::try_from(data.len()).unwrap_or(u32::MAX).to_le_bytes();
    check::<ByForeign>(&[&length, data].concat(), |ByForeign(foreign)| foreign_heap_bytes(foreign));
}

fn check<T: Wire + PartialEq + std::fmt::Debug>(data: &[u8], heap_bytes: impl Fn(&T) -> usize) {
    let context = context();
    let Ok(value) = from_bytes::<T>(&Bytes::copy_from_slice(data), &context) else { return };
    assert!(heap_bytes(&value) <= context.heap_bytes_max, "{} bytes of heap", heap_bytes(&value));
    // A value in serde's form is only counted where it is decoded, and one in maps' order may be
    // shorter than it was.
    let again = to_bytes(&value, &context).expect("what came in may leave");
    assert!(again.len() <= data.len(), "{} bytes of {}", again.len(), data.len());
    let decoded = from_bytes::<T>(&again, &context).expect("what is encoded can be decoded");
    // By their bytes: a float may be none.
    assert_eq!(to_bytes(&decoded, &context).expect("as before"), again);
}

/// What a value has on the heap, at least.
fn heap_bytes(value: &Rich) -> usize {
    match value {
        Rich::Nothing | Rich::Numbers { .. } | Rich::Times(..) => 0,
        Rich::Texts(text, _, boxed) => text.len() + boxed.as_ref().map_or(0, |text| text.len()),
        // `Bytes` is a slice of the payload.
        Rich::Bytes(_, bytes) => bytes.len(),
        Rich::Lists(list, map, set) => {
            let texts: usize = map.values().map(|text| size_of::<(u16, String)>() + text.len()).sum();
            let values: usize = list.iter().map(|value| size_of::<Rich>() + heap_bytes(value)).sum();
            values + texts + set.len() * size_of::<i32>()
        }
        Rich::Either(Ok(inner)) => size_of::<Rich>() + heap_bytes(inner),
        Rich::Either(Err(_)) => 0,
        // No memory, but time.
        Rich::Units(units) => units.len(),
        Rich::Serde(foreign) => foreign_heap_bytes(foreign),
    }
}

fn foreign_heap_bytes(value: &Foreign) -> usize {
    match value {
        Foreign::Nothing | Foreign::Numbers(..) => 0,
        Foreign::Texts { text, inner, .. } => {
            text.len() + inner.as_ref().map_or(0, |inner| size_of::<Foreign>() + foreign_heap_bytes(inner))
        }
        Foreign::Lists(list, map, units) => {
            let values: usize =
                list.iter().map(|value| size_of::<Foreign>() + foreign_heap_bytes(value)).sum();
            let texts: usize = map.keys().map(|text| size_of::<(String, u64)>() + text.len()).sum();
            values + texts + units.len()
        }
    }
}
