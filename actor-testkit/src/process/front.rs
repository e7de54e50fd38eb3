//! The relay before a node of a cluster, which others know in its place.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, UdpSocket};

use super::conditions::{Carried, Conditions, Direction};
use super::datagrams::Datagrams;
use super::relay::Relay;
use super::space::Space;

/// What nodes talk by, and so what is before them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carries {
    /// TCP, and a [`Relay`].
    Streams,
    /// UDP, and [`Datagrams`].
    Datagrams,
}

#[derive(Debug)]
pub(super) enum Front {
    Streams(Relay),
    Datagrams(Datagrams),
}

impl Front {
    /// On any port of that address; all that comes goes to the target.
    pub(super) fn new(
        carries: Carries,
        at: IpAddr,
        space: &Space,
        target: SocketAddr,
        seed: u64,
    ) -> io::Result<Self> {
        let at = SocketAddr::new(at, 0);
        Ok(match carries {
            Carries::Streams => Self::Streams(Relay::at(at, space, target, seed)?),
            Carries::Datagrams => Self::Datagrams(Datagrams::at(at, space, target, seed)?),
        })
    }

    pub(super) fn address(&self) -> SocketAddr {
        match self {
            Self::Streams(relay) => relay.address(),
            Self::Datagrams(relay) => relay.address(),
        }
    }

    pub(super) fn set(&self, direction: Direction, conditions: Conditions) {
        match self {
            Self::Streams(relay) => relay.set(direction, conditions),
            Self::Datagrams(relay) => relay.set(direction, conditions),
        }
    }

    pub(super) fn carried(&self) -> Carried {
        match self {
            Self::Streams(relay) => relay.carried(),
            Self::Datagrams(relay) => relay.carried(),
        }
    }
}

/// A port of loopback that nobody has now. Somebody may have it by the time that a node wants it, which is then not ready.
pub(super) fn free_port(carries: Carries) -> io::Result<u16> {
    let any = (Ipv4Addr::LOCALHOST, 0);
    Ok(match carries {
        Carries::Streams => TcpListener::bind(any)?.local_addr()?,
        Carries::Datagrams => UdpSocket::bind(any)?.local_addr()?,
    }
    .port())
}
