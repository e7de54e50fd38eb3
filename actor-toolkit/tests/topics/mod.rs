//! Topics: who gets what, and what a slow or dead subscriber costs.

mod ends;
mod slow;
mod words;
