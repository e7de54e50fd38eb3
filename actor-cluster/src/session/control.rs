//! What a [`Session`] tells its peer beside messages and answers.

use actor_core::{ControlRequest, Exit};
use prost::Message;

use super::calls::Pending;
use super::capabilities::Capabilities;
use super::codes;
use super::lane::{Lane, MessageLane, Outgoing, Recipient};
use super::receive::usable_addresses;
use super::streams::ConnectionId;
use super::{Event, Session, Verdict};
use crate::limits::{
    ANSWER_BACKLOG_BYTES_MAX, CONTROL_BACKLOG_BYTES_MAX, CONTROL_BODY_BYTES_MAX, WATCHES_MAX,
};
use crate::transport::{CloseCode, CloseReason};
use crate::wire::TypeTag;
use crate::wire::control::{
    Addresses, Body, Claim, Control, Down, Empty, Goodbye, Link, Member, Members, Publication, Publications,
    Request, Unlink, Watch,
};
use crate::wire::frame::{Kind, write_frame};
use crate::wire::lanes::LaneId;
use crate::wire::reference::Token;
use crate::wire::schema::Schema;

/// What an acknowledgement says of one lane.
const ACK_ENTRY_BYTES: usize = 17;

pub(super) const UNREAD: &str = "the peer does not read";

/// How many list entries go into one control frame. Entries are bounded, so the
/// frame is.
const ENTRIES_PER_FRAME: usize = 64;

/// Which of the peer's messages may be delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TakesMore {
    pub(crate) urgent: bool,
    pub(crate) others: bool,
}

impl TakesMore {
    pub(crate) const ALL: Self = Self { urgent: true, others: true };

    pub(crate) fn of(self, lane: LaneId) -> bool {
        if lane.is_urgent() { self.urgent } else { self.others }
    }
}

impl Session {
    /// Whether more of the peer's messages should be taken, of the urgent ones and of the others: not while it leaves
    /// the answers to the former ones unread. One answer alone, however long, is not too much.
    pub(crate) fn wants_messages(&self) -> TakesMore {
        let short_most = ANSWER_BACKLOG_BYTES_MAX;
        // With those in parts, of which one alone may be as long as the peer takes.
        let most = ANSWER_BACKLOG_BYTES_MAX + self.peer.message_bytes_max;
        let is_read =
            |out: &Outgoing| out.unsent_frame_bytes() < short_most && out.unsent_answer_bytes() < most;
        let unread = self.messages.iter().map(|lane| &lane.lane).filter(|lane| !is_read(&lane.out));
        unread.fold(TakesMore::ALL, |takes, lane| match lane.id.is_urgent() {
            true => TakesMore { urgent: false, ..takes },
            false => TakesMore { others: false, ..takes },
        })
    }

    /// Tells the session that a message, so many bytes of credit, has left a lane.
    pub(crate) fn delivered(&mut self, lane: LaneId, bytes: usize) {
        let lane = self.message_lane(lane);
        let is_worth_telling = lane.is_some_and(|lane| lane.receive_window.delivered(bytes));
        self.owes_ack |= is_worth_telling;
    }

    /// Asks the peer to send an actor here no messages for now.
    pub(crate) fn hold(&mut self, actor: u64) {
        self.send_control(Body::Hold(actor));
    }

    /// Takes that back.
    pub(crate) fn release(&mut self, actor: u64) {
        self.send_control(Body::Release(actor));
    }

    /// Tells the peer where this node can be dialled.
    pub(crate) fn introduce_addresses(&mut self, addresses: Vec<String>) {
        let addresses = usable_addresses(addresses);
        self.send_control(Body::Introduce(Addresses { addresses }));
    }

    /// Tells the peer what a message type here looks like, once: ahead of the actors that take it.
    pub(crate) fn say_schema(&mut self, message: TypeTag, schema: &Schema) {
        if self.peer.capabilities.has(Capabilities::SCHEMAS)
            && let Some(said) = self.schemas.say(message, schema)
        {
            self.send_control(Body::Schema(said));
        }
    }

