//! Tracing together with what else there is: an observer, error policies, a runtime that
//! goes away, supervisors, plain structs. In a simulation: one thread, one order.

use std::convert::Infallible;
use std::future::{Future, IntoFuture};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actor_core::{
    Actor, ActorError, ActorRef, ActorSystem, ChildSpec, Context, ErrorAction, Event, Exit, Observer,
    Recorder, SpawnOptions, Supervisor, actor,
};
use actor_testkit::{Order, Simulation};

use crate::support::{Door, Gate, Log, Message, Probe, SendDoor, Spans, act, fail, number, pass, settled};

const MS: Duration = Duration::from_millis(1);

/// Runs a script in a system whose actors are all traced.
fn traced<F: Future>(script: impl FnOnce(SendDoor, Spans) -> F) -> F::Output {
    let mut simulation = Simulation::new(Order::Fifo);
    let system = ActorSystem::builder().executor(simulation.executor()).traced().build();
    let spans = Spans::default();
    let _installed = spans.installed();
    simulation.block_on(script(SendDoor::new(system), spans.clone()))
}

fn look(spans: &Spans) -> Message {
    Message::Do(spans.look())
}

#[test]
fn a22_a_traced_system_traces_all_its_actors() {
    traced(|door, spans| async move {
        let span = spans.span();
        let kid = || ChildSpec::new("kid", || (Probe::new(&Log::default()), ()));
        let builder = Supervisor::builder().child(kid());
        let supervisor = builder.spawn_with(door.system(), SpawnOptions::new()).await.unwrap();
        let child = supervisor.find::<Message>("kid").await.unwrap();
        let other = door.spawn(Probe::new(&Log::default())).await;
        for actor in [&child, &other] {
            spans.inside(&span, || actor.cast(look(&spans))).unwrap();
            settled(actor).await;
            assert_eq!(spans.seen(), [number(&span); 3]);
        }
        spans.assert_left(1);
    });
}

#[test]
fn a22_a_child_is_traced_by_its_specification() {
    let mut simulation = Simulation::new(Order::Fifo);
    let (system, spans) = (simulation.system(), Spans::default());
    let _installed = spans.installed();
    simulation.block_on(async {
        let span = spans.span();
        let spec = |id| ChildSpec::new(id, || (Probe::new(&Log::default()), ()));
        let builder = Supervisor::builder().child(spec("plain"));
        let builder = builder.child(spec("traced").options(SpawnOptions::new().traced()));
        let supervisor = builder.spawn_with(&system, SpawnOptions::new()).await.unwrap();
        for (id, expected) in [("plain", None), ("traced", number(&span))] {
            let child = supervisor.find::<Message>(id).await.unwrap();
            // In each of two lives.
            spans.inside(&span, || child.cast(Message::Do(fail("ill")))).unwrap();
            spans.inside(&span, || child.cast(look(&spans))).unwrap();
            settled(&child).await;
            assert_eq!(spans.seen(), [expected; 3], "{id}");
        }
        spans.assert_left(1);
    });
}

/// Notes in which span it is told that a message was handled.
struct Told(Spans);

impl Observer for Told {
    fn observe(&self, event: &Event) {
        if let Event::Message(_) = event {
            self.0.see();
        }
    }
}

#[test]
fn a22_an_observer_is_told_of_a_message_inside_its_span() {
    let spans = Spans::default();
    let mut simulation = Simulation::new(Order::Fifo);
    let builder = ActorSystem::builder().executor(simulation.executor());
    let door = SendDoor::new(builder.traced().observer(Told(spans.clone())).build());
    simulation.block_on(async {
        let (one, other) = (spans.span(), spans.span());
        let actor = door.spawn(Probe::new(&Log::default())).await;
        spans.inside(&one, || actor.cast(look(&spans))).unwrap();
        spans.inside(&other, || actor.cast(Message::Note(1))).unwrap();
        actor.cast(Message::Note(1)).unwrap();
        settled(&actor).await;
        let (first, second) = (number(&one), number(&other));
        assert_eq!(spans.seen(), [first, first, first, first, second, None, None]);
        // A handler that does not come to its end.
        let kill = act(|myself| async move {
            myself.kill();
            std::future::pending().await
        });
        spans.inside(&one, || actor.cast(Message::Do(kill))).unwrap();
        actor.wait(None).await.unwrap();
        assert_eq!(spans.seen(), [first]);
        spans.assert_left(2);
    });
}

/// What an observer hears of a traced actor is what it hears of any.
#[test]
fn a22_an_observer_hears_the_same_of_a_traced_actor() {
    let told = [false, true].map(|is_traced| {
        let (mut simulation, recorder) = (Simulation::new(Order::Fifo), Recorder::default());
        let spans = Spans::default();
        let builder = ActorSystem::builder().executor(simulation.executor()).observer(recorder.clone());
        let door = SendDoor::new(if is_traced { builder.traced().build() } else { builder.build() });
        simulation.block_on(async {
            let actor = door.spawn(Probe::new(&Log::default())).await;
            for span in [spans.span(), spans.span()] {
                spans.inside(&span, || actor.cast(look(&spans))).unwrap();
            }
            settled(&actor).await;
            actor.cast(Message::Do(fail("ill"))).unwrap();
            actor.cast(Message::Note(1)).unwrap();
            actor.wait(None).await.unwrap();
        });
        // Names differ from system to system.
        recorder.take().iter().map(|event| format!("{event:?}").len()).collect::<Vec<_>>()
    });
    assert_eq!(told[0], told[1]);
}

