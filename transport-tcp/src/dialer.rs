//! The dialling half: a name becomes a TCP connection. Must not live here: who
//! answered there (`handshake.rs`).

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;

use actor_cluster::transport::net::{HostPort, first_to_answer, resolve};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::limits::CONNECT_DEADLINE;
use crate::socket;

/// Connects to whichever of the host's IP addresses answers first. The error is the last one's.
pub(crate) async fn connect(target: &HostPort) -> io::Result<TcpStream> {
    connect_to_any(resolve(target).await?).await
}

async fn connect_to_any(addresses: VecDeque<SocketAddr>) -> io::Result<TcpStream> {
    first_to_answer(addresses, connect_to).await
}

async fn connect_to(address: SocketAddr) -> io::Result<TcpStream> {
    let socket = timeout(CONNECT_DEADLINE, TcpStream::connect(address)).await??;
    socket::tune(&socket)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use tokio::net::{TcpListener, TcpSocket};

    use super::*;
    use crate::limits::CONNECT_ATTEMPT_DELAY;

    const ANY_PORT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

    /// A socket that takes no more connections, and says nothing of it.
    struct Mute {
        address: SocketAddr,
        _socket: TcpListener,
        _waiting: Vec<TcpStream>,
    }

    impl Mute {
        async fn new() -> Self {
            let socket = TcpSocket::new_v4().unwrap();
            socket.bind(ANY_PORT).unwrap();
            let socket = socket.listen(1).unwrap();
            let address = socket.local_addr().unwrap();
            let mut waiting = Vec::new();
            // Until one is not answered any more: those that are, over loopback, are before time can pass.
            while let Ok(Ok(connected)) = timeout(CONNECT_ATTEMPT_DELAY, TcpStream::connect(address)).await {
                waiting.push(connected);
            }
            Self { address, _socket: socket, _waiting: waiting }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_that_does_not_answer_delays_the_next_by_a_moment() {
        let mute = Mute::new().await;
        let there = TcpListener::bind(ANY_PORT).await.unwrap();
        let begun = tokio::time::Instant::now();
        let addresses = [mute.address, mute.address, there.local_addr().unwrap()];
        let socket = connect_to_any(addresses.into()).await.unwrap();
        assert_eq!(socket.peer_addr().unwrap(), there.local_addr().unwrap());
        // The timer counts in milliseconds, and none too few.
        let took = begun.elapsed();
        assert_eq!(took.as_millis() / 10, 2 * CONNECT_ATTEMPT_DELAY.as_millis() / 10, "{took:?}");
        assert!(socket.nodelay().unwrap());
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_that_refuses_is_passed_at_once() {
        let closed = TcpListener::bind(ANY_PORT).await.unwrap().local_addr().unwrap();
        let there = TcpListener::bind(ANY_PORT).await.unwrap();
        let begun = tokio::time::Instant::now();
        connect_to_any([closed, closed, there.local_addr().unwrap()].into()).await.unwrap();
        assert_eq!(begun.elapsed(), std::time::Duration::ZERO, "nobody has waited");
        let error = connect_to_any([closed, closed].into()).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        let error = connect_to_any(VecDeque::new()).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
