//! Addresses: who gets what, and what becomes of messages to nobody.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use actor_core::{
    Actor, ActorError, ActorRef, ActorSystem, ChildSpec, Event, Observer, SendError, SpawnOptions,
    Supervisor, Unrouted, UnroutedReason,
};
use actor_testkit::Simulation;
use actor_toolkit::broker::limits::ADDRESS_BYTES_MAX;
use actor_toolkit::broker::{BindError, Binding, Broker, RouteError};

use crate::support::{Gate, MS, Message, Note, heard, held, is_lost, listener, pass, recorded, simulated};

#[test]
fn c17_each_address_is_one_actor_s() {
    simulated(|system| async move {
        let broker: Broker<Note> = Broker::new(&system);
        let (first, second) = (listener(&system).await, listener(&system).await);
        let binding = broker.bind("first", &first).unwrap();
        broker.bind("second", &second).unwrap();
        broker.bind("also second", &second).unwrap();
        assert_eq!(broker.bind("first", &second).unwrap_err(), BindError::Taken);
        for (address, number) in [("first", 1), ("second", 2), ("also second", 3)] {
            broker.cast(address, Note(number)).unwrap();
            broker.send(address, Note(10 * number)).await.unwrap();
        }
        assert_eq!((heard(&first).await, heard(&second).await), (vec![1, 10], vec![2, 20, 3, 30]));
        assert_eq!((broker.addresses(), binding.address(), binding.is_bound()), (3, "first", true));
        // Released, it is the next one's; and is released once.
        binding.release();
        assert!(!binding.is_bound() && !broker.is_bound("first"));
        broker.clone().bind("first", &second).unwrap();
        binding.release();
        broker.cast("first", Note(4)).unwrap();
        assert_eq!(heard(&second).await, [2, 20, 3, 30, 4]);
    });
}

#[test]
fn c17_an_unknown_address_is_a_dead_letter() {
    recorded(|system, recorder| async move {
        let told = Arc::new(Mutex::new(Vec::new()));
        let broker: Broker<Note> = {
            let told = told.clone();
            Broker::with_dead_letters(&system, move |letter| {
                told.lock().unwrap().push((letter.address.to_owned(), *letter.message, letter.reason));
            })
        };
        let lost = |reason| Event::Unrouted(Unrouted::of::<Note>("nowhere", reason));
        assert_eq!(broker.cast("nowhere", Note(1)), Err(RouteError::Unknown(Note(1))));
        assert_eq!(broker.send("nowhere", Note(2)).await, Err(RouteError::Unknown(Note(2))));
        let unknown = UnroutedReason::Unknown;
        let expected = [Note(1), Note(2)].map(|note| ("nowhere".to_owned(), note, unknown));
        assert_eq!(std::mem::take(&mut *told.lock().unwrap()), expected);
        assert_eq!(recorder.take(), [lost(unknown), lost(unknown)]);
        // An actor that drains has its address until it has ended.
        let gate = Gate::default();
        let ends = held(&system, 1, &gate).await;
        broker.bind("nowhere", &ends).unwrap();
        ends.drain();
        let refused = broker.cast("nowhere", Note(3)).unwrap_err();
        assert!(matches!(refused, RouteError::NotSent(SendError::Stopped(Note(3), None))));
        let stopped = UnroutedReason::Stopped;
        assert_eq!(*told.lock().unwrap(), [("nowhere".to_owned(), Note(3), stopped)]);
        gate.open();
        ends.wait(None).await.unwrap();
        assert_eq!(broker.cast("nowhere", Note(4)).unwrap_err().into_message(), Note(4));
        let events: Vec<Event> = recorder.take().into_iter().filter(is_lost).collect();
        assert_eq!(events, [lost(stopped), lost(unknown)]);
    });
}

#[test]
fn c17_a_full_mailbox_is_no_dead_letter() {
    recorded(|system, recorder| async move {
        let broker: Broker<Note> = Broker::with_dead_letters(&system, |_| panic!("nobody is dead"));
        let gate = Gate::default();
        let full = held(&system, 1, &gate).await;
        broker.bind("full", &full).unwrap();
        broker.cast("full", Note(1)).unwrap();
        let refused = broker.cast("full", Note(2)).unwrap_err();
        assert!(refused.to_string().contains("no room"), "{refused}");
        assert_eq!(refused, RouteError::NotSent(SendError::Full(Note(2))));
        let (sent, ()) = tokio::join!(broker.send("full", Note(3)), async { gate.open() });
        assert_eq!(sent, Ok(()));
        assert_eq!(heard(&full).await, [1, 3]);
        assert_eq!(recorder.take().into_iter().filter(is_lost).count(), 0);
    });
}