#[test]
fn a22_a_handler_that_is_dropped_with_its_runtime_is_dropped_inside_its_span() {
    let spans = Spans::default();
    let span = spans.span();
    let mut simulation = Simulation::new(Order::Fifo);
    let system = ActorSystem::builder().executor(simulation.executor()).traced().build();
    let (door, gate) = (SendDoor::new(system), Gate::new());
    simulation.block_on(async {
        let actor = door.spawn(Probe::new(&Log::default())).await;
        let waits = {
            let (spans, gate) = (spans.clone(), gate.clone());
            act(move |_| {
                let (spans, gate) = (spans.clone(), gate.clone());
                async move {
                    let _at_drop = spans.at_drop();
                    gate.pass().await;
                    Ok(())
                }
            })
        };
        spans.inside(&span, || actor.cast(Message::Do(waits))).unwrap();
        spans.inside(&span, || actor.cast(look(&spans))).unwrap();
        gate.reached().await;
        assert_eq!(spans.handles(), 3);
    });
    drop(simulation);
    assert_eq!(spans.seen(), [number(&span)]);
    spans.assert_left(1);
}

/// Notes in which span it is asked about an error.
struct Forgiving(Spans);

impl Actor for Forgiving {
    type Msg = ();
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: &ActorRef<()>, (): ()) -> Result<(), ActorError> {
        Ok(())
    }

    async fn handle(&self, _: &ActorRef<()>, (): (), (): &mut ()) -> Result<(), ActorError> {
        Err("ill".into())
    }

    async fn post_stop(&self, _: &ActorRef<()>, (): &mut ()) -> Result<(), ActorError> {
        self.0.see();
        Ok(())
    }

    fn on_error(&self, _: &ActorError, (): &mut ()) -> ErrorAction {
        self.0.see();
        ErrorAction::Resume
    }
}

#[test]
fn a22_what_to_do_about_an_error_is_decided_inside_the_messages_span() {
    traced(|door, spans| async move {
        let span = spans.span();
        let actor = door.system().spawn(Forgiving(spans.clone()), (), SpawnOptions::new()).await.unwrap();
        spans.inside(&span, || actor.cast(())).unwrap();
        actor.cast(()).unwrap();
        assert_eq!(actor.drain_and_wait(None).await, Ok(Exit::Drained));
        assert_eq!(spans.seen(), [number(&span), None, None]);
        spans.assert_left(1);
    });
}

/// What is attached when a message is handled, and goes on without it.
#[test]
fn a22_a_panic_in_what_is_attached_leaves_no_span_behind() {
    traced(|door, spans| async move {
        let span = spans.span();
        let actor = door.spawn(Probe::new(&Log::default())).await;
        let attaches = act(|myself| async move {
            myself.cell().attach(async { panic!("fell") });
            Ok(())
        });
        spans.inside(&span, || actor.cast(Message::Do(attaches))).unwrap();
        assert_eq!(actor.wait(None).await, Ok(Exit::Panicked("fell".into())));
        pass(door.system(), MS).await;
        spans.assert_left(1);
    });
}

#[derive(Default)]
struct Plain {
    next: Option<PlainRef>,
    seen: Arc<Mutex<Vec<Option<u64>>>>,
}

#[actor]
impl Plain {
    async fn pass(&self, ctx: &Context<'_, PlainRef>) -> Result<u32, Infallible> {
        self.seen.lock().unwrap().push(number(&tracing::Span::current()));
        assert!(ctx.deadline().is_none());
        let Some(next) = &self.next else { return Ok(0) };
        let passed = next.pass().await.map_or(0, |passed| passed.unwrap_or(0));
        self.seen.lock().unwrap().push(number(&tracing::Span::current()));
        Ok(passed + 1)
    }

    #[cast]
    fn ping(&self) {
        self.seen.lock().unwrap().push(number(&tracing::Span::current()));
    }
}

/// A trace through three plain structs, on tokio.
#[tokio::test]
async fn a22_a_chain_of_plain_structs_shows_one_trace() {
    let spans = Spans::default();
    let _installed = spans.installed();
    let (system, seen) = (ActorSystem::new(), Arc::<Mutex<Vec<_>>>::default());
    let mut next = None;
    for _ in 0..3 {
        let plain = Plain { next, seen: seen.clone() };
        next = Some(plain.spawn().on(&system).traced().await.unwrap());
    }
    let (first, span) = (next.unwrap(), spans.span());
    assert_eq!(spans.run(&span, first.pass().into_future()).await.unwrap(), Ok(2));
    assert_eq!(*seen.lock().unwrap(), [number(&span); 5]);
    spans.inside(&span, || first.ping().cast()).unwrap();
    first.ping().await.unwrap();
    first.drain_and_wait(None).await.unwrap();
    assert_eq!(seen.lock().unwrap()[5..], [number(&span), None]);
}
