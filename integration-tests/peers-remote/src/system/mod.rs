//! What every system is asked to do, once, and who the systems are.
//!
//! ```text
//!  measure ── generic over ──► Client ◄── ours, ractor
//!  streams: what a bare stream can do ◄── tls, tcp, iroh, quic
//! ```
//!
//! An adapter uses its system as that system's documentation does. The receivers of all systems
//! do the same with a message: [`load::Receiver`](crate::load::Receiver).

use std::any::Any;

use actor_cluster::{NodeId, Wire};
use integration_tests::{Authority, NodeKeys, Way};
use tokio::runtime::Runtime;

use crate::far::{Far, PATIENCE, give_up_after};
use crate::flags::Task;
use crate::load::{Block, Tally};
use crate::measure::{self, Reading};
use crate::rows::{Form, Kind};

pub(crate) mod erlang;
mod iroh;
mod ours;
mod quic;
mod ractor;
mod streams;
mod tls;

/// The columns, in the order they are run.
pub(crate) const NAMES: &[&str] =
    &[OURS, PLAIN, RACTOR, ERLANG, TLS, TLS_BUFFERED, TCP, IROH_STREAM, QUIC_STREAM];

/// This project's, with mutual TLS 1.3 on TCP and QUIC and with Iroh's QUIC on Iroh.
pub(crate) const OURS: &str = "ours";
/// The same over TCP without TLS, to see what is TLS's.
pub(crate) const PLAIN: &str = "ours_plain";
const RACTOR: &str = "ractor";
pub(crate) const ERLANG: &str = "erlang";
/// A bare stream of tokio-rustls's.
const TLS: &str = "tls";
/// The same over a buffered reader.
const TLS_BUFFERED: &str = "tls_buffered";
const TCP: &str = "tcp";
const IROH_STREAM: &str = "iroh_stream";
/// A stream of quinn's.
const QUIC_STREAM: &str = "quic_stream";

/// What lies below.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    Tcp,
    Iroh,
    Quic,
}

impl Transport {
    pub(crate) const ALL: [Transport; 3] = [Transport::Tcp, Transport::Iroh, Transport::Quic];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Transport::Tcp => "tcp",
            Transport::Iroh => "iroh",
            Transport::Quic => "quic",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|transport| transport.name() == name)
    }

    fn way(self) -> Way {
        match self {
            Transport::Tcp => Way::Tcp,
            Transport::Iroh => Way::Iroh,
            Transport::Quic => Way::Quic,
        }
    }
}

/// Why a system has no figure in a form, if so.
pub(crate) fn why_left_out(system: &str, transport: Transport, form: &Form) -> Option<&'static str> {
    let is_bare = [TLS, TLS_BUFFERED, TCP, IROH_STREAM, QUIC_STREAM].contains(&system);
    let is_over = match system {
        OURS => true,
        IROH_STREAM => transport == Transport::Iroh,
        QUIC_STREAM => transport == Transport::Quic,
        _ => transport == Transport::Tcp,
    };
    if !is_over {
        return Some("not over this transport");
    }
    if is_bare && !form.kind.is_for_streams() {
        return Some("a bare stream has no messages");
    }
    match system {
        ERLANG => erlang::why_left_out(form),
        TLS_BUFFERED if matches!(form.kind, Kind::CountAsks(_)) => Some("as tls"),
        _ => None,
    }
}

/// One who sends to a receiver at the far end, and asks it. Whatever fails, panics.
pub(crate) trait Client: Clone + Send + Sync + 'static {
    /// Sends a payload, and waits for room as the system has it.
    fn tell(&mut self, bytes: Vec<u8>) -> impl Future<Output = ()> + Send;

    /// The same with a value that needs no allocation, if the system can do that.
    fn tell_fixed(&mut self, block: Block) -> impl Future<Output = ()> + Send;

    /// Asks the receiver.
    fn ask(&self, block: Block) -> impl Future<Output = Block> + Send;

    /// Asks another actor of the same node.
    fn ask_beside(&self, block: Block) -> impl Future<Output = Block> + Send;

    /// What the receiver has had when all is handled that was sent before.
    fn tally(&self) -> impl Future<Output = Tally> + Send;

    /// How long the session's last ping took, if it says so.
    fn ping(&self) -> Option<std::time::Duration> {
        None
    }
}

/// What the far end needs to be somebody.
#[derive(Clone, Wire)]
pub(crate) struct Papers {
    keys: NodeKeys,
    /// Who the near end is.
    near: NodeId,
    tls: tls::Certificate,
}

/// A far end that listens for as long as this lives.
pub(crate) struct Serving {
    pub(crate) address: String,
    _alive: Box<dyn Any>,
}

impl Serving {
    fn new(address: impl ToString, alive: impl Any) -> Self {
        Self { address: address.to_string(), _alive: Box::new(alive) }
    }
}

/// Starts the far end of a measurement.
pub(crate) async fn serve(task: &Task, papers: Papers) -> Result<Serving, String> {
    let served = match task.system {
        OURS | PLAIN => ours::serve(task, papers).await,
        RACTOR => ractor::serve(task).await,
        TLS | TLS_BUFFERED => tls::serve(task, &papers.tls).await,
        TCP => streams::serve_tcp(task).await,
        IROH_STREAM => iroh::serve(task).await,
        QUIC_STREAM => quic::serve(task, &papers.tls).await,
        other => Err(format!("{other} has processes of its own").into()),
    };
    served.map_err(|error| error.to_string())
}

/// One reading: this process is the near end.
pub(crate) fn measure(task: &Task) -> Result<Reading, String> {
    if let Some(why) = why_left_out(task.system, task.transport, task.form) {
        return Err(format!("{} does not run {}: {why}", task.system, task.form.name));
    }
    if task.system == ERLANG {
        return erlang::measure(task);
    }
    give_up_after(PATIENCE);
    let runtime = runtime(task.workers);
    let task = *task;
    let reading = runtime
        .block_on(runtime.spawn(async move { measure_as(&task).await.map_err(|error| error.to_string()) }));
    reading.map_err(|_| "the measurement panicked".to_owned())?
}

async fn measure_as(task: &Task) -> Result<Reading, Error> {
    let authority = Authority::new()?;
    let way = [task.transport.way()];
    let (near, far) = (authority.keys("near", &way)?, authority.keys("far", &way)?);
    let [near_tls, far_tls] = tls::pair()?;
    let host = far.node;
    let mut far = Far::start(task, &Papers { keys: far, near: near.node, tls: far_tls })?;
    let address = far.address.clone();
    match task.system {
        OURS | PLAIN => {
            let client = ours::dial(task, &near, host, &address).await?;
            Ok(measure::run(task, client, &mut far).await)
        }
        RACTOR => {
            let client = ractor::dial(task, &address).await?;
            Ok(measure::run(task, client, &mut far).await)
        }
        TLS | TLS_BUFFERED => streams::run(task, tls::dial(task, &near_tls, &address).await?, &mut far).await,
        TCP => streams::run(task, streams::dial_tcp(&address).await?, &mut far).await,
        IROH_STREAM => iroh::measure(task, &address, &mut far).await,
        QUIC_STREAM => quic::measure(task, &near_tls, &address, &mut far).await,
        other => Err(format!("{other} has processes of its own").into()),
    }
}

type Error = Box<dyn std::error::Error + Send + Sync>;

/// Of both ends, in every system.
pub(crate) fn runtime(workers: usize) -> Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(workers)
        .enable_all()
        .build()
        .expect("a runtime can be built")
}
