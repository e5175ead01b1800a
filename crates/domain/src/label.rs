//! Label, the customer's own tag for counting messages, and the foreign id, the customer's own
//! name for one message. Both are written in the same small alphabet.

/// The longest label, in characters.
pub const LABEL_MAX: usize = 100;
/// The longest foreign id, in characters.
pub const FOREIGN_ID_MAX: usize = 64;

/// A tag to count messages by: 1 to 100 of letters, digits, `.`, `-`, `_`, `@`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Label(String);

/// The customer's own name for a message: 1 to 64 of the same characters.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ForeignId(String);

/// Why a text is not a label or a foreign id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TagError {
    /// Too many characters, or none.
    #[error("has {length} characters; use 1 to {max}")]
    Length {
        /// How many it has.
        length: usize,
        /// How many it may have.
        max: usize,
    },
    /// A character outside the alphabet.
    #[error("has the character '{0}'; use letters, digits, '.', '-', '_' and '@'")]
    Character(char),
}

fn tag(text: &str, max: usize) -> Result<String, TagError> {
    let length = text.chars().count();
    if length == 0 || length > max {
        return Err(TagError::Length { length, max });
    }
    match text.chars().find(|c| !c.is_ascii_alphanumeric() && !matches!(c, '.' | '-' | '_' | '@')) {
        Some(bad) => Err(TagError::Character(bad)),
        None => Ok(text.to_owned()),
    }
}

impl Label {
    /// Reads a label.
    pub fn parse(text: &str) -> Result<Label, TagError> {
        tag(text, LABEL_MAX).map(Label)
    }

    /// Its characters.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl ForeignId {
    /// Reads a foreign id.
    pub fn parse(text: &str) -> Result<ForeignId, TagError> {
        tag(text, FOREIGN_ID_MAX).map(ForeignId)
    }

    /// Its characters.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_short_and_plain() {
        assert!(Label::parse("spring-2026_mail@shop.de").is_ok());
        assert_eq!(Label::parse("a b"), Err(TagError::Character(' ')));
        assert_eq!(Label::parse("").unwrap_err(), TagError::Length { length: 0, max: 100 });
        assert!(Label::parse(&"x".repeat(100)).is_ok());
        assert!(Label::parse(&"x".repeat(101)).is_err());
        assert!(ForeignId::parse(&"x".repeat(65)).is_err());
    }
}
