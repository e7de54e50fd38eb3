//! cargo run --example supervision_tree
//!
//! A tree that heals. The store's two parts belong together: when one fails, both begin
//! anew. The pages are on their own. Whoever holds a reference notices no more than a call
//! that failed.
//!
//! ```text
//!  /app ──┬── /app/store   one for all ──┬── index
//!         │                              └── cache
//!         └── /app/pages   one for one ──┬── home
//!                                        └── news
//! ```

use std::collections::BTreeMap;
use std::error::Error;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use actor_core::{
    ActorRef, ActorSystem, ChildSpec, SpawnOptions, Strategy, Supervisor, SupervisorBuilder,
    SupervisorMessage, actor,
};

/// How often each part has begun. A real program would have an observer for that.
type Starts = Arc<Mutex<BTreeMap<&'static str, u32>>>;

struct Part {
    handled: u32,
}

#[actor]
impl Part {
    #[init]
    fn begin(name: &'static str, starts: Starts) -> Self {
        *starts.lock().unwrap_or_else(PoisonError::into_inner).entry(name).or_default() += 1;
        Self { handled: 0 }
    }

    fn work(&mut self, load: u32) -> u32 {
        assert!(load < 100, "a load of {load} is too much");
        self.handled += 1;
        self.handled
    }
}

fn part(name: &'static str, starts: &Starts) -> ChildSpec<PartMessage> {
    let starts = starts.clone();
    Part::child(name, move || (name, starts.clone()))
}

/// A supervisor that is another one's child.
fn branch(
    id: &'static str,
    builder: impl Fn() -> SupervisorBuilder + Send + Sync + 'static,
) -> ChildSpec<SupervisorMessage> {
    ChildSpec::new(id, move || (Supervisor, builder()))
}

fn tree(starts: &Starts) -> SupervisorBuilder {
    let (of_store, of_pages) = (starts.clone(), starts.clone());
    let store = branch("store", move || {
        let all = Supervisor::builder().strategy(Strategy::OneForAll);
        all.child(part("index", &of_store)).child(part("cache", &of_store))
    });
    let pages = branch("pages", move || {
        Supervisor::builder().child(part("home", &of_pages)).child(part("news", &of_pages))
    });
    Supervisor::builder().child(store).child(pages)
}

async fn run(out: &mut impl Write) -> Result<(), Box<dyn Error>> {
    // A system of its own, which ends with this function.
    let system = ActorSystem::builder().build_owned();
    let starts = Starts::default();
    let app = tree(&starts).spawn_with(&system, SpawnOptions::new().name("app")).await?;
    let find = |path: &str| -> Result<PartRef, Box<dyn Error>> {
        let found = system.resolve(path).ok_or("nobody is there")?;
        Ok(PartRef::from(ActorRef::from_cell(found)?))
    };
    let (index, cache) = (find("/app/store/index")?, find("/app/store/cache")?);
    let (home, news) = (find("/app/pages/home")?, find("/app/pages/news")?);
    for part in [&index, &cache, &home, &news] {
        part.work(1).await?;
    }

    writeln!(out, "the index fails: {}", index.work(100).await.is_err())?;
    writeln!(out, "the home page fails: {}", home.work(100).await.is_err())?;

    // The same references reach the next lives, which know nothing of the former.
    for (name, part) in [("index", &index), ("cache", &cache), ("home", &home), ("news", &news)] {
        writeln!(out, "{name} has handled {}", part.work(1).await?)?;
    }
    for (name, times) in starts.lock().unwrap_or_else(PoisonError::into_inner).iter() {
        let times = if *times == 1 { "once".to_owned() } else { format!("{times} times") };
        writeln!(out, "{name} has begun {times}")?;
    }
    app.stop_and_wait(None, None).await?;
    writeln!(out, "the tree is down, {} actors are left", system.actors().len())?;
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    run(&mut io::stdout()).await
}

#[tokio::test]
async fn it_heals() {
    let mut out = Vec::new();
    run(&mut out).await.unwrap();
    let expected = "\
the index fails: true
the home page fails: true
index has handled 1
cache has handled 1
home has handled 1
news has handled 2
cache has begun 2 times
home has begun 2 times
index has begun 2 times
news has begun once
the tree is down, 0 actors are left
";
    assert_eq!(String::from_utf8(out).unwrap(), expected);
}
