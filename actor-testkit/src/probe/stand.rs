//! The actor behind a probe, and what has come to it. What a test expects of that is next door.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use actor_core::{Actor, ActorError, ActorRef, SupervisionEvent};

/// Takes a message, or gives it back for the test to look at.
pub(super) type Answering<M> = Box<dyn FnMut(M) -> Option<M> + Send>;

/// What has come and was not looked at yet. Nothing of a user's is called or dropped while it is
/// locked.
pub(super) struct Inbox<M> {
    arrived: Mutex<Arrived<M>>,
}

struct Arrived<M> {
    messages: VecDeque<M>,
    events: VecDeque<SupervisionEvent>,
    /// The probe is borrowed by whoever waits, so there is one at most.
    waiting: Option<Waker>,
}

impl<M> Inbox<M> {
    pub(super) fn new() -> Arc<Self> {
        let arrived = Arrived { messages: VecDeque::new(), events: VecDeque::new(), waiting: None };
        Arc::new(Self { arrived: Mutex::new(arrived) })
    }

    pub(super) fn take_message(&self) -> Option<M> {
        self.arrived().messages.pop_front()
    }

    /// The first event that fits; those before it stay.
    pub(super) fn take_event(&self, fits: impl Fn(&SupervisionEvent) -> bool) -> Option<SupervisionEvent> {
        let mut arrived = self.arrived();
        let place = arrived.events.iter().position(fits)?;
        arrived.events.remove(place)
    }

    /// What the events that wait are about.
    pub(super) fn describe_events(&self) -> String {
        format!("{:?}", self.arrived().events)
    }

    /// Gives what `take` finds, and has the task woken by the next arrival otherwise.
    pub(super) fn poll<T>(&self, cx: &mut Context<'_>, take: impl Fn(&Self) -> Option<T>) -> Poll<T> {
        if let Some(found) = take(self) {
            return Poll::Ready(found);
        }
        let former = self.arrived().waiting.replace(cx.waker().clone());
        drop(former);
        // It may have come in between.
        take(self).map_or(Poll::Pending, Poll::Ready)
    }

    fn arrive(&self, put: impl FnOnce(&mut VecDeque<M>, &mut VecDeque<SupervisionEvent>)) {
        let mut arrived = self.arrived();
        let Arrived { messages, events, waiting } = &mut *arrived;
        put(messages, events);
        let waiting = waiting.take();
        drop(arrived);
        if let Some(waiting) = waiting {
            waiting.wake();
        }
    }

    fn arrived(&self) -> MutexGuard<'_, Arrived<M>> {
        self.arrived.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The actor: it puts what comes aside and lives on.
pub(super) struct Stand<M> {
    pub(super) inbox: Arc<Inbox<M>>,
}

impl<M: Send + 'static> Actor for Stand<M> {
    type Msg = M;
    type State = Option<Answering<M>>;
    type Arguments = Option<Answering<M>>;

    async fn pre_start(
        &self,
        _: &ActorRef<M>,
        answering: Option<Answering<M>>,
    ) -> Result<Option<Answering<M>>, ActorError> {
        Ok(answering)
    }

    async fn handle(
        &self,
        _: &ActorRef<M>,
        message: M,
        answering: &mut Option<Answering<M>>,
    ) -> Result<(), ActorError> {
        let kept = match answering {
            Some(answer) => answer(message),
            None => Some(message),
        };
        if let Some(message) = kept {
            self.inbox.arrive(|messages, _| messages.push_back(message));
        }
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        _: &ActorRef<M>,
        event: SupervisionEvent,
        _: &mut Option<Answering<M>>,
    ) -> Result<(), ActorError> {
        self.inbox.arrive(|_, events| events.push_back(event));
        Ok(())
    }
}
