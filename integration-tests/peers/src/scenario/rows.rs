//! The rows, each with one line that says what it is. The names are those of the
//! JSON and of the tables.

use actor_core::limits::MAILBOX_CAPACITY_DEFAULT;

use super::message::{BURST, STREAM};
use super::{Form, Of, Way};
use crate::airs;
use crate::system::Room;

/// A row of the comparison.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) form: Form,
    pub(crate) room: Room,
    /// How often, in a full run.
    pub(crate) n: u64,
    /// How often in a quick run; zero if it is not part of one.
    pub(crate) quick: u64,
    /// Several threads write one cache line: what that costs here is logged beside it.
    pub(crate) is_contended: bool,
    /// Only ours and the floor run it.
    pub(crate) is_for_few: bool,
}

/// The row of this name, or of another that it goes by.
pub(crate) fn named(name: &str) -> Option<&'static Row> {
    let name = if name == "tell_1_1_stream" { "tell_1_1" } else { name };
    ROWS.iter().find(|row| row.name == name)
}

impl Row {
    pub(crate) fn unit(&self) -> &'static str {
        match self.form {
            Form::Alive | Form::Resident | Form::Heap { .. } | Form::Growth => "B",
            Form::Airs(airs::Loop::BytesEmpty | airs::Loop::BytesFull) => "B",
            Form::Paced(_) => "us",
            Form::Allocations(_) => "allocations",
            _ => "ns",
        }
    }

    /// Whether the figure comes from an allocator that counts.
    pub(crate) fn is_counted(&self) -> bool {
        let counted = matches!(self.form, Form::Heap { .. } | Form::Growth | Form::Allocations(_));
        counted || matches!(self.form, Form::Airs(airs::Loop::BytesEmpty | airs::Loop::BytesFull))
    }

    /// With how many worker threads; counts do not depend on it.
    pub(crate) fn workers(&self) -> &'static [usize] {
        match self.form {
            Form::Alive | Form::Airs(_) => &[1],
            _ if self.is_counted() => &[1],
            _ if self.is_for_few => &[2],
            _ => &[1, 2],
        }
    }

    const fn contended(self) -> Row {
        Row { is_contended: true, ..self }
    }

    const fn for_few(self) -> Row {
        Row { is_for_few: true, ..self }
    }

    const fn room(self, messages: usize) -> Row {
        Row { room: Room::Bounded(messages), ..self }
    }

    /// With the bound that our actors have unless they are given another.
    const fn bounded(self) -> Row {
        self.room(MAILBOX_CAPACITY_DEFAULT)
    }

    const fn by_default(self) -> Row {
        Row { room: Room::Default, ..self }
    }
}

const fn row(name: &'static str, about: &'static str, form: Form, n: u64, quick: u64) -> Row {
    Row { name, about, form, room: Room::Unbounded, n, quick, is_contended: false, is_for_few: false }
}

const fn tell(senders: u64, pause: u64, way: Way) -> Form {
    Form::Tell { senders, pause, way }
}

const fn airs(name: &'static str, about: &'static str, a_loop: airs::Loop) -> Row {
    row(name, about, Form::Airs(a_loop), 0, 0)
}

/// A sender of the contended form lets others run after so many.
const SHORT: u64 = 64;
const M: u64 = 1_000_000;

