//! The protocol, frozen: the bytes of a handshake and of a session, as
//! `docs/PROTOCOL.md` prints them. A failure here means that released nodes cannot
//! talk to new ones any more, or that the page is wrong.

use actor_core::{Attempt, CallFailure, ControlRequest, DeadReason, Exit, ReplyPort};
use prost::Message;

use super::{A, B, Letter, frames};
use crate::limits;
use crate::membership;
use crate::session::Shape;
use crate::session::capabilities::Capabilities;
use crate::testing::pair::{Node, Pair, Side};
use crate::trace::TraceContext;
use crate::transport::{CloseCode, CloseReason, LaneSet};
use crate::wire::Urgency;
use crate::wire::annotation::{Annotation, Key};
use crate::wire::control::{Body, Control, Member, Publication};
use crate::wire::frame::{Frame, HEADER_BYTES, Kind};
use crate::wire::hello::{Handshake, Step};
use crate::wire::reference::Token;
use crate::wire::schema::{Schema, parse};
use crate::wire::{RemoteMessage, VariantTag};

const TOKEN: Token = Token::from_bytes([0xab; 16]);

const PAGE: &str = include_str!("../../../../docs/PROTOCOL.md");

/// Every frame that one side has written, as a line: who, what, header, body.
fn lines(pair: &mut Pair, from: Side) -> Vec<String> {
    let written = pair.written(0, from);
    let mut at = 0;
    let mut lines = Vec::new();
    for frame in frames(&written) {
        let bytes = &written[at..at + frame.bytes()];
        at += frame.bytes();
        let side = if from == A { "A" } else { "B" };
        let (header, body) = bytes.split_at(HEADER_BYTES);
        lines.push(format!("{side} {:9} {} {}", name(&frame), hex(header), hex(body)).trim_end().to_owned());
    }
    lines
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn name(frame: &Frame) -> &'static str {
    match frame.kind {
        Kind::Handshake => match Handshake::decode(&frame.body[..]).unwrap().step.unwrap() {
            Step::Hello(_) => "Hello",
            Step::Answer(_) => "Answer",
            Step::Confirm(_) => "Confirm",
            Step::Accept(_) => "Accept",
            Step::Refuse(_) => "Refuse",
        },
        Kind::Control => match Control::decode(&frame.body[..]).unwrap().body.unwrap() {
            Body::Introduce(_) => "Introduce",
            Body::Publish(_) => "Publish",
            Body::Unpublish(_) => "Unpublish",
            Body::Synced(_) => "Synced",
            Body::Members(_) => "Members",
            Body::Watch(_) => "Watch",
            Body::Unwatch(_) => "Unwatch",
            Body::Down(_) => "Down",
            Body::Request(_) => "Request",
            Body::Goodbye(_) => "Goodbye",
            Body::Hold(_) => "Hold",
            Body::Release(_) => "Release",
            Body::Schema(_) => "Schema",
            Body::Link(_) => "Link",
            Body::Unlink(_) => "Unlink",
            Body::Unlinked(_) => "Unlinked",
            Body::Claim(_) => "Claim",
            Body::Died(_) => "Died",
            Body::Membership(_) => "Membership",
        },
        Kind::Cast => "Cast",
        Kind::Call => "Call",
        Kind::Reply => "Reply",
        Kind::Failure => "Failure",
        Kind::Define => "Define",
        Kind::Cancel => "Cancel",
        Kind::Begin => "Begin",
        Kind::Take => "Take",
        Kind::Ack => "Ack",
        Kind::Ping => "Ping",
        Kind::Pong => "Pong",
        Kind::Large => "Large",
        Kind::Part => "Part",
        Kind::Present => "Present",
        Kind::Annotate => "Annotate",
    }
}

/// What stands between the fences of a block of the page.
fn block(info: &str) -> Vec<&'static str> {
    let (_, rest) = PAGE.split_once(&format!("```{info}\n")).expect("the page has the block");
    let (block, _) = rest.split_once("\n```").expect("the block has an end");
    block.lines().collect()
}

fn assert_block(info: &str, actual: &[String]) {
    assert_eq!(block(info), actual, "{info} should read:\n{}", actual.join("\n"));
}

fn ready() -> Pair {
    let small = |number| Node::new(number).limits(64 * 1024, 4096);
    let mut curious = small(2);
    curious.myself.wants_dead_letters = true;
    let mut pair = Pair::new(small(1), curious);
    pair.open(LaneSet::ALL);
    pair
}

#[test]
fn the_handshake_is_frozen() {
    let mut pair = ready();
    pair.drive();
    let [a, b] = [lines(&mut pair, A), lines(&mut pair, B)];
    let in_order = [&a[0], &b[0], &a[1], &b[1]].map(Clone::clone);
    assert_eq!((a.len(), b.len()), (2, 2));
    assert_block("handshake", &in_order);
}

