//! What is measured: each form once, for every system.
//!
//! ```text
//!  rows: name ─► Form, Room, n ─┬─ message: tells, asks, rings ─┐
//!                               ├─ life: spawns, memory, fullness├─► Reading
//!                               ├─ factory: jobs for any worker ┤
//!                               └─ airs: somebody else's loops ──┘
//! ```
//!
//! Every form checks that what was sent was handled; a loss is a panic, not a figure.

use crate::airs;
use crate::paced;
use crate::system::actix::Actix;
use crate::system::bastion::Bastioned;
use crate::system::kameo::Kameo;
use crate::system::ours::{Anywhere, Colocated, Ours};
use crate::system::ractor::Ractor;
use crate::system::riker::Riker;
use crate::system::tokio_bounded::TokioBounded;
use crate::system::tokio_floor::Tokio;
use crate::system::xactor::Xactor;
use crate::system::{BARE_WAKES, Room, System, erlang};

mod factory;
mod life;
mod message;
pub(crate) mod rows;

use rows::Row;

/// What happens in a row. `n` is how often.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Form {
    /// So many tasks send to one actor and yield after every `pause` messages.
    Tell { senders: u64, pause: u64, way: Way },
    /// One task sends payloads of so many words and yields as a stream does.
    TellWords { words: usize, senders: u64 },
    /// A thread of the operating system sends, and never pauses.
    Foreign,
    /// One task sends to a thousand actors in turn.
    Fanout(Way),
    /// A task asks, and asks again once it has the answer.
    Ask,
    /// The same, within a time that is never reached.
    AskWithin,
    /// An actor asks another.
    AskActor,
    /// So many tasks ask one actor.
    AskMany(u64),
    /// A token goes round so many actors; `n` hops.
    Ring(usize),
    /// Actors are started one after the other.
    Spawn,
    /// As many again, after the first ones ended.
    SpawnAgain,
    /// An actor is started and answers, then the next.
    SpawnAsk,
    /// Actors that were never told anything are asked, once each.
    FirstMessage,
    /// So many actors live at once, and nobody holds their addresses.
    Alive,
    /// Resident bytes of an actor that waits, its address apart.
    Resident,
    /// Heap bytes of an actor that waits, or that waits again after a message.
    Heap { used: bool },
    /// A thread sends 10 000 messages a second; this quantile in thousandths.
    Paced(usize),
    /// A full mailbox is offered more.
    Refused,
    /// An actor that stands still is sent more than anyone should, without waiting.
    Growth,
    /// Requests for memory.
    Allocations(Of),
    /// A task sends jobs that any free one of so many workers may do.
    Jobs(usize),
    /// A loop that airssys-rt published, or the honest form of it.
    Airs(airs::Loop),
}

/// How a message is sent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Way {
    /// Without a bound and without waiting.
    Tell,
    /// Waiting for room.
    Send,
    /// Without waiting, and only when that fails waiting for room.
    OfferThenSend,
}

/// Whose allocations are counted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Of {
    Tell,
    Ask,
    AskWithin,
    Spawn,
}

/// One measurement.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Reading {
    pub(crate) value: f64,
    pub(crate) note: Option<String>,
    /// What a cache line took from core to core just before, in a contended row.
    pub(crate) bounce_ns: Option<f64>,
}

impl Reading {
    pub(crate) fn of(value: f64) -> Reading {
        Reading { value, ..Reading::default() }
    }

    pub(crate) fn note(self, note: impl Into<String>) -> Reading {
        Reading { note: Some(note.into()), ..self }
    }
}

/// Why a system has no figure in a row; `None` if it has one.
pub(crate) fn why_left_out(system: &str, row: &Row) -> Option<&'static str> {
    let only_ours = matches!(row.form, Form::Airs(_) | Form::Alive);
    let no_bound = "its mailboxes have no bound that senders wait for";
    let waits = matches!(row.room, Room::Bounded(_)) && row.form != Form::Refused;
    if matches!(row.form, Form::Jobs(_)) {
        return (!["ours", "tokio", "ractor"].contains(&system)).then_some("it has no factory");
    }
    match system {
        "ours" | "tokio" if !only_ours => None,
        "ours" => None,
        BARE_WAKES => {
            let is_hop = matches!(row.form, Form::Ring(_)) && row.room == Room::Unbounded;
            (!is_hop).then_some("no messages are passed")
        }
        "ours_colocated" => {
            let between_actors = matches!(row.form, Form::AskActor | Form::Ring(_));
            (!between_actors || row.room != Room::Unbounded).then_some("placement is about actors that talk")
        }
        _ if only_ours => Some("a row of ours alone"),
        "ractor" | "xactor" if waits || row.form == Form::Refused => Some(no_bound),
        "bastion" | "riker" if waits || !is_basic(row) => Some("measured in the basic rows only"),
        "actix" if waits => Some(no_bound),
        "erlang" if !erlang::knows(row.name) => Some("not written for Erlang"),
        _ if row.is_for_few => Some("left out to save time and memory"),
        _ => None,
    }
}

