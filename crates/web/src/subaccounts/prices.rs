//! What one account below pays, by which list, what is earned on it above, and by which prices it is to
//! pay from now on.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use domain::account::AccountState;
use domain::id::PriceListId;
use domain::markup::Markup;
use domain::permission::Action;
use gateway::prices::{self as lists, AssignError, Choice, NewMarkup, Overview, Source};

use super::below::{Below, Head};
use crate::door::Place;
use crate::error::Stop;
use crate::form::{Asked, Field, Summary, Typed};
use crate::page::{self, Shell};
use crate::price_lists::one::later_day;
use crate::prices::{Table, file, wanted};
use crate::sign_in::sentence;
use crate::{Console, flash};

/// The most characters of a list's name in a form.
const NAME_MAX: usize = 200;

#[derive(Template)]
#[template(path = "a/subaccounts/prices.html")]
struct Prices {
    shell: Shell,
    head: Head,
    source: String,
    form: Option<Form>,
    table: Table,
}

/// By which prices it is to pay.
struct Form {
    summary: Summary,
    own: String,
    is_open: bool,
    which: Field,
    list: Option<Field>,
    markup: Vec<Field>,
    below_cost: Option<Field>,
}

/// `GET /a/{id}/subaccounts/{child}/prices`.
pub async fn show(
    State(console): State<Console>,
    place: Place,
    below: Below,
    asked: Asked,
) -> Result<Response, Stop> {
    below.must(Action::SeePrices)?;
    page::draw(&drawn(&console, &place, &below, &asked, None).await?)
}

async fn drawn(
    console: &Console,
    place: &Place,
    below: &Below,
    asked: &Typed,
    typed: Option<&Typed>,
) -> Result<Prices, Stop> {
    let gateway = &console.gateway;
    let paid = lists::paid(gateway, &place.account, &below.account, &wanted(asked)).await?;
    let above = place.may(Action::SeePrices).then(|| place.account.name().to_owned());
    let own_lists = lists::of_owner(gateway, Some(place.account.id)).await?;
    let may = place.may(Action::ManagePrices) && below.may(Action::ManagePrices);
    let may = may && below.account.state != AccountState::Closed;
    Ok(Prices {
        shell: below.shell("Prices"),
        head: below.head("prices"),
        source: source(place, below, &paid.source),
        form: may.then(|| match typed {
            Some(typed) => Form::of(place, below, typed, &own_lists, true),
            None => Form::of(place, below, &as_it_is(place, below, &paid.source), &own_lists, false),
        }),
        table: Table::of(&paid, asked, below.href("prices"), "It pays", above, place.format()),
    })
}

/// By which list it pays, in words.
fn source(place: &Place, below: &Below, source: &Source) -> String {
    let name = below.account.name();
    match source {
        Source::Own(list) if list.owner == Some(place.account.id) => {
            format!("{name} pays by your price list “{}”.", list.name)
        }
        Source::Own(list) if list.owner.is_none() => {
            format!("{name} pays by a price list that the operator has given it, “{}”.", list.name)
        }
        Source::Own(_) => format!("{name} pays by a price list of its own, set from above."),
        Source::Of(id) => {
            let owner = below.path.iter().find(|account| account.id == *id).map_or("", |a| a.name());
            format!("{name} has no price list of its own: it pays what {owner} pays.")
        }
        Source::SameAsAsker | Source::Untold => {
            format!("{name} has no price list of its own: it pays what {} pays.", place.account.name())
        }
    }
}

/// The form as the books have it.
fn as_it_is(place: &Place, below: &Below, source: &Source) -> Typed {
    let mut typed = Typed::of([("which", "inherit"), ("name", below.account.name())]);
    if let Source::Own(list) = source {
        typed.set("which", "");
        if list.owner == Some(place.account.id) {
            typed.set("which", "list");
            typed.set("list", &list.id.0.to_string());
            typed.set("name", &list.name);
        }
    }
    typed
}

impl Form {
    fn of(place: &Place, below: &Below, typed: &Typed, own: &[Overview], is_open: bool) -> Form {
        let above = below.path.iter().rev().nth(1).map_or("", |account| account.name());
        let mut ways =
            vec![("inherit", "No list of its own", format!("It pays what {above} pays, now and later."))];
        if !own.is_empty() {
            ways.push(("list", "One of your price lists", "Several accounts may share one.".to_owned()));
        }
        ways.push((
            "markup",
            "What you pay, with a markup",
            "Worked out now from your prices, those known to come included. When yours change, set it again."
                .to_owned(),
        ));
        let used = |count: &i64| match count {
            0 => "used by nobody".to_owned(),
            count => format!("used by {}", place.format().many(*count, "account", "accounts")),
        };
        let options = own
            .iter()
            .map(|one| (one.list.id.0.to_string(), format!("{}, {}", one.list.name, used(&one.accounts))));
        let loss = typed.error("below_cost").is_some() || typed.ticked("below_cost");
        Form {
            summary: typed.summary(),
            own: below.href("prices"),
            is_open,
            which: typed.cards("which", "Which prices does it pay?", ways).required(),
            list: (!own.is_empty()).then(|| typed.choice("list", "Price list", options)),
            markup: vec![
                typed.field("percent", "Markup").keys("decimal").after("%").length_max(10).example("20"),
                typed
                    .field("name", "Name of the list")
                    .length_max(NAME_MAX)
                    .hint("Only you see it. A new name makes a new list."),
                typed
                    .field("from", "From")
                    .of_type("date")
                    .hint("Empty is now. Until then it pays what it does."),
            ],
            below_cost: loss.then(|| {
                typed.tick("below_cost", "Sell below cost: the difference is taken from the account above it")
            }),
        }
    }
}

