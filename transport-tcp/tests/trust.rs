//! Who gets in: authorities, validity, purposes, and whom a certificate speaks
//! for.

use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use actor_cluster::id::NodeId;
use actor_cluster::transport::{LaneSet, PeerIdentity, Transport, TransportError};
use rustls::ClientConfig;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::ring;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsConnector;
use transport_tcp::tls::ALPN;
use transport_tcp::tls::dev_ca::{DevCertificate, DevKey, DevUsages};
use transport_tcp::tls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use transport_tcp::{Credentials, DevCa, NodeCredentials, TcpTransport};

use crate::world::{Host, assert_config, assert_untrusted, config, guarded, node_of, refused};

#[tokio::test]
async fn an_unknown_authority_is_refused_by_both_sides() {
    let (ours, theirs) = (DevCa::new().unwrap(), DevCa::new().unwrap());
    let mut host = Host::start(&node_of(&ours, "host")).await;
    let (near, far) = host.meet(&node_of(&theirs, "stranger")).await;
    assert_untrusted(&refused(near), "comes from an authority we do not know");
    assert_untrusted(&refused(far), "does not know the authority of our certificate");
}

/// In TLS 1.3 the dialler is done before the host has looked at its certificate:
/// it learns on its first read that it is not let in.
#[tokio::test]
async fn a_dialler_that_is_refused_reads_why() {
    let ours = DevCa::new().unwrap();
    let stranger = DevCa::new().unwrap().node("stranger").unwrap();
    let host = ours.node("host").unwrap();
    let believer = NodeCredentials { ca: host.ca.clone(), ..stranger };
    let host = config(&host).build().unwrap();
    assert_refused_by_host(&host, &believer, "from an authority we do not know", "know the authority").await;
}

#[tokio::test]
async fn an_expired_certificate_is_refused() {
    let now = SystemTime::now();
    let hour = Duration::from_secs(60 * 60);
    let expired = DevCertificate { valid: now - 2 * hour..now - hour, ..DevCertificate::default() };
    assert_refused_on_both_sides(&expired, "has expired", "expired or not valid yet").await;
}

#[tokio::test]
async fn a_certificate_of_the_future_is_refused() {
    let now = SystemTime::now();
    let hour = Duration::from_secs(60 * 60);
    let future = DevCertificate { valid: now + hour..now + 2 * hour, ..DevCertificate::default() };
    assert_refused_on_both_sides(&future, "is not valid yet", "expired or not valid yet").await;
}

#[tokio::test]
async fn a_certificate_is_for_the_side_it_says() {
    let ca = DevCa::new().unwrap();
    let of = |usages| ca.node_with("one-sided", &DevCertificate { usages, ..Default::default() }).unwrap();
    let node = node_of(&ca, "node");
    let server = of(DevUsages::ServerOnly);
    assert_refused_by_host(&node, &server, "not meant for both", "does not accept our certificate").await;
    assert_refused_by_dialler(&of(DevUsages::ClientOnly), &node, "not meant for both").await;
}

#[tokio::test]
async fn a_dialler_without_a_certificate_is_refused() {
    let ca = DevCa::new().unwrap();
    let mut host = Host::start(&node_of(&ca, "host")).await;
    let client = raw_client(None, Some(ALPN));
    let (heard, error) = shake_hands(&mut host, client).await;
    assert_untrusted(&error, "it presented no certificate");
    assert!(heard.unwrap_err().to_string().contains("CertificateRequired"));
}

