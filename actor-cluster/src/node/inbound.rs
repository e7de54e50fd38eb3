//! The way in: what a session's events do to this node and its actors.

use std::pin::pin;
use std::sync::{Arc, Weak};

use actor_core::{ActorCell, ActorId, CallFailure, ControlRequest, Exit, ExitListener, Rejection};
use bytes::Bytes;

use super::Node;
use super::catalog::{Delivery, Target, Undone, refuse};
use super::kinds;
use super::link::{Link, LinkState};
use super::linking;
use super::rights::{allowed, ask_uncontained};
use super::spans;
use super::spawning::{Asked, SPAWNER};
use crate::authorize::{Operation, Subject};
use crate::contain::contained;
use crate::event::NodeEvent;
use crate::id::NodeId;
use crate::once;
use crate::session::{Event, Inbound, InboundCall, Shape, Spoken, Unread, Verdict};
use crate::transport::Address;
use crate::wire::reference::Token;
use crate::wire::schema::Dialect;
use crate::wire::{Decoder, ReplyTo};

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
        Event::Published(publications) => node.on_published(link, publications),
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
        Event::Died(deaths) => node.on_outbound_dead(link, deaths),
        Event::Interrupted(reason) => node.on_interrupted(link, reason),
        Event::Resumed => node.tell(NodeEvent::Resumed(link.info.clone())),
        Event::Messages(_) | Event::Cut { .. } | Event::Ended { .. } => {
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
    unread: &Unread<'_>,
) -> Delivery {
    let message = &unread.message;
    let delivery = match hand_over(node, link, reached, unread) {
        Delivery::Died(rejection) => {
            if message.call.is_none() {
                node.on_inbound_dead(link, message.actor, message.shape, &rejection);
            }
            Delivery::Done
        }
        delivery => delivery,
    };
    let Some((call, deadline)) = message.call.and_then(|call| Some((call.correlation, call.deadline?)))
    else {
        return delivery;
    };
    let Delivery::Waiting(waiting) = delivery else { return Delivery::Done };
    let (executor, link) = (node.executor().clone(), link.clone());
    Delivery::Waiting(Box::pin(async move {
        let mut in_time = pin!(executor.timeout_at(deadline, waiting));
        if in_time.as_mut().await.is_err() {
            // Before the message is dropped, whose port would say something else.
            link.act(|session| session.answer(call, Err(CallFailure::Expired)));
        }
        None
    }))
}

/// Hands casts to their actor that are [alike](Messages::alike), as many as go: how many were taken, and
/// what became of the last of them. None if they are not of the usual kind, and each needs to be
/// looked at.
pub(super) fn deliver_casts(
    node: &Arc<Node>,
    link: &Arc<Link>,
    reached: &mut Reached,
    casts: &[Inbound],
    piece: &Bytes,
) -> (usize, Delivery) {
    let mut taken = 0;
    let nothing = (taken, Delivery::Done);
    // A hook is asked for each message.
    let Some(first) = casts.first().filter(|_| node.authorize().is_none()) else { return nothing };
    let Ok(found) = reached.found(node, link, first.actor) else { return nothing };
    let Ok((target, None)) = found.understand(link, first.shape, first.spoken) else { return nothing };
    let passed = contained("a decoder", || target.deliver_casts(casts, piece, &link.context, &mut taken));
    let rejection = match passed.map(|passed| passed.map_err(|undone| *undone)) {
        Some(Ok(())) => return (taken, Delivery::Done),
        Some(Err(Undone::Waiting(waiting))) => return (taken, Delivery::Waiting(waiting)),
        Some(Err(Undone::Bounced(rejection))) => rejection,
        Some(Err(Undone::Refused(rejection))) => {
            tracing::warn!(about = ?link.info, %rejection, "a remote cast was refused");
            rejection
        }
        None => Rejection::Undecodable(PANICKED.into()),
    };
    node.on_inbound_dead(link, first.actor, first.shape, &rejection);
    (taken, Delivery::Done)
}

/// What was found out for the last message: the next one is often of the same type, and for the
/// same actor. Kept for one turn of a session's task alone, since an actor may be reached no more
/// after.
#[derive(Default)]
pub(super) struct Reached(Option<Found>);

struct Found {
    actor: u64,
    id: ActorId,
    target: Arc<dyn Target>,
    understood: Option<Understood>,
}

/// The actor takes messages of a type, from a peer whose build knows so much of it.
struct Understood {
    shape: Shape,
    spoken: Spoken,
    dialect: Option<Arc<Dialect>>,
}

impl Reached {
    fn found(&mut self, node: &Node, link: &Link, actor: u64) -> Result<&mut Found, Rejection> {
        match &mut self.0 {
            Some(found) if found.actor == actor => {}
            last => {
                let target = node.reached(link, actor).ok_or(Rejection::NoSuchActor)?;
                *last = Some(Found { actor, id: target.cell().id(), target, understood: None });
            }
        }
        self.0.as_mut().ok_or(Rejection::NoSuchActor)
    }
}

