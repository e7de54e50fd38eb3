//! What only the inside of a connection can show.

use actor_cluster::transport::Listener;
use tokio::io::AsyncWriteExt;

use super::*;
use crate::listener::IrohListener;
use crate::transport::IrohTransport;
use crate::{dialer, generate_secret_key};

#[tokio::test]
async fn both_ends_of_a_stream_give_it_the_urgency_of_its_lanes() {
    let (dialler, host) = (node().await, node().await);
    let mut listener = IrohListener::open(host.host().clone()).unwrap();
    let address = listener.addresses().remove(0);
    let dialling = async { dialer::dial(dialler.host(), &address).await.unwrap() };
    let accepting = async { listener.next().await.unwrap().unwrap() };
    let (near, far) = tokio::join!(dialling, accepting);
    for lanes in STREAMS {
        let mut opened = near.open_stream(lanes).await.unwrap();
        opened.write_all(&[1]).await.unwrap();
        let accepted = far.accept_stream().await.unwrap();
        assert_eq!(opened.priority(), Some(lanes.priority()));
        assert_eq!(accepted.priority(), opened.priority());
        assert_eq!(accepted.channel_binding(), opened.channel_binding());
    }
}

async fn node() -> IrohTransport {
    let builder = IrohTransport::builder().secret_key(generate_secret_key());
    builder.loopback().allow_any().bind().await.unwrap()
}
