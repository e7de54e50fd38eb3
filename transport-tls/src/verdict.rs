//! Why a peer's certificate was not believed, for transports that learn of a failed handshake no more than the alert
//! that it ended with: those over QUIC. Must not live here: who takes it down (`verifier.rs`).

use std::fmt;
use std::sync::{Arc, OnceLock};

use rustls::Error;

use crate::fault::Fault;

/// What one handshake found wrong with the peer's certificate, if it found anything.
#[derive(Clone, Default)]
pub struct Verdict(Arc<OnceLock<Fault>>);

impl Verdict {
    /// Why the peer was not believed; `None` if it was, or the handshake did not come so far.
    pub fn fault(&self) -> Option<Fault> {
        self.0.get().cloned()
    }

    /// Keeps the first error.
    pub(crate) fn take_down(&self, error: &Error) {
        self.0.get_or_init(|| Fault::of(error));
    }
}

impl fmt::Debug for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Verdict").field(&self.0.get()).finish()
    }
}
