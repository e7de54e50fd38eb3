//! A service is what its requests make of it, however often its process ends.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use actor_durable::testing::FaultMode;
use actor_durable::{
    ActivationError, AskError, CodecError, DurableSystem, NotApplied, WrapService, WrappedService,
};

use super::services::{
    ALL_MAX, Around, Cart, LaterShops, OneWayShops, Request, Response, Shop, Shops, ask, put, shop,
};
use super::{End, failing, process};
use crate::stage::{self, World, account, pass};

/// A call's answer, and what the service answers.
type Answered = Result<Result<Response, String>, AskError<actor_durable::NoError>>;

async fn call<W>(system: &DurableSystem, request: Request) -> Answered
where
    W: WrapService<Request = Request, Response = Response>,
{
    shop::<W>(system).call(request).await
}

async fn look<W>(system: &DurableSystem) -> Response
where
    W: WrapService<Request = Request, Response = Response>,
{
    call::<W>(system, Request::Look).await.expect("it is there").expect("it is answered")
}

/// Some requests of all kinds that a service may be asked.
fn requests(count: u32) -> impl Iterator<Item = Request> {
    (0..count).map(|n| match n % 5 {
        0 => Request::Refuse,
        1 => Request::Look,
        _ => Request::Put(format!("thing {}", n % 3), n),
    })
}

#[test]
fn d42_a_service_restarted_from_its_journal_is_in_an_equal_state() {
    let (mut world, shops) = (World::new(), Shops::default());
    let store = world.store.clone();
    // The same service, in one process that never ends.
    let mut plain = Shop::new(Cart::default(), Around::default());
    for requests in [requests(17), requests(1), requests(40)] {
        let answers = process(&mut world, store.clone(), shops.register(), End::Crash, async |system| {
            let mut answers = Vec::new();
            for request in requests {
                let answer = call::<Shops>(system, request.clone()).await.expect("it is stored");
                answers.push((answer, ask(&mut plain, request).await.map_err(|error| error.to_string())));
            }
            answers
        });
        answers.into_iter().for_each(|(durable, plain)| assert_eq!(durable, plain));
    }
    let looked = world.simulation.block_on(ask(&mut plain, Request::Look)).expect("it is answered");
    assert!(looked.all > 0 && looked.refused > 0);
    let found = process(&mut world, store, shops.register(), End::InPeace, look::<Shops>);
    assert_eq!(found, looked);
}

#[test]
fn d42_a_request_is_journalled_before_its_answer_leaves() {
    let (mut world, shops) = (World::new(), Shops::default());
    let store = failing(&world, 2, FaultMode::Pause);
    process(&mut world, Arc::new(store.clone()), shops.register(), End::InPeace, async |system| {
        let shop = shop::<Shops>(system);
        let id = shop.new_message_id();
        let early = shop.call(put(5)).id(id).timeout(Duration::from_secs(1)).await;
        assert!(matches!(early, Err(AskError::Unknown { .. })), "{early:?}");
        assert_eq!(shops.0.calls.load(Ordering::Relaxed), 1, "it was answered, and is being stored");
        store.resume();
        let late = shop.call(put(5)).id(id).await.expect("it is stored");
        assert_eq!(late, Ok(Response { all: 5, refused: 0 }));
    });
}

#[test]
fn d42_a_request_that_only_looks_is_not_journalled() {
    let (mut world, shops) = (World::new(), Shops::default());
    let store = world.store.clone();
    process(&mut world, store.clone(), shops.register(), End::InPeace, async |system| {
        let id = shop::<Shops>(system).id().clone();
        let last = async || store.head(&id).await.expect("it is in memory").expect("it is there").sequence;
        call::<Shops>(system, put(5)).await.expect("it is stored").expect("it is answered");
        let before = last().await;
        assert_eq!(look::<Shops>(system).await.all, 5);
        assert_eq!(last().await, before);
        call::<Shops>(system, put(1)).await.expect("it is stored").expect("it is answered");
        assert_eq!((last().await, look::<Shops>(system).await.all), (before.next(), 6));
    });
}

