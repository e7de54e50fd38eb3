//! A durable service is a service for its callers.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::Duration;

use actor_durable::limits::{REMEMBERED_DEFAULT, SERVICE_CALLS_MAX};
use actor_durable::testing::FaultMode;
use actor_durable::{NotApplied, ServiceCalls, ServiceError};
use futures_util::future::{join, join_all};
use tower_service::Service;

use super::services::{Request, Response, Shops, ask, calls, put, shop};
use super::{End, failing, process};
use crate::stage::{World, pass};

/// What one poll says.
async fn poll_once(calls: &mut ServiceCalls<Shops>) -> Poll<Result<(), ServiceError>> {
    poll_fn(|cx| Poll::Ready(calls.poll_ready(cx))).await
}

#[test]
fn d42_a_durable_service_is_a_service_and_tells_its_errors() {
    let (mut world, shops) = (World::new(), Shops::default());
    let store = world.store.clone();
    process(&mut world, store, shops.register(), End::InPeace, async |system| {
        let mut calls = calls(system);
        let answer = ask(&mut calls, put(5)).await.expect("it is stored");
        assert_eq!(answer, Response { all: 5, refused: 0 });
        let refused = ask(&mut calls, Request::Refuse).await;
        let Err(ServiceError::Service(text)) = refused else { panic!("{refused:?}") };
        assert_eq!(text, "refused for the 1. time");
        let panicked = ask(&mut calls, Request::Panic).await;
        assert!(matches!(panicked, Err(ServiceError::NotApplied(NotApplied::Panicked(_)))), "{panicked:?}");
    });
}

#[test]
fn d42_a_request_with_an_id_is_applied_once_however_often_it_is_repeated() {
    let (mut world, shops) = (World::new(), Shops::default());
    let store = world.store.clone();
    let request = process(&mut world, store.clone(), shops.register(), End::Crash, async |system| {
        let id = shop::<Shops>(system).new_message_id();
        let request = Request::PutOnce(id, "thing".to_owned(), 5);
        for _ in 0..2 {
            let answer = ask(&mut calls(system), request.clone()).await.expect("it is stored");
            assert_eq!(answer.all, 5);
        }
        request
    });
    process(&mut world, store, shops.register(), End::InPeace, async |system| {
        assert_eq!(ask(&mut calls(system), put(1)).await.expect("it is stored").all, 6);
        assert_eq!(ask(&mut calls(system), request).await.expect("it is remembered").all, 5);
    });
}

/// They are made in one millisecond, as far as ids tell.
#[test]
fn d42_more_requests_at_once_than_a_service_remembers_are_all_answered() {
    const { assert!(SERVICE_CALLS_MAX > REMEMBERED_DEFAULT, "so many at a time are more than are remembered") };
    let (mut world, shops) = (World::new(), Shops::default());
    let store = world.store.clone();
    process(&mut world, store, shops.register(), End::InPeace, async |system| {
        let mut calls = calls(system);
        let mut answers = Vec::new();
        for _ in 0..SERVICE_CALLS_MAX {
            assert!(poll_once(&mut calls).await.is_ready());
            answers.push(calls.call(put(0)));
        }
        for answer in join_all(answers).await {
            assert_eq!(answer.expect("it is stored").all, 0);
        }
    });
}

#[test]
fn d42_it_is_ready_for_so_many_calls_and_not_for_more() {
    let (mut world, shops) = (World::new(), Shops::default());
    let store = failing(&world, 2, FaultMode::Pause);
    process(&mut world, Arc::new(store.clone()), shops.register(), End::InPeace, async |system| {
        let mut one = ServiceCalls::bounded(shop::<Shops>(system), 2);
        let mut other = one.clone();
        assert!(poll_once(&mut one).await.is_ready());
        let first = one.call(put(1));
        assert!(poll_once(&mut one).await.is_ready());
        assert!(poll_once(&mut other).await.is_pending(), "a place that is taken is taken, called or not");
        let second = one.call(put(1));
        assert!(poll_once(&mut one).await.is_pending());
        let answers = async {
            store.paused().await;
            assert!(poll_once(&mut other).await.is_pending(), "both calls wait for the commit");
            store.resume();
        };
        let (first, second, ()) = futures_util::future::join3(first, second, answers).await;
        assert_eq!([first.expect("it is stored").all, second.expect("it is stored").all], [1, 2]);
        assert!(poll_once(&mut other).await.is_ready());
        drop(other);
        assert!(poll_once(&mut one).await.is_ready(), "who does not call gives its place back");
        assert_eq!(shops.0.calls.load(Ordering::Relaxed), 2);
    });
}

#[test]
fn d42_it_fails_when_the_system_is_shut_down_and_is_not_called_before_it_is_ready() {
    let (mut world, shops) = (World::new(), Shops::default());
    let store = world.store.clone();
    process(&mut world, store, shops.register(), End::InPeace, async |system| {
        let mut calls = calls(system);
        let called = catch_unwind(AssertUnwindSafe(|| drop(calls.call(put(1)))));
        assert!(called.is_err(), "it was not ready");
        assert!(matches!(poll_once(&mut calls).await, Poll::Ready(Ok(()))));
        system.shutdown(Duration::from_secs(60)).await.expect("the store takes the lease back");
        let ready = poll_once(&mut calls).await;
        assert!(
            matches!(ready, Poll::Ready(Err(ServiceError::NotApplied(NotApplied::ShutDown)))),
            "{ready:?}"
        );
    });
}

#[test]
fn d42_whoever_waits_until_it_is_ready_is_told_of_the_shutdown() {
    let (mut world, shops) = (World::new(), Shops::default());
    let store = world.store.clone();
    process(&mut world, store, shops.register(), End::InPeace, async |system| {
        let mut one = ServiceCalls::bounded(shop::<Shops>(system), 1);
        let mut other = one.clone();
        assert!(poll_once(&mut one).await.is_ready());
        let waits = poll_fn(|cx| other.poll_ready(cx));
        let shutdown = async {
            pass(system, Duration::from_millis(10)).await;
            system.shutdown(Duration::from_secs(60)).await.expect("the store takes the lease back");
        };
        let (told, ()) = join(waits, shutdown).await;
        assert!(matches!(told, Err(ServiceError::NotApplied(NotApplied::ShutDown))), "{told:?}");
    });
}
