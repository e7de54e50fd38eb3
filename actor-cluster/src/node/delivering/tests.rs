//! Actors without room: what waits for them, and whom the peer is asked to spare.

use std::sync::atomic::Ordering;
use std::sync::{Condvar, Mutex};
use std::task::Waker;
use std::time::Duration;

use actor_core::{Actor, ActorError, ActorRef, ActorSystem, SpawnOptions};
use tokio::sync::Semaphore;

use super::*;
use crate::RemoteMessage;
use crate::limits::READ_BYTES;
use crate::node::NodeServer;
use crate::node::tests::node;
use crate::session::{Shape, Spoken, TakesMore};
use crate::testing::pipe::PipeNetwork;
use crate::transport::{CloseCode, CloseReason};
use crate::wire::{DecodeError, Decoder, EncodeError, Encoder, TypeTag, Urgency, VariantTag, Wire};

#[derive(Debug, RemoteMessage)]
enum Note {
    Number(u32),
    Long(Latched),
}

const LONG: usize = 1 << 20;

/// Whoever reads one waits until the latch is lifted.
#[derive(Debug)]
struct Latched;

static LATCH: Mutex<bool> = Mutex::new(false);
static LIFTED: Condvar = Condvar::new();

impl Wire for Latched {
    const TYPE: TypeTag = TypeTag::named("tests::Latched");
    const ENCODED_BYTES_MIN: usize = LONG;

    fn encode(&self, enc: &mut Encoder<'_>) -> Result<(), EncodeError> {
        enc.put(&[0; LONG])
    }

    fn decode(dec: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        dec.take(dec.bytes_left())?;
        drop(LIFTED.wait_while(LATCH.lock().unwrap(), |is_lifted| !*is_lifted).unwrap());
        Ok(Self)
    }
}

/// Takes a note for each permit, and writes it down.
struct Slow;

impl Actor for Slow {
    type Msg = Note;
    type State = Gated;
    type Arguments = Gated;

    async fn pre_start(&self, _: &ActorRef<Note>, gated: Gated) -> Result<Gated, ActorError> {
        Ok(gated)
    }

    async fn handle(&self, _: &ActorRef<Note>, note: Note, gated: &mut Gated) -> Result<(), ActorError> {
        gated.permits.acquire().await?.forget();
        let number = match note {
            Note::Number(number) => number,
            Note::Long(_) => u32::MAX,
        };
        gated.taken.lock().unwrap().push(number);
        Ok(())
    }
}

#[derive(Clone)]
struct Gated {
    permits: Arc<Semaphore>,
    taken: Arc<Mutex<Vec<u32>>>,
}

/// Rounds of one note for each actor.
fn rounds(actors: &[u64], rounds: u32) -> Messages {
    let numbers: Vec<u8> = (0..rounds).flat_map(u32::to_le_bytes).collect();
    let mut messages = Messages::new(Bytes::from(numbers), Vec::new(), false);
    for round in 0..rounds as usize {
        for actor in actors {
            let message = Inbound {
                lane: LaneId::data(0),
                actor: *actor,
                shape: Shape { message: Note::TYPE, variant: VariantTag::named("Number") },
                spoken: Spoken::Unsaid,
                call: None,
                fields: Fields::new(4 * round..4 * (round + 1)),
                bytes: 20,
            };
            messages.push(message, None);
        }
    }
    messages
}

/// A note of so many bytes for each actor.
fn longs(actors: &[u64], bytes: &[usize]) -> Messages {
    let longest = bytes.iter().copied().max().unwrap_or(0);
    let mut messages = Messages::new(Bytes::from(vec![0; longest]), Vec::new(), false);
    for (actor, bytes) in actors.iter().zip(bytes) {
        let message = Inbound {
            lane: LaneId::data(0),
            actor: *actor,
            shape: Shape { message: Note::TYPE, variant: VariantTag::named("Long") },
            spoken: Spoken::Unsaid,
            call: None,
            fields: Fields::new(0..*bytes),
            bytes: 20,
        };
        messages.push(message, None);
    }
    messages
}

async fn settle() {
    tokio::time::sleep(Duration::from_millis(1)).await; // sleep: virtual time, which passes when all are idle
}

const ROUNDS: u32 = 6;

