//! Where sockets are made: in the network of this process, or in that of a [`Lab`](super::Lab)'s space. A socket stays in the network
//! that it was made in, whoever uses it.
//!
//! ```text
//!  a relay, here ── makes me a socket ─► Space ─► a thread that has entered the network namespace
//!        ▲──────────────── the socket ────────────┘
//! ```

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::mpsc;

use tokio::net::{TcpListener, TcpSocket, TcpStream, UdpSocket};

/// A network that sockets can be made in. Clones are the same one.
#[derive(Clone, Debug)]
pub struct Space(Option<mpsc::Sender<Job>>);

/// What the thread of a space does.
type Job = Box<dyn FnOnce() + Send>;

impl Space {
    /// This process's own network.
    pub const fn here() -> Self {
        Self(None)
    }

    /// The network namespace that `ip netns` knows by this name. A thread lives in it, for as long as this value and its clones
    /// do.
    #[cfg(target_os = "linux")]
    pub(super) fn named(name: &str) -> io::Result<Self> {
        use std::fs::File;
        use std::os::fd::AsFd;
        use std::thread;

        use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

        let space = File::open(format!("/run/netns/{name}"))?;
        let (jobs, todo) = mpsc::channel::<Job>();
        let (entered, has_entered) = mpsc::sync_channel(1);
        thread::Builder::new().name(name.to_owned()).spawn(move || {
            let is_in = move_into_link_name_space(space.as_fd(), Some(LinkNameSpaceType::Network));
            let goes_on = is_in.is_ok();
            // Whoever waits for it is still there: see below.
            _ = entered.send(is_in);
            if goes_on {
                todo.into_iter().for_each(|job| job());
            }
        })?;
        has_entered.recv().map_err(|_| gone())??;
        Ok(Self(Some(jobs)))
    }

    #[cfg(not(target_os = "linux"))]
    pub(super) fn named(_: &str) -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Does something there, for which the caller waits: it takes microseconds.
    fn make<T: Send + 'static>(
        &self,
        make: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let Some(jobs) = &self.0 else { return make() };
        let (done, made) = mpsc::sync_channel(1);
        // Whoever waits for it is still there.
        let job = move || drop(done.send(make()));
        jobs.send(Box::new(job)).map_err(|_| gone())?;
        made.recv().map_err(|_| gone())?
    }

    pub(super) fn listen(&self, at: SocketAddr) -> io::Result<TcpListener> {
        let listener = self.make(move || std::net::TcpListener::bind(at))?;
        listener.set_nonblocking(true)?;
        TcpListener::from_std(listener)
    }

    pub(super) async fn connect(&self, to: SocketAddr) -> io::Result<TcpStream> {
        let socket =
            self.make(move || if to.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() })?;
        socket.connect(to).await
    }

    pub(super) fn bind(&self, at: SocketAddr) -> io::Result<UdpSocket> {
        let socket = self.make(move || std::net::UdpSocket::bind(at))?;
        socket.set_nonblocking(true)?;
        UdpSocket::from_std(socket)
    }

    /// A socket of any port, from which that can be reached.
    pub(super) fn bind_towards(&self, target: SocketAddr) -> io::Result<UdpSocket> {
        self.bind(match target {
            SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
            SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
        })
    }
}

fn gone() -> io::Error {
    io::Error::other("the thread of the network namespace has ended")
}
