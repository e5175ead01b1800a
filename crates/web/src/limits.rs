//! The limits of an account: which bear on it, how full they are, and setting them. The same part stands
//! on the account's own page and on its page seen from above.

use std::collections::HashMap;

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use domain::account::{Account, AccountState};
use domain::actor::Actor;
use domain::credits::Credits;
use domain::id::{AccountId, LimitId};
use domain::limit::{Bearing, Limit, Measure, Reach, Rule};
use domain::permission::Action;
use gateway::limits::{self, LimitError, Seen, Written};

use crate::door::Place;
use crate::error::Stop;
use crate::form::{Field, Summary, Typed};
use crate::format::Format;
use crate::messages::country_name;
use crate::page::{self, Shell};
use crate::parts::{Badge, Empty};
use crate::sign_in::sentence;
use crate::{Console, flash};

/// The characters a list may have.
const LIST_MAX: usize = 4_000;

/// Limits as a table, and the forms to set them.
#[derive(Template)]
#[template(path = "_limits.html")]
pub(crate) struct Part {
    rows: Vec<Row>,
    forms: Option<Forms>,
    empty: Empty,
    /// Where limits are set and taken away.
    own: String,
}

impl askama::filters::HtmlSafe for Part {}

struct Row {
    id: LimitId,
    what: String,
    /// Whose use counts.
    whose: String,
    allowed: String,
    is_list: bool,
    /// What is used, in words and out of how much.
    used: Option<Used>,
    badge: Badge,
    by: String,
    removable: bool,
}

struct Used {
    words: String,
    share: i64,
    tone: &'static str,
}

struct Forms {
    summary: Summary,
    most: Vec<Field>,
    reach: Option<Field>,
    countries: Vec<Field>,
    senders: Vec<Field>,
}

/// Who asks, about which account.
pub(crate) struct About<'a> {
    /// The account.
    pub account: &'a Account,
    /// The account the person stands in.
    pub viewer: AccountId,
    /// Whether they may set limits.
    pub may_set: bool,
    /// Where limits are set.
    pub own: String,
}

impl Part {
    /// The limits of an account, with what was typed.
    pub(crate) async fn of(
        console: &Console,
        place: &Place,
        about: About<'_>,
        typed: &Typed,
    ) -> Result<Part, Stop> {
        let seen = limits::of(&console.gateway, about.account, about.viewer).await?;
        let mut names: HashMap<AccountId, String> = HashMap::new();
        for id in seen.iter().flat_map(|seen| [seen.limit.by, seen.counted, seen.limit.account]) {
            if let Some(account) = console.gateway.account(id).await? {
                names.insert(id, account.name().to_owned());
            }
        }
        let name = |id: AccountId| names.get(&id).cloned().unwrap_or_else(|| format!("account {id}"));
        let may_set = about.may_set && about.account.state != AccountState::Closed;
        let row = |seen: &Seen| Row::of(seen, &about, &name, place.format(), may_set);
        // Those that count first.
        let mut rows: Vec<Row> = seen.iter().filter(|seen| seen.bearing.counts()).map(row).collect();
        rows.extend(seen.iter().filter(|seen| !seen.bearing.counts()).map(row));
        let has_below = about.account.path.len() < console.gateway.rules.depth_max;
        Ok(Part {
            rows,
            forms: may_set.then(|| Forms::of(typed, place.format(), has_below)),
            empty: Empty::new(
                "lock",
                "No limits",
                "It sends as much as its credits pay for, to every country with a price.",
            ),
            own: about.own,
        })
    }
}

impl Row {
    fn of(
        seen: &Seen,
        about: &About<'_>,
        name: &dyn Fn(AccountId) -> String,
        format: &Format,
        may_set: bool,
    ) -> Row {
        let limit = &seen.limit;
        let allowed = match &limit.rule {
            Rule::Most { measure, .. } => {
                seen.most().map_or_else(|| "not shown".to_owned(), |most| amount(*measure, most, format))
            }
            Rule::Countries(all) => {
                all.iter().map(|c| country_name(c.as_str())).collect::<Vec<_>>().join(", ")
            }
            Rule::Senders(all) => all.join(", "),
        };
        let used = match (&limit.rule, seen.used) {
            (Rule::Most { measure, most, .. }, Some(used)) if seen.bearing.counts() => {
                let share = share(used, *most);
                let tone = match share {
                    100.. => "bad",
                    80.. => "warn",
                    _ => "good",
                };
                Some(Used { words: amount(*measure, used, format), share, tone })
            }
            _ => None,
        };
        let (tone, words) = match seen.bearing {
            Bearing::Own => ("good", "own"),
            Bearing::Shared => ("busy", "shared"),
            Bearing::Inherited => ("calm", "inherited"),
            Bearing::Overridden => ("calm", "overridden"),
            Bearing::Enforced => ("warn", "enforced"),
            Bearing::ForThoseBelow => ("calm", "for those below"),
        };
        Row {
            id: limit.id,
            what: what(limit),
            whose: match seen.bearing {
                Bearing::Shared => format!("{} with all accounts below it", name(seen.counted)),
                Bearing::ForThoseBelow if limit.reach == Reach::EachEnforced => {
                    "Each account below by itself, always".to_owned()
                }
                Bearing::ForThoseBelow => {
                    "Each account below by itself, unless it has one of its own".to_owned()
                }
                Bearing::Own => "This account with all below it".to_owned(),
                _ => "This account".to_owned(),
            },
            allowed,
            is_list: !matches!(limit.rule, Rule::Most { .. }),
            used,
            badge: Badge::new(tone, words),
            by: name(limit.by),
            removable: may_set && seen.changeable && limit.account == about.account.id,
        }
    }