/// The authority signed it and the dates are right, but it is no node's.
#[tokio::test]
async fn a_certificate_that_speaks_for_no_node_is_refused() {
    let ca = DevCa::new().unwrap();
    let (one, other) = (NodeId::from_bytes([1; 32]), NodeId::from_bytes([2; 32]));
    let cases = [
        (DevKey::EcdsaP256, vec![], "says nothing about a node"),
        (DevKey::EcdsaP256, vec!["https://node.example/".to_owned()], "says nothing about a node"),
        (DevKey::Ed25519, [one, other].map(DevCertificate::uri_of).to_vec(), "names more than one node"),
        (DevKey::Ed25519, vec!["actor-node:abc".to_owned()], "not by 64 hexadecimal digits"),
    ];
    for (key, uris, detail) in cases {
        let certificate = DevCertificate { key, uris, ..Default::default() };
        let (cert, key) = ca.sign("nobody", &certificate).unwrap();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let chain = vec![cert.der().clone()];
        let own = Credentials::from_der(chain.clone(), key.clone_key()).unwrap_err();
        assert_config(&own, detail);

        let mut host = Host::start(&node_of(&ca, "host")).await;
        let client = raw_client(Some((chain, key)), Some(ALPN));
        let (heard, error) = shake_hands(&mut host, client).await;
        assert_untrusted(&error, detail);
        assert!(heard.unwrap_err().to_string().contains("CertificateUnknown"));
    }
}

#[tokio::test]
async fn an_ed25519_key_is_the_identity() {
    let ca = DevCa::new().unwrap();
    let (cert, key) = ca.sign("node", &DevCertificate::default()).unwrap();
    let public = NodeId::try_from(rcgen::PublicKeyData::der_bytes(&key)).unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let credentials = Credentials::from_der(vec![cert.der().clone()], key).unwrap();
    assert_eq!(credentials.node_id(), public);
}

/// The authority named the node, so its key may be of any kind and may change.
#[tokio::test]
async fn a_named_node_keeps_its_identity_when_its_key_changes() {
    let ca = DevCa::new().unwrap();
    let host = ca.node("host").unwrap();
    let mut listener = Host::start(&config(&host).build().unwrap()).await;
    let id = NodeId::from_bytes([0xc0; 32]);
    for key in [DevKey::EcdsaP256, DevKey::EcdsaP256, DevKey::Ed25519] {
        let uris = vec!["https://example.org/".to_owned(), DevCertificate::uri_of(id)];
        let named = ca.node_with("named", &DevCertificate { key, uris, ..Default::default() }).unwrap();
        assert_eq!(named.node_id, id);
        let dialler = config(&named).build().unwrap();
        assert_eq!(dialler.node_id(), Some(id));
        let (near, far) = listener.connect(&dialler).await;
        assert_eq!(near.peer_identity(), PeerIdentity::Node(host.node_id));
        assert_eq!(far.peer_identity(), PeerIdentity::Node(id));
    }
}

#[tokio::test]
async fn a_key_of_another_certificate_is_refused_at_once() {
    let ca = DevCa::new().unwrap();
    let (one, other) = (ca.node("one").unwrap(), ca.node("other").unwrap());
    let mixed = NodeCredentials { key: other.key, ..one };
    let error = config(&mixed).build().err().expect("the key is another's");
    assert_config(&error, "the private key is not the one of the certificate");
}

/// Whoever does not name our protocol is not taken for a node, even with a
/// certificate of ours.
#[tokio::test]
async fn another_protocol_is_refused() {
    let ca = DevCa::new().unwrap();
    let mut host = Host::start(&node_of(&ca, "host")).await;
    for protocol in [None, Some(&b"h2"[..])] {
        let (cert, key) = ca.sign("node", &DevCertificate::default()).unwrap();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let client = raw_client(Some((vec![cert.der().clone()], key)), protocol);
        let (_heard, error) = shake_hands(&mut host, client).await;
        assert!(matches!(error, TransportError::Handshake { .. }), "{error}");
        assert!(error.to_string().contains("does not speak our protocol"), "{error}");
    }
}

