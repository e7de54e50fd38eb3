//! A struct that cannot leave its thread, without `local`.

use actor_core::actor;

struct Pinned(std::rc::Rc<u8>);

#[actor]
impl Pinned {
    fn get(&self) -> u8 {
        *self.0
    }
}

fn main() {}
