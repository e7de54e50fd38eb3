//! From a host to somebody who answers there. Must not live here: who it is that answers (the transports').

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::net::lookup_host;
use tokio::time::timeout;

use super::host::{Host, HostPort};

/// How long an attempt to connect to one of a name's IP addresses has until one to the next is made beside it:
/// what RFC 8305 recommends.
pub const CONNECT_ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// How many IP addresses of one name are tried. More are ignored.
pub const CONNECT_ADDRESSES_MAX: usize = 8;

/// The IP addresses of a host, in the order in which they are to be tried.
///
/// # Errors
///
/// What the resolver says.
pub async fn resolve(target: &HostPort) -> io::Result<VecDeque<SocketAddr>> {
    match &target.host {
        Host::Ip(ip) => Ok([SocketAddr::new(*ip, target.port)].into()),
        Host::Name(name) => Ok(in_turns(lookup_host((name.as_str(), target.port)).await?.collect())),
    }
}

/// Connects to whichever of the IP addresses answers first. They are tried one after the other, a moment apart and
/// without waiting for those before to fail (Happy Eyeballs, RFC 8305). Dropping it gives all attempts up.
///
/// # Errors
///
/// The last attempt's; [`NotFound`](io::ErrorKind::NotFound) where there is no address.
pub async fn first_to_answer<T, F: Future<Output = io::Result<T>>>(
    mut addresses: VecDeque<SocketAddr>,
    mut connect: impl FnMut(SocketAddr) -> F,
) -> io::Result<T> {
    let mut attempts = FuturesUnordered::new();
    let mut failure = io::Error::new(io::ErrorKind::NotFound, "the name has no IP address");
    loop {
        if let Some(address) = addresses.pop_front() {
            attempts.push(connect(address));
        }
        let outcome = if addresses.is_empty() {
            attempts.next().await
        } else {
            let Ok(outcome) = timeout(CONNECT_ATTEMPT_DELAY, attempts.next()).await else { continue };
            outcome
        };
        match outcome {
            Some(Ok(connected)) => return Ok(connected),
            Some(Err(error)) => failure = error,
            None => return Err(failure),
        }
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

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    fn addresses(ports: &[u16]) -> VecDeque<SocketAddr> {
        ports.iter().map(|port| SocketAddr::from(([127, 0, 0, 1], *port))).collect()
    }

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

    /// Port 1 refuses, port 2 is silent, and others answer.
    async fn connect(address: SocketAddr) -> io::Result<u16> {
        match address.port() {
            1 => Err(io::ErrorKind::ConnectionRefused.into()),
            2 => std::future::pending().await,
            port => Ok(port),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_silent_delays_the_next_by_a_moment_and_who_refuses_does_not() {
        let begun = Instant::now();
        assert_eq!(first_to_answer(addresses(&[1, 2, 1, 2, 3, 4]), connect).await.unwrap(), 3);
        assert_eq!(begun.elapsed(), 2 * CONNECT_ATTEMPT_DELAY);
        let error = first_to_answer(addresses(&[1, 1]), connect).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        let error = first_to_answer(addresses(&[]), connect).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
