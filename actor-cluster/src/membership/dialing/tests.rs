//! Who is dialled when, and how often.

use super::*;
use crate::limits::{DIAL_FAILURES_KEPT_FOR, HEARSAY_ADDRESS_INTERVAL};

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn node(number: usize) -> NodeId {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&number.to_le_bytes());
    NodeId::from_bytes(key)
}

fn address() -> Vec<Address> {
    vec!["pipe://a".parse().unwrap()]
}

fn failed() -> Dialled {
    Dialled::Failed("no".to_owned())
}

/// When it is dialled within so many milliseconds, if each dial fails at once.
fn dialled(dialing: &mut Dialing, until: u64) -> Vec<u64> {
    let mut dice = Dice::new(1);
    let mut times = Vec::new();
    for now in (0..until).step_by(25) {
        for (target, _) in dialing.due(ms(now), true, |_| false) {
            times.push(now);
            dialing.on_dialled(target, &failed(), ms(now), &mut dice);
        }
    }
    times
}

#[test]
fn who_does_not_answer_is_dialled_at_growing_pauses_and_somebody_who_was_told_of_not_for_ever() {
    let mut dialing = Dialing::default();
    dialing.want(node(1), Why::Member, &address(), ms(0), ms(500));
    let times = dialled(&mut dialing, 600_000);
    assert_eq!(times[0], 500);
    let pauses: Vec<u64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(pauses.windows(2).take(6).all(|pair| pair[1] > pair[0]), "{pauses:?}");
    let most = u64::try_from(DIAL_PAUSE_MAX.as_millis()).unwrap();
    assert!(pauses[8..].iter().all(|pause| (most * 3 / 4..=most + 25).contains(pause)), "{pauses:?}");
    let mut dialing = Dialing::default();
    dialing.want(node(1), Why::Told, &address(), ms(0), ms(0));
    assert_eq!(dialled(&mut dialing, 600_000).len(), usize::try_from(TOLD_DIALS_MAX).unwrap());
    assert_eq!(dialing.wants(node(1)), None);
    dialing.want(node(1), Why::Told, &[], ms(0), ms(0));
    assert_eq!(dialing.wants(node(1)), None, "nowhere to dial");
}

/// Whoever tells of it again and again, and each time somewhere else, has it dialled no more often.
#[test]
fn who_has_failed_is_not_dialled_more_often_for_being_told_of_again() {
    let mut dialing = Dialing::default();
    let mut dice = Dice::new(1);
    let mut dials = Vec::new();
    let forgotten = u64::try_from(DIAL_FAILURES_KEPT_FOR.as_millis()).unwrap();
    for now in (0..forgotten + 60_000).step_by(25) {
        let elsewhere = [format!("pipe://{now}").parse().unwrap()];
        dialing.want(node(1), Why::Told, &elsewhere, ms(now), ms(0));
        for (target, _) in dialing.due(ms(now), true, |_| false) {
            dials.push(now);
            dialing.on_dialled(target, &failed(), ms(now), &mut dice);
        }
        dialing.unwant(node(1));
    }
    let most = usize::try_from(TOLD_DIALS_MAX).unwrap();
    assert_eq!(dials.len(), 2 * most, "{dials:?}");
    assert!(dials[1] >= 150 && dials[2] - dials[1] >= 350, "the pauses hold: {dials:?}");
    assert!(dials[most] - dials[most - 1] >= forgotten, "{dials:?}");
    // Nor for being said to be a member.
    let mut dialing = Dialing::default();
    let count = (0..600_000).step_by(25).map(|now| {
        let elsewhere = [format!("pipe://{now}").parse().unwrap()];
        dialing.want(node(1), Why::Member, &elsewhere, ms(now), ms(0));
        let due = dialing.due(ms(now), true, |_| false);
        for (target, _) in &due {
            dialing.on_dialled(*target, &failed(), ms(now), &mut dice);
        }
        dialing.unwant(node(1));
        due.len()
    });
    let count: usize = count.sum();
    assert!((25..40).contains(&count), "{count}");
}

