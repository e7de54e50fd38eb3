//! Traces that go on across nodes: what a message brings along of its sender's ([`context`]), and who
//! reads and writes that ([`propagator`]). `docs/PROTOCOL.md` §4.8.
//!
//! ```text
//!  a hook sends ── inject ──► TraceContext ··· Annotate ··· TraceContext ── extract ──► Span
//!   in its span                                                      of the handler ◄────┘
//! ```

mod context;
mod propagator;

pub use self::context::{TraceContext, TraceContextError};
pub use self::propagator::Propagator;
