//! How a value is written down: `u32`, `list<text>`, `shop::Page<shop::Line>`.

use std::borrow::Cow;
use std::fmt;

use super::text::Name;
use crate::wire::tag::TypeTag;

/// The form of a value: a name, and what it is made of.
///
/// Values of equal forms are written alike, as far as the types that are named in them are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Form {
    name: Cow<'static, str>,
    arguments: Vec<Form>,
}

impl Form {
    /// The form of a name. Types that are written alike may share one; others must not.
    pub fn named(name: impl Into<Cow<'static, str>>) -> Self {
        Self { name: name.into(), arguments: Vec::new() }
    }

    /// This form with another argument.
    #[must_use]
    pub fn with(mut self, argument: Form) -> Self {
        self.arguments.push(argument);
        self
    }

    /// A form of which nothing is known but its tag: what a hand-written [`Wire`](crate::Wire) has unless it
    /// says more.
    pub fn opaque(tag: TypeTag) -> Self {
        Self::named("opaque").with(Self::named(tag.to_string()))
    }

    pub(super) fn arguments(&self) -> &[Form] {
        &self.arguments
    }
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Name(&self.name))?;
        for (index, argument) in self.arguments.iter().enumerate() {
            write!(f, "{}{argument}", if index == 0 { "<" } else { ", " })?;
        }
        if self.arguments.is_empty() { Ok(()) } else { f.write_str(">") }
    }
}
