//! A certificate authority for development and tests: it lives in memory for one
//! run, and its key is never written. Must not live here: anything production
//! would want.

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use actor_cluster::id::NodeId;
use actor_cluster::transport::TransportError;
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertificateRevocationListParams, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256,
    PKCS_ED25519, RevocationReason, RevokedCertParams, SanType, SerialNumber,
};
use webpki::EndEntityCert;

use crate::pem;
use crate::{Authorities, Credentials, NODE_URI_PREFIX};

/// How long development certificates are valid: long enough for a project's
/// spring, short enough that nobody builds on them.
pub const DEV_VALIDITY: Duration = Duration::from_secs(90 * 24 * 60 * 60);

/// The longest name of a node, in bytes. It becomes a file name.
pub const DEV_NAME_BYTES_MAX: usize = 64;

/// The file of the authority's certificate.
const CA_FILE: &str = "ca.pem";

/// An authority that signs certificates for nodes and is forgotten afterwards.
pub struct DevCa {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

/// What one node needs: PEM texts, as files hold them.
#[derive(Clone)]
pub struct NodeCredentials {
    /// The node's name: where its files are, and the common name of its
    /// certificate. It proves nothing.
    pub name: String,
    /// The node's certificate.
    pub cert: String,
    /// The node's private key.
    pub key: String,
    /// The certificate of the authority that signed the node's.
    pub ca: String,
    /// Who the certificate says the node is.
    pub node_id: NodeId,
}

/// What the certificate of one node is to say, for tests of certificates that
/// are out of the ordinary.
#[derive(Clone, Debug)]
pub struct DevCertificate {
    /// When it is valid.
    pub valid: Range<SystemTime>,
    /// The kind of its key.
    pub key: DevKey,
    /// The URIs among its subject alternative names.
    pub uris: Vec<String>,
    /// Whether it is for clients, servers, or both.
    pub usages: DevUsages,
}

/// The kind of a development key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DevKey {
    /// The kind that identities are.
    Ed25519,
    /// Another kind, which needs a URI that names the node.
    EcdsaP256,
}

/// Which side of a connection a certificate is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DevUsages {
    /// As a node needs it.
    ServerAndClient,
    /// For dialling alone.
    ClientOnly,
    /// For accepting alone.
    ServerOnly,
}

/// What to do where a file exists already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// Leave it as it is and report it.
    Refuse,
    /// Put the new one in its place.
    Replace,
}

impl DevCa {
    /// A new authority with a key of its own.
    ///
    /// # Errors
    ///
    /// [`TransportError::Config`] if the system has no random bytes.
    pub fn new() -> Result<Self, TransportError> {
        let key = KeyPair::generate_for(&PKCS_ED25519).map_err(failed)?;
        let mut params = CertificateParams::default();
        // Authorities are looked up by name, so each needs one of its own: the
        // error for a stranger then says "unknown" and not "bad signature".
        let mark =
            params.key_identifier(&key).iter().take(4).map(|byte| format!("{byte:02x}")).collect::<String>();
        params.distinguished_name.push(DnType::CommonName, format!("actor-cluster development CA {mark}"));
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        set_validity(&mut params, &default_validity());
        let pem = params.self_signed(&key).map_err(failed)?.pem();
        Ok(Self { issuer: Issuer::new(params, key), pem })
    }

    /// A certificate for a node with this name and a fresh Ed25519 key, which is
    /// its identity.
    ///
    /// # Errors
    ///
    /// [`TransportError::Config`] if the name cannot be a file's.
    pub fn node(&self, name: &str) -> Result<NodeCredentials, TransportError> {
        self.node_with(name, &DevCertificate::default())
    }

    /// A certificate that says what it is told to, provided it speaks for a node.
    ///
    /// # Errors
    ///
    /// As [`node`](Self::node), and if the certificate would be for no node.
    pub fn node_with(
        &self,
        name: &str,
        certificate: &DevCertificate,
    ) -> Result<NodeCredentials, TransportError> {
        check_name(name)?;
        let (cert, key) = self.sign(name, certificate)?;
        let (cert, key) = (cert.pem(), key.serialize_pem());
        let node_id = Credentials::from_pem(cert.as_bytes(), key.as_bytes())?.node_id();
        Ok(NodeCredentials { name: name.to_owned(), cert, key, ca: self.pem.clone(), node_id })
    }

