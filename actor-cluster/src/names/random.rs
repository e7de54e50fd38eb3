//! Random days of two to four nodes that publish, meet, part and begin new lives, against an oracle that is
//! too simple to be wrong: who wins is written out, and what each node should know is looked up at the
//! others.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use actor_core::Incarnation;
use proptest::prelude::*;

use super::conflict::Conflict;
use super::{Changes, Clash, Label, Names};
use crate::event::{GroupEvent, PublishedActor};
use crate::id::{NodeId, NodeLife};
use crate::wire::TypeTag;
use crate::wire::control::Publication;

const NODES_MAX: usize = 4;

#[derive(Clone, Debug)]
enum Op {
    Take {
        node: usize,
        name: u8,
        rule: Conflict,
    },
    Join {
        node: usize,
        group: u8,
    },
    /// One publication is taken back.
    Withdraw {
        node: usize,
        which: usize,
    },
    /// An actor ends.
    Exit {
        node: usize,
        which: usize,
    },
    /// One word arrives.
    Deliver {
        from: usize,
        to: usize,
    },
    Meet {
        one: usize,
        other: usize,
    },
    Part {
        one: usize,
        other: usize,
    },
    Restart {
        node: usize,
    },
}

#[derive(Clone)]
enum Word {
    Publish(Vec<Publication>),
    Unpublish(Vec<Publication>),
}

struct Node {
    life: NodeLife,
    names: Names,
    /// What it publishes, as its shell would keep it.
    publishes: Vec<Publication>,
    actors: u64,
    /// The members of all groups, as somebody would think who has only heard of changes.
    heard: BTreeSet<(String, PublishedActor)>,
}

impl Node {
    fn new(number: usize, life: u64) -> Self {
        let id = NodeId::from_bytes([u8::try_from(number).unwrap(); 32]);
        let (names, heard) = (Names::new(id), BTreeSet::new());
        let life = NodeLife::new(id, Incarnation::from_u64(life));
        Self { life, names, publishes: Vec::new(), actors: 0, heard }
    }

    fn who(&self, publication: &Publication) -> PublishedActor {
        PublishedActor { node: self.life.node, actor: self.life.actor(publication.actor) }
    }

    fn hears(&mut self, events: &[GroupEvent]) {
        for event in events {
            match event {
                GroupEvent::Joined { group, actor, .. } => {
                    assert!(self.heard.insert((group.to_string(), *actor)), "joined twice: {event:?}");
                }
                GroupEvent::Left { group, actor, .. } => {
                    assert!(self.heard.remove(&(group.to_string(), *actor)), "was not there: {event:?}");
                }
                GroupEvent::Missed(_) => panic!("nothing is missed here"),
            }
        }
    }
}

struct World {
    nodes: Vec<Node>,
    /// What is under way between those who have a session, by writer and reader.
    sessions: BTreeMap<(usize, usize), VecDeque<Word>>,
    /// The conflicts that were told, at whom, while the sessions last.
    told: BTreeSet<(usize, usize, Publication, Publication)>,
}

impl World {
    fn new(nodes: usize) -> Self {
        let nodes = (0..nodes).map(|number| Node::new(number, 1)).collect();
        Self { nodes, sessions: BTreeMap::new(), told: BTreeSet::new() }
    }

    fn run(&mut self, op: Op) {
        let count = self.nodes.len();
        match op {
            Op::Take { node, name, rule } => {
                self.publish(node % count, &Label::name(&format!("name-{name}")), rule);
            }
            Op::Join { node, group } => {
                self.publish(node % count, &Label::group("", &format!("group-{group}")), Conflict::Allow);
            }
            Op::Withdraw { node, which } => {
                let published = &self.nodes[node % count].publishes;
                if !published.is_empty() {
                    let publication = published[which % published.len()].clone();
                    self.withdraw(node % count, &publication);
                }
            }
            Op::Exit { node, which } => {
                let published = self.nodes[node % count].publishes.clone();
                let actor =
                    published.get(which % published.len().max(1)).map(|publication| publication.actor);
                for publication in published.iter().filter(|publication| Some(publication.actor) == actor) {
                    self.withdraw(node % count, publication);
                }
            }
            Op::Deliver { from, to } => self.deliver(from % count, to % count),
            Op::Meet { one, other } => self.meet(one % count, other % count),
            Op::Part { one, other } => self.part(one % count, other % count),
            Op::Restart { node } => {
                (0..count).for_each(|other| self.part(node % count, other));
                let life = self.nodes[node % count].life.incarnation.as_u64() + 1;
                self.nodes[node % count] = Node::new(node % count, life);
            }
        }
    }