/// All whom somebody tells of are dialled in vain, as fast as it goes.
#[test]
fn addresses_of_nodes_that_nobody_has_met_are_dialled_at_a_rate() {
    let addresses: Vec<Address> =
        (0..ADDRESSES_PER_NODE_MAX).map(|number| format!("pipe://{number}").parse().unwrap()).collect();
    let dialling = |why: Why, seconds: u64| {
        let mut dialing = Dialing::default();
        let mut dice = Dice::new(1);
        let (mut made_up, mut dialled) = (0, 0);
        for now in (0..seconds * 1000).step_by(250) {
            for _ in 0..10 {
                made_up += 1;
                dialing.want(node(made_up), why, &addresses, ms(now), ms(0));
            }
            for (target, addresses) in dialing.due(ms(now), true, |_| false) {
                dialled += addresses.len();
                dialing.on_dialled(target, &failed(), ms(now), &mut dice);
                let Target::Node(node) = target else { panic!("not a node") };
                dialing.unwant(node);
            }
        }
        dialled
    };
    let rate =
        usize::try_from(Duration::from_secs(1).as_millis() / HEARSAY_ADDRESS_INTERVAL.as_millis()).unwrap();
    let last = ADDRESSES_PER_NODE_MAX;
    let told = dialling(Why::Told, 100);
    assert!((told..=told + last).contains(&(HEARSAY_ADDRESSES_MAX / 2 + 100 * rate)), "{told}");
    let said_to_be_members = dialling(Why::Member, 100);
    let expected = HEARSAY_ADDRESSES_MAX + 100 * rate;
    assert!((said_to_be_members..=said_to_be_members + last).contains(&expected), "{said_to_be_members}");
}

/// Where they answer, the rate does not count.
#[test]
fn members_that_answer_are_dialled_at_once_however_many() {
    let mut dialing = Dialing::default();
    let mut dice = Dice::new(1);
    for number in 0..MEMBERS_MAX {
        dialing.want(node(number), Why::Member, &address(), ms(0), ms(0));
    }
    for _ in 0..MEMBERS_MAX / HEARSAY_DIALS_MAX {
        let due = dialing.due(ms(0), true, |_| false);
        assert_eq!(due.len(), HEARSAY_DIALS_MAX);
        for (target, _) in due {
            let Target::Node(node) = target else { panic!("not a node") };
            dialing.on_met(node, ms(0));
            dialing.on_dialled(target, &Dialled::Connected(node), ms(0), &mut dice);
        }
    }
    assert!(dialing.is_idle(true, |_| false));
}

#[test]
fn a_dial_takes_its_place_until_it_ends() {
    let mut dialing = Dialing::default();
    let mut dice = Dice::new(1);
    let told = |dialing: &mut Dialing, from: usize| {
        (from..from + 100).for_each(|number| dialing.want(node(number), Why::Told, &address(), ms(0), ms(0)));
        dialing.due(ms(0), true, |_| false)
    };
    let due = told(&mut dialing, 0);
    assert_eq!(due.len(), TOLD_DIALS_AT_ONCE_MAX);
    for (target, _) in &due {
        let Target::Node(node) = target else { panic!("not a node") };
        dialing.unwant(*node);
    }
    assert_eq!(told(&mut dialing, 0), [], "nobody wants them, and they are dialled still");
    dialing.on_dialled(due[0].0, &failed(), ms(0), &mut dice);
    dialing.on_dialled(due[0].0, &failed(), ms(0), &mut dice);
    assert_eq!(told(&mut dialing, 0).len(), 1);
}

#[test]
fn members_and_who_was_met_find_places_whoever_else_is_told_of() {
    let mut dialing = Dialing::default();
    for number in 0..2 * MEMBERS_MAX {
        dialing.want(node(number), Why::Told, &address(), ms(0), ms(0));
    }
    assert_eq!(dialing.wanted.len(), MEMBERS_MAX);
    assert_eq!(dialing.due(ms(0), true, |_| false).len(), TOLD_DIALS_AT_ONCE_MAX);
    let others = 3 * MEMBERS_MAX;
    let (met, lost, members) =
        (others, others + 1..others + 1 + GOSSIP_DIALS_MAX, others + 200..others + 300);
    lost.clone().for_each(|number| dialing.on_met(node(number), ms(0)));
    lost.clone().for_each(|number| dialing.on_parted(node(number), ms(0)));
    dialing.on_met(node(met), ms(0));
    members.clone().for_each(|number| dialing.want(node(number), Why::Member, &address(), ms(0), ms(0)));
    lost.for_each(|number| dialing.want(node(number), Why::Lost, &address(), ms(0), ms(0)));
    dialing.want(node(met), Why::Member, &address(), ms(0), ms(0));
    assert_eq!(dialing.wanted.len(), MEMBERS_MAX);
    assert!(members.clone().all(|number| dialing.wants(node(number)) == Some(Why::Member)));
    let due = dialing.due(ms(0), true, |_| false);
    assert_eq!(due.len(), GOSSIP_DIALS_MAX - TOLD_DIALS_AT_ONCE_MAX, "all that are left");
    assert_eq!(due[0].0, Target::Node(node(met)), "the member that was met is the first");
}

#[test]
fn members_have_their_turn_before_whoever_was_told_of() {
    let mut dialing = Dialing::default();
    (0..200).for_each(|number| dialing.want(node(number), Why::Told, &address(), ms(0), ms(0)));
    (200..300).for_each(|number| dialing.want(node(number), Why::Member, &address(), ms(0), ms(0)));
    let due = dialing.due(ms(0), true, |_| false);
    assert_eq!(due.len(), HEARSAY_DIALS_MAX);
    let is_member = |target: &Target| (200..300).any(|number| *target == Target::Node(node(number)));
    assert!(due.iter().all(|(target, _)| is_member(target)));
}

