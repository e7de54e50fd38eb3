//! Which names and groups a grant is about.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::authorize::PublishedAs;

/// Some of the names and groups of the cluster. Names and groups are two things: a grant about a name says nothing of a group
/// that is called the same.
#[derive(Clone, Debug, Default)]
pub struct Labels {
    is_all: bool,
    names: BTreeSet<Arc<str>>,
    names_under: BTreeSet<Arc<str>>,
    /// By scope.
    groups: BTreeMap<Arc<str>, BTreeSet<Arc<str>>>,
    scopes: BTreeSet<Arc<str>>,
}

impl Labels {
    /// Every name and every group.
    pub fn all() -> Self {
        Self { is_all: true, ..Self::default() }
    }

    /// This name.
    pub fn name(name: impl Into<Arc<str>>) -> Self {
        Self { names: BTreeSet::from([name.into()]), ..Self::default() }
    }

    /// Every name that begins so, `"till/"` for example; `""` is every name. Where it should end at a part of a name, say so:
    /// `"till"` is `"tills-of-others"` too.
    pub fn names_under(prefix: impl Into<Arc<str>>) -> Self {
        Self { names_under: BTreeSet::from([prefix.into()]), ..Self::default() }
    }

    /// This group of this scope; the scope `""` is none.
    pub fn group(scope: impl Into<Arc<str>>, name: impl Into<Arc<str>>) -> Self {
        let groups = BTreeMap::from([(scope.into(), BTreeSet::from([name.into()]))]);
        Self { groups, ..Self::default() }
    }

    /// Every group of this scope; `""` is all those in none.
    pub fn scope(scope: impl Into<Arc<str>>) -> Self {
        Self { scopes: BTreeSet::from([scope.into()]), ..Self::default() }
    }

    /// These, and others.
    #[must_use]
    pub fn and(mut self, others: Labels) -> Self {
        self.add(&others);
        self
    }

    pub(super) fn add(&mut self, others: &Labels) {
        self.is_all |= others.is_all;
        self.names.extend(others.names.iter().cloned());
        self.names_under.extend(others.names_under.iter().cloned());
        self.scopes.extend(others.scopes.iter().cloned());
        for (scope, groups) in &others.groups {
            self.groups.entry(scope.clone()).or_default().extend(groups.iter().cloned());
        }
    }

    pub(super) fn has(&self, label: &PublishedAs) -> bool {
        match label {
            PublishedAs::Name(name) => self.has_name(name),
            PublishedAs::Group { scope, name } => self.has_group(scope, name),
        }
    }

    pub(super) fn has_name(&self, name: &str) -> bool {
        self.is_all
            || self.names.contains(name)
            || self.names_under.iter().any(|prefix| name.starts_with(&**prefix))
    }

    pub(super) fn has_group(&self, scope: &str, name: &str) -> bool {
        self.is_all
            || self.scopes.contains(scope)
            || self.groups.get(scope).is_some_and(|groups| groups.contains(name))
    }
}
