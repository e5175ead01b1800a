//! Forms: what was typed, what is wrong with it, and the fields that show both again.

use std::fmt::Display;

use askama::Template;
use askama::filters::HtmlSafe;
use axum::Form;
use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use axum::http::Uri;
use axum::http::request::Parts;

use crate::error::Stop;

/// The most fields of a form.
const FIELDS_MAX: usize = 5_000;

/// What was typed into a form (or stands in the query of a page), and what is wrong with it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Typed {
    values: Vec<(String, String)>,
    errors: Vec<(String, String)>,
    overall: Option<String>,
}

impl Typed {
    /// A form that nobody has typed into yet, with these values to begin with.
    pub fn of<const N: usize>(values: [(&str, &str); N]) -> Typed {
        let values = values.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Typed { values, ..Typed::default() }
    }

    fn read_from(values: Vec<(String, String)>) -> Option<Typed> {
        (values.len() <= FIELDS_MAX).then(|| Typed { values, ..Typed::default() })
    }

    /// The query of an address.
    pub fn of_query(uri: &Uri) -> Typed {
        let values = Query::<Vec<(String, String)>>::try_from_uri(uri).map(|query| query.0);
        values.ok().and_then(Typed::read_from).unwrap_or_default()
    }

    /// The text of a field without the white space around it; empty when it is not there.
    pub fn text(&self, name: &str) -> &str {
        self.raw(name).trim()
    }

    /// The text of a field exactly as it was typed, as passwords and messages need it.
    pub fn raw(&self, name: &str) -> &str {
        self.values.iter().rev().find(|(found, _)| found == name).map_or("", |(_, value)| value)
    }

    /// Whether the form had such a field at all.
    pub fn has(&self, name: &str) -> bool {
        self.values.iter().any(|(found, _)| found == name)
    }

    /// Whether a box is ticked.
    pub fn ticked(&self, name: &str) -> bool {
        self.values.iter().any(|(found, value)| found == name && !value.is_empty() && value != "0")
    }

    /// All values of a name, for lists of boxes.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.values.iter().filter(move |(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// Puts a value in place of what was typed, as for a password that is not to be shown again.
    pub fn set(&mut self, name: &str, value: &str) {
        self.values.retain(|(found, _)| found != name);
        self.values.push((name.to_owned(), value.to_owned()));
    }

    /// Notes what is wrong with a field. The first word on a field stays.
    pub fn wrong(&mut self, name: &str, why: impl Display) {
        if self.error(name).is_none() {
            self.errors.push((name.to_owned(), why.to_string()));
        }
    }

    /// Notes what is wrong with the form as a whole.
    pub fn wrong_in_all(&mut self, why: impl Display) {
        self.overall.get_or_insert_with(|| why.to_string());
    }

    /// What is wrong with a field.
    pub fn error(&self, name: &str) -> Option<&str> {
        self.errors.iter().find(|(found, _)| found == name).map(|(_, why)| why.as_str())
    }

    /// Whether nothing is wrong.
    pub fn is_right(&self) -> bool {
        self.errors.is_empty() && self.overall.is_none()
    }

    /// Reads a field, and notes what is wrong with it.
    pub fn read<T, E: Display>(&mut self, name: &str, read: impl FnOnce(&str) -> Result<T, E>) -> Option<T> {
        read(self.text(name)).map_err(|error| self.wrong(name, error)).ok()
    }

