//! The rows of an actor's lists, each as a line.

use actor_durable::Target;
use actor_durable::store::{
    Cause, Child, DeadLetter, Destination, Entry, Headers, Letter, Message, Outgoing, Reminder, Undelivered,
};

use super::Line;
use crate::json::{Object, array, quoted};
use crate::payload::Payload;

pub(super) fn entry(entry: &Entry, bytes: usize) -> Line {
    let changed = if entry.has_changed { "changed" } else { "unchanged" };
    let (cause, message) = cause(entry.cause);
    let why = message.map_or(cause.to_owned(), |message| format!("{cause} {message}"));
    let mut text = format!("  {} {} {why}, {changed}", entry.sequence, entry.at);
    for event in &entry.events {
        text += &format!("\n    event, {}", Payload::of(event, bytes));
    }
    for sent in &entry.sent {
        text += &format!("\n    sent {sent}");
    }
    let json = Object::of("entry")
        .raw("sequence", entry.sequence)
        .raw("at_ms", entry.at.as_millis())
        .text("cause", cause)
        .maybe("message", message)
        .raw("has_changed", entry.has_changed)
        .raw("events", array(entry.events.iter().map(|event| Payload::of(event, bytes).json())))
        .raw("sent", array(entry.sent.iter().map(|sent| quoted(&sent.to_string()))));
    Line { text, json }
}

fn cause(cause: Cause) -> (&'static str, Option<actor_durable::MessageId>) {
    match cause {
        Cause::Spawned => ("spawned", None),
        Cause::Message(message) => ("message", Some(message)),
        Cause::GaveUp(message) => ("gave up", Some(message)),
        Cause::Duplicate(message) => ("duplicate", Some(message)),
        Cause::Own => ("own", None),
        Cause::Stopped => ("stopped", None),
    }
}

pub(super) fn letter(letter: &Letter, bytes: usize) -> Line {
    let text = format!("  {}", letter_text(letter, bytes));
    Line { text, json: letter_json(Object::of("letter"), letter, bytes) }
}

fn letter_text(letter: &Letter, bytes: usize) -> String {
    let Letter { position, attempts, message } = letter;
    let Message { id, from, reply_to, sent_at, body, headers, .. } = message;
    let from = from.as_ref().map_or(String::new(), |from| format!(", from {from}"));
    let notes = notes(reply_to.as_ref(), headers);
    let body = Payload::of(body, bytes);
    format!("{position} {id}, attempts: {attempts}, sent {sent_at}{from}{notes}, {body}")
}

fn letter_json(object: Object, letter: &Letter, bytes: usize) -> Object {
    let Letter { position, attempts, message } = letter;
    let object = object
        .raw("position", position)
        .text("message", message.id)
        .raw("attempts", attempts)
        .maybe("from", message.from.as_ref())
        .raw("sent_at_ms", message.sent_at.as_millis());
    with_notes(object, message.reply_to.as_ref(), &message.headers)
        .raw("body", Payload::of(&message.body, bytes).json())
}

pub(super) fn outgoing(sent: &Outgoing, bytes: usize) -> Line {
    let text = format!("  {}", outgoing_text(sent, bytes));
    Line { text, json: outgoing_json(Object::of("outgoing"), sent, bytes) }
}

fn outgoing_text(sent: &Outgoing, bytes: usize) -> String {
    let Outgoing { position, to, id, reply_to, sent_at, body, headers } = sent;
    let destination = match to {
        Destination::Actor(target) => format!("to {target}"),
        Destination::Outlet(name) => format!("to the outlet {name}"),
    };
    let (notes, body) = (notes(reply_to.as_ref(), headers), Payload::of(body, bytes));
    let position = format!("{}.{}", position.sequence, position.index);
    format!("{position} {id} {destination}, sent {sent_at}{notes}, {body}")
}

fn outgoing_json(object: Object, sent: &Outgoing, bytes: usize) -> Object {
    let Outgoing { position, to, id, reply_to, sent_at, body, headers } = sent;
    let object = object.raw("sequence", position.sequence).raw("index", position.index);
    let object = match to {
        Destination::Actor(to) => object.raw("to", target(to)),
        Destination::Outlet(name) => object.text("outlet", name),
    };
    let object = object.text("message", id).raw("sent_at_ms", sent_at.as_millis());
    with_notes(object, reply_to.as_ref(), headers).raw("body", Payload::of(body, bytes).json())
}

pub(super) fn undelivered(given_up: &Undelivered, bytes: usize) -> Line {
    let Undelivered { outgoing, at, reason } = given_up;
    let text = format!("  given up {at}: {reason:?}\n    {}", outgoing_text(outgoing, bytes));
    let json = Object::of("undelivered").raw("at_ms", at.as_millis()).text("reason", reason);
    Line { text, json: outgoing_json(json, outgoing, bytes) }
}

pub(super) fn reminder(reminder: &Reminder, bytes: usize) -> Line {
    let Reminder { name, set_by, due, period, catch_up, body } = reminder;
    let every = period.map_or("once".to_owned(), |period| format!("each {period:?}"));
    let body = Payload::of(body, bytes);
    let text = format!("  {name} due {due}, {every}, {catch_up:?}, {body}");
    let json = Object::of("reminder")
        .text("name", name)
        .raw("set_by", set_by)
        .raw("due_ms", due.as_millis())
        .raw_maybe("period_ms", period.map(|period| period.as_millis()))
        .text("catch_up", format_args!("{catch_up:?}"))
        .raw("body", body.json());
    Line { text, json }
}

pub(super) fn child(child: &Child, bytes: usize) -> Line {
    let body = Payload::of(&child.body, bytes);
    let text = format!("  {} is {}, {body}", child.name, child.target);
    let json = Object::of("child").text("name", &child.name).raw("actor", target(&child.target));
    Line { text, json: json.raw("body", body.json()) }
}

pub(super) fn dead_letter(dead: &DeadLetter, bytes: usize) -> Line {
    let DeadLetter { letter, at, reason } = dead;
    let text = format!("  given up {at}: {reason:?}\n    {}", letter_text(letter, bytes));
    let json = Object::of("dead_letter").raw("at_ms", at.as_millis()).text("reason", reason);
    Line { text, json: letter_json(json, letter, bytes) }
}

/// The parts of a message that most have not.
fn notes(reply_to: Option<&Target>, headers: &Headers) -> String {
    let reply_to = reply_to.map_or(String::new(), |target| format!(", reply to {target}"));
    headers.iter().fold(reply_to, |notes, (name, value)| format!("{notes}, {name:?}={value:?}"))
}

fn with_notes(object: Object, reply_to: Option<&Target>, headers: &Headers) -> Object {
    let object = object.raw_maybe("reply_to", reply_to.map(target));
    let headers = headers.iter().fold(Object::new(), |object, (name, value)| object.text(name, value));
    object.raw("headers", headers)
}

fn target(target: &Target) -> Object {
    Object::new().text("id", &target.id).text("type", &target.actor_type)
}
