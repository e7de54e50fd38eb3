//! The dialling half: a name becomes a TCP connection. Must not live here: who
//! answered there (`handshake.rs`).

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr};

use futures_util::stream::{FuturesUnordered, StreamExt};
use rustls_pki_types::ServerName;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::{sleep, timeout};

use crate::address::{Host, HostPort};
use crate::limits::{CONNECT_ADDRESSES_MAX, CONNECT_ATTEMPT_DELAY, CONNECT_DEADLINE};
use crate::socket;

/// Connects to whichever of the host's IP addresses answers first. They are tried one after the other,
/// a moment apart and without waiting for those before to fail (Happy Eyeballs, RFC 8305). The error is
/// the last one's.
pub(crate) async fn connect(target: &HostPort) -> io::Result<TcpStream> {
    let addresses = resolve(target).await?;
    connect_to_any(in_turns(addresses)).await
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

/// The two families in turns, in the resolver's order, which begins with the one it prefers: where one does not
/// get through, the second attempt is of the other.
fn in_turns(addresses: Vec<SocketAddr>) -> VecDeque<SocketAddr> {
    let is_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) =
        addresses.into_iter().partition(|address| address.is_ipv6() == is_v6);
    let mut second = second.into_iter();
    let mut order = VecDeque::new();
    for address in first {
        order.push_back(address);
        order.extend(second.next());
    }
    order.extend(second);
    order.truncate(CONNECT_ADDRESSES_MAX);
    order
}

/// Dropping it gives all attempts up.
async fn connect_to_any(mut addresses: VecDeque<SocketAddr>) -> io::Result<TcpStream> {
    let mut attempts = FuturesUnordered::new();
    let mut failure = io::Error::new(io::ErrorKind::NotFound, "the name has no IP address");
    loop {
        if let Some(address) = addresses.pop_front() {
            attempts.push(connect_to(address));
        }
        tokio::select! {
            biased;
            outcome = attempts.next() => match outcome {
                Some(Ok(socket)) => return Ok(socket),
                Some(Err(error)) => failure = error,
                None => return Err(failure),
            },
            () = sleep(CONNECT_ATTEMPT_DELAY), if !addresses.is_empty() => {}
        }
    }
}

async fn connect_to(address: SocketAddr) -> io::Result<TcpStream> {
    let socket = timeout(CONNECT_DEADLINE, TcpStream::connect(address)).await??;
    socket::tune(&socket)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use tokio::net::{TcpListener, TcpSocket};

    use super::*;

    const ANY_PORT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

    #[test]
    fn families_take_turns_and_the_resolvers_favourite_is_first() {
        let order = |texts: &[&str]| -> Vec<String> {
            let addresses = texts.iter().map(|text| text.parse().unwrap()).collect();
            in_turns(addresses).iter().map(SocketAddr::to_string).collect()
        };
        assert_eq!(
            order(&["[::1]:1", "[::2]:1", "[::3]:1", "1.1.1.1:1", "2.2.2.2:1"]),
            ["[::1]:1", "1.1.1.1:1", "[::2]:1", "2.2.2.2:1", "[::3]:1"]
        );
        assert_eq!(order(&["1.1.1.1:1", "2.2.2.2:1", "[::1]:1"]), ["1.1.1.1:1", "[::1]:1", "2.2.2.2:1"]);
        assert_eq!(order(&["[::1]:1", "1.1.1.1:1", "2.2.2.2:1"]), ["[::1]:1", "1.1.1.1:1", "2.2.2.2:1"]);
        assert_eq!(order(&[]), [""; 0]);
        assert_eq!(order(&["1.1.1.1:1"; 20]).len(), CONNECT_ADDRESSES_MAX);
    }

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