    /// Reads a field that may be left empty; `Some(None)` when it is.
    pub fn read_if_given<T, E: Display>(
        &mut self,
        name: &str,
        read: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<Option<T>> {
        if self.text(name).is_empty() { Some(None) } else { self.read(name, read).map(Some) }
    }

    /// Reads a text that must be there, of at most so many characters.
    pub fn words(&mut self, name: &str, what: &str, length_max: usize) -> Option<String> {
        self.read(name, |text| match text.chars().count() {
            0 => Err(format!("Write {what}.")),
            count if count > length_max => {
                Err(format!("This is {count} characters long; the most is {length_max}."))
            }
            _ => Ok(text.to_owned()),
        })
    }

    /// What is wrong, for the top of the form; nothing when all is right.
    pub fn summary(&self) -> Summary {
        Summary { overall: self.overall.clone(), fields: self.errors.len() }
    }

    /// A field of one line with what was typed.
    pub fn field(&self, name: &'static str, label: &str) -> Field {
        Field {
            name,
            label: label.to_owned(),
            value: self.raw(name).to_owned(),
            error: self.error(name).map(str::to_owned),
            kind: Kind::Line("text"),
            hint: String::new(),
            before: String::new(),
            after: String::new(),
            placeholder: String::new(),
            autocomplete: "off",
            input_mode: "",
            length_max: 0,
            rows: 4,
            is_required: false,
            is_first: self.errors.first().is_some_and(|(first, _)| first == name),
            is_corrected: !self.errors.is_empty(),
            options: Vec::new(),
            list: Vec::new(),
        }
    }

    /// A field of several lines.
    pub fn area(&self, name: &'static str, label: &str) -> Field {
        Field { kind: Kind::Area, ..self.field(name, label) }
    }

    /// A password: never shown again. `autocomplete` is `current-password` or `new-password`.
    pub fn password(&self, name: &'static str, label: &str, autocomplete: &'static str) -> Field {
        Field { kind: Kind::Line("password"), value: String::new(), autocomplete, ..self.field(name, label) }
    }

    /// A box to tick.
    pub fn tick(&self, name: &'static str, label: &str) -> Field {
        let value = if self.ticked(name) { "1" } else { "" };
        Field { kind: Kind::Tick, value: value.into(), ..self.field(name, label) }
    }

    /// One of several, folded up: pairs of value and words.
    pub fn choice<V: Into<String>, W: Into<String>>(
        &self,
        name: &'static str,
        label: &str,
        options: impl IntoIterator<Item = (V, W)>,
    ) -> Field {
        let options = options.into_iter().map(|(value, words)| Choice {
            value: value.into(),
            words: words.into(),
            hint: String::new(),
        });
        Field { kind: Kind::Choice, options: options.collect(), ..self.field(name, label) }
    }

    /// One of several, each on its card with a sentence: value, words, hint.
    pub fn cards<V: Into<String>, W: Into<String>, H: Into<String>>(
        &self,
        name: &'static str,
        label: &str,
        options: impl IntoIterator<Item = (V, W, H)>,
    ) -> Field {
        let options = options.into_iter().map(|(value, words, hint)| Choice {
            value: value.into(),
            words: words.into(),
            hint: hint.into(),
        });
        Field { kind: Kind::Cards, options: options.collect(), ..self.field(name, label) }
    }
}

/// The body of a `POST`. A body that is no form is a page that does not exist.
impl<S: Send + Sync> FromRequest<S> for Typed {
    type Rejection = Stop;

    async fn from_request(request: Request, state: &S) -> Result<Typed, Stop> {
        let unreadable =
            || Stop::Refused("The form could not be read, or it is larger than 2 MB.".to_owned());
        let form = Form::<Vec<(String, String)>>::from_request(request, state).await;
        form.ok().and_then(|form| Typed::read_from(form.0)).ok_or_else(unreadable)
    }
}

/// The query of a page: filters, where to go on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked(pub Typed);

impl<S: Send + Sync> FromRequestParts<S> for Asked {
    type Rejection = Stop;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Asked, Stop> {
        Ok(Asked(Typed::of_query(&parts.uri)))
    }
}

impl std::ops::Deref for Asked {
    type Target = Typed;
    fn deref(&self) -> &Typed {
        &self.0
    }
}

/// What is wrong with a form, for its top.
#[derive(Clone, Debug, Default, PartialEq, Eq, Template)]
#[template(path = "_summary.html")]
pub struct Summary {
    overall: Option<String>,
    fields: usize,
}

impl HtmlSafe for Summary {}

impl Summary {
    /// Whether nothing is wrong.
    pub fn is_right(&self) -> bool {
        self.overall.is_none() && self.fields == 0
    }
}

/// What a field is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One line; the type as HTML names it.
    Line(&'static str),
    /// Several lines.
    Area,
    /// A box to tick.
    Tick,
    /// One of several, folded up.
    Choice,
    /// One of several, each on its card.
    Cards,
}

/// One of several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// What is sent.
    pub value: String,
    /// What is read.
    pub words: String,
    /// What it means.
    pub hint: String,
}

/// A field with its label, its hint, what was typed and what is wrong with it. Draws itself.
#[derive(Clone, Debug, PartialEq, Eq, Template)]
#[template(path = "_field.html")]
pub struct Field {
    name: &'static str,
    label: String,
    value: String,
    error: Option<String>,
    kind: Kind,
    hint: String,
    before: String,
    after: String,
    placeholder: String,
    autocomplete: &'static str,
    input_mode: &'static str,
    length_max: usize,
    rows: usize,
    is_required: bool,
    is_first: bool,
    is_corrected: bool,
    options: Vec<Choice>,
    list: Vec<String>,
}

impl HtmlSafe for Field {}

