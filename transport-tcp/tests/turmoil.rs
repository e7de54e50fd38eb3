//! Over the simulated network: the same handshakes, and what is particular to it.

use std::time::Duration;

use actor_cluster::transport::{
    Address, CloseCode, CloseReason, LaneSet, PeerIdentity, Transport, TransportError,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use transport_tcp::limits::CONNECT_DEADLINE;
use transport_tcp::{DevCa, NodeCredentials, TurmoilTransport};
use turmoil::Builder;

use crate::world::settings;

const PORT: u16 = 7400;

/// A node that a host of its name is, and that listens there.
fn on_host(node: &NodeCredentials) -> TurmoilTransport {
    let config = settings(node).listen(([0, 0, 0, 0], PORT).into()).advertise(&node.name);
    config.build_on_turmoil().unwrap()
}

fn address_of(host: &str) -> Address {
    format!("tcp+tls://{host}:{PORT}").parse().unwrap()
}

#[test]
fn hosts_of_a_simulation_meet() {
    let ca = DevCa::new().unwrap();
    let [dialler, host] = ["dialler", "host"].map(|name| ca.node(name).unwrap());
    let (dialler_id, host_id) = (dialler.node_id, host.node_id);
    let mut sim = Builder::new().rng_seed(1).build();
    sim.host("host", move || {
        let transport = on_host(&host);
        async move {
            let mut listener = transport.listen().await.unwrap();
            assert_eq!(listener.addresses(), [address_of("host")]);
            let connection = listener.accept().await.unwrap();
            assert_eq!(connection.peer_identity(), PeerIdentity::Node(dialler_id));
            let mut stream = connection.accept().await.unwrap();
            let mut heard = [0; 5];
            stream.read_exact(&mut heard).await.unwrap();
            stream.write_all(&heard).await.unwrap();
            stream.flush().await.unwrap();
            // It goes when the other is done with it.
            assert_eq!(stream.read(&mut heard).await.unwrap(), 0);
            Ok(())
        }
    });
    sim.client("dialler", async move {
        let transport = on_host(&dialler);
        let connection = transport.dial(&address_of("host")).await.unwrap();
        assert_eq!(connection.peer_identity(), PeerIdentity::Node(host_id));
        let mut stream = connection.open(LaneSet::ALL).await.unwrap();
        assert!(stream.channel_binding().is_some());
        stream.write_all(b"hello").await.unwrap();
        stream.flush().await.unwrap();
        let mut heard = [0; 5];
        stream.read_exact(&mut heard).await.unwrap();
        assert_eq!(&heard, b"hello");
        stream.close(&CloseReason::new(CloseCode::Done, "said all"));
        Ok(())
    });
    sim.run().unwrap();
}

#[test]
fn strangers_and_those_who_are_not_there_are_told_apart() {
    let [ca, other_ca] = [(); 2].map(|()| DevCa::new().unwrap());
    let (dialler, host) = (ca.node("dialler").unwrap(), other_ca.node("host").unwrap());
    let mut sim = Builder::new().rng_seed(1).build();
    sim.host("host", move || {
        let transport = on_host(&host);
        async move {
            let mut listener = transport.listen().await.unwrap();
            while listener.accept().await.is_err() {}
            panic!("a stranger got in");
        }
    });
    sim.client("dialler", async move {
        let transport = on_host(&dialler);
        let stranger = transport.dial(&address_of("host")).await.err().unwrap();
        assert!(matches!(stranger, TransportError::Untrusted { .. }), "{stranger:?}");
        let nobody = transport.dial(&address_of("nobody")).await.err().unwrap();
        assert!(matches!(nobody, TransportError::Unreachable { .. }), "{nobody:?}");
        // Turmoil holds what is dialled: nothing says that nobody answers.
        turmoil::hold("dialler", "host");
        let begun = tokio::time::Instant::now();
        let silent = transport.dial(&address_of("host")).await.err().unwrap();
        assert!(matches!(silent, TransportError::Unreachable { .. }), "{silent:?}");
        assert!(begun.elapsed() - CONNECT_DEADLINE < Duration::from_millis(10), "{:?}", begun.elapsed());
        Ok(())
    });
    sim.run().unwrap();
}
