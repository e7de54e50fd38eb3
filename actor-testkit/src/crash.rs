//! How nodes crash, simulated ones and processes.

/// How a node crashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Crash {
    /// Its process dies and its machine lives: peers see their connections reset, and who dials is refused.
    Reset,
    /// Its machine dies, or its cable is pulled: nobody hears anything. What peers have sent there is reset when the node is
    /// there again.
    Silent,
}
