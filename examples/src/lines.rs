//! A service that is asked in lines and answers in lines, each as soon as it can.

use std::future::Future;
use std::io;
use std::pin::pin;

use futures_util::stream::{StreamExt, unfold};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};

/// So many lines are being answered at a time; the next is read when one is.
pub const IN_HAND_MAX: usize = 256;

/// Answers each line, in the order of the answers, until there are no more.
///
/// # Errors
///
/// What the system says, or a line that is not text.
pub async fn serve<F: Future<Output = String>>(
    input: impl AsyncRead + Unpin,
    mut output: impl AsyncWrite + Unpin,
    answer: impl Fn(String) -> F,
) -> io::Result<()> {
    let lines = unfold(BufReader::new(input).lines(), async |mut lines| {
        let line = lines.next_line().await.transpose()?;
        Some((line, lines))
    });
    let answers = lines.map(|line| async { Ok(answer(line?).await) });
    let mut answers = pin!(answers.buffer_unordered(IN_HAND_MAX));
    while let Some(answer) = answers.next().await {
        let answer: io::Result<String> = answer;
        output.write_all(format!("{}\n", answer?).as_bytes()).await?;
        output.flush().await?;
    }
    Ok(())
}
