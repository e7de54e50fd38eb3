//! Traces that go on across nodes, with a propagator as one would write it for a system of tracing: its
//! contexts lie with the spans of a registry.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use actor_cluster::{PeerInfo, Propagator, RemoteMessage, TraceContext};
use actor_core::{Actor, ActorError, ActorId, ActorRef, Capacity, ReplyPort, SpawnOptions};
use tracing::subscriber::DefaultGuard;
use tracing::{Instrument, Span, info_span};
use tracing_subscriber::Registry;
use tracing_subscriber::registry::LookupSpan;

use super::Network;
use super::support::{Gate, TestNode, node_with, on_every_shape, settle};

on_every_shape! {
    a_trace_goes_on_over_three_nodes_and_behind_answers
    a_message_that_waits_for_room_keeps_its_trace
    a_long_message_has_its_trace
    without_a_propagator_nothing_is_sent_and_nothing_is_asked
    an_actor_that_is_not_traced_costs_no_span
    what_is_not_recorded_is_not_sent
    a_propagator_that_panics_costs_its_trace_and_nothing_else
}

const ROOT: u64 = 0x1007;
const TRACE: u128 = 0x7ace;

/// A span's place in its trace: kept with the span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    trace: u128,
    span: u64,
    parent: u64,
}

impl Place {
    fn put(self, span: &Span) {
        span.with_subscriber(|(id, dispatch)| {
            let registry = dispatch.downcast_ref::<Registry>().unwrap();
            registry.span(id).unwrap().extensions_mut().insert(self);
        });
    }

    /// Of the span that this thread is in.
    fn here() -> Option<Self> {
        let of_span = Span::current().with_subscriber(|(id, dispatch)| {
            let registry = dispatch.downcast_ref::<Registry>()?;
            registry.span(id)?.extensions().get::<Self>().copied()
        });
        of_span.flatten()
    }
}

/// One for all nodes of a test. Span ids are told apart by who made them.
#[derive(Clone, Default)]
struct Carrier {
    spans: Arc<AtomicU64>,
    injects: Arc<AtomicUsize>,
    extracts: Arc<Mutex<Vec<(TraceContext, PeerInfo, ActorId)>>>,
}

impl Carrier {
    fn injects(&self) -> usize {
        self.injects.swap(0, Ordering::Relaxed)
    }

    fn extracts(&self) -> Vec<(TraceContext, PeerInfo, ActorId)> {
        std::mem::take(&mut self.extracts.lock().unwrap())
    }
}

impl Propagator for Carrier {
    fn inject(&self) -> Option<TraceContext> {
        self.injects.fetch_add(1, Ordering::Relaxed);
        let Place { trace, span, .. } = Place::here()?;
        Some(TraceContext::new(trace, span, 1).unwrap().with_tracestate("of=ours").unwrap())
    }

    fn extract(&self, context: &TraceContext, from: &PeerInfo, to: ActorId) -> Span {
        self.extracts.lock().unwrap().push((context.clone(), from.clone(), to));
        let span = info_span!(parent: None, "handle");
        let number = 1 + self.spans.fetch_add(1, Ordering::Relaxed);
        Place { trace: context.trace_id(), span: number, parent: context.parent_id() }.put(&span);
        span
    }
}

#[derive(Debug, RemoteMessage)]
enum Hop {
    Note,
    Load(Vec<u8>),
    /// Asks the next one, if there is one, and notes it there when it has heard; how many were asked.
    #[rpc]
    Ask(ReplyPort<u64>),
}

type Places = Arc<Mutex<Vec<Option<Place>>>>;

struct Hopper {
    next: Option<ActorRef<Hop>>,
    gate: Gate,
    places: Places,
}

impl Actor for Hopper {
    type Msg = Hop;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: &ActorRef<Hop>, (): ()) -> Result<(), ActorError> {
        Ok(())
    }

    async fn handle(&self, _: &ActorRef<Hop>, message: Hop, (): &mut ()) -> Result<(), ActorError> {
        self.gate.pass().await;
        self.places.lock().unwrap().push(Place::here());
        match (message, &self.next) {
            (Hop::Ask(port), Some(next)) => {
                let asked = next.call(Hop::Ask).await.map_err(|error| error.map(drop))?;
                next.cast(Hop::Note)?;
                _ = port.send(asked + 1);
            }
            (Hop::Ask(port), None) => _ = port.send(1),
            (Hop::Note | Hop::Load(_), _) => {}
        }
        Ok(())
    }
}

