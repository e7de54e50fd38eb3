//! The same between processes of one machine: sockets in the file system, and peers that the
//! system vouches for.

use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::task::{Context, Poll};

use actor_cluster::id::NodeId;
use actor_cluster::transport::net::Origin;
use actor_cluster::transport::{Address, Connection, Listener, Transport, TransportError};
use async_trait::async_trait;
use tokio::net::{UnixListener, UnixStream};

use crate::connection::{Role, SocketConnection};
use crate::error::{handshake_failed, untrusted};
use crate::handshake::{Peer, Refusal, Secured};
use crate::limits::{TcpLimits, UNIX_PATH_BYTES_MAX};
use crate::listener::{Door, Intake, Knock};
use crate::plaintext;

/// The scheme of the addresses, which read `unix:///run/app/node.sock`.
pub const SCHEME: &str = "unix";

/// Connects nodes on one machine over Unix sockets, without TLS: nothing leaves the machine, and the system says
/// which user is at the other end.
///
/// ```no_run
/// use transport_tcp::UnixTransport;
///
/// # fn main() -> Result<(), actor_cluster::transport::TransportError> {
/// let transport = UnixTransport::builder().listen("/run/app/node-a.sock").build()?;
/// # Ok(())
/// # }
/// ```
///
/// Processes of the same user talk to each other unless [others are allowed](UnixConfig::allow_user). Peers are
/// [`Anonymous`](actor_cluster::transport::PeerIdentity::Anonymous), and sessions with them need the cluster's
/// shared secret, unless their user [is a node](UnixConfig::node). There is no channel binding.
#[derive(Debug)]
pub struct UnixTransport {
    listen: Option<PathBuf>,
    users: Arc<Users>,
    limits: TcpLimits,
}

/// The settings of a [`UnixTransport`].
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct UnixConfig {
    listen: Option<PathBuf>,
    any_user: bool,
    /// With the node that each is, if it is one.
    users: BTreeMap<u32, Option<NodeId>>,
    limits: TcpLimits,
}

impl UnixConfig {
    /// Accepts connections at this path, which must be absolute. A socket there that nobody listens at is replaced. Without
    /// it the transport only dials.
    ///
    /// The directory should be one in which nobody else may make files.
    pub fn listen(mut self, path: impl Into<PathBuf>) -> Self {
        self.listen = Some(path.into());
        self
    }

    /// Talks to processes of this user, too.
    pub fn allow_user(mut self, user: u32) -> Self {
        self.users.entry(user).or_default();
        self
    }

    /// Talks to processes of every user.
    pub fn allow_any_user(mut self) -> Self {
        self.any_user = true;
        self
    }

    /// Talks to processes of this user, and believes that they are this node.
    pub fn node(mut self, user: u32, node: NodeId) -> Self {
        self.users.insert(user, Some(node));
        self
    }

    /// Replaces the default bounds. Those for an address are for a user here.
    pub fn limits(mut self, limits: TcpLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Checks the settings and makes the transport. Opens no socket yet.
    ///
    /// # Errors
    ///
    /// [`TransportError::Config`] if the path is relative, not a text, has white space in it or is longer than
    /// [`UNIX_PATH_BYTES_MAX`]; [`TransportError::Io`] if the system does not say who this process's user is.
    pub fn build(self) -> Result<UnixTransport, TransportError> {
        if let Some(path) = &self.listen {
            address_of(path)?;
        }
        let own = UnixStream::pair().and_then(|(near, _far)| near.peer_cred())?.uid();
        let mut users = self.users;
        users.entry(own).or_default();
        let users = Arc::new(Users { own, any: self.any_user, known: users });
        Ok(UnixTransport { listen: self.listen, users, limits: self.limits })
    }
}

/// Who may be at the other end.
#[derive(Debug)]
struct Users {
    own: u32,
    any: bool,
    known: BTreeMap<u32, Option<NodeId>>,
}

impl Users {
    /// Who the system says it is, if we talk to them.
    fn judge(&self, socket: &UnixStream, label: &str) -> Result<Peer, TransportError> {
        let user = socket.peer_cred()?.uid();
        match self.known.get(&user) {
            Some(Some(node)) => Ok(Peer::Known(*node)),
            Some(None) => Ok(Peer::Anonymous),
            None if self.any => Ok(Peer::Anonymous),
            None => Err(untrusted(label, format!("its user is {user}, to whom nobody here wants to talk"))),
        }
    }

    fn is_own_alone(&self) -> bool {
        !self.any && self.known.keys().all(|user| *user == self.own)
    }
}

impl UnixTransport {
    /// Starts to configure a transport.
    pub fn builder() -> UnixConfig {
        UnixConfig::default()
    }
}

#[async_trait]
impl Transport for UnixTransport {
    fn scheme(&self) -> &str {
        SCHEME
    }

    fn is_listening(&self) -> bool {
        self.listen.is_some()
    }

