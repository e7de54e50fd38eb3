//! The spans that messages were sent in: captured from the sender, carried beside the
//! message, entered for each poll of its handler.
//!
//! ```text
//!  sender ── Tag::capture ──► beside the message ──► InHand ◄── each poll of the handler
//!                                   └── dropped with it, if nobody handles it
//! ```
//!
//! A subscriber is somebody else's code. Whoever calls it from here holds no lock and no
//! place in a queue, and its panics are reported and go no further. Who asks for spans is
//! known by [`Flag::Traced`](crate::lifecycle::Flag::Traced); nobody else comes here.

#[cfg(test)]
mod ledger;

use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};

use tracing::Span;

#[cfg(test)]
pub(crate) use self::ledger::Ledger;
use crate::contain::contained;
use crate::sync::{AtomicBool, LockExt, Mutex, Ordering};

/// The span that something was sent or attached in, or none. Owning it keeps the span
/// open.
pub(crate) struct Tag(Span);

impl Tag {
    /// The span that this thread is in; none if there is no subscriber.
    #[cold]
    pub(crate) fn capture() -> Self {
        let mut span = Span::none();
        contained(SUBSCRIBER, || span = Span::current());
        Self(span)
    }

    /// [`capture`](Self::capture) for where there is seldom one, and no room to spare.
    #[cold]
    pub(crate) fn capture_boxed() -> Option<Box<Self>> {
        let tag = Self::capture();
        (!tag.is_none()).then(|| Box::new(tag))
    }

    /// No span, for a slot that is empty.
    pub(crate) const fn none() -> Self {
        Self(Span::none())
    }

    pub(crate) fn is_none(&self) -> bool {
        self.0.is_disabled()
    }

    // By hand and not by `Span::entered`, whose guard may not lie where others look.
    fn enter(&self) {
        self.0.with_subscriber(|(id, subscriber)| contained(SUBSCRIBER, || subscriber.enter(id)));
    }

    fn exit(&self) {
        self.0.with_subscriber(|(id, subscriber)| contained(SUBSCRIBER, || subscriber.exit(id)));
    }
}

impl Drop for Tag {
    fn drop(&mut self) {
        if !self.is_none() {
            let span = mem::replace(&mut self.0, Span::none());
            contained(SUBSCRIBER, || drop(span));
        }
    }
}

const SUBSCRIBER: &str = "a tracing subscriber";

/// The span of the message that an actor handles just now. The actor's own; locked for no
/// longer than it takes to take it out or to put it back.
pub(crate) struct InHand {
    tag: Mutex<Option<Tag>>,
    // Relaxed, both: only the actor reads them, so that where there is nothing to do nothing
    // is locked.
    is_held: AtomicBool,
    /// Whether this thread is in it. Never while the handler waits.
    is_entered: AtomicBool,
}

impl Default for InHand {
    fn default() -> Self {
        Self { tag: Mutex::default(), is_held: AtomicBool::new(false), is_entered: AtomicBool::new(false) }
    }
}

impl InHand {
    /// A message is taken in hand. Calls no subscriber.
    pub(crate) fn hold(&self, tag: Tag) {
        let former = self.tag.locked().replace(tag);
        debug_assert!(former.is_none(), "one message is in hand at a time");
        self.is_held.store(true, Ordering::Relaxed);
    }

    /// Enters the span, unless this thread is in it.
    pub(crate) fn enter(&self) {
        if self.is_held.load(Ordering::Relaxed) && !self.is_entered.load(Ordering::Relaxed) {
            self.is_entered.store(true, Ordering::Relaxed);
            self.with_tag(Tag::enter);
        }
    }

    /// Leaves the span, if this thread is in it.
    pub(crate) fn leave(&self) {
        if self.is_entered.load(Ordering::Relaxed) {
            self.is_entered.store(false, Ordering::Relaxed);
            self.with_tag(Tag::exit);
        }
    }

    /// The message is done with.
    pub(crate) fn end(&self) {
        if self.is_held.load(Ordering::Relaxed) {
            self.leave();
            self.is_held.store(false, Ordering::Relaxed);
            let tag = self.tag.locked().take();
            drop(tag);
        }
    }

    fn with_tag(&self, call: impl FnOnce(&Tag)) {
        let tag = self.tag.locked().take();
        if let Some(tag) = &tag {
            call(tag);
        }
        *self.tag.locked() = tag;
    }
}

pin_project_lite::pin_project! {
    /// Runs a future inside a span, and drops it there too; for what runs beside a handler.
    pub(crate) struct InSpan<F> {
        #[pin]
        future: F,
        // Declared after the future, so dropped after it. The destructor enters the span;
        // this leaves it.
        tag: Leaving,
    }

    impl<F> PinnedDrop for InSpan<F> {
        fn drop(this: Pin<&mut Self>) {
            this.project().tag.enter();
        }
    }
}

impl<F> InSpan<F> {
    /// Without a tag it only runs the future.
    pub(crate) fn new(tag: Option<Box<Tag>>, future: F) -> Self {
        Self { future, tag: Leaving(tag) }
    }
}

impl<F: Future> Future for InSpan<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        this.tag.enter();
        let _entered = Entered(this.tag);
        this.future.poll(cx)
    }
}

/// Leaves its span when it is dropped, which comes after an entering.
struct Leaving(Option<Box<Tag>>);

impl Leaving {
    fn enter(&self) {
        if let Some(tag) = &self.0 {
            tag.enter();
        }
    }

    fn exit(&self) {
        if let Some(tag) = &self.0 {
            tag.exit();
        }
    }
}

impl Drop for Leaving {
    fn drop(&mut self) {
        self.exit();
    }
}

struct Entered<'a>(&'a Leaving);

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        self.0.exit();
    }
}
