//! Who may do what: a policy made of grants, and nothing but grants.
//!
//! ```text
//!  Rights ─┬─ everyone ──────► Allow ─┬─ join
//!          └─ a proven NodeId ► Allow ─┼─ an operation ► Actors: by their messages, or by Labels
//!                                     ├─ spawn ► kinds
//!                                     └─ publish ► Labels
//! ```
//!
//! Pure: no lock, no clock, nothing is kept. Asking allocates nothing.

mod allow;
mod labels;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

pub use self::allow::{Actors, Allow};
pub use self::labels::Labels;
use crate::authorize::{Authorize, Operation, Subject};
use crate::event::PeerInfo;
use crate::id::NodeId;

/// Who may do what on this node. What nobody is granted is denied: `Rights::new()` lets nobody in.
///
/// There are only grants. What a node may do is all that is granted to everyone and all that is granted to
/// it, in whichever order it is said; no grant takes anything from another. A node that has no
/// [`join`](Allow::join) has no session, and so nothing else either.
///
/// What is granted to a node holds where a certificate or a key has [proven](PeerInfo::is_proven) that it is this one. Whoever has
/// only shown to know the cluster's secret may claim to be any node, so it has what everyone has. A node's name proves
/// nothing, and grants nothing.
///
/// ```
/// use actor_cluster::{Actors, Allow, Labels, NodeBuilder, NodeId, Rights};
///
/// fn restricted(builder: NodeBuilder, master: NodeId, tills: [NodeId; 2]) -> NodeBuilder {
///     let prices = Actors::published(Labels::name("prices"));
///     let rights = Rights::new()
///         .everyone(Allow::nothing().join().call(prices.clone()).watch(prices))
///         .nodes(tills, Allow::nothing().spawn("receipt").publish(Labels::names_under("till/")))
///         .node(master, Allow::everything());
///     builder.authorize(rights)
/// }
/// # fn main() {}
/// ```
///
/// Asking costs one search by the node, and one by what the grants name for each name or group of the actor; no lock, and no
/// memory.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct Rights {
    everyone: Allow,
    /// What each has, with what everyone has in it.
    nodes: BTreeMap<NodeId, Allow>,
}

impl Rights {
    /// No rights at all.
    pub fn new() -> Self {
        Self::default()
    }

    /// Grants this to every node that the transport, or the cluster's secret, vouches for.
    pub fn everyone(mut self, allow: Allow) -> Self {
        self.nodes.values_mut().for_each(|node| node.add(&allow));
        self.everyone.add(&allow);
        self
    }

    /// Grants this to one node, besides what it has.
    pub fn node(mut self, node: NodeId, allow: Allow) -> Self {
        self.nodes.entry(node).or_insert_with(|| self.everyone.clone()).add(&allow);
        self
    }

    /// Grants this to each of these nodes: a role is an [`Allow`] and a list of nodes.
    pub fn nodes(self, nodes: impl IntoIterator<Item = NodeId>, allow: Allow) -> Self {
        nodes.into_iter().fold(self, |rights, node| rights.node(node, allow.clone()))
    }

    fn of(&self, peer: &PeerInfo) -> &Allow {
        let own = if peer.is_proven { self.nodes.get(&peer.node) } else { None };
        own.unwrap_or(&self.everyone)
    }
}

impl Authorize for Rights {
    fn is_allowed(&self, peer: &PeerInfo, operation: Operation, on: Subject) -> bool {
        self.of(peer).has(operation, &on)
    }

    fn may_join(&self, peer: &PeerInfo) -> bool {
        self.of(peer).has_join()
    }
}
