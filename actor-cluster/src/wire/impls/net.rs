//! Internet addresses: a byte that says 4 or 6, the address in network order, and
//! for sockets the port.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

use crate::wire::schema::{Form, Types};
use crate::wire::{DecodeError, DecodeErrorKind, Decoder, EncodeError, Encoder, TypeTag, Wire};

const V4: u8 = 4;
const V6: u8 = 6;

impl Wire for Ipv4Addr {
    const TYPE: TypeTag = TypeTag::named("ipv4");
    const ENCODED_BYTES_MIN: usize = 4;

    fn describe(_: &mut Types) -> Form {
        Form::named("ipv4")
    }

    fn encode(&self, enc: &mut Encoder<'_>) -> Result<(), EncodeError> {
        enc.put(&self.octets())
    }

    fn decode(dec: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        dec.take_array::<4>().map(Self::from)
    }
}

impl Wire for Ipv6Addr {
    const TYPE: TypeTag = TypeTag::named("ipv6");
    const ENCODED_BYTES_MIN: usize = 16;

    fn describe(_: &mut Types) -> Form {
        Form::named("ipv6")
    }

    fn encode(&self, enc: &mut Encoder<'_>) -> Result<(), EncodeError> {
        enc.put(&self.octets())
    }

    fn decode(dec: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        dec.take_array::<16>().map(Self::from)
    }
}

impl Wire for IpAddr {
    const TYPE: TypeTag = TypeTag::named("ip");
    const ENCODED_BYTES_MIN: usize = 1;

    fn describe(_: &mut Types) -> Form {
        Form::named("ip")
    }

    fn encode(&self, enc: &mut Encoder<'_>) -> Result<(), EncodeError> {
        match self {
            Self::V4(address) => (V4, *address).encode(enc),
            Self::V6(address) => (V6, *address).encode(enc),
        }
    }

    fn decode(dec: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        match u8::decode(dec)? {
            V4 => Ipv4Addr::decode(dec).map(Self::V4),
            V6 => Ipv6Addr::decode(dec).map(Self::V6),
            tag => Err(dec.error(DecodeErrorKind::BadTag { tag })),
        }
    }
}

/// A version 6 address keeps its flow information and its scope, though a scope
/// means something on one machine only.
impl Wire for SocketAddr {
    const TYPE: TypeTag = TypeTag::named("socket");
    const ENCODED_BYTES_MIN: usize = 1;

    fn describe(_: &mut Types) -> Form {
        Form::named("socket")
    }

    fn encode(&self, enc: &mut Encoder<'_>) -> Result<(), EncodeError> {
        match self {
            Self::V4(socket) => (V4, *socket.ip(), socket.port()).encode(enc),
            Self::V6(socket) => {
                (V6, *socket.ip(), socket.port(), socket.flowinfo(), socket.scope_id()).encode(enc)
            }
        }
    }

    fn decode(dec: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        match u8::decode(dec)? {
            V4 => Wire::decode(dec).map(|(ip, port)| SocketAddrV4::new(ip, port).into()),
            V6 => Wire::decode(dec)
                .map(|(ip, port, flow, scope)| SocketAddrV6::new(ip, port, flow, scope).into()),
            tag => Err(dec.error(DecodeErrorKind::BadTag { tag })),
        }
    }
}
