//! The phase machine as tables.

use super::{Flag, Status, Turn, Verdict, Word};

const PHASES: [Status; 6] = [
    Status::Unstarted,
    Status::Suspended,
    Status::Starting,
    Status::Running,
    Status::Stopping,
    Status::Stopped,
];

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
        (Status::Suspended, Status::Suspended),
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

#[test]
fn only_who_is_restartable_and_not_released_is_suspended() {
    for phase in PHASES {
        for (flags, may) in [
            (&[][..], false),
            (&[Flag::Restartable], true),
            (&[Flag::Released], false),
            (&[Flag::Restartable, Flag::Released], false),
        ] {
            let suspended = word(phase, flags).suspended();
            let expected = (may && phase < Status::Stopping).then(|| word(Status::Suspended, flags));
            assert_eq!(suspended, expected, "{phase} {flags:?}");
        }
    }
}

#[test]
fn what_was_asked_of_a_life_ends_with_it() {
    let kept = [Flag::Restartable, Flag::Supervision, Flag::Grouped, Flag::Attended];
    let asked = [Flag::Kill, Flag::Stop, Flag::Drain, Flag::Restart];
    let flags: Vec<Flag> = kept.into_iter().chain(asked).collect();
    assert_eq!(word(Status::Running, &flags).suspended(), Some(word(Status::Suspended, &kept)));
}

#[test]
fn a_release_goes_before_a_restart() {
    assert_eq!(word(Status::Suspended, &[Flag::Kill, Flag::Stop]).verdict(), None);
    assert_eq!(word(Status::Suspended, &[Flag::Restart]).verdict(), Some(Verdict::Restart));
    assert_eq!(word(Status::Suspended, &[Flag::Restart, Flag::Released]).verdict(), Some(Verdict::End));
}
