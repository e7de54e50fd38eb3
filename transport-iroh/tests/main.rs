//! The transport as its users see it: the contract that every transport keeps,
//! and what is Iroh's own.

mod cases {
    mod company;
    mod ends;
    mod quiet;
    mod reach;
    mod strangers;
    mod trust;
    mod world;

    mod suite {
        actor_cluster::transport_suite!(super::world::World);
    }
}
