//! A saga: a journey is booked step by step, each with a service of its own. If one refuses, what
//! was done is undone, the last first.
//!
//! ```text
//!  book("hotel") ✓ ─► book("flight") ✓ ─► book("car") ✗
//!  cancel("hotel") ◄── cancel("flight") ◄──┘
//! ```
//!
//! The saga knows addresses only; the services answer through the broker.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actor_core::{Actor, ActorError, ActorRef, ActorSystem, SpawnError, SpawnOptions};
use actor_toolkit::broker::{Broker, CorrelationId};

/// What a service is asked. It answers whether it did it.
enum Order {
    Book(CorrelationId),
    Cancel(CorrelationId),
}

type Services = Broker<Order, bool>;

/// What happened, in order.
type Diary = Arc<Mutex<Vec<String>>>;

/// Books one thing, or has none left.
struct Service {
    name: &'static str,
    has_room: bool,
    services: Services,
    diary: Diary,
}

impl Actor for Service {
    type Msg = Order;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, myself: &ActorRef<Order>, (): ()) -> Result<(), ActorError> {
        self.services.bind(self.name, myself)?;
        Ok(())
    }

    async fn handle(&self, _: &ActorRef<Order>, order: Order, (): &mut ()) -> Result<(), ActorError> {
        let (id, is_done, what) = match order {
            Order::Book(id) if self.has_room => (id, true, "booked"),
            Order::Book(id) => (id, false, "refused"),
            Order::Cancel(id) => (id, true, "cancelled"),
        };
        self.diary.lock().unwrap_or_else(PoisonError::into_inner).push(format!("{} {what}", self.name));
        // Who asked may have given up.
        _ = self.services.answer(id, is_done);
        Ok(())
    }
}

/// Books everything, or nothing. Whether it did.
async fn book(services: &Services, journey: &[&str]) -> bool {
    const PATIENCE: Duration = Duration::from_secs(5);
    for (done, step) in journey.iter().enumerate() {
        // No answer is no booking, for all one knows; so that step is undone too.
        let undo = match services.request(step, PATIENCE, Order::Book).await {
            Ok(true) => continue,
            Ok(false) => done,
            Err(_) => done + 1,
        };
        for step in journey[..undo].iter().rev() {
            // A service that is not there has nothing to undo.
            _ = services.request(step, PATIENCE, Order::Cancel).await;
        }
        return false;
    }
    true
}

/// Books a journey of three steps, of which some have room.
async fn travel(system: &ActorSystem, has_room: [bool; 3]) -> Result<(bool, Vec<String>), SpawnError> {
    let (services, diary) = (Services::new(system), Diary::default());
    let journey = ["hotel", "flight", "car"];
    for (name, has_room) in journey.into_iter().zip(has_room) {
        let service = Service { name, has_room, services: services.clone(), diary: diary.clone() };
        system.spawn(service, (), SpawnOptions::new()).await?;
    }
    let is_booked = book(&services, &journey).await;
    let diary = std::mem::take(&mut *diary.lock().unwrap_or_else(PoisonError::into_inner));
    Ok((is_booked, diary))
}

#[tokio::main]
async fn main() -> Result<(), SpawnError> {
    let (is_booked, diary) = travel(&ActorSystem::new(), [true, true, false]).await?;
    assert!(!is_booked && diary.last().is_some_and(|last| last == "hotel cancelled"));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn c27_a_saga_undoes_what_it_did_the_last_first() {
        let system = ActorSystem::new();
        let booked = ["hotel booked", "flight booked", "car booked"];
        assert_eq!(travel(&system, [true; 3]).await.unwrap(), (true, booked.map(str::to_owned).to_vec()));
        let undone = ["hotel booked", "flight booked", "car refused", "flight cancelled", "hotel cancelled"];
        let (is_booked, diary) = travel(&system, [true, true, false]).await.unwrap();
        assert_eq!((is_booked, diary), (false, undone.map(str::to_owned).to_vec()));
        let (is_booked, diary) = travel(&system, [false, true, true]).await.unwrap();
        assert_eq!((is_booked, diary), (false, vec!["hotel refused".to_owned()]));
    }
}
