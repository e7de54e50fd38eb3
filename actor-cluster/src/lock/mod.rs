//! `schema.lock`: what a crate's messages looked like when somebody last agreed to it, beside its manifest and under
//! version control. The only place that reads or writes such a file, and only while tests run.

mod judge;

use std::path::{Path, PathBuf};
use std::{env, fs, io};

use self::judge::{Outcome, judge};
use crate::wire::schema::Schema;

/// Makes a test that fails where a change to these messages keeps nodes of the build before and after it from
/// talking to each other. `docs/book/versions.md` says which changes do.
///
/// ```
/// # use actor_cluster::RemoteMessage;
/// #[derive(RemoteMessage)]
/// enum Counter {
///     Add(u64),
/// }
///
/// actor_cluster::schema_lock!(Counter);
/// ```
///
/// List every message type of the crate that its nodes send to each other; the types in them come along. The test
/// compares them with `schema.lock` in the directory of the manifest; with another file if it is named first:
/// `schema_lock!("orders.lock": Order, Invoice)`. One module has room for one.
///
/// | environment | the test |
/// |---|---|
/// | | fails on a breaking change, and if there is no file; passes on others, and says that they are not recorded |
/// | `SCHEMA_LOCK=accept` | writes the file anew, and passes |
/// | `SCHEMA_LOCK=exact` | fails on every change that is not recorded: for the build of a release |
///
/// Record each change before a build with it is let loose: what is not recorded is not guarded.
#[macro_export]
macro_rules! schema_lock {
    ($($message:ty),+ $(,)?) => {
        $crate::schema_lock!("schema.lock": $($message),+);
    };
    ($file:literal: $($message:ty),+ $(,)?) => {
        #[test]
        fn messages_are_as_their_schema_lock_says() {
            let place = $crate::lock::Place {
                directory: ::core::env!("CARGO_MANIFEST_DIR"),
                package: ::core::env!("CARGO_PKG_NAME"),
                file: $file,
            };
            place.check(&[$($crate::wire::schema::Schema::of::<$message>()),+]);
        }
    };
}

/// Which crate's file it is.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// The manifest's, when the test was compiled.
    pub directory: &'static str,
    /// Whose messages they are.
    pub package: &'static str,
    /// What the file is called.
    pub file: &'static str,
}

/// The environment variable that says what is wanted.
const VARIABLE: &str = "SCHEMA_LOCK";

/// What is wanted of the test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Fail where something breaks.
    Guard,
    /// Fail where anything is not recorded.
    Exact,
    /// Record everything.
    Accept,
}

impl Place {
    /// Compares, or accepts, as the environment says.
    ///
    /// # Panics
    ///
    /// If the messages are not as they were, or the file cannot be read or written.
    pub fn check(&self, schemas: &[Schema]) {
        let wish = env::var(VARIABLE).unwrap_or_default();
        let wish = match wish.as_str() {
            "" => Wish::Guard,
            "exact" => Wish::Exact,
            "accept" => Wish::Accept,
            other => panic!("{VARIABLE} is `accept`, `exact` or not set, and not {other:?}"),
        };
        match self.outcome(wish, schemas) {
            Ok(None) => {}
            Ok(Some(advice)) => eprintln!("{advice}"),
            Err(failure) => panic!("{failure}"),
        }
    }

    /// What should be known, or as an error what is wrong.
    ///
    /// # Errors
    ///
    /// What a test says that fails.
    pub fn outcome(&self, wish: Wish, schemas: &[Schema]) -> Result<Option<String>, String> {
        let path = self.path();
        let shown = path.display();
        let record = format!("{VARIABLE}=accept cargo test -p {}", self.package);
        let locked = match fs::read_to_string(&path) {
            Ok(text) => Some(text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(format!("{shown} cannot be read: {error}")),
        };
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        match (judge(&name, locked.as_deref(), schemas), wish) {
            (Outcome::Ambiguous(problems), _) => Err(list("the types cannot be told apart", &problems)),
            (Outcome::Holds, _) => Ok(None),
            (
                Outcome::Missing(text)
                | Outcome::Changed(text)
                | Outcome::Broken(_, text)
                | Outcome::Unreadable(_, text),
                Wish::Accept,
            ) => {
                replace(&path, &text).map_err(|error| format!("{shown} cannot be written: {error}"))?;
                Ok(Some(format!("{shown} was written: look at what has changed, and commit it")))
            }
            (Outcome::Missing(_), _) => Err(format!(
                "there is no {shown} yet. To write it, so that it can be committed:\n\n    {record}\n"
            )),
            (Outcome::Unreadable(why, _), _) => Err(format!(
                "{shown} cannot be read: {why}. Restore it from version control. After a merge, settle its lines as those \
                 of the sources were, or write it anew:\n\n    {record}\n"
            )),
            (Outcome::Broken(problems, _), _) => Err(format!(
                "{}\nNodes of builds before and after this refuse each other's messages of these types. A field can be \
                 added at the end with `#[wire(default)]`, a variant anywhere; `#[wire(name = \"...\")]` keeps a name. \
                 If no build before it is left to talk to, accept it:\n\n    {record}\n",
                list(&format!("the messages are not what {shown} says"), &problems)
            )),
            (Outcome::Changed(_), Wish::Exact) => Err(format!(
                "a change that breaks nothing is not recorded in {shown}. To record it:\n\n    {record}\n"
            )),
            (Outcome::Changed(_), _) => Ok(Some(format!(
                "a change that breaks nothing is not recorded in {shown}, and not guarded until it is:\n\n    {record}\n"
            ))),
        }
    }

    fn path(&self) -> PathBuf {
        // Where the tests run may be another place than where they were compiled.
        let now = env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
        now.unwrap_or_else(|| PathBuf::from(self.directory)).join(self.file)
    }
}

/// Writes a file whole or not at all.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    let mut new = path.as_os_str().to_owned();
    new.push(".new");
    fs::write(&new, text)?;
    fs::rename(&new, path)
}

fn list(head: &str, problems: &[String]) -> String {
    let lines: Vec<_> = problems.iter().map(|problem| format!("  * {problem}\n")).collect();
    format!("{head}:\n\n{}", lines.concat())
}
