//! Why a peer's certificate was not believed, for transports that learn of a failed handshake no more than the alert
//! that it ended with: those over QUIC. Must not live here: the judgement (`trust.rs`).

use std::fmt;
use std::sync::{Arc, OnceLock};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use crate::fault::Fault;
use crate::trust::Trust;

/// What one handshake found wrong with the peer's certificate, if it found anything.
#[derive(Clone, Default)]
pub struct Verdict(Arc<OnceLock<Fault>>);

impl Verdict {
    /// Why the peer was not believed; `None` if it was, or the handshake did not come so far.
    pub fn fault(&self) -> Option<Fault> {
        self.0.get().cloned()
    }

    fn of<T>(&self, judged: Result<T, Error>) -> Result<T, Error> {
        judged.inspect_err(|error| {
            self.0.get_or_init(|| Fault::of(error));
        })
    }
}

impl fmt::Debug for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Verdict").field(&self.0.get()).finish()
    }
}

/// Judges as [`Trust`] does, and takes down what it says.
#[derive(Debug)]
pub(crate) struct Recorded {
    pub(crate) trust: Arc<Trust>,
    pub(crate) verdict: Verdict,
}

impl ClientCertVerifier for Recorded {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        ClientCertVerifier::root_hint_subjects(&*self.trust)
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.verdict.of(self.trust.verify_client_cert(end_entity, intermediates, now))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        ClientCertVerifier::verify_tls12_signature(&*self.trust, message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verdict.of(ClientCertVerifier::verify_tls13_signature(
            &*self.trust,
            message,
            certificate,
            signature,
        ))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        ClientCertVerifier::supported_verify_schemes(&*self.trust)
    }
}

impl ServerCertVerifier for Recorded {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let trust = &self.trust;
        self.verdict.of(trust.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        ServerCertVerifier::verify_tls12_signature(&*self.trust, message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verdict.of(ServerCertVerifier::verify_tls13_signature(
            &*self.trust,
            message,
            certificate,
            signature,
        ))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        ServerCertVerifier::supported_verify_schemes(&*self.trust)
    }
}
