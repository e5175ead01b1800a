//! The words of a request: query string, form and JSON body read into one set of parameters. One
//! reader for all clients, each of which spells lists, booleans and absent values in its own way.
//!
//! Pure: it sees the query, the content type and the body, and nothing else. What a parameter means
//! is left to the endpoints.

mod form;
mod json;

use std::borrow::Cow;

use domain::credits::Credits;
use form::form;
use json::{json, json_text};

/// The largest whole number that every client holds exactly: 2^53.
const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;

/// What a parameter holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    /// A text, a number or a boolean, as it was written.
    Text(Cow<'a, str>),
    /// Several, in order.
    List(Vec<Value<'a>>),
    /// Named ones, in order. A form's `k[0]` has the name `0`.
    Object(Vec<(Cow<'a, str>, Value<'a>)>),
    /// JSON's `null`.
    Null,
}

/// The parameters of a request. Where body and query both have one, the body's counts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Parameters<'a> {
    body: Vec<(Cow<'a, str>, Value<'a>)>,
    query: Vec<(Cow<'a, str>, Value<'a>)>,
}

/// Why a request could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// The body says it is JSON and is not.
    #[error("the body is not valid JSON: {0}")]
    Json(String),
    /// JSON, but no object.
    #[error("the body is JSON but not an object; send {{\"name\": value, ...}}")]
    NotAnObject,
    /// A content type that is not read here.
    #[error(
        "the content type '{0}' is not read here; send application/json or application/x-www-form-urlencoded"
    )]
    ContentType(String),
    /// A character that no database stores.
    #[error("the parameter '{0}' contains a NUL character; leave it out")]
    Nul(String),
    /// Brackets beyond any sense.
    #[error("the parameter '{0}' is nested too deep or has too many parts")]
    Nested(String),
}

/// Why a parameter that should be a number is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the parameter '{name}' is '{given}', which is not a whole number")]
pub struct NotWhole {
    /// The parameter.
    pub name: &'static str,
    /// What it holds.
    pub given: String,
}

/// What the body is to be read as.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Json,
    Urlencoded,
    /// Declared as urlencoded, but it opens like an object: curl's `-d '{...}'` does that.
    JsonPerhaps,
}

impl<'a> Parameters<'a> {
    /// Reads query and body. An empty body is legal with every content type, and a body without
    /// one is taken for what it looks like.
    ///
    /// # Errors
    /// [`Malformed`], when nothing sensible can be made of it.
    pub fn read(
        query: Option<&'a str>,
        content_type: Option<&str>,
        body: &'a [u8],
    ) -> Result<Self, Malformed> {
        let mut parameters = Parameters::default();
        if let Some(query) = query {
            parameters.query = form(query.as_bytes())?;
        }
        let body = body.trim_ascii();
        if body.is_empty() {
            return Ok(parameters);
        }
        parameters.body = match form_of(content_type, body)? {
            Form::Json => json(body)?,
            Form::Urlencoded => form(body)?,
            Form::JsonPerhaps => json(body).or_else(|_| form(body))?,
        };
        Ok(parameters)
    }

