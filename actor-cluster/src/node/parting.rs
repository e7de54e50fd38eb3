//! Streams and connections that come to nothing: the peer is told why, and nobody
//! waits for that.

use std::sync::Arc;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::OwnedSemaphorePermit;

use super::Node;
use crate::error::{ConnectError, HandshakeError};
use crate::transport::{CloseCode, CloseReason, ClusterBidiStream, Connection};

/// A stream that is for no session.
pub(super) struct Refusal {
    pub(super) error: ConnectError,
    /// The stream, and what the peer is still to be told on it.
    last_word: Option<LastWord>,
    /// Whether another stream to the same node got in the way, so that it is worth
    /// while to dial again.
    pub(super) is_passing: bool,
}

struct LastWord {
    stream: Box<dyn ClusterBidiStream>,
    word: Bytes,
}

impl Refusal {
    /// The nodes could not agree; the peer is told, unless it was the peer who said
    /// so.
    pub(super) fn told(error: HandshakeError, stream: Box<dyn ClusterBidiStream>) -> Self {
        let is_known = matches!(error, HandshakeError::Refused(_));
        let last_word = (!is_known).then(|| LastWord { stream, word: error.refusal() });
        Self { is_passing: is_changed(&error), error: error.into(), last_word }
    }

    /// There is nothing to say, or nobody to say it to.
    pub(super) fn silent(error: impl Into<ConnectError>) -> Self {
        let error = error.into();
        let is_passing = matches!(&error, ConnectError::Handshake(error) if is_changed(error));
        Self { error, last_word: None, is_passing }
    }

    /// Says that it is worth while to dial again.
    pub(super) fn passing(self) -> Self {
        Self { is_passing: true, ..self }
    }
}

fn is_changed(error: &HandshakeError) -> bool {
    match error {
        HandshakeError::Changed => true,
        HandshakeError::Refused(theirs) => **theirs == HandshakeError::Changed,
        _ => false,
    }
}

/// What is held until the peer has been told.
#[derive(Default)]
pub(super) struct Held {
    connection: Option<Box<dyn Connection>>,
    /// Given back when it is dropped.
    _place: Option<OwnedSemaphorePermit>,
}

impl Held {
    pub(super) fn connection(connection: Box<dyn Connection>) -> Self {
        Self { connection: Some(connection), _place: None }
    }

    pub(super) fn and_place(self, place: Option<OwnedSemaphorePermit>) -> Self {
        Self { _place: place, ..self }
    }
}

impl Node {
    /// Tells the peer why not, in the background, and closes what there was.
    pub(super) fn part(self: &Arc<Self>, refusal: Refusal, held: Held) -> ConnectError {
        let Refusal { error, last_word, .. } = refusal;
        match last_word {
            Some(LastWord { stream, word }) => self.say_last(stream, word, held),
            None => close(held.connection.as_deref()),
        }
        error
    }

    /// Says a last word on a stream, in the background, and closes what there was.
    /// Closing at once could overtake it, so the peer hangs up first, if it does so
    /// in time.
    pub(super) fn say_last(
        self: &Arc<Self>,
        mut stream: Box<dyn ClusterBidiStream>,
        word: Bytes,
        held: Held,
    ) {
        let (executor, patience) = (self.executor().clone(), self.handshake_timeout());
        self.spawn_intake(async move {
            let said = async {
                stream.write_all(&word).await?;
                stream.flush().await?;
                stream.shutdown().await?;
                let mut rest = [0; 64];
                while stream.read(&mut rest).await? > 0 {}
                std::io::Result::Ok(())
            };
            drop(executor.timeout(patience, said).await);
            stream.close(&CloseReason::from(CloseCode::Refused));
            close(held.connection.as_deref());
        });
    }
}

fn close(connection: Option<&dyn Connection>) {
    if let Some(connection) = connection {
        connection.close(&CloseReason::from(CloseCode::Refused));
    }
}
