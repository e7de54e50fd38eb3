//! How often, and how soon.

use actor_core::{
    Backoff, ChildSpec, Exit, Intensity, Restart, Shutdown, SpawnOptions, Strategy, Supervisor,
};

use super::family::{Ask, Cradle, Diary, MS, count, is_running, states};

pub(super) async fn c07_one_restart_too_many_in_the_window_ends_it_all(cradle: impl Cradle) {
    for strategy in [Strategy::OneForOne, Strategy::OneForAll, Strategy::RestForOne] {
        let diary = Diary::default();
        let builder = Supervisor::builder()
            .strategy(strategy)
            .intensity(Intensity { restarts: 2, window: 1_000 * MS })
            .child(cradle.kid("a", &diary))
            .child(cradle.kid("b", &diary));
        let supervisor = cradle.spawn(builder).await.unwrap();
        let (a, b) = (supervisor.find::<Ask>("a").await.unwrap(), supervisor.find::<Ask>("b").await.unwrap());
        for failing in [&a, &b] {
            failing.cast(Ask::Fall).unwrap();
            cradle.idle().await;
            assert!(is_running(&supervisor, "a").await && is_running(&supervisor, "b").await);
        }
        diary.take();
        b.cast(Ask::Fall).unwrap();
        let exit = supervisor.wait(None).await.unwrap();
        let text = "too many restarts; the last to fail was \"b\": panicked: fell";
        assert_eq!(exit, Exit::Failed(text.into()));
        // The other one was ended in peace.
        assert_eq!(diary.take(), "!b -a", "{strategy:?}");
        cradle.idle().await;
        assert!(a.cast(Ask::Fail).is_err() && b.cast(Ask::Fail).is_err());
    }
}

pub(super) async fn c07_older_restarts_age_out(cradle: impl Cradle) {
    let diary = Diary::default();
    let builder = Supervisor::builder()
        .intensity(Intensity { restarts: 1, window: 100 * MS })
        .child(cradle.kid("a", &diary));
    let supervisor = cradle.spawn(builder).await.unwrap();
    let a = supervisor.find::<Ask>("a").await.unwrap();
    for _ in 0..5 {
        a.cast(Ask::Fall).unwrap();
        assert_eq!(count(&a).await, 1);
        cradle.pass(100 * MS).await;
    }
    assert_eq!(states(&supervisor).await, ["a:Running:5"]);
    a.cast(Ask::Fall).unwrap();
    cradle.pass(98 * MS).await;
    a.cast(Ask::Fall).unwrap();
    assert!(supervisor.wait(None).await.unwrap().is_failure());
}

pub(super) async fn c08_delays_double_and_the_supervisor_answers_meanwhile(cradle: impl Cradle) {
    let diary = Diary::default();
    let backoff = Backoff::exponential(10 * MS, 50 * MS).jitter(0.0).reset_after(1_000 * MS);
    let builder = Supervisor::builder()
        .intensity(Intensity { restarts: 99, window: 1_000 * MS })
        .child(cradle.kid("a", &diary).backoff(backoff))
        .child(cradle.kid("b", &diary));
    let supervisor = cradle.spawn(builder).await.unwrap();
    let a = supervisor.find::<Ask>("a").await.unwrap();
    let clock = cradle.system().executor().clone();
    for (restarts, delay) in [10, 20, 40, 50, 50].into_iter().enumerate() {
        let fell_at = clock.now();
        a.cast(Ask::Fall).unwrap();
        cradle.idle().await;
        assert_eq!(states(&supervisor).await[0], format!("a:Waiting:{restarts}"));
        // Meanwhile the other one comes back at once.
        let b = supervisor.find::<Ask>("b").await.unwrap();
        b.cast(Ask::Fall).unwrap();
        assert_eq!(count(&b).await, 1);
        assert_eq!(count(&a).await, 1);
        assert_eq!(clock.now() - fell_at, delay * MS);
    }
}

pub(super) async fn c08_a_stable_child_begins_anew(cradle: impl Cradle) {
    let diary = Diary::default();
    let backoff = Backoff::exponential(10 * MS, 80 * MS).jitter(0.0).reset_after(200 * MS);
    let builder = Supervisor::builder()
        .intensity(Intensity { restarts: 99, window: 1_000 * MS })
        .child(cradle.kid("a", &diary).backoff(backoff));
    let supervisor = cradle.spawn(builder).await.unwrap();
    let a = supervisor.find::<Ask>("a").await.unwrap();
    let clock = cradle.system().executor().clone();
    for (up, delay) in [(0, 10), (0, 20), (199, 40), (200, 10), (0, 20)] {
        cradle.pass(up * MS).await;
        let fell_at = clock.now();
        a.cast(Ask::Fall).unwrap();
        assert_eq!(count(&a).await, 1);
        assert_eq!(clock.now() - fell_at, delay * MS, "after {up} ms");
    }
}

