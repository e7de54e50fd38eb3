//! What actor-toolkit promises, test by test, in virtual time.

mod factory;
