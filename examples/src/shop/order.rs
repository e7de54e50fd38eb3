//! An order. Its events are kept, and [`decide`](EventSourced::decide) is the table of its stages.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use actor_durable::{BadName, Decision, Durable, DurableId, EventSourced, RequestError, Turn};
use serde::{Deserialize, Serialize};

use super::{Account, AccountCommand, MAIL, TILL, WAREHOUSE, Warehouse, WarehouseCommand, account_of, price};

/// Orders.
#[derive(Clone, Copy, Debug)]
pub struct Order {
    pub(super) cart_kept: Duration,
}

/// What an order is asked to do.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields' names say it")]
pub enum OrderCommand {
    /// Adds some of an item.
    Add { item: String, count: u32 },
    /// The customer orders it, to a city.
    CheckOut { customer: String, city: String },
    /// The outcome of the current step.
    Step(Result<(), String>),
    /// Nothing was added for a while.
    Abandon,
    /// Asks for the stage.
    Look,
}

/// How far an order is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stage {
    /// Things are added.
    #[default]
    Cart,
    /// The goods are being set aside.
    Reserving,
    /// The money is on its way to the till.
    Paying,
    /// The goods are being sent.
    Shipping,
    /// The money is on its way back, for this reason.
    Refunding(String),
    /// The goods are put back, for this reason.
    Releasing(String),
    /// It is on its way to the customer.
    Shipped,
    /// It was cancelled for this reason, and every step was undone.
    Cancelled(String),
    /// Nobody wanted it.
    Abandoned,
}

/// What happens to an order.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum OrderEvent {
    /// Some of an item were added to the cart.
    Added { item: String, count: u32 },
    /// It was ordered, by this customer and to this city.
    CheckedOut { customer: String, city: String },
    /// It has reached this stage.
    Reached(Stage),
}

/// The state of an order.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct OrderState {
    goods: BTreeMap<String, u32>,
    customer: String,
    city: String,
    stage: Stage,
}

/// Why an order, an account or the warehouse refuses a command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal(pub String);

impl Durable for Order {
    const TYPE: &'static str = "shop/order";
    type State = OrderState;
    type Command = OrderCommand;
    type Reply = Stage;
    type Error = Refusal;

    fn create(&self, _: &DurableId) -> OrderState {
        OrderState::default()
    }

    fn is_query(command: &OrderCommand) -> bool {
        matches!(command, OrderCommand::Look)
    }
}

impl EventSourced for Order {
    type Event = OrderEvent;

    async fn decide(
        &self,
        command: OrderCommand,
        order: &OrderState,
        turn: &mut Turn<'_, Self>,
    ) -> Result<Decision<OrderEvent, Stage>, Refusal> {
        use OrderCommand::{Abandon, Add, CheckOut, Look, Step};
        let id = turn.id().to_string();
        match (command, order.stage.clone()) {
            (Look, stage) => Ok(Decision::reply(stage)),

            (Add { item, count }, Stage::Cart) => {
                order.can_hold(&item, count)?;
                turn.remind("abandon", turn.at().after(self.cart_kept), &Abandon)?;
                Ok(Decision::reply(Stage::Cart).event(OrderEvent::Added { item, count }))
            }
            (Abandon, Stage::Cart) => end(turn, Stage::Abandoned),
            // The customer was faster.
            (Abandon, stage) => Ok(Decision::reply(stage)),

            (CheckOut { customer, city }, Stage::Cart) => {
                if order.goods.is_empty() {
                    return Err(Refusal("the cart is empty".into()));
                }
                // It is checked now, as it could not be refused later.
                let payer = DurableId::new(account_of(&customer))?;
                if payer.as_str() == TILL {
                    return Err(Refusal("the till buys nothing".into()));
                }
                turn.cancel_reminder("abandon")?;
                let goods = order.goods.clone();
                turn.send::<Warehouse>(WAREHOUSE, &WarehouseCommand::Reserve { order: id, goods })?;
                let checked_out = OrderEvent::CheckedOut { customer, city };
                Ok(Decision::reply(Stage::Reserving).event(checked_out).event(reached(Stage::Reserving)))
            }

            // Forward:
            (Step(Ok(())), Stage::Reserving) => {
                let (from, to, amount) = (account_of(&order.customer), TILL.into(), order.total());
                turn.send::<Account>(&from, &AccountCommand::Pay { order: id, to, amount })?;
                enter(Stage::Paying)
            }
            (Step(Ok(())), Stage::Paying) => {
                let city = order.city.clone();
                turn.send::<Warehouse>(WAREHOUSE, &WarehouseCommand::Ship { order: id, city })?;
                enter(Stage::Shipping)
            }
            (Step(Ok(())), Stage::Shipping) => end(turn, Stage::Shipped),

            // Backward, from the step that was refused:
            (Step(Err(why)), Stage::Shipping) => {
                let (to, amount) = (account_of(&order.customer), order.total());
                turn.send::<Account>(TILL, &AccountCommand::Pay { order: id, to, amount })?;
                enter(Stage::Refunding(why))
            }
            (Step(Err(why)), Stage::Paying) | (Step(Ok(())), Stage::Refunding(why)) => {
                turn.send::<Warehouse>(WAREHOUSE, &WarehouseCommand::Release { order: id })?;
                enter(Stage::Releasing(why))
            }
            (Step(Err(why)), Stage::Reserving) | (Step(Ok(())), Stage::Releasing(why)) => {
                end(turn, Stage::Cancelled(why))
            }

            (_, stage) => Err(Refusal(format!("the order is {stage}"))),
        }
    }

