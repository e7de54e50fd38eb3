//! Why peers did not get in, and how many. Must not live here: who decides it (the transports, the handshake).

use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::{ConnectError, HandshakeError};
use crate::transport::TransportError;

/// Why a peer did not get in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum RefusalCause {
    /// It could not prove that it belongs here: a certificate that is unknown, expired or revoked, a key that is on no list,
    /// another user.
    Untrusted,
    /// It did not finish the handshake of its transport, or the first step of ours: it was too slow, hung up, speaks something else, or
    /// was one too many.
    Unfinished,
    /// It does not know the cluster's shared secret.
    Secret,
    /// It is not who it says it is, or does not prove it where it has to.
    Identity,
    /// It belongs to another cluster, or speaks no version of the protocol that this node speaks.
    Incompatible,
    /// It broke the protocol.
    Violation,
    /// It may come in, and not now: this node has as many sessions as it may, shuts down, or knows a later life of it.
    Busy,
    /// The system failed, such as for want of file descriptors.
    System,
    /// It is who it says it is, and may have [no session](crate::Authorize::may_join).
    Forbidden,
}

impl RefusalCause {
    /// Every cause.
    pub const ALL: [RefusalCause; 9] = [
        RefusalCause::Untrusted,
        RefusalCause::Unfinished,
        RefusalCause::Secret,
        RefusalCause::Identity,
        RefusalCause::Incompatible,
        RefusalCause::Violation,
        RefusalCause::Busy,
        RefusalCause::System,
        RefusalCause::Forbidden,
    ];

    pub(crate) fn of(error: &ConnectError) -> Self {
        match error {
            // Of a stream, which its peer has ended.
            ConnectError::Transport(TransportError::Io(_)) => Self::Unfinished,
            ConnectError::Transport(error) => Self::of_transport(error),
            ConnectError::Handshake(error) => Self::of_handshake(error),
            ConnectError::NoTransport(_) | ConnectError::TimedOut(_) | ConnectError::Ended(_) => {
                Self::Unfinished
            }
        }
    }

    pub(crate) fn of_transport(error: &TransportError) -> Self {
        match error {
            TransportError::Untrusted { .. } => Self::Untrusted,
            TransportError::Handshake { .. } | TransportError::Closed(_) => Self::Unfinished,
            _ => Self::System,
        }
    }

    fn of_handshake(error: &HandshakeError) -> Self {
        use HandshakeError as E;
        match error {
            E::NoSecret | E::Secret => Self::Secret,
            E::Identity { .. } | E::Myself | E::Unproven => Self::Identity,
            E::Version { .. } | E::Cluster(_) => Self::Incompatible,
            E::Violation(_) => Self::Violation,
            E::Changed | E::Stale | E::Busy => Self::Busy,
            E::Forbidden => Self::Forbidden,
            // It has refused us.
            E::Refused(why) => Self::of_handshake(why),
        }
    }

    fn place(self) -> usize {
        self as usize
    }
}

/// How many peers did not get in, by cause, since the node was started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Refusals([u64; RefusalCause::ALL.len()]);

impl Refusals {
    /// How many for this cause.
    pub fn of(&self, cause: RefusalCause) -> u64 {
        self.0[cause.place()]
    }

    /// How many in all.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }
}

/// Counts them.
#[derive(Debug, Default)]
pub(crate) struct RefusalCounts([AtomicU64; RefusalCause::ALL.len()]);

impl RefusalCounts {
    pub(crate) fn count(&self, cause: RefusalCause) {
        // Relaxed: nothing else is told by it.
        self.0[cause.place()].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn now(&self) -> Refusals {
        Refusals(self.0.each_ref().map(|count| count.load(Ordering::Relaxed)))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::id::NodeId;

    #[test]
    fn every_cause_has_a_place_of_its_own() {
        let counts = RefusalCounts::default();
        for (cause, times) in RefusalCause::ALL.into_iter().zip(1..) {
            (0..times).for_each(|_| counts.count(cause));
        }
        let now = counts.now();
        assert_eq!(RefusalCause::ALL.map(|cause| now.of(cause)), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
        assert_eq!(now.total(), 45);
    }

    #[test]
    fn errors_are_sorted_by_what_can_be_done_about_them() {
        use RefusalCause as C;
        let peer = || "peer".to_owned();
        let untrusted = TransportError::Untrusted { peer: peer(), detail: peer() };
        let dropped = TransportError::Handshake { peer: peer(), detail: peer() };
        let node = NodeId::from_bytes([1; 32]);
        let identity = HandshakeError::Identity { claimed: node, actual: node };
        let errors: [(ConnectError, C); 11] = [
            (untrusted.into(), C::Untrusted),
            (dropped.into(), C::Unfinished),
            (TransportError::Io(std::io::ErrorKind::UnexpectedEof.into()).into(), C::Unfinished),
            (ConnectError::TimedOut(Duration::ZERO), C::Unfinished),
            (HandshakeError::Secret.into(), C::Secret),
            (identity.into(), C::Identity),
            (HandshakeError::Unproven.into(), C::Identity),
            (HandshakeError::Forbidden.into(), C::Forbidden),
            (HandshakeError::Cluster(peer()).into(), C::Incompatible),
            (HandshakeError::Violation(peer()).into(), C::Violation),
            (HandshakeError::Refused(Box::new(HandshakeError::Busy)).into(), C::Busy),
        ];
        for (error, cause) in errors {
            assert_eq!(RefusalCause::of(&error), cause, "{error}");
        }
        let exhausted = TransportError::Io(std::io::ErrorKind::OutOfMemory.into());
        assert_eq!(RefusalCause::of_transport(&exhausted), C::System, "a listener's");
    }
}
