//! The accepting half of the transport. The work is done in `door.rs`; here it
//! comes out.

use std::sync::Arc;

use actor_cluster::transport::{Address, Connection, Listener, TransportError};
use async_trait::async_trait;
use tokio::sync::mpsc;

use crate::address;
use crate::door::Arrival;
use crate::error;
use crate::host::Host;

/// Hands out the connections that came in. Once it is dropped, nobody gets in;
/// the endpoint, which also dials, keeps its port until it is closed.
pub(crate) struct IrohListener {
    arrivals: mpsc::Receiver<Arrival>,
    /// Also keeps the endpoint, should the transport be dropped before this.
    host: Arc<Host>,
}

impl IrohListener {
    /// Opens the door of the host.
    ///
    /// # Errors
    ///
    /// [`TransportError::Closed`] where the transport is closed;
    /// [`TransportError::Config`] where somebody listens already.
    pub(crate) fn open(host: Arc<Host>) -> Result<Self, TransportError> {
        host.endpoint()?;
        match host.door.open(host.limits.handshakes_max) {
            Some(arrivals) => Ok(Self { arrivals, host }),
            None => Err(TransportError::Config("the transport listens already".to_owned())),
        }
    }

    /// The next one that came in or did not. `None` once the transport is closed.
    pub(crate) async fn next(&mut self) -> Option<Arrival> {
        self.arrivals.recv().await
    }
}

#[async_trait]
impl Listener for IrohListener {
    /// One address with every place where the endpoint is now; none once it is
    /// closed.
    fn addresses(&self) -> Vec<Address> {
        let places = self.host.endpoint().map(|endpoint| endpoint.addr());
        places.and_then(|places| address::format(self.host.node, &places.addrs)).into_iter().collect()
    }

    async fn accept(&mut self) -> Result<Box<dyn Connection>, TransportError> {
        let arrival = self.next().await.ok_or_else(error::transport_closed)?;
        Ok(Box::new(arrival?))
    }
}
