//! Many machines in a world of events: joining, leaving, failing, and what nobody may be blamed for.

mod figures;
mod floods;
mod hearsay;
mod hostile;
mod life;
mod newcomers;
mod partitions;
mod stage;
mod world;
