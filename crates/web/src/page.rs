//! What stands around every page: title, account, path, navigation, and what must not be missed.

use askama::Template;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{Html, IntoResponse, Response};
use domain::account::{Account, AccountState};
use domain::id::AccountId;
use domain::moment::Moment;
use jiff::tz::TimeZone;

use crate::Console;
use crate::door::Place;
use crate::error::Stop;
use crate::flash::{self, Flash};
use crate::format::{Format, Time};
use crate::navigation::{self, Group};
use crate::signed_in::Person;
pub use crate::theme::Theme;
use crate::{assets, parts};

/// How many accounts the switcher in the corner shows; the rest are a page.
const SWITCHER_MAX: usize = 8;

/// What every page template embeds as its field `shell`.
#[derive(Clone, Debug)]
pub struct Shell {
    /// What the page is called.
    pub title: String,
    /// The way to it below its account, each with its address: `Subaccounts`, then `Branch Köln`.
    pub crumbs: Vec<Crumb>,
    /// Light or dark.
    pub theme: Theme,
    /// Who is signed in.
    pub who: Option<Who>,
    /// The account the page is about.
    pub here: Option<Here>,
    /// Where one can go.
    pub groups: Vec<Group>,
    /// Accounts one is a member of.
    pub switcher: Vec<Line>,
    /// How many there are beyond those.
    pub more_accounts: usize,
    /// Said once about what was just done.
    pub flash: Option<Flash>,
    /// How things are written.
    pub format: Format,
    /// Whether the page takes the whole width, as wide tables do.
    pub is_wide: bool,
    /// The stream that tells what changes on the page.
    pub events: Option<String>,
}

/// A step of the way to a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crumb {
    /// What it is called.
    pub words: String,
    /// Where it leads; nothing when one may not go there.
    pub href: Option<String>,
}

/// Who is signed in, as the corner shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Who {
    /// Their name, or their address when they have none.
    pub name: String,
    /// Their address.
    pub email: String,
    /// One or two letters for the disc.
    pub initials: String,
    /// Whether they run the installation.
    pub is_operator: bool,
}

/// The account a page is about.
#[derive(Clone, Debug)]
pub struct Here {
    /// Its number.
    pub id: AccountId,
    /// Its name.
    pub name: String,
    /// The accounts above it, the main account first, and itself.
    pub path: Vec<Crumb>,
    /// The state that counts, when it is not `active`, with what to know about it.
    pub warning: Option<String>,
    /// The visit from above, while there is one.
    pub acting: Option<Acting>,
    /// Whether the person looks from above without having stepped in.
    pub is_from_above: bool,
}

/// What the banner says while somebody is in an account from above.
#[derive(Clone, Debug)]
pub struct Acting {
    /// The account they came from.
    pub above: String,
    /// When it ends by itself.
    pub ends: Time,
    /// Where the button that leads out posts to.
    pub leave: String,
}

/// An account in the switcher.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Its number.
    pub id: AccountId,
    /// Its name.
    pub name: String,
    /// What one is there.
    pub role: &'static str,
    /// Whether it is the one that is open.
    pub is_current: bool,
}

impl Shell {
    /// A shell with nothing in it.
    pub(crate) fn empty(console: &Console) -> Shell {
        let rules = &console.gateway.rules;
        Shell {
            title: String::new(),
            crumbs: Vec::new(),
            theme: Theme::System,
            who: None,
            here: None,
            groups: Vec::new(),
            switcher: Vec::new(),
            more_accounts: 0,
            flash: None,
            format: Format {
                time_zone: rules.time_zone.clone(),
                currency: rules.currency.clone(),
                now: console.gateway.clock.now(),
            },
            is_wide: false,
            events: None,
        }
    }

