//! What somebody proves who they are by: password, codes of an app, recovery codes.

use askama::Template;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Redirect, Response};
use domain::id::AccountId;
use domain::login::Login;
use gateway::logins::{self, LoginError};
use gateway::second_factor::{self, FactorError, Setup};
use gateway::{passkeys, provider};
use storage::passkeys::Passkey;

use super::{factor_refused, login_of, tabs};
use crate::error::Stop;
use crate::form::{Asked, Field, Summary, Typed};
use crate::page::{self, Shell};
use crate::parts::{Copy, Tabs};
use crate::sign_in::sentence;
use crate::signed_in::Person;
use crate::{Console, assets, flash};

#[derive(Template)]
#[template(path = "me/security.html")]
struct Security {
    shell: Shell,
    tabs: Tabs,
    login: Login,
    passkeys: Vec<Passkey>,
    passkeys_work: bool,
    codes_left: i64,
    providers: Vec<(String, domain::moment::Moment)>,
    /// The provider of the settings: its address, and what it is called.
    provider: Option<(String, String)>,
    required_by: Option<String>,
}

impl Security {
    async fn of(
        console: &Console,
        headers: &HeaderMap,
        person: &Person,
        asked: &Typed,
    ) -> Result<Security, Stop> {
        let base = &console.gateway;
        let login = login_of(console, person).await?;
        let mut conn = base.db.read().await?;
        let passkeys = storage::passkeys::of_login(&mut conn, login.id).await?;
        let codes_left = storage::logins::recovery_codes_left(&mut conn, login.id).await?;
        drop(conn);
        let required_by = match asked.text("required").parse().map(AccountId) {
            Ok(id) if !login.has_second_factor() => base.account(id).await?,
            _ => None,
        };
        Ok(Security {
            shell: Shell::of_person(console, headers, person).await?.titled("Security"),
            tabs: tabs("/me/security"),
            passkeys,
            passkeys_work: passkeys::work_here(base),
            codes_left,
            providers: provider::known_at(base, login.id).await?,
            provider: provider::issuer(base)
                .zip(provider::label(base))
                .map(|(issuer, label)| (issuer.to_owned(), label.to_owned())),
            required_by: required_by.filter(|a| person.knows(&a.path)).map(|a| a.name().to_owned()),
            login,
        })
    }

    /// Whether a provider is the one of the settings.
    fn is_asked(&self, issuer: &str) -> bool {
        self.provider.as_ref().is_some_and(|(asked, _)| asked == issuer)
    }

    /// What the provider is called that they can link.
    fn to_link(&self) -> Option<&str> {
        let (issuer, label) = self.provider.as_ref()?;
        let is_linked = self.providers.iter().any(|(known, _)| known == issuer);
        (!is_linked).then_some(label.as_str())
    }

    fn unlink_href(&self, issuer: &str) -> String {
        format!("/me/provider/unlink?from={}", page::encoded(issuer))
    }

    fn codes_words(&self) -> String {
        match self.codes_left {
            0 => "None left. Make new ones before you need them.".to_owned(),
            left => format!("{} left of 10. Each works once.", left),
        }
    }
}

/// `GET /me/security`: all of it at a glance.
pub async fn show(
    State(console): State<Console>,
    headers: HeaderMap,
    person: Person,
    asked: Asked,
) -> Result<Response, Stop> {
    page::draw(&Security::of(&console, &headers, &person, &asked).await?)
}

/// A page with one form: a change that is confirmed by the password.
#[derive(Template)]
#[template(path = "me/form.html")]
pub(crate) struct FormPage {
    pub shell: Shell,
    pub heading: &'static str,
    pub lead: String,
    pub summary: Summary,
    pub fields: Vec<Field>,
    pub button: &'static str,
    pub is_danger: bool,
    /// Where a script asks the browser for a passkey before the form is sent.
    pub passkey_ask: Option<&'static str>,
}

impl FormPage {
    fn passkeys_script(&self) -> String {
        assets::address("passkeys.js")
    }
}

/// The shell of a page below security.
pub(crate) async fn below(
    console: &Console,
    headers: &HeaderMap,
    person: &Person,
    title: &str,
) -> Result<Shell, Stop> {
    let shell = Shell::of_person(console, headers, person).await?.titled(title);
    Ok(shell.under([("Security", "/me/security".to_owned())]))
}

/// The field of the password that confirms a change; nothing for who has none.
pub(crate) fn own_password(login: &Login, typed: &Typed) -> Option<Field> {
    let field = typed.password("password", "Your password", "current-password").required();
    login.password_at.map(|_| field)
}

