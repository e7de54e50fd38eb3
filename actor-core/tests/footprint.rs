//! What actors and their messages take from the allocator, exactly. A program of its
//! own, because it counts what the global allocator is asked for.
//!
//! Everything runs on one thread, so that a count sees both sides of a message.

#![cfg(not(actor_no_pool))]

use std::future::{Future, poll_fn};
use std::task::Poll;
use std::time::Duration;

use actor_core::{
    Actor, ActorError, ActorRef, ActorSystem, CallRecipient, Capacity, Colocation, ReplyPort, SpawnOptions,
    Status, actor,
};
use allocation_counter::{AllocationInfo, measure};
use tokio::runtime::{Builder, Runtime};

/// State of 88 bytes, and a handler that awaits a call.
struct Peer;

struct State {
    next: Option<ActorRef<Message>>,
    sum: u64,
    _rest: [u64; 7],
}

enum Message {
    Add(u64),
    Get(ReplyPort<u64>),
    /// Asks the next and adds what it says.
    Ask(ReplyPort<u64>),
}

impl Actor for Peer {
    type Msg = Message;
    type State = State;
    type Arguments = Option<ActorRef<Message>>;

    async fn pre_start(
        &self,
        _: &ActorRef<Message>,
        next: Option<ActorRef<Message>>,
    ) -> Result<State, ActorError> {
        Ok(State { next, sum: 0, _rest: [0; 7] })
    }

    fn handle(
        &self,
        _: &ActorRef<Message>,
        message: Message,
        state: &mut State,
    ) -> impl Future<Output = Result<(), ActorError>> + Send {
        async move {
            match message {
                Message::Add(by) => state.sum += by,
                Message::Get(port) => _ = port.send(state.sum),
                Message::Ask(port) => {
                    let Some(next) = &state.next else { return Ok(()) };
                    let answer = next.call(Message::Get).await.unwrap_or_default();
                    let _ = port.send(state.sum + answer);
                }
            }
            Ok(())
        }
    }
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime can be made")
}

async fn spawn(system: &ActorSystem, options: SpawnOptions) -> ActorRef<Message> {
    system.spawn(Peer, None, options).await.expect("it starts")
}

