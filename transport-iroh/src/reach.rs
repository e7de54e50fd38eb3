//! Whom an endpoint may contact besides the peers that are dialled.

use std::fmt;

use actor_cluster::transport::TransportError;
use iroh::address_lookup::AddressLookupBuilder;
use iroh::endpoint::{Builder, NetReportConfig, PortmapperConfig};
use iroh::tls::CaTlsConfig;
use iroh::{RelayMap, RelayMode};

/// How a node reaches its peers, and so whom it contacts besides them. What is not named here is not
/// contacted.
///
/// | mode | it contacts | for |
/// |---|---|---|
/// | [direct](Self::direct), unless told otherwise | the sockets in the addresses that are dialled, and those from which peers dial | one network, or public addresses |
/// | [relays](Self::with_relays) | besides, the relays that are named: a connection to the nearest is kept open, and all are asked now and then how far they are and which address they see. To the peers, the addresses that these tell of themselves | nodes behind NAT and firewalls |
/// | [discovery](Self::with_discovery) | besides, whomever the service that is passed contacts; it hears where this node is, and is asked where a peer is whenever one is dialled | nodes that move |
///
/// Relays and discovery go together, and there may be several services.
///
/// Never contacted, in any mode: routers, for port mappings; and the servers of Iroh's makers, unless they
/// are named here.
///
/// ```
/// use transport_iroh::Reach;
/// use transport_iroh::iroh::RelayMap;
/// use transport_iroh::iroh::address_lookup::MemoryLookup;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let ours = RelayMap::try_from_iter(["https://relay.example.org", "https://relay.example.net"])?;
/// let behind_nat = Reach::direct().with_relays(ours);
/// // What is put in here can be found by id; nobody else is asked.
/// let known = MemoryLookup::new();
/// let moving = behind_nat.with_discovery(known.clone());
/// # drop(moving);
/// # Ok(())
/// # }
/// ```
#[derive(Default)]
#[must_use = "it is for `IrohBuilder::reach`"]
pub struct Reach {
    relays: Option<RelayMap>,
    authorities: Option<CaTlsConfig>,
    services: Vec<Service>,
}

/// Adds a lookup service to an endpoint.
type Service = Box<dyn FnOnce(Builder) -> Builder + Send>;

impl Reach {
    /// Peers are dialled where their addresses say, and nobody else is contacted: no relay, no lookup
    /// service, no DNS, no probe, no router.
    pub fn direct() -> Self {
        Self::default()
    }

    /// Peers are also reached by way of these relays, at first, and for as long as there is no direct path;
    /// one is looked for, and taken as soon as it is found.
    ///
    /// Relays see who talks to whom, when and how much, not what. A relay's name is
    /// looked up by the system's DNS. Only these relays are used: one that is only named in
    /// the address of a peer is left out, so that no peer can have this node
    /// contact whomever it likes. Nodes that are to meet by relays therefore know the same ones.
    pub fn with_relays(mut self, relays: RelayMap) -> Self {
        self.relays = Some(relays);
        self
    }

    /// Whom to believe that relays are who they say, and servers of lookup services: instead of
    /// the authorities that browsers believe, which are compiled in. For relays with certificates of
    /// one's own. Connections to peers do not depend on it: those prove their keys.
    pub fn with_authorities(mut self, authorities: CaTlsConfig) -> Self {
        self.authorities = Some(authorities);
        self
    }

    /// Peers are also looked for by this service, which may publish where this node is. Besides those of
    /// [`iroh::address_lookup`] there are some in crates of their own, for local networks among them.
    pub fn with_discovery(mut self, service: impl AddressLookupBuilder) -> Self {
        self.services.push(Box::new(move |endpoint| endpoint.address_lookup(service)));
        self
    }

    /// The relays, if there are any, as a view that changes with the endpoint's.
    pub(crate) fn relays(&self) -> RelayMap {
        self.relays.clone().unwrap_or_else(RelayMap::empty)
    }

    /// Tells an endpoint that is to be made.
    ///
    /// # Errors
    ///
    /// [`TransportError::Config`] where there is no relay among the relays.
    pub(crate) fn apply(self, endpoint: Builder) -> Result<Builder, TransportError> {
        let mut probes = NetReportConfig::minimal();
        let relays = match self.relays {
            None => RelayMode::Disabled,
            Some(relays) if relays.is_empty() => {
                let detail = "there is no relay among the relays: name one, or leave `with_relays` out";
                return Err(TransportError::Config(detail.to_owned()));
            }
            Some(relays) => {
                // Without, no relay is chosen where the network lets no UDP through.
                probes.https_probes = true;
                RelayMode::Custom(relays)
            }
        };
        let endpoint = endpoint
            .relay_mode(relays)
            .net_report_config(probes)
            .portmapper_config(PortmapperConfig::Disabled);
        let endpoint = match self.authorities {
            Some(authorities) => endpoint.ca_tls_config(authorities),
            None => endpoint,
        };
        Ok(self.services.into_iter().fold(endpoint, |endpoint, service| service(endpoint)))
    }
}

impl fmt::Debug for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let relays: Option<Vec<_>> = self.relays.as_ref().map(RelayMap::urls);
        f.debug_struct("Reach").field("relays", &relays).field("services", &self.services.len()).finish()
    }
}
