//! Callers of durable counters, each of one of its own.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actor_core::ActorSystem;
use actor_durable::store::Store;
use actor_durable::{DurableRef, DurableSystem};
use peers_common::stats::percentile;
use tokio::task::JoinSet;

use super::Reading;
use crate::actors::{Command, Counter};
use crate::flags::Task;
use crate::rows::Form;

/// Enough callers that a commit has several turns.
const CALLERS: u64 = 16;

/// The names of the actors of a row.
pub(super) fn names(form: Form) -> Vec<String> {
    let count = match form {
        Form::Redb(count) | Form::Postgres(count) => count,
        _ => 1,
    };
    (0..count).map(|number| format!("counter-{number:02}")).collect()
}

/// How many turns each actor has behind it before anything is measured: as many as it remembers and some more, so that each
/// turn of a measurement forgets one; next to none where nothing is measured.
pub(super) fn warm_up(task: &Task) -> u64 {
    if task.n == task.row.smoke { 2 * CALLERS } else { 70 * CALLERS }
}

/// Actors on a store, each with a caller: turns a second, or the median time of a turn of a single one.
pub(super) async fn ours(store: Arc<dyn Store>, task: &Task) -> Reading {
    let builder = DurableSystem::builder(&ActorSystem::process_default(), store).register(Counter);
    let system = builder.start().await.expect("it starts");
    let counters: Vec<DurableRef<Counter>> =
        names(task.row.form).iter().map(|name| system.actor(name).expect("a good id")).collect();
    let warm_up = warm_up(task);
    let mut callers = JoinSet::new();
    for counter in &counters {
        for _ in 0..CALLERS {
            let counter = counter.clone();
            callers.spawn(async move {
                for _ in 0..warm_up / CALLERS {
                    counter.call(Command::Add(1)).await.expect("it is stored");
                }
            });
        }
    }
    callers.join_all().await;
    let turns = counters.into_iter().map(|counter| {
        move |turn: u64| {
            let counter = counter.clone();
            async move {
                let n = counter.call(Command::Add(1)).await.expect("it is stored");
                assert_eq!(n, warm_up + turn, "each turn is stored once");
            }
        }
    });
    let reading = run(turns, task).await;
    system.shutdown(Duration::from_secs(10)).await.expect("it ends");
    reading
}

/// All of these, turn after turn, side by side, for the time of the task: all turns a second, or the median time of a turn
/// where there is one.
pub(super) async fn run<T, F>(turns: impl Iterator<Item = T>, task: &Task) -> Reading
where
    T: FnMut(u64) -> F + Send + 'static,
    F: Future<Output = ()> + Send,
{
    let time = Duration::from_millis(task.n);
    let mut running = JoinSet::new();
    let start = Instant::now();
    for mut turn in turns {
        running.spawn(async move {
            let mut taken = Vec::new();
            while start.elapsed() < time || taken.is_empty() {
                let began = Instant::now();
                turn(taken.len() as u64 + 1).await;
                taken.push(began.elapsed().as_nanos() as f64 / 1e3);
            }
            taken
        });
    }
    let mut taken = running.join_all().await.concat();
    let seconds = start.elapsed().as_secs_f64();
    Reading::of(match task.row.form {
        Form::RedbAlone | Form::PostgresAlone => percentile(&mut taken, 500),
        _ => taken.len() as f64 / seconds,
    })
}
