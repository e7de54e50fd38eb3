//! The transport over Iroh on networks of the test's own making: namespaces of Linux, joined by wires that can be counted
//! and cut. Whoever may not make them skips these tests, and is told; where `CI` is set, that is a failure.

#[cfg(target_os = "linux")]
mod lab;
#[cfg(target_os = "linux")]
mod moved;
#[cfg(target_os = "linux")]
mod quiet;
#[cfg(target_os = "linux")]
mod relayed;
