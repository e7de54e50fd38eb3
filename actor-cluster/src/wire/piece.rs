//! Pieces of whole frames: what was read together is handled together, and shares its bytes.

use std::ops::Range;

use bytes::{Bytes, BytesMut};

use super::frame::{self, FrameError, HEADER_BYTES, Head, Header};
use super::lanes::LaneId;

/// A frame in the piece of bytes that it came in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FrameRef<'a> {
    pub(crate) header: Header,
    piece: &'a Bytes,
    /// Where its body begins.
    start: usize,
}

impl<'a> FrameRef<'a> {
    /// What came in parts, as if it were one frame.
    pub(crate) fn assembled(head: Head, lane: LaneId, body: &'a Bytes) -> Self {
        let Head { kind, index, .. } = head;
        Self { header: Header { kind, lane, index, length: body.len() }, piece: body, start: 0 }
    }

    pub(crate) fn piece(&self) -> &'a Bytes {
        self.piece
    }

    #[inline]
    pub(crate) fn body(&self) -> &'a [u8] {
        &self.piece[self.start..self.start + self.header.length]
    }

    /// Where in the piece the last bytes of its body are.
    #[inline]
    pub(crate) fn end_of_body(&self, bytes: usize) -> Range<usize> {
        let end = self.start + self.header.length;
        end - bytes..end
    }

    /// The last bytes of its body, as a share of the piece.
    pub(crate) fn share(&self, bytes: usize) -> Bytes {
        self.piece.slice(self.end_of_body(bytes))
    }
}

/// The frames of a piece that [`split_frames`] has cut off. Nothing is read behind a frame whose header is wrong.
pub(crate) struct Frames<'a> {
    piece: &'a Bytes,
    /// Where the next one begins.
    at: usize,
}

impl<'a> Frames<'a> {
    pub(crate) fn of(piece: &'a Bytes) -> Self {
        Self { piece, at: 0 }
    }

    /// The next one, if it is a cast in a lane that carries messages: under load nearly all are what the last one was.
    #[inline]
    pub(crate) fn next_cast(&mut self, lane: LaneId) -> Option<FrameRef<'a>> {
        let header = Header::read_cast(self.piece.get(self.at..)?, lane)?;
        Some(self.take(header))
    }

    #[inline]
    fn take(&mut self, header: Header) -> FrameRef<'a> {
        let start = self.at + HEADER_BYTES;
        self.at = start + header.length;
        FrameRef { header, piece: self.piece, start }
    }
}

impl<'a> Iterator for Frames<'a> {
    type Item = Result<FrameRef<'a>, FrameError>;

    fn next(&mut self) -> Option<Self::Item> {
        match Header::read(self.piece.get(self.at..)?, usize::MAX) {
            Ok(header) => Some(Ok(self.take(header?))),
            Err(error) => {
                self.at = self.piece.len();
                Some(Err(error))
            }
        }
    }
}

/// How the bytes behind the whole frames go on.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Behind {
    /// Perhaps with another whole frame: as many as were asked for are cut off.
    More,
    /// With a part of a frame, or nothing.
    Less,
    /// With what is no frame.
    Garbage(FrameError),
}

/// Cuts whole frames off the front of the buffer, in one piece and at most so many. The header of a frame
/// that is there is judged where the frame is looked at; that of one which is not, here, before anything is
/// read for it.
pub(crate) fn split_frames(buffer: &mut BytesMut, most: usize, body_bytes_max: usize) -> (Bytes, Behind) {
    let mut end = 0;
    let mut behind = Behind::More;
    for _ in 0..most {
        if let Some(frame_bytes) = frame::bytes_in_front(&buffer[end..], body_bytes_max) {
            end += frame_bytes;
            continue;
        }
        match Header::read(&buffer[end..], body_bytes_max) {
            Ok(_) => behind = Behind::Less,
            Err(error) => behind = Behind::Garbage(error),
        }
        break;
    }
    // A buffer that is split has a share more, though it be of nothing.
    let piece = if end == 0 { Bytes::new() } else { buffer.split_to(end).freeze() };
    (piece, behind)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::frame::{Kind, write_frame};

    const MAX: usize = 1000;

    fn casts(bodies: &[&[u8]]) -> BytesMut {
        let mut buffer = BytesMut::new();
        for (index, body) in (0..).zip(bodies) {
            write_frame(&mut buffer, Kind::Cast, LaneId::data(0), index, &[body]);
        }
        buffer
    }

    fn read(piece: &Bytes) -> Vec<(u32, Vec<u8>)> {
        Frames::of(piece)
            .map(Result::unwrap)
            .map(|frame| (frame.header.index, frame.body().to_vec()))
            .collect()
    }

    #[test]
    fn a_piece_has_whole_frames_and_the_rest_stays() {
        let mut buffer = casts(&[b"one", b"", b"three", b"four"]);
        buffer.truncate(buffer.len() - 1);
        let (piece, behind) = split_frames(&mut buffer, 2, MAX);
        assert_eq!((read(&piece), behind), (vec![(0, b"one".to_vec()), (1, vec![])], Behind::More));
        let (piece, behind) = split_frames(&mut buffer, 2, MAX);
        assert_eq!((read(&piece), behind), (vec![(2, b"three".to_vec())], Behind::Less));
        assert_eq!(split_frames(&mut buffer, 2, MAX), (Bytes::new(), Behind::Less));
        buffer.extend_from_slice(b"r");
        let (piece, behind) = split_frames(&mut buffer, 2, MAX);
        assert_eq!((read(&piece), behind), (vec![(3, b"four".to_vec())], Behind::Less));
        assert!(buffer.is_empty());
    }

    #[test]
    fn garbage_ends_a_piece() {
        let mut buffer = casts(&[b"one"]);
        buffer.extend_from_slice(b"GET / HTTP/1.1");
        let (piece, behind) = split_frames(&mut buffer, 9, MAX);
        assert_eq!(read(&piece), [(0, b"one".to_vec())]);
        assert_eq!(behind, Behind::Garbage(FrameError::Kind(b' ')));
    }

    #[test]
    fn nothing_is_read_behind_a_frame_that_is_none() {
        let mut buffer = casts(&[b"one", b"two", b"three"]);
        let kind = HEADER_BYTES + 3 + 3;
        buffer[kind] = 99;
        let (piece, behind) = split_frames(&mut buffer, 9, MAX);
        assert_eq!(behind, Behind::Less);
        let kinds: Vec<_> = Frames::of(&piece).map(|frame| frame.map(|frame| frame.header.kind)).collect();
        assert_eq!(kinds, [Ok(Kind::Cast), Err(FrameError::Kind(99))]);
    }

    #[test]
    fn what_is_shared_is_where_it_was() {
        let mut buffer = casts(&[b"one", b"another"]);
        let (piece, _) = split_frames(&mut buffer, 9, MAX);
        let frame = Frames::of(&piece).last().unwrap().unwrap();
        assert_eq!(frame.share(5), b"other"[..]);
        assert_eq!(piece[frame.end_of_body(2)], b"er"[..]);
        let whole = Bytes::from_static(b"a long one");
        let head = Head { kind: Kind::Cast, index: 3, length: 10 };
        let frame = FrameRef::assembled(head, LaneId::data(0), &whole);
        assert_eq!((frame.body(), frame.header.frame_bytes()), (&b"a long one"[..], HEADER_BYTES + 10));
    }
}
