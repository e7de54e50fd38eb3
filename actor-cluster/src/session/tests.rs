//! The session machine, from outside: two of them wired in memory, see
//! `testing/pair.rs`. One file for each property.

#![expect(clippy::cast_possible_truncation, reason = "the numbers of tests are small")]

mod annotations;
mod aside;
mod attacks;
mod calls;
mod credit;
mod deaths;
mod frozen;
mod fuzz;
mod handshake;
mod hostile_handshake;
mod lanes;
mod lifecycle;
mod order;
mod parts;
mod random;
mod refused;
mod released;
mod schemas;
mod simultaneous;
mod urgent;
mod violations;
mod watches;

use actor_cluster_derive::RemoteMessage;
use actor_core::ReplyPort;
use bytes::{Bytes, BytesMut};
use prost::Message;

use crate::testing::pair::Side;
use crate::transport::{CloseCode, CloseReason, LaneSet};
use crate::wire::control::{Body, Control};
use crate::wire::frame::{Frame, Kind, read_frame, write_frame};
use crate::wire::lanes::LaneIds;

const A: Side = Side::Dialler;
const B: Side = Side::Acceptor;

/// What the actors of these tests take.
#[derive(Debug, RemoteMessage)]
#[wire(name = "test/letter")]
enum Letter {
    Note(u32),
    Parcel(Bytes),
    #[rpc]
    Ask(u32, ReplyPort<u32>),
    #[rpc]
    Fetch(u32, ReplyPort<Bytes>),
}

impl Letter {
    /// A message whose frame takes so many bytes.
    fn of_bytes(bytes: usize) -> Self {
        // Header, target, and the length of more than 127 and less than 2 MiB.
        let length = match bytes {
            0..=144 => 1,
            145..=16_402 => 2,
            _ => 3,
        };
        Letter::Parcel(vec![0xab; bytes - 16 - length].into())
    }
}

/// The numbers in notes.
fn notes(received: Vec<(u64, Letter)>) -> Vec<u32> {
    received
        .into_iter()
        .map(|(_, letter)| match letter {
            Letter::Note(number) => number,
            other => panic!("{other:?} is no note"),
        })
        .collect()
}

/// Answers every call that came in.
fn answer_all(received: Vec<(u64, Letter)>) {
    for (_, letter) in received {
        match letter {
            Letter::Ask(number, port) => port.send(number + 1).expect("a foreign port takes it"),
            Letter::Fetch(bytes, port) => {
                port.send(vec![7; bytes as usize].into()).expect("a foreign port takes it");
            }
            Letter::Note(_) | Letter::Parcel(_) => {}
        }
    }
}

fn frame(kind: Kind, index: u32, body: &[u8]) -> Vec<u8> {
    let mut buffer = BytesMut::new();
    write_frame(&mut buffer, kind, kind.usual_lane(), index, &[body]);
    buffer.to_vec()
}

fn control(body: Body) -> Vec<u8> {
    frame(Kind::Control, 0, &Control { body: Some(body) }.encode_to_vec())
}

/// Where the next frame of a lane stands in it.
fn begin(lane: u32, offset: u64) -> Vec<u8> {
    frame(Kind::Begin, lane, &offset.to_le_bytes())
}

/// What has arrived, and how much may be sent, of each lane.
fn ack(entries: &[(u8, u64, u64)]) -> Vec<u8> {
    let entry = |(lane, received, limit): &(u8, u64, u64)| {
        [&[*lane][..], &received.to_le_bytes(), &limit.to_le_bytes()].concat()
    };
    frame(Kind::Ack, 0, &entries.iter().flat_map(entry).collect::<Vec<u8>>())
}

/// Everything is a frame to this limit.
fn frames(bytes: &[u8]) -> Vec<Frame> {
    let mut buffer = BytesMut::from(bytes);
    let frames = std::iter::from_fn(|| read_frame(&mut buffer, usize::MAX).expect("whole frames")).collect();
    assert!(buffer.is_empty(), "half a frame is left");
    frames
}

/// What one stream carries in a session with one data lane.
fn every_lane() -> LaneIds {
    LaneIds::of_kinds(LaneSet::ALL, 1)
}

fn reason(code: CloseCode, detail: &str) -> CloseReason {
    CloseReason::new(code, detail)
}
