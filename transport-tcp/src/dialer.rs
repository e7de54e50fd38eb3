//! The dialling half: a name becomes a TCP connection. Must not live here: who
//! answered there (`handshake.rs`).

use std::io;
use std::net::{IpAddr, SocketAddr};

use rustls_pki_types::ServerName;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

use crate::address::{Host, HostPort};
use crate::limits::{CONNECT_ADDRESSES_MAX, CONNECT_DEADLINE};

/// Connects to the first of the host's IP addresses that answers, in the
/// resolver's order. The error is the last one's.
pub(crate) async fn connect(target: &HostPort) -> io::Result<TcpStream> {
    let mut outcome = Err(io::Error::new(io::ErrorKind::NotFound, "the name has no IP address"));
    for address in resolve(target).await?.into_iter().take(CONNECT_ADDRESSES_MAX) {
        outcome = connect_to(address).await;
        if outcome.is_ok() {
            break;
        }
    }
    outcome
}

/// The name a TLS client tells the server, so that a proxy can route by it. It
/// plays no part in whom we believe. A name TLS cannot carry, such as one that
/// ends in a dot, is left out by way of the IP address.
pub(crate) fn server_name(target: &HostPort, connected: IpAddr) -> ServerName<'static> {
    match &target.host {
        Host::Name(name) => {
            ServerName::try_from(name.clone()).unwrap_or_else(|_| ServerName::from(connected))
        }
        Host::Ip(ip) => ServerName::from(*ip),
    }
}

async fn resolve(target: &HostPort) -> io::Result<Vec<SocketAddr>> {
    match &target.host {
        Host::Ip(ip) => Ok(vec![SocketAddr::new(*ip, target.port)]),
        Host::Name(name) => Ok(lookup_host((name.as_str(), target.port)).await?.collect()),
    }
}

async fn connect_to(address: SocketAddr) -> io::Result<TcpStream> {
    let socket = timeout(CONNECT_DEADLINE, TcpStream::connect(address)).await??;
    // Frames are written whole; waiting to fill a packet only delays them.
    socket.set_nodelay(true)?;
    Ok(socket)
}
