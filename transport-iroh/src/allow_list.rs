//! Who may come in and who may be dialled, and what happens to those who are connected when that
//! changes. Must not live here: connections themselves (`registry.rs`).
//!
//! ```text
//!  Endpoint ── before_connect, after_handshake ──► AllowList ◄── allow, revoke, replace
//!  door, dialler ── once more, when registered ──────┘  │
//!                                                       └─ change ──► Host: whoever is off it is closed
//! ```

use std::cell::Cell;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, Weak};

use actor_cluster::id::NodeId;
use actor_cluster::transport::{CloseCode, CloseReason};
use iroh::EndpointAddr;
use iroh::endpoint::{AfterHandshakeOutcome, BeforeConnectOutcome, Connection, EndpointHooks};

use crate::alpn::ALPN;
use crate::connection::close_code;
use crate::host::Host;
use crate::identity;

/// Which nodes may come in and be dialled. Everybody who is not on it is turned away right after the
/// handshake in which it has proven who it is, and told so; nobody who is not on it is dialled.
///
/// It can be changed while transports use it, from any thread, and changes count at once: the
/// connections of a node that is taken off it are closed as
/// [`CloseCode::Refused`]. Clones are the same list, and several transports may share one.
///
/// Transports that [bind](crate::IrohBuilder::bind) an endpoint look after it themselves. Whoever brings an
/// [`Endpoint`](iroh::Endpoint) of its own installs the list in it as
/// [hooks](iroh::endpoint::Builder::hooks), so that strangers are turned away before anything
/// else happens. There it is about this transport's [`ALPN`] alone; other protocols of the endpoint are let
/// be. Without the hooks strangers are turned away all the same, a little later.
#[derive(Clone, Debug, Default)]
pub struct AllowList {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    list: RwLock<List>,
    /// Whose connections are looked at when the list changes.
    hosts: Mutex<Vec<Weak<Host>>>,
}

#[derive(Debug, Default)]
struct List {
    any: bool,
    allowed: BTreeSet<NodeId>,
    /// Who was taken off a list that has everybody on it.
    revoked: BTreeSet<NodeId>,
}

impl List {
    fn allows(&self, peer: &NodeId) -> bool {
        self.allowed.contains(peer) || (self.any && !self.revoked.contains(peer))
    }
}

impl AllowList {
    /// A list with nobody on it.
    pub fn new() -> Self {
        Self::default()
    }

    /// A list of these nodes.
    pub fn of(peers: impl IntoIterator<Item = NodeId>) -> Self {
        let list = Self::new();
        list.write().allowed.extend(peers);
        list
    }

    /// A list with everybody on it. They still prove who they are.
    pub fn any() -> Self {
        let list = Self::new();
        list.write().any = true;
        list
    }

    /// Whether a node is on the list.
    pub fn allows(&self, peer: &NodeId) -> bool {
        self.read().allows(peer)
    }

    /// Puts a node on the list.
    pub fn allow(&self, peer: NodeId) {
        let mut list = self.write();
        list.revoked.remove(&peer);
        list.allowed.insert(peer);
    }

    /// Takes a node off the list, and closes its connections.
    pub fn revoke(&self, peer: NodeId) {
        let mut list = self.write();
        list.allowed.remove(&peer);
        if list.any {
            list.revoked.insert(peer);
        }
        drop(list);
        self.enforce();
    }

    /// Puts these nodes on the list and takes everybody else off it, in one step: one who was on
    /// it and still is notices nothing. Closes the connections of those who are not on it any more.
    pub fn replace(&self, peers: impl IntoIterator<Item = NodeId>) {
        // Outside of the lock, as it is somebody else's code.
        let allowed = peers.into_iter().collect();
        *self.write() = List { any: false, allowed, revoked: BTreeSet::new() };
        self.enforce();
    }

    /// Puts everybody on the list.
    pub(crate) fn allow_any(&self) {
        self.write().any = true;
    }

    /// Has changes count for the connections of a host, too.
    pub(crate) fn govern(&self, host: &Arc<Host>) {
        let mut hosts = self.shared.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        hosts.retain(|host| host.strong_count() > 0);
        hosts.push(Arc::downgrade(host));
    }