#[test]
fn d42_a_request_whose_commit_failed_is_not_in_the_service() {
    let (mut world, shops) = (World::new(), Shops::default());
    let store = failing(&world, 3, FaultMode::Refuse);
    process(&mut world, Arc::new(store), shops.register(), End::InPeace, async |system| {
        call::<Shops>(system, put(5)).await.expect("it is stored").expect("it is answered");
        let refused = call::<Shops>(system, put(7)).await;
        assert!(matches!(refused, Err(AskError::NotApplied(NotApplied::Store(_)))), "{refused:?}");
        assert_eq!(look::<Shops>(system).await.all, 5);
    });
}

#[test]
fn d42_an_error_is_an_answer_and_is_run_again_as_one() {
    let (mut world, shops) = (World::new(), Shops::default());
    let store = world.store.clone();
    let id = process(&mut world, store.clone(), shops.register(), End::Crash, async |system| {
        let shop = shop::<Shops>(system);
        let id = shop.new_message_id();
        let answer = shop.call(Request::Refuse).id(id).await.expect("it is stored");
        assert_eq!(answer, Err("refused for the 1. time".to_owned()));
        id
    });
    process(&mut world, store, shops.register(), End::InPeace, async |system| {
        assert_eq!(look::<Shops>(system).await.refused, 1);
        let again = shop::<Shops>(system).call(Request::Refuse).id(id).await.expect("it is remembered");
        assert_eq!(again, Err("refused for the 1. time".to_owned()));
        assert_eq!(look::<Shops>(system).await.refused, 1);
    });
}

#[test]
fn d42_a_panic_takes_the_request_back_and_a_letter_that_panics_is_given_up() {
    let (mut world, shops) = (World::new(), Shops::default());
    let store = world.store.clone();
    process(&mut world, store, shops.register(), End::InPeace, async |system| {
        call::<Shops>(system, put(5)).await.expect("it is stored").expect("it is answered");
        let panicked = call::<Shops>(system, Request::Panic).await;
        assert!(matches!(panicked, Err(AskError::NotApplied(NotApplied::Panicked(_)))), "{panicked:?}");
        assert_eq!(look::<Shops>(system).await, Response { all: 5, refused: 0 });
        let shop = shop::<Shops>(system);
        shop.send(Request::Panic).await.expect("it is stored");
        shop.send(put(1)).await.expect("it is stored");
        pass(system, Duration::from_secs(60)).await;
        assert_eq!(look::<Shops>(system).await, Response { all: 6, refused: 0 });
        assert_eq!(system.store().dead_letters(shop.id(), None, 10).await.expect("it is there").len(), 1);
    });
}

#[test]
fn d42_what_follows_from_a_request_happens_once_though_it_is_run_again() {
    let (mut world, shops) = (World::new(), Shops::default());
    let store = world.store.clone();
    process(&mut world, store.clone(), shops.register(), End::Crash, async |system| {
        call::<Shops>(system, put(5)).await.expect("it is stored").expect("it is answered");
        call::<Shops>(system, Request::Refuse).await.expect("it is stored").expect_err("it is refused");
    });
    for _ in 0..2 {
        process(&mut world, store.clone(), shops.register(), End::Crash, async |system| {
            assert_eq!(look::<Shops>(system).await, Response { all: 5, refused: 1 });
            pass(system, Duration::from_secs(20)).await;
            assert_eq!(account(system, "account").call(stage::Command::Get).await.ok(), Some(5));
        });
    }
}

