//! The way in: what a session's events do to this node and its actors.

use std::pin::pin;
use std::sync::{Arc, Weak};

use actor_core::{ActorCell, ActorId, CallFailure, ControlRequest, Exit, ExitListener, Rejection};

use super::Node;
use super::catalog::{Delivery, Target, refuse};
use super::kinds;
use super::linking;
use super::peer::{Link, LinkState};
use super::spawning::{Asked, SPAWNER};
use crate::authorize::{Operation, Subject};
use crate::contain::contained;
use crate::event::NodeEvent;
use crate::id::NodeId;
use crate::session::{Event, Inbound, Spoken, Verdict};
use crate::transport::Address;
use crate::wire::ReplyTo;
use crate::wire::reference::Token;
use crate::wire::schema::Dialect;

/// Acts on an event that is neither a message nor the session's end.
pub(super) fn on_event(node: &Arc<Node>, link: &Arc<Link>, event: Event) {
    match event {
        Event::Ready => {
            link.state.send_replace(LinkState::Ready);
            node.on_ready(link);
        }
        Event::Answered { reply, value } => {
            if let Err(error) = reply.answer(&value, &link.context) {
                tracing::warn!(peer = %link.info.name, %error, "an answer could not be read");
            }
        }
        Event::Failed { reply, failure } => reply.fail(failure),
        Event::Abandoned { reply } => drop(reply),
        Event::Room => link.room.notify_waiters(),
        Event::Introduced(addresses) => node.on_introduced(link, parsed(addresses)),
        Event::Published(publications) => node.on_published(link, &publications),
        Event::Unpublished(publications) => node.on_unpublished(link, &publications),
        Event::Members(members) => {
            for (member, addresses) in members {
                if let Ok(member) = NodeId::try_from(&member[..]) {
                    node.on_member(member, parsed(addresses));
                }
            }
        }
        Event::Presented { actor, token } => node.on_presented(link, actor, &token),
        Event::Watch { watch, actor, token } => {
            present(node, link, actor, token.as_ref());
            on_watch(node, link, watch, actor);
        }
        Event::Unwatch { watch } => {
            if let Some((actor, watch)) = link.take_watched(watch) {
                actor.unwatch(watch);
            }
        }
        Event::Down { watch, exit } => {
            if let Some(listener) = link.take_listener(watch) {
                listener.tell(&exit);
            }
        }
        Event::Request { actor, request, token } => {
            present(node, link, actor, token.as_ref());
            on_request(node, link, actor, &request);
        }
        Event::Link { link: number, actor, supervisor, token } => {
            present(node, link, actor, token.as_ref());
            linking::on_link(node, link, number, actor, supervisor);
        }
        Event::Unlink { link: number, has_ended } => linking::on_unlink(link, number, has_ended),
        Event::Unlinked { link: number } => {
            if let Some(listener) = link.take_listener(number) {
                listener.tell_unlinked();
            }
        }
        Event::Claim { actor, is_unwanted } => {
            let newborn = link.claim_newborn(actor);
            if let Some(actor) = newborn.filter(|_| is_unwanted) {
                actor.kill();
            }
        }
        Event::Interrupted(reason) => node.on_interrupted(link, reason),
        Event::Resumed => node.tell(NodeEvent::Resumed(link.info.clone())),
        Event::Message(_) | Event::Cut { .. } | Event::Ended { .. } => {
            unreachable!("the session's task keeps these")
        }
    }
}

/// Hands a message to its actor, or tells its caller why not. One whose caller stops
/// waiting while it waits for room never runs.
pub(super) fn deliver(
    node: &Arc<Node>,
    link: &Arc<Link>,
    reached: &mut Reached,
    message: Inbound,
) -> Delivery {
    let call = message.call;
    let delivery = hand_over(node, link, reached, message);
    let Some((correlation, deadline)) = call.and_then(|call| Some((call.correlation, call.deadline?))) else {
        return delivery;
    };
    let Delivery::Waiting(waiting) = delivery else { return Delivery::Done };
    let (executor, link) = (node.executor().clone(), link.clone());
    Delivery::Waiting(Box::pin(async move {
        let mut in_time = pin!(executor.timeout_at(deadline, waiting));
        if in_time.as_mut().await.is_err() {
            // Before the message is dropped, whose port would say something else.
            link.act(|session| session.answer(correlation, Err(CallFailure::Expired)));
        }
    }))
}

/// Which actor the last message was for: the next one is often for the same. Kept for one turn of
/// a session's task alone, since an actor may be reached no more after.
#[derive(Default)]
pub(super) struct Reached(Option<(u64, Arc<dyn Target>)>);

impl Reached {
    fn target(&mut self, node: &Node, link: &Link, actor: u64) -> Option<Arc<dyn Target>> {
        match &self.0 {
            Some((last, target)) if *last == actor => Some(target.clone()),
            _ => {
                let target = node.reached(link, actor)?;
                self.0 = Some((actor, target.clone()));
                Some(target)
            }
        }
    }
}

