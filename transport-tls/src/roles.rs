//! The configurations of both sides of a handshake. Must not live here: which of them is current (`context.rs`).

use std::sync::Arc;

use rustls::client::Resumption;
use rustls::crypto::CryptoProvider;
use rustls::server::NoServerSessionStorage;
use rustls::time_provider::TimeProvider;
use rustls::version::TLS13;
use rustls::{ClientConfig, ConfigBuilder, Error, ServerConfig, server::WantsServerCert};

use crate::context::ALPN;
use crate::credentials::Credentials;
use crate::trust::Trust;
use crate::verdict::Verdict;
use crate::verifier::Verifier;

/// The accepting role.
pub(crate) fn server_config(
    provider: &Arc<CryptoProvider>,
    clock: &Arc<dyn TimeProvider>,
    trust: &Arc<Trust>,
    credentials: &Credentials,
) -> Result<ServerConfig, Error> {
    let accepting = accepting(provider, clock, Verifier::new(trust.clone()))?;
    let config = accepting.with_single_cert(credentials.chain.clone(), credentials.key.clone_key())?;
    Ok(without_resumption(config))
}

/// The same for one handshake, which says what it does not believe. The key is read already.
pub(crate) fn recording_server_config(
    config: &ServerConfig,
    clock: &Arc<dyn TimeProvider>,
    trust: &Arc<Trust>,
) -> Result<(ServerConfig, Verdict), Error> {
    let (verifier, verdict) = Verifier::recording(trust.clone());
    let accepting = accepting(config.crypto_provider(), clock, verifier)?;
    Ok((without_resumption(accepting.with_cert_resolver(config.cert_resolver.clone())), verdict))
}

/// The dialling role.
pub(crate) fn client_config(
    provider: &Arc<CryptoProvider>,
    clock: &Arc<dyn TimeProvider>,
    trust: &Arc<Trust>,
    credentials: &Credentials,
) -> Result<ClientConfig, Error> {
    let mut config = ClientConfig::builder_with_details(provider.clone(), clock.clone())
        .with_protocol_versions(&[&TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Verifier::new(trust.clone()))
        .with_client_auth_cert(credentials.chain.clone(), credentials.key.clone_key())?;
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.resumption = Resumption::disabled();
    Ok(config)
}

/// The same for one handshake, which says what it does not believe.
pub(crate) fn recording_client_config(config: &ClientConfig, trust: &Arc<Trust>) -> (ClientConfig, Verdict) {
    let (verifier, verdict) = Verifier::recording(trust.clone());
    let mut config = config.clone();
    config.dangerous().set_certificate_verifier(verifier);
    (config, verdict)
}

fn accepting(
    provider: &Arc<CryptoProvider>,
    clock: &Arc<dyn TimeProvider>,
    verifier: Arc<Verifier>,
) -> Result<ConfigBuilder<ServerConfig, WantsServerCert>, Error> {
    let builder = ServerConfig::builder_with_details(provider.clone(), clock.clone());
    Ok(builder.with_protocol_versions(&[&TLS13])?.with_client_cert_verifier(verifier))
}

fn without_resumption(mut config: ServerConfig) -> ServerConfig {
    config.alpn_protocols = vec![ALPN.to_vec()];
    // A resumed session proves nothing anew: a certificate that has expired or was
    // revoked since would still get in.
    config.send_tls13_tickets = 0;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config
}
