//! Messages that die between this node and another: the observer of the system hears of each, and the
//! sender's node if it wants to.

use std::borrow::Cow;
use std::sync::Arc;

use actor_core::{DeadLetter, DeadReason, Direction, Event, Passage, Rejection};

use super::Node;
use super::link::Link;
use crate::id::NodeLife;
use crate::session::{Death, Shape};

impl Node {
    /// A cast of a peer's dies here, at its actor's door. From the session's task.
    pub(super) fn on_inbound_dead(&self, link: &Link, actor: u64, shape: Shape, rejection: &Rejection) {
        let (reason, detail) = reason_of(rejection);
        self.tell_dead(link, Direction::Inbound, || Death {
            kind: Some((actor, shape)),
            reason,
            detail: detail.clone(),
            count: 1,
        });
        let now = self.executor().now();
        link.run(|session| session.died(now, actor, shape, reason, detail));
    }

    /// A cast of a peer's had no room until the session was over.
    pub(super) fn on_left_over(&self, link: &Link, actor: u64, shape: Shape) {
        let kind = Some((actor, shape));
        let death = || Death { kind, reason: DeadReason::SessionEnded, detail: None, count: 1 };
        self.tell_dead(link, Direction::Inbound, death);
    }

    /// Casts of this node's have died at a peer's, or with the session.
    pub(super) fn on_outbound_dead(&self, link: &Link, deaths: Vec<Death>) {
        for death in deaths {
            self.tell_dead(link, Direction::Outbound, || death);
        }
    }

    fn tell_dead(&self, link: &Link, direction: Direction, death: impl FnOnce() -> Death) {
        self.system.tell(|| {
            let is_here = direction == Direction::Inbound;
            let life = if is_here { self.life() } else { link.info.life() };
            Event::DeadLetter(self.letter(link, direction, life, death()))
        });
    }

    fn letter(&self, link: &Link, direction: Direction, life: NodeLife, death: Death) -> DeadLetter {
        let Death { kind, reason, detail, count } = death;
        let (actor, (message, variant)) = match kind {
            None => (0, (Cow::Borrowed("of several types"), None)),
            Some((actor, shape)) => (actor, self.names(shape)),
        };
        let mut passage = Passage::new(link.info.node.to_string(), direction);
        (passage.variant, passage.detail) = (variant, detail);
        DeadLetter::new(life.actor(actor), message, reason).with_count(count).with_passage(passage)
    }

    /// What a message is called, as far as this node knows its type.
    fn names(&self, shape: Shape) -> (Cow<'static, str>, Option<Arc<str>>) {
        match self.catalog.known(shape.message) {
            Some(known) => (known.name.into(), known.schema.variant(shape.variant).map(Arc::from)),
            None => (format!("opaque<{:016x}>", shape.message.as_u64()).into(), None),
        }
    }
}

fn reason_of(rejection: &Rejection) -> (DeadReason, Option<Arc<str>>) {
    match rejection {
        Rejection::NoSuchActor => (DeadReason::NoSuchActor, None),
        Rejection::Stopped => (DeadReason::Stopped, None),
        Rejection::Full => (DeadReason::Dropped, None),
        Rejection::Forbidden => (DeadReason::Forbidden, None),
        Rejection::Undecodable(text) => (DeadReason::Undecodable, Some(text.clone())),
        _ => (DeadReason::Unknown, None),
    }
}