    /// What this side's version of a message type and the peer's have in common.
    pub(crate) fn agree(&mut self, message: TypeTag, ours: &Schema) -> Verdict {
        self.schemas.agree(message, ours)
    }

    /// Tells the peer of actors that it may reach from now on.
    pub(crate) fn publish(&mut self, entries: &[Publication]) {
        for entries in entries.chunks(ENTRIES_PER_FRAME) {
            self.send_control(Body::Publish(Publications { entries: entries.to_vec() }));
        }
    }

    /// Tells the peer of actors that it may reach no more.
    pub(crate) fn unpublish(&mut self, entries: &[Publication]) {
        for entries in entries.chunks(ENTRIES_PER_FRAME) {
            self.send_control(Body::Unpublish(Publications { entries: entries.to_vec() }));
        }
    }

    /// Tells the peer that everything published so far has been said.
    pub(crate) fn synced(&mut self) {
        self.send_control(Body::Synced(Empty {}));
    }

    /// Tells the peer of other nodes.
    pub(crate) fn gossip(&mut self, members: impl IntoIterator<Item = Member>) {
        for member in members {
            let Member { node, addresses } = member;
            let member = Member { node, addresses: usable_addresses(addresses) };
            // One to a frame: a member's addresses may fill a quarter of it.
            self.send_control(Body::Members(Members { members: vec![member] }));
        }
    }

    /// Asks to be told of the end of an actor of the peer's: an
    /// [`Event::Down`] with the number returned here. `None` if it cannot be
    /// watched: the session is over, or there are too many watches.
    pub(crate) fn watch(&mut self, actor: u64, token: Option<&Token>) -> Option<u64> {
        let watch = self.open_our_watch()?;
        self.send_control(Body::Watch(Watch { watch, actor, token: bytes_of(token) }));
        Some(watch)
    }

    /// Ends a watch.
    pub(crate) fn unwatch(&mut self, watch: u64) {
        if self.watches.ours.remove(&watch) {
            self.send_control(Body::Unwatch(watch));
        }
    }

    /// Puts an actor of the peer's under one of this node. As [`watch`](Self::watch), and the
    /// actor ends when the session does.
    pub(crate) fn link(&mut self, actor: u64, supervisor: u64, token: Option<&Token>) -> Option<u64> {
        let link = self.open_our_watch()?;
        self.send_control(Body::Link(Link { link, actor, supervisor, token: bytes_of(token) }));
        Some(link)
    }

    /// Ends a link, and the actor with it if its supervisor has ended.
    pub(crate) fn unlink(&mut self, link: u64, has_ended: bool) {
        if self.watches.ours.remove(&link) {
            self.send_control(Body::Unlink(Unlink { link, has_ended }));
        }
    }

    /// Tells the peer that an actor of this node is under its supervisor no more.
    pub(crate) fn unlinked(&mut self, link: u64) {
        if self.watches.theirs.remove(&link) {
            self.send_control(Body::Unlinked(link));
        }
    }

    /// Whether the two sides tell each other who is a member.
    pub(crate) fn speaks_membership(&self) -> bool {
        self.peer.capabilities.has(Capabilities::MEMBERSHIP)
    }

    /// Says a word of membership, if it leaves at once: a later one would say what was so before.
    pub(crate) fn say_membership(&mut self, word: Vec<u8>) {
        if self.speaks_membership() && self.is_open() && self.is_complete() {
            self.send_control(Body::Membership(word));
        }
    }

    /// Says what is to become of an actor that the peer has started for this node.
    pub(crate) fn claim(&mut self, actor: u64, is_unwanted: bool) {
        self.send_control(Body::Claim(Claim { actor, is_unwanted }));
    }

    fn open_our_watch(&mut self) -> Option<u64> {
        if !self.is_open() || self.watches.ours.len() >= WATCHES_MAX {
            return None;
        }
        self.watches.made += 1;
        self.watches.ours.insert(self.watches.made);
        Some(self.watches.made)
    }