/// Two nodes, and five actors at the second one that find no room for their second note.
struct Stage {
    at_a: Arc<Link>,
    b: NodeServer,
    at_b: Arc<Link>,
    slow: Vec<(ActorRef<Note>, Gated)>,
    deliveries: Deliveries,
    _alive: (ActorSystem, NodeServer, ActorSystem),
}

impl Stage {
    /// All has come, and been delivered as far as two may be held.
    async fn set() -> Self {
        let mut stage = Self::empty(2).await;
        stage.deliveries.push(rounds(&stage.serials(), ROUNDS));
        stage.poll(false).await;
        // One in each mailbox; of the next round three have found no room.
        assert_eq!(stage.held(), [true, true, false, false, false]);
        assert_eq!((stage.left(), stage.deliveries.lines.len()), (5 * ROUNDS as usize - 8, 3));
        stage
    }

    /// Nothing has come, and so many may be held.
    async fn empty(held_max: usize) -> Self {
        let network = PipeNetwork::new();
        let ((here, a), (there, b)) = (node(&network, 1).await, node(&network, 2).await);
        let mut slow = Vec::new();
        for number in 0..5 {
            let gated = Gated { permits: Arc::new(Semaphore::new(0)), taken: Arc::default() };
            let options = SpawnOptions::new().mailbox(1.try_into().unwrap());
            let actor = there.spawn(Slow, gated.clone(), options).await.unwrap();
            b.publish(&format!("slow-{number}"), &actor).unwrap();
            slow.push((actor, gated));
        }
        a.connect(&b.addresses()[0]).await.unwrap();
        settle().await;
        let (at_a, at_b) = (a.node.links().remove(0), b.node.links().remove(0));
        let deliveries = Deliveries { holds: Holds::new(held_max), ..Deliveries::default() };
        Self { at_a, b, at_b, slow, deliveries, _alive: (here, a, there) }
    }

    fn serials(&self) -> Vec<u64> {
        self.slow.iter().map(|(actor, _)| actor.id().serial()).collect()
    }

    async fn poll(&mut self, is_last: bool) {
        let mut cx = Context::from_waker(Waker::noop());
        while self.deliveries.poll(&mut cx, &self.b.node, &self.at_b, TakesMore::ALL, is_last) {}
        self.at_b.act(|_| ());
        settle().await;
    }

    /// While somebody reads, no time passes.
    async fn poll_for_a_while(&mut self) {
        let mut cx = Context::from_waker(Waker::noop());
        for _ in 0..100 {
            self.deliveries.poll(&mut cx, &self.b.node, &self.at_b, TakesMore::ALL, false);
            tokio::task::yield_now().await;
        }
    }

    /// Which of the actors the peer spares.
    fn held(&self) -> Vec<bool> {
        let is_held = |actor: u64| !self.at_a.run(|session| session.has_room(actor, Urgency::Normal));
        self.slow.iter().map(|(actor, _)| is_held(actor.id().serial())).collect()
    }

    /// How many messages have not left the lane.
    fn left(&self) -> usize {
        self.deliveries.others.messages.iter().map(|messages| messages.rest().len()).sum()
    }
}

/// However many actors find room in each turn, what comes in the lanes has its part of it.
#[tokio::test(start_paused = true)]
async fn lines_leave_what_is_urgent_and_others_a_part_of_each_turn() {
    let mut stage = Stage::empty(1000).await;
    let system = stage._alive.2.clone();
    let permits = Arc::new(Semaphore::new(0));
    let mut serials = Vec::new();
    for number in 0..3 * DELIVERIES_PER_TURN {
        let gated = Gated { permits: permits.clone(), taken: Arc::default() };
        let options = SpawnOptions::new().mailbox(1.try_into().unwrap());
        let actor = system.spawn(Slow, gated, options).await.unwrap();
        stage.b.publish(&format!("many-{number}"), &actor).unwrap();
        serials.push(actor.id().serial());
    }
    settle().await;
    stage.deliveries.push(rounds(&serials, 1));
    stage.poll(false).await;
    // In its hand, in its mailbox, and one that waits.
    stage.deliveries.push(rounds(&serials, 2));
    stage.poll(false).await;
    assert_eq!((stage.left(), stage.deliveries.lines.len()), (0, serials.len()));
    permits.add_permits(3 * serials.len());
    settle().await;
    let [urgent, other, ..] = stage.serials()[..] else { panic!("there are five") };
    let mut first = Messages::new(Bytes::from(vec![0; 4]), Vec::new(), true);
    let message = Inbound { lane: LaneId::URGENT, ..rounds(&[urgent], 1).front().unwrap().message };
    first.push(message, None);
    stage.deliveries.push(first);
    stage.deliveries.push(rounds(&[other], 1));
    let mut cx = Context::from_waker(Waker::noop());
    assert!(stage.deliveries.poll(&mut cx, &stage.b.node, &stage.at_b, TakesMore::ALL, false));
    assert!(stage.deliveries.urgent.messages.is_empty(), "what is urgent waits for no lines");
    assert_eq!(stage.left(), 0);
    assert!(!stage.deliveries.lines.is_empty(), "there was more than a turn of them");
}