/// Each connection proves its peer anew: there is nothing to resume.
#[tokio::test]
async fn sessions_are_never_resumed() {
    let ca = DevCa::new().unwrap();
    let (cert, key) = ca.sign("node", &DevCertificate::default()).unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    // Unlike ours, this client would gladly resume.
    let client = Arc::new(raw_client(Some((vec![cert.der().clone()], key)), Some(ALPN)));
    let mut host = Host::start(&node_of(&ca, "host")).await;
    for _ in 0..2 {
        let socket = host.knock().await;
        let name = ServerName::try_from("localhost").unwrap();
        let shaking = TlsConnector::from(client.clone()).connect(name, socket);
        let (near, far) = guarded(async { tokio::join!(shaking, host.listener.accept()) }).await;
        let (mut near, mut far) = (near.unwrap(), far.unwrap().accept().await.unwrap());
        far.write_all(b"all there is").await.unwrap();
        far.shutdown().await.unwrap();
        near.read_to_end(&mut Vec::new()).await.unwrap();
        let session = near.get_ref().1;
        assert_eq!(session.handshake_kind(), Some(rustls::HandshakeKind::Full));
        assert_eq!(session.tls13_tickets_received(), 0);
    }
}

/// Whichever side has the certificate, the other refuses it.
async fn assert_refused_on_both_sides(certificate: &DevCertificate, refuser: &str, refused: &str) {
    let ca = DevCa::new().unwrap();
    let (good, bad) = (node_of(&ca, "good"), ca.node_with("bad", certificate).unwrap());
    assert_refused_by_host(&good, &bad, refuser, refused).await;
    assert_refused_by_dialler(&bad, &good, refuser).await;
}

/// The host refuses the dialler, and both can say why, even though the dialler
/// goes on talking after it was refused.
async fn assert_refused_by_host(host: &TcpTransport, dialler: &NodeCredentials, why: &str, heard: &str) {
    let mut host = Host::start(host).await;
    let address = host.address.clone();
    let dialler = config(dialler).build().unwrap();
    let refused = async {
        let connection = dialler.dial(&address).await.expect("TLS 1.3 lets the client go first");
        let mut stream = connection.open(LaneSet::ALL).await.unwrap();
        for _ in 0..8 {
            stream.write_all(&[7; 4 << 10]).await.unwrap();
            stream.flush().await.unwrap();
            tokio::task::yield_now().await;
        }
        stream.read(&mut [0; 16]).await.unwrap_err()
    };
    let (on_dialler, on_host) = guarded(async { tokio::join!(refused, host.refusal()) }).await;
    assert_untrusted(&on_host, why);
    assert_eq!(on_dialler.kind(), io::ErrorKind::PermissionDenied, "{on_dialler}");
    assert!(on_dialler.to_string().contains(heard), "{on_dialler}");
}

/// The dialler refuses the host.
async fn assert_refused_by_dialler(host: &NodeCredentials, dialler: &TcpTransport, why: &str) {
    let mut host = Host::start(&config(host).build().unwrap()).await;
    let (near, far) = host.meet(dialler).await;
    assert_untrusted(&refused(near), why);
    assert!(matches!(refused(far), TransportError::Untrusted { .. }));
}

/// Shakes hands as a bare TLS client: what it reads after that, and why the host
/// refuses it.
async fn shake_hands(host: &mut Host, client: ClientConfig) -> (io::Result<usize>, TransportError) {
    let socket = host.knock().await;
    let name = ServerName::try_from("localhost").unwrap();
    let shaking = async {
        let mut stream = TlsConnector::from(Arc::new(client)).connect(name, socket).await?;
        stream.read(&mut [0; 16]).await
    };
    tokio::join!(shaking, host.refusal())
}

/// A TLS client that believes everybody.
fn raw_client(
    own: Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>,
    protocol: Option<&[u8]>,
) -> ClientConfig {
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Gullible));
    let mut client = match own {
        Some((chain, key)) => builder.with_client_auth_cert(chain, key).unwrap(),
        None => builder.with_no_client_auth(),
    };
    client.alpn_protocols = protocol.into_iter().map(<[u8]>::to_vec).collect();
    client
}

#[derive(Debug)]
struct Gullible;

impl ServerCertVerifier for Gullible {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &rustls::DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &rustls::DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        ring::default_provider().signature_verification_algorithms.supported_schemes()
    }
}