    /// All that carry the name: the body's, unless only the query has one that is given.
    fn all(&self, name: &str) -> impl DoubleEndedIterator<Item = &Value<'a>> {
        let named = |entries: &'_ [(Cow<'a, str>, Value<'a>)], given: bool| {
            entries.iter().any(|(n, value)| n == name && (!given || value.is_given()))
        };
        let body = named(&self.body, true) || (named(&self.body, false) && !named(&self.query, true));
        let from = if body { &self.body } else { &self.query };
        from.iter().filter(move |(n, _)| n == name).map(|(_, value)| value)
    }

    /// A text exactly as written; absent when missing or empty. For what people write themselves,
    /// where the word `null` is a word.
    pub fn verbatim(&self, name: &str) -> Option<&str> {
        self.all(name).rev().find_map(Value::as_text).filter(|text| !text.is_empty())
    }

    /// A text without the spaces around it; absent too when it is one of the words that clients
    /// write for nothing: `undefined`, `null`, `nil`.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.verbatim(name).map(str::trim).filter(|text| !is_nothing(text))
    }

    /// A boolean: true when it is 1 or true, false when it is anything else or absent.
    pub fn flag(&self, name: &str) -> bool {
        self.text(name).is_some_and(|t| t == "1" || t.eq_ignore_ascii_case("true"))
    }

    /// A whole number, also in exponent form.
    ///
    /// # Errors
    /// When it is given and not a whole number.
    pub fn whole(&self, name: &'static str) -> Result<Option<i64>, NotWhole> {
        let Some(text) = self.text(name) else { return Ok(None) };
        let wrong = || NotWhole { name, given: text.chars().take(40).collect() };
        whole(text).map(Some).ok_or_else(wrong)
    }

    /// An amount of money; absent when not given. A number with more decimals than there are (a
    /// float's noise) is rounded to the millionth.
    pub fn amount(&self, name: &str) -> Option<Option<Credits>> {
        self.text(name).map(amount)
    }

    /// A list, however it is spelled: commas, repeated names, `k[]`, `k[0]`, a JSON array, one
    /// scalar, or the text of a JSON array. Empty members are left out.
    pub fn list(&self, name: &str) -> Vec<Cow<'_, str>> {
        let mut list = Vec::new();
        for value in self.all(name) {
            value.members(&mut list);
        }
        list
    }

    /// Whether the parameter is given at all, as anything but nothing.
    pub fn given(&self, name: &str) -> bool {
        self.all(name).any(Value::is_given)
    }
}

impl<'a> Value<'a> {
    fn as_text(&self) -> Option<&str> {
        match self {
            Value::Text(text) => Some(text),
            Value::List(list) => list.last().and_then(Value::as_text),
            Value::Object(_) | Value::Null => None,
        }
    }

    fn is_given(&self) -> bool {
        match self {
            Value::Text(text) => !is_nothing(text.trim()),
            Value::List(list) => list.iter().any(Value::is_given),
            Value::Object(named) => named.iter().any(|(_, value)| value.is_given()),
            Value::Null => false,
        }
    }

    fn members<'s>(&'s self, list: &mut Vec<Cow<'s, str>>) {
        match self {
            Value::Text(text) => {
                if let Some(inner) = text.trim().starts_with('[').then(|| json_text(text)).flatten() {
                    let mut members = Vec::new();
                    inner.members(&mut members);
                    list.extend(members.into_iter().map(|member| Cow::Owned(member.into_owned())));
                    return;
                }
                let members = text.split(',').map(str::trim).filter(|member| !is_nothing(member));
                list.extend(members.map(Cow::Borrowed));
            }
            Value::List(members) => members.iter().for_each(|member| member.members(list)),
            Value::Object(named) => named.iter().for_each(|(_, member)| member.members(list)),
            Value::Null => {}
        }
    }
}

/// The words that clients send where they have no value.
fn is_nothing(text: &str) -> bool {
    matches!(text, "" | "undefined" | "null" | "nil")
}

/// A whole number in digits, with an exponent, or with a fraction of zeros.
pub(crate) fn whole(text: &str) -> Option<i64> {
    let text = text.trim();
    if let Ok(number) = text.parse::<i64>() {
        return Some(number);
    }
    let plain = text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-'));
    let number: f64 = plain.then(|| text.parse().ok()).flatten()?;
    (number.fract() == 0.0 && number.abs() <= WHOLE_MAX).then_some(number as i64)
}

fn amount(text: &str) -> Option<Credits> {
    if let Ok(credits) = text.parse() {
        return Some(credits);
    }
    let plain = text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-'));
    let number: f64 = plain.then(|| text.parse().ok()).flatten()?;
    format!("{number:.6}").parse().ok()
}

fn form_of(content_type: Option<&str>, body: &[u8]) -> Result<Form, Malformed> {
    let opens_json = body.first().is_some_and(|b| matches!(b, b'{' | b'['));
    let essence = content_type.map_or("", |t| t.split(';').next().unwrap_or("").trim());
    let is = |name: &str| essence.eq_ignore_ascii_case(name);
    if is("application/json") || essence.to_ascii_lowercase().ends_with("+json") {
        return Ok(Form::Json);
    }
    if essence.get(..10).is_some_and(|start| start.eq_ignore_ascii_case("multipart/")) {
        return Err(Malformed::ContentType(essence.chars().take(60).collect()));
    }
    match (is("application/x-www-form-urlencoded"), opens_json) {
        (true, true) => Ok(Form::JsonPerhaps),
        (false, true) => Ok(Form::Json),
        (_, false) => Ok(Form::Urlencoded),
    }
}

