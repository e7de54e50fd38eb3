//! The example's shop is killed while its customers order, and the money is right in the end, to the cent.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use actor_cluster::testing::is_full;
use actor_durable::limits::LEASE_DEFAULT;
use actor_durable::{AskError, Durable, DurableRef};
use examples::shop::{
    AccountCommand, Book, BookLine, CARRIER, MAIL, Shop, Terms, WarehouseCommand, WarehouseState, serve,
};
use futures_util::future::join_all;
use store_postgres::testing::{Server, or_skip};
use tokio::task::JoinHandle;

use super::kept::Kept;
use super::{random, say};
use crate::lives::{Client, Random, Service};
use crate::support::guarded_for;

/// Who orders, each one thing after the other.
const CUSTOMERS: u64 = 8;

/// What a customer pays in, again and again, in cents.
const DEPOSIT: u64 = 5_000;

/// Each of the goods is there so often: not often enough.
const STOCK: u32 = 60;

/// Longer than a customer thinks, most of the time.
const CART_KEPT: Duration = Duration::from_secs(2);

/// A life is no longer than this after its first answer.
const LIFE_MILLIS_MAX: u64 = 250;

/// One that has to wait first for what the dead one had, and for a server.
const LIFE_ON_SERVER_MILLIS_MAX: u64 = 1_500;

/// After so many ends of the shop the server ends, too, if there is one.
const SERVER_ENDS_EVERY: u32 = 5;

const GOODS: [(&str, u64); 3] = [("book", 2_000), ("lamp", 3_500), ("piano", 90_000)];

/// After so many kills it is left in peace: on a slow machine a life may be too short for anything to be done in it.
fn kills_max() -> u32 {
    if is_full() { 500 } else { 30 }
}