    /// Signs a certificate for a fresh key, whatever it says: for tests of
    /// certificates that no node should have.
    ///
    /// # Errors
    ///
    /// [`TransportError::Config`] if a URI is not plain ASCII.
    pub fn sign(
        &self,
        name: &str,
        certificate: &DevCertificate,
    ) -> Result<(Certificate, KeyPair), TransportError> {
        let key = KeyPair::generate_for(match certificate.key {
            DevKey::Ed25519 => &PKCS_ED25519,
            DevKey::EcdsaP256 => &PKCS_ECDSA_P256_SHA256,
        });
        let key = key.map_err(failed)?;
        let certificate = certificate.params(name)?.signed_by(&key, &self.issuer).map_err(failed)?;
        Ok((certificate, key))
    }

    /// Takes certificates back: a revocation list in PEM, of these and no others, that is valid
    /// for the time given.
    ///
    /// # Errors
    ///
    /// [`TransportError::Config`] if a certificate was changed to something unreadable.
    pub fn revoke<'a>(
        &self,
        certificates: impl IntoIterator<Item = &'a NodeCredentials>,
        valid: &Range<SystemTime>,
    ) -> Result<String, TransportError> {
        let revoked = |node: &NodeCredentials| {
            let chain = pem::certificates(node.cert.as_bytes())?;
            let certificate = EndEntityCert::try_from(&chain[0])
                .map_err(|error| pem::unusable(format!("the certificate cannot be read: {error}")))?;
            let serial_number = SerialNumber::from_slice(certificate.serial());
            let (revocation_time, reason_code) = (valid.start.into(), Some(RevocationReason::KeyCompromise));
            Ok(RevokedCertParams { serial_number, revocation_time, reason_code, invalidity_date: None })
        };
        let params = CertificateRevocationListParams {
            this_update: valid.start.into(),
            next_update: valid.end.into(),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: certificates.into_iter().map(revoked).collect::<Result<_, TransportError>>()?,
            key_identifier_method: KeyIdMethod::Sha256,
        };
        params.signed_by(&self.issuer).and_then(|list| list.pem()).map_err(failed)
    }

    /// The authority's certificate in PEM.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// Writes the authority's certificate to `ca.pem` in the directory.
    ///
    /// # Errors
    ///
    /// What the system says; [`io::ErrorKind::AlreadyExists`] names the file.
    pub fn write_to(&self, dir: impl AsRef<Path>, existing: Existing) -> io::Result<()> {
        write(&ca_path(dir.as_ref()), &self.pem, Secrecy::Public, existing)
    }
}

impl fmt::Debug for DevCa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DevCa").finish_non_exhaustive()
    }
}

impl NodeCredentials {
    /// The certificate and the key, for a transport.
    ///
    /// # Errors
    ///
    /// [`TransportError::Config`] if they were changed to something unusable.
    pub fn credentials(&self) -> Result<Credentials, TransportError> {
        Credentials::from_pem(self.cert.as_bytes(), self.key.as_bytes())
    }

    /// The authority, for a transport.
    ///
    /// # Errors
    ///
    /// [`TransportError::Config`] if it was changed to something unusable.
    pub fn authorities(&self) -> Result<Authorities, TransportError> {
        Authorities::from_pem(self.ca.as_bytes())
    }

    /// The files that [`write_to`](Self::write_to) writes for a node.
    pub fn files(dir: impl AsRef<Path>, name: &str) -> [PathBuf; 2] {
        ["pem", "key"].map(|extension| dir.as_ref().join(format!("{name}.{extension}")))
    }

    /// Writes `<name>.pem` and `<name>.key` into the directory, the key readable
    /// by the owner alone.
    ///
    /// # Errors
    ///
    /// What the system says; [`io::ErrorKind::AlreadyExists`] names the file.
    pub fn write_to(&self, dir: impl AsRef<Path>, existing: Existing) -> io::Result<()> {
        let [cert, key] = Self::files(dir, &self.name);
        write(&cert, &self.cert, Secrecy::Public, existing)?;
        write(&key, &self.key, Secrecy::Secret, existing)
    }

