//! Where a transport over IP listens, what it tells others of that, and what is dialled where: written once as
//! tests that every transport over TLS runs. Must not live here: who gets in
//! ([`trust_suite`](mod@super::trust_suite)).
//!
//! A transport's tests implement [`Harness`] and mount the suite; each case becomes a `#[tokio::test]` of its own:
//!
//! ```ignore
//! mod listening {
//!     transport_tls::listening_suite!(super::MyHarness);
//! }
//! ```

use std::net::{SocketAddr, TcpListener, UdpSocket};

use actor_cluster::transport::{Address, Transport, TransportError};

use super::meeting::{ANY_PORT, Host, assert_config, guarded};
use super::trust_suite::Harness;
use crate::{DevCa, NodeCredentials, TlsContext};

/// Generates one `#[tokio::test]` for each case of the [suite](mod@crate::testing::listening_suite), run against a
/// [`Harness`](crate::testing::trust_suite::Harness).
#[macro_export]
macro_rules! listening_suite {
    ($harness:ty) => {
        $crate::listening_suite! { @cases $harness:
            addresses_tell_the_real_port_and_the_advertised_host,
            several_sockets_are_listened_on_and_several_hosts_advertised,
            all_sockets_are_listened_on_or_none,
            a_port_is_had_by_one,
            a_host_name_is_resolved,
            ipv6_addresses_stand_in_brackets,
            a_name_that_is_nobodys_is_unreachable,
            a_transport_may_only_dial,
            where_nobody_could_dial_is_refused_in_words,
        }
    };
    (@cases $harness:ty: $($case:ident),* $(,)?) => {
        $(
            #[tokio::test]
            async fn $case() {
                $crate::testing::listening_suite::$case::<$harness>().await;
            }
        )*
    };
}

/// All interfaces, which is nowhere that others could dial.
const EVERYWHERE: &str = "0.0.0.0:0";

/// Port 0 is told as the one that the system chose, whatever the host is called.
pub async fn addresses_tell_the_real_port_and_the_advertised_host<H: Harness>() {
    let nodes = Nodes::new();
    let host = Host::start(&*nodes.host::<H>(&[ANY_PORT], &[])).await;
    assert_ne!(socket_of(&host.address).port(), 0);

    let everywhere = [socket(EVERYWHERE)];
    let host = Host::start(&*nodes.host::<H>(&everywhere, &["localhost"])).await;
    let (name, port) = host.address.rest().split_once(':').expect("a host and a port");
    assert_eq!(name, "localhost");
    assert_ne!(port.parse::<u16>().expect("a port"), 0);

    let host = Host::start(&*nodes.host::<H>(&everywhere, &["[2001:db8::1]:7400"])).await;
    assert_eq!(host.address.rest(), "[2001:db8::1]:7400");
}

/// Each has its address, in the order in which they were given.
pub async fn several_sockets_are_listened_on_and_several_hosts_advertised<H: Harness>() {
    let (nodes, two) = (Nodes::new(), [ANY_PORT, socket("127.0.0.2:0")]);
    let dialler = nodes.dialler::<H>();
    let mut host = Host::start(&*nodes.host::<H>(&two, &[])).await;
    let addresses = host.listener.addresses();
    let [first, second] = &addresses[..] else { panic!("{addresses:?}") };
    assert_eq!([first, second].map(|address| socket_of(address).ip()), two.map(|socket| socket.ip()));
    for address in [second, first, second] {
        host.address = address.clone();
        host.connect(&*dialler).await.talk().await;
    }

    let advertised = Host::start(&*nodes.host::<H>(&two, &["localhost", "other.example:7400"])).await;
    let addresses = advertised.listener.addresses();
    let (name, port) = addresses[0].rest().rsplit_once(':').expect("a host and a port");
    assert_eq!(name, "localhost");
    assert_ne!(port.parse::<u16>().expect("a port"), 0);
    assert_eq!(addresses[1].rest(), "other.example:7400");
}

/// A second socket that is taken leaves nothing of the first.
pub async fn all_sockets_are_listened_on_or_none<H: Harness>() {
    let nodes = Nodes::new();
    let taken = Host::start(&*nodes.host::<H>(&[ANY_PORT], &[])).await;
    let free = free_socket();
    let error = nodes.host::<H>(&[free, socket_of(&taken.address)], &[]).listen().await.err();
    assert!(matches!(error, Some(TransportError::Bind { .. })));
    nodes.host::<H>(&[free], &[]).listen().await.expect("nothing is left there");
}

