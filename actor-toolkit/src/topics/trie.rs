//! Subscriptions by their patterns, a word a level: a topic walks down the words it has, and
//! meets no other pattern. Pure.
//!
//! ```text
//!  root ─ orders ─┬─ eu ─ created   here: A
//!                 ├─ *  ─ created   here: B        orders.eu.created: A, B, C
//!                 └─ #              here: C
//! ```

use std::collections::HashMap;

use super::pattern::{Pattern, Word};

pub(super) struct Trie<V> {
    root: Node<V>,
    /// The next node's.
    number: u64,
    /// How many nodes stand for any number of words.
    many: usize,
}

struct Node<V> {
    number: u64,
    words: HashMap<Box<str>, Node<V>>,
    one: Option<Box<Node<V>>>,
    many: Option<Box<Node<V>>>,
    here: Vec<V>,
}

impl<V> Trie<V> {
    pub(super) fn new() -> Self {
        Self { root: Node::new(0), number: 1, many: 0 }
    }

    pub(super) fn insert(&mut self, pattern: &Pattern, value: V) {
        let mut node = &mut self.root;
        for word in pattern.words() {
            let mut make = || {
                self.number += 1;
                Node::new(self.number)
            };
            node = match word {
                Word::One => node.one.get_or_insert_with(|| Box::new(make())),
                Word::Many => node.many.get_or_insert_with(|| {
                    self.many += 1;
                    Box::new(make())
                }),
                Word::This(this) => {
                    if !node.words.contains_key(this) {
                        node.words.insert(this.into(), make());
                    }
                    node.words.get_mut(this).expect("it was put there just now")
                }
            };
        }
        node.here.push(value);
    }

    /// Takes out what was inserted under the pattern, and the nodes that nobody needs then.
    pub(super) fn remove(&mut self, pattern: &Pattern, is_it: impl Fn(&V) -> bool) -> Option<V> {
        let words: Vec<Word<'_>> = pattern.words().collect();
        self.root.remove(&words, &is_it, &mut self.many)
    }

    /// Shows each value whose pattern is for the topic, once.
    pub(super) fn matching<'t>(&self, topic: impl Iterator<Item = &'t str>, mut show: impl FnMut(&V)) {
        // Of each node, whether any number of words may still be read there.
        let mut at: Vec<(&Node<V>, bool)> = Vec::with_capacity(4);
        let mut next = Vec::with_capacity(4);
        at.push((&self.root, false));
        self.root.pass_many(&mut at);
        for word in topic {
            for (node, is_many) in at.drain(..) {
                if is_many {
                    next.push((node, true));
                }
                for child in node.words.get(word).into_iter().chain(node.one.as_deref()) {
                    next.push((child, false));
                    child.pass_many(&mut next);
                }
            }
            std::mem::swap(&mut at, &mut next);
            // By way of a `#` one node is reached after this word and after that.
            if self.many > 0 && at.len() > 1 {
                at.sort_unstable_by_key(|(node, _)| node.number);
                at.dedup_by_key(|(node, _)| node.number);
            }
            if at.is_empty() {
                return;
            }
        }
        at.iter().flat_map(|(node, _)| &node.here).for_each(&mut show);
    }
}

impl<V> Node<V> {
    fn new(number: u64) -> Self {
        Self { number, words: HashMap::new(), one: None, many: None, here: Vec::new() }
    }

    /// Goes on to what stands for no word at all.
    fn pass_many<'n>(&'n self, to: &mut Vec<(&'n Node<V>, bool)>) {
        let mut node = self;
        while let Some(many) = node.many.as_deref() {
            to.push((many, true));
            node = many;
        }
    }

