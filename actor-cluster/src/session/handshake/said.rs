//! What was said in a handshake, as one side has it: what it says itself, what it finds in what the peer
//! says, and the proofs over all of it.

use hmac::{Hmac, KeyInit, Mac};
use prost::Message;
use sha2::{Digest, Sha256};

use super::{
    Carried, Channel, HandshakeError, Myself, NONCE_BYTES, Peer, Secret, SessionId, VERSIONS, life_of,
    node_of, violation,
};
use crate::event::PeerInfo;
use crate::id::NodeId;
use crate::limits::{
    MESSAGE_BYTES_MAX_LEAST, MESSAGE_BYTES_MAX_MOST, NODE_NAME_BYTES_MAX, WINDOW_BYTES_LEAST,
};
use crate::transport::PeerIdentity;
use crate::wire::hello::{Hello, REPORT_DEAD_LETTERS};

/// Who proves that it knows the secret: the two proofs of one handshake differ.
#[derive(Clone, Copy)]
pub(super) enum Role {
    Dialler,
    Acceptor,
}

impl Role {
    const fn label(self) -> &'static [u8] {
        match self {
            Role::Dialler => b"actor-cluster 1 dialler",
            Role::Acceptor => b"actor-cluster 1 acceptor",
        }
    }
}

/// One side's view of a handshake: itself, the channel, and everything said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(super) myself: Myself,
    channel: Channel,
    pub(super) lanes: Carried,
    expected: Option<NodeId>,
    /// Which of the secrets the proofs of this handshake are of: the acceptor's current one.
    secret: Option<Secret>,
    transcript: Sha256,
}

impl Said {
    pub(super) fn new(
        myself: Myself,
        channel: Channel,
        lanes: Carried,
        expected: Option<NodeId>,
    ) -> Result<Self, HandshakeError> {
        if channel.identity == PeerIdentity::Anonymous && myself.secrets.is_none() {
            return Err(HandshakeError::NoSecret);
        }
        let transcript = Sha256::new_with_prefix(b"actor-cluster 1 handshake");
        let secret = myself.secrets.as_ref().map(|secrets| secrets.current().clone());
        Ok(Self { myself, channel, lanes, expected, secret, transcript })
    }

    pub(super) fn hello(&self, nonce: [u8; NONCE_BYTES]) -> Vec<u8> {
        Hello {
            version_min: *VERSIONS.start(),
            version_max: *VERSIONS.end(),
            cluster: self.myself.cluster.clone(),
            node: self.myself.life.node.as_bytes().to_vec(),
            incarnation: self.myself.life.incarnation.as_u64(),
            name: self.myself.name.clone(),
            nonce: nonce.to_vec(),
            lanes: self.lanes.lanes.bits(),
            data_lanes: u32::from(self.lanes.data_lanes),
            message_bytes_max: self.myself.message_bytes_max,
            window_bytes: self.myself.window_bytes,
            capabilities: self.myself.capabilities.bits(),
            reports: if self.myself.wants_dead_letters { REPORT_DEAD_LETTERS } else { 0 },
        }
        .encode_to_vec()
    }

    /// Adds a hello to the transcript, behind its length so that no two
    /// exchanges have the same one.
    pub(super) fn and(mut self, hello: &[u8]) -> Self {
        self.transcript.update((hello.len() as u64).to_le_bytes());
        self.transcript.update(hello);
        self
    }

    /// Adds a session's name, or its absence, to the transcript.
    pub(super) fn and_session(mut self, session: u64) -> Self {
        self.transcript.update(session.to_le_bytes());
        self
    }

