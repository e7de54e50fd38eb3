//! What the transport, its listener and its connections have in common: one
//! Iroh endpoint, the list of peers and the limits. Owns the endpoint's end.
//!
//! ```text
//!  IrohTransport ─┐
//!  IrohListener ──┼─► Host ─► Endpoint ◄── door (a task; ends with the endpoint),
//!  Shared (1 per ─┘             ▲           or the caller's Router and our protocol
//!  connection)      close() takes the endpoint out, so that whoever is left
//!                   holds a host, but no socket
//! ```

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use actor_cluster::id::NodeId;
use actor_cluster::transport::net::{Admission, AdmissionLimits};
use actor_cluster::transport::{CloseCode, CloseReason, TransportError};
use iroh::endpoint::QuicTransportConfig;
use iroh::{Endpoint, RelayMap};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::allow_list::AllowList;
use crate::door::Door;
use crate::error;
use crate::identity;
use crate::limits::{CLOSE_DEADLINE, LINGER, PORT_DEADLINE};
use crate::registry::Registry;

/// How long to wait before the next look at a port.
const PORT_RETRY: Duration = Duration::from_millis(1);

/// Whose an endpoint is.
#[derive(Clone, Debug)]
pub(crate) enum Ownership {
    /// This transport has bound it: it answers whoever comes, and closes it in the end.
    Ours {
        /// The relays that it uses; no others are dialled.
        relays: RelayMap,
    },
    /// The caller has, who also accepts on it and closes it. Its connections are set up for whatever else it
    /// serves, so ours are told how when they are dialled.
    Callers {
        /// The settings of connections that are dialled.
        quic: QuicTransportConfig,
    },
}

/// One endpoint and everything about it.
pub(crate) struct Host {
    pub(crate) node: NodeId,
    pub(crate) limits: AdmissionLimits,
    pub(crate) ownership: Ownership,
    pub(crate) peers: AllowList,
    pub(crate) registry: Registry,
    pub(crate) door: Door,
    /// Places for those who come in.
    pub(crate) admission: Admission,
    /// What the endpoint is bound to.
    sockets: Vec<SocketAddr>,
    /// `None` once the transport is closed.
    endpoint: Mutex<Option<Endpoint>>,
    door_task: Mutex<Option<JoinHandle<()>>>,
    closing: AtomicBool,
    /// How many connections kept the socket when the transport closed, once it
    /// has.
    closed: watch::Sender<Option<usize>>,
    runtime: Handle,
}

impl Host {
    /// Works on an endpoint, and sets its door task going if it is ours. Must be called on a
    /// tokio runtime.
    pub(crate) fn start(
        endpoint: Endpoint,
        ownership: Ownership,
        limits: AdmissionLimits,
        peers: AllowList,
    ) -> Arc<Self> {
        let host = Arc::new(Self {
            node: identity::node_id(endpoint.id()),
            ownership,
            peers,
            registry: Registry::default(),
            door: Door::default(),
            admission: Admission::new(&limits),
            limits,
            sockets: endpoint.bound_sockets(),
            endpoint: Mutex::new(Some(endpoint.clone())),
            door_task: Mutex::new(None),
            closing: AtomicBool::new(false),
            closed: watch::Sender::new(None),
            runtime: Handle::current(),
        });
        host.peers.govern(&host);
        if host.is_ours() {
            let task = host.runtime.spawn(crate::door::keep(endpoint, Arc::downgrade(&host)));
            *lock(&host.door_task) = Some(task);
        }
        host
    }

    fn is_ours(&self) -> bool {
        matches!(self.ownership, Ownership::Ours { .. })
    }

    /// The endpoint.
    ///
    /// # Errors
    ///
    /// [`TransportError::Closed`] once the transport is closed.
    pub(crate) fn endpoint(&self) -> Result<Endpoint, TransportError> {
        lock(&self.endpoint).clone().ok_or_else(error::transport_closed)
    }

    /// Runs a task on the runtime the endpoint lives on.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.runtime.spawn(task);
    }

    /// Closes the transport, once, and waits until it is closed. Giving up the
    /// wait does not give up closing.
    ///
    /// # Errors
    ///
    /// [`TransportError::Io`] where connections are still held after
    /// [`CLOSE_DEADLINE`].
    pub(crate) async fn close(self: &Arc<Self>) -> Result<(), TransportError> {
        if !self.closing.swap(true, Ordering::AcqRel) {
            self.spawn(shut(self.clone()));
        }
        let mut closed = self.closed.subscribe();
        // The sender is in `self`, so the wait cannot end for want of one.
        let held = closed.wait_for(Option::is_some).await.map_or(0, |held| held.unwrap_or(0));
        if held == 0 {
            return Ok(());
        }
        let detail = format!("{held} connections are still held, and the socket with them");
        Err(TransportError::Io(io::Error::new(io::ErrorKind::TimedOut, detail)))
    }
}

impl Drop for Host {
    /// Nobody is left to close the endpoint: peers shall hear of it all the same.
    fn drop(&mut self) {
        let endpoint = lock(&self.endpoint).take();
        if let Some(endpoint) = endpoint.filter(|_| self.is_ours()) {
            self.runtime.spawn(async move { endpoint.close().await });
        }
    }
}

/// Ends the endpoint and everything on it, in the order in which peers and
/// callers lose least.
async fn shut(host: Arc<Host>) {
    // From here on nobody is let in or dialled.
    let endpoint = lock(&host.endpoint).take();
    host.door.shut();
    // Streams that were dropped deliver what was written to them.
    let _ = timeout(LINGER, host.registry.lingering.emptied()).await;
    // Iroh would close connections without a reason.
    host.registry.close_all(&CloseReason::new(CloseCode::Shutdown, "the transport is closed"));
    if let Some(endpoint) = endpoint.as_ref().filter(|_| host.is_ours()) {
        endpoint.close().await;
    }
    let door_task = lock(&host.door_task).take();
    if let Some(task) = door_task
        && let Err(failure) = task.await
    {
        tracing::error!(%failure, "the task that answers incoming connections failed");
    }
    // Every connection holds the sockets, as the endpoint does.
    let held = match timeout(CLOSE_DEADLINE, host.registry.held.emptied()).await {
        Ok(()) => 0,
        Err(_) => host.registry.held.count(),
    };
    drop(endpoint);
    if host.is_ours() && held == 0 && timeout(PORT_DEADLINE, ports_are_free(&host.sockets)).await.is_err() {
        tracing::debug!(sockets = ?host.sockets, "somebody else holds a port, or a clone of the endpoint");
    }
    host.closed.send_replace(Some(held));
}

/// Comes back once nobody has the ports any more.
///
/// Iroh has its sockets closed by the runtime's pool of blocking threads, and
/// its own tasks may be the last to let go of them. Nothing tells when that has
/// happened, so there is only trying.
async fn ports_are_free(sockets: &[SocketAddr]) {
    let is_taken = |socket: &SocketAddr| {
        UdpSocket::bind(socket).is_err_and(|error| error.kind() == io::ErrorKind::AddrInUse)
    };
    while sockets.iter().any(is_taken) {
        sleep(PORT_RETRY).await;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