    /// Answers a watch of the peer's. A watch that is not open any more gets no
    /// answer.
    pub(crate) fn down(&mut self, watch: u64, exit: &Exit) {
        if self.watches.theirs.remove(&watch) {
            let (exit, text) = codes::of_exit(exit);
            let text = text.map(|text| codes::cut(text).to_owned());
            self.send_control(Body::Down(Down { watch, exit, text }));
        }
    }

    /// Asks an actor of the peer's to stop, drain or die.
    pub(crate) fn request(&mut self, actor: u64, request: &ControlRequest, token: Option<&Token>) {
        let (request, reason) = match request {
            ControlRequest::Stop(reason) => (0, reason.as_deref().map(|text| codes::cut(text).to_owned())),
            ControlRequest::Drain => (1, None),
            ControlRequest::Kill => (2, None),
        };
        self.send_control(Body::Request(Request { actor, request, reason, token: bytes_of(token) }));
    }

    /// The stream that acknowledgements go to.
    pub(super) fn ack_stream(&self) -> Option<ConnectionId> {
        self.control.stream().or_else(|| self.streams.first())
    }

    /// Tells the peer what has arrived, and what it may send.
    pub(super) fn write_ack(&mut self, connection: ConnectionId) {
        self.owes_ack = false;
        let mut body = Vec::with_capacity(ACK_ENTRY_BYTES * (1 + self.messages.len()));
        let mut entry = |lane: &mut Lane, limit: u64| {
            body.push(lane.id.as_u8());
            body.extend_from_slice(&lane.incoming.tell().to_le_bytes());
            body.extend_from_slice(&limit.to_le_bytes());
        };
        entry(&mut self.control, 0);
        for MessageLane { lane, receive_window, .. } in &mut self.messages {
            entry(lane, receive_window.tell());
        }
        self.write(connection, Kind::Ack, 0, &[&body]);
    }

    /// Writes a frame about a stream.
    pub(super) fn write(&mut self, connection: ConnectionId, kind: Kind, index: u32, body: &[&[u8]]) {
        if let Some(stream) = self.streams.get(connection)
            && !stream.write(kind, index, body)
        {
            self.abort(CloseCode::Timeout, UNREAD);
        }
    }

    pub(super) fn send_goodbye(&mut self, reason: &CloseReason) {
        let goodbye = Goodbye { code: reason.code.as_u32(), detail: reason.detail().to_owned() };
        // Whatever waits: it is the last word, and what is too much ends with one.
        self.write_control(Body::Goodbye(goodbye));
    }

    pub(super) fn send_control(&mut self, body: Body) {
        if self.ended().is_some() {
            return;
        }
        self.write_control(body);
        if self.control.out.kept_bytes() > CONTROL_BACKLOG_BYTES_MAX as u64 {
            self.control.out.drop_unsent();
            self.abort(CloseCode::Timeout, UNREAD);
        }
    }

    fn write_control(&mut self, body: Body) {
        let body = Control { body: Some(body) }.encode_to_vec();
        debug_assert!(body.len() <= CONTROL_BODY_BYTES_MAX, "a control frame that the peer takes");
        write_frame(self.control.out.open(), Kind::Control, LaneId::CONTROL, 0, &[&body]);
        self.control.out.seal();
    }

    /// Gives up calls that nobody waits for, and tells the peer.
    pub(super) fn abandon_calls(&mut self) {
        let was_full = self.calls.is_full();
        let abandoned = self.calls.take_abandoned();
        if was_full && !abandoned.is_empty() {
            self.events.push_back(Event::Room);
        }
        for (call, Pending { reply, lane, actor, answer }) in abandoned {
            self.ignore_answer(answer);
            if let Some(lane) = self.message_lane(lane) {
                lane.write(Kind::Cancel, 0, Recipient::Actor(actor), call.as_u64(), &[]);
            }
            self.events.push_back(Event::Abandoned { reply });
        }
    }
}

fn bytes_of(token: Option<&Token>) -> Option<Vec<u8>> {
    token.map(|token| token.as_bytes().to_vec())
}
