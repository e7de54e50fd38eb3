//! `inspect PATH`: the actors of a store. However many there are, one is in memory at a time.

use std::io;
use std::ops::ControlFlow;

use actor_durable::store::{Head, Refusal};
use actor_durable::{ActorSummary, DurableId, RedbInspection};

use crate::failure::{Failure, Found};
use crate::flags::{Format, List};
use crate::json::Object;
use crate::output::Output;

pub(crate) fn run(list: &List, output: &mut Output) -> Result<Found, Failure> {
    let inspection = open(&list.path, list.format, output)?;
    let mut listing = Listing { list, output, count: 0, next: None, found: Found::Nothing, failed: None };
    listing.begin()?;
    let visited = inspection.summaries(list.from.as_ref(), |summary| listing.visit(summary));
    visited.map_err(|error| Failure::store(&list.path, error))?;
    listing.end()
}

/// Opens a file, and notes if a process has not closed it.
pub(crate) fn open(
    path: &std::path::Path,
    format: Format,
    output: &mut Output,
) -> Result<RedbInspection, Failure> {
    let inspection = RedbInspection::open(path).map_err(|error| Failure::store(path, error))?;
    let left_open = inspection.was_left_open();
    match format {
        Format::Json => {
            output.line(Object::of("file").text("path", path.display()).raw("left_open", left_open))?;
        }
        Format::Text if left_open => output.note(format_args!("{}: {LEFT_OPEN}", path.display())),
        Format::Text => {}
    }
    Ok(inspection)
}

const LEFT_OPEN: &str = "the last process that had it open did not close it. \
    It is read as its next opening will repair it, and is not changed.";

struct Listing<'l> {
    list: &'l List,
    output: &'l mut Output,
    count: u64,
    /// The first actor behind the limit.
    next: Option<DurableId>,
    found: Found,
    failed: Option<io::Error>,
}

impl Listing<'_> {
    fn begin(&mut self) -> io::Result<()> {
        match self.list.format {
            Format::Text => self.output.line(row(
                ["sequence", "epoch", "inbox", "outbox", "reminders", "dead", "bytes"],
                "type actor",
            )),
            Format::Json => Ok(()),
        }
    }

    fn visit(&mut self, summary: Result<ActorSummary, Refusal>) -> ControlFlow<()> {
        match self.write(summary) {
            Ok(flow) => flow,
            Err(error) => {
                self.failed = Some(error);
                ControlFlow::Break(())
            }
        }
    }

    fn write(&mut self, summary: Result<ActorSummary, Refusal>) -> io::Result<ControlFlow<()>> {
        let summary = match summary {
            Ok(summary) => summary,
            Err(refusal) => {
                self.say_unreadable(None, &refusal)?;
                return Ok(self.output.flow());
            }
        };
        if self.list.limit == Some(self.count) {
            self.next = Some(summary.id);
            return Ok(ControlFlow::Break(()));
        }
        self.count += 1;
        match &summary.head {
            Ok(head) => self.write_actor(&summary, head)?,
            Err(refusal) => self.say_unreadable(Some(&summary.id), refusal)?,
        }
        Ok(self.output.flow())
    }

    fn write_actor(&mut self, summary: &ActorSummary, head: &Head) -> io::Result<()> {
        let ActorSummary { inbox, outbox, reminders, dead_letters, bytes, .. } = summary;
        match self.list.format {
            Format::Json => self.output.line(of_actor(summary, head)),
            Format::Text => {
                let columns =
                    [head.sequence.0, head.epoch.0, *inbox, *outbox, *reminders, *dead_letters, *bytes];
                self.output.line(row(columns.map(|number| number.to_string()), &head.target.to_string()))
            }
        }
    }

    fn say_unreadable(&mut self, id: Option<&DurableId>, refusal: &Refusal) -> io::Result<()> {
        self.found = Found::Unreadable;
        match self.list.format {
            Format::Json => self.output.line(Object::of("unreadable").maybe("id", id).text("error", refusal)),
            Format::Text => self.output.line(format_args!("{refusal}")),
        }
    }

    fn end(self) -> Result<Found, Failure> {
        if let Some(error) = self.failed {
            return Err(error.into());
        }
        let Self { list, output, count, next, found, .. } = self;
        match list.format {
            Format::Json => {
                output.line(Object::of("end").raw("actors", count).maybe("next", next.as_ref()))?;
            }
            Format::Text => {
                output.line(format_args!("{count} {}", if count == 1 { "actor" } else { "actors" }))?;
                if let Some(next) = next {
                    output.line(format_args!("there are more: --from {}", for_shell(next.as_str())))?;
                }
            }
        }
        Ok(found)
    }
}

/// A word of a command, for a shell: within single quotes nothing but another one means anything.
fn for_shell(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

fn row(columns: [impl AsRef<str>; 7], target: &str) -> String {
    let [sequence, epoch, inbox, outbox, reminders, dead, bytes] = columns;
    format!(
        "{:>10} {:>7} {:>7} {:>7} {:>9} {:>6} {:>11}  {target}",
        sequence.as_ref(),
        epoch.as_ref(),
        inbox.as_ref(),
        outbox.as_ref(),
        reminders.as_ref(),
        dead.as_ref(),
        bytes.as_ref()
    )
}

/// An actor as JSON.
pub(crate) fn of_actor(summary: &ActorSummary, head: &Head) -> Object {
    Object::of("actor")
        .text("id", &summary.id)
        .text("type", &head.target.actor_type)
        .raw("epoch", head.epoch)
        .maybe("owner", head.owner)
        .raw("crashes", head.crashes)
        .raw("sequence", head.sequence)
        .raw("trimmed", head.trimmed)
        .raw_maybe("state_of", head.snapshot)
        .raw("entries", summary.entries)
        .raw("inbox", summary.inbox)
        .raw("handled", summary.handled)
        .raw("outbox", summary.outbox)
        .raw("undelivered", summary.undelivered)
        .raw("reminders", summary.reminders)
        .raw("children", summary.children)
        .raw("dead_letters", summary.dead_letters)
        .raw("state_bytes", summary.state_bytes)
        .raw("bytes", summary.bytes)
        .raw("has_ended", head.has_ended)
        .raw("horizon_ms", head.horizon.as_millis())
        .raw("created_ms", head.created_at.as_millis())
}
