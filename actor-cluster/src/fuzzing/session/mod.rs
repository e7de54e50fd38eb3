//! A session whose peer does what it likes, on streams that come and go, while its own node uses
//! it: it may end, and every promise holds until then and at its end.
//!
//! ```text
//!  input ─► steps ──┬─ the peer: frames in their place, out of it, again, or no frames at all
//!                   ├─ the way:  streams that come and are lost, time
//!                   └─ the node: messages, calls, watches, answers
//!                                        │
//!                     Session ◄──────────┘
//!                        ├─► what it writes: checked against `Written`, a lane as one text
//!                        └─► what it reports: checked against `Promised`, plain counts
//! ```

mod peer;
mod promised;
mod steps;
#[cfg(test)]
mod tests;
mod written;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use actor_core::{Attempt, ControlRequest, Exit, Instant, ReplyFuture, ReplyPort};
use arbitrary::{Arbitrary, Unstructured};
use bytes::{Bytes, BytesMut};

use self::promised::Promised;
use self::steps::{Content, Say, Step};
use self::written::Written;
use crate::RemoteMessage;
use crate::id::{Incarnation, NodeId, NodeLife};
use crate::limits::{FRAME_BODY_BYTES_MAX, MESSAGE_BYTES_MAX_LEAST};
use crate::session::capabilities::Capabilities;
use crate::session::codes::to_death;
use crate::session::handshake::{Peer, SessionId};
use crate::session::heartbeat::Pace;
use crate::session::streams::ConnectionId;
use crate::session::{Config, Correlation, Session, Shape};
use crate::trace::TraceContext;
use crate::transport::{CloseCode, CloseReason, LaneSet};
use crate::wire::annotation::{Annotation, Key};
use crate::wire::control::{Member, Publication};
use crate::wire::frame::Kind;
use crate::wire::lanes::{LaneId, LaneIds};
use crate::wire::reference::Token;
use crate::wire::schema::Schema;
use crate::wire::{Urgency, VariantTag};

/// More than goes in one frame.
const MESSAGE_BYTES_MAX: usize = 3 * MESSAGE_BYTES_MAX_LEAST;
const DATA_LANES: u8 = 2;
/// As long as a frame's body may be, and a message longer than that must go in parts.
const LONG: u32 = 1 << 17;
const _: () = assert!(LONG as usize == FRAME_BODY_BYTES_MAX);
const WINDOW_BYTES: u64 = 1 << 14;
/// Enough to reach everything, and not so many that an input takes long.
const STEPS_MAX: usize = 256;
const STREAMS_MAX: usize = 4;
/// One more than the greatest number of a kind of frames.
const KINDS: u8 = 18;

const TOKEN: Token = Token::from_bytes([0xab; 16]);

#[derive(Debug, RemoteMessage)]
#[wire(name = "fuzzing/letter")]
enum Letter {
    Parcel(Bytes),
    #[rpc]
    Ask(u32, ReplyPort<u32>),
}

/// Bytes of a peer, as they come; or, behind an odd first byte, steps.
///
/// # Panics
///
/// If a promise is broken.
pub fn session(data: &[u8]) {
    let Some((first, data)) = data.split_first() else { return };
    let mut fuzzed = Fuzzed::new();
    if first % 2 == 0 {
        fuzzed.goes_wild();
        fuzzed.attach(every_lane());
        for piece in data.chunks(usize::from(*first).max(1)) {
            fuzzed.receive(0, piece);
            fuzzed.wait(Duration::from_millis(7));
        }
        return fuzzed.end();
    }
    fuzzed.begin_well();
    let mut input = Unstructured::new(data);
    for _ in 0..STEPS_MAX {
        if input.is_empty() {
            break;
        }
        let Ok(step) = Step::arbitrary(&mut input) else { break };
        fuzzed.take(step);
        fuzzed.drain();
    }
    fuzzed.end();
}

