//! Every form that comes with the crate.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::marker::PhantomData;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::num::NonZero;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use actor_cluster::limits::SHARED_BYTES_LEAST;
use actor_cluster::wire::{DecodeErrorKind, TypeTag, WireContext, from_bytes, to_bytes};
use actor_cluster::{Incarnation, NodeId, Wire};
use actor_core::ActorId;
use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;

use super::{assert_survives, check};

/// Any value of each type, by proptest's own strategy.
macro_rules! check_any {
    ($($type:ty),+ $(,)?) => {$( check(any::<$type>()); )+};
}

#[test]
fn b05_every_provided_impl_round_trips() {
    check_any!((), bool, char, u8, u16, u32, u64, u128, usize, i8, i16, i32, i64, i128, isize, f32, f64);
    check_any!(NonZero<u8>, NonZero<u16>, NonZero<u32>, NonZero<u64>, NonZero<u128>, NonZero<usize>);
    check_any!(NonZero<i8>, NonZero<i16>, NonZero<i32>, NonZero<i64>, NonZero<i128>, NonZero<isize>);
    check_any!(String, Box<str>, Arc<str>);
    check(vec(any::<u8>(), 0..300).prop_map(Bytes::from));
    check_any!(Option<u32>, Option<Option<String>>, Result<u64, String>, Box<u16>);
    check_any!((u8,), (u8, u16), (u8, u16, String), (u8, u8, u8, u8), (u8, u8, u8, u8, u8));
    check_any!((u8, u8, u8, u8, u8, u8), (u8, u8, u8, u8, u8, u8, u8), (u8, bool, u8, u8, u8, u8, u8, char));
    check_any!([u8; 16], [u64; 3], [String; 2], [bool; 0]);
    check_any!(Vec<u8>, Vec<u32>, Vec<i128>, Vec<String>, Vec<()>, VecDeque<u16>);
    check(any::<Vec<String>>().prop_map(Vec::into_boxed_slice));
    check_any!(HashMap<u16, String>, BTreeMap<String, u16>, HashSet<u32>, BTreeSet<u32>);
    check_any!(Duration, IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr);
    check(wall_clock());
    check(any::<[u8; 32]>().prop_map(NodeId::from_bytes));
    check(any::<u64>().prop_map(Incarnation::from_u64));
    check(any::<(u64, u64)>().prop_map(|(life, n)| ActorId::new(Incarnation::from_u64(life), n)));
    assert_survives(&PhantomData::<str>);
}

/// Moments that every system can express, on both sides of 1970.
fn wall_clock() -> impl Strategy<Value = SystemTime> {
    let step = 100_u64;
    (any::<bool>(), 0..u64::from(u32::MAX), 0..1_000_000_000 / step).prop_map(move |(before, secs, steps)| {
        let distance = Duration::from_secs(secs) + Duration::from_nanos(steps * step);
        if before { UNIX_EPOCH - distance } else { UNIX_EPOCH + distance }
    })
}

#[test]
fn a_ring_buffer_that_wraps_keeps_its_order() {
    let mut ring: VecDeque<u8> = (0..8).collect();
    ring.rotate_left(3);
    ring.push_back(9);
    assert_survives(&ring);
}

#[test]
fn a_socket_address_keeps_its_scope() {
    assert_survives(&SocketAddr::from(SocketAddrV6::new(Ipv6Addr::LOCALHOST, 80, 7, 9)));
}

#[test]
fn every_bit_of_a_float_survives() {
    let context = WireContext::default();
    for bits in [0x7ff8_0000_0000_0001_u64, 0xfff0_0000_0000_0001, 0x8000_0000_0000_0000] {
        let bytes = to_bytes(&f64::from_bits(bits), &context).unwrap();
        assert_eq!(from_bytes::<f64>(&bytes, &context).unwrap().to_bits(), bits);
    }
}

#[test]
fn long_byte_strings_are_slices_of_the_payload_and_short_ones_copies() {
    let context = WireContext::default();
    let [long, short] = [SHARED_BYTES_LEAST, SHARED_BYTES_LEAST - 1].map(|bytes| Bytes::from(vec![1; bytes]));
    let payload = to_bytes(&(long.clone(), short.clone()), &context).unwrap();
    let read: (Bytes, Bytes) = from_bytes(&payload, &context).unwrap();
    assert_eq!(read, (long, short));
    let is_within = |slice: &Bytes| payload.as_ptr_range().contains(&slice.as_ptr());
    assert_eq!([is_within(&read.0), is_within(&read.1)], [true, false]);
}

#[test]
fn types_that_encode_alike_share_a_tag() {
    assert_eq!(String::TYPE, Arc::<str>::TYPE);
    assert_eq!(Bytes::TYPE, Vec::<u8>::TYPE);
    assert_eq!(Vec::<u16>::TYPE, VecDeque::<u16>::TYPE);
    assert_eq!(HashMap::<u8, bool>::TYPE, BTreeMap::<u8, bool>::TYPE);
    assert_eq!(usize::TYPE, u64::TYPE);
    assert_eq!(Box::<u8>::TYPE, u8::TYPE);
    let all: HashSet<TypeTag> = [
        <()>::TYPE,
        <(u8,)>::TYPE,
        u8::TYPE,
        i8::TYPE,
        Vec::<u8>::TYPE,
        HashSet::<u8>::TYPE,
        Option::<u8>::TYPE,
        <[u8; 1]>::TYPE,
        <[u8; 2]>::TYPE,
        String::TYPE,
    ]
    .into();
    assert_eq!(all.len(), 10);
}

/// What the bytes decode to, or what is wrong with them.
fn kind<T: Wire + std::fmt::Debug>(bytes: &'static [u8]) -> DecodeErrorKind {
    from_bytes::<T>(&Bytes::from_static(bytes), &WireContext::default()).unwrap_err().kind().clone()
}

#[test]
fn values_that_a_type_does_not_have_are_refused() {
    assert_eq!(kind::<bool>(&[2]), DecodeErrorKind::BadTag { tag: 2 });
    assert_eq!(kind::<Option<()>>(&[7]), DecodeErrorKind::BadTag { tag: 7 });
    assert_eq!(kind::<Result<(), ()>>(&[7]), DecodeErrorKind::BadTag { tag: 7 });
    assert_eq!(kind::<IpAddr>(&[5]), DecodeErrorKind::BadTag { tag: 5 });
    assert_eq!(kind::<char>(&[0, 0xd8, 0, 0]), DecodeErrorKind::OutOfRange);
    assert_eq!(kind::<NonZero<u16>>(&[0, 0]), DecodeErrorKind::OutOfRange);
    assert_eq!(kind::<Duration>(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0xca, 0x9a, 0x3b]), DecodeErrorKind::OutOfRange);
    assert_eq!(kind::<String>(&[1, 0xff]), DecodeErrorKind::BadUtf8);
    assert_eq!(kind::<HashSet<u8>>(&[2, 5, 5]), DecodeErrorKind::DuplicateKey);
    assert_eq!(kind::<BTreeMap<u8, ()>>(&[2, 5, 5]), DecodeErrorKind::DuplicateKey);
    assert_eq!(kind::<String>(&[0x80, 0]), DecodeErrorKind::BadVarint);
    assert_eq!(kind::<Vec<u16>>(&[2, 0, 0, 0]), DecodeErrorKind::BadLength { length: 2, bytes_left: 3 });
}
