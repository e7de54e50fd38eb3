//! The real binary on real files: what it says to the letter, and that it leaves them as they were.
#![allow(clippy::missing_panics_doc, reason = "tests panic")]

mod compacting;
mod files;
mod inspecting;
mod scene;
mod verifying;
