//! Topics and patterns, parsed: a value of these types is always well formed.
//!
//! ```text
//!  topic    orders.eu.created     words, with dots between them
//!  pattern  orders.*.created      * stands for one word
//!           orders.#              # for any number of words, none too
//! ```

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use super::limits::{TOPIC_BYTES_MAX, TOPIC_WORDS_MAX};

/// What a message is about: words with dots between them, as `orders.eu.created`.
///
/// A word is anything without dots, wildcards and control characters, and not empty; letters
/// of either case are different.
///
/// ```
/// use actor_toolkit::topics::{Topic, TopicError};
///
/// let topic: Topic = "orders.eu.created".parse()?;
/// assert_eq!(topic.as_str(), "orders.eu.created");
/// assert_eq!("orders..created".parse::<Topic>(), Err(TopicError::EmptyWord));
/// assert_eq!("orders.*".parse::<Topic>(), Err(TopicError::WildcardInTopic));
/// # Ok::<(), TopicError>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Topic {
    text: Arc<str>,
}

/// Which topics a subscription is for. The words are AMQP's: `*` stands for exactly one word,
/// `#` for any number of words, none too; all others for themselves.
///
/// ```
/// use actor_toolkit::topics::{Pattern, Topic, TopicError};
///
/// let created: Pattern = "orders.*.created".parse()?;
/// let orders: Pattern = "orders.#".parse()?;
/// let topic: Topic = "orders.eu.created".parse()?;
/// assert!(created.matches(&topic) && orders.matches(&topic));
/// assert!(orders.matches(&"orders".parse()?));
/// assert_eq!("orders.**".parse::<Pattern>(), Err(TopicError::PartOfWord));
/// # Ok::<(), TopicError>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pattern {
    text: Arc<str>,
}

/// A topic or pattern does not parse. Nothing was sent or subscribed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TopicError {
    /// There is nothing before, after or between dots, or nothing at all.
    #[error("a word is empty: words stand between dots, as in `orders.eu.created`")]
    EmptyWord,
    /// A message is about one topic, which has no wildcards.
    #[error("a topic to publish to has no `*` and no `#`")]
    WildcardInTopic,
    /// A wildcard stands for whole words: `orders.*`, not `ord*`, and `#` for any number of
    /// them, not `**`.
    #[error("`*` and `#` are words of their own: `*` is one word, `#` any number of words")]
    PartOfWord,
    /// It holds a control character.
    #[error("a topic holds no control characters")]
    ControlCharacter,
    /// It is too long.
    #[error("{0} bytes, and a topic has at most {TOPIC_BYTES_MAX}")]
    TooLong(usize),
    /// It has too many words.
    #[error("{0} words, and a topic has at most {TOPIC_WORDS_MAX}")]
    TooManyWords(usize),
}

/// One word of a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word<'a> {
    This(&'a str),
    One,
    Many,
}

impl Topic {
    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub(super) fn words(&self) -> impl Iterator<Item = &str> {
        words(&self.text)
    }
}

impl Pattern {
    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it is for a topic.
    pub fn matches(&self, topic: &Topic) -> bool {
        let words: Vec<Word<'_>> = self.words().collect();
        // Which beginnings of the pattern match what has been read of the topic.
        let mut matched = vec![false; words.len() + 1];
        matched[0] = true;
        pass_many(&words, &mut matched);
        for word in topic.words() {
            let reads = |at: usize| match words[at] {
                Word::This(this) => matched[at] && this == word,
                Word::One => matched[at],
                // It has read some already, or this is its first.
                Word::Many => matched[at] || matched[at + 1],
            };
            let mut next: Vec<bool> = (0..words.len()).map(reads).collect();
            next.insert(0, false);
            pass_many(&words, &mut next);
            matched = next;
        }
        matched[words.len()]
    }

    pub(super) fn words(&self) -> impl Iterator<Item = Word<'_>> {
        words(&self.text).map(|word| match word {
            "*" => Word::One,
            "#" => Word::Many,
            this => Word::This(this),
        })
    }
}

/// `#` matches no word, too.
fn pass_many(words: &[Word<'_>], matched: &mut [bool]) {
    for at in 0..words.len() {
        matched[at + 1] |= matched[at] && words[at] == Word::Many;
    }
}

fn words(text: &str) -> std::str::Split<'_, char> {
    text.split('.')
}

/// What holds for topics and patterns.
fn checked(text: &str) -> Result<(), TopicError> {
    if text.len() > TOPIC_BYTES_MAX {
        return Err(TopicError::TooLong(text.len()));
    }
    let has_control = match text.is_ascii() {
        true => text.bytes().any(|byte| byte.is_ascii_control()),
        false => text.chars().any(char::is_control),
    };
    if has_control {
        return Err(TopicError::ControlCharacter);
    }
    let mut words_read = 0;
    for word in words(text) {
        if word.is_empty() {
            return Err(TopicError::EmptyWord);
        }
        words_read += 1;
    }
    if words_read > TOPIC_WORDS_MAX { Err(TopicError::TooManyWords(words_read)) } else { Ok(()) }
}

/// Without wildcards.
pub(super) fn checked_topic(text: &str) -> Result<(), TopicError> {
    checked(text)?;
    if text.bytes().any(|byte| matches!(byte, b'*' | b'#')) {
        Err(TopicError::WildcardInTopic)
    } else {
        Ok(())
    }
}

impl FromStr for Topic {
    type Err = TopicError;

    fn from_str(text: &str) -> Result<Self, TopicError> {
        checked_topic(text)?;
        Ok(Self { text: text.into() })
    }
}

impl FromStr for Pattern {
    type Err = TopicError;

    fn from_str(text: &str) -> Result<Self, TopicError> {
        checked(text)?;
        if words(text).any(|word| word.len() > 1 && word.contains(['*', '#'])) {
            return Err(TopicError::PartOfWord);
        }
        Ok(Self { text: text.into() })
    }
}

macro_rules! text {
    ($name:ident) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.text)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({:?})"), &*self.text)
            }
        }
    };
}

text!(Topic);
text!(Pattern);
