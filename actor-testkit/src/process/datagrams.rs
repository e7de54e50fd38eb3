//! Passes datagrams on, over UDP, as badly as it is told: see [`relay`](super::relay) for the picture.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use tokio::net::UdpSocket;
use tokio::sync::{Semaphore, watch};
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep_until};

use crate::limits::RELAY_DATAGRAMS_MAX;
use crate::simulation::Random;

use super::conditions::{Carried, Conditions, Direction, Weather};
use super::space::Space;

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
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime whose drivers are enabled.
    pub fn to(target: SocketAddr, seed: u64) -> io::Result<Self> {
        Self::at((Ipv4Addr::LOCALHOST, 0).into(), &Space::here(), target, seed)
    }

    /// One that listens there, and whose sockets are of this network.
    ///
    /// # Errors
    ///
    /// What the system says.
    ///
    /// # Panics
    ///
    /// As [`to`](Self::to).
    pub fn at(at: SocketAddr, space: &Space, target: SocketAddr, seed: u64) -> io::Result<Self> {
        let near = Arc::new(space.bind(at)?);
        let address = near.local_addr()?;
        let weather = Weather::fair();
        let passing = tokio::spawn(pass_there(near, space.clone(), target, weather.clone(), seed));
        Ok(Self { address, weather, passing: passing.abort_handle() })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From here on this direction is like that.
    pub fn set(&self, direction: Direction, conditions: Conditions) {
        self.weather.of(direction).send_replace(conditions);
    }

    /// What has passed so far.
    pub fn carried(&self) -> Carried {
        self.weather.carried()
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
async fn pass_there(
    near: Arc<UdpSocket>,
    space: Space,
    target: SocketAddr,
    weather: Arc<Weather>,
    seed: u64,
) {
    let mut sockets: BTreeMap<SocketAddr, Arc<UdpSocket>> = BTreeMap::new();
    let mut post = Post::new(&weather, Direction::There, seed);
    let mut datagram = vec![0; 1 << 16];
    loop {
        // Linux tells of ports that are gone by an error of the next receive.
        let Ok((bytes, from)) = near.recv_from(&mut datagram).await else { continue };
        let far = match sockets.get(&from) {
            Some(far) => far.clone(),
            None => {
                let Ok(far) = space.bind_towards(target).map(Arc::new) else { continue };
                let post = Post::new(&weather, Direction::Back, seed ^ u64::from(from.port()));
                tokio::spawn(pass_back(far.clone(), near.clone(), from, post));
                sockets.insert(from, far.clone());
                far
            }
        };
        post.take(&datagram[..bytes], &far, target).await;
    }
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
    weather: Arc<Weather>,
    random: Random,
    /// What is on its way, at most; a router loses what comes on top.
    room: Arc<Semaphore>,
    /// When the last arrives of those that are on their way.
    latest: Instant,
}

impl Post {
    fn new(weather: &Arc<Weather>, direction: Direction, seed: u64) -> Self {
        Self {
            conditions: weather.of(direction).subscribe(),
            weather: weather.clone(),
            random: Random::seeded(seed),
            room: Arc::new(Semaphore::new(RELAY_DATAGRAMS_MAX)),
            latest: Instant::now(),
        }
    }

    async fn take(&mut self, datagram: &[u8], by: &Arc<UdpSocket>, to: SocketAddr) {
        let now = *self.conditions.borrow();
        let [is_lost, is_doubled] = [now.loss, now.duplicates].map(|chance| self.random.unit() < chance);
        if now.is_stalled || is_lost {
            return self.weather.counts.lost.add_one();
        }
        if is_doubled {
            self.weather.counts.doubled.add_one();
            self.carry(&now, datagram, by, to).await;
        }
        self.carry(&now, datagram, by, to).await;
    }

    async fn carry(&mut self, now: &Conditions, datagram: &[u8], by: &Arc<UdpSocket>, to: SocketAddr) {
        let late = now.late_by(self.random.unit());
        let due = Instant::now() + late;
        if due < self.latest {
            self.weather.counts.overtaking.add_one();
        }
        self.latest = self.latest.max(due);
        if late.is_zero() {
            self.weather.counts.passed.add_one();
            // What the system does not take is lost as any other.
            _ = by.send_to(datagram, to).await;
            return;
        }
        let Ok(place) = self.room.clone().try_acquire_owned() else {
            return self.weather.counts.lost.add_one();
        };
        self.weather.counts.passed.add_one();
        let (by, datagram) = (by.clone(), datagram.to_vec());
        tokio::spawn(async move {
            sleep_until(due).await;
            _ = by.send_to(&datagram, to).await;
            drop(place);
        });
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
        let relay = Datagrams::to(echo().await, 7).unwrap();
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
        let lost = numbers(Conditions::default().with_loss(0.2)).await;
        assert!((60..95).contains(&lost.len()) && lost.is_sorted(), "{lost:?}");
        let doubled = numbers(Conditions::default().with_duplicates(0.2)).await;
        assert!((105..140).contains(&doubled.len()), "{doubled:?}");
        let jitter = Duration::from_millis(50);
        let mut late = numbers(Conditions::default().with_delay(Duration::ZERO, jitter)).await;
        assert!(!late.is_sorted(), "{late:?}");
        late.sort_unstable();
        assert_eq!(late, in_order);
        assert!(numbers(Conditions::stalled()).await.is_empty());
    }
}
