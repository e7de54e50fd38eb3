//! The warehouse: how many of each item are free, and which are reserved for an order.

use std::collections::BTreeMap;

use actor_durable::{Durable, DurableActor, DurableId, Turn};
use serde::{Deserialize, Serialize};

use super::{CARRIER, GOODS, Order, OrderCommand, Refusal, UNREACHABLE};

/// The warehouse.
#[derive(Clone, Copy, Debug)]
pub struct Warehouse {
    pub(super) stock: u32,
}

/// What the warehouse is asked to do. The order is told the outcome of each step.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields' names say it")]
pub enum WarehouseCommand {
    /// Reserves goods for an order.
    Reserve { order: String, goods: BTreeMap<String, u32> },
    /// Puts them back.
    Release { order: String },
    /// Ships them to a city.
    Ship { order: String, city: String },
    /// Asks for the state.
    Look,
}

/// The state of the warehouse.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WarehouseState {
    /// How many of each item are free.
    pub free: BTreeMap<String, u32>,
    /// What is reserved for each order.
    pub reserved: BTreeMap<String, BTreeMap<String, u32>>,
}

impl Durable for Warehouse {
    const TYPE: &'static str = "shop/warehouse";
    type State = WarehouseState;
    type Command = WarehouseCommand;
    type Reply = WarehouseState;
    type Error = Refusal;

    fn create(&self, _: &DurableId) -> WarehouseState {
        let free = GOODS.map(|(item, _)| (item.to_owned(), self.stock)).into();
        WarehouseState { free, reserved: BTreeMap::new() }
    }

    fn is_query(command: &WarehouseCommand) -> bool {
        matches!(command, WarehouseCommand::Look)
    }
}

impl DurableActor for Warehouse {
    async fn handle(
        &self,
        command: WarehouseCommand,
        state: &mut WarehouseState,
        turn: &mut Turn<'_, Self>,
    ) -> Result<WarehouseState, Refusal> {
        let (order, outcome) = match command {
            WarehouseCommand::Look => return Ok(state.clone()),
            WarehouseCommand::Reserve { order, goods } => {
                let outcome = state.reserve(&order, goods);
                (order, outcome)
            }
            WarehouseCommand::Release { order } => {
                state.release(&order);
                (order, Ok(()))
            }
            WarehouseCommand::Ship { order, city } if city == UNREACHABLE => {
                (order, Err(format!("nobody goes to {city}")))
            }
            WarehouseCommand::Ship { order, city } => {
                let goods = state.reserved.remove(&order).unwrap_or_default();
                let goods: Vec<_> = goods.iter().map(|(item, count)| format!("{count} {item}")).collect();
                turn.effect(CARRIER, None, format!("{order} to {city}: {}", goods.join(", ")))?;
                (order, Ok(()))
            }
        };
        turn.send::<Order>(&order, &OrderCommand::Step(outcome))?;
        Ok(WarehouseState::default())
    }
}

impl WarehouseState {
    /// Reserves all of the goods or none.
    fn reserve(&mut self, order: &str, goods: BTreeMap<String, u32>) -> Result<(), String> {
        let mut free = self.free.clone();
        for (item, count) in &goods {
            let there = free.get_mut(item).ok_or(format!("nobody makes a {item}"))?;
            *there = there.checked_sub(*count).ok_or(format!("there are not {count} of {item}"))?;
        }
        self.free = free;
        self.reserved.insert(order.to_owned(), goods);
        Ok(())
    }

    fn release(&mut self, order: &str) {
        for (item, count) in self.reserved.remove(order).unwrap_or_default() {
            *self.free.entry(item).or_default() += count;
        }
    }
}
