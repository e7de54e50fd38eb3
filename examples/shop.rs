//! cargo run --example shop [-- [--serve] [--postgres URL] [DIRECTORY]]
//!
//! A shop of durable actors, which `src/shop.rs` and its neighbours are: carts, payments, parcels, and a saga for each order.
//! It is closed in the middle of all that as a crash would do it, and opened again. With `--serve` it answers the requests of
//! its standard input, and may be killed whenever you like. It keeps its actors in a file of the directory, or in PostgreSQL;
//! without a directory, in one that is gone afterwards.

use std::fmt::{Debug, Display};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use actor_core::ActorError;
use actor_durable::store::Store;
use actor_durable::{AskError, RedbStore};
use examples::shop::{
    AccountCommand, Book, CARRIER, MAIL, OrderCommand, Shop, Stage, Terms, WarehouseCommand, serve,
};
use store_postgres::{PostgresConfig, PostgresStore};

const SERVICE: Terms =
    Terms { cart_kept: Duration::from_secs(15 * 60), stock: 1_000, lease: Duration::from_secs(10) };

/// In the story nobody waits long.
const STORY: Terms =
    Terms { cart_kept: Duration::from_millis(200), stock: 2, lease: Duration::from_millis(500) };

#[tokio::main]
async fn main() -> ExitCode {
    let Err(why) = run(std::env::args().skip(1)).await else { return ExitCode::SUCCESS };
    drop(writeln!(io::stderr(), "shop: {why}"));
    ExitCode::FAILURE
}

const USAGE: &str = "its words are [--serve] [--postgres URL] [DIRECTORY]";

async fn run(mut words: impl Iterator<Item = String>) -> Result<(), ActorError> {
    let (mut serves, mut postgres, mut directory) = (false, None, None);
    while let Some(word) = words.next() {
        match &*word {
            "--serve" => serves = true,
            "--postgres" => postgres = Some(words.next().ok_or(USAGE)?),
            word if word.starts_with("--") => return Err(USAGE.into()),
            _ => directory = Some(PathBuf::from(word)),
        }
    }
    let gone_afterwards = tempfile::tempdir()?;
    let directory = directory.unwrap_or_else(|| gone_afterwards.path().to_owned());
    std::fs::create_dir_all(&directory)?;
    let keep = Keep { directory, postgres };
    if !serves {
        return story(&keep, &mut io::stdout()).await;
    }
    let shop = keep.open(SERVICE).await?;
    serve(shop.clone(), tokio::io::stdin(), tokio::io::stdout()).await?;
    Ok(shop.system().shutdown(Duration::from_secs(10)).await?)
}

/// Where a shop is kept.
struct Keep {
    directory: PathBuf,
    /// The address of a server, if it is not a file of the directory.
    postgres: Option<String>,
}

impl Keep {
    async fn open(&self, terms: Terms) -> Result<Shop, ActorError> {
        let store: Arc<dyn Store> = match &self.postgres {
            None => Arc::new(RedbStore::open(self.directory.join("shop.redb")).await?),
            Some(address) => Arc::new(PostgresStore::open(PostgresConfig::new(address)?).await?),
        };
        Shop::open(store, &self.directory, terms).await
    }
}

async fn story(keep: &Keep, out: &mut impl Write) -> Result<(), ActorError> {
    let shop = keep.open(STORY).await?;
    let mut keys = Vec::new();
    for (customer, cents) in [("Ada", 10_000), ("Bob", 1_000), ("Eve", 10_000)] {
        let account = shop.account(customer)?;
        let key = account.new_message_id();
        account.call(AccountCommand::Deposit(cents)).id(key).await?;
        keys.push((customer, cents, key));
    }
    for (order, item, customer, city) in ORDERS {
        put_in(&shop, order, item).await?;
        check_out(&shop, order, customer, city).await?;
    }
    put_in(&shop, "5", "book").await?;
    // The process ends without a word, with all of the orders under way.
    shop.system().abandon().await;
    drop(shop);

    let shop = keep.open(STORY).await?;
    for (customer, cents, key) in keys {
        // Nobody was told, so everybody asks again.
        let account = shop.account(customer)?;
        again(async || account.call(AccountCommand::Deposit(cents)).id(key).await).await?;
    }
    for order in ["1", "2", "3", "4", "5"] {
        writeln!(out, "order {order} is {}", end_of(&shop, order).await?)?;
    }
    report(&shop, &keep.directory, out).await?;
    Ok(shop.system().shutdown(Duration::from_secs(10)).await?)
}

