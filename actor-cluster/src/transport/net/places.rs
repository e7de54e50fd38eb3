//! Who may be there at once: so many in all, and so many from one address. Must not live
//! here: what they do (the transports' listeners).

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::id::NodeId;

/// Where somebody comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Origin {
    /// An IPv4 address, or the network of an IPv6 one, since whoever has one address there usually has
    /// all 2⁶⁴.
    Address(IpAddr),
    /// A node that comes by way of a relay, which has let it prove this identity: its address is not known.
    Relayed(NodeId),
    /// A user of this machine's; none where the system does not say.
    #[cfg(unix)]
    User(Option<u32>),
}

impl Origin {
    /// Where somebody with this address comes from.
    pub fn of(address: IpAddr) -> Self {
        const NETWORK: u128 = !(u64::MAX as u128);
        Self::Address(match address.to_canonical() {
            v4 @ IpAddr::V4(_) => v4,
            IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & NETWORK).into(),
        })
    }
}

/// Places of one kind.
#[derive(Debug)]
pub struct Places {
    most: usize,
    most_of_one: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    /// Those who have some.
    by_origin: HashMap<Origin, usize>,
}

/// There is no place left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    /// For anybody.
    All(usize),
    /// For those from there.
    Origin(usize),
}

/// A place, until it is dropped.
#[derive(Debug)]
#[must_use = "the place is given back when this is dropped"]
pub struct Place {
    places: Arc<Places>,
    origin: Origin,
}

impl Places {
    /// So many places, and so many of them for those from one origin.
    pub fn new(most: usize, most_of_one: usize) -> Arc<Self> {
        Arc::new(Self { most, most_of_one, taken: Mutex::default() })
    }

    /// Takes a place for somebody from there.
    ///
    /// # Errors
    ///
    /// If all are taken, or all that those from there may have.
    pub fn take(self: &Arc<Self>, origin: Origin) -> Result<Place, Full> {
        let mut taken = self.lock();
        if taken.all >= self.most {
            return Err(Full::All(self.most));
        }
        if taken.by_origin.get(&origin).is_some_and(|theirs| *theirs >= self.most_of_one) {
            return Err(Full::Origin(self.most_of_one));
        }
        taken.all += 1;
        *taken.by_origin.entry(origin).or_default() += 1;
        Ok(Place { places: self.clone(), origin })
    }

    /// Whether half of all places are taken, or of those that others from there may have.
    fn is_scarce(&self, origin: Origin) -> bool {
        let taken = self.lock();
        let theirs = taken.by_origin.get(&origin).copied().unwrap_or(0);
        taken.all >= self.most.div_ceil(2) || theirs >= self.most_of_one.div_ceil(2)
    }

    /// No code panics under this lock, so what it guards is whole.
    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.lock();
        taken.all -= 1;
        if let Some(theirs) = taken.by_origin.get_mut(&self.origin) {
            *theirs -= 1;
            if *theirs == 0 {
                taken.by_origin.remove(&self.origin);
            }
        }
    }
}

/// How many may come in at once, and how long each may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AdmissionLimits {
    /// See [`HANDSHAKE_DEADLINE`].
    pub handshake_deadline: Duration,
    /// See [`HANDSHAKES_MAX`].
    pub handshakes_max: usize,
    /// See [`HANDSHAKES_PER_ADDRESS_MAX`].
    pub handshakes_per_address_max: usize,
    /// See [`CONNECTIONS_MAX`].
    pub connections_max: usize,
    /// See [`CONNECTIONS_PER_ADDRESS_MAX`].
    pub connections_per_address_max: usize,
}

/// How long a peer that connected to us may take until it is let in. At the deadline it is dropped.
pub const HANDSHAKE_DEADLINE: Duration = Duration::from_secs(10);

/// How many peers may be at their handshake at once. One more is dropped or refused at once, before any
/// cryptography, so that nobody's silence fills the memory.
pub const HANDSHAKES_MAX: usize = 256;

/// How many of those at their handshake may come from one [`Origin`]: from one IPv4 address, or from one IPv6
/// network of 2⁶⁴. One more is dropped, so that one machine cannot take all places.
pub const HANDSHAKES_PER_ADDRESS_MAX: usize = 64;

