//! What follows from one thing that happens, by tables.

use actor_core::Incarnation;

use super::conflict::Conflict::{self, Allow, Newest, Rank, Reject};
use super::{Changes, Clash, Label, Names, Refusal};
use crate::event::{GroupEvent, PublishedActor};
use crate::id::{NodeId, NodeLife};
use crate::wire::TypeTag;
use crate::wire::control::Publication;

const HERE: u8 = 5;
const MESSAGE: TypeTag = TypeTag::from_u64(7);

fn node(number: u8) -> NodeId {
    NodeId::from_bytes([number; 32])
}

fn life(number: u8) -> NodeLife {
    NodeLife::new(node(number), Incarnation::from_u64(number.into()))
}

fn who(number: u8, actor: u64) -> PublishedActor {
    PublishedActor { node: node(number), actor: life(number).actor(actor) }
}

fn here() -> Names {
    Names::new(node(HERE))
}

/// A name as a peer says it.
fn said(actor: u64, rule: u32, rank: u32, claim: u64) -> Publication {
    Publication { actor, message: 7, label: "name".into(), rule, rank, claim, ..Publication::default() }
}

fn member(actor: u64, scope: &str, group: &str) -> Publication {
    Publication {
        actor,
        message: 7,
        kind: 1,
        label: group.into(),
        scope: scope.into(),
        ..Publication::default()
    }
}

impl Names {
    fn hears(&mut self, number: u8, news: &[Publication]) -> Changes {
        self.learn(life(number), news)
    }

    fn takes(&mut self, conflict: Conflict) -> Result<(u64, Vec<Clash>), Refusal> {
        let taken = self.publish(&Label::name("name"), who(HERE, 1).actor, MESSAGE, conflict);
        taken.map(|(publication, changes)| (publication.claim, changes.clashes))
    }

    fn who_has(&self, name: &str) -> Vec<PublishedActor> {
        self.holders(name).iter().map(|entry| entry.who).collect()
    }
}

fn clash(winner: PublishedActor, loser: PublishedActor) -> Clash {
    Clash { name: "name".into(), winner, loser }
}

#[test]
fn names_that_all_allow_are_as_many_as_there_are_nodes() {
    let mut names = here();
    assert_eq!(names.hears(9, &[said(3, 0, 0, 0)]), Changes::default());
    assert_eq!(names.hears(2, &[said(4, 0, 0, 0)]), Changes::default());
    assert_eq!(names.who_has("name"), [who(2, 4), who(9, 3)]);
    assert_eq!(names.takes(Allow), Ok((0, vec![])));
    assert_eq!(names.who_has("name"), [who(HERE, 1), who(2, 4), who(9, 3)]);
    assert_eq!(names.takes(Allow), Err(Refusal::Same));
    assert_eq!(names.takes(Reject), Err(Refusal::Taken));
    names.withdraw(&Label::name("name"), who(HERE, 1).actor);
    names.forget(node(2));
    assert_eq!(names.who_has("name"), [who(9, 3)]);
    names.unlearn(life(9), &[said(3, 0, 0, 0)]);
    assert!(names.labels.is_empty());
}

#[test]
fn a_newcomer_is_told_whose_the_name_is_or_takes_it() {
    let holder = who(9, 3);
    for (holds, newcomer, expected) in [
        (said(3, 1, 0, 6), Reject, Err(Refusal::Held(holder))),
        (said(3, 1, 0, 6), Allow, Err(Refusal::Held(holder))),
        (said(3, 1, 0, 6), Newest, Err(Refusal::Held(holder))),
        (said(3, 2, 4, 6), Rank(4), Err(Refusal::Held(holder))),
        (said(3, 3, 0, 6), Reject, Err(Refusal::Held(holder))),
        (said(3, 0, 0, 0), Reject, Err(Refusal::Held(holder))),
        (said(3, 2, 4, 6), Rank(5), Ok((7, vec![clash(who(HERE, 1), holder)]))),
        (said(3, 3, 0, 6), Newest, Ok((7, vec![clash(who(HERE, 1), holder)]))),
        (said(3, 3, 0, 6), Rank(0), Ok((7, vec![clash(who(HERE, 1), holder)]))),
    ] {
        let mut names = here();
        names.hears(9, std::slice::from_ref(&holds));
        assert_eq!(names.takes(newcomer), expected, "{newcomer:?} where there is {holds:?}");
        let has = if expected.is_ok() { who(HERE, 1) } else { holder };
        assert_eq!(names.who_has("name"), [has]);
        assert_eq!(names.labels.len(), 1);
    }
}

