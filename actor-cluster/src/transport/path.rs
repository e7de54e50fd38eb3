//! The words for the way that a stream's bytes take, for statistics. Nothing in a session hangs on
//! them.

use std::fmt;
use std::time::Duration;

/// The way that a stream's bytes take at a moment. A transport that moves its connections from one
/// way to another tells of the one in use.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PathStatus {
    /// Where the bytes go.
    pub route: Route,
    /// How long the transport thinks that they take there and back; `None` where it does not know.
    pub round_trip: Option<Duration>,
    /// How many bytes were sent on this path so far, and again where they were lost. Streams of one
    /// connection share a path, and each tells of all of them; another path counts from 0.
    pub bytes_sent: u64,
    /// How many of them are known to be lost.
    pub bytes_lost: u64,
}

impl PathStatus {
    /// A path of which nothing is known but where it goes.
    pub const fn new(route: Route) -> Self {
        Self { route, round_trip: None, bytes_sent: 0, bytes_lost: 0 }
    }
}

/// Where a path goes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Route {
    /// Straight to the peer, at this address.
    Direct(String),
    /// By way of a relay, which has this URL.
    Relay(String),
}

impl Route {
    /// Whether it goes by way of a relay.
    pub const fn is_relayed(&self) -> bool {
        matches!(self, Route::Relay(_))
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Route::Direct(address) => f.write_str(address),
            Route::Relay(url) => write!(f, "by way of {url}"),
        }
    }
}
