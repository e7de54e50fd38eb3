//! Addresses of actors in messages: what is written of one, and who is behind what was read.
//!
//! ```text
//!            written as                         read as
//!  ours ──── the writer's, with a token ──────► routed to the writer
//!  theirs ── the reader's ────────────────────► the actor itself, without a hop
//!  others' ─ its node, its life, the token ───► routed to that node, once there is a session
//! ```

#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::future::{Future, ready};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Weak};

use actor_core::{
    ActorId, ActorRef, Attempt, Control, ControlRequest, Deliver, Exit, ExitListener, ForeignControl,
    SendError, Status, WatchId,
};

use super::Node;
use super::catalog::{Catalog, Target};
use super::exports::TooMany;
use super::link::Link;
use super::outbound::{RemoteControl, remote_ref};
use crate::id::NodeLife;
use crate::locked::locked;
use crate::session::Session;
use crate::wire::context::Switchboard;
use crate::wire::reference::{Home, Reference, Token};
use crate::wire::schema::{self, Form, Schema};
use crate::wire::{
    DecodeError, DecodeErrorKind, Decoder, EncodeError, Encoder, RemoteMessage, TypeTag, Wire, WireContext,
};

/// What a node lends to the codec of one session.
struct Board {
    node: Weak<Node>,
    /// The other end.
    peer: NodeLife,
    given_types: Arc<GivenTypes>,
}

/// What the actors take whose addresses are written in a session: the peer is told of it ahead of
/// them, so that it knows before its first message whether it can send any.
#[derive(Default)]
pub(super) struct GivenTypes {
    /// Whether there is anything in `Types::fresh`.
    has_fresh: AtomicBool,
    types: Mutex<Types>,
}

#[derive(Default)]
struct Types {
    // unordered: looked up, never gone through
    known: HashSet<TypeTag>,
    /// What the session was not told of yet.
    fresh: Vec<(TypeTag, Arc<Schema>)>,
}

impl GivenTypes {
    fn note<M: RemoteMessage>(&self, catalog: &Catalog) {
        if locked(&self.types).known.contains(&M::TYPE) {
            return;
        }
        let schema = catalog.schema::<M>();
        let mut types = locked(&self.types);
        if types.known.insert(M::TYPE) {
            types.fresh.push((M::TYPE, schema));
            self.has_fresh.store(true, Ordering::Relaxed);
        }
    }

    /// Tells the peer, under the lock of the session that has just written the addresses.
    #[inline]
    pub(super) fn say_fresh(&self, session: &mut Session) {
        // Relaxed: whoever notes looks afterwards, with the session locked.
        if self.has_fresh.load(Ordering::Relaxed) {
            self.say(session);
        }
    }

    #[cold]
    fn say(&self, session: &mut Session) {
        self.has_fresh.store(false, Ordering::Relaxed);
        for (message, schema) in std::mem::take(&mut locked(&self.types).fresh) {
            session.say_schema(message, &schema);
        }
    }
}

/// What one address takes in memory where it is read, about.
type Cost = [u8; 512];

/// An address of an actor, which gives its reader the right to send to the actor, to watch it, and
/// to pass the address on, as far as the [`Authorize`](crate::Authorize) of the actor's node lets
/// it. It holds until the actor ends.
///
/// Where it comes back to the node of its actor it is the actor's own local address. Elsewhere it
/// is routed, to whichever node the actor lives on: sends say
/// [`NotConnected`](actor_core::SendError::NotConnected) while there is no session with that life
/// of that node. Reading an address dials nobody.
impl<M: RemoteMessage> Wire for ActorRef<M> {
    const TYPE: TypeTag = TypeTag::named("actor_core::ActorRef").with(M::TYPE);
    const ENCODED_BYTES_MIN: usize = Reference::BYTES_MIN;

    /// What the actor takes is compared when it is sent to.
    fn describe(_: &mut schema::Types) -> Form {
        Form::named("actor-ref").with(Form::opaque(M::TYPE))
    }

    fn encode(&self, enc: &mut Encoder<'_>) -> Result<(), EncodeError> {
        enc.charge::<Cost>(1)?;
        let described = Board::of(enc.context()).and_then(|(board, node)| board.describe(&node, self));
        described.map_err(EncodeError::custom::<Self>)?.encode(enc)
    }

    fn decode(dec: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        dec.charge::<Cost>(1)?;
        let reference = Reference::decode(dec)?;
        resolve(dec, &reference)
    }
}

/// Who is behind an address that was read.
pub(super) fn resolve<M: RemoteMessage>(
    dec: &Decoder<'_>,
    reference: &Reference,
) -> Result<ActorRef<M>, DecodeError> {
    let refused = |kind| Err(dec.error(kind));
    if reference.message != M::TYPE {
        return refused(DecodeErrorKind::WrongMessages);
    }
    match Board::of(dec.context()) {
        Ok((board, node)) => board.resolve(&node, reference).or_else(refused),
        Err(text) => refused(DecodeErrorKind::custom(text)),
    }
}

