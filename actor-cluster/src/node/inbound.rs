//! The way in: what a session's events do to this node and its actors.

use std::pin::pin;
use std::sync::{Arc, Weak};

use actor_core::{ActorCell, ActorId, CallFailure, ControlRequest, Exit, ExitListener, Rejection};
use bytes::Bytes;

use super::Node;
use super::catalog::{PANICKED, Target, Undone, Waiting};
use super::kinds;
use super::link::{Link, LinkState};
use super::linking;
use super::once::Unrun;
use super::rights::{self, allowed, ask_uncontained};
use super::spans;
use super::spawning::{Asked, SPAWNER};
use crate::authorize::{Operation, Subject};
use crate::contain::contained;
use crate::event::NodeEvent;
use crate::id::NodeId;
use crate::once;
use crate::session::{Correlation, Event, Inbound, InboundCall, Messages, Shape, Spoken, Unread, Verdict};
use crate::transport::Address;
use crate::wire::annotation::Key;
use crate::wire::reference::Token;
use crate::wire::schema::Dialect;
use crate::wire::{Decoder, PendingReply, ReplyTo};

/// Acts on an event that is neither a message nor the session's end.
pub(super) fn on_event(node: &Arc<Node>, link: &Arc<Link>, event: Event) {
    match event {
        Event::Ready => {
            link.state.set(LinkState::Ready);
            node.on_ready(link);
        }
        Event::Answered { reply, value } => on_answer(node, link, reply, value),
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
        Event::Resumed => {
            node.tell(NodeEvent::Resumed(link.info.clone()));
            node.note(|members, now| members.handle_resumed(link.info.life(), now));
        }
        Event::Membership(word) => node.on_membership(link, &word),
        Event::Messages(_) | Event::Cut { .. } | Event::Ended { .. } => {
            unreachable!("the session's task keeps these")
        }
    }
}

/// Gives an answer to whoever waits for it. One that is long is read where it keeps nobody else waiting.
fn on_answer(node: &Node, link: &Arc<Link>, reply: PendingReply, value: Bytes) {
    let link = link.clone();
    // Not counted as a message that is read is: there are no more of these than calls from here.
    node.aside_if_long(value.len(), move || {
        if let Err(error) = reply.answer(&value, &link.context) {
            tracing::warn!(peer = %link.info.name, %error, "an answer could not be read");
        }
    });
}

/// Hands a message to its actor, or tells its caller why not. Says what waits, if it is read
/// aside or the mailbox is full. A call whose caller stops waiting meanwhile never runs.
pub(super) fn deliver(
    node: &Arc<Node>,
    link: &Arc<Link>,
    reached: &mut Reached,
    unread: &Unread<'_>,
) -> Option<Waiting> {
    let waiting = hand_over(node, link, reached, unread)?;
    let call = unread.message.call;
    let Some((call, deadline)) = call.and_then(|call| Some((call.correlation, call.deadline?))) else {
        return Some(waiting);
    };
    let (executor, link) = (node.executor().clone(), link.clone());
    Some(Box::pin(async move {
        let mut in_time = pin!(executor.timeout_at(deadline, waiting));
        if in_time.as_mut().await.is_err() {
            // Before the message is dropped, whose port would say something else.
            link.act(|session| session.answer_at_once(call, Err(CallFailure::Expired)));
        }
        None
    }))
}

/// Hands the next casts to their actor that are [alike](Messages::alike), as many as go, and not more than `most`.
/// How many were taken, and the one that waits for room; `None` if the next must be looked at by itself.
pub(super) fn deliver_casts(
    node: &Arc<Node>,
    link: &Arc<Link>,
    reached: &mut Reached,
    messages: &Messages,
    most: usize,
) -> Option<(usize, Option<Waiting>)> {
    let mut taken = 0;
    // A hook is asked for each message.
    let goes = |next: &Unread<'_>| next.is_plain_cast() && !next.is_read_aside() && !node.hooks.is_some();
    let next = messages.front().filter(goes);
    let Unread { message: first, piece, .. } = next?;
    let found = reached.found(node, link, first.actor).ok()?;
    let Ok((target, None)) = found.understand(link, first.shape, first.spoken) else { return None };
    // Looked for last: where they do not go together it would be for nothing, at every one of them.
    let casts = messages.alike(most);
    let passed = contained("a decoder", || target.deliver_casts(casts, piece, &link.context, &mut taken));
    let waiting = match passed.unwrap_or_else(|| Err(Step::Decoding.panicked())) {
        Ok(()) => None,
        Err(undone) => settle(node, link, &first, None, *undone),
    };
    Some((taken, waiting))
}

