//! Lines and frames of a socket: cut where they should be, however they arrive, and bounded.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use actor_toolkit::streams::limits::{READ_BYTES_MAX, READS_PER_TURN};
use actor_toolkit::streams::{LimitError, ReadError, Told, feed_results, frames, lines};
use futures_core::Stream;
use tokio::io::{AsyncRead, AsyncWriteExt, ReadBuf, duplex};

use super::{Message, as_text, item, reader, told};
use crate::support::{Gate, MS, pass, simulated};

/// Gives bytes in pieces of one size, and then its end or an error.
struct Pieces {
    bytes: Vec<u8>,
    piece: usize,
    error: Option<io::ErrorKind>,
}

impl AsyncRead for Pieces {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let piece = self.piece.min(self.bytes.len()).min(into.remaining());
        match self.error {
            Some(kind) if piece == 0 => return Poll::Ready(Err(kind.into())),
            _ => into.put_slice(&self.bytes[..piece]),
        }
        self.bytes.drain(..piece);
        Poll::Ready(Ok(()))
    }
}

/// All that a stream gives, with errors as text.
fn all<T, S: Stream<Item = Result<T, ReadError>> + Unpin>(mut stream: S) -> Vec<Result<T, String>> {
    simulated(|_| async move {
        let mut items = Vec::new();
        while let Some(item) = poll_fn(|cx| Pin::new(&mut stream).poll_next(cx)).await {
            items.push(item.map_err(|error| error.to_string()));
        }
        // It stays at its end.
        assert!(poll_fn(|cx| Pin::new(&mut stream).poll_next(cx)).await.is_none());
        items
    })
}

fn in_pieces(bytes: &[u8]) -> impl Iterator<Item = Pieces> {
    let pieces = [1, 2, 3, 7, bytes.len().max(1)];
    pieces.map(|piece| Pieces { bytes: bytes.to_vec(), piece, error: None }).into_iter()
}

/// What is read, and its lines.
type Case = (&'static [u8], &'static [Result<&'static str, &'static str>]);

#[test]
fn c32_lines_are_cut_however_they_arrive() {
    const LONG: &str = "longer than the 8 bytes that it may have";
    let table: [Case; 9] = [
        (b"", &[]),
        (b"one", &[Ok("one")]),
        (b"one\n", &[Ok("one")]),
        (b"one\r\n\ntwo\n", &[Ok("one"), Ok(""), Ok("two")]),
        (b"12345678\r\n12345678\n12345678", &[Ok("12345678"), Ok("12345678"), Ok("12345678")]),
        (b"a\n123456789\nb\n", &[Ok("a"), Err(LONG)]),
        (b"a\n123456789", &[Ok("a"), Err(LONG)]),
        (b"a\r\rb\r", &[Ok("a\r\rb\r")]),
        (b"a\n\xff\nb\n", &[Ok("a"), Err("a line that is not UTF-8")]),
    ];
    for (bytes, expected) in table {
        for pieces in in_pieces(bytes) {
            let piece = pieces.piece;
            let read: Vec<Result<String, String>> = all(lines(pieces, 8).unwrap());
            let expected: Vec<Result<String, String>> =
                expected.iter().map(|line| line.map(str::to_owned).map_err(str::to_owned)).collect();
            assert_eq!(read, expected, "{bytes:?} in pieces of {piece}");
        }
    }
}