impl Found {
    /// The actor, if it takes such a message, and what the message leaves out.
    fn understand(
        &mut self,
        link: &Link,
        shape: Shape,
        spoken: Spoken,
    ) -> Result<(&dyn Target, Option<&Arc<Dialect>>), Rejection> {
        match &mut self.understood {
            Some(last) if last.shape == shape && last.spoken == spoken => {}
            last => {
                if self.target.message() != shape.message {
                    let text = "the actor takes messages of another type".into();
                    return Err(Rejection::Undecodable(text));
                }
                let dialect = understood(link, &*self.target, spoken)
                    .map_err(|text| Rejection::Undecodable(text.into()))?;
                *last = Some(Understood { shape, spoken, dialect });
            }
        }
        let dialect = self.understood.as_ref().and_then(|understood| understood.dialect.as_ref());
        Ok((&*self.target, dialect))
    }
}

const PANICKED: &str = "its decoder panicked";

/// How far a message has come, for the case that a user's code panics there.
#[derive(Clone, Copy)]
enum Step {
    Permission,
    Decoding,
}

fn hand_over(node: &Arc<Node>, link: &Arc<Link>, reached: &mut Reached, unread: &Unread<'_>) -> Delivery {
    let Inbound { actor, shape, call, .. } = unread.message;
    if actor == SPAWNER && shape == Asked::SHAPE {
        let start = || kinds::on_request(node, link, call, &unread.fields());
        let asked = contained("what starts an actor", start);
        return asked.unwrap_or(Delivery::Done);
    }
    let sink = |call: InboundCall| ReplyTo::new(link.clone(), call.correlation.as_u64(), call.deadline);
    let mut reply = call.map(sink);
    let mut step = Step::Permission;
    // One guard for all of a user's code on the way: each costs as much as a step.
    let passed = contained("a message, or what may refuse it,", || {
        pass(node, link, reached, unread, &mut reply, &mut step)
    });
    let rejection = match passed {
        Some(Ok(())) => return Delivery::Done,
        Some(Err(undone)) => match *undone {
            Undone::Waiting(waiting) => return Delivery::Waiting(waiting),
            Undone::Bounced(rejection) => return Delivery::Died(rejection),
            Undone::Refused(rejection) => rejection,
        },
        None => match step {
            Step::Permission => Rejection::Forbidden,
            Step::Decoding => Rejection::Undecodable(PANICKED.into()),
        },
    };
    refuse(reply, &link.info, rejection)
}

/// The way of a message to its mailbox. Takes `reply`, unless the message does not get there.
fn pass(
    node: &Arc<Node>,
    link: &Arc<Link>,
    reached: &mut Reached,
    unread: &Unread<'_>,
    reply: &mut Option<ReplyTo>,
    step: &mut Step,
) -> Result<(), Box<Undone>> {
    let Unread { message, annotation, piece } = *unread;
    let Inbound { actor, shape, spoken, call, fields, .. } = message;
    let operation = if call.is_some() { Operation::Call } else { Operation::Cast };
    let found = reached.found(node, link, actor)?;
    if node.authorize().is_some() {
        ask_uncontained(node, link, operation, Subject::Actor(found.id))?;
    }
    let (target, dialect) = found.understand(link, shape, spoken)?;
    let is_late =
        call.and_then(|call| call.deadline).is_some_and(|deadline| deadline <= node.executor().now());
    if is_late && let Some(reply) = reply.take() {
        reply.fail(CallFailure::Expired);
        return Ok(());
    }
    let mut unrun = None;
    if let Some(key) = annotation.and_then(|annotation| annotation.key)
        && let (Some(call), Some(asked)) = (call, reply.take())
    {
        let of = once::Target { actor, shape };
        let Some((keyed, run)) = node.once.ask(link, key, of, call.correlation, asked) else {
            return Ok(());
        };
        (*reply, unrun) = (Some(keyed), Some(run));
    }
    *step = Step::Decoding;
    let mut deliver = || {
        let fields = fields.range();
        let Some(dialect) = dialect else {
            return target.deliver(shape.variant, Decoder::within(piece, fields, &link.context), reply);
        };
        let context = link.context.speaking(dialect.clone());
        *reply = reply.take().map(|reply| reply.speaking(dialect.clone()));
        target.deliver(shape.variant, Decoder::within(piece, fields, &context), reply)
    };
    let delivery = match annotation {
        None => deliver(),
        Some(annotation) => spans::within(node, link, target, annotation, deliver),
    };
    match unrun {
        None => delivery,
        Some(unrun) => delivery.map_err(|undone| Box::new(unrun.undone(*undone))),
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
