//! Payloads that are made to hurt, and values that must not leave.

use actor_cluster::Wire;
use actor_cluster::wire::{DecodeErrorKind, EncodeError, VariantTag, WireContext, from_bytes, to_bytes};
use bytes::Bytes;

/// Small on the wire, large in memory.
#[derive(Debug, PartialEq, Wire)]
#[expect(clippy::large_enum_variant, reason = "that is its purpose")]
enum Inflating {
    Nothing,
    Much([[u64; 32]; 32]),
}

#[derive(Debug, PartialEq, Wire)]
struct Chain(Option<Box<Chain>>);

#[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
struct SerdeChain(Option<Box<SerdeChain>>);

#[derive(Debug, PartialEq, Wire)]
struct ByChain(#[wire(serde)] SerdeChain);

#[derive(Debug, PartialEq, Wire)]
struct ByUnits(#[wire(serde)] Vec<()>);

#[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[expect(clippy::large_enum_variant, reason = "that is its purpose")]
enum SerdeInflating {
    Nothing,
    Much([[u64; 32]; 32]),
}

#[derive(Debug, PartialEq, Wire)]
struct ByBoxes(#[wire(serde)] Vec<Box<SerdeInflating>>);

fn decode<T: Wire>(bytes: Vec<u8>) -> Result<T, DecodeErrorKind> {
    from_bytes(&bytes.into(), &WireContext::default()).map_err(|error| error.kind().clone())
}

/// A block, as a field in a foreign form has it.
fn block(content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len()).unwrap().to_le_bytes();
    [&length, content].concat()
}

#[test]
fn a_count_reserves_no_memory_that_the_bytes_do_not_back() {
    let count = [0xff, 0xff, 0xff, 0xff, 0x0f];
    let refused = DecodeErrorKind::BadLength { length: u32::MAX, bytes_left: 0 };
    assert_eq!(decode::<Vec<u8>>(count.to_vec()).unwrap_err(), refused);
    assert_eq!(decode::<String>(count.to_vec()).unwrap_err(), refused);
    assert_eq!(decode::<Vec<Inflating>>(count.to_vec()).unwrap_err(), refused);
    assert_eq!(decode::<Vec<Option<[u64; 32]>>>(count.to_vec()).unwrap_err(), refused);
}

#[test]
fn values_that_inflate_are_refused_before_they_do() {
    let limit = WireContext::default().heap_bytes_max;
    let mut payload = vec![0x80, 0x80, 0x04];
    for _ in 0..1 << 16 {
        payload.extend(VariantTag::named("Nothing").as_u64().to_le_bytes());
    }
    let refused = DecodeErrorKind::TooMuchMemory { limit };
    assert_eq!(decode::<Vec<Inflating>>(payload).unwrap_err(), refused);
    let content = [&[0x80, 0x80, 0x04][..], &[0; 1 << 16]].concat();
    assert_eq!(decode::<ByBoxes>(block(&content)).unwrap_err(), refused);
}

#[test]
fn a_count_of_nothings_does_not_keep_the_decoder_busy() {
    let limit = WireContext::default().heap_bytes_max;
    let refused = DecodeErrorKind::TooMuchMemory { limit };
    let count = [0xff, 0xff, 0xff, 0xff, 0x0f];
    assert_eq!(decode::<Vec<()>>(count.to_vec()).unwrap_err(), refused);
    let count = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
    assert_eq!(decode::<ByUnits>(block(&count)).unwrap_err(), refused);
}

#[test]
fn depth_is_bounded_on_both_sides() {
    let limit = WireContext::default().depth_max;
    let deep = |levels: u32| (1..levels).fold(Chain(None), |inner, _| Chain(Some(Box::new(inner))));
    assert_eq!(decode(to_bytes(&deep(limit), &WireContext::default()).unwrap().into()), Ok(deep(limit)));
    let error = to_bytes(&deep(limit + 1), &WireContext::default()).unwrap_err();
    assert_eq!(error, EncodeError::TooDeep { limit });
    assert_eq!(decode::<Chain>(vec![1; 1 << 20]).unwrap_err(), DecodeErrorKind::TooDeep { limit });
}

#[test]
fn depth_is_bounded_in_foreign_forms_too() {
    let limit = WireContext::default().depth_max;
    let error = decode::<ByChain>(block(&vec![1; 1 << 20])).unwrap_err();
    assert_eq!(error, DecodeErrorKind::TooDeep { limit });
    assert_eq!(decode(block(&[1, 0])), Ok(ByChain(SerdeChain(Some(Box::new(SerdeChain(None)))))));
}

#[test]
fn a_block_is_as_long_as_it_says() {
    let refused = DecodeErrorKind::TrailingBytes { bytes: 1 };
    assert_eq!(decode::<ByChain>(block(&[0, 0])).unwrap_err(), refused);
    let refused = DecodeErrorKind::BadLength { length: 9, bytes_left: 1 };
    assert_eq!(decode::<ByChain>(vec![9, 0, 0, 0, 0]).unwrap_err(), refused);
    assert!(matches!(decode::<ByChain>(block(&[7])).unwrap_err(), DecodeErrorKind::Custom(_)));
}

#[test]
fn a_value_over_the_limit_does_not_leave() {
    let mut context = WireContext::default();
    context.payload_bytes_max = 10;
    assert_eq!(to_bytes(&[0_u8; 10], &context).unwrap().len(), 10);
    let refused = EncodeError::TooLarge { limit: 10 };
    assert_eq!(to_bytes(&[0_u8; 11], &context).unwrap_err(), refused);
    assert_eq!(to_bytes(&Bytes::from_static(&[0; 10]), &context).unwrap_err(), refused);
    assert_eq!(to_bytes(&ByUnits(vec![(); 3]), &context).unwrap().len(), 5);
    let boxes = ByBoxes(vec![Box::new(SerdeInflating::Much([[u64::MAX; 32]; 32]))]);
    assert_eq!(to_bytes(&boxes, &context).unwrap_err(), refused);
}

#[test]
fn a_value_that_the_peer_would_refuse_does_not_leave() {
    let limit = WireContext::default().heap_bytes_max;
    let nothings: Vec<_> = (0..1 << 16).map(|_| Inflating::Nothing).collect();
    let error = to_bytes(&nothings, &WireContext::default()).unwrap_err();
    assert_eq!(error, EncodeError::TooMuchMemory { limit });
}

#[test]
fn a_large_list_within_the_limits_passes() {
    let context = WireContext::default();
    let list: Vec<u64> = (0..1 << 20).collect();
    let bytes = to_bytes(&list, &context).unwrap();
    assert_eq!(from_bytes::<Vec<u64>>(&bytes, &context).unwrap(), list);
    let inflating = vec![Inflating::Nothing, Inflating::Much([[1; 32]; 32])];
    let bytes = to_bytes(&inflating, &context).unwrap();
    assert_eq!(from_bytes::<Vec<Inflating>>(&bytes, &context).unwrap(), inflating);
    let boxes = ByBoxes(vec![Box::new(SerdeInflating::Nothing)]);
    assert_eq!(from_bytes::<ByBoxes>(&to_bytes(&boxes, &context).unwrap(), &context).unwrap(), boxes);
}
