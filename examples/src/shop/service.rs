//! The shop as a service: a line for each request, and a line for its answer.
//!
//! ```text
//!  KEY add ORDER ITEM COUNT            KEY ok the order is a cart
//!  KEY checkout ORDER CUSTOMER CITY    KEY ok the order is being reserved
//!  KEY deposit CUSTOMER CENTS          KEY refused why, and it will be again
//!  KEY order ORDER                     KEY failed why; ask again with the same key
//!  KEY account CUSTOMER
//!  KEY stock
//! ```
//!
//! The key is a name that the customer gives the request, with the time when it was first made: `1790000000000/add-7`. A request with
//! the same key takes effect once, however often it is sent.

use std::io;

use actor_durable::{AskError, DurableRef, MessageId, WallTime};
use tokio::io::{AsyncRead, AsyncWrite};

use super::{Account, AccountCommand, Order, OrderCommand, Refusal, Shop, WarehouseCommand};
use crate::lines;

/// Answers until there are no more lines.
///
/// # Errors
///
/// As [`lines::serve`].
pub async fn serve(
    shop: Shop,
    input: impl AsyncRead + Unpin,
    output: impl AsyncWrite + Unpin,
) -> io::Result<()> {
    lines::serve(input, output, |line| {
        let shop = shop.clone();
        async move {
            let words: Vec<_> = line.split(' ').collect();
            let (key, request) = words.split_first().unwrap_or((&"", &[]));
            match shop.ask(key, request).await {
                Ok(answer) => format!("{key} ok {answer}"),
                Err(AskError::Refused(why)) => format!("{key} refused {why}"),
                Err(why) => format!("{key} failed {why}"),
            }
        }
    })
    .await
}

impl Shop {
    async fn ask(&self, key: &str, request: &[&str]) -> Result<String, AskError<Refusal>> {
        let id = message_id(key)?;
        match *request {
            ["add", order, item, count] => {
                let (item, count) = (item.to_owned(), number(count)?);
                self.tell_order(order, OrderCommand::Add { item, count }, id).await
            }
            ["checkout", order, customer, city] => {
                let (customer, city) = (customer.to_owned(), city.to_owned());
                self.tell_order(order, OrderCommand::CheckOut { customer, city }, id).await
            }
            ["order", order] => self.tell_order(order, OrderCommand::Look, id).await,
            ["deposit", customer, cents] => {
                self.tell_account(customer, AccountCommand::Deposit(number(cents)?), id).await
            }
            ["account", customer] => self.tell_account(customer, AccountCommand::Look, id).await,
            ["stock"] => {
                let warehouse = self.warehouse().map_err(Refusal::from)?;
                let there = warehouse.call(WarehouseCommand::Look).await?;
                let free: Vec<_> = there.free.iter().map(|(item, count)| format!("{count} {item}")).collect();
                Ok(format!("{} free, {} orders reserved", free.join(", "), there.reserved.len()))
            }
            _ => Err(refused("nobody knows what that is")),
        }
    }

    async fn tell_order(
        &self,
        name: &str,
        command: OrderCommand,
        id: MessageId,
    ) -> Result<String, AskError<Refusal>> {
        let order: DurableRef<Order> = self.order(name).map_err(Refusal::from)?;
        Ok(format!("the order is {}", order.call(command).id(id).await?))
    }

    async fn tell_account(
        &self,
        customer: &str,
        command: AccountCommand,
        id: MessageId,
    ) -> Result<String, AskError<Refusal>> {
        let account: DurableRef<Account> = self.account(customer).map_err(Refusal::from)?;
        Ok(format!("{} cents", account.call(command).id(id).await?))
    }
}

fn message_id(key: &str) -> Result<MessageId, AskError<Refusal>> {
    let millis = key.split_once('/').and_then(|(made, _)| made.parse().ok());
    let made = WallTime::from_millis(millis.ok_or_else(|| refused("a key begins with its time"))?);
    Ok(MessageId::of_key(made, key.as_bytes()))
}

fn number(text: &str) -> Result<u32, AskError<Refusal>> {
    text.parse().map_err(|_| refused("that is no number"))
}

fn refused(why: &str) -> AskError<Refusal> {
    Refusal(why.into()).into()
}

impl From<Refusal> for AskError<Refusal> {
    fn from(why: Refusal) -> Self {
        Self::Refused(why)
    }
}
