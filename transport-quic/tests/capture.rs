//! What somebody sees who sits between two nodes.

use actor_cluster::transport::{LaneSet, Transport};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use transport_quic::DevCa;

use crate::wire::Wire;
use crate::world::{Ends, Host, guarded, node_of};

const PAYLOAD: &[u8] = b"the fleet sails at dawn";

#[tokio::test]
async fn b08_a_capture_of_quic_shows_no_plaintext_payload() {
    let ca = DevCa::new().unwrap();
    let (dialler, mut host) = (node_of(&ca, "dialler"), Host::start(&node_of(&ca, "host")).await);
    let (wire, cut) = Wire::to(&[&host.address]).await;
    let meeting = async { tokio::join!(dialler.dial(&wire.address), host.listener.accept()) };
    let (near, far) = guarded(meeting).await;
    let mut ends = Ends::open(near.unwrap(), far.unwrap(), LaneSet::DATA).await;
    let mut heard = vec![0; PAYLOAD.len()];
    ends.near.write_all(PAYLOAD).await.unwrap();
    guarded(ends.far.read_exact(&mut heard)).await.unwrap();
    assert_eq!(heard, PAYLOAD);
    ends.far.write_all(PAYLOAD).await.unwrap();
    guarded(ends.near.read_exact(&mut heard)).await.unwrap();

    let captured = wire.captured(cut).await;
    assert!(captured.len() > 2 * 1200, "both have said something");
    let shows = |words: &[u8]| captured.windows(words.len()).any(|window| window == words);
    assert!(!shows(PAYLOAD));
    // Names and certificates are encrypted as well.
    assert!(!shows(b"dialler"));
}
