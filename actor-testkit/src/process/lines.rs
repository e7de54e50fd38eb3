//! What a cluster and its nodes say to each other: lines of text, of bounded length, with nothing in them that ends a line.
//!
//! ```text
//!  cluster ── stdin ──►  name NAME · listen ADDRESS · seed ADDRESS · set KEY VALUE · come     the invitation
//!                        ask ID QUESTION · stop
//!  node ── stdout ──►    ::ready ADDRESS.. · ::answer ID WORDS · ::refuse ID WORDS · ::tell WORDS
//!                        anything else is the program's own
//! ```

use std::io;

use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt};

use crate::limits::LINE_BYTES_MAX;

/// What marks the lines that a node means for the cluster: a test's harness writes its own.
pub(super) const MARK: &str = "::";

/// Told to a process that it is a node, so that it does not wait for an invitation otherwise.
pub(super) const GUEST: &str = "ACTOR_TESTKIT_GUEST";

/// A word of a node's.
#[derive(Debug, PartialEq)]
pub(super) enum Word {
    Ready(Vec<String>),
    Answer(u64, Result<String, String>),
    Tell(String),
    /// A line of the program's own.
    Own(String),
}

impl Word {
    pub(super) fn parse(line: &str) -> Self {
        let own = || Self::Own(line.to_owned());
        let Some(word) = line.strip_prefix(MARK) else { return own() };
        let (verb, rest) = word.split_once(' ').unwrap_or((word, ""));
        let numbered = || {
            let (id, words) = rest.split_once(' ').unwrap_or((rest, ""));
            Some((id.parse().ok()?, unescape(words)))
        };
        match verb {
            "ready" => Self::Ready(rest.split_whitespace().map(unescape).collect()),
            "tell" => Self::Tell(unescape(rest)),
            "answer" => numbered().map_or_else(own, |(id, words)| Self::Answer(id, Ok(words))),
            "refuse" => numbered().map_or_else(own, |(id, words)| Self::Answer(id, Err(words))),
            _ => own(),
        }
    }
}

/// The same text on one line.
pub(super) fn escape(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '\\' => line.push_str("\\\\"),
            '\n' => line.push_str("\\n"),
            '\r' => line.push_str("\\r"),
            other => line.push(other),
        }
    }
    line
}

/// What was [escaped](escape); what cannot have been stays as it is.
pub(super) fn unescape(line: &str) -> String {
    let mut text = String::with_capacity(line.len());
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        if letter != '\\' {
            text.push(letter);
            continue;
        }
        match letters.next() {
            Some('n') => text.push('\n'),
            Some('r') => text.push('\r'),
            Some(other) => text.push(other),
            None => text.push('\\'),
        }
    }
    text
}

/// The next line; `None` at the end. Of one that is too long the beginning, and the rest is skipped.
pub(super) async fn next_line(from: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Option<String>> {
    let mut line = Vec::new();
    let most = LINE_BYTES_MAX as u64;
    if (&mut *from).take(most).read_until(b'\n', &mut line).await? == 0 {
        return Ok(None);
    }
    if line.last() == Some(&b'\n') {
        line.pop();
    } else if line.len() >= LINE_BYTES_MAX {
        skip_line(from).await?;
    }
    Ok(Some(String::from_utf8_lossy(&line).trim_end_matches('\r').to_owned()))
}

async fn skip_line(from: &mut (impl AsyncBufRead + Unpin)) -> io::Result<()> {
    loop {
        let chunk = from.fill_buf().await?;
        let end = chunk.iter().position(|byte| *byte == b'\n');
        let (bytes, is_over) = (end.map_or(chunk.len(), |end| end + 1), end.is_some() || chunk.is_empty());
        from.consume(bytes);
        if is_over {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_of_many_lines_is_one_line_on_its_way() {
        for text in ["", "plain", "two\nlines\r\n", "C:\\new\\\n", "\\", "Ünïcode 東京\n"] {
            let line = escape(text);
            assert!(!line.contains(['\n', '\r']), "{line}");
            assert_eq!(unescape(&line), text);
        }
        assert_eq!(unescape("odd \\"), "odd \\");
    }

    #[test]
    fn words_are_understood_and_everything_else_is_the_programs_own() {
        assert_eq!(Word::parse("::ready a b"), Word::Ready(vec!["a".to_owned(), "b".to_owned()]));
        assert_eq!(Word::parse("::answer 7 two\\nlines"), Word::Answer(7, Ok("two\nlines".to_owned())));
        assert_eq!(Word::parse("::refuse 8"), Word::Answer(8, Err(String::new())));
        assert_eq!(Word::parse("::tell it rains"), Word::Tell("it rains".to_owned()));
        for own in ["running 1 test", "::answer x y", "::answer", "::dance", "", "::"] {
            assert_eq!(Word::parse(own), Word::Own(own.to_owned()));
        }
    }

    #[tokio::test]
    async fn a_line_without_end_takes_no_more_than_a_line_may() {
        let mut text = vec![b'x'; 3 * LINE_BYTES_MAX];
        text.extend(b"\nnext\r\nlast");
        let mut from = &text[..];
        assert_eq!(next_line(&mut from).await.unwrap().unwrap().len(), LINE_BYTES_MAX);
        assert_eq!(next_line(&mut from).await.unwrap().unwrap(), "next");
        assert_eq!(next_line(&mut from).await.unwrap().unwrap(), "last");
        assert_eq!(next_line(&mut from).await.unwrap(), None);
    }
}