    fn use_label(&self) -> String {
        format!("{} used", self.what)
    }

    fn remove_label(&self) -> String {
        format!("Take away: {}, {}", self.what, self.allowed)
    }
}

fn share(used: i64, most: i64) -> i64 {
    let share = i128::from(used) * 100 / i128::from(most.max(1));
    i64::try_from(share.clamp(0, 100)).unwrap_or(100)
}

fn amount(measure: Measure, number: i64, format: &Format) -> String {
    if measure.is_money() { format.exact(Credits(number)) } else { format.count(number) }
}

fn measure_words(measure: Measure) -> &'static str {
    match measure {
        Measure::SpendDay => "Spending a day",
        Measure::SpendMonth => "Spending a month",
        Measure::MessagesHour => "Messages an hour",
        Measure::MessagesDay => "Messages a day",
    }
}

fn what(limit: &Limit) -> String {
    match &limit.rule {
        Rule::Most { measure, country, label, .. } => {
            let mut words = measure_words(*measure).to_owned();
            if let Some(country) = country {
                words.push_str(&format!(" to {}", country_name(country.as_str())));
            }
            if let Some(label) = label {
                words.push_str(&format!(" with label {}", label.as_str()));
            }
            words
        }
        Rule::Countries(_) => "Allowed countries".to_owned(),
        Rule::Senders(_) => "Allowed senders".to_owned(),
    }
}

impl Forms {
    fn of(typed: &Typed, format: &Format, has_below: bool) -> Forms {
        let reach = |name| {
            let together = "This account with all accounts below it, together";
            let options = [
                (Reach::Together.as_str(), together),
                (Reach::EachByDefault.as_str(), "Each account below by itself, unless it has its own"),
                (Reach::EachEnforced.as_str(), "Each account below by itself, always"),
            ];
            let field = typed.choice(name, "Whose use", options);
            has_below.then_some(field)
        };
        let measures = Measure::ALL.map(|measure| (measure.as_str(), measure_words(measure)));
        let most = vec![
            typed.choice("kind", "What is limited", measures),
            typed
                .field("most", "How much at the most")
                .keys("decimal")
                .length_max(20)
                .required()
                .hint(format!("An amount in {} for spending, else a number.", format.currency_sign())),
            typed
                .field("country", "Only to country")
                .length_max(2)
                .example("DE")
                .hint("Two letters; empty is every country."),
            typed.field("label", "Only with label").length_max(100).hint("Empty is every message."),
        ];
        let mut countries = vec![
            typed
                .area("countries", "Countries")
                .rows(3)
                .length_max(LIST_MAX)
                .required()
                .example("DE, AT, CH")
                .hint("Two letters each. Messages to all others are refused."),
        ];
        countries.extend(reach("countries_reach"));
        let mut senders = vec![
            typed
                .area("senders", "Senders")
                .rows(3)
                .length_max(LIST_MAX)
                .required()
                .example("Nordlicht, 4915112345678")
                .hint("Separated by commas or on lines of their own. All others are refused."),
        ];
        senders.extend(reach("senders_reach"));
        Forms { summary: typed.summary(), most, reach: reach("reach"), countries, senders }
    }
}

/// What was typed into one of the forms, and the names of its fields there.
fn written(typed: &Typed) -> Written {
    let text = |name: &str| typed.text(name).to_owned();
    let list = |name: &str| {
        typed.text(name).split([',', ';', '\n', '\r']).map(|word| word.trim().to_owned()).collect()
    };
    match typed.text("kind") {
        kind @ ("countries" | "senders") => Written {
            kind: kind.to_owned(),
            reach: text(if kind == "countries" { "countries_reach" } else { "senders_reach" }),
            list: list(kind),
            ..Written::default()
        },
        kind => Written {
            kind: kind.to_owned(),
            reach: text("reach"),
            country: text("country"),
            label: text("label"),
            most: text("most"),
            list: Vec::new(),
        },
    }
}

