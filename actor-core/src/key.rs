//! Keys of calls that can be asked again, and how often they were.

use std::{fmt, mem};

use crate::id::ActorId;
use crate::sync::{AtomicU32, LockExt, Mutex, Ordering};

/// Names one call of one actor, so that it can be asked again without running twice.
///
/// [`Control::call_key`](crate::Control::call_key) makes one, and
/// [`ActorRef::call_once`](crate::ActorRef::call_once) calls with it. Make a new one for each call that is to run.
pub struct CallKey {
    actor: ActorId,
    number: u64,
    /// How many asks have begun of which it is not known that they never ran.
    asks: AtomicU32,
    /// Held while an ask is sent: none overtakes the one that says that it is the first.
    turn: Mutex<()>,
}

/// One time that a call is asked: what goes to the actor's node beside its message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyedAsk {
    /// Of the [key](CallKey::number).
    pub number: u64,
    /// Whether the call may have run already, by all that is known here.
    pub is_repeat: bool,
}

impl CallKey {
    pub(crate) fn new(actor: ActorId, number: u64) -> Self {
        Self { actor, number, asks: AtomicU32::new(0), turn: Mutex::new(()) }
    }

    /// Whose call it is.
    pub fn actor(&self) -> ActorId {
        self.actor
    }

    /// Its number among the keys that were made here for actors of the same life of a node; from 1 up. 0 if
    /// the actor is of this process.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Whether a handler may have seen the call, by all that is known of every time that it was asked.
    /// [`CallError::never_ran`](crate::CallError::never_ran) speaks of one time alone.
    pub fn may_have_run(&self) -> bool {
        self.asks.load(Ordering::Relaxed) > 0
    }

    /// Sends an ask, after every other that has begun, and counts it if it was sent.
    pub(crate) fn send<E>(&self, send: impl FnOnce(KeyedAsk) -> Result<(), E>) -> Result<(), E> {
        let _turn = self.turn.locked();
        let begun = self.begin_ask();
        send(KeyedAsk { number: self.number, is_repeat: begun.is_repeat })?;
        begun.note_sent();
        Ok(())
    }

    /// Counts an ask, until it is dropped unsent.
    pub(crate) fn begin_ask(&self) -> BegunAsk<'_> {
        // Relaxed, all: nothing else is published by it.
        BegunAsk { is_repeat: self.asks.fetch_add(1, Ordering::Relaxed) > 0, key: self }
    }

    /// One of the asks that were sent never ran.
    pub(crate) fn note_never_ran(&self) {
        self.asks.fetch_sub(1, Ordering::Relaxed);
    }
}

/// An ask that is counted and has not been sent.
pub(crate) struct BegunAsk<'a> {
    key: &'a CallKey,
    /// Whether others were counted before.
    pub(crate) is_repeat: bool,
}

impl BegunAsk<'_> {
    /// It stays counted.
    pub(crate) fn note_sent(self) {
        mem::forget(self);
    }
}

impl Drop for BegunAsk<'_> {
    fn drop(&mut self) {
        self.key.note_never_ran();
    }
}

impl fmt::Debug for CallKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CallKey({} of {})", self.number, self.actor)
    }
}

#[cfg(all(test, not(any(actor_loom, actor_shuttle))))]
mod tests {
    use std::sync::{Mutex as StdMutex, mpsc};
    use std::thread;

    use super::*;
    use crate::id::Incarnation;

    fn key() -> CallKey {
        CallKey::new(ActorId::new(Incarnation::from_u64(1), 1), 7)
    }

    #[test]
    fn of_two_that_ask_at_once_the_one_that_is_sent_first_says_so() {
        for _ in 0..100 {
            let (key, sent) = (key(), StdMutex::new(Vec::new()));
            let (key, sent) = (&key, &sent);
            let (begun, other_begins) = mpsc::channel();
            thread::scope(|scope| {
                scope.spawn(move || {
                    other_begins.recv().unwrap();
                    let asked = key.send(|ask| {
                        sent.lock().unwrap().push(ask.is_repeat);
                        Ok::<(), ()>(())
                    });
                    assert_eq!(asked, Ok(()));
                });
                let asked = key.send(|ask| {
                    begun.send(()).unwrap();
                    // As one that takes its time to be encoded.
                    (0..100).for_each(|_| thread::yield_now());
                    sent.lock().unwrap().push(ask.is_repeat);
                    Ok::<(), ()>(())
                });
                assert_eq!(asked, Ok(()));
            });
            assert_eq!(*sent.lock().unwrap(), [false, true]);
        }
    }

    #[test]
    fn what_was_not_sent_and_what_never_ran_do_not_count() {
        let key = key();
        let ask = |is_sent: bool| {
            let mut said = None;
            let sent = key.send(|ask| {
                said = Some(ask.is_repeat);
                is_sent.then_some(()).ok_or(())
            });
            assert_eq!(sent.is_ok(), is_sent);
            said.unwrap()
        };
        assert_eq!([ask(false), ask(true), ask(false), ask(true)], [false, false, true, true]);
        key.note_never_ran();
        assert!(key.may_have_run());
        key.note_never_ran();
        assert!(!key.may_have_run() && !ask(false) && !key.may_have_run());
        drop(key.begin_ask());
        assert!(!key.may_have_run());
    }
}