    pub(super) fn check_hello(&self, bytes: &[u8]) -> Result<Hello, HandshakeError> {
        let hello = Hello::decode(bytes).map_err(|error| violation(&error.to_string()))?;
        if hello.version_min > *VERSIONS.end() || hello.version_max < *VERSIONS.start() {
            return Err(HandshakeError::Version { min: hello.version_min, max: hello.version_max });
        }
        if [&hello.cluster, &hello.name].iter().any(|text| text.len() > NODE_NAME_BYTES_MAX) {
            return Err(violation("a name over the limit"));
        }
        if hello.cluster != self.myself.cluster {
            return Err(HandshakeError::Cluster(hello.cluster));
        }
        let node = node_of(&hello)?;
        if node == self.myself.life.node {
            return Err(HandshakeError::Myself);
        }
        let known = match self.channel.identity {
            PeerIdentity::Node(proven) => Some(proven),
            PeerIdentity::Anonymous => None,
        };
        if let Some(actual) = known.filter(|proven| *proven != node) {
            return Err(HandshakeError::Identity { claimed: node, actual });
        }
        if let Some(claimed) = self.expected.filter(|expected| *expected != node) {
            return Err(HandshakeError::Identity { claimed, actual: node });
        }
        if hello.nonce.len() != NONCE_BYTES {
            return Err(violation("a nonce of another length"));
        }
        Ok(hello)
    }

    /// Who has said this hello.
    pub(super) fn who(&self, hello: &Hello) -> Result<PeerInfo, HandshakeError> {
        let life = life_of(hello)?;
        let is_proven = self.channel.identity == PeerIdentity::Node(life.node);
        Ok(PeerInfo { node: life.node, incarnation: life.incarnation, name: hello.name.clone(), is_proven })
    }

    /// The proof; empty where this node has no secret.
    pub(super) fn proof(&self, role: Role) -> Vec<u8> {
        let mac = self.secret.as_ref().map(|secret| self.mac(secret, role));
        mac.map_or_else(Vec::new, |mac| mac.finalize().into_bytes().to_vec())
    }

    /// Checks a proof of the secret that this handshake is about.
    pub(super) fn check_proof(&self, role: Role, proof: &[u8]) -> Result<(), HandshakeError> {
        match &self.secret {
            Some(secret) if self.is_proof(secret, role, proof) => Ok(()),
            Some(_) => Err(HandshakeError::Secret),
            // The stream's identity is proof enough where no secret is configured.
            None => Ok(()),
        }
    }

    /// Checks the acceptor's proof, which may be of any secret that is accepted here. From then on the handshake is
    /// about that one: it is what the acceptor demands.
    pub(super) fn settle_secret(self, role: Role, proof: &[u8]) -> Result<Self, HandshakeError> {
        let Some(secrets) = &self.myself.secrets else { return Ok(self) };
        let fits = secrets.accepted().find(|secret| self.is_proof(secret, role, proof)).cloned();
        Ok(Self { secret: Some(fits.ok_or(HandshakeError::Secret)?), ..self })
    }

    fn is_proof(&self, secret: &Secret, role: Role, proof: &[u8]) -> bool {
        // Compares in constant time.
        self.mac(secret, role).verify_slice(proof).is_ok()
    }

    fn mac(&self, secret: &Secret, role: Role) -> Hmac<Sha256> {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length");
        mac.update(role.label());
        mac.update(&self.transcript.clone().finalize());
        match &self.channel.binding {
            Some(binding) => {
                mac.update(&[1]);
                mac.update(binding.as_bytes());
            }
            None => mac.update(&[0]),
        }
        mac
    }

    pub(super) fn peer(
        &self,
        hello: &Hello,
        Carried { lanes, data_lanes }: Carried,
        session: SessionId,
        had: Option<SessionId>,
        dialler: NodeId,
    ) -> Result<Peer, HandshakeError> {
        let message_bytes_max = hello.message_bytes_max as usize;
        if message_bytes_max < MESSAGE_BYTES_MAX_LEAST || hello.window_bytes < WINDOW_BYTES_LEAST {
            return Err(violation("limits too small to talk"));
        }
        Ok(Peer {
            life: life_of(hello)?,
            name: hello.name.clone(),
            is_proven: self.who(hello)?.is_proven,
            lanes,
            data_lanes,
            message_bytes_max: message_bytes_max.min(MESSAGE_BYTES_MAX_MOST),
            window_bytes: hello.window_bytes,
            capabilities: self.myself.capabilities.shared_with(hello.capabilities),
            wants_dead_letters: hello.reports & REPORT_DEAD_LETTERS != 0,
            session,
            had,
            dialler,
        })
    }
}
