//! Where one can go from a page of an account: what the person may see there, and what they may see
//! once they have stepped in.

use domain::permission::{Action, Verdict};

use crate::door::Place;

/// Entries that belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// What they have in common; the first group says nothing.
    pub words: &'static str,
    /// The entries.
    pub entries: Vec<Entry>,
}

/// A way to go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What it is called.
    pub words: &'static str,
    /// Its drawing.
    pub icon: &'static str,
    /// Where it leads.
    pub href: String,
    /// Whether it is the page that is open, or holds it.
    pub is_current: bool,
    /// Whether one has to step in first.
    pub is_behind_door: bool,
}

use Action::*;

/// Every entry: group, words, drawing, path below the account, and what it takes.
#[rustfmt::skip]
const ENTRIES: [(&str, &str, &str, &str, Action); 14] = [
    ("",           "Overview",    "overview",   "",            SeeAccount),
    ("",           "Subaccounts", "tree",       "subaccounts", SeeSubaccounts),
    ("Messages",   "Send",        "send",       "send",        SendMessages),
    ("Messages",   "Journal",     "journal",    "messages",    SeeMessages),
    ("Messages",   "Statistics",  "statistics", "statistics",  SeeStatistics),
    ("Money",      "Credits",     "credits",    "credits",     SeeCredits),
    ("Money",      "Limits",      "lock",        "limits",      SeeCredits),
    ("Developers", "API keys",    "key",        "keys",        SeeKeys),
    ("Developers", "Requests",    "requests",   "requests",    SeeRequests),
    ("Account",    "Members",     "members",    "members",     SeeMembers),
    ("Account",    "Access",      "access",     "access",      SeeVisits),
    ("Account",    "Audit log",   "audit",      "audit",       SeeAudit),
    ("Account",    "Settings",    "settings",   "settings",    SeeSettings),
    ("Money",      "Prices",      "price",      "prices",      SeePrices),
];

/// The groups in their order.
const GROUPS: [&str; 5] = ["", "Messages", "Money", "Developers", "Account"];

/// What the person may see of the account, and behind which door.
pub fn of_account(place: &Place, path: &str) -> Vec<Group> {
    let own_path = place.href("");
    let below = path.strip_prefix(&own_path).unwrap_or_default().trim_matches('/');
    let open = below.split('/').next().unwrap_or_default();
    let entry = |(_, words, icon, page, action): &(&str, &'static str, &'static str, &str, Action)| {
        if !is_page(page) {
            return None;
        }
        let is_behind_door = match place.verdict_on(*action) {
            Verdict::Own | Verdict::Above(_) => false,
            Verdict::StepIn(_) => true,
            Verdict::Missing | Verdict::NotThere => return None,
        };
        Some(Entry { words, icon, href: place.href(page), is_current: open == *page, is_behind_door })
    };
    let group = |words: &&'static str| Group {
        words,
        entries: ENTRIES.iter().filter(|(group, ..)| group == words).filter_map(entry).collect(),
    };
    GROUPS.iter().map(group).filter(|group| !group.entries.is_empty()).collect()
}

/// Whether the console has the page: the list above is the whole order, also of what is built later.
pub(crate) fn is_page(page: &str) -> bool {
    let path = if page.is_empty() { "/a/{id}".to_owned() } else { format!("/a/{{id}}/{page}") };
    crate::PAGES.iter().any(|row| row.path == path)
}
