//! What holds for one door only, and what takes threads.

mod colocation;
mod deep;
mod fairness;
mod instant;
mod line;
mod local;
mod multi;
mod observe;
mod owned;
mod runtime_gone;
mod seam;
mod sizes;
mod stress;
mod systems;
mod traced;
