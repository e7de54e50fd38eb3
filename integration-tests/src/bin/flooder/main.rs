//! Makes connections that come to nothing: `flooder <kind> <how many> <how many a second> <host:port> <milliseconds until it
//! gives one up>`.
//! It prints how many there were and how many milliseconds that took, and ends once none of them is left.

mod quic;
mod tcp;

use std::error::Error;
use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::time::Duration;

use integration_tests::siege::Kind;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval};

/// What is flooded, and how.
#[derive(Clone, Copy)]
struct Flood {
    kind: Kind,
    count: u32,
    per_second: u32,
    target: SocketAddr,
    /// How long an attack goes on that nobody ends.
    patience: Duration,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match flood().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("flooder: {error}");
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stdout, reason = "who started it reads this")]
async fn flood() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [kind, count, per_second, target, patience] = &arguments[..] else {
        return Err("the source says what it wants to know".into());
    };
    let flood = Flood {
        kind: kind.parse()?,
        count: count.parse()?,
        per_second: per_second.parse()?,
        target: target.parse()?,
        patience: Duration::from_millis(patience.parse()?),
    };
    let began = Instant::now();
    let made = match flood.kind {
        Kind::Noise | Kind::Initial | Kind::Stranger => quic::flood(flood).await?,
        _ => tcp::flood(flood).await?,
    };
    println!("{made} {}", began.elapsed().as_millis());
    Ok(())
}

impl Flood {
    /// Starts an attack for each, so many a second, and waits for all. How many were made.
    async fn run<F>(self, mut attack: impl FnMut(u32) -> F) -> u32
    where
        F: Future<Output = io::Result<()>> + Send + 'static,
    {
        let mut pace = interval(Duration::from_secs(1) / self.per_second);
        pace.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let mut attacks = JoinSet::new();
        let mut made = 0;
        for number in 0..self.count {
            pace.tick().await;
            attacks.spawn(attack(number));
            while let Some(ended) = attacks.try_join_next() {
                made += u32::from(matches!(ended, Ok(Ok(()))));
            }
        }
        while let Some(ended) = attacks.join_next().await {
            made += u32::from(matches!(ended, Ok(Ok(()))));
        }
        made
    }
}

/// Where an attack comes from: every other from one address, the rest from many, so that what one address may
/// have protects nobody.
fn source(number: u32) -> SocketAddr {
    let [.., high, low] = (number / 2).to_be_bytes();
    let host = match number % 2 {
        0 => Ipv4Addr::LOCALHOST,
        _ => Ipv4Addr::new(127, 1, high, low),
    };
    (host, 0).into()
}