/// One control message in the middle of a session.
pub(super) fn on_control(body: &[u8]) {
    if body.len() > FRAME_BODY_BYTES_MAX {
        return;
    }
    let mut fuzzed = Fuzzed::new();
    fuzzed.attach(every_lane());
    fuzzed.take(Step::Watch { actor: 1 });
    fuzzed.put(0, Kind::Control, LaneId::CONTROL, 0, body);
    fuzzed.drain();
    fuzzed.end();
}

struct Fuzzed {
    session: Session,
    now: Instant,
    streams: Vec<Stream>,
    streams_made: u64,
    /// What the peer has sent in each lane, in its place.
    sent: BTreeMap<u8, Sent>,
    defined: BTreeMap<LaneId, u8>,
    last_ping: u64,
    written: Written,
    promised: Promised,
    callers: Vec<ReplyFuture<u32>>,
    asked: Vec<Correlation>,
    undelivered: Vec<(LaneId, usize)>,
}

#[derive(Clone, Default)]
struct Sent {
    /// Where the next frame stands.
    end: u64,
    /// Where each stands, and its bytes.
    frames: Vec<(u64, Vec<u8>)>,
}

struct Stream {
    id: ConnectionId,
    lanes: LaneIds,
    /// Where the session's reader of this stream thinks that the next frame stands.
    said: BTreeMap<u8, u64>,
    inbox: BytesMut,
}

impl Fuzzed {
    fn new() -> Self {
        let of = |number: u8| NodeId::from_bytes([number; 32]);
        let peer = Peer {
            life: NodeLife::new(of(2), Incarnation::from_u64(2)),
            name: "peer".to_owned(),
            is_proven: true,
            lanes: every_lane(),
            data_lanes: DATA_LANES,
            message_bytes_max: MESSAGE_BYTES_MAX,
            window_bytes: WINDOW_BYTES,
            capabilities: Capabilities::OURS,
            wants_dead_letters: true,
            session: SessionId::new(7),
            had: None,
            dialler: of(2),
        };
        let config = Config {
            pace: Pace { interval: Duration::from_secs(1), timeout: Duration::from_secs(5) },
            patience: Duration::from_secs(10),
            resume_timeout: Duration::from_secs(5),
            message_bytes_max: MESSAGE_BYTES_MAX,
            window_bytes: WINDOW_BYTES,
            wants_dead_letters: true,
        };
        Self {
            session: Session::new(peer, config, Instant::ZERO),
            now: Instant::ZERO,
            streams: Vec::new(),
            streams_made: 0,
            sent: BTreeMap::new(),
            defined: BTreeMap::new(),
            last_ping: 0,
            written: Written::default(),
            promised: Promised::default(),
            callers: Vec::new(),
            asked: Vec::new(),
            undelivered: Vec::new(),
        }
    }

    /// A stream, and the types of a cast and of a call: what every input would have to find first.
    fn begin_well(&mut self) {
        self.attach(every_lane());
        for lane in [3, 3, 4, 4] {
            self.take(Step::Frame {
                stream: 0,
                lane,
                frame: Content::Define { index: None, is_letter: true },
            });
        }
        self.drain();
    }

