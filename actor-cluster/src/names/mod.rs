//! Who publishes what: the names and groups of this node and of its peers, as a machine.
//!
//! ```text
//!  publish, withdraw ──►          ──► who is a member, who holds a name
//!  learn, unlearn    ──►  Names
//!  forget            ──►          ──► Changes: who joined and left, conflicts, names lost
//! ```
//!
//! The shell, `node/publish.rs`, tells it what happens here and what peers say, in the order of each,
//! and does what the changes say. What several nodes hold is settled in [`conflict`].

pub(crate) mod conflict;
#[cfg(test)]
mod random;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use actor_core::ActorId;

use self::conflict::{Claim, Conflict};
use crate::authorize::{PublishedAs, Subject};
use crate::event::{GroupEvent, PublishedActor};
use crate::id::{NodeId, NodeLife};
use crate::wire::TypeTag;
use crate::wire::control::Publication;

/// How an actor is published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum LabelKind {
    /// One actor of a node holds it.
    Name,
    /// Any number of actors share it.
    Group,
}

/// What an actor is published under.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Label {
    kind: LabelKind,
    /// Of a group; empty if it is in none.
    scope: Arc<str>,
    text: Arc<str>,
}

impl Label {
    pub(crate) fn name(text: &str) -> Self {
        Self { kind: LabelKind::Name, scope: "".into(), text: text.into() }
    }

    pub(crate) fn group(scope: &str, text: &str) -> Self {
        Self { kind: LabelKind::Group, scope: scope.into(), text: text.into() }
    }

    pub(crate) fn of(publication: &Publication) -> Self {
        if publication.kind == 0 {
            Self::name(&publication.label)
        } else {
            Self::group(&publication.scope, &publication.label)
        }
    }

    /// What somebody is asked about who may deny it.
    pub(crate) fn subject(&self) -> Subject {
        match self.kind {
            LabelKind::Name => Subject::Name(self.text.clone()),
            LabelKind::Group => Subject::Group { scope: self.scope.clone(), name: self.text.clone() },
        }
    }

    /// The same, of an actor of ours.
    pub(crate) fn published_as(&self) -> PublishedAs {
        match self.kind {
            LabelKind::Name => PublishedAs::Name(self.text.clone()),
            LabelKind::Group => PublishedAs::Group { scope: self.scope.clone(), name: self.text.clone() },
        }
    }

    pub(crate) fn is_of(&self, publication: &Publication) -> bool {
        let is_group = self.kind == LabelKind::Group;
        (&*self.text, &*self.scope, is_group)
            == (&*publication.label, &*publication.scope, publication.kind == 1)
    }

    pub(crate) fn scope(&self) -> &str {
        &self.scope
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }
}

/// A published actor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) who: PublishedActor,
    pub(crate) message: TypeTag,
    /// Of a group's member it means nothing.
    pub(crate) claim: Claim,
}

/// Why this node does not publish an actor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It does already.
    Same,
    /// Another actor of this node holds the name, or this one does by another rule.
    Taken,
    /// An actor of another node holds it.
    Held(PublishedActor),
}

/// A name that two nodes hold, of which this is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Clash {
    pub(crate) name: Arc<str>,
    pub(crate) winner: PublishedActor,
    pub(crate) loser: PublishedActor,
}

/// What follows from what happened.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Changes {
    pub(crate) groups: Vec<GroupEvent>,
    /// At the loser's, its actor holds the name no more: that is to be told to all.
    pub(crate) clashes: Vec<Clash>,
}

/// Everything that this node and its peers publish.
#[derive(Debug)]
pub(crate) struct Names {
    myself: NodeId,
    /// Sorted by node, then by actor: every node that knows the same publications
    /// finds them in the same order.
    labels: BTreeMap<Label, BTreeMap<PublishedActor, (TypeTag, Claim)>>,
    /// The greatest number of a claim that was ever heard of.
    latest: u64,
}

impl Names {
    pub(crate) fn new(myself: NodeId) -> Self {
        Self { myself, labels: BTreeMap::new(), latest: 0 }
    }

