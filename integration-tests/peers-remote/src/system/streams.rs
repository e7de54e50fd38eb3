//! The floors: what a bare stream of bytes can do, and that of TCP.

use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::{Error, Serving};
use crate::far::{Far, Word};
use crate::flags::Task;
use crate::load::Block;
use crate::measure::{Reading, percentiles};
use crate::memory;
use crate::rows::{BULK_BYTES, Kind};

/// One stream.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin + 'static> Stream for T {}

pub(super) async fn serve_tcp(task: &Task) -> Result<Serving, Error> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let (address, task) = (listener.local_addr()?, *task);
    let serving = tokio::spawn(async move {
        let (socket, _) = listener.accept().await?;
        socket.set_nodelay(true)?;
        serve(&task, socket, BULK_BYTES).await
    });
    Ok(Serving::new(address, serving))
}

pub(super) async fn dial_tcp(address: &str) -> Result<TcpStream, Error> {
    let socket = TcpStream::connect(address).await?;
    socket.set_nodelay(true)?;
    Ok(socket)
}

/// The far end of a stream, which it reads so many bytes of at a time.
pub(super) async fn serve(task: &Task, stream: impl Stream, read_bytes: usize) -> Result<(), Error> {
    match task.form.kind {
        Kind::Tell(..) => swallow(stream, read_bytes).await,
        _ => answer(stream).await,
    }
}

/// The near end.
pub(super) async fn run(task: &Task, stream: impl Stream, far: &mut Far) -> Result<Reading, Error> {
    let time = Duration::from_millis(task.millis);
    match task.form.kind {
        Kind::Tell(..) => Ok(Reading::from([(task.form.name, pour(stream, time).await?)])),
        Kind::CountAsks(_) => count(stream, far, task.millis).await,
        _ => {
            let mut stream = stream;
            ask_for(&mut stream, time / 4, |_| {}).await?;
            let mut times = Vec::with_capacity(1 << 20);
            ask_for(&mut stream, time, |time| times.push(time)).await?;
            Ok(percentiles("ask_seq", "ask_seq_p99", times))
        }
    }
}

async fn answer(mut stream: impl Stream) -> Result<(), Error> {
    let mut bytes = [0; Block::BYTES];
    loop {
        stream.read_exact(&mut bytes).await?;
        let question = Block::from_bytes(&bytes).ok_or("a block has its length")?;
        stream.write_all(&question.answer().to_bytes()).await?;
        stream.flush().await?;
    }
}

async fn ask(stream: &mut impl Stream, number: u64) -> Result<(), Error> {
    let question = Block::numbered(0, number);
    stream.write_all(&question.to_bytes()).await?;
    stream.flush().await?;
    let mut bytes = [0; Block::BYTES];
    stream.read_exact(&mut bytes).await?;
    match Block::from_bytes(&bytes) {
        Some(answer) if answer == question.answer() => Ok(()),
        _ => Err("an answer to another question".into()),
    }
}

async fn ask_for(
    stream: &mut impl Stream,
    time: Duration,
    mut each: impl FnMut(Duration),
) -> Result<(), Error> {
    let until = Instant::now() + time;
    let mut before = Instant::now();
    let mut number = 0;
    while before < until {
        ask(stream, number).await?;
        number += 1;
        let now = Instant::now();
        each(now - before);
        before = now;
    }
    Ok(())
}

/// Requests for memory of a question and its answer: what TLS itself takes.
async fn count(mut stream: impl Stream, far: &mut Far, millis: u64) -> Result<Reading, Error> {
    if !memory::is_counted() {
        return Err("requests are counted by peers-remote-counting".into());
    }
    let count = 10 * millis;
    let (mut near_before, mut far_before) = (0, 0);
    for _ in 0..2 {
        (far_before, near_before) = (far.ask(Word::Allocations), memory::allocations());
        for number in 0..count {
            ask(&mut stream, number).await?;
        }
    }
    let near = (memory::allocations() - near_before) as f64 / count as f64;
    let far = (far.ask(Word::Allocations) - far_before) as f64 / count as f64;
    Ok(Reading::from([("allocs_ask", near + far), ("allocs_ask_sender", near), ("allocs_ask_receiver", far)]))
}

/// Writes for a while; megabytes in a second, to the moment when the reader says that it has all.
async fn pour(mut stream: impl Stream, time: Duration) -> Result<f64, Error> {
    let block = pattern();
    let mut start = Instant::now();
    let (mut warm, mut written) = (0, 0_u64);
    for (span, is_warm_up) in [(time / 4, true), (time, false)] {
        start = Instant::now();
        warm = written;
        while Instant::now() < start + span {
            stream.write_all(&block).await?;
            written += block.len() as u64;
        }
        debug_assert!(is_warm_up || warm > 0);
    }
    stream.shutdown().await?;
    let read = stream.read_u64_le().await?;
    if read != written {
        return Err(format!("{read} bytes arrived of {written}").into());
    }
    Ok((written - warm) as f64 / 1e6 / start.elapsed().as_secs_f64())
}

/// Reads to the end, and says how much that was.
async fn swallow(mut stream: impl Stream, read_bytes: usize) -> Result<(), Error> {
    let block = pattern();
    let mut buffer = vec![0; read_bytes];
    let mut total = 0_usize;
    loop {
        let bytes = stream.read(&mut buffer).await?;
        if bytes == 0 {
            break;
        }
        if buffer[0] != block[total % block.len()] {
            return Err("other bytes arrive than were sent".into());
        }
        total += bytes;
    }
    stream.write_u64_le(total as u64).await?;
    stream.flush().await?;
    // The reader of the count ends the stream.
    _ = stream.shutdown().await;
    _ = stream.read(&mut buffer).await;
    Ok(())
}

fn pattern() -> Vec<u8> {
    (0..BULK_BYTES).map(|at| (at % 251) as u8).collect()
}
