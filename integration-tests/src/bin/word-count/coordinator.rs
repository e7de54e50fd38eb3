//! The coordinator: sends chunks to workers, merges what they answer, loses one of
//! them on purpose. Decisions are `schedule.rs`'s; here they are carried out.
//!
//! # How a worker is killed with a chunk in hand
//!
//! By what is said, not by when. Once half is counted, the victim is told to
//! [hold](Work::Hold), then it gets a chunk that was set apart, then it is asked how
//! many chunks it [holds](Work::Held). Messages from one sender to one actor arrive
//! in order, so its answer proves that it has the chunk, and it will never answer
//! that one. Only then it is killed. All its unanswered calls end as
//! [`Unknown`](actor_core::CallFailure::Unknown), and their chunks go to others.

use std::time::{Duration, Instant};

use actor_core::{ActorRef, CallError, ReplyFuture, ReplyPort};
use integration_tests::Way;
use tokio::task::JoinSet;

use crate::Failure;
use crate::crew::{Crew, Departure, End, Worker};
use crate::input::Chunk;
use crate::progress::Progress;
use crate::report::{Counted, Outcome, Share};
use crate::schedule::{ChunkId, Plan, Schedule, WorkerId};
use crate::words::Tally;
use crate::worker::Work;

/// How long a worker may take to count a chunk; then it counts as lost.
const COUNT_TIMEOUT: Duration = Duration::from_secs(60);

/// Gathers a crew, has it count every chunk, and dismisses it.
pub(crate) async fn run(
    chunks: Vec<Chunk>,
    (workers, ways): (usize, &[Way]),
    plan: Plan,
    progress: &mut Progress,
) -> Result<Outcome, Failure> {
    let crew = Crew::gather(workers, ways).await?;
    let names: Vec<&str> = ways.iter().map(|way| way.scheme()).collect();
    progress.note(&format!("{workers} workers have joined, by turns over {}", names.join(" and ")));
    // The last one on TCP, if there is one: the kernel tells of its death at once.
    let on_tcp = crew.workers.iter().rposition(|worker| worker.way == Way::Tcp);
    let victim = on_tcp.or_else(|| workers.checked_sub(1));
    let victim = victim.filter(|_| plan == Plan::Kill);
    let mut job = Job {
        schedule: Schedule::new(chunks.len(), workers, plan),
        victim: victim.map(|worker| Victim { worker, is_gone: false }),
        calls: JoinSet::new(),
        tally: Tally::default(),
        counted: vec![Counted::default(); workers],
        calls_made: 0,
        crew,
        chunks,
        progress,
    };
    let start = Instant::now();
    job.run().await?;
    let took = start.elapsed();
    job.finish(took).await
}

/// A count in progress.
struct Job<'a> {
    crew: Crew,
    chunks: Vec<Chunk>,
    schedule: Schedule,
    victim: Option<Victim>,
    /// Calls without an answer, and what else is waited for.
    calls: JoinSet<Done>,
    tally: Tally,
    /// What each worker has counted.
    counted: Vec<Counted>,
    calls_made: u64,
    progress: &'a mut Progress,
}

/// The worker that is to be killed.
struct Victim {
    worker: WorkerId,
    /// Whether its end was noticed.
    is_gone: bool,
}

/// Something that was waited for.
enum Done {
    /// A chunk was counted, or not.
    Counted { worker: WorkerId, chunk: ChunkId, answer: Result<Tally, CallError<Work>> },
    /// The victim has its last chunk, and the answer will not come.
    Held { worker: WorkerId, chunk: ChunkId, holds: u64, answer: ReplyFuture<Tally> },
}

