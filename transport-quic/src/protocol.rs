//! What this transport says on its own account, as the crate's page tells. Must not live here: anything the cluster says.
//!
//! ```text
//!  dialler ◄── one unidirectional stream: the byte 1, and its end ── host      you are let in
//!  dialler ── each bidirectional stream: a byte that says its lanes ──► host   then it is the cluster's
//! ```

use actor_cluster::transport::{LaneKind, LaneSet};
use quinn::Connection;

/// What a host says to a dialler that it lets in.
const ADMITTED: [u8; 1] = [1];

/// The kinds of lanes by their bits, the lowest first.
const KINDS: [LaneKind; 4] = [LaneKind::Control, LaneKind::Data, LaneKind::Bulk, LaneKind::Urgent];

/// Tells the dialler that it is let in. `false` where it cannot be told any more.
///
/// Without this word a dialler could not know: in TLS 1.3 its handshake is done
/// before the host has even seen who it is.
pub(crate) async fn say_admitted(connection: &Connection) -> bool {
    let Ok(mut stream) = connection.open_uni().await else { return false };
    stream.write_all(&ADMITTED).await.is_ok() && stream.finish().is_ok()
}

/// Waits until the host lets us in. `false` where it does not; the end of
/// the connection then says why, unless the host said something else.
pub(crate) async fn hear_admitted(connection: &Connection) -> bool {
    let Ok(mut stream) = connection.accept_uni().await else { return false };
    matches!(stream.read_to_end(ADMITTED.len()).await, Ok(word) if word == ADMITTED)
}

/// What a dialler says first on a stream: bit by bit the [kinds](KINDS) of lanes that it carries. The host learns
/// by it that there is a stream, before the dialler has anything else to say, and how urgent its own answers are.
/// Nothing but that hangs on it: which lanes a stream carries, the session reads from it.
pub(crate) fn byte_of(lanes: LaneSet) -> u8 {
    let bits = KINDS.iter().zip(0..).filter(|(kind, _)| lanes.contains(**kind));
    bits.fold(0, |byte, (_, bit)| byte | 1 << bit)
}

/// The kinds of lanes that we know among those that the dialler names.
pub(crate) fn lanes_of(byte: u8) -> LaneSet {
    let kinds = KINDS.into_iter().zip(0..).filter(|(_, bit)| byte >> bit & 1 == 1);
    kinds.fold(LaneSet::NONE, |lanes, (kind, _)| lanes.union(LaneSet::of(kind)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_are_told_in_a_byte() {
        let both = LaneSet::CONTROL.union(LaneSet::BULK);
        for (lanes, byte) in [
            (LaneSet::CONTROL, 1),
            (LaneSet::DATA, 2),
            (LaneSet::BULK, 4),
            (LaneSet::URGENT, 8),
            (both, 5),
            (LaneSet::ALL, 15),
        ] {
            assert_eq!((byte_of(lanes), lanes_of(byte)), (byte, lanes));
        }
        assert_eq!(lanes_of(0xf0), LaneSet::NONE, "what we do not know");
    }
}
