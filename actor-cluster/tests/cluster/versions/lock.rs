//! The lock file itself: how it comes to be, what it looks like, and what is said of one that cannot be read.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::{env, fs, process};

use actor_cluster::lock::{Place, Wish};
use actor_cluster::wire::schema::Schema;
use actor_cluster::{RemoteMessage, Wire};
use actor_core::ReplyPort;

/// A directory that goes with the test.
pub(super) struct Directory(PathBuf);

impl Directory {
    pub(super) fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = env::temp_dir().join(format!("schema-lock-{}-{number}", process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(super) fn place(&self, file: &str) -> Place {
        // A whole path takes the place of the manifest's directory.
        let file = self.0.join(file).into_os_string().into_string().unwrap();
        Place { directory: "", package: "shop", file: file.leak() }
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

#[derive(Wire)]
#[wire(name = "shop/Line")]
struct Line {
    sku: String,
    #[wire(default)]
    notes: Vec<String>,
}

#[derive(Wire)]
#[wire(name = "shop/Page")]
struct Page<T, const N: usize> {
    items: [T; N],
    next: Option<u64>,
}

#[derive(Wire)]
#[wire(name = "shop/Colour")]
enum Colour {
    Red,
    Mix {
        of: Vec<Colour>,
        #[wire(default = 100)]
        share: u8,
    },
}

#[derive(RemoteMessage)]
#[wire(name = "shop/Order")]
enum Order {
    Put(Line),
    #[rpc]
    List {
        from: u64,
        reply: ReplyPort<Result<Page<Line, 4>, String>>,
    },
    Clear,
}

#[derive(RemoteMessage)]
#[wire(name = "shop/Paint")]
enum Paint {
    Wall(Colour, #[wire(serde)] std::ops::Range<u32>),
    #[wire(name = "it's \"odd\"")]
    Odd(Line),
}

const GOLDEN: &str = "\
# What the messages of this crate look like on the wire. Written by its tests: SCHEMA_LOCK=accept cargo test
# Commit it. Nodes of builds whose lines differ may not understand each other.

message shop/Order
  Clear
  List -> result<shop/Page<shop/Line, 4>, text>
    from: u64
  Put
    0: shop/Line

message shop/Paint
  Wall
    0: shop/Colour
    1: serde<\"Range<u32>\">
  \"it's \\\"odd\\\"\"
    0: shop/Line

enum shop/Colour
  Mix
    of: list<shop/Colour>
    share: u8 = default
  Red

struct shop/Line
  sku: text
  notes: list<text> = default

struct shop/Page<shop/Line, 4>
  items: array<shop/Line, 4>
  next: option<u64>
";

fn schemas() -> [Schema; 2] {
    [Schema::of::<Paint>(), Schema::of::<Order>()]
}

#[test]
fn a_lock_file_has_a_line_for_each_thing_that_can_change() {
    let directory = Directory::new();
    let place = directory.place("schema.lock");
    let said = place.outcome(Wish::Accept, &schemas()).unwrap().unwrap();
    assert!(said.contains("was written"), "{said}");
    assert_eq!(fs::read_to_string(place.file).unwrap(), GOLDEN);
    assert_eq!(place.outcome(Wish::Exact, &schemas()), Ok(None));
    // The ends of lines do not matter, nor do notes.
    fs::write(place.file, GOLDEN.replace('\n', "\r\n") + "# a note\r\n").unwrap();
    assert_eq!(place.outcome(Wish::Exact, &schemas()), Ok(None));
    assert_eq!(fs::read_dir(&directory.0).unwrap().count(), 1, "nothing is left beside it");
}

#[test]
fn a_file_that_is_not_there_is_not_made_unless_that_is_asked_for() {
    let directory = Directory::new();
    let place = directory.place("schema.lock");
    for wish in [Wish::Guard, Wish::Exact] {
        let said = place.outcome(wish, &schemas()).unwrap_err();
        assert!(said.contains("SCHEMA_LOCK=accept cargo test -p shop"), "{said}");
        assert!(!PathBuf::from(place.file).exists());
    }
}

#[test]
fn a_file_that_cannot_be_read_says_where() {
    let directory = Directory::new();
    let place = directory.place("schema.lock");
    for (text, says) in [
        ("message shop/Order\n<<<<<<< HEAD\n", "line 2: an unknown kind of type"),
        ("message shop/Order\n   Put\n", "line 2: nothing is indented like this"),
        ("  Put\n", "line 1: this belongs to no type"),
        ("message shop/Order\n    0: u8\n", "line 2: this belongs to no variant"),
        ("struct shop/Line\n  0 u8\n", "line 2: a field's name and its form are expected"),
        ("struct shop/Line\n  0: list<u8\n", "line 2: a form does not end"),
        ("struct shop/Line\n  0: u8 = 7\n", "line 2: something is left over at its end"),
        ("struct a\n\nstruct a\n", "line 3: a type is there twice"),
        ("enum a\n  B\n  B\n", "line 3: a variant is there twice"),
        ("union a\n", "line 1: an unknown kind of type"),
        ("struct \"a\n", "line 1: a name does not end"),
    ] {
        fs::write(place.file, text).unwrap();
        let said = place.outcome(Wish::Guard, &schemas()).unwrap_err();
        assert!(said.contains(says), "{text:?}: {said}");
    }
    place.outcome(Wish::Accept, &schemas()).unwrap();
    assert_eq!(fs::read_to_string(place.file).unwrap(), GOLDEN);
}

#[test]
fn a_message_that_is_gone_is_missed_and_one_that_is_new_is_not() {
    let directory = Directory::new();
    let place = directory.place("schema.lock");
    place.outcome(Wish::Accept, &[Schema::of::<Order>()]).unwrap();
    assert!(place.outcome(Wish::Guard, &schemas()).unwrap().unwrap().contains("breaks nothing"));
    let said = place.outcome(Wish::Guard, &[Schema::of::<Paint>()]).unwrap_err();
    assert!(said.contains("the message `shop/Order` is gone"), "{said}");
}

mod other {
    use actor_cluster::Wire;

    #[derive(Wire)]
    #[wire(name = "shop/Line")]
    pub(super) struct Line(u8);
}

#[derive(RemoteMessage)]
#[wire(name = "shop/Both")]
enum Both {
    One(Line),
    Two(other::Line),
}

#[derive(RemoteMessage)]
#[wire(name = "shop/Other")]
enum Other {
    Two(other::Line),
}

#[test]
fn two_types_of_one_name_are_found() {
    let directory = Directory::new();
    let place = directory.place("schema.lock");
    for schemas in [vec![Schema::of::<Both>()], vec![Schema::of::<Order>(), Schema::of::<Other>()]] {
        let said = place.outcome(Wish::Accept, &schemas).unwrap_err();
        assert!(said.contains("shop/Line") && said.contains("give one of them another name"), "{said}");
    }
}

mod of_this_crate {
    use super::{Order, Paint};

    actor_cluster::schema_lock!("tests/cluster/versions/schema.lock": Order, Paint);
}