/// `POST /a/{id}/subaccounts/{child}/prices`: sets by which prices it pays.
pub async fn choose(
    State(console): State<Console>,
    place: Place,
    below: Below,
    mut typed: Typed,
) -> Result<Response, Stop> {
    below.must(Action::ManagePrices)?;
    if let Some(choice) = read(&mut typed, &place) {
        let (gateway, allow) = (&console.gateway, typed.ticked("below_cost"));
        let (above, actor) = (&place.account, below.actor());
        match lists::choose(gateway, above, below.account.id, &choice, allow, &actor).await {
            Ok(()) => {
                let words = format!("The prices of {} are set.", below.account.name());
                return Ok(flash::done(&below.href("prices"), &words));
            }
            Err(error) => refused(&mut typed, &choice, error)?,
        }
    }
    page::draw_again(&drawn(&console, &place, &below, &Typed::default(), Some(&typed)).await?)
}

fn read(typed: &mut Typed, place: &Place) -> Option<Choice> {
    match typed.text("which") {
        "inherit" => Some(Choice::Inherit),
        "list" => typed
            .read("list", |id| id.parse().map(PriceListId).map_err(|_| "Choose one of your price lists."))
            .map(Choice::List),
        "markup" => {
            let markup =
                typed.read("percent", |text| text.parse::<Markup>().map_err(|error| sentence(&error)));
            let name = typed.words("name", "what the list is called", NAME_MAX);
            let from = typed.read_if_given("from", |text| later_day(text, place.format()));
            Some(Choice::Markup(NewMarkup { name: name?, markup: markup?, from: from? }))
        }
        _ => {
            typed.wrong("which", "Choose which prices it pays.");
            None
        }
    }
}

/// Puts a refusal to the field it is about.
fn refused(typed: &mut Typed, choice: &Choice, error: AssignError) -> Result<(), Stop> {
    let words = sentence(&error);
    match (error, choice) {
        (AssignError::Storage(error), _) => return Err(error.into()),
        (AssignError::NotFound(_) | AssignError::Closed(_), _) => typed.wrong_in_all(words),
        (AssignError::BelowCost(_), _) => typed.wrong("below_cost", words),
        (AssignError::NotYours(_) | AssignError::NoList(_), _) => typed.wrong("list", words),
        (AssignError::Name(_) | AssignError::NameTaken(_) | AssignError::TooMany, _) => {
            typed.wrong("name", words)
        }
        (AssignError::NoPrices(_) | AssignError::Fixed, Choice::Markup(_)) => typed.wrong("percent", words),
        (AssignError::NoPrices(_) | AssignError::Fixed, _) => typed.wrong_in_all(words),
    }
    Ok(())
}

/// `GET /a/{id}/subaccounts/{child}/prices/prices.csv`: the same as a file, with what the account of the
/// page pays.
pub async fn export(
    State(console): State<Console>,
    place: Place,
    below: Below,
    asked: Asked,
) -> Result<Response, Stop> {
    below.must(Action::SeePrices)?;
    let paid = lists::paid(&console.gateway, &place.account, &below.account, &wanted(&asked)).await?;
    Ok(file(&paid, below.account.id, place.may(Action::SeePrices), place.format()))
}

#[cfg(test)]
pub(crate) fn sample() -> impl Template {
    let mut typed = Typed::of([("which", "markup"), ("name", "<agency>"), ("percent", "<b>")]);
    typed.wrong("percent", "'<b>' is not a percentage");
    typed.wrong("below_cost", "<i>");
    Prices {
        shell: Shell::sample("Prices"),
        head: Head::sample("prices"),
        source: "It pays by your price list “<agency>”.".into(),
        form: Some(Form {
            summary: typed.summary(),
            own: "/a/1/subaccounts/2/prices".into(),
            is_open: true,
            which: typed.cards("which", "Which?", [("markup", "Markup", "<b>K")]),
            list: Some(typed.choice("list", "List", [("1", "<agency>")])),
            markup: vec![typed.field("percent", "Markup"), typed.field("name", "Name")],
            below_cost: Some(typed.tick("below_cost", "Sell below cost")),
        }),
        table: Table::sample(),
    }
}
