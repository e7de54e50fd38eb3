//! Options that a durable actor does not have, or that are not as they have to be.
#![allow(dead_code, unused_variables)]

use actor_core::actor;

struct A;

#[actor(durable, remembred = 3)]
impl A {}

struct B;

#[actor(durable, durable)]
impl B {}

struct C;

#[actor(durable, version = 1, version = 2)]
impl C {}

struct D;

#[actor(pub, durable, pub(crate))]
impl D {}

struct E;

#[actor(durable, crate = "not a path")]
impl E {}

struct F;

#[actor(durable = "")]
impl F {}

struct G;

#[actor(durable = "a\nb")]
impl G {}

struct H;

#[actor(durable = 3)]
impl H {}

struct I;

#[actor(durable, idle)]
impl I {}

struct J;

#[actor(durable, durability = Eager)]
impl J {}

struct K;

#[actor(durable, durability = WriteBack)]
impl K {}

struct L;

#[actor(durable, durability = "Lazy")]
impl L {}

struct M;

#[actor(durable, upcast = older)]
impl M {}

struct N;

#[actor(durable, version = 2, upcast = 1)]
impl N {}

struct O;

#[actor(durable, derive)]
impl O {}

struct P;

#[actor(durable, local)]
impl P {}

struct Q;

#[actor(durable, remote)]
impl Q {}

struct R;

#[actor(durable, fail_on_err)]
impl R {}

struct S;

#[actor(durable, ageing = 3)]
impl S {}

struct T;

#[actor(durable, message(derive(Debug)))]
impl T {}

struct U;

#[actor(durable, structs(derive(Debug)))]
impl U {}

fn main() {}
