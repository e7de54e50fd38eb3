//! The name that a client tells a server. Must not live here: whom it believes (`trust.rs`).

use std::net::IpAddr;

use actor_cluster::transport::net::Host;
use rustls_pki_types::ServerName;

/// The name a TLS client tells the server, so that a proxy can route by it. It
/// plays no part in whom we believe. A name TLS cannot carry, such as one that
/// ends in a dot, is left out by way of the IP address.
pub fn server_name(host: &Host, connected: IpAddr) -> ServerName<'static> {
    match host {
        Host::Name(name) => {
            ServerName::try_from(name.clone()).unwrap_or_else(|_| ServerName::from(connected))
        }
        Host::Ip(ip) => ServerName::from(*ip),
    }
}
