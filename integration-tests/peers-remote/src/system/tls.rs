//! The floor of everything over TLS: tokio-rustls alone, mutual TLS 1.3 with the same provider
//! and the same kind of keys as our transport.

use std::sync::Arc;

use actor_cluster::Wire;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ED25519,
};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::version::TLS13;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::io::BufReader;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::streams::{self, Stream};
use super::{Error, Serving, TLS_BUFFERED};
use crate::flags::Task;
use crate::rows::BULK_BYTES;

/// PEM texts: a certificate, its key, and the authority that signed it.
#[derive(Clone, Wire)]
pub(super) struct Certificate {
    certificate: String,
    key: String,
    authority: String,
}

/// What the buffered floor reads at a time.
const BUFFER_BYTES: usize = 128 << 10;

/// Certificates for both ends, of an authority of their own.
pub(super) fn pair() -> Result<[Certificate; 2], Error> {
    let key = KeyPair::generate_for(&PKCS_ED25519)?;
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "authority of a measurement");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let authority = params.self_signed(&key)?.pem();
    let issuer = Issuer::new(params, key);
    let leaf = || -> Result<Certificate, Error> {
        let key = KeyPair::generate_for(&PKCS_ED25519)?;
        let mut params = CertificateParams::new(vec![NAME.to_owned()])?;
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let certificate = params.signed_by(&key, &issuer)?.pem();
        Ok(Certificate { certificate, key: key.serialize_pem(), authority: authority.clone() })
    };
    Ok([leaf()?, leaf()?])
}

pub(super) const NAME: &str = "localhost";

impl Certificate {
    fn chain(&self) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), Error> {
        let certificate = CertificateDer::from_pem_slice(self.certificate.as_bytes())?;
        Ok((vec![certificate], PrivateKeyDer::from_pem_slice(self.key.as_bytes())?))
    }

    fn roots(&self) -> Result<Arc<RootCertStore>, Error> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.authority.as_bytes())?)?;
        Ok(Arc::new(roots))
    }

    /// The accepting side.
    pub(super) fn server(&self) -> Result<ServerConfig, Error> {
        let provider = Arc::new(ring::default_provider());
        let verifier =
            WebPkiClientVerifier::builder_with_provider(self.roots()?, provider.clone()).build()?;
        let (chain, key) = self.chain()?;
        let config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13])?
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain, key)?;
        Ok(config)
    }

    /// The dialling side.
    pub(super) fn client(&self) -> Result<ClientConfig, Error> {
        let (chain, key) = self.chain()?;
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[&TLS13])?
            .with_root_certificates(self.roots()?)
            .with_client_auth_cert(chain, key)?;
        Ok(config)
    }
}

pub(super) async fn serve(task: &Task, certificate: &Certificate) -> Result<Serving, Error> {
    let acceptor = TlsAcceptor::from(Arc::new(certificate.server()?));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let (address, task) = (listener.local_addr()?, *task);
    let serving = tokio::spawn(async move {
        let (socket, _) = listener.accept().await?;
        socket.set_nodelay(true)?;
        if task.system == TLS_BUFFERED {
            let socket = BufReader::with_capacity(BUFFER_BYTES, socket);
            return streams::serve(&task, acceptor.accept(socket).await?, BUFFER_BYTES).await;
        }
        streams::serve(&task, acceptor.accept(socket).await?, BULK_BYTES).await
    });
    Ok(Serving::new(address, serving))
}

pub(super) async fn dial(
    task: &Task,
    certificate: &Certificate,
    address: &str,
) -> Result<Box<dyn Stream>, Error> {
    let connector = TlsConnector::from(Arc::new(certificate.client()?));
    let name = ServerName::try_from(NAME)?;
    let socket = TcpStream::connect(address).await?;
    socket.set_nodelay(true)?;
    if task.system == TLS_BUFFERED {
        let socket = BufReader::with_capacity(BUFFER_BYTES, socket);
        return Ok(Box::new(connector.connect(name, socket).await?));
    }
    Ok(Box::new(connector.connect(name, socket).await?))
}