    /// Publishes an actor of this node. From whomever the name is taken by that loses it once
    /// it hears of this.
    pub(crate) fn publish(
        &mut self,
        label: &Label,
        actor: ActorId,
        message: TypeTag,
        conflict: Conflict,
    ) -> Result<(Publication, Changes), Refusal> {
        let who = PublishedActor { node: self.myself, actor };
        let is_plain = label.kind == LabelKind::Group || conflict == Conflict::Allow;
        let number = if is_plain { 0 } else { self.latest.saturating_add(1) };
        let claim = Claim { conflict, number };
        let mut changes = Changes::default();
        match label.kind {
            LabelKind::Group if self.has(label, who) => return Err(Refusal::Same),
            LabelKind::Group => {}
            LabelKind::Name => changes.clashes = self.clashes_of_newcomer(label, who, &claim)?,
        }
        self.latest = self.latest.max(number);
        let mut publication = Publication {
            actor: actor.serial(),
            message: message.as_u64(),
            kind: u32::from(label.kind == LabelKind::Group),
            label: label.text.to_string(),
            scope: label.scope.to_string(),
            ..Publication::default()
        };
        claim.write(&mut publication);
        self.insert(label, who, message, claim, &mut changes);
        Ok((publication, changes))
    }

    fn clashes_of_newcomer(
        &self,
        label: &Label,
        who: PublishedActor,
        claim: &Claim,
    ) -> Result<Vec<Clash>, Refusal> {
        if let Some(ours) = self.ours(label) {
            let is_same = (ours.who, ours.claim.conflict) == (who, claim.conflict);
            return Err(if is_same { Refusal::Same } else { Refusal::Taken });
        }
        let mut clashes = Vec::new();
        for holder in self.lookup(label).filter(|holder| claim.conflicts_with(&holder.claim)) {
            if !claim.may_take_from(who, &holder.claim, holder.who) {
                return Err(Refusal::Held(holder.who));
            }
            clashes.push(Clash { name: label.text.clone(), winner: who, loser: holder.who });
        }
        Ok(clashes)
    }

    /// Takes an actor of this node from under a label.
    pub(crate) fn withdraw(&mut self, label: &Label, actor: ActorId) -> Changes {
        let mut changes = Changes::default();
        self.remove(label, PublishedActor { node: self.myself, actor }, &mut changes);
        changes
    }

    /// A peer publishes more. If this node loses a name by it, it holds it no more.
    pub(crate) fn learn(&mut self, life: NodeLife, news: &[Publication]) -> Changes {
        let mut changes = Changes::default();
        for publication in news {
            let (label, claim) = (Label::of(publication), Claim::of(publication));
            let who = PublishedActor { node: life.node, actor: life.actor(publication.actor) };
            self.latest = self.latest.max(claim.number);
            if label.kind == LabelKind::Name {
                self.meet(&label, who, &claim, &mut changes);
            }
            self.insert(&label, who, TypeTag::from_u64(publication.message), claim, &mut changes);
        }
        changes
    }

    /// Settles who has a name of ours that a peer says to hold too.
    fn meet(&mut self, label: &Label, other: PublishedActor, theirs: &Claim, changes: &mut Changes) {
        let Some(ours) = self.ours(label).filter(|ours| ours.claim.conflicts_with(theirs)) else { return };
        let is_lost = theirs.place(other) < ours.claim.place(ours.who);
        let (winner, loser) = if is_lost { (other, ours.who) } else { (ours.who, other) };
        changes.clashes.push(Clash { name: label.text.clone(), winner, loser });
        if is_lost {
            self.remove(label, ours.who, changes);
        }
    }

    /// Whether this of a peer's is found here.
    pub(crate) fn is_found(&self, life: NodeLife, publication: &Publication) -> bool {
        let who = PublishedActor { node: life.node, actor: life.actor(publication.actor) };
        self.labels.get(&Label::of(publication)).is_some_and(|holders| holders.contains_key(&who))
    }

    /// A peer publishes less.
    pub(crate) fn unlearn(&mut self, life: NodeLife, gone: &[Publication]) -> Changes {
        let mut changes = Changes::default();
        for publication in gone {
            let who = PublishedActor { node: life.node, actor: life.actor(publication.actor) };
            self.remove(&Label::of(publication), who, &mut changes);
        }
        changes
    }

    /// All that one life of a peer publishes.
    pub(crate) fn of_peer(&self, life: NodeLife) -> Vec<(Label, PublishedActor)> {
        let is_theirs =
            |who: &PublishedActor| who.node == life.node && who.actor.incarnation() == life.incarnation;
        let all = self.labels.iter().flat_map(|(label, holders)| holders.keys().map(move |who| (label, who)));
        all.filter(|(_, who)| is_theirs(who)).map(|(label, who)| (label.clone(), *who)).collect()
    }

