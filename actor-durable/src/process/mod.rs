//! What the references, the activations and the services of a process have in common: which activations there are, and what they
//! share. Must not live here: what an activation does, and what the services do.

mod active;
mod adoption;
mod delivery;
mod id_generator;
mod lease;
mod mail_flag;
mod shared;
mod suspect;

pub(crate) use self::active::{ActivationEnd, ActivationGuard, Active, Reservation};
pub(crate) use self::delivery::{NotDelivered, Sender};
pub(crate) use self::mail_flag::MailFlag;
pub(crate) use self::shared::{Registered, Shared, Wakeup};
