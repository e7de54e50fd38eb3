//! What a session tells whoever drives it.

use actor_core::{CallFailure, ControlRequest, Exit};
use bytes::Bytes;

use super::deaths::Death;
use super::messages::Messages;
use super::streams::ConnectionId;
use crate::transport::CloseReason;
use crate::wire::PendingReply;
use crate::wire::control::Publication;
use crate::wire::reference::Token;

/// What a session reports.
#[derive(Debug)]
pub(crate) enum Event {
    /// All lanes are carried and the peer has said what it publishes.
    Ready,
    /// Messages for actors here. Tell [`Session::delivered`](super::Session::delivered) of each when it is in its
    /// mailbox, is refused, or waits in a line of its actor's.
    Messages(Messages),
    /// An answer to a call from here.
    Answered { reply: PendingReply, value: Bytes },
    /// A call from here will not be answered.
    Failed { reply: PendingReply, failure: CallFailure },
    /// Nobody waits for this call any more. Dropped outside of every lock.
    Abandoned { reply: PendingReply },
    /// There is credit again.
    Room,
    /// Where the peer can be dialled.
    Introduced(Vec<String>),
    /// The peer publishes these from now on.
    Published(Vec<Publication>),
    /// The peer publishes these no more.
    Unpublished(Vec<Publication>),
    /// The peer has sessions with these nodes.
    Members(Vec<(Vec<u8>, Vec<String>)>),
    /// The peer says that it was given an actor's address.
    Presented { actor: u64, token: Token },
    /// The peer wants to know of an actor's end; answer with [`Session::down`](super::Session::down).
    Watch { watch: u64, actor: u64, token: Option<Token> },
    /// The peer does not want to know any more.
    Unwatch { watch: u64 },
    /// An actor that was watched from here has ended.
    Down { watch: u64, exit: Exit },
    /// The peer asks an actor here to stop, drain or die.
    Request { actor: u64, request: ControlRequest, token: Option<Token> },
    /// The peer puts an actor here under one of its own; answer its end with
    /// [`Session::down`](super::Session::down).
    Link { link: u64, actor: u64, supervisor: u64, token: Option<Token> },
    /// The link is over, and with it the actor if its supervisor has ended.
    Unlink { link: u64, has_ended: bool },
    /// An actor that was linked from here has another supervisor now.
    Unlinked { link: u64 },
    /// What is to become of an actor that was started for the peer.
    Claim { actor: u64, is_unwanted: bool },
    /// A word of membership, not longer than it may be.
    Membership(Vec<u8>),
    /// Casts of this side's have died, at the peer's or with the session.
    Died(Vec<Death>),
    /// The stream is no more of the session's: nothing comes from it.
    Cut { connection: ConnectionId, reason: CloseReason },
    /// A lane has lost its stream, and waits for another.
    Interrupted(CloseReason),
    /// Every lane has a stream again.
    Resumed,
    /// The session is over. Comes once, after the events that it causes.
    Ended { reason: CloseReason, unacked: u64 },
}
