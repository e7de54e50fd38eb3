//! Priorities and ends of the messages of plain structs: on their methods, on their
//! arguments, and for both doors.

use std::future::IntoFuture;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actor_core::{
    ActorRef, ActorSystem, CallError, CallFailure, Capacity, Instant, LocalSpawner, MailboxStats, Overflow,
    Priority, ReplyPort, SpawnError, actor,
};
use actor_testkit::{Order, Simulation};

use crate::support::{Gate, poll_once};

const MS: Duration = Duration::from_millis(1);

/// The same actor twice: each of its methods has its own place in the order.
macro_rules! desk {
    ($door:ident, [$($option:tt)*]) => {
        mod $door {
            use super::*;

            pub(super) struct Desk {
                pub(super) done: Done,
            }

            #[actor($($option)* ageing = 3, pub(super))]
            impl Desk {
                /// Goes first, and stays until the gate is opened.
                #[priority(high)]
                #[cast]
                async fn hold(&mut self, gate: Gate) {
                    gate.pass().await;
                }

                #[priority(high)]
                #[cast]
                fn urgent(&mut self, number: u32) {
                    self.done.push(number);
                }

                #[cast]
                fn usual(&mut self, number: u32) {
                    self.done.push(number);
                }

                #[priority(low)]
                #[cast]
                fn idle(&mut self, number: u32) {
                    self.done.push(number);
                }

                #[cast]
                fn as_said(&mut self, number: u32, #[priority] urgency: Priority) {
                    let _ = urgency;
                    self.done.push(number);
                }

                /// Of no interest to one who has gone.
                #[expires]
                fn quote(&mut self, number: u32) -> u32 {
                    self.done.push(number);
                    number
                }

                #[expires]
                #[priority(low)]
                fn by_hand(&mut self, number: u32, port: ReplyPort<u32>) {
                    self.done.push(number);
                    let _ = port.send(number);
                }

                #[cast]
                fn offer(&mut self, #[expires] until: Instant, number: u32) {
                    let _ = until;
                    self.done.push(number);
                }

                fn perhaps(&mut self, number: u32, #[expires] until: Option<Instant>) -> u32 {
                    let _ = until;
                    self.done.push(number);
                    number
                }

                #[priority(normal)]
                fn nothing(&self) {}
            }

            /// One that is held, so that what comes now waits.
            pub(super) async fn held(desk: DeskRef) -> (DeskRef, Gate) {
                let gate = Gate::new();
                desk.hold(gate.clone()).cast().unwrap();
                gate.reached().await;
                (desk, gate)
            }

            pub(super) async fn the_order(desk: DeskRef) {
                let (desk, gate) = held(desk).await;
                for number in [1, 2] {
                    desk.idle(number).cast().unwrap();
                }
                desk.usual(3).cast().unwrap();
                desk.as_said(4, Priority::Low).cast().unwrap();
                desk.as_said(5, Priority::High).cast().unwrap();
                desk.urgent(6).cast().unwrap();
                desk.as_said(7, Priority::Normal).cast().unwrap();
                gate.open();
                desk.drain_and_wait(None).await.unwrap();
            }

            pub(super) async fn what_has_expired(desk: DeskRef, system: &ActorSystem) {
                let (desk, gate) = held(desk).await;
                let now = system.executor().now();
                desk.offer(now + 9 * MS, 1).cast().unwrap();
                desk.offer(now + 10 * MS, 2).cast().unwrap();
                desk.offer(now + 11 * MS, 3).cast().unwrap();
                desk.perhaps(4, Some(now + 10 * MS)).cast().unwrap();
                desk.perhaps(5, None).cast().unwrap();
                // Nobody waits, so nobody can stop waiting.
                desk.quote(6).cast().unwrap();
                let waiting = async {
                    let gone = desk.quote(7).timeout(5 * MS).await;
                    assert!(matches!(gone, Err(CallError::Failed(CallFailure::TimedOut(_)))));
                    let gone = desk.by_hand(8).timeout(5 * MS).await;
                    assert!(matches!(gone, Err(CallError::Failed(CallFailure::TimedOut(_)))));
                };
                {
                    // It gives up, though it had no limit.
                    let quote = pin!(desk.quote(12).into_future());
                    assert!(poll_once(quote).await.is_pending());
                }
                // Its caller would have waited longer than it is wanted.
                let (patient, ()) = tokio::join!(desk.perhaps(9, Some(now + 10 * MS)), async {
                    waiting.await;
                    gate.open();
                });
                assert!(matches!(patient, Err(CallError::Failed(CallFailure::Expired))), "{patient:?}");
                assert_eq!(desk.quote(10).timeout(5 * MS).await.unwrap(), 10);
                assert_eq!(desk.by_hand(11).await.unwrap(), 11);
                assert_eq!(stats(&desk).expired, 7);
            }
        }
    };
}

