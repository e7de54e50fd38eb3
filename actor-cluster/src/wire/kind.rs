//! What frames there are, and in which lanes each may come. `docs/PROTOCOL.md` §2 has the table.

use super::lanes::{LANES_MAX, LaneId};

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    /// A step of the handshake: prost. Of no lane.
    Handshake = 1,
    /// A control message: prost.
    Control = 2,
    /// A message without an answer: target, fields.
    Cast = 3,
    /// A message with an answer: target, correlation, time left, fields.
    Call = 4,
    /// The answer to a call: correlation, value.
    Reply = 5,
    /// What became of a call instead of an answer: correlation, text.
    Failure = 6,
    /// What an index stands for from here on: type, variant.
    Define = 7,
    /// The caller of a call has gone away: correlation.
    Cancel = 8,
    /// Where the next frame of a lane on this stream stands in it: offset. Of no lane.
    Begin = 9,
    /// The lanes that the reader should write to this stream. Of no lane.
    Take = 10,
    /// What has arrived in each lane, and how much may be sent. Of no lane.
    Ack = 11,
    /// Answer this with a pong of the same number, on the same stream. Of no lane.
    Ping = 12,
    /// The answer to a ping. Of no lane.
    Pong = 13,
    /// A message or an answer that comes in parts: kind, index and length of what they make up.
    Large = 14,
    /// A part of one.
    Part = 15,
    /// Proves that the writer was given an actor's address: target, token.
    Present = 16,
    /// What the message right behind it brings along: prost.
    Annotate = 17,
}

/// Where frames of a kind belong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Home {
    /// They are about the stream they come on.
    Stream,
    Control,
    /// Any lane that carries messages.
    Messages,
}

impl Kind {
    pub(super) fn from_u8(byte: u8) -> Option<Self> {
        Some(match byte {
            1 => Kind::Handshake,
            2 => Kind::Control,
            3 => Kind::Cast,
            4 => Kind::Call,
            5 => Kind::Reply,
            6 => Kind::Failure,
            7 => Kind::Define,
            8 => Kind::Cancel,
            9 => Kind::Begin,
            10 => Kind::Take,
            11 => Kind::Ack,
            12 => Kind::Ping,
            13 => Kind::Pong,
            14 => Kind::Large,
            15 => Kind::Part,
            16 => Kind::Present,
            17 => Kind::Annotate,
            _ => return None,
        })
    }

    fn home(self) -> Home {
        match self {
            Kind::Handshake | Kind::Begin | Kind::Take | Kind::Ack | Kind::Ping | Kind::Pong => Home::Stream,
            Kind::Control => Home::Control,
            Kind::Cast
            | Kind::Call
            | Kind::Reply
            | Kind::Failure
            | Kind::Define
            | Kind::Cancel
            | Kind::Large
            | Kind::Part
            | Kind::Present
            | Kind::Annotate => Home::Messages,
        }
    }

    pub(super) fn belongs_to(self, lane: LaneId) -> bool {
        match self.home() {
            Home::Stream => lane == LaneId::NONE,
            Home::Control => lane == LaneId::CONTROL,
            Home::Messages => lane.message_place().is_some() && usize::from(lane.as_u8()) < LANES_MAX,
        }
    }

    /// Whether the header's index says something; elsewhere it is zero, so that a
    /// later version can give it a meaning.
    pub(super) fn has_index(self) -> bool {
        matches!(
            self,
            Kind::Cast
                | Kind::Call
                | Kind::Failure
                | Kind::Define
                | Kind::Begin
                | Kind::Take
                | Kind::Large
                | Kind::Part
        )
    }

    /// The lane in which tests write it.
    #[cfg(test)]
    pub(crate) fn usual_lane(self) -> LaneId {
        match self.home() {
            Home::Stream => LaneId::NONE,
            Home::Control => LaneId::CONTROL,
            Home::Messages => LaneId::data(0),
        }
    }

    /// Whether it is a message or an answer, which may come in parts.
    pub(super) fn may_be_large(self) -> bool {
        matches!(self, Kind::Cast | Kind::Call | Kind::Reply)
    }
}