    /// These are found no more.
    pub(crate) fn remove_all(&mut self, gone: &[(Label, PublishedActor)]) -> Changes {
        let mut changes = Changes::default();
        gone.iter().for_each(|(label, who)| self.remove(label, *who, &mut changes));
        changes
    }

    /// A peer is gone, with all that it published.
    pub(crate) fn forget(&mut self, node: NodeId) -> Changes {
        let mut changes = Changes::default();
        self.labels.retain(|label, holders| {
            holders.retain(|who, _| {
                let stays = who.node != node;
                if !stays {
                    changes.left(label, *who);
                }
                stays
            });
            !holders.is_empty()
        });
        changes
    }

    /// Who is under a label, by node and then by actor.
    pub(crate) fn lookup(&self, label: &Label) -> impl Iterator<Item = Entry> {
        let holders = self.labels.get(label).into_iter().flatten();
        holders.map(|(who, (message, claim))| Entry { who: *who, message: *message, claim: *claim })
    }

    /// Who may be meant by a name: ours and then by node, where each node may have its own; otherwise
    /// the one who has it.
    pub(crate) fn holders(&self, name: &str) -> Vec<Entry> {
        let mut holders: Vec<_> = self.lookup(&Label::name(name)).collect();
        let Some(first) = holders.iter().copied().min_by_key(|entry| entry.claim.place(entry.who)) else {
            return holders;
        };
        if first.claim.conflict != Conflict::Allow {
            return vec![first];
        }
        holders.retain(|entry| entry.claim.conflict == Conflict::Allow);
        holders.sort_by_key(|entry| (entry.who.node != self.myself, entry.who));
        holders
    }

    /// The members of a group, ours first.
    pub(crate) fn members(&self, group: &Label) -> Vec<Entry> {
        let mut members: Vec<_> = self.lookup(group).collect();
        members.sort_by_key(|entry| entry.who.node != self.myself);
        members
    }

    /// The groups of a scope that have members, sorted.
    pub(crate) fn groups(&self, scope: &str) -> Vec<Arc<str>> {
        let labels = self.labels.range(Label::group(scope, "")..).map(|(label, _)| label);
        labels.take_while(|label| &*label.scope == scope).map(|label| label.text.clone()).collect()
    }

    /// The scopes in which a group has a member, sorted.
    pub(crate) fn scopes(&self) -> Vec<Arc<str>> {
        let labels = self.labels.range(Label::group("", "")..).map(|(label, _)| label);
        let mut scopes: Vec<Arc<str>> = Vec::new();
        for label in labels {
            if scopes.last() != Some(&label.scope) {
                scopes.push(label.scope.clone());
            }
        }
        scopes
    }

    /// The actor of this node's under a name.
    fn ours(&self, name: &Label) -> Option<Entry> {
        self.lookup(name).find(|entry| entry.who.node == self.myself)
    }

    fn has(&self, label: &Label, who: PublishedActor) -> bool {
        self.labels.get(label).is_some_and(|holders| holders.contains_key(&who))
    }

    fn insert(
        &mut self,
        label: &Label,
        who: PublishedActor,
        message: TypeTag,
        claim: Claim,
        changes: &mut Changes,
    ) {
        let holders = self.labels.entry(label.clone()).or_default();
        if holders.insert(who, (message, claim)).is_none() {
            changes.joined(label, who);
        }
    }

    fn remove(&mut self, label: &Label, who: PublishedActor, changes: &mut Changes) {
        let Some(holders) = self.labels.get_mut(label) else { return };
        let was_there = holders.remove(&who).is_some();
        if holders.is_empty() {
            self.labels.remove(label);
        }
        if was_there {
            changes.left(label, who);
        }
    }
}

impl Changes {
    fn joined(&mut self, label: &Label, actor: PublishedActor) {
        if label.kind == LabelKind::Group {
            let (scope, group) = (label.scope.clone(), label.text.clone());
            self.groups.push(GroupEvent::Joined { scope, group, actor });
        }
    }

    fn left(&mut self, label: &Label, actor: PublishedActor) {
        if label.kind == LabelKind::Group {
            let (scope, group) = (label.scope.clone(), label.text.clone());
            self.groups.push(GroupEvent::Left { scope, group, actor });
        }
    }
}
