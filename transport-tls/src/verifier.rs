//! The judgement as rustls asks for it, in both roles. Must not live here: the judgement itself (`trust.rs`).

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use crate::trust::{PeerRole, Trust};
use crate::verdict::Verdict;

/// Has [`Trust`] judge the peer of a handshake, whichever side that is on.
#[derive(Debug)]
pub(crate) struct Verifier {
    trust: Arc<Trust>,
    /// Where what is wrong is taken down, if somebody asks for it later.
    verdict: Option<Verdict>,
}

impl Verifier {
    /// For any number of handshakes.
    pub(crate) fn new(trust: Arc<Trust>) -> Arc<Self> {
        Arc::new(Self { trust, verdict: None })
    }

    /// For one handshake, and what it will find wrong.
    pub(crate) fn recording(trust: Arc<Trust>) -> (Arc<Self>, Verdict) {
        let verdict = Verdict::default();
        (Arc::new(Self { trust, verdict: Some(verdict.clone()) }), verdict)
    }

    fn judge(
        &self,
        own: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        role: PeerRole,
        now: UnixTime,
    ) -> Result<(), Error> {
        self.recorded(self.trust.judge(own, between, role, now).map(drop))
    }

    fn verify_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.recorded(self.trust.verify_signature(message, certificate, signature))
    }

    fn recorded<T>(&self, judged: Result<T, Error>) -> Result<T, Error> {
        judged.inspect_err(|error| {
            if let Some(verdict) = &self.verdict {
                verdict.take_down(error);
            }
        })
    }
}

impl ClientCertVerifier for Verifier {
    /// Strangers need not learn which authorities this cluster has, and nodes present the
    /// one certificate they have anyway.
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.judge(end_entity, intermediates, PeerRole::Dialler, now)?;
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(not_tls13())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verify_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.trust.schemes()
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.judge(end_entity, intermediates, PeerRole::Host, now)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(not_tls13())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verify_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.trust.schemes()
    }
}

/// Never met, because only TLS 1.3 is offered.
fn not_tls13() -> Error {
    Error::General("a signature of TLS 1.2".into())
}