async fn password_page(
    console: &Console,
    headers: &HeaderMap,
    person: &Person,
    typed: &Typed,
) -> Result<FormPage, Stop> {
    let login = login_of(console, person).await?;
    let least = if login.has_second_factor() { 8 } else { 15 };
    let has_one = login.password_at.is_some();
    let new = typed.password("new", "New password", "new-password").required();
    let hint = format!("At least {least} characters. Several words are easiest to remember.");
    Ok(FormPage {
        shell: below(
            console,
            headers,
            person,
            if has_one { "Change the password" } else { "Choose a password" },
        )
        .await?,
        heading: if has_one { "Change the password" } else { "Choose a password" },
        lead: "All your other sessions end, and you are told by mail.".to_owned(),
        summary: typed.summary(),
        fields: own_password(&login, typed).into_iter().chain([new.hint(hint)]).collect(),
        button: "Set the new password",
        is_danger: false,
        passkey_ask: None,
    })
}

/// `GET /me/password`.
pub async fn show_password(
    State(console): State<Console>,
    headers: HeaderMap,
    person: Person,
) -> Result<Response, Stop> {
    page::draw(&password_page(&console, &headers, &person, &Typed::default()).await?)
}

/// `POST /me/password`.
pub async fn change_password(
    State(console): State<Console>,
    headers: HeaderMap,
    person: Person,
    mut typed: Typed,
) -> Result<Response, Stop> {
    let (current, new) = (typed.raw("password").to_owned(), typed.raw("new").to_owned());
    match logins::change_password(&console.gateway, &person, &current, &new, &person.client()).await {
        Ok(()) => {
            return Ok(flash::done("/me/security", "Your password is changed. Other sessions have ended."));
        }
        Err(LoginError::Person(error)) => factor_refused(error, "password", &mut typed)?,
        Err(LoginError::Password(error)) => typed.wrong("new", sentence(&error)),
        Err(LoginError::Storage(error)) => return Err(error.into()),
        Err(error) => typed.wrong_in_all(sentence(&error)),
    }
    page::draw_again(&password_page(&console, &headers, &person, &typed).await?)
}

/// A page that asks for the password before something is begun or taken away.
struct Confirming {
    heading: &'static str,
    lead: &'static str,
    button: &'static str,
    is_danger: bool,
}

const BEGIN_APP: Confirming = Confirming {
    heading: "Codes of an app",
    lead: "An authenticator app on your phone shows a new code every 30 seconds. You type it after your password.",
    button: "Go on",
    is_danger: false,
};
const REMOVE_APP: Confirming = Confirming {
    heading: "Take the app away",
    lead: "Its codes are not asked for any more. Other sessions end, and you are told by mail.",
    button: "Take it away",
    is_danger: true,
};
const RENEW_CODES: Confirming = Confirming {
    heading: "New recovery codes",
    lead: "You get ten new ones, and the old ones are worth nothing from then on.",
    button: "Make new codes",
    is_danger: false,
};

async fn confirming(
    console: &Console,
    headers: &HeaderMap,
    person: &Person,
    what: &Confirming,
    typed: &Typed,
) -> Result<FormPage, Stop> {
    let login = login_of(console, person).await?;
    Ok(FormPage {
        shell: below(console, headers, person, what.heading).await?,
        heading: what.heading,
        lead: what.lead.to_owned(),
        summary: typed.summary(),
        fields: own_password(&login, typed).into_iter().map(Field::first).collect(),
        button: what.button,
        is_danger: what.is_danger,
        passkey_ask: None,
    })
}

#[derive(Template)]
#[template(path = "me/app.html")]
struct App {
    shell: Shell,
    summary: Summary,
    setup: Setup,
    secret: Copy,
    code: Field,
}

impl App {
    async fn of(
        console: &Console,
        headers: &HeaderMap,
        person: &Person,
        setup: Setup,
        typed: &Typed,
    ) -> Result<App, Stop> {
        Ok(App {
            shell: below(console, headers, person, "Codes of an app").await?,
            summary: typed.summary(),
            secret: Copy { label: "The secret".to_owned(), text: setup.secret.clone(), is_block: false },
            code: typed
                .field("code", "Code")
                .fills("one-time-code")
                .keys("numeric")
                .required()
                .first()
                .hint("The six digits the app shows now."),
            setup,
        })
    }
}

/// `GET /me/app`: begins to set up codes.
pub async fn show_app(
    State(console): State<Console>,
    headers: HeaderMap,
    person: Person,
) -> Result<Response, Stop> {
    page::draw(&confirming(&console, &headers, &person, &BEGIN_APP, &Typed::default()).await?)
}

