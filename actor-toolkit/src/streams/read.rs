//! Lines and frames of a reader, each no longer than was said.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use tokio::io::{AsyncRead, ReadBuf};

use super::limits::{CHUNK_BYTES, READ_BYTES_MAX, READS_PER_TURN};

/// A line or frame of at most so many bytes cannot be asked for: at least one, and at most
/// [`READ_BYTES_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at most {0} bytes: it is at least one, and at most {READ_BYTES_MAX}")]
pub struct LimitError(pub usize);

/// What was read is not what was to be read. Nothing more is.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The reader failed.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A line or frame is longer than it may be, which is this many bytes.
    #[error("longer than the {0} bytes that it may have")]
    TooLong(usize),
    /// A line is not UTF-8.
    #[error("a line that is not UTF-8")]
    NotUtf8,
    /// The reader ended in the midst of a frame.
    #[error("it ended in the midst of a frame")]
    Truncated,
}

/// The lines of a reader, without their ends `\n` or `\r\n`, of at most so many bytes each. What
/// comes after the last end is a line too, unless it is empty.
///
/// # Errors
///
/// [`LimitError`] for a limit of zero, or one that is too large.
pub fn lines<R>(reader: R, line_bytes_max: usize) -> Result<Lines<R>, LimitError> {
    Ok(Lines { source: Source::new(reader, line_bytes_max)?, searched: 0 })
}

/// The frames of a reader, of at most so many bytes each. A frame is its length as four bytes,
/// the most significant first, and then that many bytes.
///
/// What a frame's length says is not allocated before the bytes are there.
///
/// # Errors
///
/// [`LimitError`] for a limit of zero, or one that is too large.
pub fn frames<R>(reader: R, frame_bytes_max: usize) -> Result<Frames<R>, LimitError> {
    Ok(Frames { source: Source::new(reader, frame_bytes_max)? })
}

/// See [`lines`].
pub struct Lines<R> {
    source: Source<R>,
    /// How far no line's end was found.
    searched: usize,
}

/// See [`frames`].
pub struct Frames<R> {
    source: Source<R>,
}

/// A reader, and what was read and not yet given out.
struct Source<R> {
    reader: R,
    bytes: Vec<u8>,
    /// How many of them have been given out.
    given: usize,
    bytes_max: usize,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// The reader has no more.
    Ended,
    /// Nothing more is given out.
    Over,
}

impl<R> Source<R> {
    fn new(reader: R, bytes_max: usize) -> Result<Self, LimitError> {
        match bytes_max {
            1..=READ_BYTES_MAX => {
                Ok(Self { reader, bytes: Vec::new(), given: 0, bytes_max, state: State::Open })
            }
            _ => Err(LimitError(bytes_max)),
        }
    }

    fn unread(&self) -> &[u8] {
        &self.bytes[self.given..]
    }

    /// Takes out what comes first, and leaves out what comes then.
    fn take(&mut self, bytes: usize, left_out: usize) -> Vec<u8> {
        let end = self.given + bytes;
        if bytes <= CHUNK_BYTES {
            let taken = self.unread()[..bytes].to_vec();
            self.given = end + left_out;
            return taken;
        }
        // A long one goes with the memory in which it lies: who has sent one such is not given
        // as much for ever.
        let rest = self.bytes[end + left_out..].to_vec();
        let mut taken = std::mem::replace(&mut self.bytes, rest);
        taken.truncate(end);
        taken.drain(..std::mem::take(&mut self.given));
        taken.shrink_to_fit();
        taken
    }

    /// Puts what was read behind what is there. There is never room for more than may be there.
    fn put(&mut self, chunk: &[u8]) {
        self.bytes.drain(..std::mem::take(&mut self.given));
        let needed = self.bytes.len() + chunk.len();
        if needed > self.bytes.capacity() {
            let most = self.bytes_max + LENGTH_BYTES + CHUNK_BYTES;
            let room = (2 * self.bytes.capacity()).min(most).max(needed);
            self.bytes.reserve_exact(room - self.bytes.len());
        }
        self.bytes.extend_from_slice(chunk);
    }
}