    fn publish(&mut self, at: usize, label: &Label, rule: Conflict) {
        let node = &mut self.nodes[at];
        // Now and then by an actor that is published already.
        let actor = if node.actors % 3 == 2 { node.actors } else { node.actors + 1 };
        node.actors += 1;
        let known: Vec<_> = node.names.lookup(label).collect();
        let id = node.life.actor(actor);
        let Ok((publication, changes)) = node.names.publish(label, id, TypeTag::from_u64(1), rule) else {
            let is_known = |entry: &super::Entry| {
                entry.who.node == node.life.node || label.kind == super::LabelKind::Name
            };
            assert!(known.iter().any(is_known), "refused for nothing");
            return;
        };
        let clashes = std::mem::take(&mut node.publishes);
        node.publishes = [clashes, vec![publication.clone()]].concat();
        let who = node.who(&publication);
        let losers = known
            .iter()
            .filter(|entry| label.kind == super::LabelKind::Name && !both_allow(entry.claim.conflict, rule));
        let expected: Vec<_> = losers.map(|entry| (who, entry.who)).collect();
        self.settle(at, changes, &expected);
        self.say(at, &Word::Publish(vec![publication]));
    }

    fn withdraw(&mut self, at: usize, publication: &Publication) {
        let node = &mut self.nodes[at];
        let place = node.publishes.iter().position(|other| other == publication).unwrap();
        node.publishes.remove(place);
        let actor = node.who(publication).actor;
        let changes = node.names.withdraw(&Label::of(publication), actor);
        self.settle(at, changes, &[]);
        self.say(at, &Word::Unpublish(vec![publication.clone()]));
    }

    fn say(&mut self, from: usize, word: &Word) {
        for (_, words) in self.sessions.iter_mut().filter(|((writer, _), _)| *writer == from) {
            words.push_back(word.clone());
        }
    }

    fn deliver(&mut self, from: usize, to: usize) {
        let Some(word) = self.sessions.get_mut(&(from, to)).and_then(VecDeque::pop_front) else { return };
        let peer = self.nodes[from].life;
        let reader = &mut self.nodes[to];
        match word {
            Word::Unpublish(gone) => {
                let changes = reader.names.unlearn(peer, &gone);
                self.settle(to, changes, &[]);
            }
            Word::Publish(news) => {
                let mut expected = Vec::new();
                let mut ours = reader.publishes.clone();
                for theirs in news.iter().filter(|publication| publication.kind == 0) {
                    let Some(place) = ours.iter().position(|ours| clash(ours, theirs)) else { continue };
                    let them = PublishedActor { node: peer.node, actor: peer.actor(theirs.actor) };
                    let us = reader.who(&ours[place]);
                    let pair = (to, from, ours[place].clone(), theirs.clone());
                    assert!(self.told.insert(pair), "told twice in one session");
                    if wins(&ours[place], reader.life.node, theirs, peer.node) {
                        expected.push((us, them));
                    } else {
                        expected.push((them, us));
                        ours.remove(place);
                    }
                }
                let changes = reader.names.learn(peer, &news);
                self.settle(to, changes, &expected);
            }
        }
    }

    /// Does what the shell does, and looks whether it was expected.
    fn settle(&mut self, at: usize, changes: Changes, expected: &[(PublishedActor, PublishedActor)]) {
        let node = &mut self.nodes[at];
        node.hears(&changes.groups);
        let told: Vec<_> = changes.clashes.iter().map(|clash| (clash.winner, clash.loser)).collect();
        assert_eq!(told, expected);
        let mut gone = Vec::new();
        for Clash { name, loser, .. } in
            changes.clashes.iter().filter(|clash| clash.loser.node == node.life.node)
        {
            let lost = |ours: &Publication| {
                ours.kind == 0 && *ours.label == **name && ours.actor == loser.actor.serial()
            };
            let place = node.publishes.iter().position(lost).expect("lost what it had, and once");
            gone.push(node.publishes.remove(place));
        }
        if !gone.is_empty() {
            self.say(at, &Word::Unpublish(gone));
        }
    }

    fn meet(&mut self, one: usize, other: usize) {
        if one == other || self.sessions.contains_key(&(one, other)) {
            return;
        }
        for (from, to) in [(one, other), (other, one)] {
            let all = Word::Publish(self.nodes[from].publishes.clone());
            self.sessions.insert((from, to), [all].into());
        }
    }

