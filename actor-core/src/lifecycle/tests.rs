//! The phase machine as tables.

use super::{Flag, Status, Turn, Word};

const PHASES: [Status; 5] =
    [Status::Unstarted, Status::Starting, Status::Running, Status::Stopping, Status::Stopped];

fn word(status: Status, flags: &[Flag]) -> Word {
    Word::from_bits(flags.iter().fold(status as u32, |bits, flag| bits | *flag as u32))
}

#[test]
fn turns_follow_priority_in_every_combination() {
    for bits in 0..16_u32 {
        let given: Vec<Flag> = [Flag::Kill, Flag::Stop, Flag::Supervision, Flag::Drain]
            .into_iter()
            .enumerate()
            .filter_map(|(i, flag)| (bits & (1 << i) != 0).then_some(flag))
            .collect();
        let expected = match given.first() {
            Some(Flag::Kill) => Turn::Kill,
            Some(Flag::Stop) => Turn::Stop,
            Some(Flag::Supervision) => Turn::Supervise,
            _ => Turn::Receive,
        };
        assert_eq!(word(Status::Running, &given).next_turn(), expected, "{given:?}");
    }
}

#[test]
fn phases_only_move_forward_and_keep_their_flags() {
    for from in PHASES {
        for to in PHASES {
            let moved = word(from, &[Flag::Stop, Flag::Grouped]).advanced_to(to);
            let expected = (to > from).then(|| word(to, &[Flag::Stop, Flag::Grouped]));
            assert_eq!(moved, expected, "{from} to {to}");
        }
    }
}

#[test]
fn draining_is_running_that_was_asked_to_drain() {
    let cases = [
        (Status::Unstarted, Status::Unstarted),
        (Status::Starting, Status::Starting),
        (Status::Running, Status::Draining),
        (Status::Stopping, Status::Stopping),
        (Status::Stopped, Status::Stopped),
    ];
    for (phase, seen) in cases {
        assert_eq!(word(phase, &[Flag::Drain]).status(), seen);
        assert!(!word(phase, &[Flag::Drain]).admits(), "{phase}");
        assert_eq!(word(phase, &[]).admits(), phase <= Status::Running, "{phase}");
    }
}
