//! Two nodes that cannot reach each other meet by way of a relay, and go on directly once they can: nothing is
//! lost, and nobody who calls hears of it.
//!
//! ```text
//!  guest ──────── relay: passes on no packet of theirs ──────── host
//!    └───────────── a wire, dead at first, then not ──────────────┘
//! ```
//!
//! The relay speaks TLS, as it does in earnest, with a certificate that the test makes and that both nodes are told
//! to believe: so what a relay of one's own takes is tried, too, and QUIC address discovery, which needs it.

use std::env;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use actor_cluster::transport::Address;
use actor_cluster::{Mode, NodeEvent, NodeServer, NodeSession, RemoteMessage};
use actor_core::{Actor, ActorError, ActorRef, ActorSystem, ReplyPort, SpawnOptions};
use iroh_relay::server::{CertConfig, QuicConfig, RelayConfig, Server, ServerConfig, TlsConfig};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::time::{sleep, timeout};
use transport_iroh::iroh::RelayMap;
use transport_iroh::iroh::tls::CaTlsConfig;
use transport_iroh::{IrohTransport, Reach, SCHEME, node_id_of};

use crate::lab::{self, Lab, Player};

const TEST: &str = "relayed::b14_nodes_meet_by_a_relay_and_go_on_directly_and_back";

/// Long enough that only a hang reaches it.
const HANG: Duration = Duration::from_secs(55);

/// The relay's own address, which is on none of its wires.
const RELAY: Ipv4Addr = Ipv4Addr::new(10, 77, 9, 9);
const RELAY_PORT: u16 = 4443;

const CERTIFICATE: &str = "ACTOR_TEST_CERTIFICATE";
const KEY: &str = "ACTOR_TEST_KEY";

/// Nobody else can reach their network.
const HOST_KEY: [u8; 32] = [1; 32];
const GUEST_KEY: [u8; 32] = [2; 32];

/// How many calls are answered on each path, at least.
const CALLS_PER_PATH: u64 = 500;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b14_nodes_meet_by_a_relay_and_go_on_directly_and_back() {
    match lab::part().as_deref() {
        Some("relay") => relay().await,
        Some("host") => host().await,
        Some("guest") => guest().await,
        Some(other) => panic!("there is no part {other}"),
        None => timeout(HANG, direct()).await.expect("the test hangs"),
    }
}

/// The test itself.
async fn direct() {
    let Some(lab) = network() else { return };
    let signed = rcgen::generate_simple_self_signed([RELAY.to_string()]).unwrap();
    let certificate = hex(signed.cert.der());
    let key = hex(&signed.signing_key.serialize_der());
    let told = [(CERTIFICATE, &*certificate), (KEY, &*key)];
    let mut relay = Player::start(&lab, "relay", TEST, "relay", &told);
    relay.says_sometime("ready").await;
    let mut host = Player::start(&lab, "host", TEST, "host", &told[..1]);
    host.says_sometime("ready").await;
    let mut guest = Player::start(&lab, "guest", TEST, "guest", &told[..1]);

    let by_relay = format!("by way of https://{RELAY}:{RELAY_PORT}/");
    assert_eq!(guest.says_sometime("route").await, by_relay);
    calls(&mut guest).await;
    assert_eq!(guest.says_sometime("told").await, "1 route", "there is no other way yet");

    lab.switch_on("guest", "direct", "10.77.3.1/24").unwrap();
    lab.switch_on("host", "direct", "10.77.3.2/24").unwrap();
    let route = guest.says_sometime("route").await;
    assert!(route.starts_with("10.77.3.2:"), "{route}");
    calls(&mut guest).await;

    // The way back is the relay again.
    lab.ip(&format!("-n {} link set direct down", lab.name("guest"))).unwrap();
    assert_eq!(guest.says_sometime("route").await, by_relay);
    calls(&mut guest).await;

    guest.tell("end").await;
    let sent = guest.says_sometime("answered").await;
    host.tell("end").await;
    assert_eq!(host.says_sometime("took").await, format!("{sent}, 0 out of order"));
    assert_eq!(host.says_sometime("sessions").await, "1, never interrupted");
}