fn hand_over(node: &Arc<Node>, link: &Arc<Link>, reached: &mut Reached, message: Inbound) -> Delivery {
    if message.actor == SPAWNER && message.shape == Asked::SHAPE {
        kinds::on_request(node, link, message);
        return Delivery::Done;
    }
    let Inbound { actor, shape, spoken, call, fields, .. } = message;
    let mut reply = call.map(|call| ReplyTo::new(link.clone(), call.correlation.as_u64(), call.deadline));
    let operation = if reply.is_some() { Operation::Call } else { Operation::Cast };
    let target = reached.target(node, link, actor).ok_or(Rejection::NoSuchActor);
    let target = match target.and_then(|target| permitted(node, link, operation, target)) {
        Ok(target) => target,
        Err(rejection) => {
            refuse(reply, &link.info, rejection);
            return Delivery::Done;
        }
    };
    if target.message() != shape.message {
        let text = "the actor takes messages of another type".into();
        refuse(reply, &link.info, Rejection::Undecodable(text));
        return Delivery::Done;
    }
    let dialect = match understood(link, &*target, spoken) {
        Ok(dialect) => dialect,
        Err(text) => {
            refuse(reply, &link.info, Rejection::Undecodable(text.into()));
            return Delivery::Done;
        }
    };
    let is_late =
        call.and_then(|call| call.deadline).is_some_and(|deadline| deadline <= node.executor().now());
    if is_late && let Some(reply) = reply.take() {
        reply.fail(CallFailure::Expired);
        return Delivery::Done;
    }
    match dialect {
        None => target.deliver(shape.variant, &fields, &link.context, reply),
        Some(dialect) => {
            let context = link.context.speaking(dialect.clone());
            let reply = reply.map(|reply| reply.speaking(dialect));
            target.deliver(shape.variant, &fields, &context, reply)
        }
    }
}

/// What a message leaves out whose sender was built with another version of its type. An error
/// where it cannot be known.
fn understood(link: &Link, target: &dyn Target, spoken: Spoken) -> Result<Option<Arc<Dialect>>, String> {
    let ours = target.schema();
    match spoken {
        Spoken::Unsaid => Ok(None),
        Spoken::Own(fingerprint) if fingerprint == ours.fingerprint() => Ok(None),
        Spoken::Own(_) => Err(format!("the sender was built with another version of {}", ours.name())),
        Spoken::Common => match link.run(|session| session.agree(target.message(), ours)) {
            Verdict::Incompatible(mismatch) => Err(mismatch.to_string()),
            Verdict::Common(dialect) => Ok(dialect),
            Verdict::Unsaid | Verdict::Same => Ok(None),
        },
    }
}

/// The one place where an operation of a peer's is allowed or not.
pub(super) fn allowed(
    node: &Node,
    link: &Link,
    operation: Operation,
    actor: u64,
) -> Result<Arc<dyn Target>, Rejection> {
    let target = node.reached(link, actor).ok_or(Rejection::NoSuchActor)?;
    permitted(node, link, operation, target)
}

fn permitted(
    node: &Node,
    link: &Link,
    operation: Operation,
    target: Arc<dyn Target>,
) -> Result<Arc<dyn Target>, Rejection> {
    ask(node, link, operation, Subject::Actor(target.cell().id())).map(|()| target)
}

/// Asks the one hook.
pub(super) fn ask(node: &Node, link: &Link, operation: Operation, on: Subject) -> Result<(), Rejection> {
    let answer =
        contained("the authorize hook", || node.authorize().is_allowed(&link.info, operation, on.clone()));
    if answer == Some(true) {
        return Ok(());
    }
    tracing::warn!(peer = %link.info.name, ?operation, ?on, "forbidden");
    Err(Rejection::Forbidden)
}

/// An operation may bring the right to reach its actor along.
fn present(node: &Node, link: &Link, actor: u64, token: Option<&Token>) {
    if let Some(token) = token {
        node.on_presented(link, actor, token);
    }
}

fn on_watch(node: &Node, link: &Arc<Link>, watch: u64, actor: u64) {
    let Ok(target) = allowed(node, link, Operation::Watch, actor) else {
        return link.act(|session| session.down(watch, &Exit::Unreachable));
    };
    let actor: ActorCell = target.cell().clone();
    let watcher = Arc::new(RemoteWatcher::new(link, watch));
    // Announced first: the actor may end, and the peer be told, before the watch is
    // noted.
    link.begin_watched(watch);
    let local = actor.watch_with(watcher);
    link.note_watched(watch, actor, local);
}

fn on_request(node: &Node, link: &Link, actor: u64, request: &ControlRequest) {
    let operation = match request {
        ControlRequest::Stop(_) => Operation::Stop,
        ControlRequest::Drain => Operation::Drain,
        ControlRequest::Kill => Operation::Kill,
    };
    let Ok(target) = allowed(node, link, operation, actor) else { return };
    match request {
        ControlRequest::Stop(reason) => target.cell().stop(reason.as_deref()),
        ControlRequest::Drain => target.cell().drain(),
        ControlRequest::Kill => target.cell().kill(),
    }
}

/// A peer that watches an actor here.
pub(super) struct RemoteWatcher {
    link: Weak<Link>,
    watch: u64,
}

impl RemoteWatcher {
    pub(super) fn new(link: &Arc<Link>, watch: u64) -> Self {
        Self { link: Arc::downgrade(link), watch }
    }
}

impl ExitListener for RemoteWatcher {
    fn on_exit(&self, _: ActorId, exit: &Exit) {
        if let Some(link) = self.link.upgrade() {
            drop((link.take_watched(self.watch), link.take_leash(self.watch)));
            link.act(|session| session.down(self.watch, exit));
        }
    }
}

fn parsed(addresses: Vec<String>) -> Vec<Address> {
    addresses.iter().filter_map(|address| address.parse().ok()).collect()
}
