//! Somebody who sits between two nodes, passes their datagrams on, and may look where each is going.

use std::collections::HashMap;
use std::net::SocketAddr;

use actor_cluster::transport::Address;
use tokio::net::UdpSocket;
use tokio::task::JoinHandle;

use crate::world::{ANY_PORT, DATAGRAM_BYTES_MAX};

/// The length of the ids that quinn gives connections.
const ID_BYTES: usize = 8;

/// Passes one dialler's datagrams on to hosts: those of its first connection to the first host, those of the
/// second to the second.
pub(crate) struct Wire {
    /// Where to dial instead.
    pub(crate) address: Address,
    passing: JoinHandle<Passed>,
}

/// What has passed.
struct Passed {
    ear: UdpSocket,
    hosts: Vec<UdpSocket>,
    /// Which host a connection's id leads to.
    ids: HashMap<Vec<u8>, usize>,
    dialler: Option<SocketAddr>,
    datagrams: Vec<u8>,
    ends: tokio::sync::oneshot::Receiver<()>,
}

/// Ends the wire, and gives what has passed in both directions.
pub(crate) struct Cut(tokio::sync::oneshot::Sender<()>);

impl Wire {
    pub(crate) async fn to(hosts: &[&Address]) -> (Self, Cut) {
        let ear = UdpSocket::bind(ANY_PORT).await.unwrap();
        let address = Address::new("quic", &ear.local_addr().unwrap().to_string()).unwrap();
        let mut sockets = Vec::new();
        for host in hosts {
            let socket = UdpSocket::bind(ANY_PORT).await.unwrap();
            socket.connect(host.rest()).await.unwrap();
            sockets.push(socket);
        }
        let (cut, ends) = tokio::sync::oneshot::channel();
        let passed =
            Passed { ear, hosts: sockets, ids: HashMap::new(), dialler: None, datagrams: Vec::new(), ends };
        (Self { address, passing: tokio::spawn(passed.pass()) }, Cut(cut))
    }

    /// All bytes that have passed.
    pub(crate) async fn captured(self, cut: Cut) -> Vec<u8> {
        cut.0.send(()).unwrap();
        self.passing.await.unwrap().datagrams
    }
}

impl Passed {
    async fn pass(mut self) -> Self {
        loop {
            let (mut there, mut back) = (vec![0; DATAGRAM_BYTES_MAX], vec![0; DATAGRAM_BYTES_MAX]);
            tokio::select! {
                _ = &mut self.ends => return self,
                heard = self.ear.recv_from(&mut there) => {
                    let (bytes, from) = heard.unwrap();
                    self.dialler = Some(from);
                    self.forth(&there[..bytes]).await;
                }
                (host, bytes) = from_any(&self.hosts, &mut back) => self.back(host, &back[..bytes]).await,
            }
        }
    }

    async fn forth(&mut self, datagram: &[u8]) {
        self.datagrams.extend_from_slice(datagram);
        let known = self.ids.len();
        // Those that a host has not named yet are new.
        let next = self.ids.values().max().map_or(0, |last| last + 1).min(self.hosts.len() - 1);
        let id = destination(datagram).to_vec();
        let host = *self.ids.entry(id).or_insert(next);
        assert!(self.ids.len() == known || is_long(datagram), "a connection that has not begun");
        // A host that is gone does not hear it.
        let _ = self.hosts[host].send(datagram).await;
    }

    async fn back(&mut self, host: usize, datagram: &[u8]) {
        self.datagrams.extend_from_slice(datagram);
        if is_long(datagram) {
            self.ids.insert(source(datagram).to_vec(), host);
        }
        if let Some(dialler) = self.dialler {
            self.ear.send_to(datagram, dialler).await.unwrap();
        }
    }
}

async fn from_any(hosts: &[UdpSocket], buffer: &mut [u8]) -> (usize, usize) {
    loop {
        let readable = hosts.iter().map(|host| Box::pin(host.readable()));
        let (_, host, _) = futures_util::future::select_all(readable).await;
        if let Ok(bytes) = hosts[host].try_recv(buffer) {
            return (host, bytes);
        }
    }
}

/// Whether a datagram begins with one of a handshake's packets, which name both ends (RFC 8999, section 5.1).
fn is_long(datagram: &[u8]) -> bool {
    datagram[0] & 0x80 != 0
}

fn destination(datagram: &[u8]) -> &[u8] {
    if !is_long(datagram) {
        return &datagram[1..1 + ID_BYTES];
    }
    &datagram[6..6 + usize::from(datagram[5])]
}

fn source(datagram: &[u8]) -> &[u8] {
    let at = 6 + usize::from(datagram[5]);
    &datagram[at + 1..at + 1 + usize::from(datagram[at])]
}
