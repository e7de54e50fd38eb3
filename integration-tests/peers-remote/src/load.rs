//! What is sent, and the check that it arrives: every message says whose it is and which, so
//! that one that is lost, repeated, overtaken or changed is seen.

use std::sync::atomic::{AtomicBool, Ordering};

use actor_cluster::Wire;
use tokio::sync::Notify;

/// How many tasks may send in one measurement.
pub(crate) const SENDERS_MAX: usize = 8;

/// 64 bytes that are a value: no allocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Wire)]
pub(crate) struct Block {
    pub(crate) words: [u64; 8],
}

impl Block {
    pub(crate) const BYTES: usize = 64;

    /// A sender's next.
    pub(crate) fn numbered(sender: usize, number: u64) -> Self {
        let sender = sender as u64;
        Self { words: [number, sender, FILL, FILL, FILL, FILL, FILL, seal(number, sender)] }
    }

    /// What an actor answers to a question.
    pub(crate) fn answer(self) -> Self {
        let [number, ..] = self.words;
        Self { words: [number.wrapping_add(1), 0, FILL, FILL, FILL, FILL, FILL, !number] }
    }

    pub(crate) fn to_bytes(self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        for (place, word) in bytes.chunks_exact_mut(8).zip(self.words) {
            place.copy_from_slice(&word.to_le_bytes());
        }
        bytes
    }

    /// `None` of another length.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; Self::BYTES] = bytes.try_into().ok()?;
        let mut words = [0; 8];
        for (word, place) in words.iter_mut().zip(bytes.as_chunks().0) {
            *word = u64::from_le_bytes(*place);
        }
        Some(Self { words })
    }
}

/// Stands at the end, so that neither number is changed unseen.
fn seal(number: u64, sender: u64) -> u64 {
    !(number ^ sender << 48)
}

const FILL: u64 = 0x6c6f_6164_6c6f_6164;

/// Payloads of one size from one sender.
pub(crate) struct Payloads {
    sender: u64,
    blank: Vec<u8>,
}

impl Payloads {
    /// # Panics
    ///
    /// If there is no room for the number and the sender.
    pub(crate) fn new(sender: usize, bytes: usize) -> Self {
        assert!(bytes >= Block::BYTES, "a payload carries its number");
        Self { sender: sender as u64, blank: vec![FILL_BYTE; bytes] }
    }

    /// A sender's next: one allocation.
    pub(crate) fn numbered(&self, number: u64) -> Vec<u8> {
        let mut bytes = self.blank.clone();
        bytes[..8].copy_from_slice(&number.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.sender.to_le_bytes());
        let end = bytes.len() - 8;
        bytes[end..].copy_from_slice(&seal(number, self.sender).to_le_bytes());
        bytes
    }
}

const FILL_BYTE: u8 = 0x5a;

/// What a receiver has had.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Wire)]
pub(crate) struct Tally {
    pub(crate) count: u64,
    /// Lost, repeated, overtaken, of another length, or changed.
    pub(crate) wrong: u64,
}

impl Tally {
    pub(crate) const BYTES: usize = 16;

    pub(crate) fn to_bytes(self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        bytes[..8].copy_from_slice(&self.count.to_le_bytes());
        bytes[8..].copy_from_slice(&self.wrong.to_le_bytes());
        bytes
    }

    /// `None` of another length.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (count, wrong) = (bytes.first_chunk()?, bytes.last_chunk()?);
        (bytes.len() == Self::BYTES)
            .then(|| Self { count: u64::from_le_bytes(*count), wrong: u64::from_le_bytes(*wrong) })
    }
}

/// What a receiver remembers, in every system.
#[derive(Debug)]
pub(crate) struct Receiver {
    tally: Tally,
    /// The number that each sender sends next.
    next: [u64; SENDERS_MAX],
    /// How long payloads are.
    bytes: usize,
}

impl Receiver {
    pub(crate) fn new(bytes: usize) -> Self {
        Self { tally: Tally::default(), next: [0; SENDERS_MAX], bytes }
    }

