//! What transports over IP have in common: hosts and ports in addresses, where a node listens and what it
//! tells others of that, how a name becomes a connection, how many may come in, and who is still there. Knows no protocol.

mod gauge;
mod host;
mod listen;
mod places;
mod reach;

pub use self::gauge::{Gauge, GaugeGuard};
pub use self::host::{Advertised, Host, HostPort};
pub use self::listen::Listen;
pub use self::places::{
    Admission, AdmissionLimits, CONNECTIONS_MAX, CONNECTIONS_PER_ADDRESS_MAX, Full, HANDSHAKE_DEADLINE,
    HANDSHAKES_MAX, HANDSHAKES_PER_ADDRESS_MAX, Origin, Place, Places,
};
pub use self::reach::{CONNECT_ADDRESSES_MAX, CONNECT_ATTEMPT_DELAY, first_to_answer, resolve};