#[rustfmt::skip]
pub(crate) const ROWS: &[Row] = &[
    // One sender.
    row("tell_1_1", "a task sends, and yields every 256 messages", tell(1, STREAM, Way::Tell), M, 200_000),
    row("tell_1_1_burst", "a task sends and never yields, so that a backlog builds up", tell(1, BURST, Way::Tell), M, 200_000),
    row("tell_1_1_foreign", "a thread outside the runtime sends and never pauses", Form::Foreign, M, 200_000).contended(),
    row("tell_1_1_bounded", "tell_1_1 with our default bound, waiting for room", tell(1, STREAM, Way::Send), M, 200_000).bounded(),
    row("tell_1_1_bounded_burst", "tell_1_1_burst with our default bound, waiting for room", tell(1, BURST, Way::Send), M, 200_000).bounded(),
    row("tell_1_1_bounded_offer", "tell_1_1 with our default bound, not waiting unless refused", tell(1, STREAM, Way::OfferThenSend), M, 0).bounded(),
    row("tell_1_1_bounded_1024", "tell_1_1 with a bound of 1024", tell(1, STREAM, Way::Send), M, 0).room(1024),
    row("tell_1_1_bounded_64", "tell_1_1 with a bound of 64: the sender waits now and then", tell(1, STREAM, Way::Send), M, 0).room(64),
    row("tell_1_1_bounded_64_burst", "a bound of 64 and no yield: the sender waits every 64 messages", tell(1, BURST, Way::Send), M, 0).room(64),

    // Many senders.
    row("tell_4_1", "four tasks send to one actor and never yield", tell(4, BURST, Way::Tell), M, 200_000).contended(),
    row("tell_4_1_bounded", "the same with our default bound, waiting for room", tell(4, BURST, Way::Send), M, 0).bounded().contended(),
    row("tell_4_1_yield", "four tasks send to one actor and yield every 64 messages", tell(4, SHORT, Way::Tell), M, 0).contended(),
    row("tell_8_1", "eight tasks send to one actor and never yield", tell(8, BURST, Way::Tell), M, 200_000).contended(),
    row("tell_8_1_bounded", "the same with our default bound, waiting for room", tell(8, BURST, Way::Send), M, 0).bounded().contended(),
    row("tell_8_1_yield", "eight tasks send to one actor and yield every 64 messages", tell(8, SHORT, Way::Tell), M, 200_000).contended(),
    row("tell_8_1_yield_bounded", "the same with our default bound, waiting for room", tell(8, SHORT, Way::Send), M, 0).bounded().contended(),
    row("fanout_1000", "a task sends to a thousand actors in turn", Form::Fanout(Way::Tell), M, 200_000),
    row("fanout_1000_bounded", "the same with our default bound, waiting for room", Form::Fanout(Way::Send), M, 0).bounded(),

    // Sizes.
    row("tell_0b", "tell_1_1 with an empty payload", Form::TellWords { words: 0, senders: 1 }, M, 0),
    row("tell_64b", "tell_1_1 with a payload of 64 bytes", Form::TellWords { words: 8, senders: 1 }, M, 0),
    row("tell_256b", "tell_1_1 with a payload of 256 bytes", Form::TellWords { words: 32, senders: 1 }, M / 2, 0),
    row("tell_1024b", "tell_1_1 with a payload of 1024 bytes", Form::TellWords { words: 128, senders: 1 }, M / 4, 0),

    // Questions.
    row("ask_seq", "a task asks an actor, one question at a time", Form::Ask, 300_000, 50_000),
    row("ask_seq_bounded", "the same with our default bound", Form::Ask, 300_000, 0).bounded(),
    row("ask_timeout", "the same within a time that is never reached", Form::AskWithin, 300_000, 50_000),
    row("ask_actor", "an actor asks another, one question at a time", Form::AskActor, 300_000, 50_000),
    row("ask_64", "64 tasks ask one actor", Form::AskMany(64), 300_000, 50_000),
    row("ping_pong", "two actors pass a token; one hop", Form::Ring(2), 300_000, 50_000),
    row("ping_pong_bounded", "the same with our default bound", Form::Ring(2), 300_000, 0).bounded(),
    row("ring_1000", "a thousand actors pass a token; one hop", Form::Ring(1000), 300_000, 50_000),

    // Lives.
    row("spawn_cold", "an actor is started, in memory never used before", Form::Spawn, 100_000, 20_000),
    row("spawn_cold_bounded", "the same with our default bound", Form::Spawn, 100_000, 0).bounded(),
    row("spawn_warm", "an actor is started, after as many have ended", Form::SpawnAgain, 30_000, 10_000),
    row("spawn_ask", "an actor is started and has answered its first question", Form::SpawnAsk, 50_000, 10_000),
    row("first_message", "the first question to an actor that waits", Form::FirstMessage, 30_000, 10_000),
    row("spawn_1m", "a million actors are started; each", Form::Spawn, M, M).for_few(),
    row("alive_10m", "resident bytes of each of ten million actors", Form::Alive, 10 * M, 0),
    row("idle_bytes", "resident bytes of an actor that waits and was never told anything", Form::Resident, 100_000, 20_000),
    row("idle_bytes_bounded", "the same with our default bound", Form::Resident, 100_000, 0).bounded(),
    row("idle_heap_bytes", "heap bytes of an actor that waits and was never told anything", Form::Heap { used: false }, 10_000, 2_000),
    row("idle_heap_bytes_bounded", "the same with our default bound", Form::Heap { used: false }, 10_000, 0).bounded(),
    row("used_heap_bytes", "heap bytes of an actor that waits after one question", Form::Heap { used: true }, 10_000, 2_000),

    // What users feel.
    row("paced_p50", "10 000 messages a second from another thread; median delay", Form::Paced(500), 10_000, 1_000),
    row("paced_p99", "the same; the 99th percentile", Form::Paced(990), 10_000, 1_000),
    row("full_refused", "a full mailbox of 64 refuses one message more", Form::Refused, M, 0).room(64),
    row("full_growth", "heap bytes for each of 100 000 messages to an actor that stands still, as by default", Form::Growth, 100_000, 100_000).by_default(),

    // Jobs.
    row("factory_100", "a task gives jobs to a factory, for any of 100 workers", Form::Jobs(100), 200_000, 20_000),
    row("factory_1000", "a task gives jobs to a factory, for any of 1 000 workers", Form::Jobs(1000), 200_000, 0),

    // Counts.
    row("allocs_tell", "requests for memory, a message in a stream", Form::Allocations(Of::Tell), 100_000, 20_000),
    row("allocs_ask", "requests for memory, a question", Form::Allocations(Of::Ask), 20_000, 5_000),
    row("allocs_ask_timeout", "requests for memory, a question within a time", Form::Allocations(Of::AskWithin), 20_000, 5_000),
    row("allocs_spawn", "requests for memory, a start", Form::Allocations(Of::Spawn), 10_000, 2_000),

    // What airssys-rt published: its loop, and what it was called.
    airs("airs_actor_spawn_single", "builds an actor and a system; nothing runs", airs::Loop::Build(1)),
    airs("airs_actor_spawn_single_honest", "an actor is started until its post_start is seen", airs::Loop::Started(1)),
    airs("airs_actor_spawn_batch_small", "builds ten actors and ten systems; nothing runs", airs::Loop::Build(10)),
    airs("airs_actor_spawn_batch_small_honest", "ten actors are started until post_start is seen, and stopped", airs::Loop::StartedAndStopped(10)),
    airs("airs_spawn_1000_honest", "a thousand actors are started until post_start is seen, and stopped", airs::Loop::StartedAndStopped(1000)),
    airs("airs_actor_message_throughput", "builds an actor and calls its handler 100 times; no queue", airs::Loop::CallHandler),
    airs("airs_actor_message_throughput_honest", "100 messages through a mailbox, handled", airs::Loop::Messages),
    airs("airs_message_send_receive", "one task answers itself through a port; no second task", airs::Loop::ToOneself(1)),
    airs("airs_message_send_receive_honest", "a question and its answer, between two tasks", airs::Loop::Question),
    airs("airs_message_throughput", "one task formats, answers and reads 100 times; no second task", airs::Loop::ToOneself(100)),
    airs("airs_message_throughput_honest", "100 formatted messages through a mailbox, handled", airs::Loop::Formatted),
    airs("airs_message_broadcast_small", "a new group of ten actors, and one message to each; not handled", airs::Loop::Broadcast),
    airs("airs_message_broadcast_small_honest", "one message to each of a group of ten actors, handled", airs::Loop::BroadcastHandled),
    airs("airs_broker_routing", "a new broker, and 100 formatted messages to one name", airs::Loop::Routed),
    airs("airs_broker_routing_honest", "100 formatted messages to one name of a thousand, handled", airs::Loop::RoutedHandled),
    airs("airs_topic_publish", "new topics, ten subscribers and one message to all", airs::Loop::Published),
    airs("airs_topic_publish_honest", "one message to ten subscribers among a thousand patterns, handled", airs::Loop::PublishedHandled),
    airs("airs_mailbox_operations", "100 messages into a new bounded mailbox; nothing is taken out", airs::Loop::OnlyIn),
    airs("airs_mailbox_operations_honest", "100 messages into a bounded mailbox and out again", airs::Loop::InAndOut),
    airs("airs_supervisor_child_spawn", "a new system and one linked child that does nothing", airs::Loop::Children(1)),
    airs("airs_supervision_tree_small", "a new system and three linked children that do nothing", airs::Loop::Children(3)),
    airs("airs_supervision_honest", "a child fails, its supervisor hears of it and starts another", airs::Loop::Restart),
    airs("airs_memory_per_actor_50", "the time, not the bytes, of building 50 actors and systems", airs::Loop::Build(50)),
    airs("airs_memory_per_actor_honest", "heap bytes of an actor that does nothing", airs::Loop::BytesEmpty),
    airs("airs_mailbox_memory", "the time, not the bytes, of ten new actors with mailboxes of 100", airs::Loop::Mailboxes),
    airs("airs_mailbox_memory_honest", "heap bytes of an actor with 100 messages waiting", airs::Loop::BytesFull),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_row_that_must_be_there_is_there_once() {
        let names: BTreeSet<_> = ROWS.iter().map(|row| row.name).collect();
        assert_eq!(names.len(), ROWS.len());
        let wanted = "tell_1_1 tell_1_1_bounded tell_4_1 tell_8_1 fanout_1000 ask_seq ask_actor ask_64 ping_pong \
                      ring_1000 spawn_cold spawn_warm spawn_1m alive_10m idle_bytes first_message paced_p50 \
                      paced_p99 allocs_tell allocs_ask allocs_spawn";
        for name in wanted.split_whitespace() {
            assert!(names.contains(name), "{name}");
        }
        assert_eq!(named("tell_1_1_stream").map(|row| row.name), Some("tell_1_1"));
    }
}