    /// The peer says what nobody keeps account of here: it may send messages and acknowledge.
    fn goes_wild(&mut self) {
        self.promised.is_wild = true;
        self.written.acknowledged(0, u64::MAX);
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Frame { stream, lane, frame } => self.on_frame(stream, lane_of(lane), frame),
            Step::Again { stream, lane, frames } => self.again(stream, lane_of(lane), frames),
            Step::About { stream, about } => self.about(stream, about),
            Step::Garbage { stream, bytes } => {
                let Some(at) = self.pick(stream) else { return };
                self.goes_wild();
                self.receive(at, &bytes);
            }
            Step::Attach { lanes } => {
                let lanes = LaneIds::from_bits(u32::from(lanes % 16));
                self.attach(lanes.unwrap_or(every_lane()));
            }
            Step::Detach { stream, code } => {
                let Some(at) = self.pick(stream) else { return };
                let code = CloseCode::from_u32(u32::from(code % 6)).unwrap_or(CloseCode::Lost);
                let id = self.streams.remove(at).id;
                self.session.detach(self.now, id, code.into());
            }
            Step::Wait { millis } => self.wait(Duration::from_millis(u64::from(millis))),
            Step::Send { actor, bytes, is_traced } => {
                // Some are too long for one frame.
                let parcel = Letter::Parcel(vec![7; 3 * usize::from(bytes)].into());
                let annotation = is_traced.then(annotation);
                // Half of the actors are sent to by somebody who has waited.
                let attempt = if actor < 128 { Attempt::First } else { Attempt::Again };
                let (now, actor) = (self.now, u64::from(actor));
                let sent = self.session.send_at_once(now, actor, parcel, attempt, annotation.as_ref());
                self.promised.casts += u64::from(sent.is_ok());
            }
            Step::Call { actor, millis } => {
                let deadline = millis.map(|millis| self.now + Duration::from_millis(u64::from(millis)));
                let (port, reply) = ReplyPort::new(deadline);
                let (now, ask) = (self.now, Letter::Ask(1, port));
                if self.session.send_at_once(now, u64::from(actor), ask, Attempt::First, None).is_ok() {
                    self.promised.calls += 1;
                    self.callers.push(reply);
                }
            }
            Step::HangUp if self.callers.is_empty() => {}
            Step::HangUp => drop(self.callers.remove(0)),
            Step::Watch { actor } => self.promised.watches.extend(self.session.watch(u64::from(actor), None)),
            Step::Unwatch { watch } => {
                self.session.unwatch(u64::from(watch));
                self.promised.watches.remove(&u64::from(watch));
            }
            Step::Answer { call } if self.asked.is_empty() => _ = call,
            Step::Answer { call } => {
                let call = self.asked.swap_remove(usize::from(call) % self.asked.len());
                self.session.answer_at_once(call, Ok(&5_u32));
            }
            Step::Deliver => self.deliver(),
            Step::Say(say) => self.say(say),
            Step::Close => self.session.close(&CloseReason::from(CloseCode::Shutdown)),
        }
    }

    fn say(&mut self, say: Say) {
        let publication = |actor: u8| Publication {
            actor: actor.into(),
            message: 1,
            kind: 0,
            label: "name".into(),
            ..Publication::default()
        };
        match say {
            Say::Synced => self.session.synced(),
            Say::Publish(actor) => self.session.publish(&[publication(actor)]),
            Say::Unpublish(actor) => self.session.unpublish(&[publication(actor)]),
            Say::Down { watch } => {
                self.session.down(u64::from(watch), &Exit::Killed);
                self.promised.watched.remove(&u64::from(watch));
            }
            Say::Stop { actor } => self.session.request(u64::from(actor), &ControlRequest::Stop(None), None),
            Say::Hold(actor) => self.session.hold(u64::from(actor)),
            Say::Release(actor) => self.session.release(u64::from(actor)),
            Say::Introduce => self.session.introduce_addresses(vec!["tcp+tls://host:1".to_owned()]),
            Say::Gossip => self.session.gossip([Member { node: vec![9; 32], addresses: Vec::new() }]),
            Say::Link { actor, has_token } => {
                let link = self.session.link(u64::from(actor), 1, has_token.then_some(&TOKEN));
                self.promised.watches.extend(link);
            }
            Say::Unlink { link, has_ended } => {
                self.session.unlink(u64::from(link), has_ended);
                self.promised.watches.remove(&u64::from(link));
            }
            Say::Unlinked(link) => {
                self.session.unlinked(u64::from(link));
                self.promised.watched.remove(&u64::from(link));
            }
            Say::Claim(actor) => self.session.claim(u64::from(actor), actor % 2 == 0),
            Say::Present(actor) => _ = self.session.present(u64::from(actor), urgency_of(actor), &TOKEN),
            Say::Schema => self.session.say_schema(Letter::TYPE, &Schema::of::<Letter>()),
            Say::Died { actor, reason } => {
                let shape = Shape { message: Letter::TYPE, variant: VariantTag::named("Parcel") };
                let (reason, text) = (to_death(reason.into()), Some("why".into()));
                self.session.died(self.now, u64::from(actor), shape, reason, text);
            }
        }
    }

    fn pick(&self, stream: u8) -> Option<usize> {
        (!self.streams.is_empty()).then(|| usize::from(stream) % self.streams.len())
    }

    fn attach(&mut self, lanes: LaneIds) {
        if self.streams.len() < STREAMS_MAX && self.session.ended().is_none() {
            self.streams_made += 1;
            let id = ConnectionId(self.streams_made);
            self.session.attach(self.now, id, lanes, None);
            self.streams.push(Stream { id, lanes, said: BTreeMap::new(), inbox: BytesMut::new() });
        }
    }

    fn wait(&mut self, span: Duration) {
        self.now = self.now + span;
        self.session.handle_timeout(self.now);
        assert!(self.session.next_timeout() > self.now, "a timer that has rung is set anew");
        self.drain();
    }

    fn deliver(&mut self) {
        if let Some((lane, bytes)) = self.undelivered.pop() {
            self.session.delivered(lane, bytes);
        }
    }

    /// Bytes of the peer's on a stream.
    fn receive(&mut self, at: usize, bytes: &[u8]) {
        let Some(stream) = self.streams.get_mut(at) else { return };
        let id = stream.id;
        stream.inbox.extend_from_slice(bytes);
        while !self.session.handle_input(self.now, id, &mut stream.inbox) {}
    }

    /// What the session writes and reports.
    fn drain(&mut self) {
        for stream in &self.streams {
            // What is long comes in pieces.
            let written: Vec<u8> =
                std::iter::from_fn(|| self.session.poll_transmit(stream.id)).flatten().collect();
            self.last_ping = self.written.take(stream.id, &written).unwrap_or(self.last_ping);
        }
        self.session.repay_refused();
        let mut events = VecDeque::new();
        self.session.swap_events(&mut events);
        for event in events {
            assert!(!self.promised.has_ended, "{event:?} after the end");
            self.on_event(event);
        }
        let missing = self.promised.messages_due;
        let is_kept = !self.promised.is_wild && !self.promised.has_ended;
        assert!(!is_kept || missing == 0, "{missing} messages are lost");
        assert!(!is_kept || self.promised.presents_due == 0, "a token was not shown");
        let (seen, sent) = (self.promised.annotated_messages_seen, self.promised.annotated_messages);
        assert!(!is_kept || seen == sent, "{seen} of {sent} annotations came");
    }

    fn end(mut self) {
        self.session.close(&CloseReason::from(CloseCode::Done));
        self.drain();
        assert!(self.promised.has_ended && self.session.ended().is_some());
        assert_eq!(self.promised.calls_ended, self.promised.calls, "every call ends");
        assert!(self.promised.watches.is_empty(), "every watch is told of its end");
        assert_eq!(self.session.next_timeout(), Instant::FAR, "nothing is left to do");
    }
}

/// One of the session's lanes.
fn lane_of(number: u8) -> LaneId {
    LaneId::from_u8(number % (3 + DATA_LANES))
}

fn urgency_of(actor: u8) -> Urgency {
    [Urgency::Bulk, Urgency::Normal, Urgency::Urgent][usize::from(actor % 3)]
}

fn every_lane() -> LaneIds {
    LaneIds::of_kinds(LaneSet::ALL, DATA_LANES)
}

/// What a message may bring along.
fn annotation() -> Annotation {
    let trace = TraceContext::new(3, 4, 1).expect("no id is zero");
    Annotation { trace: Some(trace), key: Some(Key { number: 5, is_repeat: false }) }
}
