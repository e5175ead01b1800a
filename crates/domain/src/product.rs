//! What is sold. Each product is priced, booked and counted in the same way.

/// A product of the platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Product {
    /// A text message out, charged by the segment.
    Sms,
    /// A text message in.
    Inbound,
    /// A question about a number (format, HLR, MNP, CNAM).
    Lookup,
    /// A call.
    Voice,
    /// A rich message.
    Rcs,
    /// The rent of a number.
    Number,
}

impl Product {
    /// All products, in the order of their codes.
    pub const ALL: [Product; 6] =
        [Product::Sms, Product::Inbound, Product::Lookup, Product::Voice, Product::Rcs, Product::Number];

    /// The number the books use: 0 to 5.
    pub fn code(self) -> i64 {
        self as i64
    }

    /// The product of a number in the books.
    pub fn from_code(code: i64) -> Option<Product> {
        usize::try_from(code).ok().and_then(|i| Product::ALL.get(i)).copied()
    }

    /// The word used in price lists and statistics.
    pub fn as_str(self) -> &'static str {
        match self {
            Product::Sms => "sms",
            Product::Inbound => "inbound",
            Product::Lookup => "lookup",
            Product::Voice => "voice",
            Product::Rcs => "rcs",
            Product::Number => "number",
        }
    }

    /// The product a word names.
    pub fn parse(word: &str) -> Option<Product> {
        Product::ALL.into_iter().find(|p| p.as_str() == word)
    }
}
