//! What stands between two nodes and passes on what they say, for as long as the test likes.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::task::AbortHandle;

/// Passes bytes on between whoever connects and a port of this machine.
pub(crate) struct Relay {
    pub(crate) address: SocketAddr,
    target: SocketAddr,
    connections: Arc<Mutex<Vec<AbortHandle>>>,
    listening: AbortHandle,
}

impl Relay {
    pub(crate) async fn to(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::on(listener, target)
    }

    fn on(listener: TcpListener, target: SocketAddr) -> Self {
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
        Self { address, target, connections, listening: listening.abort_handle() }
    }

    /// Cuts every connection, and refuses others from here on.
    pub(crate) async fn shut(&mut self) {
        self.listening.abort();
        self.cut();
        // The listener is gone when nobody can connect any more.
        while TcpStream::connect(self.address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    }

    /// Lets others through again.
    pub(crate) async fn open(&mut self) {
        *self = Self::on(TcpListener::bind(self.address).await.unwrap(), self.target);
    }

    /// Cuts every connection in the middle of whatever it carries; how many there were.
    pub(crate) fn cut(&self) -> usize {
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

/// Passes datagrams on between whoever sends any and a port of this machine.
pub(crate) struct Datagrams {
    pub(crate) address: SocketAddr,
    is_silent: Arc<AtomicBool>,
    passing: AbortHandle,
}

impl Datagrams {
    pub(crate) async fn to(target: SocketAddr) -> Self {
        let near = Arc::new(UdpSocket::bind("127.0.0.1:0").await.unwrap());
        let address = near.local_addr().unwrap();
        let is_silent = Arc::<AtomicBool>::default();
        let passing = tokio::spawn(pass_on(near, target, is_silent.clone())).abort_handle();
        Self { address, is_silent, passing }
    }

    /// Swallows everything from here on.
    pub(crate) fn silence(&self) {
        self.is_silent.store(true, Ordering::Relaxed);
    }

    /// Passes on what comes from here on.
    pub(crate) fn speak(&self) {
        self.is_silent.store(false, Ordering::Relaxed);
    }
}

impl Drop for Datagrams {
    fn drop(&mut self) {
        self.silence();
        self.passing.abort();
    }
}

/// Each who sends has a socket of its own towards the target, so that answers find back.
async fn pass_on(near: Arc<UdpSocket>, target: SocketAddr, is_silent: Arc<AtomicBool>) {
    let mut sockets: BTreeMap<SocketAddr, Arc<UdpSocket>> = BTreeMap::new();
    let mut datagram = vec![0; 1 << 16];
    loop {
        // Linux tells of ports that are gone by an error of the next receive.
        let Ok((bytes, from)) = near.recv_from(&mut datagram).await else { continue };
        if is_silent.load(Ordering::Relaxed) {
            continue;
        }
        let far = match sockets.get(&from) {
            Some(far) => far.clone(),
            None => {
                let far = Arc::new(UdpSocket::bind("127.0.0.1:0").await.unwrap());
                far.connect(target).await.unwrap();
                tokio::spawn(pass_back(far.clone(), near.clone(), from, is_silent.clone()));
                sockets.insert(from, far.clone());
                far
            }
        };
        drop(far.send(&datagram[..bytes]).await);
    }
}

/// For as long as the test's runtime lives.
async fn pass_back(far: Arc<UdpSocket>, near: Arc<UdpSocket>, to: SocketAddr, is_silent: Arc<AtomicBool>) {
    let mut datagram = vec![0; 1 << 16];
    loop {
        let Ok(bytes) = far.recv(&mut datagram).await else { continue };
        if !is_silent.load(Ordering::Relaxed) {
            drop(near.send_to(&datagram[..bytes], to).await);
        }
    }
}
