//! `/v1/settings`: what an account chose for itself and its messages.

use axum::Json;
use domain::account::Account;
use gateway::settings::{self, Change, SettingsError};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::asked::Asked;
use super::problem::{FieldError, Kind, Problem};
use super::values::{Body, present};

/// What an account chose. Null is the installation's choice, or no limit.
#[derive(Serialize, ToSchema)]
pub struct Settings {
    /// The company's name; null where it has none.
    #[schema(example = "Muster GmbH")]
    company: Option<String>,
    /// The owner's first and last name.
    #[schema(example = "Erika Muster")]
    owner: String,
    /// The language it is written to in (ISO 639-1).
    #[schema(example = "de")]
    language: Option<String>,
    /// Its time zone (IANA).
    #[schema(example = "Europe/Berlin")]
    time_zone: Option<String>,
    /// Who its messages are from when they do not say.
    #[schema(example = "Muster")]
    default_sender: Option<String>,
    /// The country of numbers written without one (ISO 3166-1).
    #[schema(example = "DE")]
    default_country: Option<String>,
    /// Whether the same text to the same recipient within 180 seconds is refused.
    reload_lock: bool,
    /// How many messages one recipient may get a day; 0 is no limit.
    #[schema(example = 0)]
    recipient_day_max: i64,
    /// Whether unsigned requests of programs are refused.
    signature_required: bool,
    /// Whether its members must have a second factor.
    second_factor_required: bool,
    /// How many days texts of messages are kept; null is for ever.
    #[schema(example = 90)]
    text_days: Option<i64>,
    /// How many days full numbers of recipients are kept; null is for ever.
    #[schema(example = 365)]
    number_days: Option<i64>,
    /// How it takes visits from above: `open`, `notify` (its owner is mailed) or `ask` (its owner must have
    /// said yes). Its owner changes that in the console.
    #[schema(example = "open")]
    access: &'static str,
}

impl Settings {
    fn of(account: &Account) -> Settings {
        let chosen = &account.settings;
        Settings {
            company: account.company.clone(),
            owner: account.owner.clone(),
            language: chosen.language.clone(),
            time_zone: chosen.time_zone.clone(),
            default_sender: chosen.default_sender.clone(),
            default_country: chosen.default_country.clone(),
            reload_lock: chosen.reload_lock,
            recipient_day_max: chosen.recipient_day_max,
            signature_required: chosen.signature_required,
            second_factor_required: chosen.second_factor_required,
            text_days: chosen.text_days,
            number_days: chosen.number_days,
            access: chosen.access.as_str(),
        }
    }
}

/// What is to be changed; what is absent stays as it is, and null takes a choice back.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SettingsChange {
    /// The company's name; at most 200 characters.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, max_length = 200, example = "Muster GmbH")]
    company: Option<Option<String>>,
    /// The owner's first and last name; 1 to 200 characters.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = String, required = false, min_length = 1, max_length = 200, example = "Erika Muster")]
    owner: Option<String>,
    /// The language it is written to in: `en` or `de`.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, example = "de")]
    language: Option<Option<String>>,
    /// Its time zone (IANA).
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, example = "Europe/Berlin")]
    time_zone: Option<Option<String>>,
    /// Who its messages are from when they do not say: a name of up to 11 characters or up to 16 digits.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, example = "Muster")]
    default_sender: Option<Option<String>>,
    /// The country of numbers written without one (ISO 3166-1).
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, example = "DE")]
    default_country: Option<Option<String>>,
    /// Whether the same text to the same recipient within 180 seconds is refused.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = bool, required = false)]
    reload_lock: Option<bool>,
    /// How many messages one recipient may get a day; 0 is no limit.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = i64, required = false, minimum = 0, maximum = 100_000, example = 0)]
    recipient_day_max: Option<i64>,
    /// Whether unsigned requests of programs are refused. From then on that counts for this one, too.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = bool, required = false)]
    signature_required: Option<bool>,
    /// Whether its members must have a second factor.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = bool, required = false)]
    second_factor_required: Option<bool>,
    /// How many days texts of messages are kept: 1 to 3650; null is for ever.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<i64>, minimum = 1, maximum = 3650, example = 90)]
    text_days: Option<Option<i64>>,
    /// How many days full numbers of recipients are kept: 4 to 3650; null is for ever.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<i64>, minimum = 4, maximum = 3650, example = 365)]
    number_days: Option<Option<i64>>,
}

/// Read the settings
///
/// What the account that is acted in chose.
#[utoipa::path(
    get,
    path = "/v1/settings",
    operation_id = "readSettings",
    tag = "Settings",
    responses((status = 200, description = "The settings.", body = Settings))
)]
pub async fn read(asked: Asked) -> Json<Settings> {
    Json(Settings::of(&asked.account))
}

/// Change the settings
///
/// All that is given is changed, or nothing. What retention days say is done by a job that runs every
/// hour; what it has taken away does not come back.
#[utoipa::path(
    patch,
    path = "/v1/settings",
    operation_id = "changeSettings",
    tag = "Settings",
    request_body = SettingsChange,
    responses((status = 200, description = "The settings as they are now.", body = Settings))
)]
pub async fn change(asked: Asked, Body(new): Body<SettingsChange>) -> Result<Json<Settings>, Problem> {
    let change = Change {
        company: new.company,
        owner: new.owner,
        time_zone: new.time_zone,
        language: new.language,
        default_sender: new.default_sender,
        default_country: new.default_country,
        reload_lock: new.reload_lock,
        recipient_day_max: new.recipient_day_max,
        signature_required: new.signature_required,
        second_factor_required: new.second_factor_required,
        text_days: new.text_days,
        number_days: new.number_days,
        ..Change::default()
    };
    let changed = settings::change(asked.gateway(), asked.account.id, &change, &asked.actor).await;
    Ok(Json(Settings::of(&changed.map_err(refused)?)))
}

/// Why settings were not changed.
pub fn refused(error: SettingsError) -> Problem {
    match error {
        SettingsError::Storage(error) => error.into(),
        SettingsError::NotFound(id) => Problem::not_found(format!("account {id}")),
        SettingsError::Closed(id) => Problem::new(Kind::AccountClosed, error).with("account", id.0),
        SettingsError::Fields(problems) => Problem::fields(
            problems
                .into_iter()
                .map(|p| FieldError {
                    name: p.field.as_str().to_owned(),
                    reason: format!("{}; {}", p.problem, p.remedy),
                })
                .collect(),
        ),
    }
}