type Entries<'a> = Vec<(Cow<'a, str>, Value<'a>)>;

/// A name as an error shows it.
fn shown(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(60).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const JSON: Option<&str> = Some("application/json");
    const FORM: Option<&str> = Some("application/x-www-form-urlencoded");

    fn of_query(query: &str) -> Parameters<'_> {
        Parameters::read(Some(query), None, b"").unwrap()
    }

    fn of_json(body: &str) -> Parameters<'_> {
        Parameters::read(None, JSON, body.as_bytes()).unwrap()
    }

    fn of_form(body: &str) -> Parameters<'_> {
        Parameters::read(None, FORM, body.as_bytes()).unwrap()
    }

    #[test]
    fn a_list_is_read_in_every_spelling() {
        #[rustfmt::skip]
        let cases = [
            ("a comma list",            of_form("to=1,2,%203")),
            ("a comma list, encoded",   of_form("to=1%2C2%2C3")),
            ("a repeated name",         of_form("to=1&to=2&to=3")),
            ("k[]",                     of_form("to[]=1&to[]=2&to[]=3")),
            ("k[] encoded",             of_form("to%5B%5D=1&to%5B%5D=2&to%5B%5D=3")),
            ("k[0]",                    of_form("to[0]=1&to[1]=2&to[2]=3")),
            ("k[7] mixed with lists",   of_form("to[7]=1,2&x=9&to[0]=3")),
            ("in the query",            of_query("to=1&to[]=2&to=3")),
            ("a JSON array",            of_json(r#"{"to":["1",2,"3"]}"#)),
            ("a JSON array of lists",   of_json(r#"{"to":["1, 2",["3"]]}"#)),
            ("a JSON comma list",       of_json(r#"{"to":"1,2,3"}"#)),
            ("a JSON object",           of_json(r#"{"to":{"0":"1","1":"2","2":3}}"#)),
            ("JSON text in the query",  of_query("to=%5B%221%22%2C2%2C%223%22%5D")),
            ("empty members",           of_form("to=,1,,2,3,&to=&to=undefined")),
        ];
        for (spelling, parameters) in cases {
            assert_eq!(parameters.list("to"), ["1", "2", "3"], "{spelling}");
        }
        assert_eq!(of_json(r#"{"to":4915100000001}"#).list("to"), ["4915100000001"], "one JSON scalar");
        assert!(of_form("to=").list("to").is_empty());
    }

    #[test]
    fn nested_arrays_keep_their_shape() {
        let parameters = of_form("files[0][contents]=QQ%3D%3D&files[0][name]=a.pdf&files[1][name]=b.pdf");
        let text = |t: &'static str| Value::Text(t.into());
        let first = vec![("contents".into(), text("QQ==")), ("name".into(), text("a.pdf"))];
        let second = vec![("name".into(), text("b.pdf"))];
        let files =
            Value::Object(vec![("0".into(), Value::Object(first)), ("1".into(), Value::Object(second))]);
        assert_eq!(parameters.body, [("files".into(), files)]);
        assert!(parameters.given("files"));
        assert!(of_json(r#"{"files":[{"name":"a.pdf"}]}"#).given("files"));
        assert!(!of_json(r#"{"files":[]}"#).given("files"));
        assert!(!of_form("files=").given("files"));
    }

    #[test]
    fn a_boolean_is_read_in_every_spelling() {
        for yes in ["1", "true", "True", "TRUE"] {
            assert!(of_form(&format!("json={yes}")).flag("json"), "{yes}");
        }
        for no in ["0", "false", "False", "", "undefined", "null", "nil", "2", "no"] {
            assert!(!of_form(&format!("json={no}")).flag("json"), "{no}");
        }
        for (body, flag) in [(r#"{"f":true}"#, true), (r#"{"f":1}"#, true), (r#"{"f":"1"}"#, true)] {
            assert_eq!(of_json(body).flag("f"), flag, "{body}");
        }
        for body in [r#"{"f":false}"#, r#"{"f":0}"#, r#"{"f":null}"#, r#"{"f":""}"#, "{}", r#"{"f":[]}"#] {
            assert!(!of_json(body).flag("f"), "{body}");
        }
    }

    #[test]
    fn what_stands_for_nothing_is_absent() {
        for nothing in ["", "undefined", "null", "nil", "%20"] {
            let query = format!("id={nothing}");
            assert_eq!(of_query(&query).text("id"), None, "{nothing:?}");
        }
        assert_eq!(of_json(r#"{"id":null}"#).text("id"), None);
        assert_eq!(of_query("text=null").verbatim("text"), Some("null"));
        assert_eq!(of_query("text=").verbatim("text"), None);
    }

    #[test]
    fn numbers_come_in_exponent_form_too() {
        #[rustfmt::skip]
        let cases = [
            ("7.7131234567e+10", 77_131_234_567),
            ("7.7131234567E10",  77_131_234_567),
            ("12",               12),
            ("-3",               -3),
            ("12.0",             12),
            ("1e3",              1000),
            ("0",                0),
        ];
        for (text, number) in cases {
            assert_eq!(whole(text), Some(number), "{text}");
            let body = format!("{{\"n\":{text}}}");
            assert_eq!(of_json(&body).whole("n"), Ok(Some(number)), "{body}");
        }
        for text in ["abc", "1.5", "1e400", "inf", "NaN", "0x10", "1e", "9e99", "--1", "1 2"] {
            assert_eq!(whole(text), None, "{text}");
        }
        assert!(of_form("n=abc").whole("n").is_err());
        assert_eq!(of_form("n=").whole("n"), Ok(None));
    }

    #[test]
    fn an_amount_is_exact_however_it_is_written() {
        #[rustfmt::skip]
        let cases = [
            ("12.5",                12_500_000),
            ("0.075",               75_000),
            ("1e+01",               10_000_000),
            ("0.30000000000000004", 300_000),
            ("-1",                  -1_000_000),
        ];
        for (text, millionths) in cases {
            assert_eq!(
                of_form(&format!("a={}", text.replace('+', "%2B"))).amount("a"),
                Some(Some(Credits(millionths)))
            );
            assert_eq!(
                of_json(&format!("{{\"a\":{text}}}")).amount("a"),
                Some(Some(Credits(millionths))),
                "{text}"
            );
        }
        assert_eq!(of_form("a=ten").amount("a"), Some(None));
        assert_eq!(of_form("a=1e300").amount("a"), Some(None));
        assert_eq!(of_form("a=").amount("a"), None);
    }

    #[test]
    fn the_body_wins_over_the_query_and_both_are_merged() {
        let parameters = Parameters::read(Some("a=query&b=query&c=query"), FORM, b"a=body&c=").unwrap();
        assert_eq!(parameters.text("a"), Some("body"));
        assert_eq!(parameters.text("b"), Some("query"));
        assert_eq!(parameters.text("c"), Some("query"), "nothing does not win over something");
        let parameters = Parameters::read(Some("to=1&to=2"), JSON, br#"{"to":"3"}"#).unwrap();
        assert_eq!(parameters.list("to"), ["3"]);
    }

    #[test]
    fn a_body_is_taken_for_what_it_is() {
        #[rustfmt::skip]
        let cases: [(&str, Option<&str>, &str); 10] = [
            ("JSON",                         JSON,                                    r#"{"a":"b"}"#),
            ("JSON with charset",            Some("application/json; charset=utf-8"), r#"{"a":"b"}"#),
            ("JSON, upper case",             Some("Application/JSON"),                r#"{"a":"b"}"#),
            ("another JSON",                 Some("application/problem+json"),        r#"{"a":"b"}"#),
            ("JSON and spaces",              JSON,                                    " \r\n{\"a\" : \"b\"}\n"),
            ("a form",                       FORM,                                    "a=b"),
            ("JSON declared as a form",      FORM,                                    r#"{"a":"b"}"#),
            ("no content type, JSON",        None,                                    r#"{"a":"b"}"#),
            ("no content type, form",        None,                                    "a=b"),
            ("text/plain",                   Some("text/plain"),                      "a=b\n"),
        ];
        for (case, content_type, body) in cases {
            let parameters = Parameters::read(None, content_type, body.as_bytes()).unwrap();
            assert_eq!(parameters.text("a"), Some("b"), "{case}");
        }
        // JSON as content type with nothing in the body, and a POST with only a query.
        let parameters = Parameters::read(Some("a=b"), JSON, b"").unwrap();
        assert_eq!(parameters.text("a"), Some("b"));
        assert_eq!(Parameters::read(None, JSON, b"null"), Ok(Parameters::default()));
    }

    #[test]
    fn letters_are_decoded() {
        assert_eq!(of_form("t=Gr%C3%BC%C3%9Fe+%26+%2B").text("t"), Some("Grüße & +"));
        assert_eq!(of_form("t=Gr%FC%DFe").text("t"), Some("Grüße"), "Latin-1 of old integrations");
        assert_eq!(of_form("t=100%").text("t"), Some("100%"), "a percent sign that encodes nothing");
        assert_eq!(of_form("t=%zz%4").text("t"), Some("%zz%4"));
        assert_eq!(of_json(r#"{"t":"Gr\u00fc\u00dfe \ud83d\ude00"}"#).text("t"), Some("Grüße 😀"));
    }

    #[test]
    fn names_are_exact_and_unknown_ones_do_no_harm() {
        let parameters = of_query("DateFrom=2026-01-01&To=49&x[y=1&=2&&z");
        assert_eq!(parameters.text("date_from"), None);
        assert_eq!(parameters.text("to"), None);
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_a_reason() {
        #[rustfmt::skip]
        let cases: [(Option<&str>, &str, &str); 8] = [
            (JSON, r#"{"a":"#,                      "not valid JSON"),
            (JSON, "to=49&text=x",                  "not valid JSON"),
            (JSON, r#"["a"]"#,                      "not an object"),
            (JSON, r#""a""#,                        "not an object"),
            (JSON, "7",                             "not an object"),
            (JSON, r#"{"a":"x\u0000y"}"#,           "NUL"),
            (FORM, "a=%00",                         "NUL"),
            (Some("multipart/form-data; boundary=x"), "--x", "content type"),
        ];
        for (content_type, body, reason) in cases {
            let refused = Parameters::read(None, content_type, body.as_bytes()).unwrap_err().to_string();
            assert!(refused.contains(reason), "{body}: {refused}");
        }
        let deep = "[".repeat(100_000);
        assert!(Parameters::read(None, JSON, format!("{{\"a\":{deep}").as_bytes()).is_err());
        let many: String = (0..1000).map(|i| format!("f[{i}][x]=1&")).collect();
        assert!(matches!(Parameters::read(None, FORM, many.as_bytes()), Err(Malformed::Nested(_))));
        assert!(Parameters::read(None, FORM, format!("f{}=1", "[x]".repeat(9)).as_bytes()).is_err());
    }

    proptest! {
        #[test]
        fn no_request_makes_the_reader_panic(
            query in "[a-z\\[\\]%=&0-9+{}\",]{0,60}",
            content_type in proptest::option::of("application/json|application/x-www-form-urlencoded|[a-z/;=+ ]{0,20}"),
            body in proptest::collection::vec(any::<u8>(), 0..80),
        ) {
            if let Ok(read) = Parameters::read(Some(&query), content_type.as_deref(), &body) {
                for name in ["a", "to", ""] {
                    let _ = (read.text(name), read.flag(name), read.amount(name), read.list(name), read.given(name));
                }
                let _ = read.whole("a");
            }
        }

        #[test]
        fn nested_names_never_panic(body in "([ab](\\[[ab0-2]{0,2}\\]){0,9}=[x,%0-2]{0,3}&){0,12}") {
            if let Ok(read) = Parameters::read(None, FORM, body.as_bytes()) {
                let _ = (read.list("a"), read.text("a"), read.given("b"));
            }
        }

        #[test]
        fn any_text_survives_json_and_form(text in "[^\\x00]{0,40}") {
            let body = serde_json::json!({ "t": text }).to_string();
            let expected = Some(text.as_str()).filter(|t| !t.is_empty());
            let parameters = of_json(&body);
            prop_assert_eq!(parameters.verbatim("t"), expected);
            let encoded: String = text.bytes().map(|b| format!("%{b:02x}")).collect();
            let body = format!("t={encoded}");
            let parameters = of_form(&body);
            prop_assert_eq!(parameters.verbatim("t"), expected);
        }
    }
}
