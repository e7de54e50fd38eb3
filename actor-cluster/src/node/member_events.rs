//! Who listens to what happens to members.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, Weak};
use std::task::{Context, Poll};

use atomic_waker::AtomicWaker;
use futures_util::stream::{Stream, StreamExt};

use crate::limits::EVENTS_KEPT;
use crate::locked::locked;
use crate::membership::events::MemberEvent;

/// What happens to the members of the cluster, from when it was [asked for](crate::NodeServer::member_events) on. A stream, which
/// can be [attached](actor_core::ActorRef::attach_stream) to an actor. Dropping it ends it.
#[derive(Debug)]
pub struct MemberEvents {
    feed: Arc<Feed>,
}

impl MemberEvents {
    /// The next event, in the order in which they happened; `None` once the node is gone. Cancel safe. Whoever leaves more
    /// than [`EVENTS_KEPT`] of them is told how many are missed, and may look at the
    /// [members](crate::NodeServer::members) again.
    pub async fn next(&mut self) -> Option<MemberEvent> {
        StreamExt::next(self).await
    }
}

impl Stream for MemberEvents {
    type Item = MemberEvent;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<MemberEvent>> {
        self.feed.waker.register(cx.waker());
        let mut queue = locked(&self.feed.queue);
        match queue.take() {
            None if queue.is_closed => Poll::Ready(None),
            None => Poll::Pending,
            Some(event) => Poll::Ready(Some(event)),
        }
    }
}

#[derive(Debug, Default)]
struct Feed {
    queue: Mutex<Queue>,
    waker: AtomicWaker,
}

#[derive(Debug, Default)]
struct Queue {
    events: VecDeque<MemberEvent>,
    missed: u64,
    is_closed: bool,
}

impl Queue {
    /// What was missed came after all that was kept, and before whatever comes.
    fn take(&mut self) -> Option<MemberEvent> {
        self.events.pop_front().or_else(|| {
            let missed = std::mem::take(&mut self.missed);
            (missed > 0).then_some(MemberEvent::Missed(missed))
        })
    }

    fn put(&mut self, event: &MemberEvent) {
        if self.missed > 0 || self.events.len() >= EVENTS_KEPT {
            self.missed += 1;
        } else {
            self.events.push_back(event.clone());
        }
    }
}

/// Everybody who listens.
#[derive(Debug, Default)]
pub(super) struct Feeds(Mutex<Vec<Weak<Feed>>>);

impl Feeds {
    pub(super) fn subscribe(&self) -> MemberEvents {
        let feed = Arc::<Feed>::default();
        let mut feeds = locked(&self.0);
        feeds.retain(|feed| feed.strong_count() > 0);
        feeds.push(Arc::downgrade(&feed));
        MemberEvents { feed }
    }

    pub(super) fn put(&self, event: &MemberEvent) {
        // A waker is somebody else's code: no lock is held.
        let feeds: Vec<Arc<Feed>> = locked(&self.0).iter().filter_map(Weak::upgrade).collect();
        for feed in feeds {
            locked(&feed.queue).put(event);
            feed.waker.wake();
        }
    }
}

impl Drop for Feeds {
    /// The node is gone.
    fn drop(&mut self) {
        for feed in locked(&self.0).iter().filter_map(Weak::upgrade) {
            locked(&feed.queue).is_closed = true;
            feed.waker.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn whoever_does_not_listen_misses_some_and_is_told_how_many() {
        let feeds = Feeds::default();
        let mut events = feeds.subscribe();
        for _ in 0..EVENTS_KEPT + 3 {
            feeds.put(&MemberEvent::Removed);
        }
        let mut next = || events.next().now_or_never().flatten();
        for _ in 0..EVENTS_KEPT {
            assert_eq!(next(), Some(MemberEvent::Removed));
        }
        assert_eq!(next(), Some(MemberEvent::Missed(3)));
        assert_eq!(next(), None, "nothing else has happened");
        feeds.put(&MemberEvent::Removed);
        drop(feeds);
        let mut rest = || events.next().now_or_never();
        assert_eq!((rest(), rest()), (Some(Some(MemberEvent::Removed)), Some(None)));
    }
}
