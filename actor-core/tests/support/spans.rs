//! A `tracing` subscriber that knows which spans each thread is in, and counts who keeps
//! them open. Each test has its own; a thread's default it is where a test says so.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};

use tracing::instrument::WithSubscriber;
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::DefaultGuard;
use tracing::{Dispatch, Event, Instrument, Metadata, Span, Subscriber, dispatcher};
use tracing_core::span::Current;

use super::probe::{Act, act};
use super::yield_once;

/// The subscriber, and what it has seen. Clones share it.
#[derive(Clone)]
pub(crate) struct Spans {
    dispatch: Dispatch,
    book: Arc<Book>,
}

#[derive(Default)]
struct Book {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// By number, less one: what it is, and how many keep it open.
    spans: Vec<(&'static Metadata<'static>, usize)>,
    /// Where each thread is, the innermost last.
    inside: HashMap<ThreadId, Vec<u64>>,
    captures: usize,
    entries: usize,
    /// What handlers saw, in order.
    seen: Vec<Option<u64>>,
    /// What panics.
    hostile: Option<Call>,
    /// What nobody may ask of a subscriber.
    mistakes: Vec<String>,
}

/// What a subscriber is asked about a span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    Current,
    Clone,
    Enter,
    Exit,
    Close,
}

impl Call {
    pub(crate) const ALL: [Call; 5] = [Call::Current, Call::Clone, Call::Enter, Call::Exit, Call::Close];
}

impl Default for Spans {
    fn default() -> Self {
        let book = Arc::<Book>::default();
        Self { dispatch: Dispatch::new(Shared(book.clone())), book }
    }
}

impl Spans {
    /// A new span. Its number is one more than that of the last.
    pub(crate) fn span(&self) -> Span {
        self.here(|| tracing::error_span!("a span"))
    }

    /// Does something where this is the subscriber.
    pub(crate) fn here<R>(&self, run: impl FnOnce() -> R) -> R {
        dispatcher::with_default(&self.dispatch, run)
    }

    /// Does something inside a span.
    pub(crate) fn inside<R>(&self, span: &Span, run: impl FnOnce() -> R) -> R {
        self.here(|| span.in_scope(run))
    }

    /// Runs a future inside a span, and where this is the subscriber.
    pub(crate) fn run<F: Future>(&self, span: &Span, future: F) -> impl Future<Output = F::Output> {
        future.instrument(span.clone()).with_subscriber(self.dispatch.clone())
    }

    /// Makes this the thread's subscriber for a while.
    pub(crate) fn installed(&self) -> DefaultGuard {
        dispatcher::set_default(&self.dispatch)
    }

    /// Notes which span this thread is in.
    pub(crate) fn see(&self) {
        let mut state = self.book.state();
        let current = state.current();
        state.seen.push(current);
    }

    /// What was noted since this was last called.
    pub(crate) fn seen(&self) -> Vec<Option<u64>> {
        std::mem::take(&mut self.book.state().seen)
    }

    /// A hook that notes its span at each of three polls.
    pub(crate) fn look(&self) -> Act {
        let spans = self.clone();
        act(move |_| {
            let spans = spans.clone();
            async move {
                for _ in 0..2 {
                    spans.see();
                    yield_once().await;
                }
                spans.see();
                Ok(())
            }
        })
    }

    /// Notes the span that this thread is in when it is dropped.
    pub(crate) fn at_drop(&self) -> SeesAtDrop {
        SeesAtDrop(self.clone())
    }

    /// How often a span was captured or cloned.
    pub(crate) fn captures(&self) -> usize {
        self.book.state().captures
    }

    /// How often a span was entered.
    pub(crate) fn entries(&self) -> usize {
        self.book.state().entries
    }

    /// How many keep a span open.
    pub(crate) fn handles(&self) -> usize {
        self.book.state().spans.iter().map(|(_, handles)| handles).sum()
    }

    /// Says that no thread is inside a span any more, and that nobody but the test keeps
    /// one open.
    #[track_caller]
    pub(crate) fn assert_left(&self, kept_by_the_test: usize) {
        assert_eq!(self.handles(), kept_by_the_test);
        let state = self.book.state();
        assert_eq!(state.mistakes, [""; 0]);
        assert!(state.inside.values().all(Vec::is_empty), "{:?}", state.inside);
    }

    /// Panics at such a call from now on; at none for `None`. It does what was asked before,
    /// but for a clone, which nobody would own then.
    pub(crate) fn panics_at(&self, call: Option<Call>) {
        self.book.state().hostile = call;
    }
}

/// See [`Spans::at_drop`].
pub(crate) struct SeesAtDrop(Spans);

impl Drop for SeesAtDrop {
    fn drop(&mut self) {
        self.0.see();
    }
}

/// The number of a span.
pub(crate) fn number(span: &Span) -> Option<u64> {
    span.id().map(|id| id.into_u64())
}

impl Book {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn handle<R>(&self, call: Call, handle: impl FnOnce(&mut State) -> R) -> R {
        let mut state = self.state();
        let is_hostile = state.hostile == Some(call);
        let handled = (!is_hostile || call != Call::Clone).then(|| handle(&mut state));
        drop(state);
        assert!(!is_hostile, "a subscriber that panics");
        handled.expect("it was done")
    }
}

impl State {
    fn current(&self) -> Option<u64> {
        self.inside.get(&thread::current().id())?.last().copied()
    }

    fn handles(&mut self, id: &Id) -> &mut usize {
        &mut self.spans[usize::try_from(id.into_u64()).unwrap() - 1].1
    }
}

struct Shared(Arc<Book>);

impl Subscriber for Shared {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        let mut state = self.0.state();
        state.spans.push((attributes.metadata(), 1));
        Id::from_u64(state.spans.len() as u64)
    }

    fn current_span(&self) -> Current {
        self.0.handle(Call::Current, |state| match state.current() {
            Some(number) => {
                let (metadata, _) = state.spans[usize::try_from(number).unwrap() - 1];
                Current::new(Id::from_u64(number), metadata)
            }
            None => Current::none(),
        })
    }

    fn clone_span(&self, id: &Id) -> Id {
        self.0.handle(Call::Clone, |state| {
            state.captures += 1;
            *state.handles(id) += 1;
        });
        id.clone()
    }

    fn try_close(&self, id: Id) -> bool {
        self.0.handle(Call::Close, |state| {
            let Some(left) = state.handles(&id).checked_sub(1) else {
                state.mistakes.push(format!("{id:?} is closed once too often"));
                return false;
            };
            *state.handles(&id) = left;
            left == 0
        })
    }

    fn enter(&self, id: &Id) {
        self.0.handle(Call::Enter, |state| {
            state.entries += 1;
            state.inside.entry(thread::current().id()).or_default().push(id.into_u64());
        });
    }

    fn exit(&self, id: &Id) {
        self.0.handle(Call::Exit, |state| {
            let inside = state.inside.entry(thread::current().id()).or_default();
            if inside.pop() != Some(id.into_u64()) {
                state.mistakes.push(format!("{id:?} is left and is not the innermost"));
            }
        });
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, _: &Event<'_>) {}
}
