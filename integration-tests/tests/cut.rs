//! Two processes, TLS between them, and a relay in the way that cuts every connection, again
//! and again: nothing is lost, repeated or overtaken, and nobody who calls hears of it.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actor_cluster::testing::is_full;
use actor_cluster::transport::TransportError;
use actor_cluster::{Mode, NodeEvent, NodeServer, StartError};
use actor_core::{ActorRef, ActorSystem};
use integration_tests::echo::Say;
use integration_tests::{Authority, NodeKeys, NodeProcess, Way};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;

use crate::support::{Member, guarded_for};

/// So many cuts; the whole number in the long form of the tests.
fn cuts() -> usize {
    if is_full() { 1000 } else { 60 }
}

/// The long form takes a minute or two.
const HANG: Duration = Duration::from_secs(300);

const SENDERS: u32 = 8;

/// How many messages get through between two cuts, at least: some hundred more are under way
/// whenever there is a cut.
const MESSAGES_PER_CUT: u64 = 1000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b12_a_connection_cut_again_and_again_under_load_loses_nothing() {
    guarded_for(HANG, async {
        let authority = Authority::new().unwrap();
        let host_keys = authority.keys("host", &[Way::Tcp]).unwrap();
        let guest = authority.keys("guest", &[Way::Tcp]).unwrap();
        let (mut host, relay) = behind_a_relay(&host_keys).await;
        let invitation = host.invitation(&guest, Way::Tcp);
        let program = Path::new(env!("CARGO_BIN_EXE_echo-node"));
        let _process = NodeProcess::start(program, [""; 0], &invitation).await.unwrap();
        host.ready(guest.node).await;
        let echo = host.echo_of(guest.node).unwrap();

        let load = Arc::new(Load::default());
        let senders: Vec<_> =
            (0..SENDERS).map(|sender| tokio::spawn(send(echo.clone(), sender, load.clone()))).collect();
        for cut in 1..=cuts() {
            load.passes(MESSAGES_PER_CUT).await;
            assert_eq!(relay.cut(), 1, "nothing goes another way, cut {cut}");
            host.resumed().await;
        }
        load.is_over.store(true, Ordering::Relaxed);
        let mut sent = 0;
        for sender in senders {
            sent += sender.await.unwrap();
        }
        assert_eq!(echo.call(Say::Tally).await.unwrap(), (sent, 0), "all of them, each in its turn");
        host.shutdown().await;
    })
    .await;
}

/// What the senders have got rid of, and whether it is enough.
#[derive(Default)]
struct Load {
    sent: AtomicU64,
    is_over: AtomicBool,
}

impl Load {
    /// Waits until so many more messages were sent.
    async fn passes(&self, messages: u64) {
        let target = self.sent.load(Ordering::Relaxed) + messages;
        while self.sent.load(Ordering::Relaxed) < target {
            tokio::task::yield_now().await;
        }
    }
}

/// Sends numbers until it is told that it is enough; how many.
async fn send(echo: ActorRef<Say>, sender: u32, load: Arc<Load>) -> u64 {
    let mut number = 0;
    while !load.is_over.load(Ordering::Relaxed) {
        if number % 16 == 0 {
            let answer = echo.call(|port| Say::AskNext(sender, number, port)).await;
            assert_eq!(answer.unwrap(), number, "a call is answered, whatever is cut");
        } else {
            echo.send(Say::Next(sender, number)).await.unwrap();
        }
        number += 1;
        load.sent.fetch_add(1, Ordering::Relaxed);
    }
    number
}

/// A node that others reach through a relay alone: it is all that it tells them of.
async fn behind_a_relay(keys: &NodeKeys) -> (Member, Relay) {
    loop {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let relay = Relay::to(free).await;
        let transport = keys.tcp().unwrap().listen(free).advertise(relay.address.to_string());
        let system = ActorSystem::new();
        let builder = NodeServer::builder(keys.node).system(system.clone()).mode(Mode::Isolated);
        match builder.transport(transport.build().unwrap()).start().await {
            Ok(server) => return (Member::of(server.into(), &system).await, relay),
            // Somebody else was faster.
            Err(StartError::Transport(TransportError::Bind { .. })) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

/// Passes bytes on between whoever connects and a port of this machine.
struct Relay {
    address: SocketAddr,
    connections: Arc<Mutex<Vec<AbortHandle>>>,
    listening: AbortHandle,
}

impl Relay {
    async fn to(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let connections: Arc<Mutex<Vec<AbortHandle>>> = Arc::default();
        let known = connections.clone();
        let listening = tokio::spawn(async move {
            loop {
                let (mut near, _) = listener.accept().await.unwrap();
                let passing = tokio::spawn(async move {
                    let Ok(mut far) = TcpStream::connect(target).await else { return };
                    // However it ends, both ends are closed.
                    drop(copy_bidirectional(&mut near, &mut far).await);
                });
                known.lock().unwrap().push(passing.abort_handle());
            }
        });
        Self { address, connections, listening: listening.abort_handle() }
    }

    /// Cuts every connection in the middle of whatever it carries; how many there were.
    fn cut(&self) -> usize {
        let connections = std::mem::take(&mut *self.connections.lock().unwrap());
        connections.iter().filter(|connection| !connection.is_finished()).map(AbortHandle::abort).count()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.listening.abort();
        self.cut();
    }
}

impl Member {
    /// Waits until the session has lost its connection and has another.
    async fn resumed(&mut self) {
        let mut was_interrupted = false;
        loop {
            let event = self.events.next().await.expect("the node lives");
            match event {
                NodeEvent::Interrupted { .. } => was_interrupted = true,
                NodeEvent::Resumed(_) => return assert!(was_interrupted),
                event => assert!(event.session_end().is_none(), "{event:?}"),
            }
        }
    }
}
