//! An untyped address has every control and no message.

use actor_core::{ActorCell, ActorRef};

fn send(actor: ActorRef<u64>) {
    let cell: ActorCell = actor.cell();
    cell.stop(None);
    let _ = cell.cast(1);
}

fn main() {}
