//! What a policy allows, by a table: each kind of grant, and everything that is next to it.

use std::collections::BTreeSet;
use std::sync::Arc;

use actor_core::{ActorId, Incarnation};

use super::{Actors, Allow, Labels, Rights};
use crate::authorize::{Authorize, Operation, PublishedAs, Subject};
use crate::event::PeerInfo;
use crate::id::NodeId;
use crate::wire::TypeTag;

fn id(number: u8) -> NodeId {
    NodeId::from_bytes([number; 32])
}

fn peer(number: u8) -> PeerInfo {
    PeerInfo {
        node: id(number),
        incarnation: Incarnation::from_u64(1),
        name: format!("node-{number}"),
        is_proven: true,
    }
}

const MESSAGE: TypeTag = TypeTag::named("tests::Message");

fn name(name: &str) -> PublishedAs {
    PublishedAs::Name(name.into())
}

fn group(scope: &str, name: &str) -> PublishedAs {
    PublishedAs::Group { scope: scope.into(), name: name.into() }
}

fn actor(messages: &str, published: impl Into<Arc<[PublishedAs]>>) -> Subject {
    Subject::Actor {
        id: ActorId::new(Incarnation::from_u64(7), 8),
        messages: TypeTag::named(messages),
        published: published.into(),
    }
}

/// One of each kind of subject, with what the tables call it.
fn subjects() -> Vec<(&'static str, Subject)> {
    vec![
        ("given", actor("tests::Other", [])),
        ("given, of the type", actor("tests::Message", [])),
        ("till", actor("tests::Other", [name("till")])),
        ("till/7", actor("tests::Other", [name("till/7")])),
        ("group till", actor("tests::Other", [group("", "till")])),
        ("group shop/till", actor("tests::Other", [group("shop", "till")])),
        ("group shop/desk", actor("tests::Other", [group("shop", "desk")])),
        ("desk and till", actor("tests::Other", [group("shop", "desk"), name("desk"), name("till")])),
        ("kind till", Subject::Kind("till".into())),
        ("kind desk", Subject::Kind("desk".into())),
        ("Name till", Subject::Name("till".into())),
        ("Name till/7", Subject::Name("till/7".into())),
        ("Name desk", Subject::Name("desk".into())),
        ("Group till", Subject::Group { scope: "".into(), name: "till".into() }),
        ("Group shop/till", Subject::Group { scope: "shop".into(), name: "till".into() }),
        ("Group shop/desk", Subject::Group { scope: "shop".into(), name: "desk".into() }),
    ]
}

/// All that a peer may do, of everything there is.
fn allowed(rights: &Rights, peer: &PeerInfo) -> BTreeSet<(Operation, &'static str)> {
    let all = Operation::ALL.into_iter().flat_map(|operation| {
        subjects().into_iter().map(move |(called, subject)| (operation, called, subject))
    });
    all.filter(|(operation, _, subject)| rights.is_allowed(peer, *operation, subject.clone()))
        .map(|(operation, called, _)| (operation, called))
        .collect()
}

