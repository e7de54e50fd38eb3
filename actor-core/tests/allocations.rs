//! What a call allocates once it has been made before: nothing. A program of its
//! own, because it counts what the global allocator is asked for.

#![cfg(not(actor_no_pool))]

use std::future::Future;
use std::hint::black_box;
use std::pin::{Pin, pin};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use actor_core::{
    Actor, ActorError, ActorId, ActorRef, ActorSystem, Answer, Attempt, CallFailure, Control, ControlRequest,
    Deliver, Destination, Event, Executor, ExitListener, ForeignControl, Incarnation, Instant, Observer,
    ReplyFuture, ReplyPort, SendError, SpawnOptions, Status, WatchId,
};
use allocation_counter::{AllocationInfo, measure};
use tracing::span::{Attributes, Id, Record};
use tracing::{Metadata, Subscriber};
use tracing_core::span::Current;

/// Twice, to count the second time.
fn in_the_steady_state(mut run: impl FnMut()) -> AllocationInfo {
    run();
    measure(run)
}

#[track_caller]
fn allocates_nothing(run: impl FnMut()) {
    let counted = in_the_steady_state(run);
    assert_eq!((counted.count_total, counted.bytes_current), (0, 0));
}

fn poll<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
}

fn answered_first<T: Send + 'static>(value: T) {
    let (port, mut reply) = ReplyPort::new(None);
    assert!(port.send(value).is_ok());
    assert!(matches!(poll(&mut reply), Poll::Ready(Ok(_))));
}

fn waited_for<T: Send + 'static>(value: T) {
    let (port, mut reply) = ReplyPort::new(None);
    assert!(poll(&mut reply).is_pending());
    assert!(port.send(value).is_ok());
    assert!(matches!(poll(&mut reply), Poll::Ready(Ok(_))));
}

#[test]
fn a_call_allocates_nothing() {
    allocates_nothing(|| answered_first(7_u64));
    allocates_nothing(|| waited_for(7_u64));
    allocates_nothing(|| waited_for(()));
    allocates_nothing(|| waited_for([7_u64; 6]));
    allocates_nothing(|| waited_for([7_u64; 20]));
}

#[test]
fn calls_that_end_otherwise_allocate_nothing() {
    allocates_nothing(|| drop(ReplyPort::<u64>::new(None)));
    allocates_nothing(|| {
        let (port, mut reply) = ReplyPort::<u64>::new(None);
        assert!(poll(&mut reply).is_pending());
        drop(reply);
        assert_eq!(port.send(7), Err(7));
    });
    allocates_nothing(|| drop(ReplyPort::<u64>::nobody()));
}

#[test]
fn many_calls_at_once_allocate_nothing() {
    let mut calls: Vec<(ReplyPort<u64>, ReplyFuture<u64>)> = Vec::with_capacity(200);
    allocates_nothing(|| {
        calls.extend((0..200).map(|_| ReplyPort::new(None)));
        for (port, mut reply) in calls.drain(..) {
            assert!(poll(&mut reply).is_pending());
            assert!(port.send(7).is_ok());
            assert_eq!(poll(&mut reply), Poll::Ready(Ok(7)));
        }
    });
}

#[test]
fn a_large_answer_is_one_allocation() {
    let counted = in_the_steady_state(|| waited_for([7_u64; 100]));
    assert_eq!((counted.count_total, counted.bytes_current), (1, 0));
}

#[test]
fn a_caller_elsewhere_allocates_nothing() {
    struct Elsewhere([u64; 3]);

    impl Answer<u64> for Elsewhere {
        fn answer(&mut self, _: Result<u64, CallFailure>) {
            black_box(self.0);
        }

        fn is_closed(&self) -> bool {
            false
        }
    }

    allocates_nothing(|| {
        let port = ReplyPort::foreign(Elsewhere([7; 3]), Some(Instant::FAR), Destination::default());
        assert_eq!(port.send(7), Ok(()));
    });
}

/// An actor far away, as a cluster has it, that always has room.
struct FarAway(Arc<Control>);

impl Deliver<u64> for FarAway {
    fn control(&self) -> &Arc<Control> {
        &self.0
    }

    fn cast(&self, message: u64, _: Attempt) -> Result<(), SendError<u64>> {
        black_box(message);
        Ok(())
    }

    fn room(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        unreachable!("nobody waits for it")
    }
}

struct NoControl;

impl ForeignControl for NoControl {
    fn request(&self, _: ControlRequest) {}

    fn status(&self) -> Status {
        Status::Running
    }

    fn watch(&self, _: Arc<dyn ExitListener>) -> WatchId {
        unreachable!("nobody watches it")
    }

    fn unwatch(&self, _: WatchId) {}
}

