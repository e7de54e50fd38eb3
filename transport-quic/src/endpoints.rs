//! The sockets of a transport: those that it listens on, and those that it dials from. Must not live here: what goes
//! through them.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use actor_cluster::transport::net::Gauge;
use actor_cluster::transport::{CloseCode, CloseReason, TransportError};
use quinn::{Endpoint, ServerConfig, TokioRuntime};
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::time::timeout;

use crate::connection::close_code;
use crate::limits::{CLOSE_DEADLINE, LINGER, SOCKET_BUFFER_BYTES};
use crate::settings::Settings;

/// The sockets that are open.
#[derive(Default)]
pub(crate) struct Endpoints {
    open: Mutex<Open>,
    /// Streams that nobody uses any more and that still deliver.
    pub(crate) lingering: Gauge,
}

#[derive(Default)]
struct Open {
    is_closed: bool,
    /// As many as there are sockets that a listener has.
    listening: Vec<Endpoint>,
    /// One for each of few local addresses, see [`local_for`].
    dialling: Vec<(IpAddr, Endpoint)>,
}

impl Endpoints {
    /// Opens sockets to listen on, all or none. The listener says when it is [done](Self::forget).
    pub(crate) fn listen(
        &self,
        addresses: &[SocketAddr],
        settings: &Settings,
        server: &ServerConfig,
    ) -> Result<Vec<Endpoint>, TransportError> {
        let failed = |address: &SocketAddr| {
            let address = address.to_string();
            |source| TransportError::Bind { address, source }
        };
        let mut open = self.open()?;
        let bind = |address: &SocketAddr| bind(*address).map_err(failed(address));
        let sockets = addresses.iter().map(bind).collect::<Result<Vec<_>, _>>()?;
        let mut doors = Vec::new();
        for (socket, address) in sockets.into_iter().zip(addresses) {
            let door =
                Endpoint::new(settings.endpoint()?, Some(server.clone()), socket, Arc::new(TokioRuntime));
            doors.push(door.map_err(failed(address))?);
        }
        open.listening.extend(doors.iter().cloned());
        Ok(doors)
    }

    /// A socket from which this address can be dialled.
    ///
    /// # Errors
    ///
    /// [`TransportError::Closed`] once the transport is closed; otherwise what the system says.
    pub(crate) fn towards(&self, remote: IpAddr, settings: &Settings) -> Result<Endpoint, TransportError> {
        let mut open = self.open()?;
        let local = local_for(remote);
        if let Some((_, endpoint)) = open.dialling.iter().find(|(address, _)| *address == local) {
            return Ok(endpoint.clone());
        }
        let endpoint =
            Endpoint::new(settings.endpoint()?, None, bind((local, 0).into())?, Arc::new(TokioRuntime))?;
        open.dialling.push((local, endpoint.clone()));
        Ok(endpoint)
    }

    /// Lets go of a socket to dial from that does not work any more; the next dial opens another.
    pub(crate) fn replace(&self, remote: IpAddr) {
        let local = local_for(remote);
        self.lock().dialling.retain(|(address, _)| *address != local);
    }

    /// Lets go of sockets that nobody listens on any more. They are closed with the last connection over them.
    pub(crate) fn forget(&self, doors: &[Endpoint]) {
        let places: Vec<_> = doors.iter().filter_map(|door| door.local_addr().ok()).collect();
        let is_kept = |endpoint: &Endpoint| endpoint.local_addr().is_ok_and(|place| !places.contains(&place));
        self.lock().listening.retain(is_kept);
    }

    /// Closes all connections, once what lingers is delivered or takes too long, and waits until peers know.
    pub(crate) async fn close(&self) -> Result<(), TransportError> {
        let endpoints: Vec<Endpoint> = {
            let mut open = self.lock();
            open.is_closed = true;
            open.listening.iter().chain(open.dialling.iter().map(|(_, endpoint)| endpoint)).cloned().collect()
        };
        // From here on nobody is let in or dialled.
        for endpoint in &endpoints {
            endpoint.set_server_config(None);
        }
        let _ = timeout(LINGER, self.lingering.emptied()).await;
        let reason = transport_closed();
        for endpoint in &endpoints {
            endpoint.close(close_code(&reason), reason.detail().as_bytes());
        }
        let idle = async {
            for endpoint in &endpoints {
                endpoint.wait_idle().await;
            }
        };
        let closed = timeout(CLOSE_DEADLINE, idle).await;
        self.lock().dialling.clear();
        let late = "some peers do not acknowledge the end";
        closed.map_err(|_| TransportError::Io(io::Error::new(io::ErrorKind::TimedOut, late)))
    }

    /// Why nobody comes to any socket any more.
    pub(crate) fn end_of_listening(&self) -> TransportError {
        let broken =
            || TransportError::Closed(CloseReason::new(CloseCode::Lost, "the sockets do not work any more"));
        self.open().err().unwrap_or_else(broken)
    }

    fn open(&self) -> Result<MutexGuard<'_, Open>, TransportError> {
        let open = self.lock();
        if open.is_closed {
            return Err(TransportError::Closed(transport_closed()));
        }
        Ok(open)
    }

    /// No code panics under this lock, so what it guards is whole.
    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The transport was closed on this side.
pub(crate) fn transport_closed() -> CloseReason {
    CloseReason::new(CloseCode::Shutdown, "the transport is closed")
}

/// Where to dial from. What is on this machine is dialled from where nobody outside can answer.
fn local_for(remote: IpAddr) -> IpAddr {
    match remote.to_canonical() {
        IpAddr::V4(ip) if ip.is_loopback() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(ip) if ip.is_loopback() => Ipv6Addr::LOCALHOST.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    }
}

/// Binds a socket. One of IPv6 for all interfaces takes IPv4 too, whatever the system's default.
fn bind(address: SocketAddr) -> io::Result<std::net::UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        socket.set_only_v6(!address.ip().is_unspecified())?;
    }
    // As much of it as the system allows; less is slower, and no fault.
    let _ = SockRef::from(&socket).set_recv_buffer_size(SOCKET_BUFFER_BYTES);
    let _ = SockRef::from(&socket).set_send_buffer_size(SOCKET_BUFFER_BYTES);
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_on_this_machine_is_dialled_from_there_alone() {
        for (remote, local) in [
            ("127.0.0.7", "127.0.0.1"),
            ("::1", "::1"),
            ("::ffff:127.0.0.1", "127.0.0.1"),
            ("10.0.0.1", "0.0.0.0"),
            ("2001:db8::1", "::"),
        ] {
            assert_eq!(local_for(remote.parse().unwrap()).to_string(), local);
        }
    }
}
