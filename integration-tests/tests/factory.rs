//! A factory that other nodes send jobs to, by a message type that travels.

use actor_cluster::testing::pipe::PipeNetwork;
use actor_cluster::transport::{Address, PeerIdentity};
use actor_cluster::{Mode, NodeId, NodeServer, RemoteMessage};
use actor_core::{ActorError, ActorRef, ActorSystem, ReplyPort};
use actor_toolkit::factory::{FactoryBuilder, Job, Routing};

use crate::support::guarded;

/// What other nodes may ask for.
#[derive(RemoteMessage)]
enum Order {
    /// Answers the text as often as said.
    #[rpc]
    Repeat(String, u32, ReplyPort<String>),
}

/// A node that trusts whoever it hears of, on a network of pipes.
async fn node(network: &PipeNetwork, number: u8) -> (NodeServer, ActorSystem) {
    let (id, system) = (NodeId::from_bytes([number; 32]), ActorSystem::new());
    let transport = network.transport(format!("node-{number}")).with_identity(PeerIdentity::Node(id));
    let builder = NodeServer::builder(id).system(system.clone()).mode(Mode::Isolated).transport(transport);
    (builder.start().await.unwrap(), system)
}

#[tokio::test]
async fn a18_a_job_comes_from_another_node_by_a_gateway() {
    guarded(async {
        let network = PipeNetwork::new();
        let ((near, _), (far, system)) = (node(&network, 1).await, node(&network, 2).await);
        let work = |_: String, order: Order| async move {
            let Order::Repeat(text, times, port) = order;
            port.send(text.repeat(times as usize)).map_err(|_| ActorError::from("nobody waits"))
        };
        let factory = FactoryBuilder::closure(work).workers(3).routing(Routing::KeyPersistent);
        let factory = factory.spawn_in(&system).await.unwrap();
        let job = |order: Order| {
            let Order::Repeat(text, ..) = &order;
            Job::new(text.clone(), order)
        };
        let gateway = factory.gateway(&system, job).await.unwrap();
        far.publish("repeat", &gateway).unwrap();

        let address: Address = far.addresses()[0].clone();
        near.connect(&address).await.unwrap();
        let orders: ActorRef<Order> = loop {
            match near.find("repeat") {
                Ok(orders) => break orders,
                // What a node publishes comes after the session.
                Err(_) => tokio::task::yield_now().await,
            }
        };
        assert!(!orders.is_local());
        for (text, times, expected) in [("a", 3, "aaa"), ("bc", 2, "bcbc")] {
            let answer = orders.call(|port| Order::Repeat(text.to_owned(), times, port)).await.unwrap();
            assert_eq!(answer, expected);
        }
        // A worker has answered before it says that it is done.
        while factory.stats().await.unwrap().completed < 2 {
            tokio::task::yield_now().await;
        }
        factory.drain_and_wait(None).await.unwrap();
        assert!(orders.call(|port| Order::Repeat(String::new(), 1, port)).await.is_err());
        near.shutdown().await;
        far.shutdown().await;
    })
    .await;
}
