//! Random days of factories: whatever is done to them, each job has one end.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use actor_core::{ActorError, ActorSystem, Backoff, Capacity};
use actor_testkit::{Order, Simulation};
use actor_toolkit::factory::{
    CapacityController, DeadMan, Discard, Discarded, FactoryBuilder, FactoryRef, FactoryUpdate, Job,
    Queueing, RateLimit, Retry, Routing, ShedMode, Workers,
};

use super::support::{MS, pass, yield_once};

const JOBS: u32 = 120;

/// SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u32) -> u32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        u32::try_from((z ^ (z >> 31)) % u64::from(bound)).unwrap()
    }

    fn one_in(&mut self, n: u32) -> bool {
        self.below(n) == 0
    }
}

/// What became of each job, as often as that was said.
#[derive(Clone, Default)]
struct Ends(Arc<Mutex<BTreeMap<u32, Vec<&'static str>>>>);

impl Ends {
    fn tell(&self, job: u32, end: &'static str) {
        self.0.lock().unwrap().entry(job).or_default().push(end);
    }
}

/// A key: the lower part is what routings look at.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Key(u32, u32);

impl std::hash::Hash for Key {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        assert_ne!(self.1, 5, "a hash that panics");
        self.1.hash(state);
    }
}

/// Does a job as its number says, and panics, fails and hangs among other things.
async fn work(
    ends: Ends,
    system: ActorSystem,
    tries: Arc<Mutex<BTreeMap<u32, u32>>>,
    key: Key,
) -> Result<(), ActorError> {
    let tries = {
        let mut tries = tries.lock().unwrap();
        let times = tries.entry(key.0).or_default();
        *times += 1;
        *times
    };
    match key.0 % 17 {
        3 => panic!("a job that panics"),
        5 if tries < 3 => return Err("not yet".into()),
        7 => std::future::pending().await,
        8..=12 => pass(&system, MS * (key.1 % 5)).await,
        _ => {}
    }
    ends.tell(key.0, "done");
    Ok(())
}

fn routing(random: &mut Random) -> Routing<Key, ()> {
    match random.below(6) {
        0 => Routing::Queuer,
        1 => Routing::StickyQueuer,
        2 => Routing::KeyPersistent,
        3 => Routing::RoundRobin,
        4 => Routing::LeastLoaded,
        _ => Routing::Custom(Box::new(|key: &Key, (): &(), workers: &Workers<'_>| {
            assert_ne!(key.1, 6, "a router that panics");
            workers.load(key.1 as usize) + key.1 as usize
        })),
    }
}

fn queueing(random: &mut Random) -> Queueing<Key, ()> {
    match random.below(3) {
        0 => Queueing::Fifo,
        1 => Queueing::priority(),
        _ => Queueing::ranked(|key: &Key, (): &()| {
            assert_ne!(key.1, 7, "a rank that panics");
            i64::from(key.1 % 3)
        }),
    }
}

fn discard(random: &mut Random) -> Discard {
    let mode = if random.one_in(2) { ShedMode::Newest } else { ShedMode::Oldest };
    match random.below(3) {
        0 => Discard::Never,
        1 => Discard::Static { limit: random.below(6) as usize, mode },
        _ => Discard::Dynamic { limit: 3, mode, interval: 3 * MS, update: Box::new(|stats| stats.idle) },
    }
}

async fn factory(random: &mut Random, system: &ActorSystem, ends: &Ends) -> FactoryRef<Key, ()> {
    let (of, tries) = (ends.clone(), Arc::default());
    let runs_in = system.clone();
    let builder = FactoryBuilder::closure(move |key: Key, (): ()| {
        work(of.clone(), runs_in.clone(), Arc::clone(&tries), key)
    });
    let told = ends.clone();
    let mut builder = builder
        .workers(random.below(5) as usize)
        .routing(routing(random))
        .queueing(queueing(random))
        .discard(discard(random))
        .backoff(if random.one_in(2) { Backoff::NONE } else { Backoff::exponential(MS, 8 * MS) })
        .stop_timeout(MS * random.below(6))
        .mailbox(Capacity::try_from(1 + random.below(30) as usize).unwrap())
        .on_discard(move |job: Discarded<Key, ()>| told.tell(job.key.0, "discarded"));
    if random.one_in(2) {
        builder = builder.dead_man(DeadMan { timeout: 9 * MS, is_killing: true });
    }
    if random.one_in(3) {
        builder = builder.rate_limit(RateLimit { max: 20, refill: 4, interval: MS, initial: 20 });
    }
    if random.one_in(3) {
        builder = builder.capacity(CapacityController::new(2 * MS, |stats| stats.waiting % 7));
    }
    builder.spawn_in(system).await.unwrap()
}

