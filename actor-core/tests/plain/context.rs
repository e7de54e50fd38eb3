//! What a method learns of its actor, and of the call it answers.

use std::time::Duration;

use actor_core::{ActorError, ActorId, ActorSystem, CallFailure, Context, Exit, SupervisionEvent, actor};

#[derive(Default)]
struct Chain {
    heard: Vec<(ActorId, Exit)>,
    rest: Option<ChainRef>,
}

#[actor]
impl Chain {
    fn id(&self, ctx: &Context<'_, ChainRef>) -> ActorId {
        ctx.id()
    }

    async fn grow(&mut self, ctx: &Context<'_, ChainRef>) -> Result<ChainRef, String> {
        let child = ctx.child(Chain::default().spawn()).name("link").await;
        let child = child.map_err(|error| error.to_string())?;
        self.rest = Some(child.clone());
        Ok(child)
    }

    fn myself(&self, ctx: &Context<'_, ChainRef>) -> ChainRef {
        ctx.myself()
    }

    fn patience(&self, ctx: &Context<'_, ChainRef>) -> Option<Duration> {
        assert_eq!(ctx.deadline().is_some(), ctx.remaining().is_some());
        ctx.remaining()
    }

    #[cast]
    fn again(&mut self, ctx: &Context<'_, ChainRef>, times: u32) -> Result<(), ActorError> {
        assert_eq!(ctx.deadline(), None, "nobody waits");
        match times {
            0 => ctx.stop(Some("enough")),
            _ => ctx.myself().again(times - 1).cast()?,
        }
        Ok(())
    }

    fn system(&self, ctx: &Context<'_, ChainRef>) -> ActorSystem {
        ctx.system()
    }

    #[supervision]
    fn on_event(&mut self, ctx: &Context<'_, ChainRef>, event: SupervisionEvent) {
        if let SupervisionEvent::Terminated { actor, exit, state } = event {
            assert_ne!(actor.id(), ctx.id());
            assert!(state.is_some_and(|state| state.take::<Chain>().is_ok()), "the struct is the state");
            self.heard.push((actor.id(), exit));
        }
    }

    fn heard(&self) -> Vec<(ActorId, Exit)> {
        self.heard.clone()
    }
}

#[tokio::test]
async fn a_method_knows_its_actor() {
    let system = ActorSystem::new();
    let chain = Chain::default().spawn().on(&system).await.unwrap();
    assert_eq!(chain.id().await.unwrap(), actor_core::Control::id(&chain));
    assert_eq!(chain.myself().await.unwrap(), chain);
    let own = chain.system().await.unwrap();
    assert_eq!(own.incarnation(), system.incarnation());
    chain.again(3).await.unwrap();
    assert_eq!(chain.wait(None).await.unwrap(), Exit::Stopped(Some("enough".into())));
}

#[tokio::test]
async fn a_child_of_a_plain_struct_is_supervised_by_it() {
    let system = ActorSystem::new();
    let chain = Chain::default().spawn().on(&system).await.unwrap();
    let child = chain.grow().await.unwrap().unwrap();
    assert_eq!(system.where_is("link").map(|cell| cell.id()), Some(actor_core::Control::id(&child)));
    child.stop_and_wait(Some("done"), None).await.unwrap();
    let expected = vec![(actor_core::Control::id(&child), Exit::Stopped(Some("done".into())))];
    // The news may come a few turns later.
    for _ in 0..1000 {
        if chain.heard().await.unwrap() == expected {
            return;
        }
    }
    panic!("the parent never heard of its child's end");
}

#[tokio::test(start_paused = true)]
async fn a_method_knows_how_long_its_caller_waits() {
    let chain = Chain::default().spawn().await.unwrap();
    assert_eq!(chain.patience().await.unwrap(), None);
    let second = Duration::from_secs(1);
    assert_eq!(chain.patience().timeout(second).await.unwrap(), Some(second));
}

struct Selfish;

#[actor]
impl Selfish {
    fn one(&self) -> u32 {
        1
    }

    async fn two(&self, ctx: &Context<'_, SelfishRef>, timeout: Option<Duration>) -> u32 {
        let myself = ctx.myself();
        let one = myself.one();
        let one = if let Some(timeout) = timeout { one.timeout(timeout) } else { one };
        one.await.map_or(0, |one| 2 * one)
    }

    async fn three(&self, ctx: &Context<'_, SelfishRef>) -> u32 {
        let one = ctx.call_recipient::<SelfishOne, u32>();
        one.call(SelfishOne {}).await.map_or(0, |one| 3 * one)
    }
}

#[tokio::test]
#[cfg_attr(not(debug_assertions), ignore = "it would wait for ever")]
async fn a12_a_plain_struct_that_calls_itself_fails() {
    for way in 0..3 {
        let selfish = Selfish.spawn().on(&ActorSystem::new()).await.unwrap();
        let unanswered = match way {
            0 => selfish.two(None).await.map_err(|error| error.failure().cloned()),
            1 => selfish.two(Some(Duration::MAX)).await.map_err(|error| error.failure().cloned()),
            _ => selfish.three().await.map_err(|error| error.failure().cloned()),
        };
        assert_eq!(unanswered, Err(Some(CallFailure::NoReply)));
        let exit = selfish.wait(None).await.unwrap();
        assert!(matches!(&exit, Exit::Panicked(text) if text.contains("calls itself")), "{exit:?}");
    }
}
