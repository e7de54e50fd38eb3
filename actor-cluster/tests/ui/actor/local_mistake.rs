//! What stands for a spawn with a mistake borrows its spawner no more than the spawn would.
#![allow(dead_code, unused_variables)]

use std::future::IntoFuture;

use actor_core::{LocalSpawner, SpawnError, actor};

struct Notes;

#[actor(local)]
impl Notes {
    #[init]
    fn open(self, name: String) -> Self {
        Notes
    }
}

fn start(spawner: LocalSpawner) -> impl Future<Output = Result<NotesRef, SpawnError>> + 'static {
    Notes::spawn(&spawner, "x".to_owned()).name("notes").into_future()
}

fn main() {}
