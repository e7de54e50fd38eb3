//! An actor that would wait for itself is told, in builds with debug assertions. In others
//! it waits, and there is nothing to test.

use std::time::Duration;

use actor_core::{ActorRef, Exit, Recipient, Shutdown, SpawnError, SpawnOptions, multi_call};

use crate::support::{
    Act, Door, Entry, Gate, Hook, Log, Message, Probe, act, act_once, dead, held, poll_once, settled,
};

const HOUR: Duration = Duration::from_secs(60 * 60);

/// What is said to an actor that calls itself.
fn is_told(exit: &Exit, actor: &ActorRef<Message>) -> bool {
    let told = format!(
        "actor {} (without a name) calls itself and waits for the answer in its own hook",
        actor.id()
    );
    matches!(exit, Exit::Panicked(text) if text.starts_with(&told))
}

/// A hook that awaits a call to its own actor.
fn call_myself() -> Act {
    act(|myself| async move {
        myself.call(Message::Ask).await.map(drop).map_err(|error| error.to_string().into())
    })
}

pub(super) async fn a12_an_actor_that_calls_itself_fails(door: impl Door) {
    if !cfg!(debug_assertions) {
        return;
    }
    let log = Log::default();
    let parent = door.spawn(Probe::new(&log)).await;
    settled(&parent).await;
    for hook in [Hook::PostStart, Hook::Handle, Hook::Supervise, Hook::PostStop] {
        log.take();
        let actor = door.spawn_under(&parent, Probe::new(&Log::default()).at(hook, call_myself())).await;
        match hook {
            Hook::Handle => actor.cast(Message::Note(1)).unwrap(),
            Hook::Supervise => _ = actor.cell().watch(&dead(&door).await),
            Hook::PostStop => actor.stop(None),
            _ => {}
        }
        let exit = actor.wait(None).await.unwrap();
        assert!(is_told(&exit, &actor), "{hook:?}: {exit:?}");
        settled(&parent).await;
        assert_eq!(log.take().last(), Some(&Entry::Failed(actor.id(), exit)));
    }
    let probe = Probe::new(&Log::default()).at(Hook::PreStart, call_myself());
    let refused = door.start(probe, SpawnOptions::new().name("selfish")).await;
    let Err(SpawnError::Startup(Exit::Panicked(text))) = refused else { panic!("{refused:?}") };
    assert!(text.contains("(selfish) calls itself"), "{text}");
}

pub(super) async fn a12_whatever_way_it_calls_itself(door: impl Door) {
    if !cfg!(debug_assertions) {
        return;
    }
    let ways: [Act; 4] = [
        act(|myself| async move {
            myself.call_timeout(HOUR, Message::Ask).await.map(drop).map_err(|error| error.to_string().into())
        }),
        act(|myself| async move {
            drop(multi_call(&[myself], None, Message::Ask).await);
            Ok(())
        }),
        // Beside something else, and after it has waited.
        act(|myself| async move {
            tokio::task::consume_budget().await;
            tokio::select! {
                biased;
                never = std::future::pending() => never,
                _ = myself.call(Message::Ask) => Ok(()),
            }
        }),
        // Its child's `pre_start` runs in its hook.
        act(|myself| async move {
            let system = actor_core::ActorSystem::current();
            let up = myself.clone();
            let ask = act_once(|| async move { drop(up.call(Message::Ask).await) });
            let child = Probe::new(&Log::default()).at(Hook::PreStart, ask);
            match system.spawn(child, (), SpawnOptions::new()).await {
                Err(SpawnError::Startup(Exit::Panicked(text))) => panic!("{text}"),
                other => panic!("{other:?}"),
            }
        }),
    ];
    for way in ways {
        let actor = door.spawn(Probe::new(&Log::default())).await;
        actor.cast(Message::Do(way)).unwrap();
        let exit = actor.wait(None).await.unwrap();
        assert!(is_told(&exit, &actor), "{exit:?}");
    }
}

/// What is said to an actor that waits for its own end.
fn is_told_of_its_end(exit: &Exit, actor: &ActorRef<Message>) -> bool {
    let told = format!("actor {} (without a name) waits for its own end in its own hook", actor.id());
    matches!(exit, Exit::Panicked(text) if text.starts_with(&told))
}