/// Waits for so many more calls to be answered.
async fn calls(guest: &mut Player) {
    guest.tell("calls").await;
    guest.says_sometime("calls").await;
}

/// Two nodes with a relay between them, which forwards nothing; and a wire that is not switched on.
fn network() -> Option<Lab> {
    let lab = lab::or_skip(Lab::new(&["relay", "host", "guest"]))?;
    lab.sh("relay", "echo 0 > /proc/sys/net/ipv4/ip_forward").unwrap();
    lab.ip(&format!("-n {} addr add {RELAY}/32 dev lo", lab.name("relay"))).unwrap();
    for (number, space) in [(1, "guest"), (2, "host")] {
        lab.wire((space, "wire"), ("relay", space)).unwrap();
        lab.switch_on("relay", space, &format!("10.77.{number}.1/24")).unwrap();
        lab.switch_on(space, "wire", &format!("10.77.{number}.2/24")).unwrap();
        lab.default_route(space, &format!("10.77.{number}.1")).unwrap();
    }
    lab.wire(("guest", "direct"), ("host", "direct")).unwrap();
    Some(lab)
}

async fn relay() {
    let certificate = CertificateDer::from(unhex(&env::var(CERTIFICATE).unwrap()));
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(unhex(&env::var(KEY).unwrap())));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let server_config = tls.unwrap().with_no_client_auth().with_single_cert(vec![certificate], key).unwrap();

    let anywhere = IpAddr::from(Ipv4Addr::UNSPECIFIED);
    let mut relay = RelayConfig::new((anywhere, 8080));
    relay.tls = Some(TlsConfig::new((anywhere, RELAY_PORT), CertConfig::Manual { server_config }));
    let mut config = ServerConfig::default();
    config.relay = Some(relay);
    config.quic = Some(QuicConfig::new((anywhere, iroh_relay::defaults::DEFAULT_RELAY_QUIC_PORT)));
    let _server = Server::spawn(config).await.unwrap();
    lab::tell("ready");
    std::future::pending::<()>().await;
}

async fn host() {
    let (server, system) = node(HOST_KEY, GUEST_KEY).await;
    let tally = system.spawn(Tally, (), SpawnOptions::new()).await.unwrap();
    server.publish("tally", &tally).unwrap();
    let mut events = server.subscribe();
    lab::tell("ready");
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    lines.next_line().await.unwrap();
    let (numbers, out_of_order) = tally.call(Say::Sum).await.unwrap();
    lab::tell(&format!("took {numbers}, {out_of_order} out of order"));
    let mut interruptions = 0;
    while let Some(Some(event)) = poll_once(events.next()).await {
        interruptions += usize::from(matches!(event, NodeEvent::Interrupted { .. }));
    }
    let never = if interruptions == 0 { "never interrupted".to_owned() } else { interruptions.to_string() };
    lab::tell(&format!("sessions {}, {never}", server.sessions().len()));
    std::future::pending::<()>().await;
}

/// What is there already.
async fn poll_once<T>(future: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        biased;
        output = future => Some(output),
        () = std::future::ready(()) => None,
    }
}

async fn guest() {
    let (server, _system) = node(GUEST_KEY, HOST_KEY).await;
    let place = format!("{}@https://{RELAY}:{RELAY_PORT}/", node_id_of(&HOST_KEY));
    let session = server.connect(&Address::new(SCHEME, &place).unwrap()).await.unwrap();
    let tally = server.find::<Say>("tally").unwrap();
    let answered = Arc::new(AtomicU64::new(0));
    let is_over = Arc::new(AtomicBool::new(false));
    let calling = tokio::spawn(call(tally, answered.clone(), is_over.clone()));
    let routes = Arc::new(AtomicU64::new(0));
    tokio::spawn(tell_routes(session, routes.clone()));

    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Some(line) = lines.next_line().await.unwrap() {
        if line == "end" {
            break;
        }
        let target = answered.load(Ordering::Relaxed) + CALLS_PER_PATH;
        while answered.load(Ordering::Relaxed) < target {
            assert!(!calling.is_finished(), "a call went wrong");
            tokio::task::yield_now().await;
        }
        lab::tell("calls");
        lab::tell(&format!("told {} route", routes.load(Ordering::Relaxed)));
    }
    is_over.store(true, Ordering::Relaxed);
    calling.await.unwrap();
    lab::tell(&format!("answered {}", answered.load(Ordering::Relaxed)));
    std::future::pending::<()>().await;
}

