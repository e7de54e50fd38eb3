//! Whom a transport with certificates lets in, written once as tests that every transport over TLS runs. Must not live here:
//! what is not about trust (the suite of all transports), or concerns one transport alone.
//!
//! A transport's tests implement [`Harness`] and mount the suite; each case becomes a `#[tokio::test]` of its own:
//!
//! ```ignore
//! mod trust {
//!     transport_tls::trust_suite!(super::MyHarness);
//! }
//! ```

mod node;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use actor_cluster::id::NodeId;
use actor_cluster::transport::{Address, PeerIdentity, Transport, TransportError};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::ring;
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tokio::io::AsyncReadExt;

use self::node::{Node, credentials, node_of, refuse, refuse_bare};
use super::meeting::{assert_untrusted, guarded};
use crate::dev_ca::{DevCertificate, DevKey, DevUsages};
use crate::{ALPN, Authorities, Credentials, DevCa, NodeCredentials, RevocationLists, TlsContext};

/// How one kind of transport is made, and how somebody knocks who is no node.
pub trait Harness {
    /// A transport with this context, which listens at these sockets and says that it is reached at these hosts;
    /// without any of them it only dials.
    ///
    /// # Errors
    ///
    /// What the transport says of such settings.
    fn build(
        context: &TlsContext,
        listen: &[SocketAddr],
        advertise: &[&str],
    ) -> Result<Box<dyn Transport>, TransportError>;

    /// Shakes hands as a bare client of TLS and waits for the end: what it is told of it, with the name of
    /// the alert ([`AlertDescription`](rustls::AlertDescription)) that ended it.
    fn shake_hands(address: Address, client: ClientConfig) -> impl Future<Output = String>;
}

/// Generates one `#[tokio::test]` for each case of the [suite](mod@crate::testing::trust_suite), run against a
/// [`Harness`](crate::testing::trust_suite::Harness).
#[macro_export]
macro_rules! trust_suite {
    ($harness:ty) => {
        $crate::trust_suite! { @cases $harness:
            an_unknown_authority_is_refused_by_both_sides,
            a_dialler_that_is_refused_learns_why,
            a_self_signed_certificate_is_refused,
            an_expired_certificate_is_refused,
            a_certificate_of_the_future_is_refused,
            a_certificate_is_for_the_side_it_says,
            a_dialler_without_a_certificate_is_refused,
            a_certificate_that_speaks_for_no_node_is_refused,
            a_named_node_keeps_its_identity_when_its_key_changes,
            another_protocol_is_refused,
            replaced_credentials_are_used_from_the_next_connection_on,
            a_revoked_peer_is_disconnected_and_stays_out,
            closed_connections_are_forgotten,
            a_context_may_be_shared,
        }
    };
    (@cases $harness:ty: $($case:ident),* $(,)?) => {
        $(
            #[tokio::test]
            async fn $case() {
                $crate::testing::trust_suite::$case::<$harness>().await;
            }
        )*
    };
}

/// Neither knows the other's authority.
pub async fn an_unknown_authority_is_refused_by_both_sides<H: Harness>() {
    let (ours, theirs) = (authority(), authority());
    let mut host = node_of::<H>(&ours, "host").listen().await;
    let (near, far) = refuse(&mut host, &node_of::<H>(&theirs, "stranger")).await;
    assert_untrusted(&near, "comes from an authority we do not know");
    assert_untrusted(&far, "does not know the authority of our certificate");
}

/// It believes the host, and the host does not believe it.
pub async fn a_dialler_that_is_refused_learns_why<H: Harness>() {
    let host = authority().node("host").expect("a certificate");
    let stranger = authority().node("stranger").expect("a certificate");
    let believer = NodeCredentials { ca: host.ca.clone(), ..stranger };
    assert_refused_by_host::<H>(&host, &believer, "from an authority we do not know", "know the authority")
        .await;
}

