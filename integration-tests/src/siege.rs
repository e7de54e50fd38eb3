//! What strangers do to a port: connections that come to nothing, in kinds, many a second. The program `flooder` does it, as a
//! process of its own, which can be told to stand back behind those that are measured.

use std::fmt;
use std::str::FromStr;

/// What each connection of a flood does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Connects, and is gone.
    HangUp,
    /// Says what is no TLS.
    Garbage,
    /// Begins TLS, and is gone once it is answered: the answer cost more than the question.
    Leave,
    /// Begins TLS, and says nothing more.
    Hello,
    /// Connects, and says nothing at all.
    Silent,
    /// Begins TLS, a byte at a time.
    Drip,
    /// One datagram that is no QUIC.
    Noise,
    /// The first datagram of a QUIC connection, from a port that hears no answer.
    Initial,
    /// A QUIC connection with a certificate of another cluster's.
    Stranger,
}

impl Kind {
    /// Those over TCP: the quick ones first, since the others hold the places for as long as they may.
    pub const TCP: [Kind; 6] =
        [Kind::HangUp, Kind::Garbage, Kind::Leave, Kind::Hello, Kind::Silent, Kind::Drip];

    /// Those over QUIC.
    pub const QUIC: [Kind; 3] = [Kind::Noise, Kind::Stranger, Kind::Initial];
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let named = Kind::TCP.into_iter().chain(Kind::QUIC).find(|kind| kind.to_string() == text);
        named.ok_or_else(|| format!("{text} is no kind of flood"))
    }
}