    async fn listen(&self) -> Result<Box<dyn Listener>, TransportError> {
        let Some(path) = &self.listen else {
            return Err(TransportError::Config("this transport has no path to listen at".into()));
        };
        let failed = |source| TransportError::Bind { address: path.display().to_string(), source };
        let socket = bind(path).await.map_err(failed)?;
        let door = UnixDoor { _file: File::of(path).map_err(failed)?, socket, users: self.users.clone() };
        // The users are asked for in any case; this keeps the others from knocking.
        let mode = if self.users.is_own_alone() { 0o600 } else { 0o666 };
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).map_err(failed)?;
        Ok(Box::new(Intake::new(door, vec![address_of(path)?], &self.limits)))
    }

    async fn dial(&self, address: &Address) -> Result<Box<dyn Connection>, TransportError> {
        let path = path_of(address)?;
        let unreachable = |source| TransportError::Unreachable { address: address.to_string(), source };
        let mut socket = UnixStream::connect(path).await.map_err(unreachable)?;
        let peer = self.users.judge(&socket, address.as_str())?;
        plaintext::greet(&mut socket).await.map_err(|error| handshake_failed(address.as_str(), &error))?;
        let secured = Secured { io: Box::new(socket), peer };
        Ok(Box::new(SocketConnection::new(secured, Role::Dialler, address.to_string(), None)?))
    }
}

/// Binds a path that nobody listens at.
async fn bind(path: &Path) -> io::Result<UnixListener> {
    let bound = UnixListener::bind(path);
    if bound.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::AddrInUse)
        && path.symlink_metadata()?.file_type().is_socket()
        && let Err(error) = UnixStream::connect(path).await
        && error.kind() == io::ErrorKind::ConnectionRefused
    {
        // Left behind by a process that has ended.
        std::fs::remove_file(path)?;
        return UnixListener::bind(path);
    }
    bound
}

fn address_of(path: &Path) -> Result<Address, TransportError> {
    let unusable =
        |detail: &str| TransportError::Config(format!("cannot listen at {}: {detail}", path.display()));
    if !path.is_absolute() {
        return Err(unusable("the path must be absolute"));
    }
    if path.as_os_str().len() > UNIX_PATH_BYTES_MAX {
        return Err(unusable("the path is too long for a socket"));
    }
    let text = path.to_str().ok_or_else(|| unusable("others could not write its path"))?;
    Address::new(SCHEME, text).map_err(|error| unusable(&error.to_string()))
}

fn path_of(address: &Address) -> Result<&Path, TransportError> {
    if address.scheme() != SCHEME {
        return Err(address.unusable(format!("this transport dials {SCHEME}:///path")));
    }
    let path = Path::new(address.rest());
    if !path.is_absolute() || address.rest().len() > UNIX_PATH_BYTES_MAX {
        return Err(address.unusable("it must be the absolute path of a socket"));
    }
    Ok(path)
}

/// A socket in the file system.
struct UnixDoor {
    socket: UnixListener,
    users: Arc<Users>,
    _file: File,
}

impl Door for UnixDoor {
    type Socket = UnixStream;

    fn poll_knock(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Knock<UnixStream>>> {
        self.socket.poll_accept(cx).map_ok(|(socket, _)| {
            let credentials = socket.peer_cred().ok();
            let user = credentials.map(|credentials| credentials.uid());
            let label = match credentials {
                Some(of) => format!("{SCHEME} user {} process {}", of.uid(), of.pid().unwrap_or_default()),
                None => SCHEME.to_owned(),
            };
            Knock { socket, origin: Origin::User(user), label }
        })
    }

    fn shake_hands(
        &self,
        mut socket: UnixStream,
        label: &str,
    ) -> impl Future<Output = Result<Secured, Refusal>> + Send + use<> {
        let (users, label) = (self.users.clone(), label.to_owned());
        async move {
            let peer = match users.judge(&socket, &label) {
                Ok(peer) => peer,
                Err(error) => return Err(Refusal { error, socket: Some(Box::new(socket)) }),
            };
            match plaintext::answer(&mut socket).await {
                Ok(()) => Ok(Secured { io: Box::new(socket), peer }),
                Err(error) => {
                    let error = handshake_failed(&label, &error);
                    Err(Refusal { error, socket: Some(Box::new(socket)) })
                }
            }
        }
    }
}

/// The socket's file, which is removed with it, unless it is another's by then.
struct File {
    path: PathBuf,
    place: (u64, u64),
}

impl File {
    fn of(path: &Path) -> io::Result<Self> {
        Ok(Self { path: path.to_owned(), place: Self::place(path)? })
    }

    fn place(path: &Path) -> io::Result<(u64, u64)> {
        let metadata = path.symlink_metadata()?;
        Ok((metadata.dev(), metadata.ino()))
    }
}

impl Drop for File {
    fn drop(&mut self) {
        if Self::place(&self.path).is_ok_and(|place| place == self.place) {
            // Whoever listens there next replaces it otherwise.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests;
