//! Options that there are not, or that are there twice.
#![allow(dead_code, unused_variables)]

use actor_core::actor;

struct A;

#[actor(remot)]
impl A {}

struct B;

#[actor(local, local)]
impl B {}

struct C;

#[actor(pub, pub(crate))]
impl C {}

struct D;

#[actor(crate = "not a path")]
impl D {}

struct E;

#[actor(derive)]
impl E {}

struct F;

#[actor(remote, derive(RemoteMessage))]
impl F {}

struct G;

#[actor(crate = "actor_core", crate = "actor_core")]
impl G {}

fn main() {}