impl<R: AsyncRead + Unpin> Source<R> {
    /// Gives out what `cut` cuts off what has been read, and reads on while it cuts nothing.
    fn poll_cut<T>(
        &mut self,
        cx: &mut Context<'_>,
        mut cut: impl FnMut(&mut Self) -> Result<Option<T>, ReadError>,
    ) -> Poll<Option<Result<T, ReadError>>> {
        let mut reads = 0;
        while self.state != State::Over {
            match cut(self) {
                Ok(Some(item)) => return Poll::Ready(Some(Ok(item))),
                Ok(None) if self.state == State::Ended => self.state = State::Over,
                Ok(None) if reads == READS_PER_TURN => {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Ok(None) => match ready!(self.poll_more(cx)) {
                    Ok(()) => reads += 1,
                    Err(error) => return self.fail(error.into()),
                },
                Err(error) => return self.fail(error),
            }
        }
        Poll::Ready(None)
    }

    fn fail<T>(&mut self, error: ReadError) -> Poll<Option<Result<T, ReadError>>> {
        self.state = State::Over;
        (self.bytes, self.given) = (Vec::new(), 0);
        Poll::Ready(Some(Err(error)))
    }

    fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut chunk = [0; CHUNK_BYTES];
        let mut chunk = ReadBuf::new(&mut chunk);
        ready!(Pin::new(&mut self.reader).poll_read(cx, &mut chunk))?;
        if chunk.filled().is_empty() {
            self.state = State::Ended;
        }
        self.put(chunk.filled());
        Poll::Ready(Ok(()))
    }
}

/// The next line, if it is there.
fn cut_line<R>(source: &mut Source<R>, searched: &mut usize) -> Result<Option<String>, ReadError> {
    let unread = source.unread();
    let found = unread[*searched..].iter().position(|byte| *byte == b'\n');
    let (line, ends) = match found {
        Some(at) => (*searched + at, 1),
        None if source.state == State::Ended && !unread.is_empty() => (unread.len(), 0),
        None => {
            *searched = unread.len();
            // One more may be the `\r` of its end.
            return match unread.len() > source.bytes_max + 1 {
                true => Err(ReadError::TooLong(source.bytes_max)),
                false => Ok(None),
            };
        }
    };
    *searched = 0;
    let mut bytes = source.take(line, ends);
    if ends == 1 && bytes.last() == Some(&b'\r') {
        bytes.pop();
    }
    if bytes.len() > source.bytes_max {
        return Err(ReadError::TooLong(source.bytes_max));
    }
    String::from_utf8(bytes).map(Some).map_err(|_| ReadError::NotUtf8)
}

/// The next frame, if it is there.
fn cut_frame<R>(source: &mut Source<R>) -> Result<Option<Vec<u8>>, ReadError> {
    let unread = source.unread();
    let is_within = source.state == State::Ended && !unread.is_empty();
    let missing = if is_within { Err(ReadError::Truncated) } else { Ok(None) };
    let Some((length, body)) = unread.split_first_chunk::<LENGTH_BYTES>() else { return missing };
    let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
    if length > source.bytes_max {
        return Err(ReadError::TooLong(source.bytes_max));
    }
    if body.len() < length {
        return missing;
    }
    source.given += LENGTH_BYTES;
    Ok(Some(source.take(length, 0)))
}

const LENGTH_BYTES: usize = 4;

impl<R: AsyncRead + Unpin> Stream for Lines<R> {
    type Item = Result<String, ReadError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Self { source, searched } = &mut *self;
        source.poll_cut(cx, |source| cut_line(source, searched))
    }
}

impl<R: AsyncRead + Unpin> Stream for Frames<R> {
    type Item = Result<Vec<u8>, ReadError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.source.poll_cut(cx, cut_frame)
    }
}

impl<R> fmt::Debug for Lines<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lines").field("line_bytes_max", &self.source.bytes_max).finish_non_exhaustive()
    }
}

impl<R> fmt::Debug for Frames<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Frames").field("frame_bytes_max", &self.source.bytes_max).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    /// Many long frames and a short one, and how much memory was held for them at most.
    #[test]
    fn c32_what_is_held_is_what_was_allowed_and_none_of_it_when_it_is_gone() {
        const LONG: usize = 100_000;
        let frame =
            |length: usize| [&u32::try_from(length).unwrap().to_be_bytes()[..], &vec![7; length]].concat();
        let bytes = [frame(LONG), frame(CHUNK_BYTES), frame(LONG), frame(LONG - 1), frame(3)].concat();
        let mut source = frames(&bytes[..], LONG).unwrap();
        let (mut read, mut held_max) = (Vec::new(), 0);
        loop {
            let polled = Pin::new(&mut source).poll_next(&mut Context::from_waker(Waker::noop()));
            held_max = held_max.max(source.source.bytes.capacity());
            match polled {
                Poll::Ready(Some(frame)) => read.push(frame.unwrap()),
                Poll::Ready(None) => break,
                Poll::Pending => {}
            }
            if let Some(last) = read.last() {
                assert_eq!(last.capacity(), last.len());
            }
        }
        assert!(read.iter().flatten().all(|byte| *byte == 7));
        let lengths: Vec<_> = read.iter().map(Vec::len).collect();
        assert_eq!(lengths, [LONG, CHUNK_BYTES, LONG, LONG - 1, 3]);
        assert!(held_max <= LONG + LENGTH_BYTES + CHUNK_BYTES, "{held_max} bytes");
        assert!(
            source.source.bytes.capacity() <= 2 * CHUNK_BYTES,
            "{} bytes",
            source.source.bytes.capacity()
        );
    }
}