    /// Closes the connections of those who are not on the list. One that is being made is registered
    /// before it looks at the list for the last time, so it is found here, or finds itself out.
    fn enforce(&self) {
        let hosts = self.shared.hosts.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let reason = CloseReason::new(CloseCode::Refused, TAKEN_OFF);
        for host in hosts.iter().filter_map(Weak::upgrade) {
            host.registry.close_those(|peer| !self.allows(&peer), &reason);
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, List> {
        // No code panics between two steps of a change, so the list is whole.
        self.shared.list.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, List> {
        self.shared.list.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl EndpointHooks for AllowList {
    async fn before_connect<'a>(&'a self, peer: &'a EndpointAddr, alpn: &'a [u8]) -> BeforeConnectOutcome {
        if alpn != ALPN || self.allows(&identity::node_id(peer.id)) {
            BeforeConnectOutcome::Accept
        } else {
            BeforeConnectOutcome::Reject
        }
    }

    async fn after_handshake<'a>(&'a self, connection: &'a Connection) -> AfterHandshakeOutcome {
        let peer = identity::node_id(connection.remote_id());
        if connection.alpn() != ALPN || self.allows(&peer) {
            return AfterHandshakeOutcome::Accept;
        }
        // Nobody watches where the endpoint is somebody else's and so is whoever accepts on it.
        let _ = TURNED_AWAY.try_with(|turned_away| turned_away.set(Some(peer)));
        let reason = stranger(&peer);
        let error_code = close_code(&reason);
        AfterHandshakeOutcome::Reject { error_code, reason: reason.detail().as_bytes().to_vec() }
    }
}

tokio::task_local! {
    /// Whom the list has turned away in the handshake that this task waits for. Iroh does not tell whoever
    /// accepts who it was.
    static TURNED_AWAY: Cell<Option<NodeId>>;
}

/// Waits for a handshake, and says whom the list turned away in it.
pub(crate) async fn handshaking<F: Future>(handshake: F) -> (F::Output, Option<NodeId>) {
    let watched = async {
        let output = handshake.await;
        (output, TURNED_AWAY.with(Cell::take))
    };
    TURNED_AWAY.scope(Cell::new(None), watched).await
}

/// What a peer is told that is not on the list, so that whoever runs it knows whom to ask for what.
pub(crate) fn stranger(peer: &NodeId) -> CloseReason {
    CloseReason::new(
        CloseCode::Refused,
        format!("{peer} is not on the list of peers here: this node must allow it"),
    )
}

/// What is reported here of a peer that is not on the list.
pub(crate) const STRANGER: &str =
    "it is not on the list of peers: if it belongs to the cluster, `allow` this id";

/// What is said here of a dial to a peer that is not on the list.
pub(crate) const NOT_DIALLED: &str = "it is not on our list of peers: `allow` its id first";

/// What is said of connections to a peer that was taken off the list.
pub(crate) const TAKEN_OFF: &str = "taken off the list of peers";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_says_who_is_allowed() {
        let (a, b) = (NodeId::from_bytes([1; 32]), NodeId::from_bytes([2; 32]));
        let peers = AllowList::new();
        assert!(!peers.allows(&a));
        peers.allow(a);
        assert!(peers.allows(&a) && !peers.allows(&b));
        peers.revoke(a);
        assert!(!peers.allows(&a));
        peers.allow_any();
        assert!(peers.allows(&a) && peers.allows(&b));
        peers.revoke(b);
        assert!(peers.allows(&a) && !peers.allows(&b));
        peers.allow(b);
        assert!(peers.allows(&b));
    }

    #[test]
    fn what_replaces_a_list_is_all_there_is() {
        let (a, b) = (NodeId::from_bytes([1; 32]), NodeId::from_bytes([2; 32]));
        for peers in [AllowList::of([a]), AllowList::any()] {
            let same = peers.clone();
            peers.replace([b]);
            assert!(!same.allows(&a) && same.allows(&b));
        }
        let everybody = AllowList::any();
        everybody.revoke(a);
        everybody.replace([a]);
        assert!(everybody.allows(&a), "nothing of the former list is left");
    }
}
