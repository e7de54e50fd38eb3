//! The mailbox above its queue: the line of waiting senders, step by step, under
//! every schedule of small models (loom), under many schedules of larger ones
//! (shuttle), and an oracle that watches random traffic of real threads.
//!
//! ```text
//!  sending         one poll after another, every state of a wait
//!  bad_input       absurd capacities, sizes and destructors
//!  stress          random traffic, also through tokio's channel
//!  every_schedule  of the smallest cases    --cfg actor_loom
//!  many_schedules  of larger ones           --cfg actor_shuttle
//! ```

#[cfg(not(any(actor_loom, actor_shuttle)))]
mod bad_input;
#[cfg(actor_loom)]
mod every_schedule;
#[cfg(actor_shuttle)]
mod many_schedules;
#[cfg(not(any(actor_loom, actor_shuttle)))]
mod sending;
#[cfg(not(any(actor_loom, actor_shuttle)))]
mod stress;

use super::*;

/// What a mailbox lies in, with nothing beside it.
struct Cell<M> {
    mailbox: Mailbox<M>,
}

impl<M> Owner<M> for Cell<M> {
    fn mailbox(&self) -> &Mailbox<M> {
        &self.mailbox
    }
}

/// Both ends of a mailbox; no bound is `None`.
fn mailbox<M>(bound: Option<usize>) -> (Arc<Cell<M>>, Inbox<M, Cell<M>>) {
    mailbox_with(bound, Overflow::Block)
}

fn mailbox_with<M>(bound: Option<usize>, overflow: Overflow) -> (Arc<Cell<M>>, Inbox<M, Cell<M>>) {
    let capacity = bound.map_or(Capacity::Unbounded, |bound| Capacity::try_from(bound).unwrap());
    let cell = Arc::new(Cell { mailbox: Mailbox::new(capacity, overflow, Tags::None) });
    (cell.clone(), Inbox::new(cell))
}

/// What there is to receive, taken out.
enum Got<M> {
    Message(M),
    Closed,
    Empty,
    Busy,
}

fn receive<M>(inbox: &mut Inbox<M, Cell<M>>) -> Got<M> {
    match inbox.receive(false) {
        Taken::Message(delivery) => Got::Message(delivery.take()),
        Taken::Closed => Got::Closed,
        Taken::Empty => Got::Empty,
        Taken::Busy => Got::Busy,
    }
}
