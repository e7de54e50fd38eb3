//! A node's side of TLS: both roles, ready to shake hands, and replaceable while
//! connections live. Must not live here: sockets and deadlines (the transports).
//!
//! ```text
//!  replace ─► Current (swapped whole) ─► handshakes that begin now
//!     └─────► every registered peer is judged again ─► Disconnect
//! ```

use std::fmt;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use actor_cluster::id::NodeId;
use actor_cluster::transport::TransportError;
use arc_swap::ArcSwap;
use rustls::crypto::CryptoProvider;
use rustls::time_provider::{DefaultTimeProvider, TimeProvider};
use rustls::{ClientConfig, Error, ServerConfig};
use rustls_pki_types::{CertificateDer, UnixTime};
use slab::Slab;

use crate::authorities::Authorities;
use crate::credentials::Credentials;
use crate::fault::Fault;
use crate::files::{Contents, TlsFiles};
use crate::pem::unusable;
use crate::provider;
use crate::roles::{client_config, recording_client_config, recording_server_config, server_config};
use crate::trust::{PeerRole, Trust};
use crate::verdict::Verdict;

/// The protocol that both sides must name (ALPN), so that nobody who listens or
/// dials for something else is taken for a node.
pub const ALPN: &[u8] = b"actor-cluster/1";

/// What a node proves itself with and whom it believes, for every transport that it
/// is given to. Clones share it: what is replaced in one is replaced in all.
#[derive(Clone)]
pub struct TlsContext {
    inner: Arc<Inner>,
}

struct Inner {
    node: NodeId,
    provider: Arc<CryptoProvider>,
    clock: Arc<dyn TimeProvider>,
    /// Held while something is replaced, so that two who do it take turns.
    material: Mutex<Material>,
    current: ArcSwap<Current>,
    peers: Mutex<Slab<Peer>>,
    replaced: AtomicU64,
    failed: AtomicU64,
    disconnected: AtomicU64,
}

/// What the current configurations were made of.
struct Material {
    credentials: Credentials,
    authorities: Authorities,
    files: Option<(TlsFiles, Contents)>,
}

/// Both roles of a node.
struct Current {
    server: Arc<ServerConfig>,
    client: Arc<ClientConfig>,
    trust: Arc<Trust>,
}

/// A peer there is a connection with.
#[derive(Clone)]
struct Peer {
    chain: Arc<[CertificateDer<'static>]>,
    /// When it was believed. It has shown that it was valid by then, and need not again: a node that renews its
    /// certificate does so for its next connection.
    since: UnixTime,
    role: PeerRole,
    connection: Weak<dyn Disconnect>,
}

/// A connection, which ends when its peer is not believed any more.
pub trait Disconnect: Send + Sync {
    /// Ends the connection at once. Called on the thread that replaces the authorities, with none of the context's
    /// locks held; a panic is reported, and keeps nobody else connected.
    fn disconnect(&self, fault: &Fault);
}

/// How often something was replaced, and what came of it. All since the context was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TlsCounts {
    /// How often credentials, authorities or both were replaced.
    pub replaced: u64,
    /// How often that failed, and all stayed as it was: wrong files, for the most part.
    pub failed: u64,
    /// How many connections ended because their peer was not believed any more.
    pub disconnected: u64,
}

impl TlsContext {
    /// A context with [ring](provider::ring).
    ///
    /// # Errors
    ///
    /// [`TransportError::Config`] if the key is not the certificate's.
    pub fn new(credentials: Credentials, authorities: Authorities) -> Result<Self, TransportError> {
        Self::with_provider(credentials, authorities, provider::ring())
    }

    /// A context with another [provider](provider) of cryptography.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new), and if the provider has no TLS 1.3.
    pub fn with_provider(
        credentials: Credentials,
        authorities: Authorities,
        provider: Arc<CryptoProvider>,
    ) -> Result<Self, TransportError> {
        Self::with_details(credentials, authorities, provider, Arc::new(DefaultTimeProvider))
    }

