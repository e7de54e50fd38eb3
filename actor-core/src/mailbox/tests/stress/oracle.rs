//! What must be true of any channel, and the messages that find out.

use std::hash::{BuildHasher, RandomState};
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU8, Ordering};

/// A stream of numbers that its seed decides (splitmix).
#[derive(Clone)]
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new() -> Self {
        Self(RandomState::new().hash_one(0))
    }

    pub(super) fn from_seed(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(super) fn below(&mut self, end: u32) -> u32 {
        u32::try_from(self.next() % u64::from(end)).expect("it is less than its end")
    }

    pub(super) fn one_in(&mut self, many: u32) -> bool {
        self.below(many) == 0
    }
}

/// Keeps the books of one round.
pub(super) struct Oracle {
    /// How often each message was dropped, by sender and number.
    drops: Vec<Vec<AtomicU8>>,
    /// A message was dropped twice, which its destructor cannot report.
    is_doubled: AtomicBool,
    /// No more than the channel holds: counted in after it was accepted, and out
    /// before the receiver looks.
    inside: AtomicI64,
    bound: i64,
}

impl Oracle {
    pub(super) fn new(messages: &[u32], bound: Option<usize>) -> Arc<Self> {
        let drops = messages.iter().map(|count| (0..*count).map(|_| AtomicU8::new(0)).collect()).collect();
        let bound = bound.map_or(i64::MAX, |bound| bound as i64);
        Arc::new(Self { drops, is_doubled: AtomicBool::new(false), inside: AtomicI64::new(0), bound })
    }

    pub(super) fn accepted(&self) {
        let inside = self.inside.fetch_add(1, Ordering::SeqCst) + 1;
        assert!(inside <= self.bound, "{inside} messages in a mailbox for {}", self.bound);
    }

    pub(super) fn is_about_to_look(&self) {
        self.inside.fetch_sub(1, Ordering::SeqCst);
    }

    pub(super) fn found_nothing(&self) {
        self.inside.fetch_add(1, Ordering::SeqCst);
    }

    /// The end of a round: nobody has a message any more.
    pub(super) fn judge(&self, accepted: &[Vec<u32>], handled: &[Vec<u32>], made: &[u32], is_drained: bool) {
        for (sender, (accepted, handled)) in accepted.iter().zip(handled).enumerate() {
            let expected =
                if is_drained { &accepted[..] } else { accepted.get(..handled.len()).unwrap_or(accepted) };
            assert_eq!(handled, expected, "of sender {sender}: in order, and nothing lost or twice");
        }
        assert!(!self.is_doubled.load(Ordering::SeqCst), "a message was dropped twice");
        for (sender, (drops, made)) in self.drops.iter().zip(made).enumerate() {
            for (number, drops) in drops.iter().take(*made as usize).enumerate() {
                assert_eq!(drops.load(Ordering::SeqCst), 1, "drops of message {number} of sender {sender}");
            }
        }
    }
}

/// A message. Owns memory, so that a sanitizer sees one too many or too few.
pub(super) struct Parcel {
    pub(super) sender: usize,
    pub(super) number: Box<u32>,
    oracle: Arc<Oracle>,
    /// Whether its destructor panics.
    is_bomb: bool,
}

impl Parcel {
    pub(super) fn new(oracle: &Arc<Oracle>, sender: usize, number: u32, is_bomb: bool) -> Self {
        Self { sender, number: Box::new(number), oracle: oracle.clone(), is_bomb }
    }

    pub(super) fn defuse(mut self) {
        self.is_bomb = false;
    }
}

impl Drop for Parcel {
    fn drop(&mut self) {
        let before = self.oracle.drops[self.sender][*self.number as usize].fetch_add(1, Ordering::SeqCst);
        if before != 0 {
            self.oracle.is_doubled.store(true, Ordering::SeqCst);
        }
        if self.is_bomb && !std::thread::panicking() {
            // Without the hook, which would print each of them.
            resume_unwind(Box::new("a destructor that panics"));
        }
    }
}