#[test]
fn c17_a_handler_of_dead_letters_that_panics_harms_nobody() {
    simulated(|system| async move {
        let broker: Broker<Note> = Broker::with_dead_letters(&system, |_| panic!("in the handler"));
        assert_eq!(broker.cast("nowhere", Note(1)), Err(RouteError::Unknown(Note(1))));
        let actor = listener(&system).await;
        broker.bind("here", &actor).unwrap();
        broker.cast("here", Note(2)).unwrap();
        assert_eq!(heard(&actor).await, [2]);
    });
}

/// Has what is told of brokers send through all of them, to nobody.
#[derive(Default)]
struct Sending {
    brokers: OnceLock<[Broker<Note>; 2]>,
    told: Mutex<Vec<(&'static str, u32)>>,
}

impl Sending {
    fn note(&self, who: &'static str, number: u32) {
        self.told.lock().unwrap().push((who, number));
        for broker in self.brokers.get().unwrap() {
            // A message that reaches nobody comes back, whoever sends it.
            assert_eq!(broker.cast("audit", Note(number + 1)), Err(RouteError::Unknown(Note(number + 1))));
        }
    }
}

struct Observing(Arc<Sending>);

impl Observer for Observing {
    fn observe(&self, event: &Event) {
        if matches!(event, Event::Unrouted(_)) {
            self.0.note("observer", 0);
        }
    }
}

#[test]
fn c17_what_a_handler_of_dead_letters_sends_to_nobody_is_not_told_to_it_again() {
    let sending = Arc::new(Sending::default());
    let simulation = Simulation::fifo();
    let broker = |system: &ActorSystem, who: &'static str| {
        let sending = sending.clone();
        Broker::<Note>::with_dead_letters(system, move |letter| sending.note(who, letter.message.0))
    };
    let brokers = [broker(&simulation.system(), "first"), broker(&simulation.system(), "second")];
    sending.brokers.set(brokers.clone()).unwrap();
    brokers[0].cast("nowhere", Note(1)).unwrap_err();
    // Each hears of what the other sends, and not of what came of its own.
    let told = || std::mem::take(&mut *sending.told.lock().unwrap());
    assert_eq!(told(), [("first", 1), ("second", 2)]);
    brokers[1].cast("nowhere", Note(1)).unwrap_err();
    assert_eq!(told(), [("second", 1), ("first", 2)]);

    // An observer that sends through the broker it hears of is as good.
    let sending = Arc::new(Sending::default());
    let observed = simulation.builder().observer(Observing(sending.clone())).build();
    sending.brokers.set([Broker::new(&observed), Broker::new(&observed)]).unwrap();
    sending.brokers.get().unwrap()[0].cast("nowhere", Note(1)).unwrap_err();
    assert_eq!(sending.told.lock().unwrap()[..], [("observer", 0); 2]);
}

#[test]
fn c17_an_address_ends_with_its_actor() {
    simulated(|system| async move {
        let broker: Broker<Note> = Broker::new(&system);
        let (gone, next) = (listener(&system).await, listener(&system).await);
        let binding = broker.bind("here", &gone).unwrap();
        gone.cast(Message::Fail).unwrap();
        gone.wait(None).await.unwrap();
        pass(&system, MS).await;
        assert_eq!((binding.is_bound(), broker.addresses()), (false, 0));
        // One that has ended has it for no time at all.
        assert!(!broker.bind("here", &gone).unwrap().is_bound());
        broker.bind("here", &next).unwrap();
        binding.release();
        broker.cast("here", Note(1)).unwrap();
        assert_eq!(heard(&next).await, [1]);
    });
}

/// Binds in `pre_start`, as each of its lives does.
struct Bound {
    broker: Broker<Note>,
    bindings: Arc<Mutex<Vec<Binding>>>,
}

impl Actor for Bound {
    type Msg = Note;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, myself: &ActorRef<Note>, (): ()) -> Result<(), ActorError> {
        let binding = self.broker.bind("here", myself)?;
        self.bindings.lock().unwrap().push(binding);
        Ok(())
    }

    async fn handle(&self, _: &ActorRef<Note>, _: Note, (): &mut ()) -> Result<(), ActorError> {
        Err("as asked".into())
    }
}

