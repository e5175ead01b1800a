//! The accounts below one: the table of them here, what is done with one or several in the files
//! beside.

pub mod access;
pub mod below;
pub mod chosen;
pub mod close;

pub mod columns;
pub mod create;
pub mod glance;
pub mod import;

pub mod limits;
pub mod money;
pub mod people;
pub mod prices;
pub mod state;
pub mod work;

use askama::Template;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use domain::account::AccountState;
use domain::permission::Action;
use gateway::subaccounts::{PAGE, Sort, Subaccount, Table};

use crate::door::Place;
use crate::error::Stop;
use crate::form::{Asked, Field, Typed};
use crate::format::{Format, Time};
use crate::link::Link;
use crate::page::{self, Shell};
use crate::paging::Paging;
use crate::parts::{Badge, Empty, Pager};
use crate::{Console, events};
use below::state_badge;
use columns::Column;

/// What is asked of the table, as the address of the page says it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct View {
    path: String,
    table: Table,
    paging: Paging,
}

impl View {
    fn of(asked: &Asked, path: String) -> View {
        let sort = asked.text("sort");
        let (descending, word) = match sort.strip_prefix('-') {
            Some(word) => (true, word),
            None => (false, sort),
        };
        let state = AccountState::ALL.into_iter().find(|state| state.as_str() == asked.text("state"));
        let table = Table {
            all_below: asked.text("below") == "all",
            search: asked.text("q").chars().take(200).collect(),
            state,
            low: asked.ticked("low"),
            sort: Sort::parse(word).unwrap_or_default(),
            descending,
        };
        View { path, table, paging: Paging::of(asked) }
    }

    fn sort_word(&self) -> String {
        match (self.table.sort, self.table.descending) {
            (Sort::Name, false) => String::new(),
            (sort, false) => sort.as_str().to_owned(),
            (sort, true) => format!("-{}", sort.as_str()),
        }
    }

    /// The first page of the same rows.
    fn link(&self) -> Link {
        Link::to(&self.path)
            .with("q", &self.table.search)
            .with("state", self.table.state.map_or("", AccountState::as_str))
            .with("below", if self.table.all_below { "all" } else { "" })
            .with_if("low", self.table.low)
            .with("sort", self.sort_word())
    }

    /// The same rows in another order. Where they are in it already, the other way round.
    fn sorted_by(&self, sort: Sort) -> String {
        let first_down = !matches!(sort, Sort::Name | Sort::State | Sort::Delivery);
        let descending = if self.table.sort == sort { !self.table.descending } else { first_down };
        let table = Table { sort, descending, ..self.table.clone() };
        View { table, ..self.clone() }.link().into()
    }

    fn is_filtered(&self) -> bool {
        !self.table.search.is_empty() || self.table.state.is_some() || self.table.low
    }

    fn pager(&self, rows: usize, total: i64, next: Option<String>, format: &Format) -> Pager {
        let rows = i64::try_from(rows).unwrap_or(0);
        let skipped = self.paging.skipped(PAGE);
        let words = match rows {
            0 => String::new(),
            _ if rows == total => format.many(total, "subaccount", "subaccounts"),
            _ => format!(
                "{}–{} of {}",
                format.count(skipped + 1),
                format.count(skipped + rows),
                format.count(total)
            ),
        };
        Pager { words, ..self.paging.pager(&self.link(), next) }
    }
}

/// The head of a column.
struct Head {
    words: &'static str,
    href: Option<String>,
    sorted: Option<&'static str>,
    is_number: bool,
}

