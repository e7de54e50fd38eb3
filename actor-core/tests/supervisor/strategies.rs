//! Who starts again.

use actor_core::{Exit, Intensity, Restart, Shutdown, Strategy, Supervisor};

use super::family::{Ask, Cradle, Diary, MS, child, count, states};

pub(super) async fn c01_only_the_child_that_failed_starts_again(cradle: impl Cradle) {
    let diary = Diary::default();
    let kid = |id| cradle.kid(id, &diary);
    let supervisor = cradle.spawn(Supervisor::builder().child(kid("a")).child(kid("b")).child(kid("c")));
    let supervisor = supervisor.await.unwrap();
    cradle.idle().await;
    assert_eq!(diary.take(), "+a +b +c");
    let b = supervisor.find::<Ask>("b").await.unwrap();
    b.cast(Ask::Fall).unwrap();
    assert_eq!(count(&b).await, 1);
    cradle.idle().await;
    assert_eq!(diary.take(), "!b +b");
    assert_eq!(states(&supervisor).await, ["a:Running:0", "b:Running:1", "c:Running:0"]);
    assert_eq!(child(&supervisor, "b").await.last_exit, Some(Exit::Panicked("fell".into())));
}

pub(super) async fn c02_all_stop_in_reverse_order_and_start_in_order_once(cradle: impl Cradle) {
    let diary = Diary::default();
    let builder = ["a", "b", "c", "d"]
        .into_iter()
        .fold(Supervisor::builder(), |builder, id| builder.child(cradle.kid(id, &diary)));
    let supervisor = cradle.spawn(builder.strategy(Strategy::OneForAll)).await.unwrap();
    let refs = supervisor.children().await.unwrap();
    cradle.idle().await;
    diary.take();
    supervisor.find::<Ask>("b").await.unwrap().cast(Ask::Fail).unwrap();
    cradle.idle().await;
    assert_eq!(diary.take(), "!b -d -c -a +a +b +c +d");
    assert_eq!(states(&supervisor).await, ["a", "b", "c", "d"].map(|id| format!("{id}:Running:1")));
    let after = supervisor.children().await.unwrap();
    assert!(refs.iter().zip(&after).all(|(before, after)| before.actor == after.actor));
}

pub(super) async fn c03_those_after_it_start_again_and_those_before_do_not(cradle: impl Cradle) {
    let diary = Diary::default();
    let builder = ["a", "b", "c"]
        .into_iter()
        .fold(Supervisor::builder(), |builder, id| builder.child(cradle.kid(id, &diary)));
    let supervisor = cradle.spawn(builder.strategy(Strategy::RestForOne)).await.unwrap();
    cradle.idle().await;
    diary.take();
    supervisor.find::<Ask>("b").await.unwrap().cast(Ask::Fall).unwrap();
    cradle.idle().await;
    assert_eq!(diary.take(), "!b -c +b +c");
    assert_eq!(states(&supervisor).await, ["a:Running:0", "b:Running:1", "c:Running:1"]);
}

pub(super) async fn c04_c05_c06_who_starts_again_after_what(cradle: impl Cradle) {
    let ends = ["stop", "drain", "kill", "fail", "fall"];
    let table = [
        (Restart::Permanent, ["-a +a", "-a +a", "+a", "!a +a", "!a +a"]),
        (Restart::Transient, ["-a", "-a", "+a", "!a +a", "!a +a"]),
        (Restart::Temporary, ["-a", "-a", "", "!a", "!a"]),
    ];
    for (restart, expected) in table {
        for (end, expected) in ends.into_iter().zip(expected) {
            let diary = Diary::default();
            let builder = Supervisor::builder().child(cradle.kid("a", &diary).restart(restart));
            let supervisor = cradle.spawn(builder).await.unwrap();
            cradle.idle().await;
            diary.take();
            let a = supervisor.find::<Ask>("a").await.unwrap();
            match end {
                "stop" => a.stop(None),
                "drain" => a.drain(),
                "kill" => a.kill(),
                "fail" => a.cast(Ask::Fail).unwrap(),
                _ => a.cast(Ask::Fall).unwrap(),
            }
            cradle.idle().await;
            assert_eq!(diary.take(), expected, "{restart:?}, {end}");
            let states = states(&supervisor).await;
            match (expected.ends_with("+a"), restart) {
                (true, _) => assert_eq!(states, ["a:Running:1"]),
                (false, Restart::Temporary) => assert_eq!(states, [""; 0]),
                (false, _) => assert_eq!(states, ["a:Ended:0"]),
            }
            supervisor.stop_and_wait(None, None).await.unwrap();
        }
    }
}

/// Nobody tells the supervisor: the task of the child does, whatever became of the child.
pub(super) async fn c12_a_failure_is_noticed_by_itself(cradle: impl Cradle) {
    let diary = Diary::default();
    let builder = Supervisor::builder().intensity(Intensity { restarts: 9, window: 1_000 * MS });
    let supervisor = cradle.spawn(builder.child(cradle.kid("a", &diary))).await.unwrap();
    let a = supervisor.find::<Ask>("a").await.unwrap();
    for life in 1..=3 {
        a.cast(Ask::Fall).unwrap();
        cradle.idle().await;
        assert_eq!(states(&supervisor).await, [format!("a:Running:{life}")]);
    }
    assert_eq!(diary.take(), "+a !a +a !a +a !a +a");
}

pub(super) async fn what_waits_in_the_mailbox_outlives_a_siblings_failure(cradle: impl Cradle) {
    let diary = Diary::default();
    let hurried = |id| cradle.kid(id, &diary).shutdown(Shutdown::Kill);
    let builder = Supervisor::builder().strategy(Strategy::OneForAll).child(hurried("a")).child(hurried("b"));
    let supervisor = cradle.spawn(builder).await.unwrap();
    let a = supervisor.find::<Ask>("a").await.unwrap();
    let b = supervisor.find::<Ask>("b").await.unwrap();
    b.cast(Ask::Hang).unwrap();
    cradle.idle().await;
    // Behind the message in hand, which is lost with its life.
    let waiting = b.call(Ask::Count);
    let mut waiting = std::pin::pin!(waiting);
    crate::support::held(waiting.as_mut(), cradle.idle()).await;
    a.cast(Ask::Fall).unwrap();
    assert_eq!(waiting.await.ok(), Some(1));
    cradle.idle().await;
    assert_eq!(diary.take(), "+a +b !a +a +b");
}