    fn apply(&self, order: &mut OrderState, event: &OrderEvent) {
        match event.clone() {
            OrderEvent::Added { item, count } => *order.goods.entry(item).or_default() += count,
            OrderEvent::CheckedOut { customer, city } => (order.customer, order.city) = (customer, city),
            OrderEvent::Reached(stage) => order.stage = stage,
        }
    }
}

impl OrderState {
    /// Whether so many more of something may be added.
    fn can_hold(&self, item: &str, count: u32) -> Result<(), Refusal> {
        let known = price(item).ok_or(Refusal(format!("there is no {item}")));
        known.map(drop)?;
        let more = self.goods.get(item).map_or(Some(count), |held| held.checked_add(count));
        more.map(drop).ok_or(Refusal("so many are in no warehouse".into()))
    }

    fn total(&self) -> u64 {
        self.goods.iter().map(|(item, count)| price(item).unwrap_or(0) * u64::from(*count)).sum()
    }
}

fn reached(stage: Stage) -> OrderEvent {
    OrderEvent::Reached(stage)
}

fn enter(stage: Stage) -> Result<Decision<OrderEvent, Stage>, Refusal> {
    Ok(Decision::reply(stage.clone()).event(reached(stage)))
}

/// The customer gets a letter.
fn end(turn: &mut Turn<'_, Order>, stage: Stage) -> Result<Decision<OrderEvent, Stage>, Refusal> {
    turn.effect(MAIL, None, format!("{} is {stage}", turn.id()))?;
    enter(stage)
}

impl Stage {
    /// Whether nothing happens to the order any more.
    pub fn is_end(&self) -> bool {
        matches!(self, Self::Shipped | Self::Cancelled(_) | Self::Abandoned)
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cart => f.write_str("a cart"),
            Self::Reserving => f.write_str("being reserved"),
            Self::Paying => f.write_str("being paid"),
            Self::Shipping => f.write_str("being shipped"),
            Self::Refunding(why) => write!(f, "being refunded: {why}"),
            Self::Releasing(why) => write!(f, "being released: {why}"),
            Self::Shipped => f.write_str("shipped"),
            Self::Cancelled(why) => write!(f, "cancelled: {why}"),
            Self::Abandoned => f.write_str("abandoned"),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<RequestError> for Refusal {
    fn from(why: RequestError) -> Self {
        Self(why.to_string())
    }
}

impl From<BadName> for Refusal {
    fn from(why: BadName) -> Self {
        Self(why.to_string())
    }
}
