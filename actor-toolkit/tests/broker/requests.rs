//! Requests: each answer finds who asked, whenever it comes.

use std::cell::Cell;
use std::pin::pin;
use std::time::Duration;

use actor_core::{Actor, ActorError, ActorRef, ActorSystem, CallFailure, SendError, SpawnOptions};
use actor_toolkit::broker::{Broker, CorrelationId, RequestError, Requests, RouteError};

use crate::support::{MS, pass, simulated};

/// A question, and where its answer is to go.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
struct Question {
    number: u32,
    id: CorrelationId,
}

type Asked = Broker<Question, u32>;

fn question(number: u32) -> impl FnOnce(CorrelationId) -> Question {
    move |id| Question { number, id }
}

/// Answers twice the number: once it has so many questions, the last ones first and then
/// every other.
struct Shuffling {
    broker: Asked,
    questions: usize,
}

impl Actor for Shuffling {
    type Msg = Question;
    type State = Vec<Question>;
    type Arguments = ();

    async fn pre_start(&self, _: &ActorRef<Question>, (): ()) -> Result<Vec<Question>, ActorError> {
        Ok(Vec::new())
    }

    async fn handle(
        &self,
        _: &ActorRef<Question>,
        question: Question,
        questions: &mut Vec<Question>,
    ) -> Result<(), ActorError> {
        questions.push(question);
        if questions.len() == self.questions {
            let half = self.questions / 2;
            let (first, last) = (questions.split_off(half), questions.split_off(0));
            let shuffled = last.iter().rev().step_by(3).chain(&first).chain(last.iter().rev());
            for question in shuffled {
                // Some are answered twice; the second finds nobody.
                _ = self.broker.answer(question.id, 2 * question.number);
            }
        }
        Ok(())
    }
}

async fn shuffling(system: &ActorSystem, broker: &Asked, questions: usize) -> ActorRef<Question> {
    let actor = Shuffling { broker: broker.clone(), questions };
    let actor = system.spawn(actor, (), SpawnOptions::new()).await.unwrap();
    broker.bind("shuffling", &actor).unwrap();
    actor
}

#[test]
fn c19_a_thousand_shuffled_answers_each_find_who_asked() {
    simulated(|system| async move {
        let broker = Asked::new(&system);
        shuffling(&system, &broker, 1_000).await;
        let mut asking: Vec<_> = (0..1_000)
            .map(|number| (number, Box::pin(broker.request("shuffling", MS, question(number)))))
            .collect();
        std::future::poll_fn(|cx| {
            asking.retain_mut(|(number, request)| match request.as_mut().poll(cx) {
                std::task::Poll::Pending => true,
                std::task::Poll::Ready(answer) => {
                    assert_eq!(answer, Ok(2 * *number));
                    false
                }
            });
            if asking.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
        })
        .await;
        assert_eq!(broker.pending_requests(), 0);
    });
}

/// The same, on threads: whoever answers does so while others ask.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn c19_answers_find_who_asked_on_many_threads() {
    let system = ActorSystem::new();
    let broker = Asked::new(&system);
    shuffling(&system, &broker, 1).await;
    let asking: Vec<_> = (0..200)
        .map(|number| {
            let broker = broker.clone();
            tokio::spawn(async move {
                let asked =
                    broker.request("shuffling", Duration::from_secs(60), |id| Question { number, id });
                assert_eq!(asked.await, Ok(2 * number));
            })
        })
        .collect();
    for asked in asking {
        asked.await.unwrap();
    }
    assert_eq!(broker.pending_requests(), 0);
}

#[test]
fn c19_an_immediate_answer_is_not_lost() {
    simulated(|system| async move {
        let broker = Asked::new(&system);
        let actor = shuffling(&system, &broker, 1_000).await;
        // Before the message has left, and even before there is one.
        let asked = broker.request("shuffling", MS, |id| {
            assert_eq!(broker.answer(id, 7), Ok(()));
            assert_eq!(broker.answer(id, 8), Err(8));
            Question { number: 1, id }
        });
        assert_eq!(asked.await, Ok(7));
        assert_eq!((broker.pending_requests(), actor.mailbox_stats().unwrap().sent), (0, 1));
    });
}

#[test]
fn c19_a_request_that_is_not_answered_ends_and_a_late_answer_finds_nobody() {
    simulated(|system| async move {
        let broker = Asked::new(&system);
        shuffling(&system, &broker, 1_000).await;
        let asked_as = Cell::new(None);
        let ask = |number| {
            let asked_as = &asked_as;
            move |id| {
                asked_as.set(Some(id));
                Question { number, id }
            }
        };
        let answer = broker.request("shuffling", 5 * MS, ask(1)).await;
        assert_eq!(answer, Err(RequestError::Failed(CallFailure::TimedOut(5 * MS))));
        assert_eq!(broker.answer(asked_as.get().unwrap(), 1), Err(1));
        // One that is dropped is forgotten.
        {
            let mut asking = pin!(broker.request("shuffling", 5 * MS, ask(2)));
            let beside = tokio::select! {
                biased;
                answer = &mut asking => Err(answer),
                () = pass(&system, MS) => Ok(broker.pending_requests()),
            };
            assert_eq!(beside, Ok(1));
        }
        assert_eq!(broker.pending_requests(), 0);
        assert_eq!(broker.answer(asked_as.get().unwrap(), 2), Err(2));
        assert_eq!(broker.answer(CorrelationId::from_u64(12_345), 3), Err(3));
    });
}

#[test]
fn c19_a_request_that_never_left_gives_its_message_back() {
    simulated(|system| async move {
        let broker = Asked::new(&system);
        let refused = broker.request("nobody", MS, question(1)).await.unwrap_err();
        assert!(matches!(refused, RequestError::NotSent(RouteError::Unknown(Question { number: 1, .. }))));
        let full = SpawnOptions::new().mailbox(1.try_into().unwrap());
        let actor = system.spawn(Shuffling { broker: broker.clone(), questions: 2 }, (), full).await.unwrap();
        broker.bind("full", &actor).unwrap();
        broker.cast("full", question(1)(CorrelationId::from_u64(0))).unwrap();
        let refused = broker.request("full", MS, question(2)).await.unwrap_err();
        assert!(matches!(refused, RequestError::NotSent(RouteError::NotSent(SendError::Full(_)))));
        assert_eq!(refused.into_message().unwrap().number, 2);
        assert_eq!(broker.pending_requests(), 0);
    });
}

#[test]
fn c19_requests_need_no_broker() {
    simulated(|_| async {
        let requests: Requests<&str> = Requests::new();
        let (first, second) = (requests.begin().unwrap(), requests.begin().unwrap());
        let ids = [&first, &second].map(|request| CorrelationId::from_u64(request.id().as_u64()));
        assert_eq!(requests.pending(), 2);
        requests.answer(ids[1], "second").unwrap();
        requests.clone().answer(ids[0], "first").unwrap();
        assert_eq!((first.await, second.await), (Ok("first"), Ok("second")));
        // Of one that was dropped, the answer comes back.
        let dropped = requests.begin().unwrap();
        let id = dropped.id();
        drop(dropped);
        assert_eq!((requests.answer(id, "late"), requests.pending()), (Err("late"), 0));
    });
}
