//! Every schedule of two threads, and every value that each load may see.
//!
//! ```text
//!  Model ── checks after each schedule: every value and every waker was dropped
//!           once; the slot's memory was given back (loom's own count); nobody
//!           waits for a wake that never comes (loom's deadlock)
//! ```

use loom::sync::Notify;
use loom::thread;
use std::sync::Arc;
use std::task::Wake;

use super::super::*;
use super::{Counted, Drops};

/// A task to wake, where a model sees it.
struct Task(Notify);

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        self.0.notify();
    }
}

fn task() -> Arc<Task> {
    Arc::new(Task(Notify::new()))
}

fn poll<T>(caller: &mut Caller<T>, task: &Arc<Task>) -> Poll<Outcome<T>> {
    caller.poll(&mut Context::from_waker(&Waker::from(Arc::clone(task))))
}

fn block_on<T>(mut caller: Caller<T>, task: &Arc<Task>) -> Outcome<T> {
    loop {
        if let Poll::Ready(outcome) = poll(&mut caller, task) {
            return outcome;
        }
        task.0.wait();
    }
}

/// What a model counts besides what loom does.
#[derive(Clone, Default)]
struct Model {
    drops: Drops,
}

impl Model {
    /// Explores every schedule of two parties that share a slot.
    #[track_caller]
    fn check(values: usize, caller: fn(Caller<Counted>, &Arc<Task>), replier: fn(Replier<Counted>, &Drops)) {
        every_schedule(move || {
            let model = Model::default();
            let task = task();
            let (end, other) = slot(Bound::NOWHERE, None, None);
            let drops = model.drops.clone();
            let answering = thread::spawn(move || replier(end, &drops));
            caller(other, &task);
            answering.join().expect("the replier ends well");
            assert_eq!(model.drops.count(), values, "each value is dropped once");
            assert_eq!(Arc::strong_count(&task), 1, "no waker is left");
        });
    }
}

/// Two parties are few enough for all of them, whatever bound larger models are
/// given through the environment.
fn every_schedule(run: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = None;
    builder.check(run);
}

fn answers(replier: Replier<Counted>, drops: &Drops) {
    if let Err(unread) = replier.answer(Ok(drops.value())) {
        let value = unread.expect("what comes back is what was sent");
        assert_eq!(*value.number, 7);
    }
}

fn takes(outcome: Outcome<Counted>) {
    assert_eq!(*outcome.expect("it was answered").number, 7);
}

#[test]
fn answer_against_poll() {
    Model::check(1, |caller, task| takes(block_on(caller, task)), answers);
}

#[test]
fn no_answer_against_poll() {
    let unanswered = |caller, task: &_| {
        assert!(matches!(block_on(caller, task), Err(CallFailure::NoReply)));
    };
    Model::check(0, unanswered, |replier, _| drop(replier));
}

#[test]
fn answer_against_drop() {
    Model::check(1, |caller, _| drop(caller), answers);
}

#[test]
fn answer_against_poll_then_drop() {
    let gives_up = |mut caller, task: &_| _ = poll::<Counted>(&mut caller, task);
    Model::check(1, gives_up, answers);
}

#[test]
fn drop_against_drop() {
    Model::check(0, |caller, _| drop(caller), |replier, _| drop(replier));
}

#[test]
fn drop_against_poll_then_drop() {
    let gives_up = |mut caller, task: &_| _ = poll::<Counted>(&mut caller, task);
    Model::check(0, gives_up, |replier, _| drop(replier));
}

/// Polled first as one task and then waited for as another: the answer finds one
/// of the wakers whole, and if it is the first one's, the second poll sees the answer.
#[test]
fn answer_against_poll_by_another_task() {
    let moves = |mut caller, second: &_| {
        let first = task();
        match poll(&mut caller, &first) {
            Poll::Ready(outcome) => takes(outcome),
            Poll::Pending => takes(block_on(caller, second)),
        }
        // It may still be in the replier's hand, who is about to wake it.
        drop(first);
    };
    Model::check(1, moves, answers);
}

/// Two polls as the same task: the second compares the waker in the slot, which
/// the replier may be taking over.
#[test]
fn answer_against_two_polls_by_one_task() {
    let polls_twice = |mut caller, task: &_| {
        if let Poll::Ready(outcome) = poll(&mut caller, task) {
            return takes(outcome);
        }
        takes(block_on(caller, task));
    };
    Model::check(1, polls_twice, answers);
}

#[test]
fn answer_against_poll_by_another_task_then_drop() {
    let moves = |mut caller, second: &_| {
        let first = task();
        if poll::<Counted>(&mut caller, &first).is_pending() {
            _ = poll(&mut caller, second);
        }
    };
    Model::check(1, moves, answers);
}

/// A caller that has left stays so, and one that is seen to have left gets nothing.
#[test]
fn is_left_against_drop() {
    let looks = |replier: Replier<Counted>, drops: &Drops| {
        let was_left = replier.is_left();
        assert!(!was_left || replier.is_left());
        let unread = replier.answer(Ok(drops.value()));
        assert!(!was_left || unread.is_err());
    };
    Model::check(1, |caller, _| drop(caller), looks);
}

/// The caller's end itself goes to another thread while an answer may come, as a
/// task does that is stolen.
#[test]
fn answer_against_a_caller_that_moves() {
    every_schedule(|| {
        let drops = Drops::default();
        let (replier, mut caller) = slot(Bound::NOWHERE, None, None);
        let ours = drops.clone();
        let answering = thread::spawn(move || answers(replier, &ours));
        // Kept to the end: a second task at the address of a freed first one would be
        // taken for it, and that an allocator puts order between the two loom does
        // not know.
        let first = task();
        if let Poll::Ready(outcome) = poll(&mut caller, &first) {
            takes(outcome);
        } else {
            let moved = thread::spawn(move || takes(block_on(caller, &task())));
            moved.join().expect("the caller ends well");
        }
        answering.join().expect("the replier ends well");
        assert_eq!((drops.count(), Arc::strong_count(&first)), (1, 1));
    });
}
