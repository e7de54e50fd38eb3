//! A generic actor whose parameters lack the bounds that a message needs.
#![allow(dead_code, unused_variables)]

use actor_core::actor;

struct Cell<T>(T);

#[actor]
impl<T> Cell<T> {
    fn put(&mut self, value: T) {}

    fn take(&mut self) -> Option<T> {
        None
    }
}

async fn use_it() -> Result<(), Box<dyn std::error::Error>> {
    let cell: CellRef<u8> = Cell(1_u8).spawn().await?;
    cell.put(2).cast()?;
    Ok(())
}

fn main() {}
