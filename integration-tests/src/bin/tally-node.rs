//! A process with [tallies](integration_tests::tally) in a file of redb, to be killed. It answers the lines of its standard
//! input, and ends with that.
//!
//! ```text
//!  KEY call ACTOR SENDER NUMBER FORWARD     KEY ok how many came
//!  KEY send ACTOR SENDER NUMBER FORWARD     KEY ok new | KEY ok known
//!                                           KEY failed why
//! ```
//!
//! KEY is the message's id, in hex; FORWARD an actor, or `-`.

use std::error::Error;
use std::fmt::Display;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use actor_core::ActorSystem;
use actor_durable::store::{Enqueued, Headers};
use actor_durable::{AskError, Durable, DurableRef, DurableSystem, MessageId, RedbStore};
use examples::lines;
use integration_tests::tally::{Refused, Say, Sourced, Tally, Whole, is_sourced};

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
    let file = std::env::args().nth(1).ok_or("tally-node FILE")?;
    let store = Arc::new(RedbStore::open(file).await?);
    let builder = DurableSystem::builder(&ActorSystem::new(), store);
    let system = builder.register(Whole).register_event_sourced(Sourced).start().await?;
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