/// A delay is over for nobody who was removed, or started by hand, before.
pub(super) async fn c08_a_delay_is_over_only_for_who_waits_for_it(cradle: impl Cradle) {
    let diary = Diary::default();
    let backoff = Backoff::exponential(20 * MS, 20 * MS).jitter(0.0);
    let builder = Supervisor::builder().intensity(Intensity { restarts: 99, window: 1_000 * MS });
    let builder = ["a", "b", "c"]
        .into_iter()
        .fold(builder, |builder, id| builder.child(cradle.kid(id, &diary).backoff(backoff)));
    let supervisor = cradle.spawn(builder).await.unwrap();
    for id in ["a", "b", "c"] {
        supervisor.find::<Ask>(id).await.unwrap().cast(Ask::Fall).unwrap();
    }
    cradle.pass(10 * MS).await;
    assert_eq!(states(&supervisor).await, ["a:Waiting:0", "b:Waiting:0", "c:Waiting:0"]);
    diary.take();
    // It is as it fell that it ends.
    assert_eq!(supervisor.end_child("a").await.unwrap(), Exit::Panicked("fell".into()));
    supervisor.remove_child("a").await.unwrap();
    assert_eq!(supervisor.end_child("b").await.unwrap(), Exit::Panicked("fell".into()));
    supervisor.restart_child("b").await.unwrap();
    cradle.pass(5 * MS).await;
    assert_eq!(
        (states(&supervisor).await, diary.take()),
        (vec!["b:Running:0".into(), "c:Waiting:0".into()], "+b".into())
    );
    let b = supervisor.find::<Ask>("b").await.unwrap();
    assert_eq!(count(&b).await, 1);
    cradle.pass(100 * MS).await;
    assert_eq!(
        (states(&supervisor).await, diary.take()),
        (vec!["b:Running:0".into(), "c:Running:1".into()], "+c".into())
    );
    // It is still in the life that was begun by hand.
    assert_eq!(count(&b).await, 2);
}

/// The time that a child is given to stop is over for no child that has stopped.
pub(super) async fn c08_a_time_to_stop_is_over_only_for_who_has_not(cradle: impl Cradle) {
    let diary = Diary::default();
    let a = cradle.kid("a", &diary).shutdown(Shutdown::Stop(20 * MS));
    let supervisor = cradle.spawn(Supervisor::builder().child(a)).await.unwrap();
    assert!(supervisor.end_child("a").await.is_ok());
    supervisor.restart_child("a").await.unwrap();
    let a = supervisor.find::<Ask>("a").await.unwrap();
    assert_eq!(count(&a).await, 1);
    cradle.pass(100 * MS).await;
    assert_eq!((count(&a).await, diary.take()), (2, "+a -a +a".into()));
}

/// Each knob set to something else than its default, and its effect.
pub(super) async fn c10_what_the_builder_was_told_is_what_happens(cradle: impl Cradle) {
    let diary = Diary::default();
    let spec = |id| -> ChildSpec<Ask> { cradle.kid(id, &diary) };
    let builder = Supervisor::builder()
        .strategy(Strategy::RestForOne)
        .intensity(Intensity { restarts: 1, window: 7 * MS })
        .child(spec("a").restart(Restart::Transient).options(SpawnOptions::new().name("first")))
        .child(spec("b").shutdown(Shutdown::Stop(20 * MS)))
        .child(spec("c").backoff(Backoff::exponential(3 * MS, 3 * MS).jitter(0.0)));
    let text = format!("{builder:?}");
    for said in ["RestForOne", "restarts: 1", "7ms", "\"a\", \"b\", \"c\""] {
        assert!(text.contains(said), "{text} lacks {said}");
    }
    let supervisor = cradle.spawn(builder).await.unwrap();
    cradle.idle().await;
    let clock = cradle.system().executor().clone();
    // The name and the restart policy of the first.
    let a = cradle.system().where_is_typed::<Ask>("first").unwrap();
    assert_eq!(count(&a).await, 1);
    // The strategy, and the backoff of the third.
    let c = supervisor.find::<Ask>("c").await.unwrap();
    let fell_at = clock.now();
    c.cast(Ask::Fall).unwrap();
    assert_eq!((count(&c).await, clock.now() - fell_at), (1, 3 * MS));
    cradle.pass(10 * MS).await;
    diary.take();
    // How long the second is given.
    let b = supervisor.find::<Ask>("b").await.unwrap();
    b.cast(Ask::Hang).unwrap();
    let told_at = clock.now();
    a.cast(Ask::Fall).unwrap();
    assert_eq!(count(&b).await, 1);
    assert_eq!(clock.now() - told_at, 20 * MS);
    cradle.idle().await;
    assert_eq!(diary.take(), "!a -c +a +b +c");
    // The intensity.
    a.cast(Ask::Fall).unwrap();
    cradle.idle().await;
    a.cast(Ask::Fall).unwrap();
    assert!(supervisor.wait(None).await.unwrap().is_failure());
}
