//! Messages too long for one frame, on their way out: they go part by part, in turn with each
//! other and with whole frames, and nothing overtakes them that is for the same recipient.
//!
//! ```text
//!              ┌ recipient ┐  ┌ recipient ┐  ┌ recipient ┐
//!   in turn ──►│ large     │  │ large     │  │ large     │   ◄── waiting: at most
//!              │ frames    │  │           │  │ frames    │       LARGE_OPEN_MAX are open
//!              │ large     │  └───────────┘  └───────────┘
//!              └───────────┘
//! ```
//!
//! A recipient has a line only while a message for it goes in parts. What comes for it meanwhile
//! waits in the line; credit bounds it. A long message begins when all whole frames have gone that were
//! written before it: one of them may be for the same recipient, or define its type. That holds for each long message of
//! a line, not only for the first.

use std::collections::{BTreeMap, VecDeque};
use std::iter::repeat;

use bytes::{Bytes, BytesMut};

use crate::limits::{LARGE_OPEN_MAX, PART_BYTES};
use crate::wire::frame::{self, HEADER_BYTES, Head, Kind, write_frame};
use crate::wire::lanes::LaneId;

/// For whom messages stay in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Recipient {
    /// An actor of the peer's.
    Actor(u64),
    /// The caller of a call, by its correlation.
    Caller(u64),
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Parts {
    lines: BTreeMap<Recipient, Line>,
    /// Those that have begun, the next one first.
    open: VecDeque<Recipient>,
    waiting: VecDeque<Recipient>,
    /// The numbers in use, as bits.
    numbers: u32,
    /// What waits in lines.
    bytes: usize,
    /// Of these, those of answers.
    answer_bytes: usize,
}

#[derive(Debug, Default)]
struct Line {
    /// The first is a large one.
    items: VecDeque<Item>,
    /// Whether a part of that has been taken out.
    has_begun: bool,
    /// What the large one is known as while it is under way.
    number: u32,
}

#[derive(Debug)]
enum Item {
    Large(Large),
    Frames(BytesMut),
}

/// What a message is that goes in parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ending {
    kind: Kind,
    index: u32,
    recipient: Recipient,
}

impl Ending {
    fn of(head: Head, recipient: Recipient) -> Option<Self> {
        let Head { kind, index, .. } = head;
        (kind != Kind::Reply).then_some(Self { kind, index, recipient })
    }

    /// The index of its type and its target, if it is a cast.
    pub(crate) fn cast(self) -> Option<(u32, u64)> {
        match self {
            Self { kind: Kind::Cast, index, recipient: Recipient::Actor(actor) } => Some((index, actor)),
            _ => None,
        }
    }
}

/// A message that is too long for one frame.
#[derive(Debug)]
pub(crate) struct Large {
    /// How many bytes of whole frames must have gone before it begins.
    pub(crate) behind: u64,
    /// Ending frames that are written right in front of it.
    pub(crate) lead: Bytes,
    pub(crate) head: Head,
    /// What of it is left.
    pub(crate) body: Bytes,
}

/// What is to be written next, without anything in between.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Part {
    /// The header of a part, and what has to come before it.
    pub(crate) frames: Bytes,
    /// What the part holds.
    pub(crate) slice: Bytes,
    /// The message of which it is the last one; an answer is none.
    pub(crate) ends: Option<Ending>,
    /// Whole frames that waited behind it.
    pub(crate) released: Option<BytesMut>,
    /// For whom another long one waits behind those: tell it [where](Parts::wait_behind).
    pub(crate) again: Option<Recipient>,
}

impl Parts {
    /// Whether what is for a recipient has to wait here.
    pub(crate) fn has_line(&self, recipient: Recipient) -> bool {
        !self.lines.is_empty() && self.lines.contains_key(&recipient)
    }

    /// How many bytes wait here.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many bytes of answers wait here.
    pub(crate) fn answer_bytes(&self) -> usize {
        self.answer_bytes
    }

    /// So many bytes for a recipient wait here now, and so many no more.
    fn count(&mut self, recipient: Recipient, put: usize, taken: usize) {
        self.bytes = self.bytes + put - taken;
        if let Recipient::Caller(_) = recipient {
            self.answer_bytes = self.answer_bytes + put - taken;
        }
    }

    /// A message that is too long for one frame.
    pub(crate) fn push_large(&mut self, recipient: Recipient, large: Large) {
        self.count(recipient, large.body.len(), 0);
        let line = self.lines.entry(recipient).or_insert_with(|| {
            self.waiting.push_back(recipient);
            Line::default()
        });
        line.items.push_back(Item::Large(large));
    }

    /// A whole frame for somebody who [has a line](Self::has_line).
    pub(crate) fn push_frame(&mut self, recipient: Recipient, frame: BytesMut) {
        self.count(recipient, frame.len(), 0);
        let Some(line) = self.lines.get_mut(&recipient) else {
            debug_assert!(false, "there is a line");
            return;
        };
        match line.items.back_mut() {
            Some(Item::Frames(frames)) => frames.unsplit(frame),
            _ => line.items.push_back(Item::Frames(frame)),
        }
    }

    /// The next long one for a recipient begins when so many bytes of whole frames have gone.
    pub(crate) fn wait_behind(&mut self, recipient: Recipient, behind: u64) {
        if let Some(next) = self.lines.get_mut(&recipient).and_then(Line::front) {
            next.behind = behind;
            self.waiting.push_back(recipient);
        }
    }

