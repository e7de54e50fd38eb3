//! Messages that have brought the context of a trace along: they are put into their actor's mailbox inside
//! a span that goes on from it, which the actor, if it is traced, handles them in.

use tracing::{Instrument, Span};

use super::Node;
use super::catalog::{Target, Undone};
use super::link::Link;
use crate::contain::contained;
use crate::wire::annotation::Annotation;

/// Hands a message over inside the span that its context is made into, if its actor wants to know.
pub(super) fn within(
    node: &Node,
    link: &Link,
    target: &dyn Target,
    annotation: &Annotation,
    hand_over: impl FnOnce() -> Result<(), Box<Undone>>,
) -> Result<(), Box<Undone>> {
    let actor = target.cell();
    let span = match (node.propagator(), &annotation.trace) {
        (Some(propagator), Some(trace)) if actor.is_traced() => {
            propagator.extracted(trace, &link.info, actor.id())
        }
        _ => return hand_over(),
    };
    let entered = Entered::new(&span);
    let delivery = hand_over();
    drop(entered);
    match delivery.map_err(|undone| *undone) {
        // It is put in later, and is to find the same span then.
        Err(Undone::Waiting(waiting)) => Err(Box::new(Undone::Waiting(Box::pin(waiting.instrument(span))))),
        done => {
            contained(SUBSCRIBER, || drop(span));
            done.map_err(Box::new)
        }
    }
}

const SUBSCRIBER: &str = "a tracing subscriber";

/// This thread is in a span until this is dropped, whatever the subscriber does. By hand and not by
/// `Span::enter`, as a subscriber that panics must not cost the message.
struct Entered<'a>(&'a Span);

impl<'a> Entered<'a> {
    fn new(span: &'a Span) -> Self {
        span.with_subscriber(|(id, subscriber)| contained(SUBSCRIBER, || subscriber.enter(id)));
        Self(span)
    }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        self.0.with_subscriber(|(id, subscriber)| contained(SUBSCRIBER, || subscriber.exit(id)));
    }
}
