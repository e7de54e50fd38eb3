//! Makes ids of messages. Those of one process grow, so that an actor that has handled them in order sees a new one at a glance;
//! and the operating system is asked for random bytes once a millisecond, as asking takes longer than a turn in memory.

use std::sync::{Mutex, PoisonError};

use actor_core::Executor;

use crate::id::{MessageId, WallTime};

/// See the module. Each id is given once.
#[derive(Debug, Default)]
pub(super) struct IdGenerator {
    last: Mutex<Option<MessageId>>,
}

impl IdGenerator {
    pub(super) fn make(&self, now: WallTime, executor: &Executor) -> MessageId {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let next = last.filter(|last| last.made() == now).map(MessageId::successor);
        let next = next.filter(|next| next.made() == now);
        *last.insert(next.unwrap_or_else(|| MessageId::new(now, random(executor))))
    }
}

pub(super) fn random(executor: &Executor) -> u128 {
    let mut bytes = [0; 16];
    executor.fill_random(&mut bytes);
    u128::from_le_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn ids_of_one_time_grow_and_no_id_is_made_twice_when_the_clock_steps_back() {
        let (generator, executor) = (IdGenerator::default(), Executor::tokio());
        let mut all = BTreeSet::new();
        for millis in [5, 6, 5, 0, 6] {
            let now = WallTime::from_millis(millis);
            let ids: Vec<MessageId> = (0..100).map(|_| generator.make(now, &executor)).collect();
            assert!(ids.is_sorted_by(|one, other| one < other) && ids.iter().all(|id| id.made() == now));
            all.extend(ids);
        }
        assert_eq!(all.len(), 500);
    }

    #[test]
    fn the_last_id_of_a_time_is_followed_by_another_of_that_time() {
        let now = WallTime::from_millis(5);
        let generator = IdGenerator { last: Mutex::new(Some(MessageId::new(now, u128::MAX))) };
        assert_eq!(generator.make(now, &Executor::tokio()).made(), now);
    }

    #[test]
    fn two_processes_make_different_ids() {
        let make = || IdGenerator::default().make(WallTime::ZERO, &Executor::tokio());
        assert_ne!(make(), make());
    }
}
