//! Whole nodes in one process, over pipes: what a program sees of a cluster.

mod calls;
mod conflicts;
mod economy;
mod events;
mod external;
mod fates;
mod flow;
mod groups;
mod links;
mod long;
mod loss;
mod modes;
mod names;
mod once;
mod plain;
mod references;
mod renewal;
mod resume;
mod rights;
mod secrets;
mod serde;
mod sessions;
mod settings;
mod shutdown;
mod spawning;
mod statistics;
mod stress;
mod support;
mod traces;
mod trust;
mod urgent;
mod versions;
mod watches;
mod ways;

use self::support::Network;
