//! What a word is, and how words are counted. Pure: text in, numbers out.

use std::collections::HashMap;

use actor_cluster::Wire;

/// The words of a text: its longest runs of letters and digits, as Unicode sees
/// them. Two of them always have something else between them, so a text can be cut
/// anywhere but inside a word, and the words of its parts are its words.
pub(crate) fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|letter| !is_word_letter(letter)).filter(|word| !word.is_empty())
}

/// Whether a text can be cut here: at most one side is part of a word.
pub(crate) fn is_between_words(text: &str, at: usize) -> bool {
    let is_in_word = |letter: Option<char>| letter.is_some_and(is_word_letter);
    text.is_char_boundary(at)
        && !(is_in_word(text[..at].chars().next_back()) && is_in_word(text[at..].chars().next()))
}

fn is_word_letter(letter: char) -> bool {
    letter.is_alphanumeric()
}

/// How often each word occurs, in lower case.
#[derive(Clone, Debug, Default, PartialEq, Wire)]
pub(crate) struct Tally {
    counts: HashMap<String, u64>,
}

impl Tally {
    /// Counts the words of a text.
    pub(crate) fn of(text: &str) -> Self {
        let mut tally = Self::default();
        for word in words(text) {
            *tally.counts.entry(word.to_lowercase()).or_default() += 1;
        }
        tally
    }

    /// Adds the counts of another text.
    pub(crate) fn merge(&mut self, other: Tally) {
        for (word, count) in other.counts {
            *self.counts.entry(word).or_default() += count;
        }
    }

    /// How many words there are, each as often as it occurs.
    pub(crate) fn total(&self) -> u64 {
        self.counts.values().sum()
    }

    /// How many different words there are.
    pub(crate) fn distinct(&self) -> usize {
        self.counts.len()
    }

    /// The most frequent words; of equally frequent ones, the one that sorts first.
    pub(crate) fn top(&self, n: usize) -> Vec<(&str, u64)> {
        let mut all: Vec<_> = self.counts.iter().map(|(word, count)| (word.as_str(), *count)).collect();
        all.sort_unstable_by(|(word, count), (other, others)| others.cmp(count).then(word.cmp(other)));
        all.truncate(n);
        all
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn counted(text: &str) -> Vec<(String, u64)> {
        Tally::of(text).top(usize::MAX).into_iter().map(|(word, count)| (word.to_owned(), count)).collect()
    }

    #[test]
    fn words_are_runs_of_letters_and_digits_in_lower_case() {
        let one = |word: &str| (word.to_owned(), 1);
        assert_eq!(counted(""), []);
        assert_eq!(counted(" \n\u{feff}—…_"), []);
        assert_eq!(counted("It's 3.5 km"), ["3", "5", "it", "km", "s"].map(one));
        assert_eq!(counted("fn-fn_FN Fn"), [("fn".to_owned(), 4)]);
        assert_eq!(counted("Ünïcode ΑΣ 東京"), ["ünïcode", "ας", "東京"].map(one));
    }

    #[test]
    fn equally_frequent_words_are_sorted() {
        assert_eq!(Tally::of("b a b a c").top(2), [("a", 2), ("b", 2)]);
    }

    #[test]
    fn a_cut_between_words_is_seen() {
        let text = "ab, é東";
        let cuts: Vec<usize> = (0..=text.len()).filter(|at| is_between_words(text, *at)).collect();
        assert_eq!(cuts, [0, 2, 3, 4, text.len()]);
    }

    proptest! {
        /// Against the most naive way to say it.
        #[test]
        fn counting_is_what_a_loop_over_letters_does(text: String) {
            let mut expected: Vec<String> = vec![String::new()];
            for letter in text.chars() {
                if letter.is_alphanumeric() {
                    expected.last_mut().unwrap().push(letter);
                } else {
                    expected.push(String::new());
                }
            }
            expected.retain(|word| !word.is_empty());
            prop_assert_eq!(Tally::of(&text).total(), expected.len() as u64);
            let mut tally = Tally::default();
            expected.iter().for_each(|word| tally.merge(Tally::of(word)));
            prop_assert_eq!(Tally::of(&text), tally);
        }

        #[test]
        fn the_parts_of_a_text_have_its_words(text: String, at: prop::sample::Index) {
            let at = at.index(text.len() + 1);
            prop_assume!(is_between_words(&text, at));
            let mut tally = Tally::of(&text[..at]);
            tally.merge(Tally::of(&text[at..]));
            prop_assert_eq!(tally, Tally::of(&text));
        }
    }
}