    fn part(&mut self, one: usize, other: usize) {
        if self.sessions.remove(&(one, other)).is_none() {
            return;
        }
        self.sessions.remove(&(other, one));
        self.told.retain(|(at, with, _, _)| ![(one, other), (other, one)].contains(&(*at, *with)));
        for (at, gone) in [(one, other), (other, one)] {
            let gone = self.nodes[gone].life.node;
            let changes = self.nodes[at].names.forget(gone);
            self.settle(at, changes, &[]);
        }
    }

    /// Everybody meets everybody, and all has been said.
    fn heal(&mut self) {
        let count = self.nodes.len();
        let pairs = (0..count).flat_map(|one| (0..count).map(move |other| (one, other)));
        pairs.clone().for_each(|(one, other)| self.meet(one, other));
        while self.sessions.values().any(|words| !words.is_empty()) {
            pairs.clone().for_each(|(from, to)| self.deliver(from, to));
        }
    }

    fn check(&self) {
        let all = || self.nodes.iter().flat_map(|node| node.publishes.iter().map(|it| (node.who(it), it)));
        for name in (0..2).map(|name| format!("name-{name}")) {
            let holders: Vec<_> = all().filter(|(_, it)| it.kind == 0 && it.label == name).collect();
            assert!(holders.len() <= 1 || holders.iter().all(|(_, it)| it.rule == 0), "{holders:?}");
            let mut expected: Vec<_> = holders.iter().map(|(who, _)| *who).collect();
            expected.sort();
            for node in &self.nodes {
                expected.sort_by_key(|who| (who.node != node.life.node, *who));
                let found: Vec<_> = node.names.holders(&name).iter().map(|entry| entry.who).collect();
                assert_eq!(found, expected, "{name} at {:?}", node.life.node);
            }
        }
        let members: BTreeSet<_> =
            all().filter(|(_, it)| it.kind == 1).map(|(who, it)| (it.label.clone(), who)).collect();
        for node in &self.nodes {
            assert_eq!(node.heard, members, "as heard at {:?}", node.life.node);
            let groups = node.names.groups("").into_iter();
            let found = groups.flat_map(|group| {
                let members = node.names.members(&Label::group("", &group));
                members.into_iter().map(move |entry| (group.to_string(), entry.who))
            });
            assert_eq!(found.collect::<BTreeSet<_>>(), members, "as known at {:?}", node.life.node);
        }
    }
}

fn both_allow(one: Conflict, other: Conflict) -> bool {
    one == Conflict::Allow && other == Conflict::Allow
}

fn clash(one: &Publication, other: &Publication) -> bool {
    one.kind == 0 && one.label == other.label && (one.rule != 0 || other.rule != 0)
}

/// Written out, unlike the order in `conflict.rs`.
fn wins(ours: &Publication, us: NodeId, theirs: &Publication, them: NodeId) -> bool {
    if ours.rule != theirs.rule {
        return ours.rule < theirs.rule;
    }
    if ours.rank != theirs.rank {
        return ours.rank > theirs.rank;
    }
    if ours.claim != theirs.claim {
        let is_newer = ours.claim > theirs.claim;
        return if ours.rule == 3 { is_newer } else { !is_newer };
    }
    us < them
}

fn op() -> impl Strategy<Value = Op> {
    let node = || 0..NODES_MAX;
    let rule = prop_oneof![
        Just(Conflict::Allow),
        Just(Conflict::Reject),
        Just(Conflict::Reject),
        Just(Conflict::Newest),
        Just(Conflict::Newest),
        (0u32..3).prop_map(Conflict::Rank),
    ];
    prop_oneof![
        4 => (node(), 0u8..2, rule).prop_map(|(node, name, rule)| Op::Take { node, name, rule }),
        2 => (node(), 0u8..2).prop_map(|(node, group)| Op::Join { node, group }),
        1 => (node(), 0usize..8).prop_map(|(node, which)| Op::Withdraw { node, which }),
        1 => (node(), 0usize..8).prop_map(|(node, which)| Op::Exit { node, which }),
        9 => (node(), node()).prop_map(|(from, to)| Op::Deliver { from, to }),
        3 => (node(), node()).prop_map(|(one, other)| Op::Meet { one, other }),
        2 => (node(), node()).prop_map(|(one, other)| Op::Part { one, other }),
        1 => node().prop_map(|node| Op::Restart { node }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn after_any_day_all_agree(nodes in 2..=NODES_MAX, ops in prop::collection::vec(op(), 1..120)) {
        let mut world = World::new(nodes);
        for op in ops {
            world.run(op);
        }
        world.heal();
        world.check();
        // Nothing more is to be said.
        world.heal();
        world.check();
    }
}
