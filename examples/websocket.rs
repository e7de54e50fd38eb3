//! cargo run --example websocket
//!
//! Two nodes that talk over WebSocket, a transport of [this package's own](src/websocket.rs). Nothing proves who they
//! are, so they must share a secret.

use std::error::Error;
use std::io::Write;

use actor_cluster::{NodeId, NodeServer};
use actor_core::{ActorSystem, actor};
use examples::websocket::WsTransport;

/// Everybody can read it here. A real one is 32 random bytes.
const SECRET: &str = "an example has no secrets from you";

struct Counter(u64);

#[actor(remote)]
impl Counter {
    fn add(&mut self, by: u64) -> u64 {
        self.0 += by;
        self.0
    }
}

/// A node on this machine. In production the secret comes from a file that only the nodes can read.
async fn node(number: u8, secret: &str, system: &ActorSystem) -> Result<NodeServer, Box<dyn Error>> {
    let transport = WsTransport::listening_on("127.0.0.1:0".parse()?);
    let node = NodeServer::builder(NodeId::from_bytes([number; 32])).system(system.clone());
    Ok(node.secret(secret).transport(transport).start().await?)
}

async fn count(our_secret: &str, their_secret: &str) -> Result<u64, Box<dyn Error>> {
    let (system_here, system_there) = (ActorSystem::new(), ActorSystem::new());
    let here = node(1, our_secret, &system_here).await?;
    let there = node(2, their_secret, &system_there).await?;
    let counter = Counter(40).spawn().on(&system_there).await?;
    there.publish("counter", &counter)?;

    here.connect(&there.addresses()[0]).await?;
    let counter = CounterRef::from(here.find("counter")?);
    let sum = counter.add(2).await?;
    here.shutdown().await;
    there.shutdown().await;
    Ok(sum)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let sum = count(SECRET, SECRET).await?;
    Ok(writeln!(std::io::stdout(), "{sum}")?)
}

#[tokio::test]
async fn those_who_share_the_secret_meet() {
    assert_eq!(count(SECRET, SECRET).await.unwrap(), 42);
}

#[tokio::test]
async fn others_do_not() {
    let error = count(SECRET, "what strangers have in its place").await.unwrap_err();
    assert!(error.to_string().contains("secret"), "{error}");
}