/// The numbers of what was handled, in its order.
#[derive(Clone, Default)]
struct Done(Arc<Mutex<Vec<u32>>>);

impl Done {
    fn push(&self, number: u32) {
        self.0.lock().unwrap().push(number);
    }

    fn take(&self) -> Vec<u32> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

desk!(movable, []);
desk!(local, [local,]);

/// Parameters are no hindrance, nor is a variant that is not there.
struct Typed<T>(T);

#[actor]
impl<T: Clone + Send + 'static> Typed<T> {
    #[priority(high)]
    fn get(&self) -> T {
        self.0.clone()
    }

    #[cfg(any())]
    #[priority(low)]
    #[expires]
    fn never(&self) -> T {
        self.0.clone()
    }

    #[cast]
    fn put(&mut self, value: T, #[expires] r#final: Option<Instant>) {
        let _ = r#final;
        self.0 = value;
    }
}

#[tokio::test]
async fn a_generic_struct_sorts_too() {
    let typed = Typed(1).spawn().await.unwrap();
    typed.put(2, None).cast().unwrap();
    typed.put(3, Some(Instant::ZERO)).cast().unwrap();
    assert_eq!(typed.get().await.unwrap(), 1, "it goes first");
    assert_eq!(typed.get().await.unwrap(), 2);
    assert_eq!(stats(&typed).expired, 1);
}

fn stats<M: Send + 'static>(actor: &ActorRef<M>) -> MailboxStats {
    actor.mailbox_stats().expect("it is local")
}

/// Runs both actors in virtual time.
fn both<F: Future<Output = ()>, G: Future<Output = ()>>(
    movable: impl Fn(movable::DeskRef, ActorSystem) -> F,
    local: impl Fn(local::DeskRef, ActorSystem) -> G,
) -> [Vec<u32>; 2] {
    let mut simulation = Simulation::new(Order::Seeded(5));
    let (system, done) = (simulation.system(), Done::default());
    simulation.block_on(async {
        let desk = movable::Desk { done: done.clone() };
        movable(desk.spawn().on(&system).await.unwrap(), system.clone()).await;
    });
    let first = done.take();
    simulation.block_on(async {
        let (thread, done) = (LocalSpawner::new(&system, "desk").unwrap(), done.clone());
        let desk = local::Desk::spawn(&thread, move || local::Desk { done });
        local(desk.await.unwrap(), system.clone()).await;
    });
    [first, done.take()]
}

#[test]
fn c20_methods_have_priorities() {
    let order = both(|desk, _| movable::the_order(desk), |desk, _| local::the_order(desk));
    // One in four was passed over three times.
    assert_eq!(order, [[5, 6, 3, 1, 7, 2, 4], [5, 6, 3, 1, 7, 2, 4]]);
}

#[test]
fn c21_methods_expire() {
    let handled = both(
        |desk, system| async move { movable::what_has_expired(desk, &system).await },
        |desk, system| async move { local::what_has_expired(desk, &system).await },
    );
    assert_eq!(handled, [[3, 5, 6, 10, 11], [3, 5, 6, 10, 11]]);
}

/// In a plain struct too, what is lost would not be what is oldest.
#[tokio::test]
async fn a_plain_struct_that_sorts_cannot_drop_its_oldest() {
    let desk = || movable::Desk { done: Done::default() };
    let spawned = desk().spawn().overflow(Overflow::DropOldest).await;
    assert!(matches!(spawned, Err(SpawnError::Options(_))), "{spawned:?}");
    let one = Capacity::try_from(1).unwrap();
    desk().spawn().mailbox(one).overflow(Overflow::DropNewest).await.unwrap();
}