#[test]
fn messages_are_frozen() {
    let mut pair = ready();
    pair.drive();
    let mut all = Vec::new();
    lines(&mut pair, A);
    lines(&mut pair, B);
    let mut take = |pair: &mut Pair, from| {
        pair.drive();
        all.extend(lines(pair, from));
    };
    pair.send(A, 42, Letter::Note(7)).unwrap();
    take(&mut pair, A);
    pair.send(A, 42, Letter::Note(8)).unwrap();
    take(&mut pair, A);
    let deadline = pair.now() + std::time::Duration::from_millis(1500);
    let replies = [None, Some(deadline)].map(|deadline| {
        let (port, reply) = ReplyPort::new(deadline);
        pair.send(A, 42, Letter::Ask(9, port)).unwrap();
        reply
    });
    take(&mut pair, A);
    let mut ports = pair.received::<Letter>(B).into_iter().filter_map(|(_, letter)| match letter {
        Letter::Ask(_, port) => Some(port),
        _ => None,
    });
    ports.next().unwrap().send(10).unwrap();
    ports.next().unwrap().fail(CallFailure::BadReply("why".into()));
    take(&mut pair, B);
    drop(replies);
    let forgotten = pair.call(A, None, |port| Letter::Ask(11, port));
    take(&mut pair, A);
    drop(forgotten);
    pair.advance(std::time::Duration::from_secs(1));
    let cancelled = lines(&mut pair, A);
    all.extend(cancelled.into_iter().filter(|line| line.contains("Cancel")));
    let mut take = |pair: &mut Pair, from| {
        pair.drive();
        all.extend(lines(pair, from));
    };
    pair.session(A).present(42, Urgency::Normal, &TOKEN);
    take(&mut pair, A);
    let context = TraceContext::from_traceparent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
    let annotation = Annotation { trace: Some(context.unwrap().with_tracestate("a=b").unwrap()), key: None };
    let now = pair.now();
    pair.session(A).send_at_once(now, 42, Letter::Note(12), Attempt::First, Some(&annotation)).unwrap();
    take(&mut pair, A);
    let (port, _reply) = ReplyPort::new(None);
    let annotation = Annotation { trace: None, key: Some(Key { number: 300, is_repeat: true }) };
    pair.session(A).send_at_once(now, 42, Letter::Ask(13, port), Attempt::First, Some(&annotation)).unwrap();
    take(&mut pair, A);
    assert_block("messages", &all);
}

/// B was built with a later version, and says so.
#[test]
fn versions_are_frozen() {
    let mut pair = ready();
    pair.drive();
    lines(&mut pair, A);
    lines(&mut pair, B);
    let later = parse("message test/letter\n  Note\n    0: u32\n    1: text = default\n").unwrap();
    pair.session(B).say_schema(<Letter as RemoteMessage>::TYPE, &later);
    pair.drive();
    let mut all = lines(&mut pair, B);
    pair.send(A, 42, Letter::Note(7)).unwrap();
    pair.drive();
    all.extend(lines(&mut pair, A));
    assert_block("versions", &all);
}

#[test]
fn control_is_frozen() {
    let mut pair = ready();
    pair.drive();
    lines(&mut pair, A);
    lines(&mut pair, B);
    let publication = Publication {
        actor: 42,
        message: 0x0123_4567_89ab_cdef,
        kind: 0,
        label: "name".into(),
        ..Publication::default()
    };
    let watch = pair.session(A).watch(42, None).unwrap();
    pair.drive();
    pair.session(A).unwatch(watch);
    let watch = pair.session(B).watch(42, None).unwrap();
    let link = pair.session(B).link(42, 7, None).unwrap();
    pair.send(B, 42, Letter::Note(7)).unwrap();
    pair.send(B, 42, Letter::Note(8)).unwrap();
    pair.drive();
    lines(&mut pair, B);
    {
        let mut session = pair.session(A);
        session.down(watch, &Exit::Failed("error".into()));
        session.introduce_addresses(vec!["tcp+tls://host:1".into()]);
        session.publish(std::slice::from_ref(&publication));
        session.publish(&[Publication { rule: 2, rank: 7, claim: 300, ..publication.clone() }]);
        session.unpublish(&[Publication { kind: 1, scope: "scope".into(), ..publication }]);
        session.say_schema(<Letter as RemoteMessage>::TYPE, &Schema::of::<Letter>());
        session.synced();
        session.gossip([Member { node: vec![3; 32], addresses: vec!["iroh://key".into()] }]);
        session.request(42, &ControlRequest::Stop(Some("enough".into())), None);
        session.request(42, &ControlRequest::Kill, None);
        session.hold(42);
        session.release(42);
        session.request(42, &ControlRequest::Drain, Some(&TOKEN));
        session.unlinked(link);
        let watch = session.watch(42, Some(&TOKEN)).unwrap();
        session.unwatch(watch);
        let link = session.link(42, 7, Some(&TOKEN)).unwrap();
        session.unlink(link, true);
        session.claim(42, true);
    }
    pair.advance(std::time::Duration::from_secs(3));
    pair.send(B, 42, Letter::of_bytes(3000)).unwrap();
    pair.drive();
    drop(pair.received::<Letter>(A));
    let note = Shape { message: <Letter as RemoteMessage>::TYPE, variant: VariantTag::named("Note") };
    for _ in 0..2 {
        pair.session(A).died(pair.now(), 42, note, DeadReason::Undecodable, Some("why".into()));
    }
    pair.session(A).close(&CloseReason::new(CloseCode::Shutdown, "maintenance"));
    pair.drive();
    let lines = lines(&mut pair, A);
    let mut names: Vec<&str> = lines.iter().filter_map(|line| line.split(' ').nth(1)).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), 22, "every message of the control lane is there: {names:?}");
    assert_block("control", &lines);
}

