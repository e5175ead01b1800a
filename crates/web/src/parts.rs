//! Small parts that pages share. Each is a struct that draws itself.

use std::fmt;

use askama::Template;
use askama::filters::HtmlSafe;
use domain::account::AccountState;
use domain::message::MessageStatus;

/// A drawing of our own set, as a reference to its symbol in `_icons.html`. It says nothing to those
/// who do not see it; words beside it, or the label of its button, do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Icon(pub &'static str);

impl fmt::Display for Icon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<svg class=\"icon\" aria-hidden=\"true\"><use href=\"#i-{}\"></use></svg>", self.0)
    }
}

impl HtmlSafe for Icon {}

/// A state in a word, with a tone that is never told by its colour alone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Template)]
#[template(path = "_state.html")]
pub struct Badge {
    /// `good`, `bad`, `busy`, `warn` or `calm`.
    pub tone: &'static str,
    /// The word.
    pub words: String,
}

impl HtmlSafe for Badge {}

impl Badge {
    /// A badge of any kind.
    pub fn new(tone: &'static str, words: impl Into<String>) -> Badge {
        Badge { tone, words: words.into() }
    }
}

impl From<AccountState> for Badge {
    fn from(state: AccountState) -> Badge {
        let tone = match state {
            AccountState::Active => "good",
            AccountState::Suspended => "bad",
            AccountState::Closing => "warn",
            AccountState::Closed => "calm",
        };
        Badge::new(tone, state.as_str())
    }
}

impl From<MessageStatus> for Badge {
    fn from(status: MessageStatus) -> Badge {
        use MessageStatus::*;
        let tone = match status {
            Delivered => "good",
            Undelivered | Rejected => "bad",
            Expired | Unknown => "warn",
            Cancelled => "calm",
            _ => "busy",
        };
        Badge::new(tone, status.as_str())
    }
}

/// What stands where there is nothing yet, with what to do next.
#[derive(Clone, Debug, Default, PartialEq, Eq, Template)]
#[template(path = "_empty.html")]
pub struct Empty {
    icon: &'static str,
    heading: String,
    words: String,
    action: Option<(String, String)>,
}

impl HtmlSafe for Empty {}

impl Empty {
    /// A drawing, what is missing, and what it is good for.
    pub fn new(icon: &'static str, heading: impl Into<String>, words: impl Into<String>) -> Empty {
        Empty { icon, heading: heading.into(), words: words.into(), action: None }
    }

    /// What to do next: words and where they lead.
    pub fn next(self, words: impl Into<String>, href: impl Into<String>) -> Empty {
        Empty { action: Some((words.into(), href.into())), ..self }
    }

    fn drawing(&self) -> Icon {
        Icon(self.icon)
    }
}

/// The way through a long list. With cursors there is no number of pages, only further and back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Template)]
#[template(path = "_pager.html")]
pub struct Pager {
    /// The newest part again, when it is not the one shown.
    pub first: Option<String>,
    /// The part before.
    pub previous: Option<String>,
    /// The part after.
    pub next: Option<String>,
    /// What is shown: `1–50 of 20,000`.
    pub words: String,
}

impl HtmlSafe for Pager {}

impl Pager {
    fn is_there(&self) -> bool {
        self.first.is_some() || self.previous.is_some() || self.next.is_some() || !self.words.is_empty()
    }

    fn back(&self) -> Icon {
        Icon("left")
    }

    fn on(&self) -> Icon {
        Icon("right")
    }
}

/// Pages that belong together: words, where they lead, whether they are open.
#[derive(Clone, Debug, Default, PartialEq, Eq, Template)]
#[template(path = "_tabs.html")]
pub struct Tabs {
    /// What they are, for those who do not see it.
    pub label: String,
    /// Words, where they lead, whether they are open.
    pub tabs: Vec<(String, String, bool)>,
}

impl HtmlSafe for Tabs {}

/// A figure with what it means, and where it leads.
#[derive(Clone, Debug, Default, PartialEq, Eq, Template)]
#[template(path = "_figure.html")]
pub struct Figure {
    label: String,
    value: String,
    note: String,
    tone: &'static str,
    href: Option<String>,
}

impl HtmlSafe for Figure {}

impl Figure {
    /// What it is, and how much.
    pub fn new(label: impl Into<String>, value: impl Into<String>) -> Figure {
        Figure { label: label.into(), value: value.into(), ..Figure::default() }
    }

    /// A line below it.
    pub fn note(self, note: impl Into<String>) -> Figure {
        Figure { note: note.into(), ..self }
    }

    /// Whether the line below is `good` or `bad` news.
    pub fn tone(self, tone: &'static str) -> Figure {
        Figure { tone, ..self }
    }

    /// The rows behind it.
    pub fn href(self, href: impl Into<String>) -> Figure {
        Figure { href: Some(href.into()), ..self }
    }
}

/// A secret that is shown once, or a line to be pasted elsewhere, with a button that copies it.
#[derive(Clone, Debug, PartialEq, Eq, Template)]
#[template(path = "_copy.html")]
pub struct Copy {
    /// What it is.
    pub label: String,
    /// The text.
    pub text: String,
    /// Whether it has several lines.
    pub is_block: bool,
}

impl HtmlSafe for Copy {}

impl Copy {
    fn drawing(&self) -> Icon {
        Icon("copy")
    }
}

/// How far a long piece of work is.
#[derive(Clone, Debug, PartialEq, Eq, Template)]
#[template(path = "_progress.html")]
pub struct Progress {
    /// What is done.
    pub label: String,
    /// So many are done.
    pub done: i64,
    /// Of so many.
    pub of: i64,
}

impl HtmlSafe for Progress {}
