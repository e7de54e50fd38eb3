//! A pipeline: lines are parsed, doubled and summed, each by an actor of its own. A slow stage
//! slows those before it, to the source: nothing piles up between them.
//!
//! ```text
//!  lines ──► Parse ──► Double ──► Sum
//!         String     u64       u64     each with room for one message
//! ```

use actor_core::{Actor, ActorError, ActorRef, ActorSystem, Recipient, ReplyPort, SpawnError, SpawnOptions};
use actor_toolkit::streams::{Told, feed_results, lines};

/// A stage: what it makes of each item goes to the next, as soon as that has room.
struct Stage<I, O> {
    make: fn(I) -> Option<O>,
    next: Recipient<Told<O>>,
}

impl<I: Send + 'static, O: Send + 'static> Actor for Stage<I, O> {
    type Msg = Told<I>;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: &ActorRef<Told<I>>, (): ()) -> Result<(), ActorError> {
        Ok(())
    }

    async fn handle(&self, myself: &ActorRef<Told<I>>, told: Told<I>, (): &mut ()) -> Result<(), ActorError> {
        let made = match told {
            Told::Item(item) => (self.make)(item).map(Told::Item),
            Told::Ended => Some(Told::Ended),
            Told::Failed(never) => match never {},
        };
        let is_last = matches!(made, Some(Told::Ended));
        if let Some(made) = made {
            self.next.send(made).await.map_err(|error| error.map(drop))?;
        }
        if is_last {
            myself.stop(None);
        }
        Ok(())
    }
}

/// The last stage: answers with the sum, once there is nothing more.
struct Sum;

impl Actor for Sum {
    type Msg = Told<u64>;
    type State = (u64, Option<ReplyPort<u64>>);
    type Arguments = ReplyPort<u64>;

    async fn pre_start(
        &self,
        _: &ActorRef<Told<u64>>,
        port: ReplyPort<u64>,
    ) -> Result<Self::State, ActorError> {
        Ok((0, Some(port)))
    }

    async fn handle(
        &self,
        myself: &ActorRef<Told<u64>>,
        told: Told<u64>,
        (sum, port): &mut Self::State,
    ) -> Result<(), ActorError> {
        match told {
            Told::Item(item) => *sum += item,
            Told::Ended => {
                // Nobody may wait for it any more.
                _ = port.take().map(|port| port.send(*sum));
                myself.stop(None);
            }
            Told::Failed(never) => match never {},
        }
        Ok(())
    }
}

/// Twice the sum of the numbers, one a line; what is no number does not count.
async fn doubled_sum(system: &ActorSystem, input: Vec<u8>) -> Result<u64, Box<dyn std::error::Error>> {
    let (port, sum) = ReplyPort::new(None);
    let last = system.spawn(Sum, port, one_at_a_time()?).await?;
    let double = Stage { make: |number: u64| number.checked_mul(2), next: last.recipient() };
    let double = system.spawn(double, (), one_at_a_time()?).await?;
    let parse = Stage { make: |line: String| line.trim().parse().ok(), next: double.recipient() };
    let parse = system.spawn(parse, (), one_at_a_time()?).await?;
    let source = lines(std::io::Cursor::new(input), 64)?;
    // A line that is too long is the end, too.
    feed_results(&parse, source, |told| match told {
        Told::Item(line) => Told::Item(line),
        Told::Ended | Told::Failed(_) => Told::Ended,
    });
    Ok(sum.await?)
}

fn one_at_a_time() -> Result<SpawnOptions, SpawnError> {
    Ok(SpawnOptions::new().mailbox(1.try_into()?))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let sum = doubled_sum(&ActorSystem::new(), b"20\nnone\n1\n".to_vec()).await?;
    assert_eq!(sum, 42);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn c27_a_pipeline_gives_what_its_stages_make() {
        let system = ActorSystem::new();
        let input: String = (1..=1_000).map(|number| format!("{number}\nnone\n")).collect();
        assert_eq!(doubled_sum(&system, input.into_bytes()).await.unwrap(), 1_001_000);
        assert_eq!(doubled_sum(&system, Vec::new()).await.unwrap(), 0);
        let too_long = format!("1\n{}\n2\n", "1".repeat(65));
        assert_eq!(doubled_sum(&system, too_long.into_bytes()).await.unwrap(), 2);
    }
}
