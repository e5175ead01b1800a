//! Where a page of a long list begins, and where the pages before it began: so one goes back as one came,
//! and the books are only ever asked to go on.

use std::fmt::Display;
use std::str::FromStr;

use crate::form::Typed;
use crate::link::Link;
use crate::parts::Pager;

/// How many pages one can go back by their places; from further on there is the first one.
const TRAIL_MAX: usize = 12;

/// A page of a list, as its address names it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Paging {
    /// The place after which it begins; empty for the first one.
    pub after: String,
    /// The places of the pages before, without the first one, whose place is empty.
    trail: Vec<String>,
    /// How many pages come before.
    before: u32,
}

impl Paging {
    /// The page an address names.
    pub fn of(asked: &Typed) -> Paging {
        let after = asked.raw("after").to_owned();
        if after.is_empty() {
            return Paging::default();
        }
        let trail = asked.all("back").filter(|place| !place.is_empty()).take(TRAIL_MAX);
        let number: u32 = asked.text("page").parse().unwrap_or(2);
        Paging { after, trail: trail.map(str::to_owned).collect(), before: number.max(2) - 1 }
    }

    /// Its place, as the list reads it. One that cannot be read is that of the first page.
    pub fn place<T: FromStr>(&self) -> Option<T> {
        self.after.parse().ok()
    }

    /// How many rows come before it, when each page has so many.
    pub fn skipped(&self, rows: i64) -> i64 {
        i64::from(self.before) * rows
    }

    /// Whether it is the first one.
    pub fn is_first(&self) -> bool {
        self.after.is_empty()
    }

    /// The ways from it: `first` is the address of the first page, `next` the place of the one after.
    pub fn pager(&self, first: &Link, next: Option<impl Display>) -> Pager {
        let at = |place: &dyn Display, number: u32, trail: &[String]| -> String {
            let link = first.clone().with("after", place).with("page", number);
            trail.iter().fold(link, |link, place| link.with("back", place)).into()
        };
        let next = next.map(|next| {
            let mut trail = self.trail.clone();
            if !self.is_first() {
                trail.push(self.after.clone());
            }
            at(&next, self.before + 2, &trail[trail.len().saturating_sub(TRAIL_MAX)..])
        });
        let previous = match self.trail.split_last() {
            _ if self.is_first() => None,
            Some((last, before)) => Some(at(last, self.before, before)),
            // The second page leads back to the first one.
            None => (self.before == 1).then(|| first.clone().into()),
        };
        Pager {
            first: (!self.is_first()).then(|| first.clone().into()),
            previous,
            next,
            words: String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::Uri;

    use super::*;

    fn at(address: &str) -> Paging {
        Paging::of(&Typed::of_query(&address.parse::<Uri>().unwrap()))
    }

    #[test]
    fn one_goes_back_as_one_came() {
        let first = Link::to("/list").with("q", "a b");
        let mut address = "/list?q=a%20b".to_owned();
        let mut seen = vec![address.clone()];
        for place in ["11.k", "22.ü", "33.&", "44.z"] {
            let paging = at(&address);
            address = paging.pager(&first, Some(place)).next.unwrap();
            assert_eq!(at(&address).after, place);
            seen.push(address.clone());
        }
        assert_eq!(at(&address).skipped(50), 200);
        assert_eq!(at(&address).pager(&first, None::<String>).next, None);
        while let Some(expected) = seen.pop() {
            assert_eq!(address, expected);
            match at(&address).pager(&first, None::<String>).previous {
                Some(previous) => address = previous,
                None => assert!(seen.is_empty(), "there is no way back from {address}"),
            }
        }
    }

    #[test]
    fn a_long_way_back_ends_with_the_first_page() {
        let first = Link::to("/list");
        let mut paging = Paging::default();
        for n in 0..40 {
            paging = at(&paging.pager(&first, Some(n + 1)).next.unwrap());
        }
        let mut back = 0;
        while let Some(previous) = paging.pager(&first, None::<i64>).previous {
            paging = at(&previous);
            back += 1;
        }
        assert_eq!((back, paging.after.as_str()), (TRAIL_MAX, "28"));
        assert_eq!(paging.pager(&first, None::<i64>).first.as_deref(), Some("/list"));
        assert_eq!(at("/list?page=7&back=x"), Paging::default());
        assert_eq!(at("/list?after=x&page=0").pager(&first, None::<i64>).previous.as_deref(), Some("/list"));
    }
}