fn orders_each() -> u64 {
    if is_full() { 100 } else { 12 }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_money_is_right_and_each_order_is_shipped_once_however_often_the_shop_is_killed() {
    kill(&Kept::in_file("shop.redb"), "shop").await;
}

/// The shop is killed, and now and then the server ends without a word.
#[tokio::test(flavor = "multi_thread")]
async fn the_money_is_right_on_postgresql_whichever_of_both_ends() {
    let Some(server) = or_skip(Server::private()) else { return };
    kill(&Kept::on(server), "shop on postgresql").await;
}

async fn kill(kept: &Kept, name: &str) {
    guarded_for(Duration::from_secs(if is_full() { 1_200 } else { 120 }), async {
        let mut random = random(name);
        let (cart, stock) = (CART_KEPT.as_millis().to_string(), STOCK.to_string());
        let mut words = vec![kept.directory().to_str().unwrap().to_owned(), cart, stock];
        words.extend(kept.words());
        let mut service = Service::start(env!("CARGO_BIN_EXE_shop-service"), words);
        let customers = (0..CUSTOMERS).map(|number| {
            let customer = Customer::new(&format!("customer{number}"), service.client(), random.fork());
            tokio::spawn(customer.live())
        });
        let customers: Vec<_> = customers.collect();
        let mut all: JoinHandle<Vec<Customer>> =
            tokio::spawn(async { join_all(customers).await.into_iter().map(Result::unwrap).collect() });
        let most = if kept.is_on_server() { LIFE_ON_SERVER_MILLIS_MAX } else { LIFE_MILLIS_MAX };
        // Once all customers are done nobody asks, and a life that answers nobody would be waited for in vain.
        let customers = loop {
            if service.kills == kills_max() {
                break (&mut all).await.unwrap();
            }
            let life = Duration::from_micros(random.below(most * 1_000));
            tokio::select! {
                customers = &mut all => break customers.unwrap(),
                () = service.instant(life, &mut random) => service.kill().await,
            }
            if service.kills.is_multiple_of(SERVER_ENDS_EVERY) && kept.is_on_server() {
                tokio::select! {
                    customers = &mut all => break customers.unwrap(),
                    () = service.answers() => kept.crash(),
                }
            }
        };
        service.end().await;
        say(&format!("{} kills, {} orders", service.kills, CUSTOMERS * orders_each()));
        audit(kept, &customers).await;
    })
    .await;
}

/// Somebody who pays in and orders, and writes down what became of it.
struct Customer {
    name: String,
    client: Client,
    random: Random,
    requests: u64,
    deposited: u64,
    /// By the order's name.
    orders: BTreeMap<String, Ordered>,
}

#[derive(Default)]
struct Ordered {
    goods: BTreeMap<&'static str, u64>,
    city: &'static str,
    /// As the shop says in the end.
    end: String,
}

impl Ordered {
    fn total(&self) -> u64 {
        GOODS.iter().map(|(item, cents)| self.goods.get(item).unwrap_or(&0) * cents).sum()
    }
}

impl Customer {
    fn new(name: &str, client: Client, random: Random) -> Self {
        let (requests, deposited, orders) = (0, 0, BTreeMap::new());
        Self { name: name.to_owned(), client, random, requests, deposited, orders }
    }

    async fn live(mut self) -> Self {
        for number in 0..orders_each() {
            if self.random.below(2) == 0 {
                self.ask(&format!("deposit {} {DEPOSIT}", self.name)).await;
                self.deposited += DEPOSIT;
            }
            self.order(format!("{}-{number}", self.name)).await;
        }
        for name in self.orders.keys().cloned().collect::<Vec<_>>() {
            let end = self.end_of(&name).await;
            self.orders.get_mut(&name).unwrap().end = end;
        }
        self
    }

    async fn order(&mut self, name: String) {
        let mut ordered = Ordered::default();
        for _ in 0..=self.random.below(2) {
            let (item, _) = GOODS[usize::try_from(self.random.below(10) / 4).unwrap()];
            let count = 1 + self.random.below(2);
            if self.ask(&format!("add {name} {item} {count}")).await.starts_with("ok ") {
                *ordered.goods.entry(item).or_default() += count;
            }
        }
        // Some carts are left.
        if self.random.below(6) > 0 {
            ordered.city = if self.random.below(3) == 0 { "Atlantis" } else { "Paris" };
            self.ask(&format!("checkout {name} {} {}", self.name, ordered.city)).await;
        }
        self.orders.insert(name, ordered);
    }

    async fn end_of(&mut self, order: &str) -> String {
        loop {
            let answer = self.ask(&format!("order {order}")).await;
            let stage = answer.strip_prefix("ok the order is ").expect("it is there");
            if stage == "shipped" || stage == "abandoned" || stage.starts_with("cancelled: ") {
                return stage.to_owned();
            }
            // sleep: it is under way, or in a cart that is kept for a time of the clock
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// With a key of its own, which stays the same however often it has to be asked.
    async fn ask(&mut self, request: &str) -> String {
        self.requests += 1;
        let made = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
        let key = format!("{made}/{}-{}", self.name, self.requests);
        self.client.ask(&key, request).await.text
    }

    fn shipped(&self) -> impl Iterator<Item = (&String, &Ordered)> {
        self.orders.iter().filter(|(_, order)| order.end == "shipped")
    }
}

/// Compares the shop's books with what the customers know.
async fn audit(kept: &Kept, customers: &[Customer]) {
    let directory = kept.directory();
    let terms = Terms { cart_kept: CART_KEPT, stock: STOCK, lease: LEASE_DEFAULT };
    let shop = Shop::open(kept.open().await, directory, terms).await.unwrap();
    let orders: BTreeMap<&String, &Ordered> =
        customers.iter().flat_map(|customer| &customer.orders).collect();
    let letters = letters(directory, orders.len()).await;

    let mut all = balance(&shop, "till").await;
    let mut sold = 0;
    for customer in customers {
        let spent: u64 = customer.shipped().map(|(_, order)| order.total()).sum();
        let balance = balance(&shop, &customer.name).await;
        assert_eq!(balance, customer.deposited - spent, "{}", customer.name);
        (all, sold) = (all + balance, sold + spent);
    }
    let deposited: u64 = customers.iter().map(|customer| customer.deposited).sum();
    assert_eq!(all, deposited, "no money is made or lost");
    assert_eq!(balance(&shop, "till").await, sold, "each shipped order was paid once, and no other");

    let shipped: Vec<_> = customers.iter().flat_map(Customer::shipped).collect();
    let there = look(&shop.warehouse().unwrap(), WarehouseCommand::Look).await;
    let free = GOODS.map(|(item, _)| {
        let gone: u64 = shipped.iter().filter_map(|(_, order)| order.goods.get(item)).sum();
        (item.to_owned(), STOCK - u32::try_from(gone).unwrap())
    });
    assert_eq!(there, WarehouseState { free: free.into(), reserved: BTreeMap::new() });

    let parcels = Book::read(&directory.join(CARRIER)).unwrap();
    assert_each_key_once(&parcels);
    let brought: BTreeSet<_> = parcels.iter().map(|parcel| parcel.text.split(' ').next().unwrap()).collect();
    let expected: Vec<_> = shipped.iter().map(|(name, _)| format!("order-{name}")).collect();
    assert_eq!(brought, expected.iter().map(String::as_str).collect());
    assert_eq!(parcels.len(), expected.len(), "each is brought once");

    assert_each_key_once(&letters);
    let told: BTreeSet<_> = letters.into_iter().map(|letter| letter.text).collect();
    let expected = orders.iter().map(|(name, order)| format!("order-{name} is {}", order.end));
    assert_eq!(told, expected.collect(), "each customer is told once how it ended");
    outcomes(&orders);
    shop.system().shutdown(Duration::from_secs(10)).await.unwrap();
}

async fn balance(shop: &Shop, customer: &str) -> u64 {
    look(&shop.account(customer).unwrap(), AccountCommand::Look).await
}

/// Asks until the shop that was killed last has the actor no more.
async fn look<A: Durable<Command: Clone, Error: Debug>>(
    actor: &DurableRef<A>,
    command: A::Command,
) -> A::Reply {
    loop {
        match actor.call(command.clone()).await {
            Err(AskError::NotApplied(why)) if why.is_transient() => {}
            answer => return answer.unwrap(),
        }
        // sleep: nothing tells when a lease is over
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// The letters, once all of them are written; or those that are after a while.
async fn letters(directory: &Path, count: usize) -> Vec<BookLine> {
    let mut letters = Vec::new();
    for _ in 0..1_000 {
        letters = Book::read(&directory.join(MAIL)).unwrap();
        if letters.len() >= count {
            break;
        }
        // sleep: nothing tells when an outbox is empty
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    letters
}

fn assert_each_key_once(lines: &[BookLine]) {
    let keys: BTreeSet<_> = lines.iter().map(|line| &line.key).collect();
    assert_eq!(keys.len(), lines.len(), "a key had an effect twice: {lines:?}");
}

/// All ways an order can end were gone.
fn outcomes(orders: &BTreeMap<&String, &Ordered>) {
    let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
    for order in orders.values() {
        let end = match &*order.end {
            end if end.contains("Atlantis") => "refused by the carrier",
            end if end.contains("cents") => "not paid",
            end if end.contains("there are not") => "not there",
            end => end,
        };
        *counts.entry(end).or_default() += 1;
    }
    say(&format!("{counts:?}"));
    for end in ["shipped", "abandoned", "refused by the carrier", "not paid"] {
        assert!(counts.contains_key(end), "no order was {end}: {counts:?}");
    }
}

/// A line that is none does not end the service, and a key that comes again does nothing again.
#[tokio::test]
async fn the_shop_answers_lines() {
    let directory = tempfile::tempdir().unwrap();
    let store = Arc::new(actor_durable::MemoryStore::new());
    let terms = Terms { cart_kept: CART_KEPT, stock: 1, lease: LEASE_DEFAULT };
    let shop = Shop::open(store, directory.path(), terms).await.unwrap();
    let made = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    let cases = [
        ("1 deposit Ada 100", "1 refused a key begins with its time"),
        ("T/1 deposit Ada 5000", "T/1 ok 5000 cents"),
        ("T/1 deposit Ada 5000", "T/1 ok 5000 cents"),
        ("T/2 deposit Ada much", "T/2 refused that is no number"),
        ("T/3 checkout 1 Ada Paris", "T/3 refused the cart is empty"),
        ("T/4 add 1 unicorn 1", "T/4 refused there is no unicorn"),
        ("T/5 add 1 book 2", "T/5 ok the order is a cart"),
        ("T/6 steal 1", "T/6 refused nobody knows what that is"),
        ("T/9 checkout 1 till Paris", "T/9 refused the till buys nothing"),
        ("", " refused a key begins with its time"),
        ("T/7 account Ada", "T/7 ok 5000 cents"),
        ("T/8 stock", "T/8 ok 1 book, 1 lamp, 1 piano free, 0 orders reserved"),
    ];
    for (asked, expected) in cases {
        let [asked, expected] = [asked, expected].map(|line| line.replace('T', &made.to_string()));
        let mut answer = Vec::new();
        serve(shop.clone(), format!("{asked}\n").as_bytes(), &mut answer).await.unwrap();
        assert_eq!(String::from_utf8(answer).unwrap(), format!("{expected}\n"));
    }
}
