//! Decisions about errors that cannot be.
#![allow(dead_code, unused_variables)]

use actor_core::{ActorError, Context, ErrorAction, actor};

struct Nothing;

#[actor]
impl Nothing {
    #[on_error]
    fn judge(&mut self) -> ErrorAction {
        ErrorAction::Stop
    }
}

struct Owned;

#[actor]
impl Owned {
    #[on_error]
    fn judge(&mut self, error: ActorError) -> ErrorAction {
        ErrorAction::Stop
    }
}

struct Mutable;

#[actor]
impl Mutable {
    #[on_error]
    fn judge(&mut self, error: &mut ActorError) -> ErrorAction {
        ErrorAction::Stop
    }
}

struct More;

#[actor]
impl More {
    #[on_error]
    fn judge(&mut self, error: &ActorError, more: u8) -> ErrorAction {
        ErrorAction::Stop
    }
}

struct InContext;

#[actor]
impl InContext {
    #[on_error]
    fn judge(&mut self, ctx: &Context<'_, InContextRef>, error: &ActorError) -> ErrorAction {
        ErrorAction::Stop
    }
}

struct Later;

#[actor]
impl Later {
    #[on_error]
    async fn judge(&mut self, error: &ActorError) -> ErrorAction {
        ErrorAction::Stop
    }
}

struct Silent;

#[actor]
impl Silent {
    #[on_error]
    fn judge(&mut self, error: &ActorError) {}
}

struct Twice;

#[actor]
impl Twice {
    #[on_error]
    fn judge(&mut self, error: &ActorError) -> ErrorAction {
        ErrorAction::Stop
    }

    #[on_error]
    fn judge_again(&mut self, error: &ActorError) -> ErrorAction {
        ErrorAction::Stop
    }
}

struct Both;

#[actor(fail_on_err)]
impl Both {
    #[on_error]
    fn judge(&mut self, error: &ActorError) -> ErrorAction {
        ErrorAction::Stop
    }
}

struct OtherError;

#[actor]
impl OtherError {
    #[on_error]
    fn judge(&mut self, error: &String) -> ErrorAction {
        ErrorAction::Stop
    }
}

struct OtherAnswer;

#[actor]
impl OtherAnswer {
    #[on_error]
    fn judge(&mut self, error: &ActorError) -> bool {
        true
    }
}

fn main() {}
