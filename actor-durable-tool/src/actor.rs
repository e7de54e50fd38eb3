//! `inspect PATH ACTOR`: an actor's head, and page by page everything that is stored of it.
//!
//! If a part cannot be read the output says so, and goes on with the next part.

mod lines;

use std::fmt::Display;
use std::io;

use actor_durable::store::{Head, Refusal, StoreError, Undelivered};
use actor_durable::{ActorSummary, DurableId, Position, RedbInspection, Sequence};

use crate::failure::{Failure, Found};
use crate::flags::{Format, Shown};
use crate::json::Object;
use crate::list::{of_actor, open};
use crate::output::Output;
use crate::payload::Payload;

pub(crate) fn run(asked: &Shown, output: &mut Output) -> Result<Found, Failure> {
    let inspection = open(&asked.path, asked.format, output)?;
    let failure = |error| Failure::store(&asked.path, error);
    let summary = inspection.summary(&asked.id).map_err(failure)?;
    let summary = summary.ok_or_else(|| failure(Refusal::NoSuchActor.into()))?;
    let head = summary.head.clone().map_err(|refusal| failure(refusal.into()))?;
    let mut page = Page { asked, inspection: &inspection, output, found: Found::Nothing };
    page.head(&summary, &head)?;
    page.state()?;
    page.history(&head)?;
    page.inbox(&summary)?;
    page.outbox(&summary)?;
    page.undelivered(&summary)?;
    page.reminders(&summary)?;
    page.children(&summary)?;
    page.dead_letters(&summary)?;
    Ok(page.found)
}

/// One row of a list, in each format.
pub(crate) struct Line {
    pub(crate) text: String,
    pub(crate) json: Object,
}

struct Page<'p> {
    asked: &'p Shown,
    inspection: &'p RedbInspection,
    output: &'p mut Output,
    found: Found,
}