/// The rows of peers that nobody maintains any more.
fn is_basic(row: &Row) -> bool {
    let names =
        ["tell_1_1", "tell_1_1_burst", "tell_4_1", "ask_seq", "ping_pong", "spawn_cold", "idle_bytes"];
    names.contains(&row.name)
}

/// Measures here and now.
pub(crate) fn measure(system: &str, row: &Row, workers: usize, n: u64) -> Reading {
    if let Form::Jobs(of) = row.form {
        return match system {
            "ours" => Tokio::run(workers, factory::ours(of, n)),
            "ractor" => Tokio::run(workers, factory::ractor(of, n)),
            "tokio" => Tokio::run(workers, factory::tokio(of, n)),
            _ => panic!("{system} has no factory"),
        };
    }
    let bounce_ns = row.is_contended.then(paced::bounce_ns).flatten();
    let reading = match system {
        "ours" => measure_in::<Ours<Anywhere>>(row, workers, n),
        "ours_colocated" => measure_in::<Ours<Colocated>>(row, workers, n),
        "tokio" if matches!(row.room, Room::Bounded(_)) => measure_in::<TokioBounded>(row, workers, n),
        "tokio" => measure_in::<Tokio>(row, workers, n),
        "ractor" => measure_in::<Ractor>(row, workers, n),
        "kameo" => measure_in::<Kameo>(row, workers, n),
        "actix" => measure_in::<Actix>(row, workers, n),
        "xactor" => measure_in::<Xactor>(row, workers, n),
        "bastion" => measure_in::<Bastioned>(row, workers, n),
        BARE_WAKES => match row.form {
            Form::Ring(tasks) => Tokio::run(workers, message::bare_wakes(tasks, n)),
            _ => panic!("{system} are about hops"),
        },
        "riker" => measure_in::<Riker>(row, workers, n),
        _ => panic!("there is no system {system}"),
    };
    Reading { bounce_ns, ..reading }
}

fn measure_in<S: System>(row: &Row, workers: usize, n: u64) -> Reading {
    assert!(S::has(row.room) || (S::REFUSES && row.form == Form::Refused), "a mailbox it does not have");
    let room = row.room;
    match row.form {
        Form::Tell { senders, pause, way } => {
            S::run(workers, message::tell::<S, 1>(room, senders, pause, way, n))
        }
        Form::TellWords { words, senders } => tell_words::<S>(workers, words, senders, room, n),
        Form::Foreign => S::run(workers, message::foreign::<S>(room, n)),
        Form::Fanout(way) => S::run(workers, message::fanout::<S>(room, way, n)),
        Form::Ask => S::run(workers, message::ask::<S>(room, n)),
        Form::AskWithin => S::run(workers, message::ask_within::<S>(room, n)),
        Form::AskActor => S::run(workers, message::ask_actor::<S>(room, n)),
        Form::AskMany(callers) => S::run(workers, message::ask_many::<S>(room, callers, n)),
        Form::Ring(actors) => S::run(workers, message::ring::<S>(room, actors, n)),
        Form::Spawn => S::run(workers, life::spawn::<S>(room, n)),
        Form::SpawnAgain => S::run(workers, life::spawn_again::<S>(room, n)),
        Form::SpawnAsk => S::run(workers, life::spawn_ask::<S>(room, n)),
        Form::FirstMessage => S::run(workers, life::first_message::<S>(room, n)),
        Form::Alive => S::run(workers, life::alive::<S>(room, n)),
        Form::Resident => S::run(workers, life::resident::<S>(room, n)),
        Form::Heap { used } => S::run(workers, life::heap::<S>(room, used, n)),
        Form::Paced(quantile) => S::run(workers, message::paced::<S>(room, quantile, n)),
        Form::Refused => S::run(workers, life::refused::<S>(room, n)),
        Form::Growth => S::run(workers, life::growth::<S>(room, n)),
        Form::Allocations(of) => S::run(workers, life::allocations::<S>(room, of, n)),
        Form::Jobs(_) => unreachable!("each system has its own"),
        Form::Airs(a_loop) => a_loop.measure(workers, n),
    }
}

fn tell_words<S: System>(workers: usize, words: usize, senders: u64, room: Room, n: u64) -> Reading {
    let (pause, way) = (message::STREAM, Way::Tell);
    match words {
        0 => S::run(workers, message::tell::<S, 0>(room, senders, pause, way, n)),
        8 => S::run(workers, message::tell::<S, 8>(room, senders, pause, way, n)),
        32 => S::run(workers, message::tell::<S, 32>(room, senders, pause, way, n)),
        128 => S::run(workers, message::tell::<S, 128>(room, senders, pause, way, n)),
        _ => unreachable!("no row has {words} words"),
    }
}
