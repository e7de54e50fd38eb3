//! Jobs and the spans that they were sent in.

use std::sync::{Arc, Mutex};

use actor_core::ActorError;
use actor_toolkit::factory::{FactoryBuilder, Job, Retry};
use tracing::{Span, error_span};

use super::support::{MS, pass, simulate};

#[test]
fn a17_a_job_runs_in_the_span_that_it_was_sent_in() {
    // For this thread, which all of it runs on.
    let _here = tracing::subscriber::set_default(tracing_subscriber::registry());
    for is_traced in [true, false] {
        simulate(async |system| {
            let seen = Arc::new(Mutex::new(Vec::new()));
            let (of, clock) = (seen.clone(), system.clone());
            let work = move |number: u32, (): ()| {
                let (of, clock) = (of.clone(), clock.clone());
                async move {
                    // It waits, so that the others do.
                    pass(&clock, MS).await;
                    let mut seen = of.lock().unwrap();
                    seen.push((number, Span::current().id()));
                    // Its worker dies with the second once; what begins again is the same job.
                    let is_last = number != 1 || seen.iter().filter(|(other, _)| *other == 1).count() == 2;
                    if is_last { Ok(()) } else { Err(ActorError::from("once more")) }
                }
            };
            let builder = FactoryBuilder::closure(work);
            let builder = if is_traced { builder.traced() } else { builder };
            let factory = builder.spawn_in(&system).await.unwrap();
            let mut expected = Vec::new();
            for number in 0..3 {
                let span = error_span!("sent");
                let job = Job::new(number, ()).retry(Retry::Times(1));
                span.in_scope(|| factory.dispatch_job(job)).unwrap();
                let times = if number == 1 { 2 } else { 1 };
                expected.extend(vec![(number, span.id().filter(|_| is_traced)); times]);
            }
            factory.dispatch(3, ()).unwrap();
            expected.push((3, None));
            factory.drain_and_wait(None).await.unwrap();
            assert_eq!(*seen.lock().unwrap(), expected);
        });
    }
}
