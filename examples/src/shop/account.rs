//! Accounts. Money is neither made nor lost between them: the payer's balance is reduced in the turn that sends it to the other.

use actor_durable::{Durable, DurableActor, DurableId, Turn};
use serde::{Deserialize, Serialize};

use super::{Order, OrderCommand, Refusal};

/// An account. Its state is its balance, in cents.
#[derive(Clone, Copy, Debug)]
pub struct Account;

/// What an account is asked.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields' names say it")]
pub enum AccountCommand {
    /// Money comes from outside.
    Deposit(u32),
    /// Pays an amount to another account, for an order. The order is told if there is not enough.
    Pay { order: String, to: String, amount: u64 },
    /// Receives an amount from another account. The order is told that it has arrived.
    Receive { order: String, amount: u64 },
    /// Asks for the balance.
    Look,
}

impl Durable for Account {
    const TYPE: &'static str = "shop/account";
    type State = u64;
    type Command = AccountCommand;
    type Reply = u64;
    type Error = Refusal;

    fn create(&self, _: &DurableId) -> u64 {
        0
    }

    fn is_query(command: &AccountCommand) -> bool {
        matches!(command, AccountCommand::Look)
    }
}

impl DurableActor for Account {
    async fn handle(
        &self,
        command: AccountCommand,
        balance: &mut u64,
        turn: &mut Turn<'_, Self>,
    ) -> Result<u64, Refusal> {
        match command {
            AccountCommand::Deposit(amount) => *balance += u64::from(amount),
            AccountCommand::Pay { order, to, amount } => match balance.checked_sub(amount) {
                Some(rest) => {
                    *balance = rest;
                    turn.send::<Account>(&to, &AccountCommand::Receive { order, amount })?;
                }
                None => {
                    let why = format!("{} does not have {amount} cents", turn.id());
                    turn.send::<Order>(&order, &OrderCommand::Step(Err(why)))?;
                }
            },
            AccountCommand::Receive { order, amount } => {
                *balance += amount;
                turn.send::<Order>(&order, &OrderCommand::Step(Ok(())))?;
            }
            AccountCommand::Look => {}
        }
        Ok(*balance)
    }
}
