//! A certificate that expires while its node has a session: the session goes on, and nobody gets another one with it.

use std::time::{Duration, SystemTime};

use actor_cluster::ConnectError;
use actor_cluster::transport::TransportError;
use integration_tests::{Authority, Way};
use transport_tcp::tls::dev_ca::DevCertificate;

use crate::support::{Member, guarded};

/// How long it is valid. Certificates count in seconds.
const VALID: Duration = Duration::from_secs(2);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b08_a_certificate_that_expires_ends_no_session_and_begins_none() {
    // At once: what they wait for is the wall's clock.
    guarded(async { tokio::join!(expires(Way::Tcp), expires(Way::Quic)) }).await;
}

async fn expires(way: Way) {
    let authority = Authority::new().unwrap();
    let now = SystemTime::now();
    let hour = Duration::from_secs(3600);
    let brief = DevCertificate { valid: now - hour..now + VALID, ..DevCertificate::default() };
    let host = Member::start(&authority.keys("host", &[way]).unwrap(), &[]).await;
    let guest = Member::start(&authority.keys_with("guest", &[way], brief).unwrap(), &[]).await;
    guest.connect(&host, way).await;
    guest.assert_hears(host.node().id()).await;
    let left = (now + VALID).duration_since(SystemTime::now()).unwrap_or_default();
    tokio::time::sleep(left + Duration::from_secs(1)).await; // sleep: certificates go by the wall's clock
    guest.assert_hears(host.node().id()).await;

    let other = Member::start(&authority.keys("other", &[way]).unwrap(), &[]).await;
    let address = guest.running.address(way).unwrap();
    let refused = other.node().connect_to(guest.node().id(), &address).await;
    match refused {
        Err(ConnectError::Transport(TransportError::Untrusted { .. })) => {}
        other => panic!("{way}: {other:?}"),
    }
    guest.assert_hears(host.node().id()).await;
    guest.shutdown().await;
    tokio::join!(host.shutdown(), other.shutdown());
}