    /// A shell as the owner of two accounts has it, for tests and the gallery.
    #[doc(hidden)]
    pub fn sample(title: &str) -> Shell {
        let entry = |words, icon, page: &str| navigation::Entry {
            words,
            icon,
            href: format!("/a/1900002/{page}"),
            is_current: page == "subaccounts",
            is_behind_door: page == "keys",
        };
        let crumb = |words: &str, id: i64| Crumb { words: words.into(), href: Some(format!("/a/{id}")) };
        Shell {
            title: title.to_owned(),
            crumbs: Vec::new(),
            theme: Theme::System,
            who: Some(Who {
                name: "Eva Muster".into(),
                email: "eva@example.com".into(),
                initials: "EM".into(),
                is_operator: true,
            }),
            here: Some(Here {
                id: AccountId(1_900_002),
                name: "Filiale Köln".into(),
                path: vec![crumb("Nordlicht GmbH", 1_900_001), crumb("Filiale Köln", 1_900_002)],
                warning: None,
                acting: None,
                is_from_above: false,
            }),
            groups: vec![
                Group {
                    words: "",
                    entries: vec![
                        entry("Overview", "overview", ""),
                        entry("Subaccounts", "tree", "subaccounts"),
                    ],
                },
                Group {
                    words: "Messages",
                    entries: vec![
                        entry("Send", "send", "send"),
                        entry("Journal", "journal", "messages"),
                        entry("Statistics", "statistics", "statistics"),
                    ],
                },
                Group {
                    words: "Money",
                    entries: vec![entry("Credits", "credits", "credits"), entry("Prices", "price", "prices")],
                },
                Group {
                    words: "Developers",
                    entries: vec![
                        entry("API keys", "key", "keys"),
                        entry("Requests", "requests", "requests"),
                    ],
                },
                Group {
                    words: "Account",
                    entries: vec![
                        entry("Members", "members", "members"),
                        entry("Access", "access", "access"),
                        entry("Audit log", "audit", "audit"),
                        entry("Settings", "settings", "settings"),
                    ],
                },
            ],
            switcher: vec![
                Line {
                    id: AccountId(1_900_001),
                    name: "Nordlicht GmbH".into(),
                    role: "owner",
                    is_current: false,
                },
                Line {
                    id: AccountId(1_900_002),
                    name: "Filiale Köln".into(),
                    role: "administrator",
                    is_current: true,
                },
            ],
            more_accounts: 3,
            flash: None,
            format: Format {
                time_zone: TimeZone::UTC,
                currency: "EUR".into(),
                now: Moment::from_seconds(1_795_800_000),
            },
            is_wide: false,
            events: None,
        }
    }

    /// The banner of somebody who has stepped in, for tests and the gallery.
    #[doc(hidden)]
    pub fn sample_acting(title: &str) -> Shell {
        let mut shell = Shell::sample(title);
        let ends = shell.format.ago(Moment::from_seconds(1_795_802_400));
        if let Some(here) = &mut shell.here {
            here.acting =
                Some(Acting { above: "Nordlicht GmbH".into(), ends, leave: "/a/1900002/step-out".into() });
        }
        shell
    }

    /// For pages before anybody is signed in, and for what lies under no path.
    pub fn outside(console: &Console, headers: &HeaderMap, title: &str) -> Shell {
        Shell {
            title: title.to_owned(),
            theme: Theme::of(headers),
            flash: flash::of(headers),
            ..Shell::empty(console)
        }
    }

    /// For pages of a person that are of no account.
    pub(crate) async fn of_person(
        console: &Console,
        headers: &HeaderMap,
        person: &Person,
    ) -> Result<Shell, Stop> {
        let mut shell = Shell::outside(console, headers, "");
        shell.who = Some(Who::of(person));
        for standing in person.standings.iter().take(SWITCHER_MAX) {
            if let Some(account) = console.gateway.account(standing.account).await? {
                shell.switcher.push(Line {
                    id: account.id,
                    name: account.name().to_owned(),
                    role: standing.role.as_str(),
                    is_current: false,
                });
            }
        }
        shell.more_accounts = person.standings.len().saturating_sub(SWITCHER_MAX);
        Ok(shell)
    }

    /// For pages of an account.
    pub(crate) async fn of_place(
        console: &Console,
        headers: &HeaderMap,
        uri: &Uri,
        place: &Place,
    ) -> Result<Shell, Stop> {
        let mut shell = Shell::of_person(console, headers, &place.person).await?;
        for line in &mut shell.switcher {
            line.is_current = line.id == place.account.id;
        }
        shell.groups = navigation::of_account(place, uri.path());
        let zone = place.account.settings.time_zone.as_deref();
        shell.format.time_zone = time_zone_or(zone, &shell.format.time_zone);
        let mut here = Here::of(place);
        if let Some(visit) = &place.visit {
            let above = console.gateway.account(visit.above).await?;
            here.acting = Some(Acting {
                above: above.map_or_else(|| visit.above.to_string(), |a| a.name().to_owned()),
                ends: shell.format.ago(visit.ends_at),
                leave: place.href("step-out"),
            });
        }
        shell.here = Some(here);
        Ok(shell)
    }