/// Sends a job in some way. It comes back, perhaps later, or is the factory's.
async fn send(
    random: &mut Random,
    system: &ActorSystem,
    factory: &FactoryRef<Key, ()>,
    ends: &Ends,
    number: u32,
) {
    let mut job = Job::new(Key(number, random.below(9)), ());
    if random.one_in(3) {
        job = job.retry(Retry::Times(random.below(5)));
    }
    if random.one_in(4) {
        job = job.ttl(MS * random.below(12));
    }
    if random.one_in(5) {
        job = job.keep();
    }
    if random.one_in(3) {
        job = job.priority(u8::try_from(random.below(5)).unwrap());
    }
    let sent = match random.below(4) {
        0 => factory.send(job).await,
        1 => {
            let (factory, ends, patience) = (factory.clone(), ends.clone(), MS * random.below(9));
            let executor = system.executor().clone();
            drop(system.executor().spawn(async move {
                // Who leaves hears nothing.
                if let Ok(Err(error)) = executor.timeout(patience, factory.offer(job)).await
                    && error.into_job().is_some()
                {
                    ends.tell(number, "back");
                }
            }));
            Ok(())
        }
        _ => factory.dispatch_job(job),
    };
    if sent.is_err() {
        ends.tell(number, "back");
    }
}

/// Does something to a factory, or lets others run.
async fn disturb(random: &mut Random, system: &ActorSystem, factory: &FactoryRef<Key, ()>, number: u32) {
    match random.below(40) {
        0 => drop(factory.resize(1 + random.below(5) as usize).await),
        1 => {
            let workers = factory.cell().children();
            let Some(worker) = workers.get(random.below(5) as usize) else { return };
            if random.one_in(3) {
                worker.release();
            }
            if random.one_in(2) { worker.kill() } else { worker.stop(None) }
        }
        2 => {
            let dead_man = DeadMan { timeout: MS * (1 + random.below(9)), is_killing: random.one_in(2) };
            drop(factory.update(FactoryUpdate::new().dead_man(Some(dead_man))).await);
        }
        3 => {
            let update =
                FactoryUpdate::new().rate_limit(None).backoff(Backoff::NONE).discard(discard(random));
            drop(factory.update(update).await);
        }
        4..=10 => pass(system, MS * random.below(5)).await,
        11..=16 => yield_once().await,
        17 if number > JOBS / 2 => factory.drain(),
        18 if number > JOBS / 2 => factory.kill(),
        19 if number > JOBS / 2 => factory.stop(None),
        _ => {}
    }
}

#[test]
fn a17_random_days_of_a_factory_end_every_job_once() {
    for seed in 0..300 {
        // Shown if the test fails: the last one is the one.
        eprintln!("seed {seed}");
        let mut random = Random(seed);
        let mut simulation = Simulation::new(Order::Seeded(seed));
        let system = simulation.system();
        simulation.block_on(async {
            let ends = Ends::default();
            let factory = factory(&mut random, &system, &ends).await;
            for number in 0..JOBS {
                send(&mut random, &system, &factory, &ends, number).await;
                disturb(&mut random, &system, &factory, number).await;
            }
            if random.one_in(2) {
                factory.drain();
                pass(&system, 300 * MS).await;
            }
            if random.one_in(2) {
                factory.kill();
            } else {
                factory.stop(None);
            }
            factory.wait(None).await.unwrap();
            pass(&system, 20 * MS).await;
            let ends = ends.0.lock().unwrap();
            let wrong: Vec<_> = (0..JOBS).filter(|job| ends.get(job).map(Vec::len) != Some(1)).collect();
            assert!(wrong.is_empty(), "{wrong:?} of {ends:?}");
        });
    }
}