async fn traced(network: &Network, number: u8, carrier: &Carrier) -> TestNode {
    node_with(network, number, |builder| builder.propagator(carrier.clone())).await
}

/// A hopper under its own name on a node; where it saw itself.
async fn hopper(on: &TestNode, next: Option<ActorRef<Hop>>, gate: Gate, options: SpawnOptions) -> Places {
    let places = Places::default();
    let hopper = Hopper { next, gate, places: places.clone() };
    let hopper = on.system.spawn(hopper, (), options).await.unwrap();
    on.server.publish(&name_of(on), &hopper).unwrap();
    places
}

fn name_of(node: &TestNode) -> String {
    format!("hopper {:?}", node.id())
}

/// The hopper of one node, as another finds it.
fn find(from: &TestNode, on: &TestNode) -> ActorRef<Hop> {
    from.server.find(&name_of(on)).unwrap()
}

async fn ask(remote: &ActorRef<Hop>, within: Span) -> u64 {
    remote.call(Hop::Ask).instrument(within).await.unwrap()
}

fn options() -> SpawnOptions {
    SpawnOptions::new().traced()
}

fn seen(places: &Places) -> Vec<Option<Place>> {
    std::mem::take(&mut places.lock().unwrap())
}

/// Until it is dropped there are spans on this thread.
fn subscribed() -> DefaultGuard {
    tracing::subscriber::set_default(Registry::default())
}

fn root() -> Span {
    let root = info_span!("root");
    Place { trace: TRACE, span: ROOT, parent: 0 }.put(&root);
    root
}

async fn two(network: &Network, carrier: &Carrier) -> (TestNode, TestNode) {
    let (a, b) = (traced(network, 1, carrier).await, traced(network, 2, carrier).await);
    a.connect(&b).await;
    (a, b)
}

async fn a_trace_goes_on_over_three_nodes_and_behind_answers(network: Network) {
    let (_guard, carrier) = (subscribed(), Carrier::default());
    let (a, b) = two(&network, &carrier).await;
    let c = traced(&network, 3, &carrier).await;
    b.connect(&c).await;
    let at_c = hopper(&c, None, Gate::default(), options()).await;
    settle().await;
    let next = find(&b, &c);
    let at_b = hopper(&b, Some(next), Gate::default(), options()).await;
    settle().await;
    let remote = find(&a, &b);
    assert_eq!(ask(&remote, root()).await, 2);
    settle().await;
    let [Some(first)] = seen(&at_b)[..] else { panic!("it was asked once, in a trace") };
    assert_eq!((first.trace, first.parent), (TRACE, ROOT));
    let [Some(asked), Some(told)] = seen(&at_c)[..] else { panic!("it was asked and told, in a trace") };
    for place in [asked, told] {
        assert_eq!((place.trace, place.parent), (TRACE, first.span), "the caller's span is its parent");
    }
    let extracts = carrier.extracts();
    let from: Vec<_> = extracts.iter().map(|(_, from, _)| from.node).collect();
    assert_eq!(from, [a.id(), b.id(), b.id()]);
    assert!(extracts.iter().all(|(context, ..)| context.tracestate() == "of=ours" && context.is_sampled()));
    assert_eq!(extracts[0].2, remote.id());
    // What is sent in no span has none, though others have.
    remote.cast(Hop::Note).unwrap();
    settle().await;
    assert_eq!((seen(&at_b), carrier.extracts().len()), (vec![None], 0));
}

async fn a_message_that_waits_for_room_keeps_its_trace(network: Network) {
    let (_guard, carrier) = (subscribed(), Carrier::default());
    let (a, b) = two(&network, &carrier).await;
    let gate = Gate::shut();
    let small = options().mailbox(Capacity::try_from(1).unwrap());
    let places = hopper(&b, None, gate.clone(), small).await;
    settle().await;
    let remote = find(&a, &b);
    for number in 1..=5 {
        let span = info_span!("root");
        Place { trace: TRACE, span: number, parent: 0 }.put(&span);
        span.in_scope(|| remote.cast(Hop::Note)).unwrap();
    }
    remote.cast(Hop::Note).unwrap();
    settle().await;
    gate.open();
    settle().await;
    let parents: Vec<_> = seen(&places).into_iter().map(|place| place.map(|place| place.parent)).collect();
    assert_eq!(parents, [Some(1), Some(2), Some(3), Some(4), Some(5), None]);
}

