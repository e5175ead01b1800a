//! The door in front of each page: who is asking, which account the path names, and whether they may
//! do there what the page is for. Handlers find the answer as [`Place`] or [`Person`].

use std::sync::Arc;

use axum::RequestExt;
use axum::extract::{FromRequestParts, RawPathParams, Request, State};
use axum::http::request::Parts;
use axum::http::{Method, Uri};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::MethodRouter;
use domain::account::{Account, AccountState, effective};
use domain::actor::Actor;
use domain::id::AccountId;
use domain::permission::{self, Action, Verdict};
use gateway::sessions::SignedIn;
use gateway::visits;
use storage::visits::Visit;

use crate::error::Stop;
use crate::format::Format;
use crate::page::Shell;
use crate::signed_in::{self, Person};
use crate::{Console, flash, home, navigation};

/// Who may come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// Everyone, signed in or not.
    Everyone,
    /// Whoever is signed in.
    SignedIn,
    /// Whoever may do this in the account that the path names as `{id}`.
    Account(Action),
    /// Whoever runs the installation.
    Operator,
}

/// Where a page is: the account its path names, and who has come there how.
#[derive(Clone, Debug)]
pub struct Place {
    /// The account.
    pub account: Arc<Account>,
    /// The main account, then down to this one.
    pub path: Vec<Arc<Account>>,
    /// The state that counts.
    pub state: AccountState,
    /// Who is here.
    pub person: Arc<Person>,
    /// How they came to do what the page is for.
    pub verdict: Verdict,
    /// Their visit, when they have stepped in from above.
    pub visit: Option<Visit>,
    pub(crate) shell: Arc<Shell>,
}

impl Place {
    /// Whether the person may do something else here, as it stands.
    pub fn may(&self, action: Action) -> bool {
        self.verdict_on(action).allows()
    }

    /// The answer for something else here.
    pub fn verdict_on(&self, action: Action) -> Verdict {
        permission::may(&self.person.standings, action, &self.account.path, self.visit.is_some())
    }

    /// The account above that the person comes from; nothing when they are here as a member.
    pub fn above(&self) -> Option<AccountId> {
        match self.verdict {
            Verdict::Above(above) | Verdict::StepIn(above) => Some(above),
            _ => None,
        }
    }

    /// The person as what they do here is written down.
    pub fn actor(&self) -> Actor {
        Actor { above: self.above(), visit: self.visit.as_ref().map(|v| v.id), ..self.person.actor() }
    }

    /// A page of this account.
    pub fn shell(&self, title: &str) -> Shell {
        Shell { title: title.to_owned(), ..(*self.shell).clone() }
    }

    /// How things are written here.
    pub fn format(&self) -> &Format {
        &self.shell.format
    }

    /// A path of this account: `place.href("keys")` is `/a/1900001/keys`.
    pub fn href(&self, page: &str) -> String {
        match page {
            "" => format!("/a/{}", self.account.id),
            page => format!("/a/{}/{page}", self.account.id),
        }
    }

    /// A page of this account, when the console has it and the person may see it, if need be after
    /// stepping in.
    pub fn way_to(&self, page: &str, action: Action) -> Option<String> {
        let reaches = !matches!(self.verdict_on(action), Verdict::Missing | Verdict::NotThere);
        (reaches && navigation::is_page(page)).then(|| self.href(page))
    }

    /// The account of this number when it lies below this one.
    ///
    /// # Errors
    /// [`Stop::NotThere`] when it does not.
    pub async fn below(&self, console: &Console, id: AccountId) -> Result<Arc<Account>, Stop> {
        let found = console.gateway.account(id).await?;
        found.filter(|account| self.account.is_above(account)).ok_or(Stop::NotThere)
    }
}

/// Stands with an answer that comes from behind the door and not from the door itself. It does not go out
/// with it.
#[derive(Clone, Copy, Debug)]
pub struct Entered;

#[derive(Clone)]
struct Guard {
    console: Console,
    door: Door,
}

/// A handler behind its door.
pub(crate) fn guarded(
    handler: MethodRouter<Console>,
    door: Door,
    console: &Console,
) -> MethodRouter<Console> {
    handler.layer(from_fn_with_state(Guard { console: console.clone(), door }, guard))
}

