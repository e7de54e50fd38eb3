//! Each way of sending takes the address's own type.

use actor_core::{ActorRef, ReplyPort, call, cast};

enum Bread {
    Bake,
    Count(ReplyPort<u32>),
}

enum Milk {
    Boil,
    Count(ReplyPort<u32>),
}

async fn mix_up(baker: ActorRef<Bread>) {
    let _ = baker.cast(Bread::Bake);
    let _ = baker.cast(Milk::Boil);
    let _ = baker.send(Milk::Boil).await;
    let _ = baker.call(Milk::Count).await;
    let _ = cast!(baker, Milk::Boil);
    let _ = call!(baker, Milk::Count);
    let _ = call!(baker, Bread::Count);
}

fn main() {}