#[test]
fn who_meets_another_decides_as_that_one_does() {
    for (ours, theirs, is_ours) in [
        // Nobody knew of anybody: the lesser node.
        (Reject, said(3, 1, 0, 1), true),
        (Newest, said(3, 3, 0, 1), true),
        (Rank(2), said(3, 2, 2, 1), true),
        // They knew of ours, so they are later.
        (Reject, said(3, 1, 0, 2), true),
        (Rank(2), said(3, 2, 2, 2), true),
        (Newest, said(3, 3, 0, 2), false),
        (Reject, said(3, 1, 0, 0), false),
        (Rank(2), said(3, 2, 3, 2), false),
        (Rank(2), said(3, 2, 1, 0), true),
        // Whoever agreed to less.
        (Allow, said(3, 1, 0, 0), true),
        (Reject, said(3, 0, 0, 0), false),
        (Reject, said(3, 2, u32::MAX, 9), true),
        (Rank(0), said(3, 3, 0, 9), true),
        (Newest, said(3, 2, 0, 9), false),
    ] {
        let mut names = here();
        names.takes(ours).unwrap();
        let changes = names.hears(9, std::slice::from_ref(&theirs));
        let (winner, loser) = if is_ours { (who(HERE, 1), who(9, 3)) } else { (who(9, 3), who(HERE, 1)) };
        assert_eq!(changes.clashes, [clash(winner, loser)], "{ours:?} meets {theirs:?}");
        assert_eq!(names.who_has("name"), [winner]);
        // The one of ours that lost is known no more.
        assert_eq!(names.takes(ours) == Err(Refusal::Same), is_ours);
    }
}

#[test]
fn one_that_stands_by_names_the_winner_and_says_nothing() {
    let mut names = here();
    let changes = names.hears(9, &[said(3, 1, 0, 4)]);
    assert_eq!(changes, Changes::default());
    assert_eq!(names.hears(2, &[said(8, 1, 0, 5)]), Changes::default());
    assert_eq!(names.who_has("name"), [who(9, 3)]);
    names.forget(node(9));
    assert_eq!(names.who_has("name"), [who(2, 8)]);
}

#[test]
fn claims_of_a_hostile_peer_do_not_overflow() {
    let mut names = here();
    names.hears(9, &[said(3, 3, 0, u64::MAX)]);
    // The lesser node, as both are as late as can be.
    assert_eq!(names.takes(Newest), Ok((u64::MAX, vec![clash(who(HERE, 1), who(9, 3))])));
    names.withdraw(&Label::name("name"), who(HERE, 1).actor);
    names.hears(2, &[said(3, 3, 0, u64::MAX)]);
    assert_eq!(names.takes(Newest), Err(Refusal::Held(who(2, 3))));
}

fn joined(number: u8, actor: u64) -> GroupEvent {
    GroupEvent::Joined { scope: "s".into(), group: "g".into(), actor: who(number, actor) }
}

fn left(number: u8, actor: u64) -> GroupEvent {
    GroupEvent::Left { scope: "s".into(), group: "g".into(), actor: who(number, actor) }
}

#[test]
fn members_join_and_leave_once() {
    let (mut names, group) = (here(), Label::group("s", "g"));
    let (_, changes) = names.publish(&group, who(HERE, 1).actor, MESSAGE, Allow).unwrap();
    assert_eq!(changes.groups, [joined(HERE, 1)]);
    assert_eq!(names.publish(&group, who(HERE, 1).actor, MESSAGE, Allow), Err(Refusal::Same));
    let theirs = [member(1, "s", "g"), member(2, "s", "g"), member(1, "s", "g")];
    assert_eq!(names.hears(9, &theirs).groups, [joined(9, 1), joined(9, 2)]);
    assert_eq!(names.hears(2, &theirs[..1]).groups, [joined(2, 1)]);
    let members: Vec<_> = names.members(&group).iter().map(|entry| entry.who).collect();
    assert_eq!(members, [who(HERE, 1), who(2, 1), who(9, 1), who(9, 2)]);
    assert_eq!(names.unlearn(life(9), &theirs[1..2]).groups, [left(9, 2)]);
    assert_eq!(names.unlearn(life(9), &theirs[1..2]).groups, []);
    assert_eq!(names.forget(node(9)).groups, [left(9, 1)]);
    assert_eq!(names.forget(node(9)), Changes::default());
    assert_eq!(names.withdraw(&group, who(HERE, 1).actor).groups, [left(HERE, 1)]);
    assert_eq!(names.withdraw(&group, who(HERE, 1).actor), Changes::default());
}

#[test]
fn scopes_and_names_know_nothing_of_each_other() {
    let mut names = here();
    let both = [member(1, "", "name"), member(2, "a", "name"), member(3, "a", "g"), member(4, "ab", "g")];
    names.hears(9, &both);
    names.hears(9, &[said(5, 1, 0, 1)]);
    let texts = |texts: Vec<std::sync::Arc<str>>| texts.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(texts(names.scopes()), ["", "a", "ab"]);
    assert_eq!(texts(names.groups("")), ["name"]);
    assert_eq!(texts(names.groups("a")), ["g", "name"]);
    assert_eq!(texts(names.groups("b")), [""; 0]);
    assert_eq!(names.who_has("name"), [who(9, 5)]);
    assert_eq!(names.members(&Label::group("", "name"))[0].who, who(9, 1));
}