/// `POST /me/app`: the secret, as a picture and in letters.
pub async fn begin_app(
    State(console): State<Console>,
    headers: HeaderMap,
    person: Person,
    mut typed: Typed,
) -> Result<Response, Stop> {
    match second_factor::begin(&console.gateway, &person, typed.raw("password")).await {
        Ok(setup) => page::draw(&App::of(&console, &headers, &person, setup, &Typed::default()).await?),
        Err(error) => {
            factor_refused(error, "password", &mut typed)?;
            page::draw_again(&confirming(&console, &headers, &person, &BEGIN_APP, &typed).await?)
        }
    }
}

#[derive(Template)]
#[template(path = "me/codes.html")]
pub(crate) struct Codes {
    pub shell: Shell,
    pub done: &'static str,
    pub all: Copy,
}

/// The page after a second factor was set up: with recovery codes when it is the first one.
pub(crate) async fn with_codes(
    console: &Console,
    headers: &HeaderMap,
    person: &Person,
    done: &'static str,
    codes: Option<Vec<String>>,
) -> Result<Response, Stop> {
    let Some(codes) = codes else { return Ok(flash::done("/me/security", done)) };
    let all = Copy { label: "All recovery codes".to_owned(), text: codes.join("\n"), is_block: true };
    page::draw(&Codes { shell: below(console, headers, person, "Recovery codes").await?, done, all })
}

/// `POST /me/app/confirm`: the first code.
pub async fn confirm_app(
    State(console): State<Console>,
    headers: HeaderMap,
    person: Person,
    mut typed: Typed,
) -> Result<Response, Stop> {
    let (base, token, code) =
        (&console.gateway, typed.text("token").to_owned(), typed.text("code").to_owned());
    match second_factor::confirm(base, &person, &token, &code, &person.client()).await {
        Ok(codes) => {
            return with_codes(
                &console,
                &headers,
                &person,
                "Codes of your app are asked for from now on.",
                codes,
            )
            .await;
        }
        Err(FactorError::Code) => {
            typed.wrong("code", "That code does not fit. Take the one your app shows now.")
        }
        Err(FactorError::Ended) => {
            return Ok(flash::failed("/me/app", "This took too long. Begin again."));
        }
        Err(error) => factor_refused(error, "code", &mut typed)?,
    }
    typed.set("code", "");
    match second_factor::show(base, &person, &token).await {
        Ok(setup) => page::draw_again(&App::of(&console, &headers, &person, setup, &typed).await?),
        Err(FactorError::Storage(error)) => Err(error.into()),
        Err(_) => Ok(Redirect::to("/me/app").into_response()),
    }
}

/// `GET /me/app/remove`.
pub async fn show_remove_app(
    State(console): State<Console>,
    headers: HeaderMap,
    person: Person,
) -> Result<Response, Stop> {
    page::draw(&confirming(&console, &headers, &person, &REMOVE_APP, &Typed::default()).await?)
}

/// `POST /me/app/remove`.
pub async fn remove_app(
    State(console): State<Console>,
    headers: HeaderMap,
    person: Person,
    mut typed: Typed,
) -> Result<Response, Stop> {
    match second_factor::remove(&console.gateway, &person, typed.raw("password"), &person.client()).await {
        Ok(()) => Ok(flash::done("/me/security", "The app is taken away.")),
        Err(error) => {
            factor_refused(error, "password", &mut typed)?;
            page::draw_again(&confirming(&console, &headers, &person, &REMOVE_APP, &typed).await?)
        }
    }
}

/// `GET /me/recovery-codes`.
pub async fn show_codes(
    State(console): State<Console>,
    headers: HeaderMap,
    person: Person,
) -> Result<Response, Stop> {
    page::draw(&confirming(&console, &headers, &person, &RENEW_CODES, &Typed::default()).await?)
}

/// `POST /me/recovery-codes`.
pub async fn renew_codes(
    State(console): State<Console>,
    headers: HeaderMap,
    person: Person,
    mut typed: Typed,
) -> Result<Response, Stop> {
    match second_factor::renew_recovery_codes(
        &console.gateway,
        &person,
        typed.raw("password"),
        &person.client(),
    )
    .await
    {
        Ok(codes) => {
            with_codes(&console, &headers, &person, "The old codes are worth nothing now.", Some(codes)).await
        }
        Err(error) => {
            factor_refused(error, "password", &mut typed)?;
            page::draw_again(&confirming(&console, &headers, &person, &RENEW_CODES, &typed).await?)
        }
    }
}
