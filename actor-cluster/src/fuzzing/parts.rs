//! Messages in parts, against accounts that are too simple to be wrong: what a peer may cut, and what
//! comes out at the end of a lane that cuts.

use std::collections::{BTreeMap, BTreeSet};

use arbitrary::{Arbitrary, Unstructured};
use bytes::BytesMut;

use crate::limits::{FRAME_BODY_BYTES_MAX, LARGE_OPEN_MAX, PART_BYTES, PARTS_AHEAD_LEAST};
use crate::session::aside::Encoded;
use crate::session::{Annotated, Assemblies, BadPart, Outgoing, Recipient};
use crate::wire::WireContext;
use crate::wire::frame::{Frame, Head, Kind, read_frame, write_frame};
use crate::wire::lanes::LaneId;

const LANE: LaneId = LaneId::data(0);
const LENGTH_MAX: usize = 4 * PART_BYTES;
/// Those two as a header says them.
const FRAME_LONG: u32 = 128 * 1024;
const LONGEST: u32 = 256 * 1024;
const _: () = assert!(FRAME_LONG as usize == FRAME_BODY_BYTES_MAX && LONGEST as usize == LENGTH_MAX);
const STEPS_MAX: usize = 64;

#[derive(Debug, Arbitrary)]
enum Step {
    /// The peer announces a message.
    Begin { number: u8, kind: bool, length: u32 },
    /// The peer sends bytes of one: as many as it must, unless it says how many.
    Part { number: u8, byte: u8, length: Option<u32> },
    /// This side sends a message, of so many bytes more than go in one frame, or of few, behind what says
    /// how to read it.
    Send { to: u8, is_answer: bool, long: Option<u32> },
    /// A segment goes out, if one may.
    Pop,
    /// The lane goes on with another stream, and repeats what was not acknowledged.
    Restart,
    /// The other side says what it has.
    Ack,
}

/// # Panics
///
/// If another message comes out than went in, or if one is taken that was cut otherwise than it must.
pub fn parts(data: &[u8]) {
    let mut input = Unstructured::new(data);
    let mut taking = Taking::default();
    let mut lane = Lane::default();
    for _ in 0..STEPS_MAX {
        if input.is_empty() {
            break;
        }
        match Step::arbitrary(&mut input) {
            Ok(Step::Begin { number, kind, length }) => taking.begin(number, kind, length),
            Ok(Step::Part { number, byte, length }) => taking.part(number, byte, length),
            Ok(Step::Send { to, is_answer, long }) => lane.send(to, is_answer, long),
            Ok(Step::Pop) => _ = lane.pop(),
            Ok(Step::Restart) => lane.restart(),
            Ok(Step::Ack) => lane.acknowledge(),
            Err(_) => break,
        }
    }
    lane.end();
}

/// A peer that cuts as it likes.
#[derive(Default)]
struct Taking {
    assemblies: Assemblies,
    open: BTreeMap<u32, (Head, Vec<u8>)>,
}

impl Taking {
    fn begin(&mut self, number: u8, is_cast: bool, length: u32) {
        let number = u32::from(number % 20);
        // Around the bounds, mostly.
        let length = match length % 4 {
            0 => FRAME_LONG + length / 4 % 3,
            1 => LONGEST + length / 4 % 3 - 1,
            2 => length,
            _ => FRAME_LONG + 1 + length % (LONGEST - FRAME_LONG),
        };
        let head = Head { kind: if is_cast { Kind::Cast } else { Kind::Reply }, index: 1, length };
        let is_long = length as usize > FRAME_BODY_BYTES_MAX && length as usize <= LENGTH_MAX;
        let is_free = (number as usize) < LARGE_OPEN_MAX && !self.open.contains_key(&number);
        let begun = self.assemblies.begin(number, head, Annotated::default(), LENGTH_MAX);
        assert_eq!(begun, if is_long && is_free { Ok(()) } else { Err(BadPart) });
        if begun.is_ok() {
            self.open.insert(number, (head, Vec::new()));
        }
    }

    fn part(&mut self, number: u8, byte: u8, length: Option<u32>) {
        let number = u32::from(number % 20);
        let left = self.open.get(&number).map_or(0, |(head, body)| head.length as usize - body.len());
        let must = left.min(PART_BYTES);
        let length = length.map_or(must, |length| length as usize % (PART_BYTES + 2));
        let part = vec![byte; length];
        let taken = self.assemblies.part(number, &part);
        let taken = taken.map(|whole| whole.map(|whole| (whole.head, whole.body)));
        let Some((head, body)) = self.open.get_mut(&number).filter(|_| length == must) else {
            return assert_eq!(taken, Err(BadPart));
        };
        body.extend_from_slice(&part);
        if body.len() < head.length as usize {
            return assert_eq!(taken, Ok(None));
        }
        let (head, body) = self.open.remove(&number).expect("it was just there");
        assert_eq!(taken, Ok(Some((head, body.into()))));
    }
}