#[test]
fn d42_a_request_that_nothing_can_follow_from_is_taken_back() {
    let (mut world, shops) = (World::new(), Shops::default());
    let store = world.store.clone();
    process(&mut world, store, shops.register(), End::InPeace, async |system| {
        call::<Shops>(system, put(5)).await.expect("it is stored").expect("it is answered");
        let refused = call::<Shops>(system, put(ALL_MAX)).await;
        assert!(matches!(refused, Err(AskError::NotApplied(NotApplied::NotTaken(_)))), "{refused:?}");
        assert_eq!(look::<Shops>(system).await.all, 5);
    });
}

#[test]
fn d42_a_service_that_answers_otherwise_than_before_is_refused_by_name() {
    let (mut world, shops) = (World::new(), Shops::default());
    let store = world.store.clone();
    process(&mut world, store.clone(), shops.register(), End::Crash, async |system| {
        call::<Shops>(system, put(5)).await.expect("it is stored").expect("it is answered");
        call::<Shops>(system, Request::Drift).await.expect("it is stored").expect("it is answered");
    });
    shops.0.drift.store(1, Ordering::Relaxed);
    process(&mut world, store.clone(), shops.register(), End::Crash, async |system| {
        let refused = call::<Shops>(system, put(1)).await;
        let Err(AskError::NotApplied(NotApplied::NotActivated(ActivationError::Inconsistent(why)))) = refused
        else {
            panic!("{refused:?}")
        };
        assert!(why.contains("entry 3") && why.contains("it is not deterministic"), "{why}");
    });
    shops.0.drift.store(0, Ordering::Relaxed);
    process(&mut world, store, shops.register(), End::InPeace, async |system| {
        assert_eq!(look::<Shops>(system).await.all, 5, "nothing is lost");
    });
}

#[test]
fn d42_a_later_version_takes_over_answers_otherwise_and_bounds_the_journal() {
    let (mut world, shops) = (World::new(), Shops::default());
    let later = LaterShops(shops.clone());
    let store = world.store.clone();
    process(&mut world, store.clone(), shops.register(), End::Crash, async |system| {
        call::<Shops>(system, put(5)).await.expect("it is stored").expect("it is answered");
        call::<Shops>(system, Request::Drift).await.expect("it is stored").expect("it is answered");
    });
    shops.0.drift.store(1, Ordering::Relaxed);
    process(&mut world, store.clone(), later.register(), End::Crash, async |system| {
        assert_eq!(look::<LaterShops>(system).await.all, 11, "an older version's answers are not compared");
        for _ in 0..9 {
            call::<LaterShops>(system, put(1)).await.expect("it is stored").expect("it is answered");
        }
        let head = system.store().head(shop::<LaterShops>(system).id()).await.expect("it is in memory");
        assert!(head.expect("there is one").trimmed.0 > 0, "what the snapshot has is cut off");
    });
    shops.0.calls.store(0, Ordering::Relaxed);
    process(&mut world, store.clone(), later.register(), End::Crash, async |system| {
        assert_eq!(look::<LaterShops>(system).await.all, 20);
        let calls = shops.0.calls.load(Ordering::Relaxed);
        assert!(calls <= 5, "{calls} calls: it begins with the snapshot");
    });
    process(&mut world, store, shops.register(), End::InPeace, async |system| {
        let refused = call::<Shops>(system, put(1)).await;
        let Err(AskError::NotApplied(NotApplied::NotActivated(why))) = refused else { panic!("{refused:?}") };
        let is_named =
            matches!(why, ActivationError::Codec { form: CodecError::Undecodable { version: 1, .. }, .. });
        assert!(is_named && why.to_string().contains("has no `restore`"), "what it lacks: {why}");
    });
}

