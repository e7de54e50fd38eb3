//! Actors that live again while others send to them, wait for them, drain them and link
//! them.

use super::*;

#[test]
fn a_restart_among_senders_loses_the_message_in_hand_and_no_other() {
    check_fair(10_000, || {
        block_on(async {
            let system = system();
            let chief = system.spawn(Chief(2), (), SpawnOptions::new()).await.expect("it starts");
            let counts = Arc::new(Counts::default());
            let options = SpawnOptions::new().supervisor(&chief.cell());
            let actor = system.spawn_restartable(clerks(&counts), options).await.expect("it starts");
            let senders = [sends(&actor, &counts, 3), sends(&actor, &counts, 2)];
            for _ in 0..2 {
                let fatal = Parcel { counts: counts.clone(), is_fatal: true };
                assert!(actor.cast(fatal).is_ok(), "it is there all the while");
            }
            let accepted: usize = senders.into_iter().map(|sender| sender.join().expect("it ends")).sum();
            assert_eq!(accepted, 5);
            // Whatever of its lives is drained now, no other follows it.
            actor.cell().release();
            let exit = actor.drain_and_wait(None).await.expect("it ends");
            if exit == Exit::Drained {
                assert_eq!(counts.lives.load(O::SeqCst), 3);
                assert_eq!(counts.handled.load(O::SeqCst), accepted);
            }
            while actor.status() != Status::Stopped {
                thread::yield_now();
            }
            assert_eq!(counts.dropped.load(O::SeqCst), accepted + 2);
            chief.stop_and_wait(None, None).await.expect("it ends");
        });
    });
}

#[test]
fn whoever_waits_for_a_life_hears_of_its_end() {
    check_fair(10_000, || {
        block_on(async {
            let system = system();
            let chief = system.spawn(Chief(3), (), SpawnOptions::new()).await.expect("it starts");
            let counts = Arc::new(Counts::default());
            let options = SpawnOptions::new().supervisor(&chief.cell()).name("kept");
            let actor = system.spawn_restartable(clerks(&counts), options).await.expect("it starts");
            let waits = [0, 1].map(|which| {
                let actor = actor.clone();
                future::spawn(async move {
                    match which {
                        0 => actor.stop_and_wait(None, None).await.expect("it ends"),
                        _ => actor.kill_and_wait(None).await.expect("it ends"),
                    }
                })
            });
            for wait in waits {
                let exit = wait.await.expect("it is not cancelled");
                assert!(matches!(exit, Exit::Stopped(None) | Exit::Killed), "{exit}");
            }
            assert_eq!(system.where_is("kept"), Some(actor.cell()));
            // The chief's end is its own.
            chief.kill();
            chief.wait(None).await.expect("it ends");
            while actor.status() != Status::Stopped {
                actor.wait(None).await.expect("it ends");
            }
            assert_eq!((system.where_is("kept"), actor.cell().supervisor()), (None, None));
        });
    });
}

/// Says if one of its lives ended in peace that nobody had asked to.
struct Peaceful(Arc<AtomicUsize>);

impl Actor for Peaceful {
    type Msg = ();
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: &ActorRef<()>, (): ()) -> Result<(), ActorError> {
        Ok(())
    }

    async fn post_stop(&self, myself: &ActorRef<()>, (): &mut ()) -> Result<(), ActorError> {
        let word = myself.as_local().expect("it is local").word();
        if !(word.has(Flag::Stop) || word.has(Flag::Drain)) {
            self.0.fetch_add(1, O::SeqCst);
        }
        Ok(())
    }
}

/// A life that ends by itself while it is drained takes the drain with it.
#[test]
fn a_drain_of_a_life_that_ends_is_not_the_next_ones() {
    let drains: [fn(&ActorRef<()>); 2] =
        [|actor| actor.drain(), |actor| _ = actor.cell().ask_to_end(Shutdown::Drain(Duration::MAX))];
    for drain in drains {
        check_fair(20_000, move || block_on(drain_a_life_that_ends(drain)));
    }
}

async fn drain_a_life_that_ends(drain: fn(&ActorRef<()>)) {
    let system = system();
    let chief = system.spawn(Chief(9), (), SpawnOptions::new()).await.expect("it starts");
    let unasked = Arc::new(AtomicUsize::new(0));
    let make = {
        let unasked = unasked.clone();
        move || (Peaceful(unasked.clone()), ())
    };
    let options = SpawnOptions::new().supervisor(&chief.cell());
    let actor = system.spawn_restartable(make, options).await.expect("it starts");
    let drains = {
        let actor = actor.clone();
        thread::spawn(move || drain(&actor))
    };
    actor.kill();
    drains.join().expect("it ends");
    // All that was asked is done: it lives, and takes messages.
    while !matches!(actor.status(), Status::Starting | Status::Running) {
        future::yield_now().await;
    }
    for _ in 0..3 {
        future::yield_now().await;
    }
    chief.kill();
    while actor.status() != Status::Stopped {
        actor.wait(None).await.expect("it ends");
    }
    assert_eq!(unasked.load(O::SeqCst), 0, "a life ended that nobody had asked to");
}

/// Counts the suspensions that it hears of. Restarts, or leaves it to another.
struct Keeper(Arc<AtomicUsize>, bool);

impl Actor for Keeper {
    type Msg = ();
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: &ActorRef<()>, (): ()) -> Result<(), ActorError> {
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        _: &ActorRef<()>,
        event: SupervisionEvent,
        (): &mut (),
    ) -> Result<(), ActorError> {
        if let SupervisionEvent::Suspended { actor, .. } = event {
            self.0.fetch_add(1, O::SeqCst);
            if self.1 {
                actor.restart();
            }
        }
        Ok(())
    }
}

/// Whether the link or the end of the life comes first, the next supervisor is told once.
#[test]
fn a_child_that_is_linked_anew_while_its_life_ends_is_told_of_once() {
    check_fair(10_000, || {
        block_on(async {
            let system = system();
            let heard = Arc::new(AtomicUsize::new(0));
            let former = system.spawn(Keeper(Arc::default(), false), (), SpawnOptions::new()).await;
            let next = system.spawn(Keeper(heard.clone(), true), (), SpawnOptions::new()).await;
            let (former, next) = (former.expect("it starts"), next.expect("it starts"));
            let counts = Arc::new(Counts::default());
            let options = SpawnOptions::new().supervisor(&former.cell());
            let actor = system.spawn_restartable(clerks(&counts), options).await.expect("it starts");
            // Twice, since a suspension must leave nothing to the next.
            for lives in [2, 3] {
                let links = {
                    let (actor, next) = (actor.cell(), next.cell());
                    let is_late = thread_rng().r#gen();
                    thread::spawn(move || {
                        // Nobody else would restart it.
                        while is_late && actor.status() != Status::Suspended {
                            thread::yield_now();
                        }
                        actor.link(&next).is_ok()
                    })
                };
                actor.kill();
                assert!(links.join().expect("it ends"));
                while counts.lives.load(O::SeqCst) < lives || actor.status() != Status::Running {
                    future::yield_now().await;
                }
                assert_eq!(heard.load(O::SeqCst), lives - 1);
                if lives == 2 {
                    actor.cell().link(&former.cell()).expect("it lives");
                }
            }
            for chief in [former, next] {
                chief.kill();
                chief.wait(None).await.expect("it ends");
            }
            while actor.status() != Status::Stopped {
                actor.wait(None).await.expect("it ends");
            }
        });
    });
}
