//! What `#[actor]` expands to, feature by feature, as text that is under test: each
//! file of `snapshots/` is an impl, a line, and its expansion. `ACTOR_SNAPSHOTS=overwrite`
//! writes the expansions anew; read the difference before it is kept.

use std::fs;
use std::path::PathBuf;

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::{Item, Meta};

use crate::expand;

/// Between the impl and its expansion.
const LINE: &str = "\n// ---- expands to ----\n\n";

fn check(name: &str) {
    let path =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/snapshots").join(name).with_extension("snap");
    let text = fs::read_to_string(&path).unwrap();
    let (source, expected) = text.split_once(LINE).unwrap_or((&text, ""));
    let found = expansion(source);
    if std::env::var_os("ACTOR_SNAPSHOTS").is_some_and(|how| how == "overwrite") {
        fs::write(&path, format!("{source}{LINE}{found}")).unwrap();
    } else {
        assert_eq!(found, expected, "{name} expands to something else");
    }
}

/// The expansion of the one impl of a file.
fn expansion(source: &str) -> String {
    let file = syn::parse_file(source).unwrap();
    let [Item::Impl(item)] = &file.items[..] else { panic!("one impl and nothing else") };
    let mut item = item.clone();
    let actor = item.attrs.remove(0);
    let options = match actor.meta {
        Meta::List(list) => list.tokens,
        _ => TokenStream::new(),
    };
    prettyplease::unparse(&syn::parse2(expand::actor(options, item.into_token_stream())).unwrap())
}

macro_rules! snapshots {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() {
            check(stringify!($name));
        })*

        #[test]
        fn every_snapshot_is_checked() {
            let names = fs::read_dir(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/snapshots")).unwrap();
            let mut found: Vec<_> =
                names.map(|name| name.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned()).collect();
            found.sort_unstable();
            assert_eq!(found, [$(stringify!($name)),*]);
        }
    };
}

snapshots! {
    call
    cast
    child
    conditions
    context
    delegated
    durable
    durable_durability
    durable_mistakes
    durable_name
    durable_name_mistake
    durable_options
    durable_own_options
    fail_on_err
    generic
    hooks
    init
    local
    message
    mistake
    on_error
    passed_on
    remote
    sorting
    visibility
}