#[test]
fn c17_an_actor_that_lives_again_binds_its_address_again() {
    simulated(|system| async move {
        let (broker, bindings) = (Broker::<Note>::new(&system), Arc::new(Mutex::new(Vec::new())));
        let (of_child, kept) = (broker.clone(), bindings.clone());
        let child =
            ChildSpec::new("bound", move || (Bound { broker: of_child.clone(), bindings: kept.clone() }, ()));
        let supervisor =
            Supervisor::builder().child(child).spawn_with(&system, SpawnOptions::new()).await.unwrap();
        for lives in 1..=3 {
            assert_eq!((bindings.lock().unwrap().len(), broker.addresses()), (lives, 1));
            broker.cast("here", Note(1)).unwrap();
            pass(&system, 1_000 * MS).await;
        }
        // However often it was bound, it is one address: another's bind is refused, and any of
        // its bindings releases it.
        let other = listener(&system).await;
        assert_eq!(broker.bind("here", &other).unwrap_err(), BindError::Taken);
        assert!(bindings.lock().unwrap().iter().all(Binding::is_bound));
        bindings.lock().unwrap()[0].release();
        assert!(!bindings.lock().unwrap().iter().any(Binding::is_bound));
        broker.bind("here", &other).unwrap();
        supervisor.stop_and_wait(None, None).await.unwrap();
        assert_eq!((broker.addresses(), broker.is_bound("here")), (1, true));
    });
}

#[test]
fn c17_what_cannot_be_an_address_is_an_error_at_the_call() {
    simulated(|system| async move {
        let broker: Broker<Note> = Broker::new(&system);
        let actor = listener(&system).await;
        let long = "a".repeat(ADDRESS_BYTES_MAX + 1);
        let wrong = [
            ("", BindError::Empty),
            (&long[..], BindError::TooLong(ADDRESS_BYTES_MAX + 1)),
            ("a\tb", BindError::ControlCharacter),
        ];
        for (address, error) in wrong {
            assert_eq!(broker.bind(address, &actor).unwrap_err(), error);
        }
        assert_eq!(broker.addresses(), 0);
        broker.bind(&long[1..], &actor).unwrap();
    });
}

#[test]
fn c18_a_broker_publishes_too() {
    simulated(|system| async move {
        let broker: Broker<Note> = Broker::new(&system);
        let (one, other) = (listener(&system).await, listener(&system).await);
        broker.topics().subscribe("a.*", &one).unwrap();
        broker.topics().subscribe("#", &other).unwrap();
        assert_eq!(broker.publish("a.b", Note(1)).unwrap().delivered(), 2);
        assert_eq!(broker.publish("b", Note(2)).unwrap().delivered(), 1);
        assert_eq!((heard(&one).await, heard(&other).await), (vec![1], vec![1, 2]));
    });
}

/// Routes change while others send: every message reaches the one who had the address then, or
/// comes back.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn c17_no_message_is_lost_while_addresses_change() {
    let system = ActorSystem::new();
    let broker: Broker<Note> = Broker::new(&system);
    let actors = [listener(&system).await, listener(&system).await];
    let came_back = Arc::new(AtomicUsize::new(0));
    let senders: Vec<_> = (0..3)
        .map(|_| {
            let (broker, came_back) = (broker.clone(), came_back.clone());
            tokio::spawn(async move {
                for number in 0..5_000 {
                    match broker.send("moves", Note(number)).await {
                        Ok(()) => {}
                        Err(RouteError::Unknown(Note(same))) if same == number => {
                            came_back.fetch_add(1, Ordering::SeqCst);
                        }
                        Err(error) => panic!("{error}"),
                    }
                    if number % 16 == 0 {
                        tokio::task::yield_now().await;
                    }
                }
            })
        })
        .collect();
    for turn in 0..2_000 {
        let binding = broker.bind("moves", &actors[turn % 2]).unwrap();
        tokio::task::yield_now().await;
        binding.release();
    }
    for sender in senders {
        sender.await.unwrap();
    }
    let reached = heard(&actors[0]).await.len() + heard(&actors[1]).await.len();
    assert_eq!(reached + came_back.load(Ordering::SeqCst), 15_000);
}
