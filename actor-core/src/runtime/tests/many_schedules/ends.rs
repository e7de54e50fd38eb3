//! Actors that end while others send to them, name them, group them and link them.

use super::*;

#[test]
fn a_drain_among_senders_handles_what_was_accepted() {
    check(10_000, || {
        block_on(async {
            let system = system();
            let bounded = SpawnOptions::new().mailbox(Capacity::try_from(2).expect("it is not zero"));
            let options = if thread_rng().r#gen() { bounded } else { SpawnOptions::new() };
            let (actor, counts) = clerk(&system, options).await;
            let senders = [sends(&actor, &counts, 3), sends(&actor, &counts, 3)];
            actor.drain();
            assert!(actor.cast(Parcel::of(&counts)).is_err());
            let accepted: usize = senders.into_iter().map(|sender| sender.join().expect("it ends")).sum();
            assert_eq!(actor.wait(None).await, Ok(Exit::Drained));
            assert_eq!(counts.handled.load(O::SeqCst), accepted);
            assert_eq!((counts.dropped.load(O::SeqCst), counts.post_stops.load(O::SeqCst)), (7, 1));
        });
    });
}

#[test]
fn stop_kill_and_drain_end_an_actor_once() {
    check(10_000, || {
        block_on(async {
            let system = system();
            let (actor, counts) = clerk(&system, SpawnOptions::new().name("clerk")).await;
            system.groups().join("clerks", &actor.cell()).expect("it lives");
            let sender = sends(&actor, &counts, 2);
            let asked = [0, 1, 2].map(|which| {
                let actor = actor.clone();
                thread::spawn(move || match which {
                    0 => actor.stop(Some("asked")),
                    1 => actor.drain(),
                    _ => actor.kill(),
                })
            });
            let exit = actor.wait(None).await.expect("it ends");
            let is_clean = match &exit {
                Exit::Stopped(reason) => {
                    assert_eq!(reason.as_deref(), Some("asked"));
                    true
                }
                Exit::Drained => true,
                Exit::Killed => false,
                other => panic!("{other}"),
            };
            asked.into_iter().for_each(|thread| thread.join().expect("it ends"));
            sender.join().expect("it ends");
            assert_eq!((actor.status(), actor.exit()), (Status::Stopped, Some(exit)));
            assert!(counts.post_stops.load(O::SeqCst) <= 1);
            assert!(!is_clean || counts.post_stops.load(O::SeqCst) == 1);
            assert_eq!(counts.dropped.load(O::SeqCst), 2);
            assert_eq!((system.registered(), system.groups().names()), (vec![], vec![]));
        });
    });
}

#[test]
fn a_name_has_one_holder_among_ends_and_spawns() {
    check(5_000, || {
        block_on(async {
            let system = system();
            let (first, _) = clerk(&system, SpawnOptions::new().name("one")).await;
            let spawns = [0, 1].map(|_| {
                let system = system.clone();
                future::spawn(async move {
                    let spawned =
                        system.spawn(Clerk(Arc::default()), (), SpawnOptions::new().name("one")).await;
                    match spawned {
                        Ok(actor) => Some(actor),
                        Err(SpawnError::NameTaken(_)) => None,
                        Err(other) => panic!("{other}"),
                    }
                })
            });
            first.kill();
            let mut holders = Vec::new();
            for spawn in spawns {
                holders.extend(spawn.await.expect("it is not cancelled"));
            }
            first.wait(None).await.expect("it ends");
            assert!(holders.len() <= 1, "two hold one name");
            assert_eq!(system.where_is("one"), holders.first().map(ActorRef::cell));
            for holder in holders {
                holder.stop_and_wait(None, None).await.expect("it ends");
            }
            assert_eq!(system.registered(), []);
        });
    });
}

#[test]
fn a_group_holds_nobody_who_has_ended() {
    check(5_000, || {
        block_on(async {
            let system = system();
            let (actor, _) = clerk(&system, SpawnOptions::new()).await;
            let joins = ["a", "b"].map(|group| {
                let (system, actor) = (system.clone(), actor.clone());
                thread::spawn(move || system.groups().join(group, &actor.cell()).is_ok())
            });
            actor.stop(None);
            actor.wait(None).await.expect("it ends");
            for join in joins {
                // Whether it came in time does not matter.
                _ = join.join().expect("it ends");
            }
            assert_eq!(system.groups().names(), []);
        });
    });
}

#[test]
fn a_child_does_not_outlive_a_supervisor_that_ends_while_it_is_linked() {
    check(5_000, || {
        block_on(async {
            let system = system();
            let chief = system.spawn(Chief(9), (), SpawnOptions::new()).await.expect("it starts");
            let (child, _) = clerk(&system, SpawnOptions::new()).await;
            let links = {
                let (child, chief) = (child.cell(), chief.cell());
                thread::spawn(move || child.link(&chief).is_ok())
            };
            chief.kill();
            chief.wait(None).await.expect("it ends");
            if links.join().expect("it ends") {
                assert_eq!(child.wait(None).await, Ok(Exit::Killed));
            } else {
                assert!(child.status() <= Status::Running);
                child.stop_and_wait(None, None).await.expect("it ends");
            }
            assert_eq!((child.cell().supervisor(), chief.cell().children()), (None, vec![]));
        });
    });
}

#[test]
fn the_last_address_may_go_while_another_sends() {
    check(5_000, || {
        let counts = Arc::new(Counts::default());
        let accepted = block_on(async {
            let system = system();
            let actor =
                system.spawn(Clerk(counts.clone()), (), SpawnOptions::new()).await.expect("it starts");
            let weak = actor.downgrade();
            let sender = {
                let counts = counts.clone();
                thread::spawn(move || {
                    let upgraded = weak.upgrade();
                    upgraded.is_some_and(|actor| actor.cast(Parcel::of(&counts)).is_ok())
                })
            };
            let stops = {
                let actor = actor.clone();
                thread::spawn(move || actor.stop(None))
            };
            drop(actor);
            stops.join().expect("it ends");
            usize::from(sender.join().expect("it ends"))
        });
        // Dropped, be it handled or not, and also if it was refused.
        let dropped = counts.dropped.load(O::SeqCst);
        assert!(counts.handled.load(O::SeqCst) <= accepted && dropped <= 1);
    });
}
