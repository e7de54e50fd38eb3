//! Bytes as frames, and frames' bodies as control messages.

use bytes::BytesMut;
use prost::Message;

use crate::limits::FRAME_BODY_BYTES_MAX;
use crate::wire::control::Control;
use crate::wire::frame::{HEADER_BYTES, read_frame, write_frame};

/// Cuts bytes into frames as they arrive, in pieces; two bytes in front say how long a body may
/// be and how long the pieces are. A frame says what its bytes say, no more is set aside than the
/// limit allows, and nobody waits for what will be refused.
///
/// # Panics
///
/// If that does not hold.
pub fn frames(data: &[u8]) {
    let Some(([limit, piece], bytes)) = data.split_first_chunk() else { return };
    let body_bytes_max = FRAME_BODY_BYTES_MAX.min(1 << (limit % 18));
    let mut buffer = BytesMut::new();
    let mut taken = 0;
    for piece in bytes.chunks(usize::from(*piece).max(1)) {
        buffer.extend_from_slice(piece);
        loop {
            match read_frame(&mut buffer, body_bytes_max) {
                Ok(Some(frame)) => {
                    assert!(frame.body.len() <= body_bytes_max);
                    let mut again = BytesMut::new();
                    write_frame(&mut again, frame.kind, frame.lane, frame.index, &[&frame.body]);
                    assert_eq!(again, bytes[taken..taken + frame.bytes()]);
                    taken += frame.bytes();
                }
                Ok(None) => break,
                Err(_) => return,
            }
        }
        let most = HEADER_BYTES + body_bytes_max + 2 * bytes.len() + 64;
        assert!(buffer.capacity() <= most, "{} bytes set aside", buffer.capacity());
        assert!(buffer.len() < HEADER_BYTES + body_bytes_max, "a whole frame is left");
    }
}

/// A control message that is read is written as it was understood.
///
/// # Panics
///
/// If that does not hold.
pub fn control(data: &[u8]) {
    let Ok(control) = Control::decode(data) else { return };
    let again = control.encode_to_vec();
    assert_eq!(Control::decode(&again[..]).as_ref(), Ok(&control));
    super::session::on_control(data);
}
