//! Lives of workers that do not begin, and what is told of them.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use actor_core::{Actor, ActorError, ActorRef, Backoff};
use actor_toolkit::factory::{Assignment, FactoryBuilder, FactoryEvent};

use super::support::{MS, pass, simulate};

/// When a life of a [`Frail`] ends.
#[derive(Clone, Copy)]
enum Ends {
    BeforeItBegins,
    AsItBegins,
    WithAJob,
}

struct Frail(Ends);

impl Actor for Frail {
    type Msg = Assignment<u32, u32>;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: &ActorRef<Self::Msg>, (): ()) -> Result<(), ActorError> {
        if matches!(self.0, Ends::BeforeItBegins) { Err("not now".into()) } else { Ok(()) }
    }

    async fn post_start(&self, _: &ActorRef<Self::Msg>, (): &mut ()) -> Result<(), ActorError> {
        if matches!(self.0, Ends::AsItBegins) { Err("not now either".into()) } else { Ok(()) }
    }

    async fn handle(
        &self,
        _: &ActorRef<Self::Msg>,
        mut job: Self::Msg,
        (): &mut (),
    ) -> Result<(), ActorError> {
        _ = job.take();
        Err("as asked".into())
    }
}

#[test]
fn a17_a_life_is_told_to_end_if_it_was_told_to_begin() {
    simulate(async |system| {
        // Of the worker that is there first, and of one that is launched later.
        for first in [0, 1] {
            let lives = AtomicU32::new(0);
            let make = move |_| match lives.fetch_add(1, Ordering::Relaxed).saturating_sub(first) {
                1 | 2 => (Frail(Ends::BeforeItBegins), ()),
                3 => (Frail(Ends::AsItBegins), ()),
                _ => (Frail(Ends::WithAJob), ()),
            };
            let told = Arc::new(Mutex::new(Vec::new()));
            let of = told.clone();
            let observer = move |event: &FactoryEvent| match event {
                FactoryEvent::WorkerStarted { worker } => of.lock().unwrap().push((*worker, "started")),
                FactoryEvent::WorkerEnded { worker, .. } => of.lock().unwrap().push((*worker, "ended")),
                _ => {}
            };
            let builder = FactoryBuilder::actors(make).backoff(Backoff::NONE).observer(observer);
            let factory = builder.spawn_in(&system).await.unwrap();
            if first == 1 {
                factory.resize(2).await.unwrap();
            }
            pass(&system, MS).await;
            for _ in 0..2 {
                factory.dispatch(0, 0).unwrap();
                pass(&system, MS).await;
            }
            let idle = factory.available_capacity().await.unwrap();
            assert_eq!(idle, 1 + first as usize);
            for worker in 0..idle {
                let told = told.lock().unwrap().clone();
                let mut lives = told.iter().filter(|it| it.0 == worker).map(|it| it.1);
                let in_turn = ["started", "ended"].into_iter().cycle().take(lives.clone().count());
                assert!(lives.clone().eq(in_turn), "{told:?}");
                assert_eq!(lives.next_back(), Some("started"), "{told:?}");
            }
        }
    });
}