/// What the codec of a session with this peer is lent.
pub(super) fn switchboard(node: &Arc<Node>, peer: NodeLife, given_types: Arc<GivenTypes>) -> Switchboard {
    Switchboard::new(Board { node: Arc::downgrade(node), peer, given_types })
}

impl Board {
    fn of(context: &WireContext) -> Result<(&Self, Arc<Node>), &'static str> {
        let board: Option<&Self> = context.switchboard.as_ref().and_then(Switchboard::get);
        let board = board.ok_or("an actor's address means something in a session only")?;
        let node = board.node.upgrade().ok_or("the node is gone")?;
        Ok((board, node))
    }

    /// What is written of an address.
    fn describe<M: RemoteMessage>(
        &self,
        node: &Node,
        actor: &ActorRef<M>,
    ) -> Result<Reference, &'static str> {
        let id = actor.id();
        let (home, token) = if actor.is_local() {
            if id.incarnation() != node.system.incarnation() {
                return Err("the actor lives in another actor system of this process");
            }
            let token = node.exports.export(actor, node.catalog()).map_err(|TooMany| TOO_MANY)?;
            self.given_types.note::<M>(node.catalog());
            (Home::Writer, Some(token))
        } else if let Some(remote) = actor.foreign_control::<RemoteControl>() {
            let home = remote.peer.life;
            let home = if home == self.peer { Home::Reader } else { Home::Third(home) };
            (home, remote.token)
        } else if actor.foreign_control::<Gone>().is_some() && id.incarnation() == node.system.incarnation() {
            (Home::Writer, Some(node.exports.token(id.serial())))
        } else {
            return Err("the actor was reached by something else than a node");
        };
        Ok(Reference { home, actor: id.serial(), message: M::TYPE, token })
    }

    /// Who is behind an address.
    fn resolve<M: RemoteMessage>(
        &self,
        node: &Arc<Node>,
        reference: &Reference,
    ) -> Result<ActorRef<M>, DecodeErrorKind> {
        let ours = node.life();
        let home = match reference.home {
            Home::Writer => self.peer,
            Home::Reader => ours,
            Home::Third(life) => life,
        };
        if home == ours {
            return resolve_ours(node, reference);
        }
        let peer = node.known_peer(home);
        Ok(remote_ref(peer, home.actor(reference.actor), None, reference.token, node.executor().clone()))
    }
}

/// The actor of this node that a peer speaks of, if the peer may know of it.
fn resolve_ours<M: RemoteMessage>(
    node: &Arc<Node>,
    reference: &Reference,
) -> Result<ActorRef<M>, DecodeErrorKind> {
    let serial = reference.actor;
    let target = match &reference.token {
        Some(token) if node.exports.is_token(serial, token) => node.exports.target(serial),
        Some(_) => return Err(DecodeErrorKind::NotGiven),
        None => node.catalog().target(serial),
    };
    match target {
        Some(target) => {
            ActorRef::from_cell(target.cell().clone()).map_err(|_| DecodeErrorKind::WrongMessages)
        }
        None => Ok(gone_ref(node, serial)),
    }
}

/// The address of an actor of this node that has ended, and that nobody remembers.
fn gone_ref<M: RemoteMessage>(node: &Arc<Node>, serial: u64) -> ActorRef<M> {
    let actor = node.life().actor(serial);
    let control = Control::foreign(actor, None, node.executor().clone(), Box::new(Gone { actor }));
    ActorRef::foreign(Arc::new(GoneActor { control }))
}

struct GoneActor {
    control: Arc<Control>,
}

impl<M: Send + 'static> Deliver<M> for GoneActor {
    fn control(&self) -> &Arc<Control> {
        &self.control
    }

    fn cast(&self, message: M, _: Attempt) -> Result<(), SendError<M>> {
        Err(SendError::Stopped(message, None))
    }

    fn room(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(ready(()))
    }
}

struct Gone {
    actor: ActorId,
}

impl ForeignControl for Gone {
    fn request(&self, _: ControlRequest) {}

    fn status(&self) -> Status {
        Status::Stopped
    }

    fn watch(&self, listener: Arc<dyn ExitListener>) -> WatchId {
        listener.on_exit(self.actor, &Exit::Unreachable);
        WatchId::new(0)
    }

    fn unwatch(&self, _: WatchId) {}
}

impl Node {
    /// A peer says that it was given an actor's address.
    pub(super) fn on_presented(&self, link: &Link, actor: u64, token: &Token) {
        if !self.exports.is_token(actor, token) {
            // No more often than warnings may be, whatever the peer sends.
            tracing::debug!(peer = %link.info.name, actor, "a token that was never given");
        } else if let Some(target) = self.exports.target(actor) {
            link.note_given(actor, &self.exports);
            // It may have been given by another node, which could not say so.
            link.act(|session| session.say_schema(target.message(), target.schema()));
        }
    }

    /// An actor that a peer can reach: one that is published, or that it was given.
    pub(super) fn reached(&self, link: &Link, actor: u64) -> Option<Arc<dyn Target>> {
        let published = self.catalog().target(actor);
        published.or_else(|| if link.is_given(actor) { self.exports.target(actor) } else { None })
    }
}

const TOO_MANY: &str = "as many actors as may be were given to other nodes";