pub(super) async fn a12_an_actor_that_waits_for_its_own_end_fails(door: impl Door) {
    if !cfg!(debug_assertions) {
        return;
    }
    let ways: [fn() -> Act; 4] = [
        || act(|myself| async move { myself.wait(None).await.map(drop).map_err(Into::into) }),
        || act(|myself| async move { myself.wait(Some(HOUR)).await.map(drop).map_err(Into::into) }),
        || {
            act(
                |myself| async move { myself.stop_and_wait(None, Some(HOUR)).await.map(drop).map_err(Into::into) },
            )
        },
        || {
            act(
                |myself| async move { myself.cell().drain_and_wait(None).await.map(drop).map_err(Into::into) },
            )
        },
    ];
    for way in ways {
        for hook in [Hook::PostStart, Hook::Handle, Hook::Supervise, Hook::PostStop] {
            let actor = door.spawn(Probe::new(&Log::default()).at(hook, way())).await;
            match hook {
                Hook::Handle => actor.cast(Message::Note(1)).unwrap(),
                Hook::Supervise => _ = actor.cell().watch(&dead(&door).await),
                Hook::PostStop => actor.stop(None),
                _ => {}
            }
            let exit = actor.wait(None).await.unwrap();
            assert!(is_told_of_its_end(&exit, &actor), "{hook:?}: {exit:?}");
        }
    }
}

/// A hook that has its actor killed ends there, and so may say it like this.
pub(super) async fn an_actor_may_be_killed_by_its_own_hook(door: impl Door) {
    let ways: [Act; 3] = [
        act(|myself| async move { myself.kill_and_wait(None).await.map(drop).map_err(Into::into) }),
        act(|myself| async move {
            myself.cell().shut_down(Shutdown::Kill).await;
            Err("it went on".into())
        }),
        act(|myself| async move {
            myself.cell().shut_down(Shutdown::Stop(Duration::ZERO)).await;
            Err("it went on".into())
        }),
    ];
    for way in ways {
        let actor = door.spawn(Probe::new(&Log::default())).await;
        actor.cast(Message::Do(way)).unwrap();
        assert_eq!(actor.wait(None).await, Ok(Exit::Killed));
    }
    // What it attached may wait for it, and another task hear of it.
    let actor = door.spawn(Probe::new(&Log::default())).await;
    let (tell, told) = tokio::sync::oneshot::channel();
    let (one, other) = (actor.clone(), actor.clone());
    let executor = door.system().executor().clone();
    let wait = act_once(|| async move {
        let attached = one.clone();
        one.cell().attach(async move { drop(attached.wait(None).await) });
        executor.spawn(async move { drop(tell.send(other.stop_and_wait(None, None).await)) }).detach();
    });
    actor.cast(Message::Do(wait)).unwrap();
    assert_eq!(told.await, Ok(Ok(Exit::Stopped(None))));
}

pub(super) async fn what_runs_beside_its_hooks_may_call_an_actor(door: impl Door) {
    let actor = door.spawn(Probe::new(&Log::default())).await;
    let gate = Gate::new();
    let beside = {
        let gate = gate.clone();
        act(move |myself| {
            let (gate, executor) = (gate.clone(), actor_core::ActorSystem::current().executor().clone());
            async move {
                // Made in the hook, awaited by what is attached and by another task.
                let (one, other) = (myself.clone(), myself.clone());
                myself.pipe(async move { one.call(Message::Ask).await.unwrap() }, Message::Note);
                let task = async move { _ = other.call(Message::Ask).await.unwrap() };
                executor.spawn(task).detach();
                gate.pass().await;
                Ok(())
            }
        })
    };
    actor.cast(Message::Do(beside)).unwrap();
    gate.reached().await;
    gate.open();
    // The calls are answered after the hook, and the first of them sent a note.
    while settled(&actor).await == 0 {}
    // Nothing is left over from a hook that panicked, or was given up halfway.
    let panicked = door.spawn(Probe::new(&Log::default())).await;
    panicked.cast(Message::Do(call_myself())).unwrap();
    if cfg!(debug_assertions) {
        assert!(panicked.wait(None).await.unwrap().is_failure());
    } else {
        panicked.kill();
    }
    let mut spawning = Box::pin(door.start(
        Probe::new(&Log::default()).at(Hook::PreStart, gate.act()),
        SpawnOptions::new().name("halfway"),
    ));
    held(spawning.as_mut(), gate.reached()).await;
    let halfway = door.system().where_is_typed::<Message>("halfway").unwrap();
    let mut calling = Box::pin(halfway.call(Message::Ask));
    assert!(poll_once(calling.as_mut()).await.is_pending());
    drop(spawning);
    assert!(calling.await.is_err());
    // Others may call each other in their hooks.
    let other = actor.clone();
    let ask = act_once(|| async move { _ = other.call(Message::Ask).await.unwrap() });
    let caller = door.spawn(Probe::new(&Log::default())).await;
    caller.cast(Message::Do(ask)).unwrap();
    assert_eq!(settled(&caller).await, 0);
    let to_itself: Recipient<Message> = caller.recipient();
    to_itself.cast(Message::Note(1)).unwrap();
    assert_eq!(settled(&caller).await, 1);
}