/// Else the peer would take it for an attack.
#[tokio::test(start_paused = true)]
async fn w17_no_more_are_held_than_may_be_and_all_is_delivered_in_order() {
    let mut stage = Stage::set().await;
    stage.poll(false).await;
    // Each has one in its hand by now and one in its mailbox, and of the third round three wait.
    assert_eq!(stage.held(), [true, true, false, false, false]);
    assert_eq!((stage.left(), stage.deliveries.lines.len()), (5 * ROUNDS as usize - 13, 3));
    // One that is held ends: the one that waits takes its place, and the next one waits.
    stage.slow[0].0.kill_and_wait(None).await.unwrap();
    stage.poll(false).await;
    assert_eq!(stage.held(), [false, true, true, false, false]);
    assert_eq!((stage.left(), stage.deliveries.lines.len()), (5 * ROUNDS as usize - 14, 3));
    // That one ends, of which the peer was not told.
    stage.slow[3].0.kill_and_wait(None).await.unwrap();
    stage.poll(false).await;
    assert_eq!(stage.held(), [false, true, true, false, false]);
    assert_eq!((stage.left(), stage.deliveries.lines.len()), (5 * ROUNDS as usize - 15, 3));
    let mut steps = 0;
    while !stage.deliveries.is_empty() {
        assert!(steps < 100, "it stands still");
        stage.slow[steps % 5].1.permits.add_permits(1);
        settle().await;
        stage.poll(false).await;
        let held = stage.held();
        assert!(held.iter().filter(|is_held| **is_held).count() <= 2, "{held:?} in step {steps}");
        steps += 1;
    }
    stage.slow.iter().for_each(|(_, gated)| gated.permits.add_permits(ROUNDS as usize));
    settle().await;
    assert_eq!(stage.held(), [false; 5]);
    for (number, (_, gated)) in stage.slow.iter().enumerate() {
        let expected: Vec<u32> = if [0, 3].contains(&number) { Vec::new() } else { (0..ROUNDS).collect() };
        assert_eq!(*gated.taken.lock().unwrap(), expected, "actor {number}");
    }
    assert_eq!((stage.at_a.ended(), stage.at_b.ended()), (None, None));
}

/// Long ones come behind others for actors that have no room, and then all have some at once.
#[tokio::test(start_paused = true)]
async fn w17_no_more_is_read_at_a_time_than_may_be_in_whichever_line() {
    let mut stage = Stage::empty(5).await;
    let serials = stage.serials();
    stage.deliveries.push(rounds(&serials[..4], 3));
    let long = [LONG, LONG, LONG, 2 * LONG];
    stage.deliveries.push(longs(&serials, &long));
    stage.poll(false).await;
    stage.poll(false).await;
    assert_eq!((stage.left(), stage.deliveries.lines.len()), (0, 4));
    stage.slow.iter().for_each(|(_, gated)| gated.permits.add_permits(4));
    stage.poll_for_a_while().await;
    let reading = |stage: &Stage| stage.at_b.reading_bytes.load(Ordering::Relaxed);
    assert_eq!(
        (reading(&stage), stage.deliveries.unread.len()),
        (3 * LONG as u64, 1),
        "with the last, 5 of 4"
    );
    // There would be room for this one, but not before the one that waits.
    stage.deliveries.push(longs(&serials[4..], &[LONG]));
    stage.poll_for_a_while().await;
    assert_eq!((reading(&stage), stage.left()), (3 * LONG as u64, 1));
    *LATCH.lock().unwrap() = true;
    LIFTED.notify_all();
    while !stage.deliveries.is_empty() {
        stage.poll_for_a_while().await;
    }
    settle().await;
    for (number, (_, gated)) in stage.slow.iter().enumerate() {
        let expected: &[u32] = if number < 4 { &[0, 1, 2, u32::MAX] } else { &[u32::MAX] };
        assert_eq!(*gated.taken.lock().unwrap(), expected, "actor {number}");
    }
}