#[track_caller]
fn assert_grants(allow: Allow, operations: &[Operation], expected: &[&'static str]) {
    let pairs = operations.iter().flat_map(|operation| expected.iter().map(|called| (*operation, *called)));
    let expected: BTreeSet<_> = pairs.collect();
    for rights in [Rights::new().everyone(allow.clone()), Rights::new().node(id(1), allow)] {
        assert_eq!(allowed(&rights, &peer(1)), expected);
        assert!(!rights.may_join(&peer(1)), "nothing but `join` lets anybody in");
    }
}

const EVERY_ACTOR: [&str; 8] = [
    "given",
    "given, of the type",
    "till",
    "till/7",
    "group till",
    "group shop/till",
    "group shop/desk",
    "desk and till",
];
const PUBLISHED: [&str; 6] =
    ["Name till", "Name till/7", "Name desk", "Group till", "Group shop/till", "Group shop/desk"];

#[test]
fn nothing_is_granted_unless_it_is() {
    for rights in [Rights::new(), Rights::new().everyone(Allow::nothing()).node(id(1), Allow::nothing())] {
        assert_eq!(allowed(&rights, &peer(1)), BTreeSet::new());
        assert!(!rights.may_join(&peer(1)));
    }
    let join = Rights::new().everyone(Allow::nothing().join());
    assert_eq!(allowed(&join, &peer(1)), BTreeSet::new());
    assert!(join.may_join(&peer(1)));
}

#[test]
fn everything_is_what_is_allowed_without_rights() {
    let rights = Rights::new().everyone(Allow::everything());
    let (of_actors, kinds): (Vec<_>, _) = (EVERY_ACTOR.into(), ["kind till", "kind desk"]);
    let expected = Operation::ALL.into_iter().flat_map(|operation| {
        let subjects: Vec<_> = match operation {
            Operation::Spawn => kinds.into(),
            Operation::Publish => PUBLISHED.into(),
            _ => of_actors.clone(),
        };
        subjects.into_iter().map(move |called| (operation, called))
    });
    assert_eq!(allowed(&rights, &peer(1)), expected.collect());
    assert!(rights.may_join(&peer(1)));
}

#[test]
fn a_grant_is_of_its_operations_and_of_no_others() {
    use Operation as O;
    type Grant = fn(Allow, Actors) -> Allow;
    let grants: [(Grant, &[Operation]); 6] = [
        (Allow::cast, &[O::Cast]),
        (Allow::call, &[O::Call]),
        (Allow::send, &[O::Cast, O::Call]),
        (Allow::watch, &[O::Watch]),
        (Allow::link, &[O::Link]),
        (Allow::stop, &[O::Stop, O::Drain, O::Kill]),
    ];
    for (grant, operations) in grants {
        assert_grants(grant(Allow::nothing(), Actors::all()), operations, &EVERY_ACTOR);
    }
    assert_grants(Allow::nothing().spawn_all(), &[O::Spawn], &["kind till", "kind desk"]);
    assert_grants(Allow::nothing().spawn("till"), &[O::Spawn], &["kind till"]);
    assert_grants(Allow::nothing().publish(Labels::all()), &[O::Publish], &PUBLISHED);
}

#[test]
fn a_grant_is_of_its_subjects_and_of_no_others() {
    let by_name = || Labels::name("till");
    let rows: [(Labels, &[&str], &[&str]); 8] = [
        (by_name(), &["till", "desk and till"], &["Name till"]),
        (Labels::names_under("till"), &["till", "till/7", "desk and till"], &["Name till", "Name till/7"]),
        (Labels::names_under("till/"), &["till/7"], &["Name till/7"]),
        (Labels::group("", "till"), &["group till"], &["Group till"]),
        (Labels::group("shop", "till"), &["group shop/till"], &["Group shop/till"]),
        (
            Labels::scope("shop"),
            &["group shop/till", "group shop/desk", "desk and till"],
            &["Group shop/till", "Group shop/desk"],
        ),
        (Labels::scope(""), &["group till"], &["Group till"]),
        (
            Labels::group("shop", "till").and(Labels::group("", "till")).and(Labels::name("no such")),
            &["group till", "group shop/till"],
            &["Group till", "Group shop/till"],
        ),
    ];
    for (labels, actors, published) in rows {
        let reached = Actors::published(labels.clone());
        assert_grants(Allow::nothing().call(reached), &[Operation::Call], actors);
        assert_grants(Allow::nothing().publish(labels), &[Operation::Publish], published);
    }
    let of_type = ["given, of the type"];
    assert_grants(Allow::nothing().call(Actors::taking_type(MESSAGE)), &[Operation::Call], &of_type);
    let either = Actors::taking_type(MESSAGE).and(Actors::published(by_name()));
    let expected = ["given, of the type", "till", "desk and till"];
    assert_grants(Allow::nothing().watch(either), &[Operation::Watch], &expected);
    assert_grants(Allow::nothing().call(Actors::published(Labels::default())), &[Operation::Call], &[]);
}

/// All orders in which three grants can be said.
#[test]
fn grants_add_up_in_any_order() {
    let till = || Actors::published(Labels::name("till"));
    let grants: [fn(Rights) -> Rights; 3] = [
        |rights| rights.everyone(Allow::nothing().join()),
        |rights| rights.node(id(1), Allow::nothing().call(Actors::published(Labels::name("till")))),
        |rights| rights.nodes([id(1), id(2)], Allow::nothing().spawn("desk").publish(Labels::name("desk"))),
    ];
    let both = [(Operation::Spawn, "kind desk"), (Operation::Publish, "Name desk")];
    let of_first = Rights::new().everyone(Allow::nothing().call(till()));
    let of_first: BTreeSet<_> = allowed(&of_first, &peer(1)).into_iter().chain(both).collect();
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let rights = order.into_iter().fold(Rights::new(), |rights, grant: usize| grants[grant](rights));
        assert_eq!(allowed(&rights, &peer(1)), of_first, "{order:?}");
        assert_eq!(allowed(&rights, &peer(2)), both.into(), "{order:?}");
        assert_eq!(allowed(&rights, &peer(3)), BTreeSet::new(), "{order:?}");
        assert!([1, 2, 3].iter().all(|number| rights.may_join(&peer(*number))));
    }
}

#[test]
fn a_node_that_nobody_has_proven_has_what_everyone_has() {
    let rights = Rights::new()
        .everyone(Allow::nothing().call(Actors::published(Labels::name("till"))))
        .node(id(1), Allow::everything());
    let claims = PeerInfo { is_proven: false, ..peer(1) };
    assert!(rights.may_join(&peer(1)) && !rights.may_join(&claims));
    assert_eq!(
        allowed(&rights, &claims),
        [(Operation::Call, "till"), (Operation::Call, "desk and till")].into()
    );
    // Nor does a name help.
    let named = PeerInfo { name: peer(1).name, ..peer(2) };
    assert_eq!(allowed(&rights, &named), allowed(&rights, &claims));
}