    /// Takes the next part out, now that so many bytes of whole frames have gone.
    pub(crate) fn pop(&mut self, lane: LaneId, frames_gone: u64) -> Option<Part> {
        self.open_more(frames_gone);
        let recipient = self.open.pop_front()?;
        let line = self.lines.get_mut(&recipient)?;
        let (frames, slice, ended) = line.next_part(lane)?;
        let released = if ended.is_some() { line.take_frames() } else { None };
        let is_empty = line.items.is_empty();
        let again = (released.is_some() && !is_empty).then_some(recipient);
        if is_empty || again.is_some() || !line.may_go_on(frames_gone) {
            self.numbers &= !(1 << line.number);
            if !is_empty && again.is_none() {
                self.waiting.push_back(recipient);
            }
        } else {
            self.open.push_back(recipient);
        }
        if is_empty {
            self.lines.remove(&recipient);
        }
        let taken = slice.len() + released.as_ref().map_or(0, BytesMut::len);
        self.count(recipient, 0, taken);
        let ends = ended.and_then(|head| Ending::of(head, recipient));
        Some(Part { frames, slice, ends, released, again })
    }

    /// Lets those begin that waited, as far as there are numbers and what is before them has gone.
    fn open_more(&mut self, frames_gone: u64) {
        let may_begin = |line: &mut Line| line.may_go_on(frames_gone);
        while self.open.len() < LARGE_OPEN_MAX
            && self.waiting.front().and_then(|next| self.lines.get_mut(next)).is_some_and(may_begin)
            && let Some(recipient) = self.waiting.pop_front()
        {
            let number = self.numbers.trailing_ones();
            self.numbers |= 1 << number;
            if let Some(line) = self.lines.get_mut(&recipient) {
                line.number = number;
            }
            self.open.push_back(recipient);
        }
    }

    /// How many messages wait here, those included that have begun.
    pub(crate) fn messages(&self) -> u64 {
        let items = self.lines.values().flat_map(|line| &line.items);
        let messages = items.map(|item| match item {
            Item::Large(Large { head, .. }) => u64::from(head.kind != Kind::Reply),
            Item::Frames(frames) => frame::count_messages(frames),
        });
        messages.sum()
    }

    /// The casts among them: the indices of their types, and their targets.
    pub(crate) fn casts(&self) -> impl Iterator<Item = (u32, u64)> {
        let items = self.lines.iter().flat_map(|(recipient, line)| line.items.iter().zip(repeat(recipient)));
        items.flat_map(|(item, recipient)| {
            let (large, frames) = match item {
                Item::Large(large) => (Ending::of(large.head, *recipient).and_then(Ending::cast), &[][..]),
                Item::Frames(frames) => (None, &frames[..]),
            };
            large.into_iter().chain(frame::casts(frames))
        })
    }

    /// The calls of which no part has been taken out.
    pub(crate) fn unsent_calls(&self) -> impl Iterator<Item = u64> {
        self.lines.values().flat_map(Line::unsent_calls)
    }
}

impl Line {
    /// The large one in front.
    fn front(&mut self) -> Option<&mut Large> {
        match self.items.front_mut() {
            Some(Item::Large(large)) => Some(large),
            _ => None,
        }
    }

    /// Whether the large one in front has begun, or may.
    fn may_go_on(&mut self, frames_gone: u64) -> bool {
        self.has_begun || self.front().is_some_and(|large| large.behind <= frames_gone)
    }

    /// The next part of the large one in front, and what that is, if it is the last part.
    fn next_part(&mut self, lane: LaneId) -> Option<(Bytes, Bytes, Option<Head>)> {
        let (has_begun, number) = (self.has_begun, self.number);
        let Large { lead, head, body, .. } = self.front()?;
        let head = *head;
        let mut frames = BytesMut::with_capacity(lead.len() + 3 * HEADER_BYTES);
        if !has_begun {
            frames.extend_from_slice(&std::mem::take(lead));
            write_frame(&mut frames, Kind::Large, lane, number, &[&head.to_bytes()]);
        }
        let slice = body.split_to(body.len().min(PART_BYTES));
        frame::write_header(&mut frames, Kind::Part, lane, number, slice.len());
        let ended = body.is_empty().then_some(head);
        self.has_begun = ended.is_none();
        if ended.is_some() {
            self.items.pop_front();
        }
        Some((frames.freeze(), slice, ended))
    }

    /// What waits for no other.
    fn take_frames(&mut self) -> Option<BytesMut> {
        match self.items.pop_front() {
            Some(Item::Frames(frames)) => Some(frames),
            Some(large) => {
                self.items.push_front(large);
                None
            }
            None => None,
        }
    }

    fn unsent_calls(&self) -> impl Iterator<Item = u64> {
        let unsent = self.items.iter().skip(usize::from(self.has_begun));
        unsent.flat_map(|item| {
            let (large, frames) = match item {
                Item::Large(Large { head, body, .. }) if head.kind == Kind::Call => {
                    (frame::correlation_of(body), &[][..])
                }
                Item::Large(..) => (None, &[][..]),
                Item::Frames(frames) => (None, &frames[..]),
            };
            large.into_iter().chain(frame::correlations(frames))
        })
    }
}