impl Field {
    /// A sentence below it.
    pub fn hint(mut self, hint: impl Into<String>) -> Field {
        self.hint = hint.into();
        self
    }

    /// What the browser may fill in, as HTML names it: `email`, `name`, `one-time-code`.
    pub fn fills(mut self, autocomplete: &'static str) -> Field {
        self.autocomplete = autocomplete;
        self
    }

    /// Another type of one line: `email`, `date`, `search`, `number`.
    pub fn of_type(mut self, kind: &'static str) -> Field {
        self.kind = Kind::Line(kind);
        self
    }

    /// An amount of money: its sign before it, the keys of numbers on a phone.
    pub fn amount(mut self, currency_sign: &str) -> Field {
        self.before = currency_sign.to_owned();
        self.input_mode = "decimal";
        self
    }

    /// The keys a phone shows: `numeric`, `tel`.
    pub fn keys(mut self, input_mode: &'static str) -> Field {
        self.input_mode = input_mode;
        self
    }

    /// A word after the input, such as a unit.
    pub fn after(mut self, words: impl Into<String>) -> Field {
        self.after = words.into();
        self
    }

    /// An example in the empty field.
    pub fn example(mut self, text: impl Into<String>) -> Field {
        self.placeholder = text.into();
        self
    }

    /// How many lines it shows.
    pub fn rows(mut self, rows: usize) -> Field {
        self.rows = rows;
        self
    }

    /// The most characters.
    pub fn length_max(mut self, length_max: usize) -> Field {
        self.length_max = length_max;
        self
    }

    /// It must be filled in. Fields that need not are marked, because they are fewer.
    pub fn required(mut self) -> Field {
        self.is_required = true;
        self
    }

    /// Where typing begins when the page opens; on a form that came back it is the first wrong field.
    pub fn first(mut self) -> Field {
        self.is_first |= !self.is_corrected;
        self
    }

    /// What may be meant, offered while typing.
    pub fn offers(mut self, list: Vec<String>) -> Field {
        self.list = list;
        self
    }

    /// Whether something is wrong with it.
    pub fn is_wrong(&self) -> bool {
        self.error.is_some()
    }

    fn type_of_line(&self) -> &'static str {
        match self.kind {
            Kind::Line(kind) => kind,
            _ => "text",
        }
    }

    fn is_tick(&self) -> bool {
        self.kind == Kind::Tick
    }

    fn is_area(&self) -> bool {
        self.kind == Kind::Area
    }

    fn is_choice(&self) -> bool {
        self.kind == Kind::Choice
    }

    fn is_cards(&self) -> bool {
        self.kind == Kind::Cards
    }

    fn is_password(&self) -> bool {
        self.kind == Kind::Line("password")
    }

    fn is_optional(&self) -> bool {
        !self.is_required && !self.is_tick() && !self.is_choice() && !self.is_cards()
    }

    /// The ids of the words that describe it, for `aria-describedby`.
    fn described_by(&self) -> String {
        let hint = (!self.hint.is_empty()).then(|| format!("{}-hint", self.name));
        let error = self.error.is_some().then(|| format!("{}-error", self.name));
        [error, hint].into_iter().flatten().collect::<Vec<_>>().join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_comes_back_with_what_was_typed_and_what_is_wrong() {
        let uri = Uri::from_static("/?amount=12%2C5&note=+%3Cb%3E+&box=1&box=2&on=1&off=0");
        let mut typed = Typed::of_query(&uri);
        assert_eq!(typed.text("note"), "<b>");
        assert_eq!(typed.raw("note"), " <b> ");
        assert_eq!(typed.all("box").collect::<Vec<_>>(), ["1", "2"]);
        assert!(typed.ticked("on") && !typed.ticked("off") && !typed.ticked("none"));
        let amount = typed.read("amount", |text| text.parse::<domain::credits::Credits>());
        assert_eq!(amount, None);
        assert!(!typed.is_right());
        let html = typed.field("amount", "Amount").amount("€").required().render().unwrap();
        assert!(html.contains("value=\"12,5\"") && html.contains("aria-invalid=\"true\""), "{html}");
        assert!(html.contains("amount-error"), "{html}");
        let html = typed.field("note", "Note").render().unwrap();
        assert!(!html.contains("<b>"), "{html}");
    }

    #[test]
    fn a_password_is_never_shown_again() {
        let typed = Typed::of([("password", "hunter2hunter2!")]);
        let html = typed.password("password", "Password", "current-password").render().unwrap();
        assert!(!html.contains("hunter2"), "{html}");
    }
}