#[test]
fn a_message_that_goes_far_away_and_has_room_allocates_nothing() {
    let id = ActorId::new(Incarnation::from_u64(1), 1);
    let control = Control::foreign(id, None, Executor::tokio(), Box::new(NoControl));
    let actor = ActorRef::foreign(Arc::new(FarAway(control)));
    allocates_nothing(|| assert!(matches!(poll(&mut pin!(actor.send(7))), Poll::Ready(Ok(())))));
}

/// The clock stands still unless every task waits, so no time passes.
#[test]
fn a_call_with_a_timeout_allocates_nothing() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.expect("a runtime can be made");
    let _entered = runtime.enter();
    let executor = Executor::tokio();
    let answered = || {
        let deadline = executor.now() + Duration::from_secs(5);
        let (port, reply) = ReplyPort::new(Some(deadline));
        let mut waiting = pin!(executor.timeout_at(deadline, reply));
        let mut cx = Context::from_waker(Waker::noop());
        assert!(waiting.as_mut().poll(&mut cx).is_pending(), "the timer is armed now");
        assert!(port.send(7).is_ok());
        assert_eq!(waiting.poll(&mut cx), Poll::Ready(Ok(Ok(7))));
    };
    allocates_nothing(|| (0..100).for_each(|_| answered()));
}

#[test]
fn a_call_that_times_out_allocates_nothing() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.expect("a runtime can be made");
    let executor = Executor::tokio();
    runtime.block_on(async {
        let late = || async {
            let deadline = executor.now() + Duration::from_millis(5);
            let (port, reply) = ReplyPort::new(Some(deadline));
            assert!(executor.timeout_at(deadline, reply).await.is_err());
            assert_eq!(port.send(7), Err(7));
        };
        late().await;
        let mut second = pin!(late());
        let waiting = measure(|| {
            let mut cx = Context::from_waker(Waker::noop());
            assert!(second.as_mut().poll(&mut cx).is_pending());
        });
        tokio::time::advance(Duration::from_millis(6)).await;
        let over = measure(|| {
            let mut cx = Context::from_waker(Waker::noop());
            assert!(second.as_mut().poll(&mut cx).is_ready());
        });
        assert_eq!((waiting.count_total, over.count_total), (0, 0));
    });
}

/// It hears everything, and does nothing about it.
struct Deaf;

impl Observer for Deaf {
    fn observe(&self, _: &Event) {}
}

struct Counter;

impl Actor for Counter {
    type Msg = ReplyPort<u64>;
    type State = u64;
    type Arguments = ();

    async fn pre_start(&self, _: &ActorRef<ReplyPort<u64>>, (): ()) -> Result<u64, ActorError> {
        Ok(0)
    }

    async fn handle(
        &self,
        _: &ActorRef<ReplyPort<u64>>,
        port: ReplyPort<u64>,
        count: &mut u64,
    ) -> Result<(), ActorError> {
        *count += 1;
        let _ = port.send(*count);
        Ok(())
    }
}

/// What it allocates to send an actor a thousand messages and to have them handled, the
/// second time.
fn allocated_by_messages(system: &ActorSystem) -> u64 {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let actor = runtime.block_on(system.spawn(Counter, (), SpawnOptions::new())).unwrap();
    let counted = in_the_steady_state(|| {
        (0..1000).for_each(|_| actor.cast(ReplyPort::nobody()).unwrap());
        runtime.block_on(actor.call(|port| port)).unwrap();
    });
    counted.count_total
}

/// There is one span, and once it is made everybody is always in it.
#[derive(Default)]
struct OneSpan(OnceLock<&'static Metadata<'static>>);

impl Subscriber for OneSpan {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        self.0.get_or_init(|| attributes.metadata());
        Id::from_u64(1)
    }

    fn current_span(&self) -> Current {
        self.0.get().map_or_else(Current::none, |metadata| Current::new(Id::from_u64(1), metadata))
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, _: &tracing::Event<'_>) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

#[test]
fn a22_a_traced_message_allocates_nothing() {
    let untraced = allocated_by_messages(&ActorSystem::new());
    let traced = || allocated_by_messages(&ActorSystem::builder().traced().build());
    assert_eq!(traced(), untraced, "in no span");
    let _installed = tracing::subscriber::set_default(OneSpan::default());
    let span = tracing::error_span!("the one");
    assert_eq!(tracing::Span::current(), span);
    assert_eq!(traced(), untraced, "in a span");
}

#[test]
fn c24_observing_nothing_costs_nothing() {
    assert_eq!(size_of::<Deaf>(), 0);
    let unobserved = allocated_by_messages(&ActorSystem::new());
    let deaf = allocated_by_messages(&ActorSystem::builder().observer(Deaf).build());
    assert_eq!(unobserved, deaf);
}
