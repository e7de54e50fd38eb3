//! Passes datagrams on, over UDP, as badly as it is told: see [`relay`](super::relay) for the picture.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use tokio::net::UdpSocket;
use tokio::sync::{Semaphore, watch};
use tokio::task::AbortHandle;
use tokio::time::sleep;

use crate::limits::RELAY_DATAGRAMS_MAX;
use crate::simulation::Random;

use super::conditions::{Conditions, Direction, Weather};

/// Passes datagrams on between whoever sends any and a port, over UDP. Dropping it swallows all that comes.
#[derive(Debug)]
pub struct Datagrams {
    address: SocketAddr,
    weather: Arc<Weather>,
    passing: AbortHandle,
}

impl Datagrams {
    /// One that listens on a free port of this machine's loopback. What is lost, doubled and late follows from the seed, and
    /// from what comes.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub async fn to(target: SocketAddr, seed: u64) -> io::Result<Self> {
        let near = Arc::new(UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?);
        let address = near.local_addr()?;
        let weather = Weather::fair();
        let passing = tokio::spawn(pass_there(near, target, weather.clone(), seed)).abort_handle();
        Ok(Self { address, weather, passing })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From here on this direction is like that.
    pub fn set(&self, direction: Direction, conditions: Conditions) {
        self.weather.of(direction).send_replace(conditions);
    }

    /// Swallows everything from here on, in both directions.
    pub fn silence(&self) {
        self.stall(true);
    }

    /// Passes on what comes from here on.
    pub fn speak(&self) {
        self.stall(false);
    }

    fn stall(&self, is_stalled: bool) {
        for direction in [Direction::There, Direction::Back] {
            self.weather.of(direction).send_modify(|conditions| conditions.is_stalled = is_stalled);
        }
    }
}

impl Drop for Datagrams {
    fn drop(&mut self) {
        self.silence();
        self.passing.abort();
    }
}

/// Each who sends has a socket of its own towards the target, so that answers find back.
async fn pass_there(near: Arc<UdpSocket>, target: SocketAddr, weather: Arc<Weather>, seed: u64) {
    let mut sockets: BTreeMap<SocketAddr, Arc<UdpSocket>> = BTreeMap::new();
    let mut post = Post::new(weather.there.subscribe(), seed);
    let mut datagram = vec![0; 1 << 16];
    loop {
        // Linux tells of ports that are gone by an error of the next receive.
        let Ok((bytes, from)) = near.recv_from(&mut datagram).await else { continue };
        let far = match sockets.get(&from) {
            Some(far) => far.clone(),
            None => {
                let Ok(far) = socket_to(target).await else { continue };
                let post = Post::new(weather.back.subscribe(), seed ^ u64::from(from.port()));
                tokio::spawn(pass_back(far.clone(), near.clone(), from, post));
                sockets.insert(from, far.clone());
                far
            }
        };
        post.take(&datagram[..bytes], &far, target).await;
    }
}

async fn socket_to(target: SocketAddr) -> io::Result<Arc<UdpSocket>> {
    let any: SocketAddr = match target {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (std::net::Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    Ok(Arc::new(UdpSocket::bind(any).await?))
}

/// For as long as the test's runtime lives.
async fn pass_back(far: Arc<UdpSocket>, near: Arc<UdpSocket>, to: SocketAddr, mut post: Post) {
    let mut datagram = vec![0; 1 << 16];
    loop {
        let Ok((bytes, _)) = far.recv_from(&mut datagram).await else { continue };
        post.take(&datagram[..bytes], &near, to).await;
    }
}

/// Carries the datagrams of one direction.
struct Post {
    conditions: watch::Receiver<Conditions>,
    random: Random,
    /// What is on its way, at most; a router loses what comes on top.
    room: Arc<Semaphore>,
}

impl Post {
    fn new(conditions: watch::Receiver<Conditions>, seed: u64) -> Self {
        Self { conditions, random: Random::seeded(seed), room: Arc::new(Semaphore::new(RELAY_DATAGRAMS_MAX)) }
    }

    async fn take(&mut self, datagram: &[u8], by: &Arc<UdpSocket>, to: SocketAddr) {
        let now = *self.conditions.borrow();
        if now.is_stalled || self.random.below(1000) < now.lost_per_mille.into() {
            return;
        }
        let copies = if self.random.below(1000) < now.doubled_per_mille.into() { 2 } else { 1 };
        for _ in 0..copies {
            let late = now.delay + now.jitter.mul_f64(self.random.unit());
            if late.is_zero() {
                // What the system does not take is lost as any other.
                _ = by.send_to(datagram, to).await;
                continue;
            }
            let Ok(place) = self.room.clone().try_acquire_owned() else { return };
            let (by, datagram) = (by.clone(), datagram.to_vec());
            tokio::spawn(async move {
                sleep(late).await;
                _ = by.send_to(&datagram, to).await;
                drop(place);
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    async fn echo() -> SocketAddr {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        tokio::spawn(async move {
            let mut datagram = [0; 64];
            while let Ok((bytes, from)) = socket.recv_from(&mut datagram).await {
                socket.send_to(&datagram[..bytes], from).await.unwrap();
            }
        });
        address
    }

    /// What comes back of a hundred numbers, in its order.
    async fn numbers(conditions: Conditions) -> Vec<u8> {
        let relay = Datagrams::to(echo().await, 7).await.unwrap();
        relay.set(Direction::There, conditions);
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        socket.connect(relay.address()).await.unwrap();
        for number in 0..100 {
            socket.send(&[number]).await.unwrap();
            // As many as fit a small socket.
            tokio::task::yield_now().await;
        }
        let (mut heard, mut datagram) = (Vec::new(), [0; 64]);
        while let Ok(received) =
            tokio::time::timeout(Duration::from_millis(200), socket.recv(&mut datagram)).await
        {
            heard.extend_from_slice(&datagram[..received.unwrap()]);
        }
        heard
    }

    #[tokio::test]
    async fn datagrams_are_lost_doubled_and_in_disorder_as_told() {
        let in_order: Vec<u8> = (0..100).collect();
        assert_eq!(numbers(Conditions::default()).await, in_order);
        let lost = numbers(Conditions { lost_per_mille: 200, ..Conditions::default() }).await;
        assert!((60..95).contains(&lost.len()) && lost.is_sorted(), "{lost:?}");
        let doubled = numbers(Conditions { doubled_per_mille: 200, ..Conditions::default() }).await;
        assert!((105..140).contains(&doubled.len()), "{doubled:?}");
        let jitter = Duration::from_millis(50);
        let mut late = numbers(Conditions { jitter, ..Conditions::default() }).await;
        assert!(!late.is_sorted(), "{late:?}");
        late.sort_unstable();
        assert_eq!(late, in_order);
        assert!(numbers(Conditions { is_stalled: true, ..Conditions::default() }).await.is_empty());
    }
}