/// What a row says in a column.
enum Cell {
    Text(String),
    /// Two lines: the second one small.
    Both(String, String),
    Number(String, &'static str),
    State(Badge),
    Time(Option<Time>),
}

struct Row {
    id: String,
    name: String,
    about: String,
    href: String,
    step_in: String,
    is_open: bool,
    cells: Vec<(&'static str, Cell)>,
}

impl Row {
    fn of(
        line: &Subaccount,
        columns: &[Column],
        place: &Place,
        names: &dyn Fn(&Subaccount) -> String,
    ) -> Row {
        let id = line.account.id;
        let href = place.href(&format!("subaccounts/{id}"));
        let cells = columns.iter().map(|column| (column.words(), cell(*column, line, place.format())));
        Row {
            id: id.to_string(),
            name: line.account.name().to_owned(),
            about: names(line),
            step_in: format!("/a/{id}/step-in?next=/a/{id}"),
            is_open: line.account.state < AccountState::Closing,
            cells: cells.collect(),
            href,
        }
    }
}

/// Whether an account holds less than a week of its last thirty days used.
fn is_low(line: &Subaccount) -> bool {
    let has = line.account.credit_line.0.saturating_add(line.balance().0);
    let week = line.recent.spent().0 / 30 * 7;
    week > 0 && has < week
}

fn cell(column: Column, line: &Subaccount, format: &Format) -> Cell {
    let account = &line.account;
    match column {
        Column::State => Cell::State(state_badge(account.state, line.effective)),
        Column::Balance => {
            Cell::Number(format.money(line.balance()), if is_low(line) { "tone-warn" } else { "" })
        }
        Column::Messages => Cell::Number(format.count(line.recent.accepted), ""),
        Column::Cost => Cell::Number(format.money(line.recent.spent()), ""),
        Column::Delivery => {
            let known = line.recent.delivered + line.recent.failed;
            Cell::Number(format.percent(line.recent.delivered, known), "")
        }
        Column::Members => {
            Cell::Number(format.count(line.members), if line.members == 0 { "muted" } else { "" })
        }
        Column::LastSent => Cell::Time(line.last_at.map(|at| format.ago(at))),
        Column::Created => Cell::Time(Some(format.date(account.created_at))),
        Column::Owner => Cell::Both(account.owner.clone(), account.email.as_str().to_owned()),
        Column::Automatic => Cell::Text(account.auto_transfer.map_or_else(
            || "off".to_owned(),
            |rule| format!("{} below {}", format.money(rule.amount), format.money(rule.threshold)),
        )),
    }
}

#[derive(Template)]
#[template(path = "a/subaccounts.html")]
struct Subaccounts {
    shell: Shell,
    fields: Vec<Field>,
    hidden: Vec<(&'static str, String)>,
    heads: Vec<Head>,
    name_head: Head,
    choices: Vec<(Column, bool)>,
    rows: Vec<Row>,
    words: String,
    pager: Pager,
    empty: Option<Empty>,
    own: String,
    here: String,
    all: String,
    is_filtered: bool,
    may_manage: bool,
    may_move: bool,
    works: Vec<work::Lately>,
}

impl Subaccounts {
    fn may_choose(&self) -> bool {
        self.may_manage || self.may_move
    }
}

/// `GET /a/{id}/subaccounts`: the accounts below, as a table.
pub async fn show(
    State(console): State<Console>,
    headers: HeaderMap,
    place: Place,
    asked: Asked,
) -> Result<Response, Stop> {
    let gateway = &console.gateway;
    let events = events::way(&console, &place).await?;
    let view = View::of(&asked, place.href("subaccounts"));
    let after = (!view.paging.is_first()).then_some(view.paging.after.as_str());
    let found = gateway::subaccounts::page(gateway, &place.account, &view.table, after, PAGE).await?;
    // Of those further down it is told what they belong to.
    let mut above = std::collections::HashMap::new();
    for line in found.rows.iter().filter(|line| line.depth > 1) {
        if let Some(parent) = line.account.parent
            && let Some(account) = gateway.account(parent).await?
        {
            above.insert(parent, account.name().to_owned());
        }
    }
    let names = |line: &Subaccount| match line.account.parent.and_then(|parent| above.get(&parent)) {
        Some(name) => format!("{} · below {name}", line.account.id),
        None if line.children > 0 => {
            let below = place.format().many(line.children, "account below", "accounts below");
            format!("{} · {below}", line.account.id)
        }
        None => line.account.id.to_string(),
    };
    let columns = Column::chosen(&headers);
    let rows: Vec<Row> = found.rows.iter().map(|line| Row::of(line, &columns, &place, &names)).collect();
    let mut page = drawn(&place, &view, &columns, rows, found.total, found.next);
    page.works = work::lately(&console, &place).await?;
    page.shell.events = Some(events);
    page::draw(&page)
}

fn drawn(
    place: &Place,
    view: &View,
    columns: &[Column],
    rows: Vec<Row>,
    total: i64,
    next: Option<String>,
) -> Subaccounts {
    let head = |words, sort: Option<Sort>, is_number| Head {
        words,
        href: sort.map(|sort| view.sorted_by(sort)),
        sorted: sort
            .filter(|sort| *sort == view.table.sort)
            .map(|_| if view.table.descending { "descending" } else { "ascending" }),
        is_number,
    };
    let heads = columns.iter().map(|column| head(column.words(), column.sort(), column.is_number()));
    let mut pager = view.pager(rows.len(), total, next, place.format());
    let may_manage = place.may(Action::ManageSubaccounts);
    Subaccounts {
        shell: place.shell("Subaccounts").wide(),
        fields: filters(view),
        hidden: vec![("sort", view.sort_word())],
        heads: heads.collect(),
        name_head: head("Account", Some(Sort::Name), false),
        choices: Column::ALL.into_iter().map(|column| (column, columns.contains(&column))).collect(),
        empty: rows.is_empty().then(|| nothing(place, view, may_manage)),
        rows,
        words: std::mem::take(&mut pager.words),
        pager,
        own: place.href("subaccounts"),
        here: view.link().into(),
        all: view.path.clone(),
        is_filtered: view.is_filtered(),
        may_manage,
        may_move: place.may(Action::MoveCredits),
        works: Vec::new(),
    }
}

fn filters(view: &View) -> Vec<Field> {
    let typed = Typed::of([
        ("q", &*view.table.search),
        ("state", view.table.state.map_or("", AccountState::as_str)),
        ("below", if view.table.all_below { "all" } else { "" }),
        ("low", if view.table.low { "1" } else { "" }),
    ]);
    let states = AccountState::ALL.map(|state| (state.as_str(), capital(state.as_str())));
    vec![
        typed.field("q", "Search").of_type("search").example("Name, address or number"),
        typed.choice("state", "State", [("", "Not closed".to_owned())].into_iter().chain(states)),
        typed.choice("below", "Which", [("", "Right below"), ("all", "All further down")]),
        typed.choice("low", "Balance", [("", "Any"), ("1", "Less than a week")]),
    ]
}

/// A word with a capital at its beginning.
fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

fn nothing(place: &Place, view: &View, may_manage: bool) -> Empty {
    if view.is_filtered() || !view.paging.is_first() {
        let words =
            "Nothing fits these filters. Write less of the name, or look in all states and further down.";
        return Empty::new("search", "No subaccount fits", words).next("Show all", &view.path);
    }
    let words = "A subaccount is an account of its own below this one: own data, own money, own members. \
        You see what it sends and costs, hand credits out to it, and step in when it needs help. It costs nothing.";
    let empty = Empty::new("tree", "No subaccounts yet", words);
    if may_manage { empty.next("Create the first one", place.href("subaccounts/new")) } else { empty }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    fn view() -> View {
        View { path: "/a/1/subaccounts".into(), ..View::default() }
    }

    /// The table with rows that try to break it.
    pub fn sample() -> impl Template {
        let cells = |state: AccountState| {
            vec![
                ("State", Cell::State(state.into())),
                ("Balance", Cell::Number("€1,204.50".into(), "tone-warn")),
                ("Owner", Cell::Both("<b>Eva</b>".into(), "eva@example.com".into())),
                ("Last sent", Cell::Time(None)),
                ("Automatic transfer", Cell::Text("off".into())),
            ]
        };
        let row = |id: i64, name: &str, state| Row {
            id: id.to_string(),
            name: name.to_owned(),
            about: format!("{id} · below <i>somebody</i>"),
            href: format!("/a/1/subaccounts/{id}"),
            step_in: format!("/a/{id}/step-in?next=/a/{id}"),
            is_open: true,
            cells: cells(state),
        };
        let head = |words, sorted| Head { words, href: Some("/".into()), sorted, is_number: false };
        let view = view();
        Subaccounts {
            shell: Shell::sample("Subaccounts").wide(),
            fields: filters(&view),
            hidden: vec![("sort", "-balance".into())],
            heads: ["State", "Balance", "Owner", "Last sent", "Automatic transfer"]
                .map(|w| head(w, None))
                .into(),
            name_head: head("Account", Some("ascending")),
            choices: Column::ALL.map(|column| (column, true)).to_vec(),
            rows: vec![
                row(1_900_003, "<script>alert(1)</script>", AccountState::Active),
                row(1_900_004, &"Ein langer Name ".repeat(12), AccountState::Suspended),
            ],
            words: "1–2 of 20,000".into(),
            pager: view.pager(2, 20_000, Some("7.x".into()), &Shell::sample("").format),
            empty: None,
            own: "/a/1/subaccounts".into(),
            here: "/a/1/subaccounts".into(),
            all: "/a/1/subaccounts".into(),
            is_filtered: true,
            may_manage: true,
            may_move: true,
            works: vec![work::Lately {
                title: "Import",
                href: "/a/1/subaccounts/import/x".into(),
                progress: None,
                words: "It is over.".into(),
                at: Shell::sample("").format.ago(Shell::sample("").format.now),
            }],
        }
    }

    #[test]
    fn a_page_says_which_part_of_how_many_it_is() {
        let format = Shell::sample("").format;
        let first = view().pager(50, 170, Some("7.seven".into()), &format);
        assert_eq!((first.words.as_str(), first.previous), ("1–50 of 170", None));
        let next = first.next.unwrap().parse().unwrap();
        let second = View { paging: Paging::of(&Typed::of_query(&next)), ..view() };
        let pager = second.pager(50, 170, Some("9.nine".into()), &format);
        assert_eq!(pager.words, "51–100 of 170");
        assert_eq!(pager.previous.as_deref(), Some("/a/1/subaccounts"));
    }

    #[test]
    fn the_head_of_the_sorted_column_turns_the_order_round() {
        assert_eq!(view().sorted_by(Sort::Balance), "/a/1/subaccounts?sort=-balance");
        let table = Table { sort: Sort::Balance, descending: true, ..Table::default() };
        let view = View { table, ..view() };
        assert_eq!(view.sorted_by(Sort::Balance), "/a/1/subaccounts?sort=balance");
        assert_eq!(view.sorted_by(Sort::Name), "/a/1/subaccounts");
    }
}
