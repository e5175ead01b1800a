//! Addresses with a query, written so that nothing that was typed can break out of them.

use std::fmt::{Display, Write as _};

use crate::page::encoded;

/// An address that is being put together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    text: String,
    has_query: bool,
}

impl Link {
    /// A path without a query so far.
    pub fn to(path: impl Into<String>) -> Link {
        Link { text: path.into(), has_query: false }
    }

    /// With a value; one that says nothing is left out.
    pub fn with(mut self, name: &str, value: impl Display) -> Link {
        let value = value.to_string();
        if !value.is_empty() {
            let mark = if self.has_query { '&' } else { '?' };
            let _ = write!(self.text, "{mark}{name}={}", encoded(&value));
            self.has_query = true;
        }
        self
    }

    /// With a mark that is either there or not.
    pub fn with_if(self, name: &str, is_there: bool) -> Link {
        self.with(name, if is_there { "1" } else { "" })
    }
}

impl Display for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

impl From<Link> for String {
    fn from(link: Link) -> String {
        link.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_typed_stays_inside_its_value() {
        let link = Link::to("/a/1").with("q", "ü & <b>=#").with("empty", "").with_if("low", true);
        assert_eq!(link.to_string(), "/a/1?q=%C3%BC%20%26%20%3Cb%3E%3D%23&low=1");
    }
}
