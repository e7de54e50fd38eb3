//! A process with [tallies](integration_tests::tally) in a file of redb, or in PostgreSQL with others, to be killed. It answers the
//! lines of its standard input, and ends with that.
//!
//! ```text
//!  tally-node FILE
//!  tally-node --postgres URL --schema NAME [--lease MILLIS] [--look MILLIS] [--witness FILE]
//!
//!  KEY call ACTOR SENDER NUMBER FORWARD     KEY ok how many came
//!  KEY send ACTOR SENDER NUMBER FORWARD     KEY ok new | KEY ok known
//!                                           KEY failed why
//! ```
//!
//! KEY is the message's id, in hex; FORWARD an actor, or `-`.

use std::error::Error;
use std::fmt::Display;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use actor_core::ActorSystem;
use actor_durable::store::{Enqueued, Headers, Store, StoreError};
use actor_durable::{AskError, Durable, DurableRef, DurableSystem, MessageId, RedbStore, StartError};
use examples::lines;
use integration_tests::tally::{Refused, Say, Sourced, Tally, Whole, is_sourced};
use integration_tests::witness::Witness;
use lexopt::prelude::*;
use store_postgres::{PostgresConfig, PostgresStore};

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tally-node: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Box<dyn Error>> {
    let system = Options::read()?.start().await?;
    lines::serve(tokio::io::stdin(), tokio::io::stdout(), |line| {
        let system = system.clone();
        async move {
            let words: Vec<_> = line.split(' ').collect();
            let (key, request) = words.split_first().unwrap_or((&"", &[]));
            match ask(&system, key, request).await {
                Ok(answer) => format!("{key} ok {answer}"),
                Err(why) => format!("{key} failed {why}"),
            }
        }
    })
    .await?;
    Ok(system.shutdown(Duration::from_secs(10)).await?)
}

/// Where the tallies are kept, and how.
#[derive(Default)]
struct Options {
    file: Option<PathBuf>,
    postgres: Option<String>,
    schema: Option<String>,
    lease: Option<Duration>,
    look: Option<Duration>,
    witness: Option<PathBuf>,
}

impl Options {
    fn read() -> Result<Self, lexopt::Error> {
        let mut options = Self::default();
        let mut words = lexopt::Parser::from_env();
        while let Some(word) = words.next()? {
            match word {
                Value(file) => options.file = Some(file.into()),
                Long("postgres") => options.postgres = Some(words.value()?.string()?),
                Long("schema") => options.schema = Some(words.value()?.string()?),
                Long("lease") => options.lease = Some(Duration::from_millis(words.value()?.parse()?)),
                Long("look") => options.look = Some(Duration::from_millis(words.value()?.parse()?)),
                Long("witness") => options.witness = Some(words.value()?.into()),
                _ => return Err(word.unexpected()),
            }
        }
        Ok(options)
    }

    async fn open(&self) -> Result<Arc<dyn Store>, Box<dyn Error>> {
        if let Some(address) = &self.postgres {
            let mut config = PostgresConfig::new(address)?;
            if let Some(schema) = &self.schema {
                config = config.with_schema(schema)?;
            }
            return Ok(Arc::new(PostgresStore::open(config).await?));
        }
        let file = self.file.as_ref().ok_or("tally-node FILE | --postgres URL")?;
        Ok(Arc::new(RedbStore::open(file).await?))
    }

    /// A server that ends meanwhile starts again.
    async fn start(&self) -> Result<DurableSystem, Box<dyn Error>> {
        loop {
            match self.start_once().await {
                Err(error) if is_transient(&*error) => eprintln!("tally-node: {error}"),
                outcome => return outcome,
            }
        }
    }

    async fn start_once(&self) -> Result<DurableSystem, Box<dyn Error>> {
        let store = self.open().await?;
        let witness = self.witness.as_ref().map(|path| Witness::open(path, store.clone())).transpose()?;
        let whole = Whole { witness: witness.map(Arc::new) };
        let mut builder = DurableSystem::builder(&ActorSystem::new(), store);
        builder = builder.register(whole).register_event_sourced(Sourced);
        if let Some(lease) = self.lease {
            builder = builder.lease(lease);
        }
        if let Some(look) = self.look {
            builder = builder.look_interval(look);
        }
        Ok(builder.start().await?)
    }
}

fn is_transient(error: &(dyn Error + 'static)) -> bool {
    error.downcast_ref::<StoreError>().is_some_and(StoreError::is_transient)
        || error.downcast_ref::<StartError>().is_some_and(StartError::is_transient)
}

async fn ask(system: &DurableSystem, key: &str, request: &[&str]) -> Result<String, String> {
    let id = MessageId::from_bytes(u128::from_str_radix(key, 16).map_err(text)?.to_be_bytes());
    let (way, to, say) = match *request {
        [way, to, sender, number, forward] => {
            let forward = (forward != "-").then(|| forward.to_owned());
            let number = number.parse().map_err(text)?;
            (way, to, Say::Number { sender: sender.to_owned(), number, forward })
        }
        _ => return Err("nobody knows what that is".to_owned()),
    };
    if is_sourced(to) {
        hand_over(&system.actor::<Sourced>(to).map_err(text)?, way, id, say).await
    } else {
        hand_over(&system.actor::<Whole>(to).map_err(text)?, way, id, say).await
    }
    .map_err(text)
}

async fn hand_over<A>(
    actor: &DurableRef<A>,
    way: &str,
    id: MessageId,
    say: Say,
) -> Result<String, AskError<Refused>>
where
    A: Durable<Command = Say, Reply = Tally, Error = Refused>,
{
    Ok(match way {
        "send" => match actor.send_with(id, Headers::new(), &say).await? {
            Enqueued::Stored => "new".to_owned(),
            _ => "known".to_owned(),
        },
        _ => actor.call(say).id(id).await?.total().to_string(),
    })
}

fn text(error: impl Display) -> String {
    error.to_string()
}
