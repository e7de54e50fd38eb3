//! Credentials and authorities that are replaced while connections live. What becomes of which
//! certificate is the matter of transport-tls's tests; here it is what becomes of sockets.

use std::io;

use actor_cluster::transport::{ClusterBidiStream, PeerIdentity, TransportError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use transport_tcp::tls::RevocationLists;
use transport_tcp::tls::dev_ca::{DevCertificate, DevKey};
use transport_tcp::{Authorities, DevCa, NodeCredentials, TcpTransport};

use crate::world::{Host, assert_untrusted, config, guarded, node_of, refused};

#[tokio::test]
async fn replaced_credentials_are_used_from_the_next_connection_on() {
    let (old, new) = (DevCa::new().unwrap(), DevCa::new().unwrap());
    let ours = old.node("ours").unwrap();
    let renewed = renewed(&new, &ours);
    let (dialler, host) = (config(&ours).build().unwrap(), node_of(&old, "host"));
    let mut listener = Host::start(&host).await;
    let mut before = listener.connect(&dialler).await;

    let both = Authorities::from_pem(format!("{}{}", old.pem(), new.pem()).as_bytes()).unwrap();
    for transport in [&dialler, &host] {
        transport.tls().unwrap().replace_authorities(both.clone()).unwrap();
    }
    dialler.tls().unwrap().replace_credentials(renewed.credentials().unwrap()).unwrap();
    let mut after = listener.connect(&dialler).await;
    for (near, far) in [&mut before, &mut after] {
        assert_eq!(far.peer_identity(), PeerIdentity::Node(ours.node_id));
        assert_talk(near, far).await;
    }
}

/// Both of the host's connections with the peer end, whoever made them, and no other.
#[tokio::test]
async fn a_revoked_peer_is_disconnected_and_stays_out() {
    let ca = DevCa::new().unwrap();
    let bad = ca.node("bad").unwrap();
    let (host, peer, friend) = (node_of(&ca, "host"), config(&bad).build().unwrap(), node_of(&ca, "friend"));
    let (mut at_host, mut at_peer) = (Host::start(&host).await, Host::start(&peer).await);
    let (mut friend_near, mut friend_far) = at_host.connect(&friend).await;
    let (near_peer, far_host) = at_host.connect(&peer).await;
    let (near_host, far_peer) = at_peer.connect(&host).await;

    host.tls().unwrap().replace_authorities(without(&ca, &bad)).unwrap();
    for mut stream in [far_host, near_host] {
        let error = guarded(stream.read_u8()).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotConnected);
        assert!(error.to_string().contains("its certificate was revoked"), "{error}");
    }
    for mut stream in [near_peer, far_peer] {
        assert_eq!(guarded(stream.read(&mut [0])).await.unwrap(), 0);
    }
    assert_talk(&mut friend_near, &mut friend_far).await;

    let (_, far) = at_host.meet(&peer).await;
    assert_untrusted(&refused(far), "its certificate was revoked");
    let (near, _) = at_peer.meet(&host).await;
    assert_untrusted(&refused(near), "its certificate was revoked");
    assert_eq!(host.tls().unwrap().counts().disconnected, 2);
}

/// A connection that is gone is not disconnected.
#[tokio::test]
async fn closed_connections_are_forgotten() {
    let ca = DevCa::new().unwrap();
    let bad = ca.node("bad").unwrap();
    let host = node_of(&ca, "host");
    let mut listener = Host::start(&host).await;
    let (near, far) = listener.connect(&config(&bad).build().unwrap()).await;
    drop((near, far));
    host.tls().unwrap().replace_authorities(without(&ca, &bad)).unwrap();
    assert_eq!(host.tls().unwrap().counts().disconnected, 0);
}

/// Two transports with one context, as those of one node have.
#[tokio::test]
async fn a_context_may_be_shared() {
    let ca = DevCa::new().unwrap();
    let tls = config(&ca.node("node").unwrap()).build().unwrap().tls().unwrap().clone();
    let one = TcpTransport::builder().tls(tls.clone()).build().unwrap();
    let other = TcpTransport::builder().tls(tls.clone()).build().unwrap();
    let stranger = DevCa::new().unwrap();
    tls.replace_authorities(Authorities::from_pem(stranger.pem().as_bytes()).unwrap()).unwrap();
    let mut host = Host::start(&node_of(&ca, "host")).await;
    for transport in [one, other] {
        assert_eq!(transport.node_id(), Some(tls.node_id()));
        let error: TransportError = refused(host.meet(&transport).await.0);
        assert_untrusted(&error, "from an authority we do not know");
    }
}

#[cfg(feature = "aws-lc-rs")]
#[tokio::test]
async fn nodes_meet_whoever_does_the_cryptography() {
    let ca = DevCa::new().unwrap();
    let node = ca.node("node").unwrap();
    let (credentials, authorities) = (node.credentials().unwrap(), node.authorities().unwrap());
    let provider = transport_tcp::tls::provider::aws_lc_rs();
    let tls = transport_tcp::TlsContext::with_provider(credentials, authorities, provider).unwrap();
    let dialler = TcpTransport::builder().tls(tls).build().unwrap();
    let (mut near, mut far) = Host::start(&node_of(&ca, "host")).await.connect(&dialler).await;
    assert_talk(&mut near, &mut far).await;
}

/// The same node, of this authority and with another key.
fn renewed(ca: &DevCa, node: &NodeCredentials) -> NodeCredentials {
    let uris = vec![DevCertificate::uri_of(node.node_id)];
    ca.node_with("renewed", &DevCertificate { key: DevKey::EcdsaP256, uris, ..Default::default() }).unwrap()
}

/// The authority, and all of its nodes but one.
fn without(ca: &DevCa, revoked: &NodeCredentials) -> Authorities {
    let valid = DevCertificate::default().valid;
    let list = RevocationLists::from_pem(ca.revoke([revoked], &valid).unwrap().as_bytes()).unwrap();
    Authorities::from_pem(ca.pem().as_bytes()).unwrap().with_revocations(list).unwrap()
}

async fn assert_talk(near: &mut Box<dyn ClusterBidiStream>, far: &mut Box<dyn ClusterBidiStream>) {
    near.write_all(b"still there?").await.unwrap();
    near.flush().await.unwrap();
    let mut heard = [0; 12];
    guarded(far.read_exact(&mut heard)).await.unwrap();
    assert_eq!(&heard, b"still there?");
}
