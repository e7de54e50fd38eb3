//! Why a connection or a stream is closed.

use std::fmt;
use std::io;

use super::TransportError;
use crate::limits::CLOSE_DETAIL_BYTES_MAX;

/// Why a connection or a stream is closed: a code that machines compare and a
/// detail that people read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloseReason {
    /// What happened.
    pub code: CloseCode,
    /// More for the log; at most [`CLOSE_DETAIL_BYTES_MAX`] bytes.
    detail: String,
}

impl CloseReason {
    /// A reason; a longer detail is cut at a character boundary.
    pub fn new(code: CloseCode, detail: impl Into<String>) -> Self {
        let mut detail = detail.into();
        if detail.len() > CLOSE_DETAIL_BYTES_MAX {
            let mut end = CLOSE_DETAIL_BYTES_MAX;
            while !detail.is_char_boundary(end) {
                end -= 1;
            }
            detail.truncate(end);
        }
        Self { code, detail }
    }

    /// The reason that a peer gave, as a transport carries it: the number of a [`CloseCode`], and words in UTF-8.
    /// A number that is none of ours counts as [`Lost`](CloseCode::Lost), and is told in the detail. The words are
    /// made [printable].
    pub fn received(code: u64, detail: &[u8]) -> Self {
        let detail = printable(&String::from_utf8_lossy(detail));
        match u32::try_from(code).ok().and_then(CloseCode::from_u32) {
            Some(known) => Self::new(known, detail),
            None => Self::new(CloseCode::Lost, format!("closed with the unknown code {code}: {detail}")),
        }
    }

    /// The reason in the error of a stream that one side closed.
    pub fn of(error: &io::Error) -> Option<&Self> {
        match error.get_ref()?.downcast_ref() {
            Some(TransportError::Closed(reason)) => Some(reason),
            _ => None,
        }
    }

    /// More for the log; may be empty.
    pub fn detail(&self) -> &str {
        &self.detail
    }
}

impl From<CloseCode> for CloseReason {
    fn from(code: CloseCode) -> Self {
        Self { code, detail: String::new() }
    }
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code)?;
        if !self.detail.is_empty() {
            write!(f, ": {}", self.detail)?;
        }
        Ok(())
    }
}

/// A peer's words, fit for one line of a log: control characters become spaces.
pub fn printable(words: &str) -> String {
    words.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// The machine-readable half of a [`CloseReason`], and an application close code
/// on transports that have them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
#[non_exhaustive]
pub enum CloseCode {
    /// The stream did what it was for.
    Done = 0,
    /// The node shuts down.
    Shutdown = 1,
    /// The peer is not let in.
    Refused = 2,
    /// The peer broke the protocol.
    Violation = 3,
    /// The peer did not answer in time.
    Timeout = 4,
    /// The connection was lost.
    Lost = 5,
}

impl CloseCode {
    /// Reads a code from a transport; `None` where it is not one of ours.
    pub const fn from_u32(code: u32) -> Option<Self> {
        Some(match code {
            0 => CloseCode::Done,
            1 => CloseCode::Shutdown,
            2 => CloseCode::Refused,
            3 => CloseCode::Violation,
            4 => CloseCode::Timeout,
            5 => CloseCode::Lost,
            _ => return None,
        })
    }

    /// The number a transport carries.
    pub const fn as_u32(self) -> u32 {
        self as u32
    }

    /// Whether it is about the stream alone: the session may go on with another.
    pub(crate) const fn is_passing(self) -> bool {
        matches!(self, CloseCode::Done | CloseCode::Timeout | CloseCode::Lost)
    }

    /// Whether a session that ends so was ended by one of its nodes, for no fault of the other.
    pub(crate) const fn is_orderly(self) -> bool {
        matches!(self, CloseCode::Done | CloseCode::Shutdown)
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            CloseCode::Done => "done",
            CloseCode::Shutdown => "the node shuts down",
            CloseCode::Refused => "refused",
            CloseCode::Violation => "protocol violation",
            CloseCode::Timeout => "timed out",
            CloseCode::Lost => "connection lost",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn close_details_are_cut_between_characters() {
        let reason = CloseReason::new(CloseCode::Violation, "é".repeat(CLOSE_DETAIL_BYTES_MAX));
        assert_eq!(reason.detail().len(), CLOSE_DETAIL_BYTES_MAX);
        for code in 0..=5 {
            assert_eq!(CloseCode::from_u32(code).map(CloseCode::as_u32), Some(code));
        }
        assert_eq!(CloseCode::from_u32(6), None);
    }

    #[test]
    fn a_streams_error_has_the_kind_and_the_reason_of_its_end() {
        let reason = CloseReason::new(CloseCode::Shutdown, "bye");
        let error = io::Error::from(TransportError::Closed(reason.clone()));
        assert_eq!((error.kind(), CloseReason::of(&error)), (io::ErrorKind::NotConnected, Some(&reason)));
        let error = TransportError::Untrusted { peer: "a peer".into(), detail: "why".into() };
        assert_eq!(io::Error::from(error).kind(), io::ErrorKind::PermissionDenied);
        let of_the_system = TransportError::Io(io::ErrorKind::ConnectionReset.into());
        assert_eq!(io::Error::from(of_the_system).kind(), io::ErrorKind::ConnectionReset);
        assert_eq!(CloseReason::of(&io::Error::other("another")), None);
    }

    #[test]
    fn a_peers_reason_is_read_and_cleaned() {
        let code = u64::from(CloseCode::Violation.as_u32());
        let reason = CloseReason::received(code, b"bad frame\n2026 INFO all is well\xff");
        assert_eq!(reason.code, CloseCode::Violation);
        assert_eq!(reason.detail(), "bad frame 2026 INFO all is well\u{fffd}");
    }

    #[test]
    fn an_unknown_code_is_a_loss_that_names_it() {
        let reason = CloseReason::received(1 << 40, b"");
        assert_eq!(reason.code, CloseCode::Lost);
        assert!(reason.detail().contains(&(1u64 << 40).to_string()), "{reason}");
    }
}
