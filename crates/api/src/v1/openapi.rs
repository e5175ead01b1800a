//! `/v1` as OpenAPI describes it. What all routes have in common (who may call them, what can go wrong
//! anywhere) is written here from the table of routes; the rest stands beside each handler.

use std::collections::{BTreeMap, BTreeSet};

use axum::Router;
use axum::http::Method;
use domain::permission::Below;
use serde_json::json;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::info::InfoBuilder;
use utoipa::openapi::path::{Operation, ParameterBuilder, ParameterIn, PathItem};
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, SchemaFormat, Type};
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{Components, ContentBuilder, OpenApi, Ref, RefOr, Required, ResponseBuilder};
use utoipa::{PartialSchema, ToSchema};
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};

use super::once;
use super::problem::{FieldError, Kind, PROBLEM_JSON, ProblemSchema};
use crate::Api;
use crate::table::{Needs, Row};

/// What the reference begins with.
const INTRODUCTION: &str = include_str!("introduction.md");

/// The parts of the reference, in their order.
const TAGS: [(&str, &str); 9] = [
    ("Accounts", "The account one acts in and those below it: create, read, suspend, close."),
    ("Credits", "Balance, transfers up and down the tree, and when credit moves by itself."),
    ("Limits", "How much an account may send, where to and as whom; nested down the tree."),
    ("Prices", "What a segment costs."),
    ("Members", "People with a role in the account, and invitations."),
    ("Keys", "API keys, and who is asking."),
    ("Settings", "What the account chose for itself and its messages."),
    ("Messages", "The journal, and statistics."),
    ("Audit", "Who did what, and who came from above."),
];

/// A router and its description, growing route by route.
pub struct Described {
    router: OpenApiRouter<Api>,
    rows: Vec<Row>,
    problems: BTreeMap<(String, String), &'static [Kind]>,
}

impl Default for Described {
    fn default() -> Described {
        Described {
            router: OpenApiRouter::with_openapi(begun()),
            rows: Vec::new(),
            problems: BTreeMap::new(),
        }
    }
}

impl Described {
    /// Adds routes: what a caller needs there, and what can go wrong besides what can everywhere.
    pub fn on(
        mut self,
        routes: UtoipaMethodRouter<Api>,
        needs: Needs,
        problems: &'static [Kind],
    ) -> Described {
        for (path, item) in &routes.1.paths {
            for method in methods_of(item) {
                self.problems.insert((method.to_string(), path.clone()), problems);
                self.rows.push(Row { method, path: path.clone(), needs });
            }
        }
        self.router = self.router.routes(routes);
        self
    }

    /// The router, its rows, and the finished description.
    pub fn finish(self) -> (Router<Api>, Vec<Row>, OpenApi) {
        let (router, mut openapi) = self.router.split_for_parts();
        for row in &self.rows {
            let Some(item) = openapi.paths.paths.get_mut(&row.path) else { continue };
            let problems = self.problems.get(&(row.method.to_string(), row.path.clone()));
            if let Some(operation) = operation_of(item, &row.method) {
                describe(operation, row, problems.copied().unwrap_or(&[]));
            }
        }
        (router, self.rows, openapi)
    }
}

fn methods_of(item: &PathItem) -> Vec<Method> {
    let all = [
        (Method::GET, &item.get),
        (Method::PUT, &item.put),
        (Method::POST, &item.post),
        (Method::DELETE, &item.delete),
        (Method::PATCH, &item.patch),
    ];
    all.into_iter().filter(|(_, operation)| operation.is_some()).map(|(method, _)| method).collect()
}

fn operation_of<'a>(item: &'a mut PathItem, method: &Method) -> Option<&'a mut Operation> {
    match *method {
        Method::GET => item.get.as_mut(),
        Method::PUT => item.put.as_mut(),
        Method::POST => item.post.as_mut(),
        Method::DELETE => item.delete.as_mut(),
        Method::PATCH => item.patch.as_mut(),
        _ => None,
    }
}

fn begun() -> OpenApi {
    let info = InfoBuilder::new().title("Branchline").version("1").description(Some(INTRODUCTION)).build();
    let mut components = Components::new();
    components.schemas.insert("Problem".to_owned(), ProblemSchema::schema());
    components.schemas.insert("FieldError".to_owned(), FieldError::schema());
    let described = |words: &str| Some(words.to_owned());
    let key = ApiKeyValue::with_description("X-Api-Key", "The secret of an API key.");
    components.add_security_scheme("key", SecurityScheme::ApiKey(ApiKey::Header(key)));
    let mut bearer = Http::new(HttpAuthScheme::Bearer);
    bearer.description = described("The same secret.");
    components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
    let tag = |(name, words): (&str, &str)| TagBuilder::new().name(name).description(Some(words)).build();
    utoipa::openapi::OpenApiBuilder::new()
        .info(info)
        .components(Some(components))
        .tags(Some(TAGS.map(tag)))
        .build()
}