impl Job<'_> {
    async fn run(&mut self) -> Result<(), Failure> {
        while !self.is_done() {
            self.send_all_there_is_room_for();
            if self.calls.is_empty() && !self.schedule.is_done() {
                return Err(Failure::Failed("no worker is left to count".to_owned()));
            }
            tokio::select! {
                departure = self.crew.departure() => self.on_departure(&departure),
                Some(done) = self.calls.join_next() => match done {
                    Ok(done) => self.on_done(done).await?,
                    Err(panic) => return Err(Failure::Failed(panic.to_string())),
                },
            }
        }
        Ok(())
    }

    /// The loss of a worker is over when it was noticed.
    fn is_done(&self) -> bool {
        self.schedule.is_done() && self.victim.as_ref().is_none_or(|victim| victim.is_gone)
    }

    fn send_all_there_is_room_for(&mut self) {
        while let Some((worker, chunk)) = self.schedule.next() {
            let (actor, text) = self.prepare(worker, chunk);
            self.calls.spawn(async move {
                let answer = actor.call_timeout(COUNT_TIMEOUT, |port| Work::Count(text, port)).await;
                Done::Counted { worker, chunk, answer }
            });
        }
        let Some(worker) = self.victim.as_ref().map(|victim| victim.worker) else { return };
        let Some(chunk) = self.schedule.take_apart(worker) else { return };
        let (actor, text) = self.prepare(worker, chunk);
        self.calls.spawn(async move {
            match hold(&actor, text).await {
                Ok((holds, answer)) => Done::Held { worker, chunk, holds, answer },
                Err(error) => Done::Counted { worker, chunk, answer: Err(error) },
            }
        });
    }

    /// Whom to send a chunk to, and its text.
    fn prepare(&mut self, worker: WorkerId, chunk: ChunkId) -> (ActorRef<Work>, String) {
        self.calls_made += 1;
        (self.crew.actor(worker).clone(), self.chunks[chunk].as_str().to_owned())
    }

    async fn on_done(&mut self, done: Done) -> Result<(), Failure> {
        match done {
            Done::Counted { worker, chunk, answer: Ok(tally) } => {
                self.on_counted(worker, chunk, tally);
                Ok(())
            }
            Done::Counted { worker, chunk, answer: Err(error) } => {
                self.on_unanswered(worker, chunk, &error);
                Ok(())
            }
            Done::Held { worker, chunk, holds, answer } => self.kill(worker, chunk, holds, answer).await,
        }
    }

    fn on_counted(&mut self, worker: WorkerId, chunk: ChunkId, tally: Tally) {
        let bytes = self.chunks[chunk].bytes();
        self.schedule.on_counted(worker);
        self.tally.merge(tally);
        self.counted[worker].chunks += 1;
        self.counted[worker].bytes += bytes;
        self.progress.advance(bytes);
    }

    fn on_unanswered(&mut self, worker: WorkerId, chunk: ChunkId, error: &CallError<Work>) {
        let name = &self.crew.workers[worker].name;
        self.progress.note(&format!("chunk {chunk} comes back from {name}: {error}"));
        // What never left, or never ran, is not repeated when it is sent elsewhere.
        self.schedule.on_unanswered(worker, chunk, !error.never_ran());
        self.crew.workers[worker].end.get_or_insert(End::Lost);
    }

    async fn kill(
        &mut self,
        worker: WorkerId,
        chunk: ChunkId,
        holds: u64,
        answer: ReplyFuture<Tally>,
    ) -> Result<(), Failure> {
        let name = self.crew.workers[worker].name.clone();
        if holds == 0 {
            return Err(Failure::Failed(format!("{name} was to hold a chunk and holds none")));
        }
        self.crew.kill(worker).await?;
        self.progress.note(&format!("{name} was killed; it held {holds} unanswered chunks at least"));
        self.calls.spawn(async move {
            Done::Counted { worker, chunk, answer: answer.await.map_err(CallError::from) }
        });
        if self.crew.is_last_of_its_way(worker) {
            self.crew.replace(worker).await?;
            self.schedule.on_replaced();
            self.counted.push(Counted::default());
            self.progress.note(&format!("{name} has joined again, as another incarnation"));
        }
        Ok(())
    }

    fn on_departure(&mut self, Departure { worker, reason }: &Departure) {
        let lost = &mut self.crew.workers[*worker];
        lost.end.get_or_insert(End::Lost);
        self.progress.note(&format!("{} is disconnected: {reason}", lost.name));
        if let Some(victim) = self.victim.as_mut().filter(|victim| victim.worker == *worker) {
            victim.is_gone = true;
        }
    }

    async fn finish(self, took: Duration) -> Result<Outcome, Failure> {
        let share = |(worker, counted): (&Worker, &Counted)| Share {
            name: worker.name.clone(),
            way: worker.way,
            end: worker.end,
            counted: *counted,
        };
        let shares = self.crew.workers.iter().zip(&self.counted).map(share).collect();
        for failure in self.crew.dismiss().await? {
            self.progress.note(&format!("did not end well: {failure}"));
        }
        let (retried, calls) = (self.schedule.retried(), self.calls_made);
        Ok(Outcome { shares, tally: self.tally, retried, calls, took })
    }
}

/// Makes a worker keep a chunk for ever. Returns once it has it: how many chunks it
/// holds, and the answer that will not come.
async fn hold(actor: &ActorRef<Work>, text: String) -> Result<(u64, ReplyFuture<Tally>), CallError<Work>> {
    actor.send(Work::Hold).await?;
    let (port, answer) = ReplyPort::new(None);
    actor.send(Work::Count(text, port)).await?;
    let holds = actor.call_timeout(COUNT_TIMEOUT, Work::Held).await?;
    Ok((holds, answer))
}