/// Asks until nothing is in the way that passes: in PostgreSQL the process that has ended has its actors until its lease is over.
async fn again<T, E: Display + Debug + Send + Sync + 'static>(
    ask: impl AsyncFn() -> Result<T, AskError<E>>,
) -> Result<T, ActorError> {
    loop {
        match ask().await {
            Err(AskError::NotApplied(why)) if why.is_transient() => {}
            answer => return Ok(answer?),
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// The name of each order, what is ordered, by whom and whither.
const ORDERS: [(&str, &str, &str, &str); 4] = [
    ("1", "lamp", "Ada", "Paris"),
    ("2", "lamp", "Bob", "Paris"),
    ("3", "book", "Eve", "Atlantis"),
    ("4", "piano", "Ada", "Rome"),
];

async fn put_in(shop: &Shop, order: &str, item: &str) -> Result<(), ActorError> {
    let add = OrderCommand::Add { item: item.into(), count: 1 };
    shop.order(order)?.call(add).await?;
    Ok(())
}

async fn check_out(shop: &Shop, order: &str, customer: &str, city: &str) -> Result<(), ActorError> {
    let check_out = OrderCommand::CheckOut { customer: customer.into(), city: city.into() };
    shop.order(order)?.call(check_out).await?;
    Ok(())
}

/// What becomes of an order.
async fn end_of(shop: &Shop, order: &str) -> Result<Stage, ActorError> {
    let order = shop.order(order)?;
    loop {
        let stage = again(async || order.call(OrderCommand::Look).await).await?;
        if stage.is_end() {
            return Ok(stage);
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn report(shop: &Shop, directory: &Path, out: &mut impl Write) -> Result<(), ActorError> {
    for customer in ["Ada", "Bob", "Eve", "till"] {
        let account = shop.account(customer)?;
        let cents = again(async || account.call(AccountCommand::Look).await).await?;
        writeln!(out, "{customer} has {cents} cents")?;
    }
    let warehouse = shop.warehouse()?;
    let goods = again(async || warehouse.call(WarehouseCommand::Look).await).await?;
    writeln!(out, "free are {:?}, reserved {:?}", goods.free, goods.reserved)?;
    for line in Book::read(&directory.join(CARRIER))? {
        writeln!(out, "the carrier brings {}", line.text)?;
    }
    writeln!(out, "{} letters were sent", letters(directory).await?)?;
    Ok(())
}

/// How many letters were sent; the last of them may only just be.
async fn letters(directory: &Path) -> io::Result<usize> {
    loop {
        let letters = Book::read(&directory.join(MAIL))?;
        if letters.len() > ORDERS.len() {
            return Ok(letters.len());
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[cfg(test)]
mod tests {
    use store_postgres::testing::{Server, or_skip};

    use super::*;

    #[tokio::test]
    async fn who_misspells_a_word_is_told_the_words() {
        for words in [["--help"].as_slice(), &["--postgres"], &["--serve", "--postgre"]] {
            let why = run(words.iter().map(|word| (*word).to_owned())).await.unwrap_err();
            assert_eq!(why.to_string(), USAGE);
        }
    }

    #[tokio::test]
    async fn a_shop_that_crashes_amid_its_orders_finishes_them_and_the_money_is_right() {
        assert_told(None).await;
    }

    #[tokio::test]
    async fn it_does_so_in_postgresql_too() {
        let Some(server) = or_skip(Server::private()) else { return };
        assert_told(Some(server.address())).await;
    }

    async fn assert_told(postgres: Option<String>) {
        let directory = tempfile::tempdir().unwrap();
        let keep = Keep { directory: directory.path().to_owned(), postgres };
        let mut out = Vec::new();
        story(&keep, &mut out).await.unwrap();
        let expected = "\
order 1 is shipped
order 2 is cancelled: account-Bob does not have 3500 cents
order 3 is cancelled: nobody goes to Atlantis
order 4 is cancelled: account-Ada does not have 90000 cents
order 5 is abandoned
Ada has 6500 cents
Bob has 1000 cents
Eve has 10000 cents
till has 3500 cents
free are {\"book\": 2, \"lamp\": 1, \"piano\": 2}, reserved {}
the carrier brings order-1 to Paris: 1 lamp
5 letters were sent
";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
