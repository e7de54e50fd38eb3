//! Where a node listens, and what it tells others of that. Must not live here: sockets (the transports').

use std::net::SocketAddr;

use super::host::{Advertised, Host};
use crate::transport::TransportError;

/// Where this node listens, if anywhere, and what it tells others about it instead.
#[derive(Clone, Debug, Default)]
pub struct Listen {
    sockets: Vec<SocketAddr>,
    advertised: Vec<Advertised>,
}

impl Listen {
    /// Checks that others could dial what listens on these sockets and says that it is reached at these hosts.
    ///
    /// # Errors
    ///
    /// [`TransportError::Config`] if a host cannot be read, if there are hosts and no sockets, or if a socket is for all
    /// interfaces and there is no host.
    pub fn new(sockets: Vec<SocketAddr>, advertise: &[String]) -> Result<Self, TransportError> {
        let read = |text: &String| {
            let parsed = text.parse();
            parsed.map_err(|detail: &str| unusable(format!("cannot advertise {text:?}: {detail}")))
        };
        let advertised = advertise.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        if sockets.is_empty() && !advertised.is_empty() {
            return Err(unusable("an advertised host needs an address to listen on"));
        }
        match sockets.iter().find(|socket| socket.ip().is_unspecified()) {
            Some(socket) if advertised.is_empty() => Err(unusable(format!(
                "{socket} is no address that others can dial; say with `advertise` how they reach this node"
            ))),
            _ => Ok(Self { sockets, advertised }),
        }
    }

    /// What is to be bound; nothing where the node only dials.
    pub fn sockets(&self) -> &[SocketAddr] {
        &self.sockets
    }

    /// The hosts and ports that others dial, now that the real ports are known.
    pub fn reached_at(&self, bound: &[SocketAddr]) -> Vec<String> {
        if self.advertised.is_empty() {
            return bound.iter().map(|bound| format!("{}:{}", Host::Ip(bound.ip()), bound.port())).collect();
        }
        let first = bound.first().map_or(0, SocketAddr::port);
        self.advertised
            .iter()
            .map(|Advertised { host, port }| format!("{host}:{}", port.unwrap_or(first)))
            .collect()
    }
}

fn unusable(detail: impl Into<String>) -> TransportError {
    TransportError::Config(detail.into())
}
