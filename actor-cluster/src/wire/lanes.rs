//! The lanes of a session by their numbers, as frames and handshakes name them:
//! `docs/PROTOCOL.md` §1. What a transport knows of them is only their
//! [kinds](LaneKind).

use std::fmt;

use crate::limits::DATA_LANES_MAX;
use crate::transport::{LaneKind, LaneSet};

/// Names a lane of a session.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LaneId(u8);

/// One past the greatest number that any session's lane can have.
pub(crate) const LANES_MAX: usize = FIRST_DATA as usize + DATA_LANES_MAX as usize;

/// The number of the first data lane.
const FIRST_DATA: u8 = 3;

impl LaneId {
    /// Of what is about the session.
    pub(crate) const CONTROL: Self = Self(0);
    /// Of messages that may take their time.
    pub(crate) const BULK: Self = Self(1);
    /// Of messages that others must not delay.
    pub(crate) const URGENT: Self = Self(2);
    /// Of frames that belong to no lane: they are about the stream they come on.
    pub(crate) const NONE: Self = Self(0xff);

    /// One of the lanes of ordinary messages, counted from zero.
    pub(crate) const fn data(number: u8) -> Self {
        Self(FIRST_DATA + number)
    }

    pub(crate) const fn from_u8(byte: u8) -> Self {
        Self(byte)
    }

    pub(crate) const fn as_u8(self) -> u8 {
        self.0
    }

    pub(crate) fn kind(self) -> LaneKind {
        match self {
            Self::CONTROL => LaneKind::Control,
            Self::BULK => LaneKind::Bulk,
            Self::URGENT => LaneKind::Urgent,
            _ => LaneKind::Data,
        }
    }

    pub(crate) fn is_urgent(self) -> bool {
        self == Self::URGENT
    }

    /// Its place among the lanes that carry messages: the bulk lane's is the first, the urgent lane's the second.
    pub(crate) fn message_place(self) -> Option<usize> {
        usize::from(self.0).checked_sub(1)
    }

    /// The data lane in which all messages to an actor go, by its serial.
    pub(crate) fn of_recipient(actor: u64, data_lanes: u8) -> Self {
        // Serials are counted up; the golden ratio spreads what is in step with the lanes.
        let [.., top] = actor.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes();
        Self::data(top % data_lanes.max(1))
    }

    /// All lanes of a session with so many data lanes, the most urgent first.
    pub(crate) fn all(data_lanes: u8) -> impl Iterator<Item = Self> {
        let data = (0..data_lanes).map(Self::data);
        [Self::CONTROL, Self::URGENT].into_iter().chain(data).chain([Self::BULK])
    }
}

impl fmt::Debug for LaneId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::CONTROL => f.write_str("control"),
            Self::BULK => f.write_str("bulk"),
            Self::URGENT => f.write_str("urgent"),
            Self::NONE => f.write_str("none"),
            Self(number) => write!(f, "data {}", number - FIRST_DATA),
        }
    }
}

/// A set of lanes: what one stream carries.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct LaneIds(u32);

impl LaneIds {
    pub(crate) fn of(lane: LaneId) -> Self {
        debug_assert!(usize::from(lane.0) < LANES_MAX, "a lane of some session");
        Self(1 << lane.0)
    }

    /// All lanes of these kinds, in a session with so many data lanes.
    pub(crate) fn of_kinds(kinds: LaneSet, data_lanes: u8) -> Self {
        LaneId::all(data_lanes).filter(|lane| kinds.contains(lane.kind())).collect()
    }

    /// The kinds of its lanes.
    pub(crate) fn kinds(self) -> LaneSet {
        let lanes = LaneId::all(DATA_LANES_MAX).filter(|lane| self.contains(*lane));
        lanes.fold(LaneSet::NONE, |kinds, lane| kinds.union(LaneSet::of(lane.kind())))
    }

    /// Which lanes the streams carry that a transport opens, and how many of them are data
    /// lanes: one for each stream for data. Without a stream for the bulk lane, or for the urgent one, those
    /// for data carry it.
    pub(crate) fn spread(streams: &[LaneSet]) -> (u8, Vec<Self>) {
        let of_data = streams.iter().filter(|kinds| kinds.contains(LaneKind::Data)).count();
        let data_lanes = u8::try_from(of_data).unwrap_or(u8::MAX).clamp(1, DATA_LANES_MAX);
        (data_lanes, Self::spread_over(streams, data_lanes))
    }

