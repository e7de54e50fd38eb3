//! The text form of addresses, read and written:
//! `iroh://<node>@<socket or relay>,<socket or relay>`.

use std::net::SocketAddr;

use actor_cluster::id::NodeId;
use actor_cluster::limits::ADDRESS_BYTES_MAX;
use actor_cluster::transport::{Address, TransportError};
use iroh::{EndpointAddr, RelayUrl, TransportAddr};

use crate::identity;
use crate::transport::SCHEME;

/// Reads the address of a peer.
///
/// # Errors
///
/// [`TransportError::Address`], saying which part is unusable.
pub(crate) fn parse(address: &Address) -> Result<EndpointAddr, TransportError> {
    if address.scheme() != SCHEME {
        return Err(address.unusable(format!("its scheme is not {SCHEME}")));
    }
    let (node, places) = match address.rest().split_once('@') {
        Some((node, places)) => (node, Some(places)),
        None => (address.rest(), None),
    };
    let node: NodeId = node.parse().map_err(|error| address.unusable(format!("{error}")))?;
    let id = identity::endpoint_id(&node)
        .ok_or_else(|| address.unusable("its node identity is not an Ed25519 public key"))?;
    let places = places.into_iter().flat_map(|places| places.split(','));
    let places = places.map(|place| parse_place(address, place)).collect::<Result<Vec<_>, _>>()?;
    Ok(EndpointAddr::from_parts(id, places))
}

/// Writes the address of a node that can be found at these places, or at as many
/// of them as an address has room for.
pub(crate) fn format<'a>(
    node: NodeId,
    places: impl IntoIterator<Item = &'a TransportAddr>,
) -> Result<Address, TransportError> {
    let mut rest = node.to_string();
    let mut separator = '@';
    for place in places {
        let place = match place {
            TransportAddr::Ip(socket) => socket.to_string(),
            TransportAddr::Relay(url) if !url.as_str().contains(',') => url.to_string(),
            // Not one of ours, or cannot be written in this form.
            _ => continue,
        };
        let bytes = SCHEME.len() + "://".len() + rest.len() + 1 + place.len();
        if bytes <= ADDRESS_BYTES_MAX {
            rest.push(separator);
            rest.push_str(&place);
            separator = ',';
        }
    }
    Address::new(SCHEME, &rest)
}

fn parse_place(address: &Address, place: &str) -> Result<TransportAddr, TransportError> {
    if place.contains("://") {
        let relay: RelayUrl =
            place.parse().map_err(|_| address.unusable(format!("{place:?} is not the URL of a relay")))?;
        return Ok(TransportAddr::Relay(relay));
    }
    let socket: SocketAddr = place
        .parse()
        .map_err(|_| address.unusable(format!("{place:?} is neither ip:port nor the URL of a relay")))?;
    if socket.port() == 0 {
        return Err(address.unusable("nobody can be reached at port 0"));
    }
    Ok(TransportAddr::Ip(socket))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node() -> NodeId {
        identity::node_id_of(&[7; 32])
    }

    #[test]
    fn addresses_round_trip() {
        for places in
            ["", "@127.0.0.1:4000", "@10.0.0.1:4000,[::1]:4001", "@https://relay.example/,10.0.0.1:4000"]
        {
            let address = Address::new(SCHEME, &format!("{}{places}", node())).unwrap();
            let parsed = parse(&address).unwrap();
            assert_eq!(identity::node_id(parsed.id), node());
            assert_eq!(format(node(), &parsed.addrs).unwrap(), address);
        }
    }

    #[test]
    fn what_cannot_be_read_is_refused_by_name() {
        let node = node();
        let no_key = NodeId::from_bytes([2; 32]);
        let rests = [
            "127.0.0.1:4000".to_owned(),
            format!("{no_key}@127.0.0.1:4000"),
            format!("{node}@"),
            format!("{node}@127.0.0.1"),
            format!("{node}@127.0.0.1:0"),
            format!("{node}@127.0.0.1:4000,"),
            format!("{node}@name.example:4000"),
            format!("{node}@https://"),
        ];
        for rest in rests {
            let address = Address::new(SCHEME, &rest).unwrap();
            let error = parse(&address).unwrap_err();
            assert!(matches!(error, TransportError::Address { .. }), "{error}");
            assert!(error.to_string().contains(&rest), "{error}");
        }
    }

    #[test]
    fn an_address_lists_no_more_places_than_it_has_room_for() {
        let places: Vec<_> =
            (1..200).map(|port| TransportAddr::Ip(SocketAddr::from(([10, 0, 0, 1], port)))).collect();
        let address = format(node(), &places).unwrap();
        assert!(address.as_str().len() <= ADDRESS_BYTES_MAX);
        assert!(parse(&address).unwrap().addrs.len() > 50);
    }
}
