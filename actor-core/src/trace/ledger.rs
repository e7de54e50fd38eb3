//! Tags that tests can tell apart, and that are counted. Its words are the standard
//! library's, whoever models the rest: no model has to see them.

use std::num::NonZeroU64;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tracing::span::{Attributes, Id, Record};
use tracing::{Dispatch, Event, Metadata, Subscriber, dispatcher};

use super::Tag;

/// Makes tags, and knows how many of them are left.
#[derive(Clone)]
pub(crate) struct Ledger {
    dispatch: Dispatch,
    book: Arc<Book>,
}

#[derive(Default)]
struct Book {
    /// One tag is made at a time.
    making: Mutex<()>,
    next: AtomicU64,
    open: AtomicI64,
}

struct Accountant(Arc<Book>);

impl Default for Ledger {
    fn default() -> Self {
        let book = Arc::<Book>::default();
        Self { dispatch: Dispatch::new(Accountant(book.clone())), book }
    }
}

impl Ledger {
    /// A tag with a number, which is not zero.
    pub(crate) fn tag(&self, number: u64) -> Tag {
        let _making = self.book.making.lock().unwrap_or_else(PoisonError::into_inner);
        self.book.next.store(number, Ordering::Relaxed);
        Tag(dispatcher::with_default(&self.dispatch, || tracing::error_span!("sent")))
    }

    /// How many tags have been made, less those that were dropped.
    pub(crate) fn open(&self) -> i64 {
        self.book.open.load(Ordering::Relaxed)
    }
}

impl Tag {
    /// What the ledger made it with.
    pub(crate) fn number(&self) -> Option<u64> {
        self.0.id().map(|id| id.into_u64())
    }
}

impl Subscriber for Accountant {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        self.0.open.fetch_add(1, Ordering::Relaxed);
        let number = NonZeroU64::new(self.0.next.load(Ordering::Relaxed)).expect("zero is no span");
        Id::from_non_zero_u64(number)
    }

    fn try_close(&self, _: Id) -> bool {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
        true
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, _: &Event<'_>) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}