/// How many accepted connections may exist at once, those at their handshake among them. One more is dropped. Dialled ones
/// are not counted: how many there are is the dialler's own decision.
pub const CONNECTIONS_MAX: usize = 4096;

/// How many of the accepted connections may come from one [`Origin`]. Enough for a cluster on one machine, or behind one
/// translation of addresses.
pub const CONNECTIONS_PER_ADDRESS_MAX: usize = 1024;

impl Default for AdmissionLimits {
    fn default() -> Self {
        Self {
            handshake_deadline: HANDSHAKE_DEADLINE,
            handshakes_max: HANDSHAKES_MAX,
            handshakes_per_address_max: HANDSHAKES_PER_ADDRESS_MAX,
            connections_max: CONNECTIONS_MAX,
            connections_per_address_max: CONNECTIONS_PER_ADDRESS_MAX,
        }
    }
}

/// The places of those who come in.
#[derive(Debug)]
pub struct Admission {
    /// One for each that is at its handshake.
    knocking: Arc<Places>,
    /// One for each accepted connection, from its first byte to its last.
    connections: Arc<Places>,
}

impl Admission {
    /// Nobody is there yet.
    pub fn new(limits: &AdmissionLimits) -> Self {
        Self {
            knocking: Places::new(limits.handshakes_max, limits.handshakes_per_address_max),
            connections: Places::new(limits.connections_max, limits.connections_per_address_max),
        }
    }

    /// Whether places for handshakes get scarce, for all or for those from there: then a newcomer whose address
    /// may be forged should prove it first, where that can be asked.
    pub fn is_scarce(&self, origin: Origin) -> bool {
        self.knocking.is_scarce(origin)
    }

    /// Takes a place for the handshake of somebody from there, and one for the connection that comes of it.
    ///
    /// # Errors
    ///
    /// Why there is none, in words.
    pub fn admit(&self, origin: Origin) -> Result<(Place, Place), String> {
        let knocking = self.knocking.take(origin).map_err(|full| match full {
            Full::All(most) => format!("more than {most} peers are at their handshake"),
            Full::Origin(most) => format!("more than {most} peers from its address are at their handshake"),
        })?;
        let connection = self.connections.take(origin).map_err(|full| match full {
            Full::All(most) => format!("there are more than {most} connections"),
            Full::Origin(most) => format!("there are more than {most} connections from its address"),
        })?;
        Ok((knocking, connection))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(text: &str) -> Origin {
        Origin::of(text.parse().unwrap())
    }

    #[test]
    fn places_are_for_all_and_for_each_and_are_given_back() {
        let places = Places::new(3, 2);
        let (one, other) = (origin("10.0.0.1"), origin("10.0.0.2"));
        let mut held = vec![places.take(one).unwrap(), places.take(one).unwrap()];
        assert_eq!(places.take(one).unwrap_err(), Full::Origin(2));
        held.push(places.take(other).unwrap());
        assert_eq!(places.take(other).unwrap_err(), Full::All(3));
        drop(held.remove(0));
        held.push(places.take(one).unwrap());
        drop(held);
        let taken = places.lock();
        assert_eq!((taken.all, taken.by_origin.len()), (0, 0), "nothing is kept of those who left");
    }

    #[test]
    fn half_of_the_places_may_be_taken_unproven() {
        let places = Places::new(5, 3);
        let (one, other) = (origin("10.0.0.1"), origin("10.0.0.2"));
        let mut held = vec![places.take(one).unwrap()];
        assert!(!places.is_scarce(one));
        held.push(places.take(one).unwrap());
        assert_eq!((places.is_scarce(one), places.is_scarce(other)), (true, false));
        held.push(places.take(other).unwrap());
        assert!(places.is_scarce(origin("10.0.0.3")));
    }

    #[test]
    fn an_origin_is_an_address_or_the_network_of_one() {
        assert_eq!(origin("2001:db8::1"), origin("2001:db8::ffff:ffff:ffff:ffff"));
        assert_ne!(origin("2001:db8::1"), origin("2001:db8:0:1::1"));
        assert_ne!(origin("10.0.0.1"), origin("10.0.0.2"));
        assert_eq!(origin("::ffff:10.0.0.1"), origin("10.0.0.1"), "as a socket of both families says it");
    }
}
