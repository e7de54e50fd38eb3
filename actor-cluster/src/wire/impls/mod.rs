//! The wire forms of types that are not ours. One file for each family; no file
//! knows another.

mod collection;
mod identity;
mod net;
mod number;
mod product;
mod sum;
mod text;
mod time;