#[test]
fn d42_a_service_that_is_not_ready_is_made_anew_and_the_request_is_not_applied() {
    let (mut world, shops) = (World::new(), Shops::default());
    let store = world.store.clone();
    let Around { is_stuck, is_broken, .. } = shops.0.clone();
    process(&mut world, store, shops.register(), End::InPeace, async |system| {
        for (name, flag) in [("stuck", is_stuck), ("broken", is_broken)] {
            let actor = system.actor::<WrappedService<Shops>>(name).expect("a good id");
            let id = actor.new_message_id();
            flag.store(true, Ordering::Relaxed);
            let answer = actor.call(put(1)).id(id).await;
            assert!(matches!(answer, Err(AskError::NotApplied(NotApplied::NotTaken(_)))), "{answer:?}");
            let made = shops.0.made.load(Ordering::Relaxed);
            flag.store(false, Ordering::Relaxed);
            let answer = actor.call(put(1)).id(id).await.expect("it was not applied before");
            assert_eq!(answer.map(|response| response.all), Ok(1));
            assert_eq!(shops.0.made.load(Ordering::Relaxed), made + 1, "it is another one");
            // Now it cannot be made anew either, and the activation ends.
            flag.store(true, Ordering::Relaxed);
            let id = actor.new_message_id();
            let answer = actor.call(put(1)).id(id).await;
            assert!(matches!(answer, Err(AskError::NotApplied(NotApplied::ActivationEnded))), "{answer:?}");
            let answer = actor.call(put(1)).id(id).await;
            let Err(AskError::NotApplied(NotApplied::NotActivated(why))) = answer else {
                panic!("{answer:?}")
            };
            assert!(matches!(why, ActivationError::Hook { hook: "poll_ready", .. }), "{why}");
            flag.store(false, Ordering::Relaxed);
            let answer = actor.call(put(1)).id(id).await.expect("it was not applied before");
            assert_eq!(answer.map(|response| response.all), Ok(2));
        }
    });
}

#[test]
fn requests_wait_for_a_program_that_can_restore_their_service() {
    let (mut world, shops) = (World::new(), Shops::default());
    let later = LaterShops(shops.clone());
    let store = world.store.clone();
    process(&mut world, store.clone(), later.register(), End::InPeace, async |system| {
        for _ in 0..3 {
            call::<LaterShops>(system, put(1)).await.expect("it is stored").expect("it is answered");
        }
        let head = system.store().head(shop::<LaterShops>(system).id()).await.expect("it is in memory");
        let head = head.expect("there is one");
        assert_eq!(head.snapshot, Some(head.sequence), "there is nothing behind it");
    });
    process(&mut world, store.clone(), shops.register(), End::InPeace, async |system| {
        shop::<Shops>(system).send(put(1)).await.expect("it is stored");
        pass(system, Duration::from_secs(60)).await;
        let refused = call::<Shops>(system, put(1)).await;
        let Err(AskError::NotApplied(NotApplied::NotActivated(why))) = refused else { panic!("{refused:?}") };
        let is_named =
            matches!(why, ActivationError::Codec { form: CodecError::Undecodable { version: 1, .. }, .. });
        assert!(is_named && why.to_string().contains("has no `restore`"), "what it lacks: {why}");
    });
    process(&mut world, store, later.register(), End::InPeace, async |system| {
        assert_eq!(look::<LaterShops>(system).await.all, 5, "it has taken what was sent");
    });
}

#[test]
fn a_state_that_cannot_be_restored_does_not_replace_the_requests() {
    let (mut world, shops) = (World::new(), Shops::default());
    let (one_way, store) = (OneWayShops(shops.clone()), world.store.clone());
    for _ in 0..2 {
        process(&mut world, store.clone(), one_way.register(), End::InPeace, async |system| {
            for _ in 0..3 {
                call::<OneWayShops>(system, put(1)).await.expect("it is stored").expect("it is answered");
            }
            let head = system.store().head(shop::<OneWayShops>(system).id()).await.expect("it is in memory");
            let head = head.expect("there is one");
            assert_eq!((head.snapshot, head.trimmed.0), (None, 0), "the requests are all there is");
        });
    }
    process(&mut world, store, shops.register(), End::InPeace, async |system| {
        assert_eq!(look::<Shops>(system).await.all, 6);
    });
}
