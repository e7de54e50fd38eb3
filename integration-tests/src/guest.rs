//! What the programs have in common that are nodes of a [`ProcessCluster`](crate::process::ProcessCluster): keys that come with the
//! invitation, a node that listens where it is told to, and others that it stays connected to.

use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use actor_cluster::transport::Address;
use actor_cluster::wire::{WireContext, from_bytes, to_bytes};
use actor_cluster::{NodeBuilder, NodeServer};
use tokio::time::{sleep, timeout};

use crate::keys::{Authority, NodeKeys, Way};
use crate::process::{Invitation, NodePlan};

/// What the keys are under in an invitation.
const KEYS: &str = "keys";

/// How often it is looked whether there is a session.
const LOOK: Duration = Duration::from_millis(100);

/// How long a dial may take before there is another.
const DIAL: Duration = Duration::from_secs(2);

/// Gives each node of a cluster of processes keys of one authority, for TCP.
///
/// # Panics
///
/// If the system has no random bytes.
pub fn with_keys() -> impl Fn(usize, &mut NodePlan) + Send + Sync + 'static {
    with_keys_for(Way::Tcp)
}

/// The same for another way: TCP or QUIC.
///
/// # Panics
///
/// If the system has no random bytes.
pub fn with_keys_for(way: Way) -> impl Fn(usize, &mut NodePlan) + Send + Sync + 'static {
    let authority = Authority::new().expect("an authority");
    move |_, plan| {
        let keys = authority.keys(&plan.invitation.name, &[way]).expect("a name that will do");
        let bytes = to_bytes(&keys, &WireContext::default()).expect("keys can be written down");
        plan.invitation.set_bytes(KEYS, &bytes);
    }
}

/// Starts the node that is invited: over the way that its keys are for, where it is told to listen; and tells others of the relay
/// before it, if there is one.
///
/// # Errors
///
/// If the invitation has no keys; what keeps the node from starting.
pub async fn start(
    invitation: &Invitation,
    settings: impl FnOnce(NodeBuilder) -> NodeBuilder,
) -> Result<Arc<NodeServer>, Box<dyn Error>> {
    let bytes = invitation.bytes_of(KEYS).ok_or("the invitation has no keys")?;
    let keys: NodeKeys = from_bytes(&bytes.into(), &WireContext::default())?;
    let address = SocketAddr::new(invitation.ip, invitation.port);
    let advertised = invitation.advertised.unwrap_or(address).to_string();
    let builder = NodeServer::builder(keys.node).name(&keys.name);
    let builder = if keys.ways().contains(&Way::Quic) {
        let config = keys.quic_on(address)?;
        let config = if invitation.advertised.is_some() { config.advertise(advertised) } else { config };
        builder.transport(config.build()?)
    } else {
        let config = keys.tcp_on(address)?;
        let config = if invitation.advertised.is_some() { config.advertise(advertised) } else { config };
        builder.transport(config.build()?)
    };
    Ok(Arc::new(settings(builder).start().await?))
}

/// Stays connected to whoever is at an address: it is dialled whenever there is no session with it. For as long as the node
/// lives. An address that is none is left alone.
pub fn stay_connected(node: &Arc<NodeServer>, address: &str) {
    let Ok(address) = address.parse::<Address>() else { return };
    let node = Arc::downgrade(node);
    tokio::spawn(async move {
        let mut there = None;
        while let Some(node) = node.upgrade() {
            let sessions = node.sessions();
            let is_there =
                there.is_some_and(|there| sessions.iter().any(|session| session.peer().node == there));
            if !is_there && let Ok(Ok(session)) = timeout(DIAL, node.connect(&address)).await {
                there = Some(session.peer().node);
            }
            drop(node);
            sleep(LOOK).await;
        }
    });
}

/// Says goodbye to every peer, unless somebody still has the node.
pub async fn leave(node: Arc<NodeServer>) {
    if let Some(node) = Arc::into_inner(node) {
        node.shutdown().await;
    }
}

/// With how many others there is a session that has its streams.
pub fn connected(node: &NodeServer) -> usize {
    node.sessions().iter().filter(|session| session.is_ready() && !session.is_interrupted()).count()
}