/// It vouches for itself.
pub async fn a_self_signed_certificate_is_refused<H: Harness>() {
    let own = rcgen::generate_simple_self_signed(["node".to_owned()]).expect("a certificate");
    let key = key_of(&own.signing_key);
    let mut host = node_of::<H>(&authority(), "host").listen().await;
    let client = raw_client(Some((vec![own.cert.der().clone()], key)), Some(ALPN));
    let (told, error) = refuse_bare(&mut host, |address| H::shake_hands(address, client)).await;
    assert_untrusted(&error, "from an authority we do not know");
    assert!(told.contains("UnknownCA"), "{told}");
}

/// It was valid until an hour ago.
pub async fn an_expired_certificate_is_refused<H: Harness>() {
    let now = SystemTime::now();
    let expired = DevCertificate { valid: now - 2 * HOUR..now - HOUR, ..DevCertificate::default() };
    assert_refused_on_both_sides::<H>(&expired, "has expired", "expired or not valid yet").await;
}

/// It is valid from an hour on.
pub async fn a_certificate_of_the_future_is_refused<H: Harness>() {
    let now = SystemTime::now();
    let future = DevCertificate { valid: now + HOUR..now + 2 * HOUR, ..DevCertificate::default() };
    assert_refused_on_both_sides::<H>(&future, "is not valid yet", "expired or not valid yet").await;
}

/// A node is client and server.
pub async fn a_certificate_is_for_the_side_it_says<H: Harness>() {
    let ca = authority();
    let of = |usages| {
        let certificate = DevCertificate { usages, ..Default::default() };
        ca.node_with("one-sided", &certificate).expect("a certificate")
    };
    let node = ca.node("node").expect("a certificate");
    let (server, client) = (of(DevUsages::ServerOnly), of(DevUsages::ClientOnly));
    assert_refused_by_host::<H>(&node, &server, "not meant for both", "does not accept our certificate")
        .await;
    assert_refused_by_dialler::<H>(&client, &node, "not meant for both").await;
}

/// It says nothing of who it is.
pub async fn a_dialler_without_a_certificate_is_refused<H: Harness>() {
    let mut host = node_of::<H>(&authority(), "host").listen().await;
    let client = raw_client(None, Some(ALPN));
    let (told, error) = refuse_bare(&mut host, |address| H::shake_hands(address, client)).await;
    assert_untrusted(&error, "it presented no certificate");
    assert!(told.contains("CertificateRequired"), "{told}");
}

/// The authority signed it and the dates are right, but it is no node's.
pub async fn a_certificate_that_speaks_for_no_node_is_refused<H: Harness>() {
    let ca = authority();
    let (one, other) = (NodeId::from_bytes([1; 32]), NodeId::from_bytes([2; 32]));
    let cases = [
        (DevKey::EcdsaP256, vec![], "says nothing about a node"),
        (DevKey::EcdsaP256, vec!["https://node.example/".to_owned()], "says nothing about a node"),
        (DevKey::Ed25519, [one, other].map(DevCertificate::uri_of).to_vec(), "names more than one node"),
        (DevKey::Ed25519, vec!["actor-node:abc".to_owned()], "not by 64 hexadecimal digits"),
    ];
    let mut host = node_of::<H>(&ca, "host").listen().await;
    for (key, uris, detail) in cases {
        let (chain, key) = signed(&ca, &DevCertificate { key, uris, ..Default::default() });
        let own = Credentials::from_der(chain.clone(), key.clone_key()).expect_err("it is for no node");
        assert!(matches!(&own, TransportError::Config(said) if said.contains(detail)), "{own}");
        let client = raw_client(Some((chain, key)), Some(ALPN));
        let (told, error) = refuse_bare(&mut host, |address| H::shake_hands(address, client)).await;
        assert_untrusted(&error, detail);
        assert!(told.contains("CertificateUnknown"), "{told}");
    }
}

/// The authority named the node, so its key may be of any kind and may change.
pub async fn a_named_node_keeps_its_identity_when_its_key_changes<H: Harness>() {
    let ca = authority();
    let host = node_of::<H>(&ca, "host");
    let mut listener = host.listen().await;
    let id = NodeId::from_bytes([0xc0; 32]);
    for key in [DevKey::EcdsaP256, DevKey::EcdsaP256, DevKey::Ed25519] {
        let uris = vec!["https://example.org/".to_owned(), DevCertificate::uri_of(id)];
        let certificate = DevCertificate { key, uris, ..Default::default() };
        let named = Node::with::<H>(&ca.node_with("named", &certificate).expect("a certificate"));
        assert_eq!(named.tls.node_id(), id);
        let ends = listener.connect(&*named.transport).await;
        assert_eq!(ends.near.peer_identity(), PeerIdentity::Node(host.tls.node_id()));
        assert_eq!(ends.far.peer_identity(), PeerIdentity::Node(id));
    }
}