#[test]
fn c32_frames_are_cut_however_they_arrive() {
    let framed = |frames: &[&[u8]]| -> Vec<u8> {
        let length = |frame: &[u8]| u32::try_from(frame.len()).unwrap().to_be_bytes();
        frames.iter().flat_map(|frame| [&length(frame)[..], frame].concat()).collect()
    };
    let whole = framed(&[b"one", b"", b"12345678"]);
    let expected = [Ok(b"one".to_vec()), Ok(Vec::new()), Ok(b"12345678".to_vec())];
    for pieces in in_pieces(&whole) {
        assert_eq!(all(frames(pieces, 8).unwrap()), expected);
    }
    for cut in [1, 3, 5, 8, whole.len() - 1] {
        let read = all(frames(&whole[..cut], 8).unwrap());
        assert_eq!(read.last(), Some(&Err("it ended in the midst of a frame".to_owned())), "{cut}");
    }
    // Too long by what it says, though nothing of it is there.
    for length in [9_u32, u32::MAX] {
        let read = all(frames(&length.to_be_bytes()[..], 8).unwrap());
        assert_eq!(read, [Err("longer than the 8 bytes that it may have".to_owned())]);
    }
}

#[test]
fn c32_an_error_of_the_reader_is_the_end() {
    let error = Some(io::ErrorKind::ConnectionReset);
    let torn = || Pieces { bytes: b"one\ntw".to_vec(), piece: 2, error };
    let read = all(lines(torn(), 8).unwrap());
    assert_eq!(read, [Ok("one".to_owned()), Err("connection reset".to_owned())]);
    assert_eq!(all(frames(torn(), 8).unwrap()).len(), 1);
}

/// A reader that always has one more byte, and never the end of a line.
#[test]
fn c32_a_line_that_does_not_end_lets_others_run() {
    simulated(|_| async {
        let mut endless = lines(Pieces { bytes: vec![b'x'; 10_000], piece: 1, error: None }, 9_000).unwrap();
        let mut turns = 0;
        let read = poll_fn(|cx| {
            turns += 1;
            Pin::new(&mut endless).poll_next(cx)
        });
        assert!(matches!(read.await, Some(Err(ReadError::TooLong(9_000)))));
        // So many bytes are one more than a line and its `\r`.
        assert_eq!(turns, 1 + 9_002 / READS_PER_TURN);
    });
}

#[test]
fn c32_a_limit_out_of_range_is_an_error_at_the_call() {
    for limit in [0, READ_BYTES_MAX + 1] {
        assert_eq!(lines(&b""[..], limit).unwrap_err(), LimitError(limit));
        assert_eq!(frames(&b""[..], limit).unwrap_err(), LimitError(limit));
    }
    assert!(lines(&b""[..], 1).is_ok() && frames(&b""[..], READ_BYTES_MAX).is_ok());
}

#[test]
fn c32_a_socket_is_held_back_by_the_mailbox_and_closed_with_the_actor() {
    simulated(|system| async move {
        let (actor, gate) = (reader(&system, 1).await, Gate::default());
        actor.cast(Message::Hold(gate.clone())).unwrap();
        gate.reached().await;
        let (mut here, there) = duplex(16);
        feed_results(&actor, lines(there, 8).unwrap(), as_text);
        let written = async {
            for number in 100..200 {
                here.write_all(format!("{number}\n").as_bytes()).await.unwrap();
            }
            system.executor().now()
        };
        let opened = async {
            pass(&system, MS).await;
            gate.open();
            system.executor().now()
        };
        // It was not written before there was room.
        let (written, opened) = tokio::join!(written, opened);
        assert!(written >= opened);
        pass(&system, MS).await;
        assert_eq!(told(&actor).await, (100..200).map(item).collect::<Vec<_>>());
        // It is not waited for its end.
        here.write_all(b"far too long for").await.unwrap();
        pass(&system, MS).await;
        let last = told(&actor).await.pop().unwrap();
        assert_eq!(last, Told::Failed("longer than the 8 bytes that it may have".to_owned()));
        // With its error the socket was closed, and with its actor it is too.
        assert!(here.write_all(b"more\n").await.is_err());
        let (mut here, there) = duplex(16);
        feed_results(&actor, lines(there, 8).unwrap(), as_text);
        actor.stop_and_wait(None, None).await.unwrap();
        pass(&system, MS).await;
        assert!(here.write_all(b"more\n").await.is_err());
    });
}
