//! The format, frozen. A failure here means that released nodes cannot talk to new
//! ones any more.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use actor_cluster::wire::{TypeTag, WireContext, from_bytes, to_bytes};
use actor_cluster::{RemoteMessage, Wire};
use bytes::Bytes;

#[derive(Debug, PartialEq, Wire)]
#[wire(name = "golden/sample")]
struct Sample {
    small: u8,
    wide: u32,
    signed: i16,
    real: f32,
    flag: bool,
    letter: char,
    text: String,
    bytes: Bytes,
    list: Vec<u16>,
    map: BTreeMap<u8, bool>,
    maybe: Option<u8>,
    outcome: Result<(), u8>,
    span: Duration,
    address: IpAddr,
    choice: Choice,
    #[wire(serde)]
    foreign: (u32, String),
}

#[derive(Debug, PartialEq, Wire)]
enum Choice {
    #[wire(name = "foobar")]
    Chosen(u8, [u8; 2]),
}

const GOLDEN: &[&[u8]] = &[
    &[0x01],
    &[0x04, 0x03, 0x02, 0x01],
    &[0xfe, 0xff],
    &[0x00, 0x00, 0x80, 0x3f],
    &[0x01],
    &[0xe9, 0x00, 0x00, 0x00],
    &[0x02, b'h', b'i'],
    &[0x03, 0x07, 0x08, 0x09],
    &[0x02, 0x01, 0x00, 0x00, 0x01],
    &[0x01, 0x05, 0x01],
    &[0x01, 0x2a],
    &[0x01, 0x2b],
    &[0x02, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x03, 0x00, 0x00, 0x00],
    &[0x04, 0x7f, 0x00, 0x00, 0x01],
    // FNV-1a of "foobar", little endian.
    &[0xe8, 0x67, 0x39, 0xf7, 0x71, 0x41, 0x94, 0x85, 0x0c, 0x0d, 0x0e],
    // A block of four bytes: postcard's own number, length and text.
    &[0x04, 0x00, 0x00, 0x00, 0xac, 0x02, 0x01, b'x'],
];

#[test]
fn the_format_of_values_is_frozen() {
    let sample = Sample {
        small: 1,
        wide: 0x0102_0304,
        signed: -2,
        real: 1.0,
        flag: true,
        letter: 'é',
        text: "hi".into(),
        bytes: Bytes::from_static(&[7, 8, 9]),
        list: vec![1, 256],
        map: BTreeMap::from([(5, true)]),
        maybe: Some(42),
        outcome: Err(43),
        span: Duration::new(2, 3),
        address: [127, 0, 0, 1].into(),
        choice: Choice::Chosen(12, [13, 14]),
        foreign: (300, "x".into()),
    };
    let context = WireContext::default();
    assert_eq!(to_bytes(&sample, &context).unwrap()[..], GOLDEN.concat());
    assert_eq!(from_bytes::<Sample>(&GOLDEN.concat().into(), &context).unwrap(), sample);
}

#[derive(RemoteMessage)]
enum Named {
    Variant,
}

/// The hashes of these names, and how arguments are mixed in, are part of the format.
#[test]
fn tags_are_frozen() {
    assert_eq!(Sample::TYPE, TypeTag::named("golden/sample"));
    assert_eq!(Named::TYPE, TypeTag::named("actor-cluster::Named"));
    let tags = [
        (u8::TYPE, 0x08c4_8207_b567_53d8),
        (<(u8, String)>::TYPE, 0xac22_a1d6_415d_4c2c),
        (Vec::<u8>::TYPE, 0x4583_7dfc_00c5_5099),
        (BTreeMap::<String, Option<u64>>::TYPE, 0xf583_598b_20e6_ed8a),
        (<[u8; 16]>::TYPE, 0xd5e5_d0b4_f882_69b6),
        (Named::TYPE, 0x82f3_94bf_f771_cc9e),
    ];
    assert_eq!(tags.map(|(tag, _)| tag), tags.map(|(_, golden)| TypeTag::from_u64(golden)));
}
