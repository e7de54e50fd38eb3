//! What is asked of the system for a socket. Must not live here: what goes through it.

use std::io;
use std::net::SocketAddr;

use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use tokio::net::{TcpListener, TcpStream};

use crate::limits::{BACKLOG, KEEP_ALIVE_IDLE, KEEP_ALIVE_INTERVAL, KEEP_ALIVE_PROBES};

/// Binds and listens. An IPv6 socket for all interfaces takes IPv4 connections too, whatever the system's
/// default.
pub(crate) fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(!address.ip().is_unspecified())?;
    }
    // A port is free for the next process although connections of the last one still fade. On Windows it would be
    // free while it is in use.
    #[cfg(not(windows))]
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// What every connection has.
pub(crate) fn tune(socket: &TcpStream) -> io::Result<()> {
    // Frames are written whole; waiting to fill a packet only delays them.
    socket.set_nodelay(true)?;
    // A peer that is gone without a word, while there is no session yet that would ask it.
    let keep_alive = TcpKeepalive::new().with_time(KEEP_ALIVE_IDLE);
    #[cfg(not(any(target_os = "openbsd", target_os = "redox", target_os = "solaris")))]
    let keep_alive = keep_alive.with_interval(KEEP_ALIVE_INTERVAL);
    #[cfg(not(any(target_os = "openbsd", target_os = "redox", target_os = "solaris", windows)))]
    let keep_alive = keep_alive.with_retries(KEEP_ALIVE_PROBES);
    SockRef::from(socket).set_tcp_keepalive(&keep_alive)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_socket_for_all_interfaces_is_for_both_families() {
        let Ok(listener) = listen("[::]:0".parse().unwrap()) else {
            // Some machines that build this have no IPv6.
            return;
        };
        let port = listener.local_addr().unwrap().port();
        for host in ["127.0.0.1", "[::1]"] {
            TcpStream::connect(format!("{host}:{port}")).await.unwrap();
            listener.accept().await.unwrap();
        }
        assert!(listen(listener.local_addr().unwrap()).is_err(), "the port is taken");
    }

    #[tokio::test]
    async fn connections_are_kept_alive_and_are_not_delayed() {
        let listener = listen("127.0.0.1:0".parse().unwrap()).unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        tune(&near).unwrap();
        let socket = SockRef::from(&near);
        assert!(near.nodelay().unwrap() && socket.keepalive().unwrap());
        #[cfg(target_os = "linux")]
        assert_eq!(
            (socket.tcp_keepalive_time().unwrap(), socket.tcp_keepalive_interval().unwrap()),
            (KEEP_ALIVE_IDLE, KEEP_ALIVE_INTERVAL)
        );
    }
}
