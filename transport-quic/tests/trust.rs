//! Who gets in: the suite of all transports with certificates, and what is QUIC's own.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use actor_cluster::transport::{Address, Transport, TransportError};
use quinn::crypto::rustls::QuicClientConfig;
use quinn::{ClientConfig, ConnectionError, Endpoint};
use rustls::client::{ClientSessionStore, Resumption, Tls12ClientSessionValue, Tls13ClientSessionValue};
use rustls::{AlertDescription, NamedGroup};
use rustls_pki_types::ServerName;
use transport_quic::tls::ALPN;
use transport_quic::tls::dev_ca::DevCertificate;
use transport_quic::tls::testing::trust_suite::{Harness, raw_client, signed};
use transport_quic::{DevCa, QuicTransport, TlsContext};

use crate::world::{ANY_PORT, Host, guarded, node_of};

transport_tls::trust_suite!(Quic);

pub(crate) struct Quic;

impl Harness for Quic {
    fn build(
        context: &TlsContext,
        listen: &[SocketAddr],
        advertise: &[&str],
    ) -> Result<Box<dyn Transport>, TransportError> {
        let listening = listen
            .iter()
            .fold(QuicTransport::builder().tls(context.clone()), |config, at| config.listen(*at));
        let config = advertise.iter().fold(listening, |config, host| config.advertise(*host));
        Ok(Box::new(config.build()?))
    }

    async fn shake_hands(address: Address, client: rustls::ClientConfig) -> String {
        let (_endpoint, connecting) = begin(&address, client);
        // The client is done before the host has looked at its certificate.
        let error = match connecting.await {
            Ok(connection) => connection.closed().await,
            Err(error) => error,
        };
        let ConnectionError::ConnectionClosed(close) = error else { panic!("{error}") };
        let alert = u8::try_from(u64::from(close.error_code) - 0x100).unwrap();
        format!("{:?}", AlertDescription::from(alert))
    }
}

/// Each connection proves its peer anew: there is nothing to resume, and nothing is said before the handshake.
#[tokio::test]
async fn sessions_are_never_resumed() {
    let ca = DevCa::new().unwrap();
    // Unlike ours, this client would gladly resume.
    let mut client = raw_client(Some(signed(&ca, &DevCertificate::default())), Some(ALPN));
    client.enable_early_data = true;
    let tickets = Arc::new(Tickets::default());
    client.resumption = Resumption::store(tickets.clone());
    let mut host = Host::start(&node_of(&ca, "host")).await;
    for _ in 0..2 {
        let (_endpoint, connecting) = begin(&host.address, client.clone());
        let connecting = connecting.into_0rtt().err().expect("no ticket of an earlier connection");
        let (near, far) = guarded(async { tokio::join!(connecting, host.listener.accept()) }).await;
        let (near, _far) = (near.unwrap(), far.unwrap());
        // The host's word comes behind its tickets, if it sends any.
        let mut word = near.accept_uni().await.unwrap();
        guarded(word.read_to_end(1)).await.unwrap();
        // Without early data a ticket would still spare the host its look at the certificate.
        assert_eq!(tickets.0.load(Ordering::Relaxed), 0);
    }
}

/// Counts the tickets that a host has sent, and keeps none.
#[derive(Debug, Default)]
struct Tickets(AtomicUsize);

impl ClientSessionStore for Tickets {
    fn set_kx_hint(&self, _: ServerName<'static>, _: NamedGroup) {}

    fn kx_hint(&self, _: &ServerName<'_>) -> Option<NamedGroup> {
        None
    }

    fn set_tls12_session(&self, _: ServerName<'static>, _: Tls12ClientSessionValue) {}

    fn tls12_session(&self, _: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        None
    }

    fn remove_tls12_session(&self, _: &ServerName<'static>) {}

    fn insert_tls13_ticket(&self, _: ServerName<'static>, _: Tls13ClientSessionValue) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn take_tls13_ticket(&self, _: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        None
    }
}

#[cfg(feature = "aws-lc-rs")]
#[tokio::test]
async fn nodes_meet_whoever_does_the_cryptography() {
    let ca = DevCa::new().unwrap();
    let node = ca.node("node").unwrap();
    let (credentials, authorities) = (node.credentials().unwrap(), node.authorities().unwrap());
    let provider = transport_quic::tls::provider::aws_lc_rs();
    let tls = TlsContext::with_provider(credentials, authorities, provider).unwrap();
    let dialler = QuicTransport::builder().tls(tls).build().unwrap();
    Host::start(&node_of(&ca, "host")).await.connect(&dialler).await.talk().await;
}

/// A bare client of QUIC, which is no node.
fn begin(address: &Address, client: rustls::ClientConfig) -> (Endpoint, quinn::Connecting) {
    let crypto = QuicClientConfig::try_from(client).unwrap();
    let config = ClientConfig::new(Arc::new(crypto));
    let endpoint = Endpoint::client(ANY_PORT).unwrap();
    let connecting = endpoint.connect_with(config, address.rest().parse().unwrap(), "localhost").unwrap();
    (endpoint, connecting)
}