/// A lane that cuts, and its reader.
#[derive(Default)]
struct Lane {
    out: Outgoing,
    sent: u32,
    /// What each recipient is to get, oldest first.
    due: BTreeMap<Recipient, Vec<Vec<u8>>>,
    reader: Reader,
    /// Parts that are not acknowledged: where they end, and how long they are.
    parts: Vec<(u64, u64)>,
}

#[derive(Default)]
struct Reader {
    assemblies: Assemblies,
    defined: BTreeSet<u32>,
    /// Where it is on its stream, and how far it has ever been.
    at: u64,
    end: u64,
}

impl Lane {
    fn send(&mut self, to: u8, is_answer: bool, long: Option<u32>) {
        let to = u64::from(to % 24);
        let recipient = if is_answer { Recipient::Caller(to) } else { Recipient::Actor(to) };
        let extra = long.map_or(0, |long| FRAME_BODY_BYTES_MAX - 8 + long as usize % PART_BYTES);
        let kind = if is_answer { Kind::Reply } else { Kind::Cast };
        self.sent += 1;
        write_frame(self.out.open(), Kind::Define, LANE, self.sent, &[]);
        self.out.seal();
        let mut body = [to.to_le_bytes().as_slice(), &self.sent.to_le_bytes()].concat();
        body.resize(body.len() + extra, self.sent.to_le_bytes()[0]);
        let (begun, rest) = (self.out.begin(kind, LANE, 0, to), &body[size_of::<u64>()..]);
        if long.is_some() {
            let rest = Encoded::of::<[u8]>(&WireContext::default(), |encoder| encoder.put(rest));
            self.out.finish_with(rest.expect("it may be longer"), recipient);
        } else {
            begun.extend_from_slice(rest);
            self.out.finish(recipient).expect("it is short");
        }
        self.due.entry(recipient).or_default().push(body);
        assert_eq!(self.out.kept_casts().count() as u64, self.out.kept_messages(), "each is a cast");
    }

    /// Whether there was a segment.
    fn pop(&mut self) -> bool {
        let Some(segment) = self.out.pop(LANE) else { return false };
        self.reader.at = segment.begin.unwrap_or(self.reader.at);
        if self.reader.at == self.reader.end && !segment.slice.is_empty() {
            let under_way: u64 = self.parts.iter().map(|(_, bytes)| bytes).sum();
            assert!(under_way < PARTS_AHEAD_LEAST, "{under_way} bytes of parts go before a part");
            let bytes = (segment.frames.len() + segment.slice.len()) as u64;
            self.parts.push((self.reader.at + bytes, bytes));
        }
        let mut bytes = BytesMut::from(&segment.frames[..]);
        bytes.extend_from_slice(&segment.slice);
        while let Some(frame) = read_frame(&mut bytes, FRAME_BODY_BYTES_MAX).expect("frames") {
            let start = self.reader.at;
            self.reader.at += frame.bytes() as u64;
            if start == self.reader.end {
                self.reader.end = self.reader.at;
                self.read(&frame);
            }
            assert!(self.reader.at <= self.reader.end, "a gap");
        }
        assert!(bytes.is_empty(), "half a frame");
        true
    }

    fn read(&mut self, frame: &Frame) {
        match frame.kind {
            Kind::Large => {
                let head = Head::from_bytes(&frame.body).expect("a head");
                let begun = self.reader.assemblies.begin(frame.index, head, Annotated::default(), LENGTH_MAX);
                begun.expect("a number that is free");
            }
            Kind::Part => {
                let whole = self.reader.assemblies.part(frame.index, &frame.body).expect("cut as it must be");
                if let Some(whole) = whole {
                    self.arrive(whole.head.kind, &whole.body);
                }
            }
            Kind::Define => {
                self.reader.defined.insert(frame.index);
            }
            kind => self.arrive(kind, &frame.body),
        }
    }

    fn arrive(&mut self, kind: Kind, body: &[u8]) {
        let to = u64::from_le_bytes(*body.first_chunk().expect("a target"));
        let recipient = if kind == Kind::Reply { Recipient::Caller(to) } else { Recipient::Actor(to) };
        let due = self.due.get_mut(&recipient).filter(|due| !due.is_empty()).expect("something is due");
        assert_eq!(due.remove(0), body, "another one, or overtaken");
        let number = u32::from_le_bytes(*body[size_of::<u64>()..].first_chunk().expect("a number"));
        assert!(self.reader.defined.remove(&number), "it has overtaken what says how to read it");
    }

    fn restart(&mut self) {
        self.out.restart();
    }

    fn acknowledge(&mut self) {
        self.parts.retain(|(end, _)| *end > self.reader.end);
        self.out.acknowledged(self.reader.end).expect("it was sent");
    }

    fn end(&mut self) {
        loop {
            self.acknowledge();
            if !self.pop() {
                break;
            }
            while self.pop() {}
        }
        assert!(self.due.values().all(Vec::is_empty), "all have come");
        assert_eq!((self.out.kept_bytes(), self.out.kept_messages()), (0, 0), "nothing is kept for ever");
    }
}