/// One call after the other, each of which must be answered.
async fn call(tally: ActorRef<Say>, answered: Arc<AtomicU64>, is_over: Arc<AtomicBool>) {
    while !is_over.load(Ordering::Relaxed) {
        let number = answered.load(Ordering::Relaxed);
        assert_eq!(tally.call(|port| Say::Next(number, port)).await.unwrap(), number);
        answered.store(number + 1, Ordering::Relaxed);
    }
}

/// Tells of each route that the session takes, whenever it is another.
async fn tell_routes(session: NodeSession, routes: Arc<AtomicU64>) {
    let mut former = None;
    loop {
        let streams = session.streams().await;
        assert_eq!(streams.len(), 4, "one for each kind of lane: {streams:?}");
        let mut paths = streams.iter().filter_map(|stream| stream.path.as_ref());
        let path = paths.next().expect("a path");
        assert!(path.bytes_sent >= path.bytes_lost && path.round_trip.is_some(), "{path:?}");
        if former.as_ref() != Some(&path.route) {
            routes.fetch_add(1, Ordering::Relaxed);
            lab::tell(&format!("route {}", path.route));
            former = Some(path.route.clone());
        }
        sleep(Duration::from_millis(20)).await; // sleep: the seam tells of a path when it is asked
    }
}

/// A node that knows one other, and reaches it directly or by the relay.
async fn node(secret_key: [u8; 32], peer: [u8; 32]) -> (NodeServer, ActorSystem) {
    let relays = RelayMap::try_from_iter([&*format!("https://{RELAY}:{RELAY_PORT}")]).unwrap();
    let certificate = CertificateDer::from(unhex(&env::var(CERTIFICATE).unwrap()));
    let reach =
        Reach::direct().with_relays(relays).with_authorities(CaTlsConfig::custom_roots([certificate]));
    let builder = IrohTransport::builder().secret_key(secret_key).reach(reach);
    let anywhere = (Ipv4Addr::UNSPECIFIED, 0).into();
    let transport = builder.bind_addr(anywhere).allow([node_id_of(&peer)]).bind().await.unwrap();
    // Until it is at the relay, nobody reaches it there.
    timeout(HANG, transport.endpoint().unwrap().online()).await.expect("the relay is there");
    let system = ActorSystem::new();
    let builder = NodeServer::builder(transport.node_id()).system(system.clone()).mode(Mode::Isolated);
    (builder.transport(transport).start().await.unwrap(), system)
}

#[derive(Debug, RemoteMessage)]
enum Say {
    /// The next number of those that are counted from 0.
    #[rpc]
    Next(u64, ReplyPort<u64>),
    /// How many numbers came, and how many of them were not the next.
    #[rpc]
    Sum(ReplyPort<(u64, u64)>),
}

struct Tally;

impl Actor for Tally {
    type Msg = Say;
    type State = (u64, u64);
    type Arguments = ();

    async fn pre_start(&self, _: &ActorRef<Say>, (): ()) -> Result<Self::State, ActorError> {
        Ok((0, 0))
    }

    async fn handle(
        &self,
        _: &ActorRef<Say>,
        say: Say,
        (numbers, out_of_order): &mut Self::State,
    ) -> Result<(), ActorError> {
        match say {
            Say::Next(number, port) => {
                *out_of_order += u64::from(number != *numbers);
                *numbers += 1;
                _ = port.send(number);
            }
            Say::Sum(port) => _ = port.send((*numbers, *out_of_order)),
        }
        Ok(())
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<char> = text.chars().collect();
    let bytes =
        digits.chunks(2).map(|pair| u8::from_str_radix(&pair.iter().collect::<String>(), 16).unwrap());
    bytes.collect()
}
