//! Who gets in: the suite of all transports with certificates, and what is TCP's own.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use actor_cluster::transport::{Address, Transport, TransportError};
use rustls::ClientConfig;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use transport_tcp::tls::ALPN;
use transport_tcp::tls::dev_ca::DevCertificate;
use transport_tcp::tls::pki_types::ServerName;
use transport_tcp::tls::testing::trust_suite::{Harness, raw_client, signed};
use transport_tcp::{DevCa, TcpTransport, TlsContext};

use crate::world::{Host, guarded, knock, node_of};

transport_tls::trust_suite!(Tcp);

pub(crate) struct Tcp;

impl Harness for Tcp {
    fn build(
        context: &TlsContext,
        listen: &[SocketAddr],
        advertise: &[&str],
    ) -> Result<Box<dyn Transport>, TransportError> {
        let listening =
            listen.iter().fold(TcpTransport::builder().tls(context.clone()), |config, at| config.listen(*at));
        let config = advertise.iter().fold(listening, |config, host| config.advertise(*host));
        Ok(Box::new(config.build()?))
    }

    async fn shake_hands(address: Address, client: ClientConfig) -> String {
        let shaken = async {
            let socket = TcpStream::connect(address.rest()).await?;
            let name = ServerName::try_from("localhost").unwrap();
            let mut stream = TlsConnector::from(Arc::new(client)).connect(name, socket).await?;
            stream.read(&mut [0; 16]).await
        };
        let told: io::Result<usize> = shaken.await;
        told.unwrap_err().to_string()
    }
}

/// Each connection proves its peer anew: there is nothing to resume.
#[tokio::test]
async fn sessions_are_never_resumed() {
    let ca = DevCa::new().unwrap();
    // Unlike ours, this client would gladly resume.
    let client = Arc::new(raw_client(Some(signed(&ca, &DevCertificate::default())), Some(ALPN)));
    let mut host = Host::start(&node_of(&ca, "host")).await;
    for _ in 0..2 {
        let socket = knock(&host).await;
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

#[cfg(feature = "aws-lc-rs")]
#[tokio::test]
async fn nodes_meet_whoever_does_the_cryptography() {
    let ca = DevCa::new().unwrap();
    let node = ca.node("node").unwrap();
    let (credentials, authorities) = (node.credentials().unwrap(), node.authorities().unwrap());
    let provider = transport_tcp::tls::provider::aws_lc_rs();
    let tls = TlsContext::with_provider(credentials, authorities, provider).unwrap();
    let dialler = TcpTransport::builder().tls(tls).build().unwrap();
    Host::start(&node_of(&ca, "host")).await.connect(&dialler).await.talk().await;
}