/// Nobody can be asked for anything then, and who has room is to have what has come.
#[tokio::test(start_paused = true)]
async fn at_a_sessions_end_nothing_waits_in_the_lane() {
    let mut stage = Stage::set().await;
    stage.at_b.close(&CloseReason::from(CloseCode::Shutdown));
    stage.poll(true).await;
    assert_eq!((stage.left(), stage.deliveries.lines.len()), (0, 5));
    stage.slow.iter().for_each(|(_, gated)| gated.permits.add_permits(ROUNDS as usize));
    while !stage.deliveries.is_empty() {
        settle().await;
        stage.poll(true).await;
    }
    settle().await;
    for (_, gated) in &stage.slow {
        assert_eq!(*gated.taken.lock().unwrap(), (0..ROUNDS).collect::<Vec<_>>());
    }
}

/// A cast that dies is a dead letter; who called hears of it by the call's own port.
#[tokio::test]
async fn a_call_that_dies_in_front_of_its_line_is_no_dead_letter() {
    let shape = Shape { message: TypeTag::from_u64(1), variant: VariantTag::from_u64(2) };
    for is_call in [false, true] {
        let waiting = Box::pin(ready(Some(Rejection::Stopped)));
        let front = in_front(LeftOver { actor: 1, shape, is_call }, Weight::default(), false, waiting).await;
        assert_eq!(front.died.is_some(), !is_call);
    }
}

/// Else a peer could have us keep a window of buffers for each of its short messages.
#[test]
fn a_short_message_in_a_line_keeps_no_others_in_memory() {
    let piece = Bytes::from((0..=255).cycle().take(READ_BYTES).collect::<Vec<u8>>());
    let stalled = |range: std::ops::Range<usize>| {
        let shape = Shape { message: TypeTag::from_u64(1), variant: VariantTag::from_u64(2) };
        let message = Inbound {
            lane: LaneId::data(0),
            actor: 1,
            shape,
            spoken: Spoken::Unsaid,
            call: None,
            fields: Fields::new(range.clone()),
            bytes: range.len(),
        };
        let unread = Unread { message, annotation: None, piece: &piece };
        let Stalled { message, piece: kept, .. } = Stalled::new(&unread);
        assert_eq!(kept[message.fields.range()], piece[range]);
        kept.len()
    };
    assert_eq!(stalled(10..73), 63);
    assert_eq!(stalled(0..0), 0);
    assert_eq!(stalled(READ_BYTES / 4..READ_BYTES / 2), READ_BYTES, "a long one is not copied");
}

/// Pieces that came before anything had to wait are waited with as well.
#[tokio::test(start_paused = true)]
async fn what_waits_since_the_first_turn_keeps_no_buffers() {
    let mut stage = Stage::set().await;
    let mut deliveries = Deliveries { holds: Holds::new(0), ..Deliveries::default() };
    deliveries.holds.begin(77);
    for _ in 0..10 {
        let mut messages = Messages::new(Bytes::from(vec![0; READ_BYTES]), Vec::new(), false);
        let one = rounds(&[stage.slow[0].0.id().serial()], 1);
        messages.push(one.front().unwrap().message, None);
        deliveries.push(messages);
    }
    std::mem::swap(&mut stage.deliveries, &mut deliveries);
    stage.poll(false).await;
    assert!(stage.deliveries.others.is_stalled);
    let kept: usize =
        stage.deliveries.others.messages.iter().map(|messages| messages.front().unwrap().piece.len()).sum();
    assert_eq!(kept, 10 * 4, "for ten numbers");
}