async fn guard(State(guard): State<Guard>, mut request: Request, next: Next) -> Response {
    let headers = request.headers().clone();
    let mut shell = None;
    let entered = guard.enter(&mut request, &mut shell).await;
    let account = request.extensions().get::<Place>().map(|place| place.account.id);
    let is_in = entered.is_ok();
    let mut response = match entered {
        Ok(()) => next.run(request).await,
        Err(stop) => axum::response::IntoResponse::into_response(stop),
    };
    if let Some(stop) = response.extensions_mut().remove::<Stop>() {
        let shell = shell.unwrap_or_else(|| Shell::outside(&guard.console, &headers, ""));
        response = stop.drawn(shell);
    }
    if is_in {
        response.extensions_mut().insert(Entered);
    }
    let is_page = response
        .headers()
        .get(axum::http::header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
    if is_page && flash::of(&headers).is_some() {
        flash::shown(&mut response);
    }
    if is_page && let Some(id) = account {
        home::remember(&mut response, &headers, &guard.console.options, id);
    }
    response
}

impl Guard {
    /// Finds out who asks and where, and puts both where handlers find them. `shell` is what a
    /// refusal is drawn in.
    async fn enter(&self, request: &mut Request, shell: &mut Option<Shell>) -> Result<(), Stop> {
        let console = &self.console;
        let person = signed_in::who(console, request).await?;
        if let Some(person) = &person {
            *shell = Some(Shell::of_person(console, request.headers(), person).await?);
        }
        if self.door == Door::Everyone {
            return Ok(());
        }
        let person = person.ok_or_else(|| Stop::SignIn(way_back(request)))?;
        match self.door {
            Door::Everyone | Door::SignedIn => Ok(()),
            Door::Operator if person.login.operator => Ok(()),
            Door::Operator => Err(Stop::NotOperator),
            Door::Account(action) => {
                let place = self.place(request, person, action).await?;
                *shell = Some((*place.shell).clone());
                match place.verdict {
                    Verdict::Own | Verdict::Above(_) => {
                        request.extensions_mut().insert(place);
                        Ok(())
                    }
                    Verdict::StepIn(_) => {
                        let next = crate::page::encoded(&way_back(request));
                        Err(Stop::GoTo(place.href(&format!("step-in?next={next}"))))
                    }
                    Verdict::Missing => Err(Stop::Missing(action)),
                    Verdict::NotThere => Err(Stop::NotThere),
                }
            }
        }
    }

    async fn place(&self, request: &mut Request, person: Arc<Person>, action: Action) -> Result<Place, Stop> {
        let console = &self.console;
        let params = request.extract_parts::<RawPathParams>().await.map_err(|_| Stop::NotThere)?;
        let id = params.iter().find(|(name, _)| *name == "id").and_then(|(_, id)| id.parse().ok());
        let id = AccountId(id.ok_or(Stop::NotThere)?);
        let Standing { account, path, state, verdict, visit } =
            standing(console, &person, id, action).await?;
        let mut place =
            Place { account, path, state, person, verdict, visit, shell: Arc::new(Shell::empty(console)) };
        place.shell = Arc::new(Shell::of_place(console, request.headers(), request.uri(), &place).await?);
        Ok(place)
    }
}

/// How somebody stands to an account.
pub(crate) struct Standing {
    pub account: Arc<Account>,
    pub path: Vec<Arc<Account>>,
    pub state: AccountState,
    pub verdict: Verdict,
    pub visit: Option<Visit>,
}

/// How somebody stands to an account that is there for them.
pub(crate) async fn standing(
    console: &Console,
    person: &SignedIn,
    id: AccountId,
    action: Action,
) -> Result<Standing, Stop> {
    let account = console.gateway.account(id).await?.ok_or(Stop::NotThere)?;
    let mut verdict = permission::may(&person.standings, action, &account.path, false);
    let mut visit = None;
    if matches!(verdict, Verdict::Above(_) | Verdict::StepIn(_)) {
        visit = visits::current(&console.gateway, person.session.0, id).await?;
        verdict = permission::may(&person.standings, action, &account.path, visit.is_some());
    }
    if verdict == Verdict::NotThere {
        return Err(Stop::NotThere);
    }
    if person.owes_second_factor_in(&account) {
        return Err(Stop::GoTo(format!("/me/security?required={id}")));
    }
    let path = console.gateway.path(&account).await?;
    let state = effective(path.iter().map(|a| a.state));
    Ok(Standing { account, path, state, verdict, visit })
}

/// Where to go on once what is in the way is done: the page itself, or the one a form was on.
fn way_back(request: &Request) -> String {
    let own = |uri: &Uri| uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
    if request.method() == Method::GET {
        return own(request.uri());
    }
    let referer = request.headers().get(axum::http::header::REFERER);
    let page = referer.and_then(|page| page.to_str().ok()).and_then(|page| page.parse::<Uri>().ok());
    page.as_ref().map(own).filter(|path| signed_in::is_own_path(path)).unwrap_or_else(|| "/".to_owned())
}

impl<S: Send + Sync> FromRequestParts<S> for Place {
    type Rejection = Stop;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Place, Stop> {
        // It is there whenever the row of the page has a door of an account.
        parts.extensions.get::<Place>().cloned().ok_or(Stop::Broken)
    }
}