async fn a_long_message_has_its_trace(network: Network) {
    let (_guard, carrier) = (subscribed(), Carrier::default());
    let (a, b) = two(&network, &carrier).await;
    let places = hopper(&b, None, Gate::default(), options()).await;
    settle().await;
    let remote = find(&a, &b);
    root().in_scope(|| remote.cast(Hop::Load(vec![7; 1 << 19]))).unwrap();
    remote.cast(Hop::Load(vec![7; 1 << 19])).unwrap();
    settle().await;
    let traces: Vec<_> = seen(&places).into_iter().map(|place| place.map(|place| place.trace)).collect();
    assert_eq!(traces, [Some(TRACE), None]);
}

async fn without_a_propagator_nothing_is_sent_and_nothing_is_asked(network: Network) {
    let (_guard, carrier) = (subscribed(), Carrier::default());
    let a = node_with(&network, 1, |builder| builder).await;
    let b = traced(&network, 2, &carrier).await;
    a.connect(&b).await;
    let there = hopper(&b, None, Gate::default(), options()).await;
    let here = hopper(&a, None, Gate::default(), options()).await;
    settle().await;
    let remote = find(&a, &b);
    assert_eq!(ask(&remote, root()).await, 1);
    assert_eq!((seen(&there), carrier.extracts().len()), (vec![None], 0));
    // Whoever reads it and has none either ignores what comes.
    let remote = find(&b, &a);
    assert_eq!(ask(&remote, root()).await, 1);
    assert_eq!((seen(&here), carrier.injects()), (vec![None], 1));
}

async fn an_actor_that_is_not_traced_costs_no_span(network: Network) {
    let (_guard, carrier) = (subscribed(), Carrier::default());
    let (a, b) = two(&network, &carrier).await;
    let places = hopper(&b, None, Gate::default(), SpawnOptions::new()).await;
    settle().await;
    let remote = find(&a, &b);
    assert_eq!(ask(&remote, root()).await, 1);
    assert_eq!((seen(&places), carrier.injects(), carrier.extracts().len()), (vec![None], 1, 0));
}

async fn what_is_not_recorded_is_not_sent(network: Network) {
    let (_guard, carrier) = (subscribed(), Carrier::default());
    let (a, b) = two(&network, &carrier).await;
    let places = hopper(&b, None, Gate::default(), options()).await;
    settle().await;
    let remote = find(&a, &b);
    let of_no_trace = info_span!("not sampled");
    assert_eq!(ask(&remote, of_no_trace).await, 1);
    assert_eq!((seen(&places), carrier.injects(), carrier.extracts().len()), (vec![None], 1, 0));
}

/// Panics when it injects, or when it extracts.
struct Hostile {
    injects: bool,
}

impl Propagator for Hostile {
    fn inject(&self) -> Option<TraceContext> {
        assert!(!self.injects, "a propagator of a test's");
        Some(TraceContext::new(TRACE, ROOT, 0).unwrap())
    }

    fn extract(&self, _: &TraceContext, _: &PeerInfo, _: ActorId) -> Span {
        panic!("a propagator of a test's")
    }
}

async fn a_propagator_that_panics_costs_its_trace_and_nothing_else(network: Network) {
    let _guard = subscribed();
    let hostile =
        |number, injects| node_with(&network, number, move |builder| builder.propagator(Hostile { injects }));
    let (a, b) = (hostile(1, true).await, hostile(2, false).await);
    a.connect(&b).await;
    let there = hopper(&b, None, Gate::default(), options()).await;
    let here = hopper(&a, None, Gate::default(), options()).await;
    settle().await;
    for (from, to) in [(&a, &b), (&b, &a)] {
        let remote = find(from, to);
        assert_eq!(ask(&remote, root()).await, 1);
    }
    assert_eq!((seen(&there), seen(&here)), (vec![None], vec![None]));
    assert_eq!((a.peers(), b.peers()), (vec![b.id()], vec![a.id()]), "the session lives");
}