/// Whoever comes second is told which port it is.
pub async fn a_port_is_had_by_one<H: Harness>() {
    let nodes = Nodes::new();
    let host = Host::start(&*nodes.host::<H>(&[ANY_PORT], &[])).await;
    let second = nodes.host::<H>(&[socket_of(&host.address)], &[]);
    let error = second.listen().await.err().expect("the port is taken");
    assert!(matches!(error, TransportError::Bind { .. }), "{error}");
    assert!(error.to_string().contains(host.address.rest()), "{error}");
}

/// One that is resolved to several addresses is reached at whichever answers.
pub async fn a_host_name_is_resolved<H: Harness>() {
    let nodes = Nodes::new();
    let mut host = Host::start(&*nodes.host::<H>(&[ANY_PORT], &["localhost"])).await;
    host.connect(&*nodes.dialler::<H>()).await.talk().await;
}

/// In what is told and in what is dialled.
pub async fn ipv6_addresses_stand_in_brackets<H: Harness>() {
    let nodes = Nodes::new();
    let host = nodes.host::<H>(&[socket("[::1]:0")], &[]);
    let listener = match host.listen().await {
        Ok(listener) => listener,
        // Some machines that build this have no IPv6.
        Err(TransportError::Bind { .. }) => return,
        Err(error) => panic!("{error}"),
    };
    let address = listener.addresses().remove(0);
    assert!(address.rest().starts_with("[::1]:"), "{address}");
    Host { listener, address }.connect(&*nodes.dialler::<H>()).await.talk().await;
}

/// A name that no resolver knows is no fault of the address.
pub async fn a_name_that_is_nobodys_is_unreachable<H: Harness>() {
    let dialler = Nodes::new().dialler::<H>();
    // Reserved so that it never resolves (RFC 6761).
    let address = Address::new(dialler.scheme(), "nobody.invalid:7400").expect("an address");
    let error = guarded(dialler.dial(&address)).await.err().expect("there is no such name");
    assert!(matches!(error, TransportError::Unreachable { .. }), "{error}");
}

/// Without an address to listen on.
pub async fn a_transport_may_only_dial<H: Harness>() {
    let nodes = Nodes::new();
    let dialler = nodes.dialler::<H>();
    assert!(!dialler.is_listening());
    assert_config(&dialler.listen().await.err().expect("there is no address"), "no address to listen on");
    Host::start(&*nodes.host::<H>(&[ANY_PORT], &[])).await.connect(&*dialler).await.talk().await;
}

/// Before anything is bound.
pub async fn where_nobody_could_dial_is_refused_in_words<H: Harness>() {
    let nodes = Nodes::new();
    let everywhere = [socket(EVERYWHERE)];
    let everywhere_over_ipv6 = [socket("[::]:0")];
    let cases: [(&[SocketAddr], &[&str], &str); 4] = [
        (&everywhere, &[], "no address that others can dial"),
        (&everywhere_over_ipv6, &[], "no address that others can dial"),
        (&[ANY_PORT], &["a b"], "cannot advertise"),
        (&[], &["host"], "needs an address to listen on"),
    ];
    for (listen, advertise, detail) in cases {
        let built = H::build(&nodes.host, listen, advertise);
        assert_config(&built.err().unwrap_or_else(|| panic!("{detail}")), detail);
    }
}

/// A host and a dialler that believe each other.
struct Nodes {
    host: TlsContext,
    dialler: TlsContext,
}

impl Nodes {
    fn new() -> Self {
        let ca = DevCa::new().expect("an authority");
        let [host, dialler] = ["host", "dialler"].map(|name| context(&ca.node(name).expect("a certificate")));
        Self { host, dialler }
    }

    fn host<H: Harness>(&self, listen: &[SocketAddr], advertise: &[&str]) -> Box<dyn Transport> {
        H::build(&self.host, listen, advertise).expect("a transport")
    }

    fn dialler<H: Harness>(&self) -> Box<dyn Transport> {
        H::build(&self.dialler, &[], &[]).expect("a transport")
    }
}

fn context(node: &NodeCredentials) -> TlsContext {
    let (credentials, authorities) = (node.credentials(), node.authorities());
    TlsContext::new(credentials.expect("credentials"), authorities.expect("an authority")).expect("a context")
}

fn socket(text: &str) -> SocketAddr {
    text.parse().expect("an address and a port")
}

fn socket_of(address: &Address) -> SocketAddr {
    socket(address.rest())
}

/// A port that nobody has, of TCP or of UDP.
fn free_socket() -> SocketAddr {
    loop {
        let free = TcpListener::bind(ANY_PORT).and_then(|socket| socket.local_addr()).expect("a port");
        if UdpSocket::bind(free).is_ok() {
            return free;
        }
    }
}