    /// The same where the session has its lanes already.
    pub(crate) fn spread_over(streams: &[LaneSet], data_lanes: u8) -> Vec<Self> {
        let is_data = |kinds: &&LaneSet| kinds.contains(LaneKind::Data);
        let of_data = streams.iter().filter(is_data).count().max(1);
        let has = |kind| streams.iter().any(|kinds| kinds.contains(kind));
        let homeless = [LaneKind::Urgent, LaneKind::Bulk].into_iter().filter(|kind| !has(*kind));
        let homeless = homeless.map(LaneSet::of).fold(LaneSet::NONE, LaneSet::union);
        let mut data_streams = 0;
        let lanes = streams.iter().map(|kinds| {
            let kinds = if is_data(&kinds) { kinds.union(homeless) } else { *kinds };
            let carried = Self::of_kinds(kinds, data_lanes);
            if !is_data(&&kinds) {
                return carried;
            }
            let number = data_streams;
            data_streams += 1;
            let is_its = |lane: &LaneId| match lane.kind() {
                LaneKind::Data => usize::from(lane.0 - FIRST_DATA) % of_data == number,
                LaneKind::Control | LaneKind::Urgent | LaneKind::Bulk => true,
            };
            carried.iter().filter(is_its).collect()
        });
        lanes.collect()
    }

    /// Reads a set from its wire form; `None` if it is empty, or names lanes that no session
    /// has.
    pub(crate) fn from_bits(bits: u32) -> Option<Self> {
        (bits != 0 && bits < 1 << LANES_MAX).then_some(Self(bits))
    }

    pub(crate) const fn bits(self) -> u32 {
        self.0
    }

    pub(crate) fn contains(self, lane: LaneId) -> bool {
        usize::from(lane.0) < LANES_MAX && self.0 & 1 << lane.0 != 0
    }

    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = LaneId> {
        (0..=LaneId::data(DATA_LANES_MAX - 1).0).map(LaneId).filter(move |lane| self.contains(*lane))
    }
}

impl FromIterator<LaneId> for LaneIds {
    fn from_iter<T: IntoIterator<Item = LaneId>>(lanes: T) -> Self {
        Self(lanes.into_iter().fold(0, |bits, lane| bits | Self::of(lane).0))
    }
}

impl fmt::Debug for LaneIds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bits(streams: &[LaneSet]) -> (u8, Vec<u32>) {
        let (data_lanes, lanes) = LaneIds::spread(streams);
        (data_lanes, lanes.iter().map(|lanes| lanes.bits()).collect())
    }

    #[test]
    fn a_transport_that_opens_more_streams_for_data_has_more_lanes() {
        const CONTROL: LaneSet = LaneSet::CONTROL;
        const DATA: LaneSet = LaneSet::DATA;
        const BULK: LaneSet = LaneSet::BULK;
        const URGENT: LaneSet = LaneSet::URGENT;
        assert_eq!(bits(&[LaneSet::ALL]), (1, vec![0b1111]));
        assert_eq!(bits(&[CONTROL, DATA]), (1, vec![0b0001, 0b1110]), "nobody else carries the others");
        assert_eq!(bits(&[CONTROL, DATA, BULK]), (1, vec![0b0001, 0b1100, 0b0010]));
        assert_eq!(bits(&[CONTROL, URGENT, DATA, BULK]), (1, vec![0b0001, 0b0100, 0b1000, 0b0010]));
        assert_eq!(
            bits(&[CONTROL.union(URGENT), DATA, DATA, DATA.union(BULK)]),
            (3, vec![0b00_0101, 0b00_1000, 0b01_0000, 0b10_0010])
        );
        assert_eq!(bits(&[DATA; 20]).0, DATA_LANES_MAX);
        assert_eq!(bits(&[]), (1, vec![]));
    }

    #[test]
    fn fewer_streams_carry_what_a_session_has_and_more_carry_nothing_twice() {
        let over = |streams: &[LaneSet], data_lanes| {
            LaneIds::spread_over(streams, data_lanes).iter().map(|lanes| lanes.bits()).collect::<Vec<_>>()
        };
        let two = [LaneSet::CONTROL, LaneSet::DATA, LaneSet::DATA];
        assert_eq!(over(&[LaneSet::ALL], 3), [0b11_1111]);
        assert_eq!(over(&two, 3), [0b00_0001, 0b10_1110, 0b01_0110]);
        assert_eq!(over(&two, 1), [0b0001, 0b1110, 0b0110]);
    }

    #[test]
    fn sets_are_read_as_they_were_written() {
        let all = LaneIds::of_kinds(LaneSet::ALL, DATA_LANES_MAX);
        assert_eq!(all.bits(), (1 << LANES_MAX) - 1);
        assert_eq!(LaneIds::from_bits(all.bits()), Some(all));
        assert_eq!(LaneIds::from_bits(1 << LANES_MAX), None);
        assert_eq!(LaneIds::from_bits(0), None);
        assert!(!all.contains(LaneId::NONE));
        let order: Vec<_> = LaneId::all(2).map(LaneId::as_u8).collect();
        assert_eq!(order, [0, 2, 3, 4, 1], "what is urgent is the first of messages, and bulk the last");
    }
}
