//! Days that a fuzzer should find by itself, so that it is known what the accounts would see.

use super::steps::{About, Content, Say, Step};
use super::*;

fn after(steps: impl IntoIterator<Item = Step>) -> Fuzzed {
    let mut fuzzed = Fuzzed::new();
    fuzzed.begin_well();
    for step in steps {
        fuzzed.take(step);
        fuzzed.drain();
    }
    assert_eq!(fuzzed.session.ended(), None, "nobody has broken anything");
    fuzzed
}

fn cast(actor: u8) -> Step {
    Step::Frame { stream: 0, lane: 3, frame: Content::Cast { index: 0, actor, fields: Vec::new() } }
}

#[test]
fn what_comes_again_counts_once() {
    let fuzzed = after([
        cast(1),
        cast(2),
        Step::Again { stream: 0, lane: 3, frames: 2 },
        Step::Attach { lanes: 31 },
        Step::Again { stream: 1, lane: 3, frames: 4 },
        cast(3),
    ]);
    assert_eq!(fuzzed.undelivered.len(), 3);
    fuzzed.end();
}

#[test]
fn a_lane_goes_on_elsewhere_where_it_was() {
    let send = || Step::Send { actor: 1, bytes: 100, is_traced: true };
    let fuzzed = after([
        Step::Frame { stream: 0, lane: 3, frame: Content::Control(steps::Words::Synced) },
        Step::Say(Say::Synced),
        send(),
        Step::About { stream: 0, about: About::Ack { lane: 3, part: 255 } },
        Step::Detach { stream: 0, code: 5 },
        Step::Attach { lanes: 31 },
        send(),
        send(),
        Step::Detach { stream: 0, code: 5 },
        Step::Attach { lanes: 31 },
        send(),
    ]);
    assert!((2..4).map(|lane| fuzzed.written.end(lane_of(lane), 255)).sum::<u64>() > 400);
    fuzzed.end();
}

#[test]
fn a_call_is_answered_and_another_given_up() {
    let fuzzed = after([
        Step::Call { actor: 1, millis: None },
        Step::Call { actor: 1, millis: Some(5) },
        Step::Frame { stream: 0, lane: 3, frame: Content::Reply { call: Some(0), value: vec![1, 0, 0, 0] } },
        Step::HangUp,
        Step::HangUp,
        Step::Wait { millis: 1000 },
    ]);
    assert_eq!((fuzzed.promised.calls, fuzzed.promised.calls_ended), (2, 2));
    fuzzed.end();
}
