//! The queue under one thread and real ones, under every schedule of small models
//! (loom), and under many schedules of a larger one (shuttle).

#[cfg(actor_loom)]
mod every_schedule;
#[cfg(actor_shuttle)]
mod many_schedules;
#[cfg(not(any(actor_loom, actor_shuttle)))]
mod plain;

use std::sync::Arc;
#[cfg(not(actor_shuttle))]
use std::sync::atomic::{AtomicUsize, Ordering as O};

use super::*;
use crate::trace::Ledger;

type Inbox<T> = Receiver<T, Queue<T>>;

const UNBOUNDED: Setup = Setup::bounded(None);

fn queue<T>(setup: Setup) -> (Arc<Queue<T>>, Inbox<T>) {
    queue_at(setup, 0)
}

fn queue_at<T>(setup: Setup, start: u64) -> (Arc<Queue<T>>, Inbox<T>) {
    let queue = Arc::new(Queue::starting_at(setup, start));
    let inbox = Receiver::new(queue.clone(), |queue| queue);
    (queue, inbox)
}

/// What there is to take, taken out and its room given back.
fn taken<T>(inbox: &mut Inbox<T>) -> Taken<T> {
    inbox.take().map(|oldest| oldest.take_unless(|| false))
}

#[cfg(not(actor_shuttle))]
fn next<T>(inbox: &mut Inbox<T>) -> Option<T> {
    let Taken::Message(message) = taken(inbox) else { return None };
    Some(message)
}

/// Takes a message, whose room is not given back.
fn take<T>(inbox: &mut Inbox<T>) -> Option<T> {
    let Taken::Message(oldest) = inbox.take() else { return None };
    Some(oldest.take())
}

/// What there is to take, with the number of its tag.
#[cfg(not(actor_shuttle))]
fn take_tagged<T>(inbox: &mut Inbox<T>) -> Option<(T, Option<u64>)> {
    let Taken::Message(oldest) = inbox.take() else { return None };
    let Whole { message, tag, .. } = oldest.take_whole();
    Some((message, tag.and_then(|tag| tag.number())))
}

/// The oldest message, taken out by a sender.
#[cfg(not(actor_shuttle))]
fn evicted<T>(queue: &Queue<T>) -> Option<T> {
    queue.evict().map(|taken| taken.message)
}

/// Counts how many of it are dropped.
#[cfg(not(actor_shuttle))]
struct Counted(Arc<AtomicUsize>);

#[cfg(not(actor_shuttle))]
impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, O::SeqCst);
    }
}
