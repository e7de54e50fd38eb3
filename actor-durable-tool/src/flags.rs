//! The command line: words in, a checked [`Task`] out.

use std::ffi::OsString;
use std::path::PathBuf;
use std::str::FromStr;

use actor_durable::{DurableId, Sequence};
use lexopt::prelude::*;

use crate::failure::Failure;

const HELP: &str = include_str!("help.txt");

/// What to do.
#[derive(Debug, PartialEq)]
pub(crate) enum Task {
    /// Print this text.
    Print(String),
    /// List the actors of a store.
    List(List),
    /// Show one of them.
    Actor(Shown),
    /// Check a store.
    Verify { path: PathBuf, format: Format },
    /// Make the file small.
    Compact { path: PathBuf, format: Format },
}

/// How the output is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Format {
    /// For people.
    Text,
    /// A JSON object on each line, for programs.
    Json,
}

/// See [`Task::List`].
#[derive(Debug, PartialEq)]
pub(crate) struct List {
    pub(crate) path: PathBuf,
    pub(crate) format: Format,
    /// The first one; `None` for the beginning.
    pub(crate) from: Option<DurableId>,
    pub(crate) limit: Option<u64>,
}

/// See [`Task::Actor`].
#[derive(Debug, PartialEq)]
pub(crate) struct Shown {
    pub(crate) path: PathBuf,
    pub(crate) id: DurableId,
    pub(crate) format: Format,
    /// The first entry of the history; `None` for the beginning.
    pub(crate) from: Option<Sequence>,
    /// How many rows of each list are shown.
    pub(crate) limit: usize,
    /// How many bytes of each payload are shown.
    pub(crate) bytes: usize,
}

/// How many rows of each list of an actor are shown.
const LIMIT_DEFAULT: usize = 100;

/// How many bytes of each payload are shown to people. Programs get all.
const BYTES_DEFAULT: usize = 256;

/// The words of the command line, in any order.
#[derive(Default)]
struct Said {
    values: Vec<OsString>,
    json: bool,
    from: Option<OsString>,
    limit: Option<OsString>,
    bytes: Option<OsString>,
}

/// Reads the command line.
pub(crate) fn parse(mut parser: lexopt::Parser) -> Result<Task, Failure> {
    let mut said = Said::default();
    while let Some(argument) = parser.next().map_err(misuse)? {
        match argument {
            Value(value) => said.values.push(value),
            Long("json") => said.json = true,
            Long("from") => said.from = Some(parser.value().map_err(misuse)?),
            Long("limit") => said.limit = Some(parser.value().map_err(misuse)?),
            Long("bytes") => said.bytes = Some(parser.value().map_err(misuse)?),
            Long("help") | Short('h') => return Ok(Task::Print(HELP.to_owned())),
            Long("version") => {
                return Ok(Task::Print(
                    concat!("actor-durable-tool ", env!("CARGO_PKG_VERSION"), "\n").into(),
                ));
            }
            other => return Err(misuse(other.unexpected())),
        }
    }
    task(said)
}

fn task(mut said: Said) -> Result<Task, Failure> {
    let values = std::mem::take(&mut said.values);
    let format = if said.json { Format::Json } else { Format::Text };
    let name = values.first().map(|name| name.to_string_lossy().into_owned());
    match (name.as_deref(), &values[values.len().min(1)..]) {
        (Some("inspect"), [path]) => {
            said.has_no_bytes()?;
            let from = said.from.as_ref().map(actor_id).transpose()?;
            let limit = said.limit.as_ref().map(|limit| number("--limit", limit)).transpose()?;
            Ok(Task::List(List { path: path.into(), format, from, limit }))
        }
        (Some("inspect"), [path, id]) => {
            let bytes_default = if said.json { usize::MAX } else { BYTES_DEFAULT };
            let from = said.from.as_ref().map(|from| number("--from", from)).transpose()?;
            let limit = said.limit.as_ref().map(|limit| number("--limit", limit)).transpose()?;
            let bytes = said.bytes.as_ref().map(|bytes| number("--bytes", bytes)).transpose()?;
            Ok(Task::Actor(Shown {
                path: path.into(),
                id: actor_id(id)?,
                format,
                from: from.map(Sequence),
                limit: limit.unwrap_or(LIMIT_DEFAULT),
                bytes: bytes.unwrap_or(bytes_default),
            }))
        }
        (Some("verify"), [path]) => said.has_no_page().map(|()| Task::Verify { path: path.into(), format }),
        (Some("compact"), [path]) => said.has_no_page().map(|()| Task::Compact { path: path.into(), format }),
        (Some("inspect" | "verify" | "compact"), []) => Err(misuse("PATH is missing")),
        (Some("inspect" | "verify" | "compact"), _) => Err(misuse("there are too many words")),
        (Some(name), _) => Err(misuse(format!("there is no command {name:?}"))),
        (None, _) => Err(misuse("there is no command")),
    }
}

