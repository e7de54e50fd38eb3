//! What the attribute stands on, the words that are made of it, and who may see them.
//! What its methods say is `valid.rs`'s business.

use proc_macro2::{Ident, TokenStream};
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::{Error, Item, ItemImpl, Visibility};

use crate::types;

/// The inherent impl that the attribute stands on, and the name of its struct.
///
/// # Errors
///
/// It stands on something else; there is nothing to expand.
pub(crate) fn inherent_impl(item: TokenStream) -> Result<(ItemImpl, Ident), Error> {
    let item = match syn::parse2(item)? {
        Item::Impl(item) => item,
        other => {
            let what = "`#[actor]` stands on the `impl` with the actor's methods, not on the type: \
                        `#[actor] impl Counter { .. }`";
            return Err(Error::new_spanned(head(&other), what));
        }
    };
    if let Some((path, _)) = &item.trait_ {
        let what =
            "`#[actor]` turns a struct's own methods into messages: put it on an `impl` without a trait";
        return Err(Error::new_spanned(path, what));
    }
    match types::last_segment(&item.self_ty) {
        Some(segment) => {
            let name = segment.ident.clone();
            Ok((item, name))
        }
        None => Err(Error::new_spanned(
            &item.self_ty,
            "an actor is a struct or an enum of yours, known by its name",
        )),
    }
}

/// What an error about a whole item points at.
fn head(item: &Item) -> TokenStream {
    match item {
        Item::Struct(item) => item.ident.to_token_stream(),
        Item::Enum(item) => item.ident.to_token_stream(),
        Item::Trait(item) => item.ident.to_token_stream(),
        Item::Mod(item) => item.ident.to_token_stream(),
        Item::Fn(item) => item.sig.ident.to_token_stream(),
        other => other.to_token_stream(),
    }
}

/// The widest of some visibilities. Two paths cannot be compared, so the first wins.
pub(crate) fn widest<'v>(all: impl Iterator<Item = &'v Visibility>) -> Visibility {
    let rank = |vis: &Visibility| match vis {
        Visibility::Public(_) => 4,
        Visibility::Restricted(restricted) if restricted.path.is_ident("crate") => 3,
        Visibility::Restricted(restricted) if restricted.path.is_ident("self") => 0,
        Visibility::Restricted(restricted) if restricted.path.is_ident("super") => 1,
        Visibility::Restricted(_) => 2,
        Visibility::Inherited => 0,
    };
    all.fold(
        Visibility::Inherited,
        |widest, vis| if rank(vis) > rank(&widest) { vis.clone() } else { widest },
    )
}

/// `add_item` as `AddItem`.
pub(crate) fn camel(method: &Ident) -> String {
    let plain = method.unraw().to_string();
    let mut camel = String::with_capacity(plain.len());
    for word in plain.split('_') {
        let mut letters = word.chars();
        camel.extend(letters.next().into_iter().flat_map(char::to_uppercase));
        camel.push_str(letters.as_str());
    }
    camel
}
