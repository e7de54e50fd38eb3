//! The forms of measurement, and the rows that each of them gives.

use crate::load::Block;

/// One measurement, which fills one or more rows.
#[derive(Debug)]
pub(crate) struct Form {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) rows: &'static [Row],
    /// Whether a quick run has it on Iroh and QUIC too.
    is_quick_on_quic: bool,
}

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Kind {
    /// So many tasks send as fast as they may.
    Tell(Load, usize),
    /// A question at a time.
    AskOne,
    /// So many tasks ask, each a question at a time.
    AskMany(usize),
    /// Requests for memory at both ends, of messages.
    CountTells,
    /// The same of questions, from so many tasks.
    CountAsks(usize),
    /// Questions to another actor while messages of 64 KiB take all there is.
    Control,
    /// A receiver stands still; what grows?
    Stalled,
}

/// What a message carries.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Load {
    /// A [`Block`].
    Fixed,
    /// A vector of so many bytes, made for the message.
    Owned(usize),
}

impl Load {
    pub(crate) fn bytes(self) -> usize {
        match self {
            Load::Fixed => Block::BYTES,
            Load::Owned(bytes) => bytes,
        }
    }
}

/// One line of the report.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) unit: &'static str,
    pub(crate) better: Better,
    pub(crate) about: &'static str,
}

/// Which of two figures is to be preferred.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Better {
    More,
    Less,
}

impl Kind {
    /// How long the owned payloads are that the receiver expects.
    pub(crate) fn payload_bytes(self) -> usize {
        match self {
            Kind::Tell(load, _) => load.bytes(),
            Kind::Control => CONTROL_BYTES,
            Kind::Stalled => STALLED_BYTES,
            Kind::AskOne | Kind::AskMany(_) | Kind::CountTells | Kind::CountAsks(_) => Block::BYTES,
        }
    }

    /// Whether both ends run on the allocator that counts.
    pub(crate) fn is_counted(self) -> bool {
        matches!(self, Kind::CountTells | Kind::CountAsks(_))
    }

    /// Whether figures hardly differ from round to round.
    pub(crate) fn is_steady(self) -> bool {
        self.is_counted() || self == Kind::Stalled
    }

    /// What a bare stream can do as well.
    pub(crate) fn is_for_streams(self) -> bool {
        matches!(self, Kind::AskOne | Kind::Tell(Load::Owned(BULK_BYTES), 1) | Kind::CountAsks(1))
    }
}

impl Form {
    pub(crate) fn is_quick_on_quic(&self) -> bool {
        self.is_quick_on_quic
    }

    const fn on_quic(mut self) -> Self {
        self.is_quick_on_quic = true;
        self
    }
}

pub(crate) fn named(name: &str) -> Option<&'static Form> {
    FORMS.iter().find(|form| form.name == name)
}

/// The form that gives a row.
pub(crate) fn of_row(row: &str) -> Option<&'static Form> {
    FORMS.iter().find(|form| form.rows.iter().any(|known| known.name == row))
}

const fn form(name: &'static str, kind: Kind, rows: &'static [Row]) -> Form {
    Form { name, kind, rows, is_quick_on_quic: false }
}

const fn row(name: &'static str, unit: &'static str, better: Better, about: &'static str) -> Row {
    Row { name, unit, better, about }
}

/// The payload of bulk rows.
pub(crate) const BULK_BYTES: usize = 64 << 10;
pub(crate) const CONTROL_BYTES: usize = BULK_BYTES;
pub(crate) const STALLED_BYTES: usize = 1024;

const RATE: &str = "thousand/s";
const BULK: &str = "MB/s";
const TIME: &str = "us";
const COUNT: &str = "requests";
const SIZE: &str = "MiB";

use Better::{Less, More};

#[rustfmt::skip]
pub(crate) const FORMS: &[Form] = &[
    form("tell_64", Kind::Tell(Load::Owned(64), 1), &[
        row("tell_64", RATE, More, "messages with a vector of 64 bytes, one sender"),
    ]).on_quic(),
    form("tell_64_fixed", Kind::Tell(Load::Fixed, 1), &[
        row("tell_64_fixed", RATE, More, "messages with a struct of 64 bytes, one sender"),
    ]),
    form("tell_64_8", Kind::Tell(Load::Owned(64), 8), &[
        row("tell_64_8", RATE, More, "messages with a vector of 64 bytes, eight senders"),
    ]),
    form("tell_1k", Kind::Tell(Load::Owned(1024), 1), &[
        row("tell_1k", RATE, More, "messages with a vector of 1 KiB, one sender"),
    ]),
    form("tell_64k", Kind::Tell(Load::Owned(BULK_BYTES), 1), &[
        row("tell_64k", BULK, More, "messages with a vector of 64 KiB, one sender; of a bare stream, its bytes"),
    ]).on_quic(),
    form("ask_seq", Kind::AskOne, &[
        row("ask_seq", TIME, Less, "a question and its answer, 64 bytes each, one at a time; median"),
        row("ask_seq_p99", TIME, Less, "the same; the 99th percentile"),
    ]).on_quic(),
    form("ask_64", Kind::AskMany(64), &[
        row("ask_64", RATE, More, "the same, 64 at a time"),
    ]),
    form("ask_1024", Kind::AskMany(1024), &[
        row("ask_1024", RATE, More, "the same, 1024 at a time"),
    ]),
    form("allocs_tell", Kind::CountTells, &[
        row("allocs_tell", COUNT, Less, "requests for memory at both ends, a message with a struct of 64 bytes"),
        row("allocs_tell_sender", COUNT, Less, "the sender's part"),
        row("allocs_tell_receiver", COUNT, Less, "the receiver's part"),
    ]),
    form("allocs_ask", Kind::CountAsks(1), &[
        row("allocs_ask", COUNT, Less, "requests for memory at both ends, a question of 64 bytes and its answer, one at a time"),
        row("allocs_ask_sender", COUNT, Less, "the part of the one that asks"),
        row("allocs_ask_receiver", COUNT, Less, "the part of the one that answers"),
    ]),
    form("allocs_ask_64", Kind::CountAsks(64), &[
        row("allocs_ask_64", COUNT, Less, "the same, 64 at a time"),
    ]),
    form("control_under_bulk", Kind::Control, &[
        row("control_p99_under_bulk", TIME, Less, "a question to another actor while 64 KiB messages saturate; the 99th percentile"),
        row("control_p50_under_bulk", TIME, Less, "the same; median"),
        row("ping_p99_under_bulk", TIME, Less, "the session's own pings meanwhile; the 99th percentile"),
        row("bulk_under_control", BULK, More, "the bytes that the 64 KiB messages carry meanwhile"),
    ]),
    form("stalled", Kind::Stalled, &[
        row("stalled_sender", SIZE, Less, "resident growth of the sender while the receiver stands still and 1 KiB messages are sent for as long as they are taken"),
        row("stalled_receiver", SIZE, Less, "the receiver's"),
    ]),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_row_that_must_be_there_is_there_once() {
        let names: Vec<&str> = FORMS.iter().flat_map(|form| form.rows).map(|row| row.name).collect();
        assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
        let wanted = "tell_64 tell_1k tell_64k ask_seq ask_64 allocs_tell allocs_ask control_p99_under_bulk";
        for name in wanted.split_whitespace() {
            assert!(names.contains(&name), "{name}");
            assert!(of_row(name).is_some());
        }
    }
}