    /// Reads a node's files, and `ca.pem` beside them.
    ///
    /// # Errors
    ///
    /// [`TransportError::Config`] if one is missing or unusable; it is named.
    pub fn load(dir: impl AsRef<Path>, name: &str) -> Result<Self, TransportError> {
        check_name(name)?;
        let read = |path: &Path| {
            let unreadable =
                |error| TransportError::Config(format!("cannot read {}: {error}", path.display()));
            fs::read_to_string(path).map_err(unreadable)
        };
        let [cert, key] = Self::files(&dir, name);
        let (cert, key) = (read(&cert)?, read(&key)?);
        let node_id = Credentials::from_pem(cert.as_bytes(), key.as_bytes())?.node_id();
        Ok(Self { name: name.to_owned(), cert, key, ca: read(&ca_path(dir.as_ref()))?, node_id })
    }
}

/// The key stays out of logs.
impl fmt::Debug for NodeCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("NodeCredentials");
        debug.field("name", &self.name).field("node_id", &self.node_id).finish_non_exhaustive()
    }
}

impl DevCertificate {
    fn params(&self, name: &str) -> Result<CertificateParams, TransportError> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = self.usages.purposes();
        params.use_authority_key_identifier_extension = true;
        for uri in &self.uris {
            params.subject_alt_names.push(SanType::URI(uri.as_str().try_into().map_err(failed)?));
        }
        set_validity(&mut params, &self.valid);
        Ok(params)
    }

    /// The URI that names a node.
    pub fn uri_of(node: NodeId) -> String {
        format!("{NODE_URI_PREFIX}{node}")
    }
}

/// An ordinary node's certificate.
impl Default for DevCertificate {
    fn default() -> Self {
        let (key, usages) = (DevKey::Ed25519, DevUsages::ServerAndClient);
        Self { valid: default_validity(), key, uris: Vec::new(), usages }
    }
}

impl DevUsages {
    fn purposes(self) -> Vec<ExtendedKeyUsagePurpose> {
        use ExtendedKeyUsagePurpose::{ClientAuth, ServerAuth};
        match self {
            DevUsages::ServerAndClient => vec![ServerAuth, ClientAuth],
            DevUsages::ClientOnly => vec![ClientAuth],
            DevUsages::ServerOnly => vec![ServerAuth],
        }
    }
}

/// From an hour ago, for machines whose clocks disagree.
fn default_validity() -> Range<SystemTime> {
    let now = SystemTime::now();
    now - Duration::from_secs(60 * 60)..now + DEV_VALIDITY
}

fn set_validity(params: &mut CertificateParams, valid: &Range<SystemTime>) {
    params.not_before = valid.start.into();
    params.not_after = valid.end.into();
}

/// A name becomes a file's, so it must not lead out of the directory, and must
/// leave the authority's file alone.
fn check_name(name: &str) -> Result<(), TransportError> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if !name.is_empty() && name.len() <= DEV_NAME_BYTES_MAX && name.bytes().all(allowed) && name != "ca" {
        return Ok(());
    }
    Err(TransportError::Config(format!(
        "{name:?} cannot name a node's files: letters, digits, '-' and '_', at most {DEV_NAME_BYTES_MAX}, not \"ca\""
    )))
}

fn ca_path(dir: &Path) -> PathBuf {
    dir.join(CA_FILE)
}

/// Who may read a file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Secrecy {
    Public,
    Secret,
}

/// Always creates the file, so that a key never inherits another file's
/// permissions and never passes through a link.
fn write(path: &Path, text: &str, secrecy: Secrecy, existing: Existing) -> io::Result<()> {
    if existing == Existing::Replace {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(in_file(path, &error)),
            _ => {}
        }
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    if secrecy == Secrecy::Secret {
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    }
    #[cfg(not(unix))]
    let _ = secrecy;
    let written = options.open(path).and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| in_file(path, &error))
}

fn in_file(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

fn failed(error: rcgen::Error) -> TransportError {
    TransportError::Config(format!("cannot make a certificate: {error}"))
}