/// Whoever does not name our protocol is not taken for a node, even with a
/// certificate of ours.
pub async fn another_protocol_is_refused<H: Harness>() {
    let ca = authority();
    let mut host = node_of::<H>(&ca, "host").listen().await;
    for protocol in [None, Some(&b"h2"[..])] {
        let client = raw_client(Some(signed(&ca, &DevCertificate::default())), protocol);
        let (_, error) = refuse_bare(&mut host, |address| H::shake_hands(address, client)).await;
        assert!(matches!(error, TransportError::Handshake { .. }), "{error}");
        assert!(error.to_string().contains("does not speak our protocol"), "{error}");
    }
}

/// Whoever is connected stays, and is the same node as it is with its next certificate.
pub async fn replaced_credentials_are_used_from_the_next_connection_on<H: Harness>() {
    let (old, new) = (authority(), authority());
    let ours = old.node("ours").expect("a certificate");
    let uris = vec![DevCertificate::uri_of(ours.node_id)];
    let renewed = DevCertificate { key: DevKey::EcdsaP256, uris, ..Default::default() };
    let renewed = new.node_with("renewed", &renewed).expect("a certificate");
    let (dialler, host) = (Node::with::<H>(&ours), node_of::<H>(&old, "host"));
    let mut listener = host.listen().await;
    let mut before = listener.connect(&*dialler.transport).await;

    let both = Authorities::from_pem(format!("{}{}", old.pem(), new.pem()).as_bytes()).expect("authorities");
    for node in [&dialler, &host] {
        node.tls.replace_authorities(both.clone()).expect("replace");
    }
    dialler.tls.replace_credentials(credentials(&renewed)).expect("replace");
    // From here on only who shows the new certificate gets in.
    let only_new = Authorities::from_pem(new.pem().as_bytes()).expect("authorities");
    let judge = Node::of::<H>(credentials(&old.node("judge").expect("a certificate")), only_new);
    let mut after = judge.listen().await.connect(&*dialler.transport).await;
    for ends in [&mut before, &mut after] {
        assert_eq!(ends.far.peer_identity(), PeerIdentity::Node(ours.node_id));
        ends.talk().await;
    }
}

/// Both of the host's connections with the peer end, whoever made them, and no other.
pub async fn a_revoked_peer_is_disconnected_and_stays_out<H: Harness>() {
    let ca = authority();
    let bad = ca.node("bad").expect("a certificate");
    let (host, peer, friend) =
        (node_of::<H>(&ca, "host"), Node::with::<H>(&bad), node_of::<H>(&ca, "friend"));
    let (mut at_host, mut at_peer) = (host.listen().await, peer.listen().await);
    let mut with_friend = at_host.connect(&*friend.transport).await;
    let (mut from_peer, mut to_peer) =
        (at_host.connect(&*peer.transport).await, at_peer.connect(&*host.transport).await);

    host.tls.replace_authorities(without(&ca, &bad)).expect("replace");
    for stream in [&mut from_peer.far, &mut to_peer.near] {
        let error = guarded(stream.read_u8()).await.expect_err("it was disconnected");
        assert_eq!(error.kind(), io::ErrorKind::NotConnected);
        assert!(error.to_string().contains("its certificate was revoked"), "{error}");
    }
    for stream in [&mut from_peer.near, &mut to_peer.far] {
        // An end or an error, as far as the transport can tell it.
        assert!(!matches!(guarded(stream.read(&mut [0])).await, Ok(1..)));
    }
    with_friend.talk().await;

    let (near, far) = refuse(&mut at_host, &peer).await;
    assert_untrusted(&near, "it says that our certificate was revoked");
    assert_untrusted(&far, "its certificate was revoked");
    let (near, far) = refuse(&mut at_peer, &host).await;
    assert_untrusted(&near, "its certificate was revoked");
    assert_untrusted(&far, "it says that our certificate was revoked");
    assert_eq!(host.tls.counts().disconnected, 2);
}