/// What was found out for the last message: the next one is often of the same type, and for the
/// same actor. Kept for one turn of a session's task alone, since an actor may be reached no more
/// after.
#[derive(Default)]
pub(super) struct Reached(Option<Found>);

struct Found {
    actor: u64,
    target: Arc<dyn Target>,
    /// What the hook is told of it, if there is one.
    subject: Option<Subject>,
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
                *last = Some(Found { actor, target, subject: None, understood: None });
            }
        }
        self.0.as_mut().ok_or(Rejection::NoSuchActor)
    }

    /// What the hook was told of the last actor.
    fn last_subject(&self) -> Option<&Subject> {
        self.0.as_ref()?.subject.as_ref()
    }
}

impl Found {
    fn subject(&mut self, node: &Node) -> &Subject {
        self.subject.get_or_insert_with(|| rights::subject(node, &*self.target))
    }

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

/// How far a message has come, for the case that a user's code panics there.
#[derive(Clone, Copy)]
enum Step {
    Permission,
    Decoding,
}

impl Step {
    fn panicked(self) -> Box<Undone> {
        let rejection = match self {
            Self::Permission => Rejection::Forbidden,
            Self::Decoding => Rejection::Undecodable(PANICKED.into()),
        };
        rejection.into()
    }
}

fn hand_over(
    node: &Arc<Node>,
    link: &Arc<Link>,
    reached: &mut Reached,
    unread: &Unread<'_>,
) -> Option<Waiting> {
    let Inbound { actor, shape, call, .. } = unread.message;
    // A cast there is for nobody, as any other to that number.
    if let Some(call) = call
        && (actor, shape) == (SPAWNER, Asked::SHAPE)
    {
        let start = || kinds::on_request(node, link, call.correlation, &unread.fields());
        contained("what starts an actor", start);
        return None;
    }
    let sink = |call: InboundCall| ReplyTo::new(link.clone(), call.correlation.as_u64(), call.deadline);
    let mut reply = call.map(sink);
    let mut step = Step::Permission;
    // One guard for all of a user's code on the way: each costs as much as a step.
    let passed = contained("a message, or what may refuse it,", || {
        pass(node, link, reached, unread, &mut reply, &mut step)
    });
    let passed = passed.unwrap_or_else(|| {
        if let (Step::Permission, Some(subject)) = (step, reached.last_subject()) {
            rights::forbidden(node, link, operation_of(&unread.message), subject);
        }
        Err(step.panicked())
    });
    match passed {
        Ok(()) => None,
        Err(undone) => settle(node, link, &unread.message, reply, *undone),
    }
}

fn operation_of(message: &Inbound) -> Operation {
    if message.call.is_some() { Operation::Call } else { Operation::Cast }
}

/// A message is not in its mailbox: it waits, or its caller is told why not, or it is a dead letter.
fn settle(
    node: &Node,
    link: &Link,
    message: &Inbound,
    reply: Option<ReplyTo>,
    undone: Undone,
) -> Option<Waiting> {
    let rejection = match (undone, reply) {
        (Undone::Waiting(waiting), _) => return Some(waiting),
        (Undone::Refused(rejection) | Undone::Bounced(rejection), Some(reply)) => {
            reply.fail(CallFailure::Rejected(rejection));
            return None;
        }
        (Undone::Refused(rejection), None) => {
            // The dead letter tells of it, and of what is forbidden an event: no more often than they may, whatever the peer sends.
            tracing::debug!(about = ?link.info, %rejection, "a remote cast was refused");
            rejection
        }
        (Undone::Bounced(rejection), None) => rejection,
    };
    // The port of a call has told its caller when it was dropped.
    if message.call.is_none() {
        node.on_inbound_dead(link, message.actor, message.shape, &rejection);
    }
    None
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
    let Unread { message, annotation, .. } = *unread;
    let Inbound { actor, shape, spoken, call, .. } = message;
    let found = reached.found(node, link, actor)?;
    if node.hooks.is_some() {
        ask_uncontained(node, link, operation_of(&message), found.subject(node))?;
    }
    let (target, dialect) = found.understand(link, shape, spoken)?;
    let is_late =
        call.and_then(|call| call.deadline).is_some_and(|deadline| deadline <= node.executor().now());
    if is_late && let Some(reply) = reply.take() {
        reply.fail(CallFailure::Expired);
        return Ok(());
    }
    let mut unrun = None;
    if let (Some(call), Some(key)) = (call, annotation.and_then(|annotation| annotation.key)) {
        let of = once::Target { actor, shape };
        let Some(run) = ask_once(node, link, key, of, call.correlation, reply) else { return Ok(()) };
        unrun = Some(run);
    }
    *step = Step::Decoding;
    let mut deliver = || read(node, link, target, dialect, unread, reply);
    let delivered = match annotation {
        None => deliver(),
        Some(annotation) => spans::within(node, link, target, annotation, deliver),
    };
    match unrun {
        None => delivered,
        Some(unrun) => delivered.map_err(|undone| Box::new(unrun.undone(*undone))),
    }
}

/// Decides whether a call with a key runs: then its answer is remembered. `None` if not, and whoever asks has
/// been told, or will be.
fn ask_once(
    node: &Node,
    link: &Arc<Link>,
    key: Key,
    target: once::Target,
    call: Correlation,
    reply: &mut Option<ReplyTo>,
) -> Option<Unrun> {
    let (keyed, unrun) = node.once.ask(link, key, target, call, reply.take()?)?;
    *reply = Some(keyed);
    Some(unrun)
}

/// Reads a message as its sender's build has written it, and hands it over.
fn read(
    node: &Node,
    link: &Arc<Link>,
    target: &dyn Target,
    dialect: Option<&Arc<Dialect>>,
    unread: &Unread<'_>,
    reply: &mut Option<ReplyTo>,
) -> Result<(), Box<Undone>> {
    let (variant, fields) = (unread.message.shape.variant, unread.message.fields.range());
    let spoken = dialect.map(|dialect| link.context.speaking(dialect.clone()));
    if let Some(dialect) = dialect {
        *reply = reply.take().map(|reply| reply.speaking(dialect.clone()));
    }
    if unread.is_read_aside() {
        let context = spoken.unwrap_or_else(|| link.context.clone());
        let (fields, reading) = (unread.fields(), link.begin_reading(fields.len()));
        let waiting =
            target.deliver_aside(node.executor(), variant, (fields, reading), context, reply.take());
        return Err(Box::new(Undone::Waiting(waiting)));
    }
    let context = spoken.as_ref().unwrap_or(&link.context);
    target.deliver(variant, Decoder::within(unread.piece, fields, context), reply)
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

#[cfg(test)]
mod tests {
    use actor_core::SpawnOptions;

    use super::*;
    use crate::node::tests::{Answerer, node};
    use crate::testing::pipe::PipeNetwork;

    /// What concerns the actor is looked for once in a turn, by a number, and not once a message.
    #[tokio::test]
    async fn w24_an_actor_is_looked_up_once_for_many_messages() {
        let network = PipeNetwork::new();
        let ((_h, a), (there, b)) = (node(&network, 1).await, node(&network, 2).await);
        let actor = there.spawn(Answerer, (), SpawnOptions::new()).await.unwrap();
        b.publish("answerer", &actor).unwrap();
        a.connect(&b.addresses()[0]).await.unwrap();
        let (link, serial) = (b.node.links().remove(0), actor.id().serial());
        let finds = |reached: &mut Reached| {
            reached.found(&b.node, &link, serial).map(|found| found.target.cell().id())
        };
        let mut reached = Reached::default();
        assert_eq!(finds(&mut reached), Ok(actor.id()));
        b.unpublish("answerer", &actor);
        assert_eq!(finds(&mut reached), Ok(actor.id()), "it is not looked up again");
        assert_eq!(finds(&mut Reached::default()), Err(Rejection::NoSuchActor), "in the next turn it is");
    }
}
