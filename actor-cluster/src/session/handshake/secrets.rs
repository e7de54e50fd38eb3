//! The secrets of a cluster, by which its nodes know each other: one that is current, and others that still are, or already
//! are, as good. Must not live here: what is proven by them (`said.rs`).

use std::fmt;
use std::sync::Arc;

use zeroize::Zeroizing;

use crate::limits::{SECRET_BYTES_LEAST, SECRETS_MAX};

/// A shared secret. It stays out of logs, and its memory is wiped when the last who has it is gone.
#[derive(Clone)]
pub(crate) struct Secret(Arc<Zeroizing<Vec<u8>>>);

impl Secret {
    /// Of any length: whoever takes it from a user has checked it.
    pub(crate) fn new(bytes: &[u8]) -> Self {
        Self(Arc::new(Zeroizing::new(bytes.to_vec())))
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// What the nodes of a cluster prove to each other to know: a secret, and while it is being replaced those that are
/// accepted beside it.
///
/// A proof shows whoever sees it what a guess can be tried against, at as many guesses a second as a machine can
/// hash; and who can open a stream to a node can have one. So a secret is 32 random bytes, as `openssl rand -hex 32` writes
/// them, and no word: at least [`SECRET_BYTES_LEAST`] bytes, which cannot tell whether they are random.
///
/// # Replacing it
///
/// On each node, by [`NodeServer::set_secrets`](crate::NodeServer::set_secrets), each step everywhere before the next:
///
/// 1. `Secrets::new(old)?.accepting(new)?`: everybody knows both, and proves the old one.
/// 2. `Secrets::new(new)?.accepting(old)?`: everybody proves the new one.
/// 3. `Secrets::new(new)?`: the old one is worth nothing.
///
/// Nodes that are a step apart understand each other. Sessions are left as they are: whoever came in by the old secret
/// stays until its session ends.
///
/// ```
/// # use actor_cluster::{NodeServer, SecretError, Secrets};
/// # fn example(node: &NodeServer, old: &[u8], new: &[u8]) -> Result<(), SecretError> {
/// node.set_secrets(Secrets::new(old)?.accepting(new)?);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Secrets(Arc<[Secret]>);

impl Secrets {
    /// One secret, which is copied. The caller's own copy is the caller's to wipe.
    ///
    /// # Errors
    ///
    /// [`SecretError::TooShort`].
    pub fn new(current: impl AsRef<[u8]>) -> Result<Self, SecretError> {
        Ok(Self(Arc::new([checked(current.as_ref())?])))
    }

    /// The same, and another one that is as good as the current one, though this node does not prove it of its own accord.
    ///
    /// # Errors
    ///
    /// See [`SecretError`].
    pub fn accepting(self, other: impl AsRef<[u8]>) -> Result<Self, SecretError> {
        if self.0.len() >= SECRETS_MAX {
            return Err(SecretError::TooMany);
        }
        let other = checked(other.as_ref())?;
        Ok(Self(self.0.iter().cloned().chain([other]).collect()))
    }

    /// Of any length, see [`Secret::new`].
    #[cfg(any(test, feature = "fuzzing"))]
    pub(crate) fn of(secrets: &[&[u8]]) -> Self {
        Self(secrets.iter().map(|secret| Secret::new(secret)).collect())
    }

    pub(super) fn current(&self) -> &Secret {
        &self.0[0]
    }

    /// The current one first.
    pub(super) fn accepted(&self) -> impl Iterator<Item = &Secret> {
        self.0.iter()
    }
}

fn checked(bytes: &[u8]) -> Result<Secret, SecretError> {
    if bytes.len() < SECRET_BYTES_LEAST {
        return Err(SecretError::TooShort { bytes: bytes.len() });
    }
    Ok(Secret::new(bytes))
}

/// How many there are, and nothing of them.
impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secrets({})", self.0.len())
    }
}

/// A secret cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SecretError {
    /// It can be guessed from what a node shows to whoever dials it.
    #[error("a secret of {bytes} bytes can be guessed: take 32 random ones, {SECRET_BYTES_LEAST} at least")]
    TooShort {
        /// How long it is.
        bytes: usize,
    },
    /// So many secrets at once are none: each is tried for whoever dials.
    #[error(
        "a node takes no more than {SECRETS_MAX} secrets at once: leave out those that are replaced everywhere"
    )]
    TooMany,
}

#[cfg(test)]
mod tests {
    use zeroize::ZeroizeOnDrop;

    use super::*;

    const LONG: &[u8] = &[7; SECRET_BYTES_LEAST];

    #[test]
    fn a_secret_that_can_be_guessed_is_refused() {
        let bytes = SECRET_BYTES_LEAST - 1;
        assert_eq!(Secrets::new(&LONG[1..]).unwrap_err(), SecretError::TooShort { bytes });
        let one = Secrets::new(LONG).unwrap();
        assert_eq!(one.clone().accepting("").unwrap_err(), SecretError::TooShort { bytes: 0 });
        let all = (1..SECRETS_MAX).try_fold(one, |secrets, _| secrets.accepting(LONG)).unwrap();
        assert_eq!(all.accepted().count(), SECRETS_MAX);
        assert_eq!(all.accepting(LONG).unwrap_err(), SecretError::TooMany);
    }

    #[test]
    fn secrets_are_wiped_from_memory_and_kept_out_of_texts() {
        fn is_wiped<T: ZeroizeOnDrop>(_: &T) {}
        let secrets = Secrets::new("correct horse battery staple").unwrap();
        is_wiped(&*secrets.current().0);
        let text = format!("{secrets:?} {:?}", secrets.current());
        assert_eq!(text, "Secrets(1) Secret(…)");
    }
}
