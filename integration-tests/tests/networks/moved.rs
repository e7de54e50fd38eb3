//! A node is killed and comes back on another port, and dials only one of those that knew it: the other finds
//! it by its identity, through what that one tells.
//!
//! ```text
//!  hub ◄── dials ── mover, then its next life, elsewhere
//!   └── tells of it ──► seeker, whose session is with the first life, at the old port
//! ```
//!
//! All of it on loopback: this needs processes that are killed, and no namespaces.

use std::env;
use std::time::Duration;

use actor_cluster::transport::Address;
use actor_cluster::{Events, Incarnation, Mode, NodeEvent, NodeId, NodeServer};
use actor_core::ActorSystem;
use tokio::time::timeout;
use transport_iroh::{IrohTransport, generate_secret_key};

use crate::lab::{self, Player};

const TEST: &str = "moved::b07_a_node_that_comes_back_on_another_port_is_found_by_its_identity";

/// Where the mover dials.
const HUB: &str = "ACTOR_TEST_HUB";

/// Long enough that only a hang reaches it.
const HANG: Duration = Duration::from_secs(50);

/// Long enough that a lost session looks for its peer until it has come back.
const PATIENCE: Duration = Duration::from_secs(40);

const MOVER_KEY: [u8; 32] = [3; 32];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b07_a_node_that_comes_back_on_another_port_is_found_by_its_identity() {
    match lab::part().as_deref() {
        Some("mover") => mover().await,
        Some(other) => panic!("there is no part {other}"),
        None => timeout(HANG, seek()).await.expect("the test hangs"),
    }
}

async fn seek() {
    let hub = node(generate_secret_key(), Mode::Transitive).await;
    let seeker = node(generate_secret_key(), Mode::Transitive).await;
    seeker.connect(&hub.addresses()[0]).await.unwrap();
    let mover = transport_iroh::node_id_of(&MOVER_KEY);
    let mut events = seeker.subscribe();

    let (first, old_address) = life(&hub).await;
    let session = seeker.connect_to(mover, &old_address).await.unwrap();
    let former = ready(&mut events, mover).await;
    assert_eq!(session.peer().incarnation, former);
    // Killed: it gets to say nothing.
    drop(first);

    let (_second, new_address) = life(&hub).await;
    assert_ne!(new_address, old_address);
    let later = ready(&mut events, mover).await;
    assert_ne!(later, former);
    let found = seeker.sessions().into_iter().find(|session| session.peer().incarnation == later).unwrap();
    let (_, place) = new_address.rest().split_once('@').unwrap();
    assert!(found.streams().await[0].label.contains(place), "{new_address}");
    tokio::join!(hub.shutdown(), seeker.shutdown());
}

/// Starts the mover, which dials the hub; where it is.
async fn life(hub: &NodeServer) -> (Player, Address) {
    let at = hub.addresses()[0].to_string();
    let mut player = Player::here(TEST, "mover", &[(HUB, &at)]);
    let address = player.says_sometime("at").await.parse().unwrap();
    (player, address)
}

/// Waits until there is a session with a node, and says with which of its lives.
async fn ready(events: &mut Events, node: NodeId) -> Incarnation {
    loop {
        match events.next().await.expect("the node lives") {
            NodeEvent::Ready(peer) if peer.node == node => return peer.incarnation,
            _ => {}
        }
    }
}

/// It dials nobody but the hub, whatever it hears.
async fn mover() {
    let server = node(MOVER_KEY, Mode::Isolated).await;
    server.connect(&env::var(HUB).unwrap().parse().unwrap()).await.unwrap();
    lab::tell(&format!("at {}", server.addresses()[0]));
    std::future::pending::<()>().await;
}

async fn node(secret_key: [u8; 32], mode: Mode) -> NodeServer {
    let builder = IrohTransport::builder().secret_key(secret_key).loopback().allow_any();
    let transport = builder.bind().await.unwrap();
    let builder = NodeServer::builder(transport.node_id()).system(ActorSystem::new()).mode(mode);
    builder.resume_timeout(PATIENCE).transport(transport).start().await.unwrap()
}