    #[inline]
    pub(crate) fn take_bytes(&mut self, bytes: &[u8]) {
        let word = |at: usize| {
            bytes.get(at..).and_then(|rest| rest.first_chunk()).map(|word| u64::from_le_bytes(*word))
        };
        let (number, sender) = (word(0).unwrap_or(u64::MAX), word(8).unwrap_or(u64::MAX));
        let is_whole =
            bytes.len() == self.bytes && bytes.last_chunk() == Some(&seal(number, sender).to_le_bytes());
        // Everything between is looked at now and then: in every message it would be what is measured.
        let is_filled = !number.is_multiple_of(LOOK_EVERY)
            || bytes
                .get(16..bytes.len().saturating_sub(8))
                .is_some_and(|fill| fill.iter().all(|byte| *byte == FILL_BYTE));
        self.take(sender, number, is_whole && is_filled);
    }

    #[inline]
    pub(crate) fn take_block(&mut self, block: &Block) {
        let [number, sender, .., last] = block.words;
        self.take(sender, number, last == seal(number, sender) && block.words[2..7] == [FILL; 5]);
    }

    #[inline]
    fn take(&mut self, sender: u64, number: u64, is_good: bool) {
        self.tally.count += 1;
        let next = usize::try_from(sender).ok().and_then(|sender| self.next.get_mut(sender));
        let is_next = next.is_some_and(|next| std::mem::replace(next, number.wrapping_add(1)) == number);
        self.tally.wrong += u64::from(!(is_next && is_good));
    }

    pub(crate) fn tally(&self) -> Tally {
        self.tally
    }
}

const LOOK_EVERY: u64 = 64;

/// Whether receivers stand still.
static IS_HELD: AtomicBool = AtomicBool::new(false);
static RELEASED: Notify = Notify::const_new();

/// Makes every receiver of this process stand still at its next message, or go on.
pub(crate) fn hold(is_held: bool) {
    IS_HELD.store(is_held, Ordering::SeqCst);
    RELEASED.notify_waiters();
}

/// Called by a receiver for each message.
#[inline]
pub(crate) async fn stand_still_if_held() {
    if IS_HELD.load(Ordering::Relaxed) {
        stand_still().await;
    }
}

#[cold]
async fn stand_still() {
    loop {
        let released = RELEASED.notified();
        if !IS_HELD.load(Ordering::SeqCst) {
            return;
        }
        released.await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(messages: &[Vec<u8>]) -> Tally {
        let mut receiver = Receiver::new(100);
        messages.iter().for_each(|bytes| receiver.take_bytes(bytes));
        receiver.tally()
    }

    #[test]
    fn what_arrives_as_it_was_sent_is_right() {
        let (one, two) = (Payloads::new(0, 100), Payloads::new(7, 100));
        let messages = [one.numbered(0), two.numbered(0), one.numbered(1), one.numbered(2), two.numbered(1)];
        assert_eq!(wrong(&messages), Tally { count: 5, wrong: 0 });
    }

    #[test]
    fn what_is_lost_repeated_overtaken_or_changed_is_seen() {
        let from = Payloads::new(0, 100);
        let [zero, one, two] = [0, 1, 2].map(|number| from.numbered(number));
        let changed = |at: usize| {
            let mut bytes = zero.clone();
            bytes[at] ^= 1;
            bytes
        };
        for messages in [
            vec![one.clone()],
            vec![zero.clone(), zero.clone()],
            vec![zero.clone(), two.clone(), one.clone()],
            vec![zero[..99].to_vec()],
            vec![vec![]],
            vec![changed(0)],
            vec![changed(8)],
            vec![changed(50)],
            vec![changed(99)],
            vec![Payloads::new(SENDERS_MAX, 100).numbered(0)],
        ] {
            assert!(wrong(&messages).wrong > 0, "{messages:?}");
        }
    }

    #[test]
    fn blocks_are_checked_likewise_and_have_one_form_in_bytes() {
        let block = Block::numbered(3, 0);
        assert_eq!(Block::from_bytes(&block.to_bytes()), Some(block));
        assert_eq!(Block::from_bytes(&[0; 63]), None);
        let mut receiver = Receiver::new(0);
        receiver.take_block(&block);
        assert_eq!(receiver.tally(), Tally { count: 1, wrong: 0 });
        receiver.take_block(&block);
        receiver.take_block(&Block { words: [1, 3, 0, FILL, FILL, FILL, FILL, !1] });
        assert_eq!(receiver.tally(), Tally { count: 3, wrong: 2 });
        let tally = Tally { count: 3, wrong: 2 };
        assert_eq!(Tally::from_bytes(&tally.to_bytes()), Some(tally));
        assert_eq!(Tally::from_bytes(&[0; 17]), None);
    }
}