    fn remove(&mut self, words: &[Word<'_>], is_it: &impl Fn(&V) -> bool, many: &mut usize) -> Option<V> {
        let Some((word, rest)) = words.split_first() else {
            let place = self.here.iter().position(is_it)?;
            return Some(self.here.swap_remove(place));
        };
        let child = match word {
            Word::This(this) => self.words.get_mut(*this)?,
            Word::One => self.one.as_deref_mut()?,
            Word::Many => self.many.as_deref_mut()?,
        };
        let removed = child.remove(rest, is_it, many);
        if child.is_empty() {
            match word {
                Word::This(this) => drop(self.words.remove(*this)),
                Word::One => self.one = None,
                Word::Many => {
                    self.many = None;
                    *many -= 1;
                }
            }
        }
        removed
    }

    fn is_empty(&self) -> bool {
        self.here.is_empty() && self.words.is_empty() && self.one.is_none() && self.many.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topics::Topic;

    /// SplitMix64.
    fn draw(state: &mut u64) -> usize {
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = *state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) >> 1).unwrap()
    }

    fn text(state: &mut u64, words: &[&str]) -> String {
        let count = 1 + draw(state) % 5;
        (0..count).map(|_| words[draw(state) % words.len()]).collect::<Vec<_>>().join(".")
    }

    /// Whether a pattern is for a topic, as one would say it.
    fn naive(pattern: &[Word<'_>], topic: &[&str]) -> bool {
        match (pattern.split_first(), topic.split_first()) {
            (None, None) => true,
            (None, Some(_)) => false,
            (Some((Word::Many, rest)), _) => {
                naive(rest, topic) || !topic.is_empty() && naive(pattern, &topic[1..])
            }
            (Some(_), None) => false,
            (Some((Word::One, rest)), Some((_, topic))) => naive(rest, topic),
            (Some((Word::This(this), rest)), Some((word, topic))) => this == word && naive(rest, topic),
        }
    }

    #[test]
    fn c18_a_topic_meets_its_patterns_each_once_and_no_other() {
        let seed = &mut 7;
        for _ in 0..40 {
            let mut trie = Trie::new();
            let mut patterns: Vec<(usize, Pattern)> = (0..draw(seed) % 30)
                .map(|number| (number, text(seed, &["a", "b", "*", "#", "#"]).parse().unwrap()))
                .collect();
            for (number, pattern) in &patterns {
                trie.insert(pattern, *number);
            }
            while !patterns.is_empty() {
                for _ in 0..10 {
                    let topic: Topic = text(seed, &["a", "b", "c"]).parse().unwrap();
                    let words: Vec<&str> = topic.words().collect();
                    let is_for = |pattern: &Pattern| naive(&pattern.words().collect::<Vec<_>>(), &words);
                    let mut met = Vec::new();
                    trie.matching(topic.words(), |number| met.push(*number));
                    met.sort_unstable();
                    let expected: Vec<usize> =
                        patterns.iter().filter(|(_, pattern)| is_for(pattern)).map(|(n, _)| *n).collect();
                    assert_eq!(met, expected, "{topic} among {patterns:?}");
                    assert!(patterns.iter().all(|(_, pattern)| pattern.matches(&topic) == is_for(pattern)));
                }
                let (number, pattern) = patterns.remove(draw(seed) % patterns.len());
                assert_eq!(trie.remove(&pattern, |other| *other == number), Some(number));
                assert_eq!(trie.remove(&pattern, |other| *other == number), None);
            }
            // Nobody is there, so nothing is.
            assert!(trie.root.is_empty());
            assert_eq!(trie.many, 0);
        }
    }

    #[test]
    fn many_wildcards_do_not_multiply() {
        let mut trie = Trie::new();
        let word = |at: usize| if at.is_multiple_of(2) { "#" } else { "a" };
        let pattern = (0..31).map(word).collect::<Vec<_>>().join(".");
        trie.insert(&pattern.parse().unwrap(), ());
        let topic: Topic = ["a"; 32].join(".").parse().unwrap();
        let mut met = 0;
        trie.matching(topic.words(), |()| met += 1);
        assert_eq!(met, 1);
    }
}