impl Said {
    fn has_no_page(&self) -> Result<(), Failure> {
        self.has_no_bytes()?;
        if self.from.is_some() || self.limit.is_some() {
            return Err(misuse("only `inspect` has `--from` and `--limit`"));
        }
        Ok(())
    }

    fn has_no_bytes(&self) -> Result<(), Failure> {
        if self.bytes.is_some() {
            return Err(misuse("only `inspect PATH ACTOR` has `--bytes`"));
        }
        Ok(())
    }
}

fn actor_id(id: &OsString) -> Result<DurableId, Failure> {
    let text = id.to_str().ok_or_else(|| misuse(format!("{id:?} is no actor's id: it is not UTF-8")))?;
    DurableId::new(text).map_err(misuse)
}

fn number<N: FromStr>(what: &str, value: &OsString) -> Result<N, Failure> {
    let number = value.to_str().and_then(|value| value.parse().ok());
    number.ok_or_else(|| misuse(format!("{what} {value:?} is no number")))
}

fn misuse(why: impl ToString) -> Failure {
    Failure::Usage(format!("{}; --help tells more", why.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(arguments: &[&str]) -> Result<Task, String> {
        parse(lexopt::Parser::from_args(arguments)).map_err(|failure| failure.to_string())
    }

    fn id(text: &str) -> DurableId {
        DurableId::new(text).expect("a good id")
    }

    #[test]
    fn what_is_asked_for_is_understood_in_any_order() {
        let list = List { path: "s".into(), format: Format::Json, from: Some(id("b")), limit: Some(3) };
        let arguments = ["--limit=3", "inspect", "--json", "s", "--from", "b"];
        assert_eq!(parsed(&arguments), Ok(Task::List(list)));
        let shown = Shown {
            path: "s".into(),
            id: id("a b"),
            format: Format::Text,
            from: Some(Sequence(7)),
            limit: LIMIT_DEFAULT,
            bytes: BYTES_DEFAULT,
        };
        assert_eq!(parsed(&["inspect", "s", "a b", "--from", "7"]), Ok(Task::Actor(shown)));
        let all = Shown {
            path: "s".into(),
            id: id("a"),
            format: Format::Json,
            from: None,
            limit: LIMIT_DEFAULT,
            bytes: usize::MAX,
        };
        assert_eq!(parsed(&["inspect", "s", "a", "--json"]), Ok(Task::Actor(all)));
        assert_eq!(parsed(&["verify", "s"]), Ok(Task::Verify { path: "s".into(), format: Format::Text }));
        let compact = Task::Compact { path: "-s".into(), format: Format::Json };
        assert_eq!(parsed(&["compact", "--json", "--", "-s"]), Ok(compact));
        assert_eq!(parsed(&["verify", "-h"]), Ok(Task::Print(HELP.to_owned())));
        let version = concat!("actor-durable-tool ", env!("CARGO_PKG_VERSION"), "\n").to_owned();
        assert_eq!(parsed(&["--version"]), Ok(Task::Print(version)));
    }

    #[test]
    fn what_cannot_be_meant_is_said() {
        let said = |arguments: &[&str]| parsed(arguments).expect_err("it cannot be meant");
        assert_eq!(said(&[]), "there is no command; --help tells more");
        assert_eq!(said(&["repair", "s"]), "there is no command \"repair\"; --help tells more");
        assert_eq!(said(&["verify"]), "PATH is missing; --help tells more");
        assert_eq!(said(&["compact", "s", "a"]), "there are too many words; --help tells more");
        assert_eq!(
            said(&["inspect", "s", "a", "--limit", "-1"]),
            "--limit \"-1\" is no number; --help tells more"
        );
        assert_eq!(said(&["inspect", "s", ""]), "an actor's id is empty; --help tells more");
        assert_eq!(
            said(&["inspect", "s", "--bytes", "9"]),
            "only `inspect PATH ACTOR` has `--bytes`; --help tells more"
        );
        assert_eq!(
            said(&["compact", "s", "--bytes", "9"]),
            "only `inspect PATH ACTOR` has `--bytes`; --help tells more"
        );
        for option in ["--from", "--limit"] {
            assert_eq!(
                said(&["verify", "s", option, "9"]),
                "only `inspect` has `--from` and `--limit`; --help tells more"
            );
        }
        assert_eq!(said(&["inspect", "s", "--all"]), "invalid option '--all'; --help tells more");
    }
}