    /// Gives the page its name.
    pub fn titled(self, title: &str) -> Shell {
        Shell { title: title.to_owned(), ..self }
    }

    /// Adds steps of the way: words and a path.
    pub fn under<const N: usize>(mut self, crumbs: [(&str, String); N]) -> Shell {
        let steps = crumbs.map(|(words, href)| Crumb { words: words.to_owned(), href: Some(href) });
        self.crumbs.extend(steps);
        self
    }

    /// The page takes the whole width.
    pub fn wide(self) -> Shell {
        Shell { is_wide: true, ..self }
    }

    /// The page has live parts, and this stream tells when they change.
    pub fn live(self, events: String) -> Shell {
        Shell { events: Some(events), ..self }
    }

    /// What the window is called.
    pub fn window_title(&self) -> String {
        match &self.here {
            Some(here) => format!("{} · {} · Branchline", self.title, here.name),
            None => format!("{} · Branchline", self.title),
        }
    }

    /// The address of the style.
    pub fn style(&self) -> &'static str {
        assets::style()
    }

    /// The address of the script.
    pub fn script(&self) -> &'static str {
        assets::script()
    }

    /// The address of the icon of the window.
    pub fn icon(&self) -> &'static str {
        assets::icon()
    }

    /// A drawing of the set.
    pub fn draw(&self, name: &'static str) -> parts::Icon {
        parts::Icon(name)
    }

    /// Where the name of the console leads.
    pub fn home(&self) -> String {
        self.here.as_ref().map_or_else(|| "/".to_owned(), |here| format!("/a/{}", here.id))
    }

    /// All themes, with whether each is the chosen one.
    pub fn themes(&self) -> [(Theme, bool); 3] {
        Theme::ALL.map(|theme| (theme, theme == self.theme))
    }
}

impl Who {
    fn of(person: &Person) -> Who {
        let login = &person.login;
        let email = login.email.as_str().to_owned();
        let name = if login.name.trim().is_empty() { email.clone() } else { login.name.clone() };
        let initials = name.split_whitespace().filter_map(|word| word.chars().next()).take(2);
        Who {
            initials: initials.flat_map(char::to_uppercase).collect(),
            is_operator: login.operator,
            email,
            name,
        }
    }
}

impl Here {
    fn of(place: &Place) -> Here {
        let ids = |account: &Account| account.path.clone();
        let path = place.path.iter().map(|account| Crumb {
            words: account.name().to_owned(),
            href: place.person.knows(&ids(account)).then(|| format!("/a/{}", account.id)),
        });
        Here {
            id: place.account.id,
            name: place.account.name().to_owned(),
            path: path.collect(),
            warning: warning(place),
            acting: None,
            is_from_above: place.visit.is_none() && place.above().is_some(),
        }
    }
}

/// What to know about an account that is not active. Why one further up is not is not told below.
fn warning(place: &Place) -> Option<String> {
    let own = place.account.state == place.state;
    let reason = place.account.state_reason.as_deref().filter(|reason| own && !reason.is_empty());
    let reason = reason.map(|reason| format!(" Reason: {reason}")).unwrap_or_default();
    Some(match (place.state, own) {
        (AccountState::Active, _) => return None,
        (AccountState::Suspended, true) => {
            format!("This account is suspended. It can be read and exported, but sends nothing.{reason}")
        }
        (AccountState::Suspended, false) => {
            "An account above this one is suspended, so nothing is sent from here either.".to_owned()
        }
        (AccountState::Closing, true) => {
            format!("This account is being closed. It can be reopened until its time is over.{reason}")
        }
        (AccountState::Closing, false) => "An account above this one is being closed.".to_owned(),
        (AccountState::Closed, _) => "This account is closed. What it did can still be read.".to_owned(),
    })
}

/// The whole page, as it is sent.
pub fn draw(page: &impl Template) -> Result<Response, Stop> {
    Ok(Html(page.render()?).into_response())
}

/// A page whose form was wrong, once more with what was typed.
pub fn draw_again(page: &impl Template) -> Result<Response, Stop> {
    Ok((StatusCode::UNPROCESSABLE_ENTITY, Html(page.render()?)).into_response())
}

/// A text as part of a query.
pub fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' | b'/' => {
                out.push(byte.into())
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// The time zone of a name, else the other one.
pub fn time_zone_or(name: Option<&str>, other: &TimeZone) -> TimeZone {
    name.and_then(|name| TimeZone::get(name).ok()).unwrap_or_else(|| other.clone())
}