/// Writes into an operation what its row says.
fn describe(operation: &mut Operation, row: &Row, problems: &[Kind]) {
    operation.security = Some(["key", "bearer"].map(|name| SecurityRequirement::new(name, NO_SCOPES)).into());
    if let Needs::Right(scope, action) = row.needs {
        let wider = scope.wider().map_or(String::new(), |wider| format!(" (or `{}`)", wider.as_str()));
        let needs =
            format!("Needs the scope `{}`{wider}, and that one may {}.", scope.as_str(), action.words());
        let description = operation.description.take().unwrap_or_default();
        operation.description = Some(format!("{description}\n\n{needs}"));
    }
    let parameters = operation.parameters.get_or_insert_default();
    parameters.push(RefOr::T(
        ParameterBuilder::new()
            .name("X-Account-Id")
            .parameter_in(ParameterIn::Header)
            .required(Required::False)
            .description(Some(
                "The account to act in: one below the key's own. Needs subaccount access. Without it, the key's own.",
            ))
            .schema(Some(
                ObjectBuilder::new()
                    .schema_type(Type::Integer)
                    .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)))
                    .minimum(Some(1)),
            ))
            .build(),
    ));
    if row.method == Method::POST {
        parameters.push(RefOr::T(
            ParameterBuilder::new()
                .name(once::HEADER)
                .parameter_in(ParameterIn::Header)
                .required(Required::False)
                .description(Some(
                    "A name of yours for this request, such as a UUID. The same request with the same name is done \
                     once and answered alike, for two days; another one is refused.",
                ))
                .schema(Some(
                    ObjectBuilder::new()
                        .schema_type(Type::String)
                        .min_length(Some(1))
                        .max_length(Some(200))
                        .pattern(Some("^[!-~]([ -~]*[!-~])?$")),
                ))
                .build(),
        ));
    }
    let mut by_status: BTreeMap<u16, BTreeSet<&'static str>> = BTreeMap::new();
    for kind in common(row, operation.request_body.is_some()).into_iter().chain(problems.iter().copied()) {
        by_status.entry(kind.status()).or_default().insert(kind.code());
    }
    for (status, codes) in by_status {
        let codes: Vec<&str> = codes.into_iter().collect();
        operation.responses.responses.insert(status.to_string(), RefOr::T(problem(status, &codes)));
    }
}

/// No scopes of OAuth.
const NO_SCOPES: [&str; 0] = [];

/// What can go wrong at every route, or at every route that changes something.
fn common(row: &Row, has_body: bool) -> Vec<Kind> {
    let mut kinds = vec![
        Kind::Unauthenticated,
        Kind::SignatureRefused,
        Kind::NotFound,
        Kind::Validation,
        Kind::Fault,
        Kind::Busy,
    ];
    if let Needs::Right(_, action) = row.needs {
        kinds.extend([Kind::ScopeMissing, Kind::PermissionMissing]);
        kinds.extend((action.below() == Below::SteppedIn).then_some(Kind::AccessNotGranted));
    }
    kinds.push(Kind::SubaccountAccessMissing);
    if row.changes() {
        kinds.extend([Kind::SandboxKey, Kind::AccountNotActive]);
    }
    if row.method == Method::POST {
        kinds.extend([Kind::IdempotencyConflict, Kind::IdempotencyUnfinished]);
    }
    if has_body {
        kinds.extend([Kind::Malformed, Kind::RequestTimeout, Kind::BodyTooLarge, Kind::UnsupportedMediaType]);
    }
    kinds
}

fn problem(status: u16, codes: &[&str]) -> utoipa::openapi::Response {
    let kinds = || Kind::ALL.iter().filter(|kind| codes.contains(&kind.code()));
    let lines: Vec<String> = kinds().map(|kind| format!("`{}`: {}.", kind.code(), kind.title())).collect();
    let example = kinds().next().map(|kind| {
        json!({
            "type": format!("https://sms.example.com{}#{}", super::problem::EXPLAINED_AT, kind.code()),
            "title": kind.title(),
            "status": status,
            "detail": kind.explained().trim(),
            "code": kind.code(),
        })
    });
    let content = ContentBuilder::new()
        .schema(Some(Ref::from_schema_name(ProblemSchema::name())))
        .example(example)
        .build();
    let mut response = ResponseBuilder::new().description(lines.join(" ")).content(PROBLEM_JSON, content);
    if status == Kind::Busy.status() {
        let seconds = ObjectBuilder::new().schema_type(Type::Integer);
        let header = HeaderBuilder::new().schema(Some(seconds)).description(Some("Seconds to wait.")).build();
        response = response.header("Retry-After", header);
    }
    response.build()
}