#[test]
fn who_was_lost_is_dialled_if_it_was_met_and_at_once_only_if_it_had_stayed() {
    let mut dialing = Dialing::default();
    let mut dice = Dice::new(1);
    dialing.want(node(1), Why::Lost, &address(), ms(0), ms(0));
    assert_eq!(dialing.wants(node(1)), None, "others say that it was lost");
    // It takes each session, and ends it.
    let mut sessions = Vec::new();
    dialing.on_met(node(1), ms(0));
    dialing.on_parted(node(1), ms(0));
    for now in (0..300_000).step_by(25) {
        dialing.want(node(1), Why::Lost, &address(), ms(now), ms(0));
        for (target, _) in dialing.due(ms(now), true, |_| false) {
            sessions.push(now);
            dialing.on_met(node(1), ms(now));
            dialing.on_dialled(target, &Dialled::Connected(node(1)), ms(now), &mut dice);
            dialing.on_parted(node(1), ms(now));
        }
    }
    assert!(sessions.len() < 25, "{sessions:?}");
    let now = DIAL_PAUSE_MAX + ms(300_000);
    dialing.on_met(node(1), ms(300_000));
    dialing.on_parted(node(1), now);
    dialing.want(node(1), Why::Lost, &address(), now, ms(0));
    assert_eq!(dialing.due(now, true, |_| false).len(), 1);
    dialing.on_dialled(Target::Node(node(1)), &failed(), now, &mut dice);
    dialing.on_left(node(1));
    dialing.want(node(1), Why::Lost, &address(), now, ms(0));
    assert_eq!(dialing.wants(node(1)), None, "it has left");
}

#[test]
fn seeds_are_dialled_until_they_are_reached_and_again_when_nobody_is_left() {
    let mut dialing = Dialing::new(3);
    let mut dice = Dice::new(1);
    let due = dialing.due(ms(0), true, |_| false);
    assert_eq!(due.len(), 3);
    let mut told = |dialing: &mut Dialing, seed, dialled: Dialled| {
        dialing.on_dialled(Target::Seed(seed), &dialled, ms(0), &mut dice)
    };
    assert_eq!(told(&mut dialing, 0, Dialled::Connected(node(1))), None);
    assert!(told(&mut dialing, 1, Dialled::Ourselves).is_some());
    assert_eq!(told(&mut dialing, 2, failed()), Some("no".to_owned()));
    let seeds =
        |due: Vec<(Target, Vec<Address>)>| due.into_iter().map(|(target, _)| target).collect::<Vec<_>>();
    assert_eq!(seeds(dialing.due(ms(60_000), false, |_| true)), [Target::Seed(2)], "never ourselves");
    assert_eq!(told(&mut dialing, 2, failed()), None, "it was told");
    let all = [Target::Seed(0), Target::Seed(1), Target::Seed(2)];
    assert_eq!(seeds(dialing.due(ms(120_000), true, |_| false)), all, "others may be behind that name too");
}

/// Members that cannot be dialled from here, and those that are expensive to dial, stand in nobody's way.
#[test]
fn what_was_never_dialled_costs_nothing_and_what_costs_too_much_waits_alone() {
    let mut dialing = Dialing::default();
    let mut dice = Dice::new(1);
    let many = |count: usize| -> Vec<Address> {
        (0..count).map(|number| format!("pipe://{number}").parse().unwrap()).collect()
    };
    for number in 0..100 {
        dialing.want(node(number), Why::Member, &many(16), ms(0), ms(0));
        for (target, _) in dialing.due(ms(0), false, |_| false) {
            dialing.on_dialled(target, &Dialled::Nowhere("no transport".to_owned()), ms(0), &mut dice);
        }
        dialing.unwant(node(number));
    }
    assert_eq!(HEARSAY_ADDRESSES_MAX, 16 * ADDRESSES_PER_NODE_MAX);
    for number in 200..220 {
        let count = if number == 200 { ADDRESSES_PER_NODE_MAX - 1 } else { ADDRESSES_PER_NODE_MAX };
        dialing.want(node(number), Why::Member, &many(count), ms(0), ms(0));
    }
    dialing.want(node(240), Why::Member, &many(1), ms(0), ms(0));
    dialing.want(node(241), Why::Member, &many(1), ms(0), ms(0));
    let due: Vec<_> = dialing.due(ms(0), false, |_| false).into_iter().map(|(target, _)| target).collect();
    let paid: Vec<_> = (200..216).chain([240]).map(|number| Target::Node(node(number))).collect();
    let sorted = |mut targets: Vec<Target>| {
        targets.sort_unstable();
        targets
    };
    assert_eq!(sorted(due), sorted(paid));
}