    /// A context with another [provider](provider) of cryptography, and another clock to judge certificates by,
    /// such as that of a simulation.
    ///
    /// # Errors
    ///
    /// As [`with_provider`](Self::with_provider).
    pub fn with_details(
        credentials: Credentials,
        authorities: Authorities,
        provider: Arc<CryptoProvider>,
        clock: Arc<dyn TimeProvider>,
    ) -> Result<Self, TransportError> {
        Self::of(Material { credentials, authorities, files: None }, provider, clock)
    }

    fn of(
        material: Material,
        provider: Arc<CryptoProvider>,
        clock: Arc<dyn TimeProvider>,
    ) -> Result<Self, TransportError> {
        let current = Current::new(&material.credentials, &material.authorities, &provider, &clock)?;
        let inner = Inner {
            node: material.credentials.node_id(),
            provider,
            clock,
            material: Mutex::new(material),
            current: ArcSwap::from_pointee(current),
            peers: Mutex::new(Slab::new()),
            replaced: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            disconnected: AtomicU64::new(0),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// A context of what stands in files, which can be [read again](Self::reload).
    ///
    /// # Errors
    ///
    /// [`TransportError::Config`] if a file cannot be read or used; it is named.
    pub fn from_files(files: TlsFiles) -> Result<Self, TransportError> {
        Self::from_files_with_provider(files, provider::ring())
    }

    /// As [`from_files`](Self::from_files), with another [provider](provider) of cryptography.
    ///
    /// # Errors
    ///
    /// As [`from_files`](Self::from_files), and if the provider has no TLS 1.3.
    pub fn from_files_with_provider(
        files: TlsFiles,
        provider: Arc<CryptoProvider>,
    ) -> Result<Self, TransportError> {
        let contents = files.contents()?;
        let (credentials, authorities) = files.parse(&contents)?;
        let material = Material { credentials, authorities, files: Some((files, contents)) };
        Self::of(material, provider, Arc::new(DefaultTimeProvider))
    }

    /// The node that this is the side of.
    pub fn node_id(&self) -> NodeId {
        self.inner.node
    }

    /// The accepting role, for handshakes that begin now. When one is done, ask whether [`ALPN`] was agreed on: a peer that
    /// names no protocol at all gets through otherwise.
    pub fn server_config(&self) -> Arc<ServerConfig> {
        self.inner.current.load().server.clone()
    }

    /// The dialling role, for handshakes that begin now. As for the other, ask for [`ALPN`].
    pub fn client_config(&self) -> Arc<ClientConfig> {
        self.inner.current.load().client.clone()
    }

    /// The [accepting role](Self::server_config) for one handshake that begins now, and what it will find wrong with the
    /// peer, for those who learn no more of a failed one than the alert that it ended with.
    ///
    /// # Errors
    ///
    /// None that [`new`](Self::new) would not have met before.
    pub fn recording_server_config(&self) -> Result<(Arc<ServerConfig>, Verdict), Fault> {
        let current = self.inner.current.load();
        let config = recording_server_config(&current.server, &self.inner.clock, &current.trust);
        config.map(|(config, verdict)| (Arc::new(config), verdict)).map_err(|error| Fault::of(&error))
    }

    /// The same for the [dialling role](Self::client_config).
    pub fn recording_client_config(&self) -> (Arc<ClientConfig>, Verdict) {
        let current = self.inner.current.load();
        let (config, verdict) = recording_client_config(&current.client, &current.trust);
        (Arc::new(config), verdict)
    }

    /// The node that a chain of certificates speaks for, if it is believed now. That the
    /// peer has the key of it is for the handshake to prove.
    ///
    /// # Errors
    ///
    /// What is wrong with the chain.
    pub fn judge(&self, chain: &[CertificateDer<'_>], role: PeerRole) -> Result<NodeId, Fault> {
        let trust = self.inner.current.load().trust.clone();
        judge(&trust, chain, role, self.inner.now()?)
    }

    /// Has a peer judged again whenever the authorities are replaced, until the answer is dropped.
    ///
    /// # Errors
    ///
    /// If it is not believed now: what it was believed for has been replaced since its
    /// handshake began.
    pub fn register(
        &self,
        chain: Arc<[CertificateDer<'static>]>,
        role: PeerRole,
        connection: Weak<dyn Disconnect>,
    ) -> Result<Registered, Fault> {
        let since = self.inner.now()?;
        let key = self.inner.peers().insert(Peer { chain: chain.clone(), since, role, connection });
        let registered = Registered { context: self.clone(), key };
        // After it is registered: either this sees what was replaced, or whoever replaces it sees the peer.
        let trust = self.inner.current.load().trust.clone();
        judge(&trust, &chain, role, since)?;
        Ok(registered)
    }

    /// Proves the node with others from now on. Connections that are there go on.
    ///
    /// # Errors
    ///
    /// [`TransportError::Config`], and all stays as it was, if they are for another node,
    /// or the key is not the certificate's.
    pub fn replace_credentials(&self, credentials: Credentials) -> Result<(), TransportError> {
        let mut material = self.inner.material();
        let authorities = material.authorities.clone();
        self.inner.replace(&mut material, credentials, authorities).map(drop)
    }

    /// Believes others from now on. Peers whose certificates would not have been believed are disconnected before this comes
    /// back, which takes about a tenth of a millisecond for each peer there is.
    ///
    /// To replace an authority without losing anybody, believe the old and the new one until every
    /// node has a certificate of the new one.
    ///
    /// # Errors
    ///
    /// [`TransportError::Config`], and all stays as it was, if the provider cannot use them.
    pub fn replace_authorities(&self, authorities: Authorities) -> Result<(), TransportError> {
        let mut material = self.inner.material();
        let credentials = material.credentials.clone();
        let trust = self.inner.replace(&mut material, credentials, authorities)?;
        drop(material);
        self.inner.judge_again(&trust);
        Ok(())
    }

    /// Reads the files again, and replaces everything if anything in them has changed. Whether it had.
    /// Blocks for as long as the file system does.
    ///
    /// # Errors
    ///
    /// [`TransportError::Config`], and all stays as it was, if a file cannot be read or used, or if the
    /// context was not made [from files](Self::from_files). A certificate that is there before its key is
    /// such a case; it is mended when the key is there, too.
    pub fn reload(&self) -> Result<bool, TransportError> {
        let mut material = self.inner.material();
        let Some((files, before)) = material.files.clone() else {
            return Err(unusable("this context was not made from files"));
        };
        let read = files.contents().and_then(|contents| {
            if contents == before {
                return Ok(None);
            }
            files.parse(&contents).map(|parsed| Some((contents, parsed)))
        });
        let read = read.inspect_err(|_| self.inner.count_failure())?;
        let Some((contents, (credentials, authorities))) = read else { return Ok(false) };
        let trust = self.inner.replace(&mut material, credentials, authorities)?;
        let believes_others = !contents.has_same_trust(&before);
        material.files = Some((files, contents));
        drop(material);
        if believes_others {
            self.inner.judge_again(&trust);
        }
        Ok(true)
    }

    /// [Reloads](Self::reload) again and again, for ever; what goes wrong is logged as a warning, once as long as
    /// it stays the same. Must be polled on a tokio runtime, and may be dropped at any time.
    pub async fn follow_files(self, every: Duration) {
        let mut complaint = None;
        loop {
            tokio::time::sleep(every).await;
            let context = self.clone();
            let reloaded = tokio::task::spawn_blocking(move || context.reload()).await;
            let error = match reloaded {
                Ok(Ok(_)) => None,
                Ok(Err(error)) => Some(error.to_string()),
                Err(error) => Some(error.to_string()),
            };
            if let Some(error) = error.as_ref().filter(|error| complaint.as_ref() != Some(*error)) {
                tracing::warn!(%error, "certificates were not replaced; those from before are still used");
            }
            complaint = error;
        }
    }

    /// What was replaced so far.
    pub fn counts(&self) -> TlsCounts {
        let Inner { replaced, failed, disconnected, .. } = &*self.inner;
        let [replaced, failed, disconnected] =
            [replaced, failed, disconnected].map(|count| count.load(Ordering::Relaxed));
        TlsCounts { replaced, failed, disconnected }
    }
}

impl Inner {
    /// Puts others in place, by which handshakes are judged from now on, and peers that register.
    fn replace(
        &self,
        material: &mut Material,
        credentials: Credentials,
        authorities: Authorities,
    ) -> Result<Arc<Trust>, TransportError> {
        let current = self.check_node(&credentials);
        let current =
            current.and_then(|()| Current::new(&credentials, &authorities, &self.provider, &self.clock));
        let current = current.inspect_err(|_| self.count_failure())?;
        let trust = current.trust.clone();
        self.current.store(Arc::new(current));
        self.replaced.fetch_add(1, Ordering::Relaxed);
        (material.credentials, material.authorities) = (credentials, authorities);
        Ok(trust)
    }

    /// Others know this node by its identity, and would take it for a stranger.
    fn check_node(&self, credentials: &Credentials) -> Result<(), TransportError> {
        if credentials.node_id() == self.node {
            return Ok(());
        }
        let (theirs, ours) = (credentials.node_id(), self.node);
        Err(unusable(format!(
            "the certificate is for the node {theirs}, and this one is {ours}; a node keeps its identity"
        )))
    }

    fn now(&self) -> Result<UnixTime, Fault> {
        self.clock.current_time().ok_or_else(|| Fault::of(&Error::FailedToGetCurrentTime))
    }

    fn count_failure(&self) {
        self.failed.fetch_add(1, Ordering::Relaxed);
    }

    fn judge_again(&self, trust: &Trust) {
        // Whoever is disconnected leaves the list, so it must not be locked meanwhile.
        let peers: Vec<Peer> = self.peers().iter().map(|(_, peer)| peer.clone()).collect();
        for Peer { chain, since, role, connection } in peers {
            let Err(fault) = judge(trust, &chain, role, since) else { continue };
            let Some(connection) = connection.upgrade() else { continue };
            self.disconnected.fetch_add(1, Ordering::Relaxed);
            let disconnected = panic::catch_unwind(AssertUnwindSafe(move || connection.disconnect(&fault)));
            if disconnected.is_err() {
                tracing::error!("a connection panicked when it was ended; others are ended all the same");
            }
        }
    }

    /// Nothing under these locks panics halfway through a change.
    fn material(&self) -> MutexGuard<'_, Material> {
        self.material.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn peers(&self) -> MutexGuard<'_, Slab<Peer>> {
        self.peers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn judge(
    trust: &Trust,
    chain: &[CertificateDer<'_>],
    role: PeerRole,
    now: UnixTime,
) -> Result<NodeId, Fault> {
    let (own, between) = chain.split_first().ok_or_else(|| Fault::of(&Error::NoCertificatesPresented))?;
    trust.judge(own, between, role, now).map_err(|error| Fault::of(&error))
}

impl Current {
    fn new(
        credentials: &Credentials,
        authorities: &Authorities,
        provider: &Arc<CryptoProvider>,
        clock: &Arc<dyn TimeProvider>,
    ) -> Result<Self, TransportError> {
        let trust = Arc::new(Trust::new(authorities.clone(), provider.clone()));
        let server = server_config(provider, clock, &trust, credentials).map_err(unusable_keys)?;
        let client = client_config(provider, clock, &trust, credentials).map_err(unusable_keys)?;
        Ok(Self { server: Arc::new(server), client: Arc::new(client), trust })
    }
}

fn unusable_keys(error: Error) -> TransportError {
    match error {
        Error::InconsistentKeys(_) => unusable("the private key is not the one of the certificate"),
        other => unusable(other.to_string()),
    }
}

impl fmt::Debug for TlsContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsContext").field("node", &self.inner.node).finish_non_exhaustive()
    }
}

/// A peer that is judged again when the authorities are replaced, for as long as this lives.
pub struct Registered {
    context: TlsContext,
    key: usize,
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.context.inner.peers().try_remove(self.key);
    }
}

impl fmt::Debug for Registered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registered").finish_non_exhaustive()
    }
}