/// Each word about who is a member, written by A.
#[test]
fn membership_is_frozen() {
    let transitive = |number| {
        let mut node = Node::new(number);
        node.myself.capabilities = Capabilities::TRANSITIVE;
        node
    };
    let mut pair = Pair::new(transitive(1), transitive(2));
    pair.open(LaneSet::ALL);
    pair.drive();
    lines(&mut pair, A);
    let words = membership::frame::examples();
    words.into_iter().for_each(|word| pair.session(A).say_membership(word.encode()));
    pair.drive();
    assert_block("membership", &lines(&mut pair, A));
}

/// The limits that a peer can notice, with their values.
#[test]
fn the_limits_are_as_printed() {
    let limits: &[(&str, usize)] = &[
        ("ACK_BYTES", limits::ACK_BYTES as usize),
        ("ADDRESS_BYTES_MAX", limits::ADDRESS_BYTES_MAX),
        ("ADDRESSES_PER_NODE_MAX", limits::ADDRESSES_PER_NODE_MAX),
        ("ANNOTATION_BYTES_MAX", limits::ANNOTATION_BYTES_MAX),
        ("ANSWER_BACKLOG_BYTES_MAX", limits::ANSWER_BACKLOG_BYTES_MAX),
        ("ANSWERS_UNREAD_BYTES_MAX", limits::ANSWERS_UNREAD_BYTES_MAX),
        ("BULK_TURN", limits::BULK_TURN as usize),
        ("CALLS_MAX", limits::CALLS_MAX),
        ("CLOSE_DETAIL_BYTES_MAX", limits::CLOSE_DETAIL_BYTES_MAX),
        ("CONTROL_BACKLOG_BYTES_MAX", limits::CONTROL_BACKLOG_BYTES_MAX),
        ("CONTROL_BODY_BYTES_MAX", limits::CONTROL_BODY_BYTES_MAX),
        ("GOSSIP_MEMBERS_MAX", limits::GOSSIP_MEMBERS_MAX),
        ("HANDSHAKE_BODY_BYTES_MAX", limits::HANDSHAKE_BODY_BYTES_MAX),
        ("HELD_MAX", limits::HELD_MAX),
        ("LABEL_BYTES_MAX", limits::LABEL_BYTES_MAX),
        ("DEATHS_BACKLOG_BYTES_MAX", limits::DEATHS_BACKLOG_BYTES_MAX),
        ("DEATHS_KEPT_MAX", limits::DEATHS_KEPT_MAX),
        ("DEATHS_PER_FRAME", limits::DEATHS_PER_FRAME),
        ("DATA_LANES_MAX", usize::from(limits::DATA_LANES_MAX)),
        ("FRAME_BODY_BYTES_MAX", limits::FRAME_BODY_BYTES_MAX),
        ("LARGE_OPEN_MAX", limits::LARGE_OPEN_MAX),
        ("MESSAGE_BYTES_MAX", limits::MESSAGE_BYTES_MAX),
        ("MESSAGE_BYTES_MAX_LEAST", limits::MESSAGE_BYTES_MAX_LEAST),
        ("NEWBORNS_MAX", limits::NEWBORNS_MAX),
        ("NODE_NAME_BYTES_MAX", limits::NODE_NAME_BYTES_MAX),
        ("PART_BYTES", limits::PART_BYTES),
        ("PUBLICATION_BYTES_MAX", limits::PUBLICATION_BYTES_MAX),
        ("PUBLICATIONS_PER_PEER_MAX", limits::PUBLICATIONS_PER_PEER_MAX),
        ("SCHEMA_BYTES_MAX", limits::SCHEMA_BYTES_MAX),
        ("SCHEMA_DEPTH_MAX", limits::SCHEMA_DEPTH_MAX),
        ("SCHEMAS_BYTES_MAX", limits::SCHEMAS_BYTES_MAX),
        ("SCHEMAS_MAX", limits::SCHEMAS_MAX),
        ("SEGMENT_BYTES", limits::SEGMENT_BYTES),
        ("TRACE_STATE_BYTES_MAX", limits::TRACE_STATE_BYTES_MAX),
        ("TYPES_MAX", limits::TYPES_MAX),
        ("URGENT_TURNS", limits::URGENT_TURNS as usize),
        ("WATCHES_MAX", limits::WATCHES_MAX),
        ("WINDOW_BYTES", limits::WINDOW_BYTES as usize),
        ("WINDOW_BYTES_LEAST", limits::WINDOW_BYTES_LEAST as usize),
    ];
    for (name, value) in limits {
        let row = format!("| `{name}` | {value} |");
        assert!(PAGE.contains(&row), "the page has no row {row}");
    }
}