/// Sets what was typed; the words of what happened, or none when something is wrong with it.
pub(crate) async fn set(
    console: &Console,
    about: &About<'_>,
    typed: &mut Typed,
    actor: &Actor,
) -> Result<Option<String>, Stop> {
    let written = written(typed);
    match limits::set(&console.gateway, about.account.id, about.viewer, &written, actor).await {
        Ok(limit) => Ok(Some(format!("The limit is set: {}.", what(&limit)))),
        Err(LimitError::Fields(problems)) => {
            for problem in problems {
                let name = match (problem.field, written.kind.as_str()) {
                    (limits::Field::List, "senders") => "senders",
                    (limits::Field::List, _) => "countries",
                    (limits::Field::Reach, "senders") => "senders_reach",
                    (limits::Field::Reach, "countries") => "countries_reach",
                    (field, _) => field.as_str(),
                };
                let words = format!("{}; {}", problem.problem, problem.remedy);
                typed.wrong(name, sentence(&words));
            }
            Ok(None)
        }
        Err(error) => {
            refused(error, typed)?;
            Ok(None)
        }
    }
}

/// Takes a limit away; the words of what happened, or none when it could not be.
pub(crate) async fn remove(
    console: &Console,
    about: &About<'_>,
    limit: LimitId,
    typed: &mut Typed,
    actor: &Actor,
) -> Result<Option<String>, Stop> {
    match limits::remove(&console.gateway, about.account.id, about.viewer, limit, actor).await {
        Ok(()) => Ok(Some("The limit is taken away.".to_owned())),
        Err(LimitError::NotFound { .. }) => Ok(Some("The limit was taken away before.".to_owned())),
        Err(error) => {
            refused(error, typed)?;
            Ok(None)
        }
    }
}

fn refused(error: LimitError, typed: &mut Typed) -> Result<(), Stop> {
    match error {
        LimitError::Storage(error) => Err(error.into()),
        LimitError::NoAccount(_) => Err(Stop::NotThere),
        error => {
            typed.wrong_in_all(sentence(&error));
            Ok(())
        }
    }
}

#[derive(Template)]
#[template(path = "a/limits.html")]
struct Limits {
    shell: Shell,
    part: Part,
}

/// An account's own limits are a choice of its own, as its settings are; those that the one above sets go by
/// the right to look after subaccounts.
fn about(place: &Place) -> About<'_> {
    About {
        account: &place.account,
        viewer: place.account.id,
        may_set: place.may(Action::ManageSettings),
        own: place.href("limits"),
    }
}

/// `GET /a/{id}/limits`.
pub async fn show(State(console): State<Console>, place: Place) -> Result<Response, Stop> {
    let part = Part::of(&console, &place, about(&place), &Typed::default()).await?;
    page::draw(&Limits { shell: place.shell("Limits"), part })
}

/// `POST /a/{id}/limits`.
pub async fn add(State(console): State<Console>, place: Place, mut typed: Typed) -> Result<Response, Stop> {
    match set(&console, &about(&place), &mut typed, &place.actor()).await? {
        Some(words) => Ok(flash::done(&place.href("limits"), &words)),
        None => {
            let part = Part::of(&console, &place, about(&place), &typed).await?;
            page::draw_again(&Limits { shell: place.shell("Limits"), part })
        }
    }
}

/// `POST /a/{id}/limits/{limit}/remove`.
pub async fn take_away(
    State(console): State<Console>,
    place: Place,
    Path((_, limit)): Path<(i64, i64)>,
) -> Result<Response, Stop> {
    let mut typed = Typed::default();
    match remove(&console, &about(&place), LimitId(limit), &mut typed, &place.actor()).await? {
        Some(words) => Ok(flash::done(&place.href("limits"), &words)),
        None => {
            let part = Part::of(&console, &place, about(&place), &typed).await?;
            page::draw_again(&Limits { shell: place.shell("Limits"), part })
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub fn sample_part() -> Part {
        let mut typed = Typed::of([("most", "<b>"), ("countries", "DE, <b>")]);
        typed.wrong("most", "'<b>' is no amount; write one such as 12.50");
        let used = |share, tone| Some(Used { words: "€1.00".into(), share, tone });
        let row = |used, removable| Row {
            id: LimitId(7),
            what: "Spending a day with label <b>".into(),
            whose: "This account".into(),
            allowed: "€2.00".into(),
            is_list: false,
            used,
            badge: Badge::new("good", "own"),
            by: "<Nordlicht>".into(),
            removable,
        };
        let format = Shell::sample("Limits").format;
        Part {
            rows: vec![row(used(50, "good"), true), row(used(100, "bad"), false), row(None, false)],
            forms: Some(Forms::of(&typed, &format, true)),
            empty: Empty::new("lock", "No limits", "None."),
            own: "/a/1/limits".into(),
        }
    }

    pub fn sample() -> impl Template {
        Limits { shell: Shell::sample("Limits"), part: sample_part() }
    }

    #[test]
    fn a_share_is_never_more_than_all() {
        assert_eq!([share(0, 0), share(5, 0), share(50, 200), share(i64::MAX, 1)], [0, 100, 25, 100]);
    }
}