/// Lets the actors run. Tokio's own way takes memory of its own.
async fn others_turn() {
    let mut is_over = false;
    poll_fn(|cx| {
        if is_over {
            return Poll::Ready(());
        }
        is_over = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// What a run takes once it has been made before.
fn in_the_steady_state<F: Future>(runtime: &Runtime, mut run: impl FnMut() -> F) -> AllocationInfo {
    for _ in 0..3 {
        runtime.block_on(run());
    }
    measure(|| drop(runtime.block_on(run())))
}

const MESSAGES: u64 = 3200;

#[test]
fn a31_a_message_is_a_thirty_second_of_an_allocation() {
    assert_eq!(size_of::<State>(), 88);
    let runtime = runtime();
    for capacity in [Capacity::default(), Capacity::Unbounded] {
        let system = ActorSystem::new();
        let place = runtime.block_on(async { Colocation::new(&system) });
        for options in [SpawnOptions::new(), SpawnOptions::new().colocate(&place)] {
            let actor = runtime.block_on(spawn(&system, options.mailbox(capacity)));
            let told = in_the_steady_state(&runtime, || async {
                for by in 0..MESSAGES {
                    actor.cast(Message::Add(by)).unwrap();
                }
                actor.call(Message::Get).await.unwrap()
            });
            assert!(told.count_total <= MESSAGES / 32, "{} for {MESSAGES}", told.count_total);
            assert_eq!(told.bytes_current, 0);
            let one_by_one = in_the_steady_state(&runtime, || async {
                for by in 0..MESSAGES {
                    actor.send(Message::Add(by)).await.unwrap();
                    others_turn().await;
                }
                actor.call(Message::Get).await.unwrap()
            });
            assert_eq!((one_by_one.count_total, one_by_one.bytes_current), (0, 0));
        }
    }
}

#[test]
fn a31_an_ask_allocates_nothing() {
    let runtime = runtime();
    let system = ActorSystem::new();
    let place = runtime.block_on(async { Colocation::new(&system) });
    for options in [SpawnOptions::new(), SpawnOptions::new().colocate(&place)] {
        let callee = runtime.block_on(spawn(&system, options.clone()));
        let asked = in_the_steady_state(&runtime, || async {
            for _ in 0..MESSAGES {
                callee.call(Message::Get).await.unwrap();
            }
        });
        assert_eq!((asked.count_total, asked.bytes_current), (0, 0), "a task asks an actor");

        let between = system.spawn(Peer, Some(callee.clone()), options);
        let between = runtime.block_on(between).unwrap();
        let asked = in_the_steady_state(&runtime, || async {
            for _ in 0..MESSAGES {
                between.call(Message::Ask).await.unwrap();
            }
        });
        assert_eq!((asked.count_total, asked.bytes_current), (0, 0), "an actor asks an actor");

        let asked = in_the_steady_state(&runtime, || async {
            for _ in 0..MESSAGES {
                between.call_timeout(Duration::from_secs(5), Message::Ask).await.unwrap();
            }
        });
        assert_eq!((asked.count_total, asked.bytes_current), (0, 0), "with a timeout");
    }
}

#[derive(Default)]
struct Counter(u64);

#[actor]
impl Counter {
    fn add(&mut self, by: u64) -> u64 {
        self.0 += by;
        self.0
    }
}

#[test]
fn a31_the_other_ways_to_ask_allocate_nothing_either() {
    let runtime = runtime();
    let counter = runtime.block_on(async { Counter::default().spawn().await.unwrap() });
    let recipient: CallRecipient<CounterAdd, u64> = counter.call_recipient();
    let typed = in_the_steady_state(&runtime, || async {
        for by in 0..MESSAGES {
            counter.add(by).await.unwrap();
        }
    });
    assert_eq!((typed.count_total, typed.bytes_current), (0, 0), "by the reference's method");
    let typed = in_the_steady_state(&runtime, || async {
        for by in 0..MESSAGES {
            counter.add(by).timeout(Duration::from_secs(5)).await.unwrap();
        }
    });
    assert_eq!((typed.count_total, typed.bytes_current), (0, 0), "by the method, with a timeout");
    let cast = in_the_steady_state(&runtime, || async {
        for by in 0..MESSAGES {
            counter.add(by).cast().unwrap();
        }
        counter.add(0).await.unwrap()
    });
    assert!(cast.count_total <= MESSAGES / 32, "{}", cast.count_total);
    let called = in_the_steady_state(&runtime, || async {
        for by in 0..MESSAGES {
            recipient.call(CounterAdd { by }).await.unwrap();
        }
    });
    assert_eq!((called.count_total, called.bytes_current), (0, 0), "by a recipient");
}

/// The cell and the task; colocated, the cell, the task and its seat.
#[test]
fn a_spawn_is_two_allocations_and_three_in_a_place() {
    const LIVES: u64 = 100;
    let runtime = runtime();
    let system = ActorSystem::new();
    let place = runtime.block_on(async { Colocation::new(&system) });
    let colocated = SpawnOptions::new().colocate(&place);
    for (options, count) in [(SpawnOptions::new(), 2), (colocated, 3)] {
        // A whole life, of an actor that nobody names, links or waits for.
        let life = |messages: u64| {
            let (system, options) = (system.clone(), options.clone());
            async move {
                let actor = spawn(&system, options).await;
                for by in 0..messages {
                    actor.cast(Message::Add(by)).unwrap();
                }
                actor.stop(None);
                while actor.status() != Status::Stopped {
                    others_turn().await;
                }
            }
        };
        // The first message brings the mailbox's first block.
        for (messages, more) in [(0, 0), (1, 1)] {
            let lived = in_the_steady_state(&runtime, || async {
                for _ in 0..LIVES {
                    life(messages).await;
                }
            });
            assert_eq!((lived.count_total, lived.bytes_current), (LIVES * (count + more), 0));
        }
    }
}

#[test]
fn a32_a_hundred_thousand_idle_actors_fit_in_little_memory() {
    const ACTORS: usize = 100_000;
    /// With tokio's part of it. With tokio 1.54 it is 626.
    const BYTES_EACH: usize = 900;
    /// All of it ours.
    const BYTES_IN_A_PLACE: usize = 604;
    let runtime = runtime();
    let system = ActorSystem::new();
    let place = runtime.block_on(async { Colocation::new(&system) });
    let bytes_each = [SpawnOptions::new(), SpawnOptions::new().colocate(&place)].map(|options| {
        // With room for the addresses, which do not count.
        let mut actors = Vec::with_capacity(ACTORS);
        let counted = measure(|| {
            runtime.block_on(async {
                for _ in 0..ACTORS {
                    actors.push(spawn(&system, options.clone()).await);
                }
                while actors[ACTORS - 1].status() != Status::Running {
                    others_turn().await;
                }
            });
        });
        assert!(actors.iter().all(|actor| actor.status() == Status::Running));
        usize::try_from(counted.bytes_current).unwrap() / ACTORS
    });
    let [alone, together] = bytes_each;
    assert!(alone <= BYTES_EACH && together <= BYTES_IN_A_PLACE, "{alone}, and {together} in a place");
}
