//! An actor's calls as a tower service.

use std::future::poll_fn;

use actor_core::{
    Actor, ActorError, ActorRef, ActorSystem, CallError, CallFailure, Capacity, Exit, ReplyPort, SendError,
    SpawnOptions, actor,
};
use actor_toolkit::service::CallService;
use tower_service::Service;

use crate::support::{Gate, MS, pass, simulated};

enum Message {
    Double(u32, ReplyPort<u32>),
    Ignore(u32, ReplyPort<u32>),
    Hold(Gate),
}

struct Doubling;

impl Actor for Doubling {
    type Msg = Message;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: &ActorRef<Message>, (): ()) -> Result<(), ActorError> {
        Ok(())
    }

    async fn handle(&self, _: &ActorRef<Message>, message: Message, (): &mut ()) -> Result<(), ActorError> {
        match message {
            Message::Double(number, port) => _ = port.send(2 * number),
            Message::Ignore(number, port) => drop((number, port)),
            Message::Hold(gate) => gate.hold().await,
        }
        Ok(())
    }
}

async fn doubling(system: &ActorSystem) -> ActorRef<Message> {
    let options = SpawnOptions::new().mailbox(Capacity::try_from(1).unwrap());
    system.spawn(Doubling, (), options).await.unwrap()
}

async fn ready<Q, S: Service<Q>>(service: &mut S) -> Result<(), S::Error> {
    poll_fn(|cx| service.poll_ready(cx)).await
}

#[test]
fn c33_a_call_is_a_service() {
    simulated(|system| async move {
        let actor = doubling(&system).await;
        let mut doubles = CallService::new(&actor, Message::Double);
        ready(&mut doubles).await.unwrap();
        assert_eq!(doubles.call(21).await, Ok(42));
        assert_eq!(doubles.clone().call(4).await, Ok(8));
        // An answer that never comes is told, and says that the call may have run.
        let mut ignores = CallService::new(&actor, Message::Ignore);
        let failed = ignores.call(1).await.unwrap_err();
        assert_eq!(failed, CallError::Failed(CallFailure::NoReply));
        assert!(!failed.never_ran());
    });
}

#[test]
fn c33_a_full_mailbox_is_an_error_at_once() {
    simulated(|system| async move {
        let (actor, gate) = (doubling(&system).await, Gate::default());
        actor.cast(Message::Hold(gate.clone())).unwrap();
        gate.reached().await;
        let mut doubles = CallService::new(&actor, Message::Double);
        ready(&mut doubles).await.unwrap();
        let first = doubles.call(1);
        // It lives, so it is ready; whether there is room shows only then.
        ready(&mut doubles).await.unwrap();
        let refused = doubles.call(2).await.unwrap_err();
        assert_eq!(refused, CallError::NotSent(SendError::Full(())));
        assert!(refused.to_string().contains("no room"), "{refused}");
        gate.open();
        assert_eq!(first.await, Ok(2));
        assert_eq!(doubles.call(3).await, Ok(6));
    });
}

#[test]
fn c33_a_service_whose_actor_has_ended_is_never_ready() {
    simulated(|system| async move {
        let (actor, gate) = (doubling(&system).await, Gate::default());
        let mut doubles = CallService::new(&actor, Message::Double);
        actor.cast(Message::Hold(gate.clone())).unwrap();
        gate.reached().await;
        let cut_off = doubles.call(1);
        actor.kill_and_wait(None).await.unwrap();
        assert!(cut_off.await.is_err());
        let stopped = CallError::NotSent(SendError::Stopped((), Some(Exit::Killed)));
        assert_eq!(ready(&mut doubles).await, Err(stopped.clone()));
        assert_eq!(doubles.call(2).await, Err(stopped));
    });
}

struct Counter(u32);

#[actor]
impl Counter {
    fn add(&mut self, by: u32) -> u32 {
        self.0 += by;
        self.0
    }
}

#[test]
fn c33_a_method_of_a_plain_struct_is_a_service() {
    simulated(|system| async move {
        let counter = Counter(40).spawn().on(&system).await.unwrap();
        let mut adds: CallService<CounterAdd, u32> = counter.call_recipient().into();
        ready(&mut adds).await.unwrap();
        assert_eq!(adds.call(CounterAdd { by: 2 }).await, Ok(42));
        pass(&system, MS).await;
    });
}