impl Page<'_> {
    fn head(&mut self, summary: &ActorSummary, head: &Head) -> io::Result<()> {
        if self.asked.format == Format::Json {
            return self.output.line(of_actor(summary, head));
        }
        let owner = head.owner.map_or("of nobody".to_owned(), |owner| format!("of {owner}"));
        let ended = if head.has_ended { ", ended for good" } else { "" };
        self.field("actor", &summary.id)?;
        self.field("type", &head.target.actor_type)?;
        self.field("epoch", format_args!("{}, {owner}, crashes: {}", head.epoch, head.crashes))?;
        self.field("created", format_args!("{}{ended}", head.created_at))?;
        self.field("sequence", format_args!("{}, trimmed until {}", head.sequence, head.trimmed))?;
        self.field("handled", format_args!("{}, forgotten until {}", summary.handled, head.horizon))?;
        self.field("size", format_args!("{} bytes", summary.bytes))
    }

    fn field(&mut self, name: &str, value: impl Display) -> io::Result<()> {
        self.output.line(format_args!("{name:<10}{value}"))
    }

    fn state(&mut self) -> io::Result<()> {
        let Some(snapshot) = self.readable("state", self.inspection.state(&self.asked.id))? else {
            return Ok(());
        };
        let bytes = self.asked.bytes;
        match (self.asked.format, snapshot) {
            (Format::Json, None) => Ok(()),
            (Format::Json, Some(snapshot)) => {
                let body = Payload::of(&snapshot.body, bytes).json();
                self.output.line(Object::of("state").raw("sequence", snapshot.sequence).raw("body", body))
            }
            (Format::Text, None) => self.field("state", "none is stored"),
            (Format::Text, Some(snapshot)) => {
                let body = Payload::of(&snapshot.body, bytes);
                self.field("state", format_args!("as of {}, {body}", snapshot.sequence))
            }
        }
    }

    fn history(&mut self, head: &Head) -> io::Result<()> {
        let first = self.asked.from.map_or(head.trimmed, |from| Sequence(from.0.saturating_sub(1)));
        let first = first.max(head.trimmed);
        let left = head.sequence.0.saturating_sub(first.0);
        self.title("history", left)?;
        self.list("entry", left, first, |inspection, id, after, limit, bytes| {
            let entries = inspection.entries(id, after, limit)?;
            Ok(entries.iter().map(|entry| (entry.sequence, lines::entry(entry, bytes))).collect())
        })
    }

    fn inbox(&mut self, summary: &ActorSummary) -> io::Result<()> {
        self.title("inbox", summary.inbox)?;
        self.list("letter", summary.inbox, Position::ZERO, |inspection, id, after, limit, bytes| {
            let letters = inspection.inbox(id, after, limit)?;
            Ok(letters.iter().map(|letter| (letter.position, lines::letter(letter, bytes))).collect())
        })
    }

    fn outbox(&mut self, summary: &ActorSummary) -> io::Result<()> {
        self.title("outbox", summary.outbox)?;
        self.list("outgoing", summary.outbox, None, |inspection, id, after, limit, bytes| {
            let sent = inspection.outbox(id, after, limit)?;
            Ok(sent.iter().map(|sent| (Some(sent.position), lines::outgoing(sent, bytes))).collect())
        })
    }

    fn undelivered(&mut self, summary: &ActorSummary) -> io::Result<()> {
        self.title("undelivered", summary.undelivered)?;
        self.list("undelivered", summary.undelivered, None, |inspection, id, after, limit, bytes| {
            let given_up = inspection.undelivered(id, after, limit)?;
            let line = |given_up: &Undelivered| lines::undelivered(given_up, bytes);
            Ok(given_up.iter().map(|given_up| (Some(given_up.outgoing.position), line(given_up))).collect())
        })
    }

    fn reminders(&mut self, summary: &ActorSummary) -> io::Result<()> {
        self.title("reminders", summary.reminders)?;
        self.list("reminder", summary.reminders, None, |inspection, id, after, limit, bytes| {
            let set = inspection.reminders(id, after.as_ref(), limit)?;
            Ok(set.iter().map(|set| (Some(set.name.clone()), lines::reminder(set, bytes))).collect())
        })
    }

    fn children(&mut self, summary: &ActorSummary) -> io::Result<()> {
        self.title("children", summary.children)?;
        self.list("child", summary.children, None, |inspection, id, after, limit, bytes| {
            let children = inspection.children(id, after.as_ref(), limit)?;
            Ok(children.iter().map(|child| (Some(child.name.clone()), lines::child(child, bytes))).collect())
        })
    }

    fn dead_letters(&mut self, summary: &ActorSummary) -> io::Result<()> {
        self.title("dead letters", summary.dead_letters)?;
        self.list("dead_letter", summary.dead_letters, None, |inspection, id, after, limit, bytes| {
            let dead = inspection.dead_letters(id, after, limit)?;
            Ok(dead
                .iter()
                .map(|dead| (Some(dead.letter.message.id), lines::dead_letter(dead, bytes)))
                .collect())
        })
    }

    fn title(&mut self, title: &str, count: u64) -> io::Result<()> {
        match self.asked.format {
            Format::Text => self.output.line(format_args!("{title}: {count}")),
            Format::Json => Ok(()),
        }
    }

    /// Prints the rows of a list behind `after`, page by page, as many as are asked for; then how many are left.
    fn list<K: Clone>(
        &mut self,
        what: &str,
        count: u64,
        mut after: K,
        page: impl Fn(&RedbInspection, &DurableId, K, usize, usize) -> Result<Vec<(K, Line)>, StoreError>,
    ) -> io::Result<()> {
        let Shown { id, format, limit, bytes, .. } = self.asked;
        let mut shown = 0;
        while shown < *limit && self.output.flow().is_continue() {
            let lines = page(self.inspection, id, after.clone(), (limit - shown).min(PAGE), *bytes);
            let Some(lines) = self.readable(what, lines)? else { return Ok(()) };
            let Some((last, _)) = lines.last() else { break };
            after = last.clone();
            shown += lines.len();
            for (_, line) in lines {
                match format {
                    Format::Text => self.output.line(line.text)?,
                    Format::Json => self.output.line(line.json)?,
                }
            }
        }
        let left = count.saturating_sub(shown as u64);
        match format {
            _ if left == 0 => Ok(()),
            Format::Text => self.output.line(format_args!("  and {left} more")),
            Format::Json => self.output.line(Object::of("more").text("of", what).raw("count", left)),
        }
    }

    /// What was read. If it cannot be read, prints why and returns nothing.
    fn readable<T>(&mut self, what: &str, read: Result<T, StoreError>) -> io::Result<Option<T>> {
        let error = match read {
            Ok(value) => return Ok(Some(value)),
            Err(StoreError::NotApplied(refusal)) => refusal.to_string(),
            Err(error) => error.to_string(),
        };
        self.found = Found::Unreadable;
        match self.asked.format {
            Format::Text => self.output.line(format_args!("  {error}"))?,
            Format::Json => {
                self.output.line(Object::of("unreadable").text("of", what).text("error", error))?;
            }
        }
        Ok(None)
    }
}

/// How many rows are read at a time.
const PAGE: usize = 256;