/// A connection that is gone is not disconnected.
pub async fn closed_connections_are_forgotten<H: Harness>() {
    let ca = authority();
    let bad = ca.node("bad").expect("a certificate");
    let host = node_of::<H>(&ca, "host");
    drop(host.listen().await.connect(&*Node::with::<H>(&bad).transport).await);
    host.tls.replace_authorities(without(&ca, &bad)).expect("replace");
    assert_eq!(host.tls.counts().disconnected, 0);
}

/// Two transports with one context, as those of one node have.
pub async fn a_context_may_be_shared<H: Harness>() {
    let ca = authority();
    let node = node_of::<H>(&ca, "node");
    let other = Node { tls: node.tls.clone(), transport: Node::transport::<H>(&node.tls) };
    let stranger = Authorities::from_pem(authority().pem().as_bytes()).expect("authorities");
    node.tls.replace_authorities(stranger).expect("replace");
    let mut host = node_of::<H>(&ca, "host").listen().await;
    for dialler in [&node, &other] {
        let (near, _) = refuse(&mut host, dialler).await;
        assert_untrusted(&near, "from an authority we do not know");
    }
}

const HOUR: Duration = Duration::from_secs(60 * 60);

fn authority() -> DevCa {
    DevCa::new().expect("an authority")
}

/// Whichever side has the certificate, the other refuses it.
async fn assert_refused_on_both_sides<H: Harness>(
    certificate: &DevCertificate,
    refuser: &str,
    refused: &str,
) {
    let ca = authority();
    let good = ca.node("good").expect("a certificate");
    let bad = ca.node_with("bad", certificate).expect("a certificate");
    assert_refused_by_host::<H>(&good, &bad, refuser, refused).await;
    assert_refused_by_dialler::<H>(&bad, &good, refuser).await;
}

/// The host refuses the dialler, and both can say why.
async fn assert_refused_by_host<H: Harness>(
    host: &NodeCredentials,
    dialler: &NodeCredentials,
    why: &str,
    told: &str,
) {
    let mut host = Node::with::<H>(host).listen().await;
    let (near, far) = refuse(&mut host, &Node::with::<H>(dialler)).await;
    assert_untrusted(&far, why);
    assert_untrusted(&near, told);
}

/// The dialler refuses the host.
async fn assert_refused_by_dialler<H: Harness>(host: &NodeCredentials, dialler: &NodeCredentials, why: &str) {
    let mut host = Node::with::<H>(host).listen().await;
    let (near, far) = refuse(&mut host, &Node::with::<H>(dialler)).await;
    assert_untrusted(&near, why);
    assert!(matches!(far, TransportError::Untrusted { .. }), "{far}");
}

/// The authority, and all of its nodes but one.
fn without(ca: &DevCa, revoked: &NodeCredentials) -> Authorities {
    let list = ca.revoke([revoked], &DevCertificate::default().valid).expect("a list");
    let list = RevocationLists::from_pem(list.as_bytes()).expect("a list");
    Authorities::from_pem(ca.pem().as_bytes())
        .expect("an authority")
        .with_revocations(list)
        .expect("its list")
}

type Chain = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

/// A certificate that the authority has signed, for a node or not.
pub fn signed(ca: &DevCa, certificate: &DevCertificate) -> Chain {
    let (cert, key) = ca.sign("node", certificate).expect("a certificate");
    (vec![cert.der().clone()], key_of(&key))
}

fn key_of(key: &rcgen::KeyPair) -> PrivateKeyDer<'static> {
    PrivateKeyDer::try_from(key.serialize_der()).expect("a key")
}

/// A client of TLS that believes everybody.
pub fn raw_client(own: Option<Chain>, protocol: Option<&[u8]>) -> ClientConfig {
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("ring has TLS 1.3")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Gullible));
    let mut client = match own {
        Some((chain, key)) => builder.with_client_auth_cert(chain, key).expect("its key"),
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
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        ring::default_provider().signature_verification_algorithms.supported_schemes()
    }
}
